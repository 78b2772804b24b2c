//! What must hold of a stream however it is cut into pieces, and wherever it is cut off.

use aurax_core::{Error, ErrorKind, Response, Result};

use super::case::Case;
use super::decode::{Exchange, Heard, joined};
use super::frames::{
    Sent, Terminal, anthropic_terminal, frames, gemini_terminal, lines, ollama_terminal,
    open_ai_terminal, responses_terminal,
};
use super::tally::{Finding, Findings};

/// Sizes of the pieces a stream is delivered in.
const PIECES: [usize; 3] = [1, 7, 4096];

/// A recorded stream, and where it ends.
pub(crate) struct Recorded<'a> {
    exchange: &'a Exchange<'a>,
    body: &'a [u8],
    frames: Vec<Sent<'a>>,
    pub(crate) terminal: Terminal,
}

impl<'a> Recorded<'a> {
    pub(crate) fn new(case: &'a Case, exchange: &'a Exchange<'a>) -> Self {
        let body = &case.response.body;
        let frames = match case.family() {
            "ollama" => lines(body),
            _ => frames(body),
        };
        let terminal = match case.family() {
            "anthropic" => anthropic_terminal(&frames),
            "gemini" => gemini_terminal(&frames),
            "ollama" => ollama_terminal(&frames),
            "responses" => responses_terminal(&frames),
            _ => open_ai_terminal(&frames),
        };
        Self {
            exchange,
            body: body.as_bytes(),
            frames,
            terminal,
        }
    }

    /// The stream as it was recorded, in one piece.
    pub(crate) fn heard(&self) -> Heard {
        self.exchange.stream([self.body])
    }

    /// Delivers the stream by frames, by lines and in pieces: the answer and its events must be those
    /// of the stream in one piece.
    pub(crate) fn split(&self, whole: &Heard, findings: &mut Findings) {
        let events = joined(&whole.events);
        let answer = answer(&whole.response);
        let mut compare = |how: &str, split: Heard| {
            let got = joined(&split.events);
            if got != events {
                let same = got
                    .iter()
                    .zip(&events)
                    .take_while(|(got, want)| got == want);
                let at = same.count();
                findings.differ("split.events", &(how, events.get(at)), &got.get(at));
            }
            let got = self::answer(&split.response);
            if got != answer {
                findings.differ("split.response", &(how, &answer), &got);
            }
        };
        let frames = self.frames.iter().map(|frame| frame.bytes);
        compare("by frame", self.exchange.stream(frames));
        let lines = self.body.split_inclusive(|byte| *byte == b'\n');
        compare("by line", self.exchange.stream(lines));
        for size in PIECES {
            let pieces = self.body.chunks(size);
            compare(&format!("by {size}"), self.exchange.stream(pieces));
        }
    }

    /// Cuts the stream off after every frame: before the terminal one that is an error, after it
    /// a complete answer, even where later frames are missing.
    pub(crate) fn truncate(&self, findings: &mut Findings) {
        let all = self.frames.len();
        let before = self.terminal.frames_before(all);
        for count in 0..=all {
            let frames = self.frames.iter().take(count).map(|frame| frame.bytes);
            let kind = self
                .exchange
                .stream(frames)
                .response
                .err()
                .map(|error| error.kind());
            let ok = match self.terminal {
                _ if count <= before => kind == Some(ErrorKind::Truncated),
                Terminal::Complete(_) => kind.is_none(),
                Terminal::Failed(_) => kind.is_some_and(|kind| kind != ErrorKind::Truncated),
                Terminal::None => true,
            };
            if !ok {
                let (field, end) = match count <= before {
                    true => ("truncated before the end", "truncated"),
                    false => ("cut off after the end", "what the terminal frame says"),
                };
                let got = kind.map_or("a clean end".into(), |kind| kind.to_string());
                let detail = format!("after {count} of {all} frames: expected {end}, got {got}");
                findings.differences.push(Finding::new(field, detail));
                return;
            }
        }
    }
}

/// An answer, or what is to be known of an error: errors have no equality of their own.
fn answer(
    response: &Result<Response>,
) -> std::result::Result<&Response, (ErrorKind, String, Option<&Response>)> {
    response
        .as_ref()
        .map_err(|error: &Error| (error.kind(), error.to_string(), error.partial()))
}
