//! From a scenario to the bytes that are sent, and when.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use super::dialect::Dialect;
use super::scenario::Scenario;
use super::script::{Answer, Calls, Counts, Frame, Say, Script};

/// What is sent, and when.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// These bytes, as a chunk of their own.
    Send(Bytes),
    /// The same bytes again and again, with a pause in between, until the client leaves.
    Repeat(Bytes, Duration),
    /// Each byte as a chunk of its own, with a pause in between.
    Drip(Bytes, Duration),
    /// Nothing until the client leaves.
    Hang,
    /// The connection closes without an end of the body.
    Cut,
    /// The connection is reset.
    Reset,
}

/// A reply: its head and what follows.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    /// What happens in place of the head.
    pub(super) before: Option<Step>,
    pub(super) body: Vec<Step>,
}

/// The words of every answer, in the pieces in which a stream brings them.
pub(super) const WORDS: [&str; 3] = ["Grüezi ", "🌊 mit", "enand\u{301}"];

const NOW: Duration = Duration::ZERO;
const PAUSE: Duration = Duration::from_millis(50);
const MB: usize = 1_000_000;

impl Plan {
    pub(super) fn new(scenario: Scenario, dialect: Dialect, streams: bool, model: &str) -> Self {
        let answer = Answer {
            model,
            say: say(scenario),
            usage: counts(scenario),
        };
        let script = dialect.script(&answer);
        let mut plan = Self {
            status: 200,
            headers: vec![("content-type".to_owned(), content_type(dialect, streams))],
            before: None,
            body: Vec::new(),
        };
        if plan.fails(scenario) {
            return plan;
        }
        let cut = Wire {
            dialect,
            scenario,
            end: line_end(scenario, dialect),
        };
        if streams {
            plan.body = cut.stream(script);
        } else {
            plan.body = cut.whole(&script);
        }
        plan
    }

    /// Statuses, heads and connections that are wrong before anything is said.
    fn fails(&mut self, scenario: Scenario) -> bool {
        let json = |value: serde_json::Value| vec![Step::Send(value.to_string().into())];
        let message = "the request cannot be served";
        match scenario {
            Scenario::HtmlError => {
                self.status = 502;
                self.set("content-type", "text/html");
                let page = "<html><head><title>502 Bad Gateway</title></head>\
                            <body><h1>502 Bad Gateway</h1><script>x</script></body></html>";
                self.body = vec![Step::Send(Bytes::from_static(page.as_bytes()))];
            }
            Scenario::ErrorNested => {
                self.status = 400;
                self.body = json(json!({"error": {
                    "message": message, "type": "invalid_request_error", "code": null,
                }}));
            }
            Scenario::ErrorText => {
                self.status = 503;
                self.body = json(json!({"error": message}));
            }
            Scenario::ErrorFlat => {
                self.status = 429;
                self.set("retry-after", "7");
                self.body = json(json!({"code": "rate_limit_exceeded", "message": message}));
            }
            Scenario::ErrorDetail => {
                self.status = 401;
                self.body = json(json!({"detail": message}));
            }
            Scenario::ErrorList => {
                self.status = 404;
                let error = json!({"code": 404, "message": message, "status": "NOT_FOUND"});
                self.body = json(json!([{"error": error}]));
            }
            Scenario::ErrorEndless => {
                self.status = 500;
                self.body = vec![
                    Step::Send(Bytes::from_static(b"{\"error\":{\"message\":\"")),
                    Step::Repeat(Bytes::from(vec![b'x'; 16 * 1024]), NOW),
                ];
            }
            Scenario::Redirect => {
                self.status = 307;
                self.set("location", "http://169.254.169.254/latest/meta-data/");
            }
            Scenario::GzipBomb => {
                self.set("content-encoding", "gzip");
                self.body = bomb();
            }
            Scenario::ManyHeaders => {
                for number in 0..2_000 {
                    let name = format!("x-hostile-{number}");
                    self.headers.push((name, "x".repeat(64)));
                }
            }
            Scenario::Empty => {}
            Scenario::Garbage => {
                self.body = vec![Step::Send(Bytes::from_static(b"\xff\xfe\x00\xc3(\n\n\x80"))];
            }
            Scenario::SilentHead => self.before = Some(Step::Hang),
            Scenario::ResetHead => self.before = Some(Step::Reset),
            Scenario::SilentStart => self.body = vec![Step::Hang],
            Scenario::ResetStart => self.body = vec![Step::Reset],
            Scenario::ContentType => {
                self.set("content-type", "text/plain");
                return false;
            }
            _ => return false,
        }
        true
    }

    fn set(&mut self, name: &str, value: &str) {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
    }
}

fn content_type(dialect: Dialect, streams: bool) -> String {
    let kind = match (streams, dialect.is_lines()) {
        (false, _) => "application/json",
        (true, true) => "application/x-ndjson",
        (true, false) => "text/event-stream; charset=utf-8",
    };
    kind.to_owned()
}

fn say(scenario: Scenario) -> Say {
    let words = WORDS.map(str::to_owned).to_vec();
    let long = |megabytes: usize| Say::Text(vec!["a".repeat(megabytes * MB)]);
    match scenario {
        Scenario::ToolCalls => Say::Calls(Calls {
            ids: true,
            valid: true,
        }),
        Scenario::NoIds => Say::Calls(Calls {
            ids: false,
            valid: true,
        }),
        Scenario::BadArguments => Say::Calls(Calls {
            ids: true,
            valid: false,
        }),
        // Few and long frames: what is tested is the limit, not the reading.
        Scenario::Flood => Say::Text(vec!["a".repeat(16 * 1024)]),
        Scenario::Line10Mb => long(10),
        Scenario::Line20Mb => long(20),
        Scenario::Line40Mb => long(40),
        _ => Say::Text(words),
    }
}

const fn counts(scenario: Scenario) -> Counts {
    match scenario {
        Scenario::NoUsage => Counts::Missing,
        Scenario::NegativeUsage => Counts::Negative,
        Scenario::AbsurdUsage => Counts::Absurd,
        _ => Counts::Plain,
    }
}

fn line_end(scenario: Scenario, dialect: Dialect) -> &'static str {
    match scenario {
        Scenario::Crlf => "\r\n",
        Scenario::Cr if !dialect.is_lines() => "\r",
        _ => "\n",
    }
}

/// How an answer becomes bytes.
#[derive(Debug, Clone, Copy)]
struct Wire {
    dialect: Dialect,
    scenario: Scenario,
    end: &'static str,
}

impl Wire {
    fn whole(self, script: &Script) -> Vec<Step> {
        let body = match self.scenario {
            Scenario::ErrorFirst => Bytes::from(self.dialect.error_frame().data),
            _ => Bytes::from(script.whole.clone()),
        };
        let half = body.slice(..body.len() / 2);
        match self.scenario {
            Scenario::EveryByte => vec![Step::Drip(body, NOW)],
            Scenario::SlowDrip => vec![Step::Drip(body, PAUSE)],
            Scenario::Truncated => vec![Step::Send(half)],
            Scenario::Cut => vec![Step::Send(half), Step::Cut],
            Scenario::SilentMiddle => vec![Step::Send(half), Step::Hang],
            Scenario::ResetMiddle => vec![Step::Send(half), Step::Reset],
            Scenario::PingsForever => vec![Step::Repeat(Bytes::from_static(b" "), PAUSE)],
            Scenario::Flood => vec![Step::Repeat(Bytes::from(vec![b' '; 64 * 1024]), NOW)],
            _ => vec![Step::Send(body)],
        }
    }

    fn stream(self, script: Script) -> Vec<Step> {
        let first = script.saying.first().cloned();
        let opening = self.bytes(&script.opening);
        let started = self.bytes(script.opening.iter().chain(&first));
        let mut frames = script.opening;
        frames.extend(script.saying);
        frames.extend(script.closing);
        match self.scenario {
            Scenario::NoTerminal => {}
            Scenario::TwoTerminals => frames.extend([script.terminal.clone(), script.terminal]),
            _ => frames.push(script.terminal),
        }
        let all = self.bytes(&frames);
        let send = |bytes: Bytes| Step::Send(bytes);
        match self.scenario {
            Scenario::EveryByte => vec![Step::Drip(all, NOW)],
            Scenario::SlowDrip => vec![Step::Drip(all, PAUSE)],
            Scenario::NoFinalBlank => {
                let text = all.len() - trailing_line_ends(&all);
                vec![send(all.slice(..text))]
            }
            Scenario::ErrorFirst => vec![send(self.bytes(&[self.dialect.error_frame()]))],
            Scenario::ErrorLater => {
                let error = self.bytes(&[self.dialect.error_frame()]);
                vec![send(started), send(error)]
            }
            Scenario::Truncated | Scenario::Cut => {
                let inside = started.len() + (all.len() - started.len()) / 3;
                let mut steps = vec![send(all.slice(..inside))];
                if self.scenario == Scenario::Cut {
                    steps.push(Step::Cut);
                }
                steps
            }
            Scenario::SilentMiddle => vec![send(started), Step::Hang],
            Scenario::ResetMiddle => vec![send(started), Step::Reset],
            Scenario::PingsForever => vec![send(opening), Step::Repeat(self.ping(), PAUSE)],
            Scenario::Flood => {
                let more = self.bytes(&first).repeat(16);
                vec![send(started), Step::Repeat(Bytes::from(more), NOW)]
            }
            _ => vec![send(all)],
        }
    }

    fn bytes<'f>(self, frames: impl IntoIterator<Item = &'f Frame>) -> Bytes {
        let mut out = String::new();
        for frame in frames {
            if self.scenario == Scenario::Comments {
                out.push_str(&String::from_utf8_lossy(&self.ping()));
            }
            self.frame(frame, &mut out);
        }
        out.into()
    }

    fn frame(self, frame: &Frame, out: &mut String) {
        let end = self.end;
        if self.dialect.is_lines() {
            out.push_str(&frame.data);
            out.push_str(end);
            return;
        }
        let space = if self.scenario == Scenario::NoSpace {
            ""
        } else {
            " "
        };
        if let Some(event) = frame.event {
            out.push_str(&format!("event:{space}{event}{end}"));
        }
        let data = match self.scenario {
            Scenario::MultiLine => broken_up(&frame.data),
            _ => frame.data.clone(),
        };
        for line in data.split('\n') {
            out.push_str(&format!("data:{space}{line}{end}"));
        }
        out.push_str(end);
    }

    /// A sign of life in the protocol.
    fn ping(self) -> Bytes {
        let end = self.end;
        match self.dialect {
            Dialect::Ollama => Bytes::from(end),
            Dialect::Messages => format!(
                ": still here{end}{end}event: ping{end}data: {{\"type\": \"ping\"}}{end}{end}"
            )
            .into(),
            _ => format!(": still here{end}{end}:{end}{end}").into(),
        }
    }
}

/// Line breaks where JSON allows white space.
fn broken_up(json: &str) -> String {
    json.replacen("\":", "\":\n", 2)
}

fn trailing_line_ends(bytes: &[u8]) -> usize {
    let is_end = |byte: &&u8| matches!(**byte, b'\n' | b'\r');
    bytes.iter().rev().take_while(is_end).count()
}

/// Gzip of zeros: a literal zero, and then copies of the 258 bytes before, 13 bits each
/// (RFC 1951, 3.2.6). Eight copies fill thirteen bytes.
fn bomb() -> Vec<Step> {
    const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    const COPY: &str = "1100010100000";
    const ROUNDS: usize = 600_000;
    let bits: Vec<u8> = format!("11000110000{}", COPY.repeat(16)).into_bytes();
    let bytes: Vec<u8> = bits
        .chunks(8)
        .map(|bits| {
            let mut byte = 0;
            for (place, bit) in bits.iter().enumerate() {
                byte |= u8::from(*bit == b'1') << place;
            }
            byte
        })
        .collect();
    let (start, rest) = bytes.split_at(2);
    let period: Vec<u8> = rest.iter().take(13).copied().collect();
    vec![
        Step::Send([&HEADER[..], start].concat().into()),
        Step::Send(period.repeat(ROUNDS).into()),
        Step::Hang,
    ]
}
