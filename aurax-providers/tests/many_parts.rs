//! Streams of many parts lose none of them.

#![cfg(all(feature = "openai", feature = "anthropic"))]
#![expect(clippy::unwrap_used, reason = "a failed test is a panic")]

use aurax_core::{
    Delivery, Delta, End, Event, Finish, FinishReason, Head, Logprob, ModelId, Signature,
    TokenLogprob, ToolCallStart,
};
use aurax_providers::Seal;
use aurax_providers::anthropic::MessagesInbound;
use aurax_providers::inbound::{Inbound, Stamp, WriteReply};
use aurax_providers::openai::ChatInbound;
use aurax_providers::responses::ResponsesInbound;
use bytes::BytesMut;

/// Parts of each kind.
const MANY: u32 = 5_000;

fn said(part: u32, delta: Delta) -> Event {
    Event::Delta {
        choice: 0,
        part,
        delta,
    }
}

fn writers() -> [(&'static str, Box<dyn WriteReply>); 3] {
    let seal = Seal::new(b"key");
    let chat = r#"{"model": "m", "messages": [{"role": "user", "content": "Hi"}]}"#;
    let messages = chat.replace(r#""model""#, r#""max_tokens": 9, "model""#);
    let responses = r#"{"model": "m", "input": "Hi"}"#;
    let writer = |inbound: &dyn Inbound, body: &str| {
        let model = ModelId::parse("m").unwrap();
        let head = Head::new("gemini.generate", "gemini", model, Delivery::Streamed);
        let incoming = inbound.read(body.as_bytes()).unwrap();
        inbound.writer(&incoming, &head, Stamp::new("r1", 7))
    };
    [
        ("chat", writer(&ChatInbound::new(), chat)),
        ("messages", writer(&MessagesInbound::new(seal), &messages)),
        ("responses", writer(&ResponsesInbound::new(), responses)),
    ]
}

/// Writes the events; how often `word` is in the frames.
fn count(writer: &mut dyn WriteReply, events: impl Iterator<Item = Event>, word: &str) -> usize {
    let mut out = BytesMut::new();
    let mut count = 0;
    let finish = Finish::new(FinishReason::ToolCalls, None);
    let end = Event::End(Box::new(End::new(vec![finish], None)));
    for event in events.chain([end]) {
        let is_end = matches!(event, Event::End(_));
        writer.event(&event, &mut out);
        let text = std::str::from_utf8(&out).unwrap();
        let frames = text.split("\n\n").filter(|frame| {
            // The object at the end of a stream of responses repeats everything.
            !(is_end && frame.contains("response.completed"))
        });
        count += frames
            .map(|frame| frame.matches(word).count())
            .sum::<usize>();
        out.clear();
    }
    count
}

#[test]
fn calls_whose_arguments_come_last_first() {
    let starts = (0..MANY).map(|part| {
        let start = ToolCallStart::new(format!("call_{part}"), "f");
        said(part, Delta::ToolCall(start))
    });
    let arguments = (0..MANY)
        .rev()
        .map(|part| said(part, Delta::Arguments(r#"{"x":"yes"}"#.into())));
    let events: Vec<Event> = starts.chain(arguments).collect();
    let many = usize::try_from(MANY).unwrap();
    for (name, mut writer) in writers() {
        // A stream of responses says the arguments of each call a second and a third time.
        let times = if name == "responses" { 3 } else { 1 };
        let written = count(&mut *writer, events.iter().cloned(), "yes");
        assert_eq!(written, times * many, "{name}");
    }
}

#[test]
fn calls_that_never_end_between_words_and_thoughts() {
    let token = TokenLogprob {
        token: Logprob {
            token: "a".into(),
            logprob: -0.5,
            bytes: None,
        },
        top: Vec::new(),
    };
    let events = (0..MANY).step_by(3).flat_map(|part| {
        let start = ToolCallStart::new(format!("call_{part}"), "f");
        let tokens = vec![token.clone()];
        [
            said(part, Delta::ToolCall(start)),
            said(part, Delta::Arguments("{".into())),
            said(part + 1, Delta::Thinking("hm".into())),
            said(part + 1, Delta::Signature(Signature::new("Q29", None))),
            Event::Logprobs { choice: 0, tokens },
        ]
    });
    let events: Vec<Event> = std::iter::once(said(MANY, Delta::Text("Hi".into())))
        .chain(events)
        .collect();
    for (name, mut writer) in writers() {
        let calls = count(&mut *writer, events.iter().cloned(), "call_");
        assert!(calls >= usize::try_from(MANY / 3).unwrap(), "{name}");
    }
}
