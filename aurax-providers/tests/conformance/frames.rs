//! Where the frames of a recorded stream end, found without the parser under test.

use std::collections::BTreeMap;

use serde_json::Value;

/// A frame as it was sent, blank line included, and what it says.
pub(crate) struct Sent<'a> {
    pub(crate) bytes: &'a [u8],
    data: Option<Value>,
}

/// Cuts a stream of server-sent events after every blank line.
pub(crate) fn frames(body: &str) -> Vec<Sent<'_>> {
    let mut frames = Vec::new();
    let (mut start, mut at) = (0, 0);
    for line in body.split_inclusive('\n') {
        at += line.len();
        let is_blank = line.trim_end_matches(['\r', '\n']).is_empty();
        if is_blank || at == body.len() {
            frames.extend(body.get(start..at).map(frame));
            start = at;
        }
    }
    frames
}

/// Cuts a stream of lines of JSON after every line.
pub(crate) fn lines(body: &str) -> Vec<Sent<'_>> {
    let lines = body.split_inclusive('\n');
    let sent = lines
        .filter(|line| !line.trim().is_empty())
        .map(|line| Sent {
            bytes: line.as_bytes(),
            data: serde_json::from_str(line).ok(),
        });
    sent.collect()
}

fn frame(text: &str) -> Sent<'_> {
    let data: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .collect();
    Sent {
        bytes: text.as_bytes(),
        data: serde_json::from_str(&data.join("\n")).ok(),
    }
}

/// How a stream ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Terminal {
    /// With this frame; the answer is complete.
    Complete(usize),
    /// With this frame, which says that the provider failed.
    Failed(usize),
    /// It was cut off.
    None,
}

impl Terminal {
    /// The number of frames that may be sent without the answer having ended.
    pub(crate) fn frames_before(self, all: usize) -> usize {
        match self {
            Self::Complete(at) | Self::Failed(at) => at,
            Self::None => all,
        }
    }
}

/// The frame an Anthropic stream ends with: `message_stop`.
pub(crate) fn anthropic_terminal(frames: &[Sent<'_>]) -> Terminal {
    first(frames, |data| match data.get("type")?.as_str()? {
        "message_stop" => Some(Terminal::Complete),
        "error" => Some(Terminal::Failed),
        _ => None,
    })
}

/// The frame a stream of the responses API ends with.
pub(crate) fn responses_terminal(frames: &[Sent<'_>]) -> Terminal {
    first(frames, |data| match data.get("type")?.as_str()? {
        "response.completed" | "response.incomplete" => Some(Terminal::Complete),
        "response.failed" | "response.cancelled" | "error" => Some(Terminal::Failed),
        _ => None,
    })
}

/// The id in the first frame of a stream of the responses API.
pub(crate) fn first_response_id(body: &str) -> Option<String> {
    let frames = frames(body);
    let (_, data) = values(&frames).next()?;
    Some(data.pointer("/response/id")?.as_str()?.to_owned())
}

/// The frame that decides a stream of chat completions: the one that gives the last of its choices
/// a finish reason. What follows, `[DONE]` included, may be lost.
pub(crate) fn open_ai_terminal(frames: &[Sent<'_>]) -> Terminal {
    let is_error = |data: &Value| data.get("error").is_some_and(|error| !error.is_null());
    let failed = first(frames, |data| is_error(data).then_some(Terminal::Failed));
    let mut finished: BTreeMap<u64, Option<usize>> = BTreeMap::new();
    for (at, data) in values(frames) {
        let choices = data.get("choices").and_then(Value::as_array);
        for choice in choices.into_iter().flatten() {
            let index = choice.get("index").and_then(Value::as_u64);
            let has_reason = choice.get("finish_reason").is_some_and(Value::is_string);
            let end = finished.entry(index.unwrap_or_default()).or_default();
            if has_reason && end.is_none() {
                *end = Some(at);
            }
        }
    }
    let last: Option<usize> = finished
        .into_values()
        .collect::<Option<Vec<_>>>()
        .and_then(|ends| ends.into_iter().max());
    match (last, failed) {
        (Some(at), Terminal::Failed(error)) if error < at => failed,
        (Some(at), _) => Terminal::Complete(at),
        (None, failed) => failed,
    }
}

/// The line an Ollama stream ends with: the one that says that it is done.
pub(crate) fn ollama_terminal(lines: &[Sent<'_>]) -> Terminal {
    first(lines, |data| {
        if data.get("error").is_some() {
            return Some(Terminal::Failed);
        }
        let is_done = data.get("done").and_then(Value::as_bool) == Some(true);
        is_done.then_some(Terminal::Complete as fn(usize) -> Terminal)
    })
}

/// The frame a Gemini stream ends with: the last one that gives a finish reason, since a stream that
/// runs code gives one before it goes on.
pub(crate) fn gemini_terminal(frames: &[Sent<'_>]) -> Terminal {
    let has_reason = |data: &Value| {
        let candidates = data.get("candidates").and_then(Value::as_array);
        let mut candidates = candidates.into_iter().flatten();
        candidates.any(|candidate| candidate.get("finishReason").is_some())
    };
    let failed = first(frames, |data| {
        data.get("error")
            .map(|_| Terminal::Failed as fn(usize) -> Terminal)
    });
    let last = values(frames).filter(|(_, data)| has_reason(data)).last();
    match (last, failed) {
        (_, Terminal::Failed(_)) => failed,
        (Some((at, _)), _) => Terminal::Complete(at),
        (None, _) => Terminal::None,
    }
}

fn first(
    frames: &[Sent<'_>],
    terminal: impl Fn(&Value) -> Option<fn(usize) -> Terminal>,
) -> Terminal {
    values(frames)
        .find_map(|(at, data)| terminal(data).map(|terminal| terminal(at)))
        .unwrap_or(Terminal::None)
}

fn values<'a>(frames: &'a [Sent<'_>]) -> impl Iterator<Item = (usize, &'a Value)> {
    frames
        .iter()
        .enumerate()
        .filter_map(|(at, frame)| Some((at, frame.data.as_ref()?)))
}
