//! The responses API: requests and replies, there and back.

use aurax_core::{Delivery, Event, Fold, Head, Op, Response, Result};
use aurax_providers::ModelRules;
use aurax_providers::frame::FrameParser;
use aurax_providers::inbound::{Inbound, Incoming, Stamp, WriteReply};
use aurax_providers::responses::{Quirks, Responses, ResponsesInbound};
use aurax_providers::wire::{Decode, Target, Wire};
use bytes::BytesMut;
use serde_json::{Map, Value, json};

use super::case::Case;
use super::kinds::{Kinds, Seen};
use super::messages::{NOTHING, TEXT, TURNS};
use super::requests::understood;
use super::tally::{Findings, Verdict};

/// Sends an exchange there and back.
pub(crate) fn judge(case: &Case, kinds: &Kinds) -> Verdict {
    let mut trip = Trip {
        case,
        wire: Responses::new(Quirks::openai()),
        inbound: ResponsesInbound::new(),
        seen: Seen::default(),
        findings: Findings::default(),
    };
    if let Err(error) = trip.run() {
        trip.findings.differ("error", &"a round trip", &error);
    }
    kinds.add(trip.seen);
    Verdict::new(trip.findings).under(&case.api)
}

struct Trip<'a> {
    case: &'a Case,
    wire: Responses,
    inbound: ResponsesInbound,
    seen: Seen,
    findings: Findings,
}

impl Trip<'_> {
    fn run(&mut self) -> Result<()> {
        let body = &self.case.request.body;
        let incoming = self.inbound.read(body.to_string().as_bytes())?;
        let target = Target {
            provider: "recorded".into(),
            model: incoming.call.model.clone(),
            rules: ModelRules::default(),
            info: None,
        };
        self.request(&incoming, &target)?;
        if !self.case.is_error() {
            self.reply(&incoming, &target)?;
        }
        Ok(())
    }

    fn request(&mut self, incoming: &Incoming, target: &Target) -> Result<()> {
        if let Op::Chat(request) = &incoming.call.op {
            understood(self.case, request, &mut self.findings);
        }
        let encoded = self.wire.encode(&incoming.call, target)?;
        let sent: Value = serde_json::from_slice(&encoded.body).unwrap_or_default();
        let mut expected = self.case.request.body.clone();
        for (name, change) in CHANGES {
            if let Some(fields) = expected.as_object_mut()
                && change(fields)
            {
                self.seen.note(name);
            }
        }
        self.findings.equal("request", &expected, &sent);
        Ok(())
    }

    /// The reply as it was delivered, written whole and as a stream.
    fn reply(&mut self, incoming: &Incoming, target: &Target) -> Result<()> {
        let body = self.case.response.body.as_bytes();
        let events = match self.case.is_stream() {
            true => self.decode_stream(incoming, target, body)?,
            false => self.decode_whole(incoming, target, body)?,
        };
        let answer = fold(&events, target);
        let whole = self.writer(incoming, target).whole(&answer);
        let whole = self.decode_whole(incoming, target, &whole)?;
        self.same("whole", &answer, fold(&whole, target));
        let mut writer = self.writer(incoming, target);
        let mut stream = BytesMut::new();
        for event in &events {
            writer.event(event, &mut stream);
        }
        let stream = self.decode_stream(incoming, target, &stream)?;
        self.same("stream", &answer, fold(&stream, target));
        Ok(())
    }

    fn same(&mut self, how: &str, answer: &Response, mut got: Response) {
        if answer.extra != got.extra && contains(&got.extra, &answer.extra) {
            self.seen
                .note_reply("every field the SDKs insist on is there");
            got.extra.clone_from(&answer.extra);
        }
        self.findings.equal(how, answer, &got);
    }

    fn writer(&self, incoming: &Incoming, target: &Target) -> Box<dyn WriteReply> {
        let model = target.model.clone();
        let head = Head::new("openai.responses", "recorded", model, Delivery::Whole);
        self.inbound.writer(incoming, &head, Stamp::new("req_1", 0))
    }

    fn decoder(&self, incoming: &Incoming, target: &Target) -> Box<dyn Decode> {
        self.wire.decoder(&incoming.call, target)
    }

    fn decode_whole(
        &self,
        incoming: &Incoming,
        target: &Target,
        body: &[u8],
    ) -> Result<Vec<Event>> {
        let mut events = Vec::new();
        self.decoder(incoming, target).whole(body, &mut events)?;
        Ok(events)
    }

    fn decode_stream(
        &self,
        incoming: &Incoming,
        target: &Target,
        body: &[u8],
    ) -> Result<Vec<Event>> {
        let mut events = Vec::new();
        let mut decoder = self.decoder(incoming, target);
        let mut parser = FrameParser::new(self.wire.framing());
        parser.push(body, &mut |frame| decoder.frame(frame, &mut events))?;
        parser.finish(&mut |frame| decoder.frame(frame, &mut events))?;
        decoder.finish(&mut events)?;
        Ok(events)
    }
}

fn fold(events: &[Event], target: &Target) -> Response {
    let mut fold = Fold::new(target.provider.clone(), target.model.as_str());
    events.iter().for_each(|event| fold.push(event));
    fold.finish()
}

fn contains(all: &Map<String, Value>, some: &Map<String, Value>) -> bool {
    some.iter()
        .all(|(name, value)| all.get(name) == Some(value))
}

type Change = fn(&mut Map<String, Value>) -> bool;

/// What the wire says in another way, which means the same; each returns whether it came up.
const CHANGES: [(&str, Change); 5] = [
    (TURNS, instructions),
    (TEXT, messages),
    ("a function says that its schema is not enforced", strict),
    (
        "nothing is to be stored, and thoughts are handed out",
        stateless,
    ),
    (NOTHING, nothing),
];

fn instructions(body: &mut Map<String, Value>) -> bool {
    let Some(items) = body.get_mut("input").and_then(Value::as_array_mut) else {
        return false;
    };
    let is_system = |first: &&Value| first.get("role") == Some(&json!("system"));
    let Some(content) = items
        .first()
        .filter(is_system)
        .and_then(|first| first.get("content"))
    else {
        return false;
    };
    let text = content.pointer("/0/text").unwrap_or(content).clone();
    items.remove(0);
    body.insert("instructions".to_owned(), text).is_none()
}

fn messages(body: &mut Map<String, Value>) -> bool {
    let mut changed = false;
    let items = body.get_mut("input").and_then(Value::as_array_mut);
    for item in items.into_iter().flatten().filter_map(Value::as_object_mut) {
        if item.get("type") != Some(&json!("message")) || item.contains_key("id") {
            continue;
        }
        changed |= item.remove("type").is_some();
        let is_assistant = item.get("role") == Some(&json!("assistant"));
        if let Some(content) = item.get_mut("content")
            && let Some(text) = content.as_str().filter(|_| !is_assistant)
        {
            *content = json!([{"type": "input_text", "text": text}]);
        }
    }
    changed
}

fn strict(body: &mut Map<String, Value>) -> bool {
    let tools = body.get_mut("tools").and_then(Value::as_array_mut);
    let mut changed = false;
    for tool in tools.into_iter().flatten().filter_map(Value::as_object_mut) {
        if !tool.contains_key("strict") {
            tool.insert("strict".to_owned(), false.into());
            changed = true;
        }
    }
    changed
}

fn stateless(body: &mut Map<String, Value>) -> bool {
    let before = body.clone();
    body.entry("store").or_insert(false.into());
    body.entry("include")
        .or_insert(json!(["reasoning.encrypted_content"]));
    *body != before
}

fn nothing(body: &mut Map<String, Value>) -> bool {
    let has_none = body.get("instructions") == Some(&json!(""));
    if has_none {
        body.remove("instructions");
    }
    let items = body.get_mut("input").and_then(Value::as_array_mut);
    let mut changed = has_none;
    for item in items.into_iter().flatten().filter_map(Value::as_object_mut) {
        let is_output = item.get("type") == Some(&json!("function_call_output"));
        changed |= is_output && item.remove("status").is_some();
    }
    changed
}
