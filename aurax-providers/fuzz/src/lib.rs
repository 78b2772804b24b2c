//! What holds of any bytes: the laws that the fuzz targets check.

use aurax_core::{Call, Delta, Event, Fold, Message, ModelId, Request, Result};
use aurax_providers::ModelRules;
use aurax_providers::frame::{FrameParser, Framing};
use aurax_providers::wire::{Target, Wire};

/// Frames do not depend on how the bytes were cut.
pub fn frames(data: &[u8]) {
    let Some((cut, data)) = data.split_first() else {
        return;
    };
    for framing in [Framing::Sse, Framing::NdJson] {
        let together = cut_up(framing, data, data.len());
        for size in [1, usize::from(*cut).max(1)] {
            assert_eq!(together, cut_up(framing, data, size), "{framing:?} {size}");
        }
    }
}

type Frames = Vec<(Option<String>, String)>;

fn cut_up(framing: Framing, data: &[u8], size: usize) -> (Frames, bool) {
    let mut frames = Frames::new();
    let mut sink = |frame: aurax_providers::frame::Frame<'_>| {
        frames.push((frame.event.map(str::to_owned), frame.data.to_owned()));
        Ok(())
    };
    let mut parser = FrameParser::new(framing);
    let read = data
        .chunks(size.max(1))
        .try_for_each(|chunk| parser.push(chunk, &mut sink))
        .and_then(|()| parser.finish(&mut sink));
    (frames, read.is_ok())
}

/// A reply ends with one end as its last event or with an error, whatever it says, and says the
/// same however it was cut.
pub fn reply(wire: &dyn Wire, data: &[u8]) {
    let Some((cut, data)) = data.split_first() else {
        return;
    };
    let mut events = Vec::new();
    let mut decoder = wire.decoder(&call(false), &target());
    let read = decoder.whole(data, &mut events);
    ends_once(&events, &read);
    let together = stream(wire, data, data.len());
    ends_once(&together.0, &together.1);
    let apart = stream(wire, data, usize::from(*cut).max(1));
    assert_eq!(joined(&together.0), joined(&apart.0), "cut every {cut} bytes");
    assert_eq!(together.1.is_ok(), apart.1.is_ok());
    let status = 400 + u16::from(*cut);
    let error = wire.error(status, &http::HeaderMap::new(), data);
    assert!(error.to_string().len() < 16 * 1024, "an error goes on and on");
}

fn stream(wire: &dyn Wire, data: &[u8], size: usize) -> (Vec<Event>, Result<()>) {
    let mut events = Vec::new();
    let mut decoder = wire.decoder(&call(true), &target());
    let mut parser = FrameParser::new(wire.framing());
    let mut feed = || {
        for chunk in data.chunks(size.max(1)) {
            if decoder.is_done() {
                return Ok(());
            }
            parser.push(chunk, &mut |frame| match decoder.is_done() {
                true => Ok(()),
                false => decoder.frame(frame, &mut events),
            })?;
        }
        if !decoder.is_done() {
            parser.finish(&mut |frame| match decoder.is_done() {
                true => Ok(()),
                false => decoder.frame(frame, &mut events),
            })?;
        }
        match decoder.is_done() {
            true => Ok(()),
            false => decoder.finish(&mut events),
        }
    };
    let read = feed();
    (events, read)
}

fn ends_once(events: &[Event], read: &Result<()>) {
    let is_end = |event: &&Event| matches!(event, Event::End(_));
    let ends = events.iter().filter(is_end).count();
    assert_eq!(ends, usize::from(read.is_ok()), "{ends} ends, {read:?}");
    if read.is_ok() {
        assert!(events.last().as_ref().is_some_and(is_end));
    }
    let mut fold = Fold::new("fuzz", "model");
    for event in events {
        fold.push(event);
    }
    let response = fold.finish();
    if let Some(usage) = &response.usage {
        assert!(usage.buckets.input_tokens() <= 1_000_000_000_000_000, "absurd input");
        assert!(usage.buckets.output_tokens() <= 1_000_000_000_000_000, "absurd output");
    }
}

fn call(streams: bool) -> Call {
    let model = ModelId::parse("model").expect("a plain name");
    Call::chat(model, Request::new([Message::user("Hi")]).with_stream(streams))
}

fn target() -> Target {
    Target {
        provider: "fuzz".into(),
        model: ModelId::parse("model").expect("a plain name"),
        rules: ModelRules::default(),
        info: None,
    }
}

/// The events with neighbours that add to the same text joined.
fn joined(events: &[Event]) -> Vec<Event> {
    let mut joined: Vec<Event> = Vec::new();
    for event in events {
        if !joined.last_mut().is_some_and(|last| join(last, event)) {
            joined.push(event.clone());
        }
    }
    joined
}

fn join(last: &mut Event, next: &Event) -> bool {
    match (last, next) {
        (
            Event::Delta { choice, part, delta },
            Event::Delta { choice: next_choice, part: next_part, delta: next },
        ) if (*choice, *part) == (*next_choice, *next_part) => match (delta, next) {
            (Delta::Text(text), Delta::Text(more))
            | (Delta::Thinking(text), Delta::Thinking(more))
            | (Delta::Refusal(text), Delta::Refusal(more))
            | (Delta::Arguments(text), Delta::Arguments(more)) => {
                text.push_str(more);
                true
            }
            _ => false,
        },
        _ => false,
    }
}
