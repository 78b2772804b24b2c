//! Reading what providers send.

use aurax_core::{Call, Delta, EmbedRequest, Event, Fold, Message, Request, Result};
use aurax_providers::frame::FrameParser;
use aurax_providers::wire::Wire;

use crate::{model, target};

/// A reply ends with one end as its last event or with an error, whatever it says, and says the
/// same however it was cut.
pub fn reply(wire: &dyn Wire, data: &[u8]) {
    read(wire, data, |_, streams| {
        Call::chat(
            model(),
            Request::new([Message::user("Hi")]).with_stream(streams),
        )
    });
}

/// As [`reply`], of a reply with vectors.
pub fn vectors(wire: &dyn Wire, data: &[u8]) {
    read(wire, data, |cut, _| {
        let texts = 1 + usize::from(cut % 3);
        Call::embed(model(), EmbedRequest::new(vec!["Hi"; texts]))
    });
}

fn read(wire: &dyn Wire, data: &[u8], call: impl Fn(u8, bool) -> Call) {
    let Some((cut, data)) = data.split_first() else {
        return;
    };
    let mut events = Vec::new();
    let mut decoder = wire.decoder(&call(*cut, false), &target(model()));
    let read = decoder.whole(data, &mut events);
    ends_once(&events, &read);
    let call = call(*cut, true);
    let together = stream(wire, &call, data, data.len());
    ends_once(&together.0, &together.1);
    let apart = stream(wire, &call, data, usize::from(*cut).max(1));
    same(&joined(&together.0), &joined(&apart.0), *cut);
    assert_eq!(together.1.is_ok(), apart.1.is_ok());
    let status = 400 + u16::from(*cut);
    let error = wire.error(status, &http::HeaderMap::new(), data);
    assert!(
        error.to_string().len() < 16 * 1024,
        "an error goes on and on"
    );
}

/// Numbers that are none equal nothing, but are written alike.
fn same(together: &[Event], apart: &[Event], cut: u8) {
    if together != apart {
        let written = |events: &[Event]| format!("{events:?}");
        assert_eq!(written(together), written(apart), "cut every {cut} bytes");
    }
}

pub(crate) fn stream(
    wire: &dyn Wire,
    call: &Call,
    data: &[u8],
    size: usize,
) -> (Vec<Event>, Result<()>) {
    let mut events = Vec::new();
    let mut decoder = wire.decoder(call, &target(model()));
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
        assert!(
            usage.buckets.input_tokens() <= 1_000_000_000_000_000,
            "absurd input"
        );
        assert!(
            usage.buckets.output_tokens() <= 1_000_000_000_000_000,
            "absurd output"
        );
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
            Event::Delta {
                choice,
                part,
                delta,
            },
            Event::Delta {
                choice: next_choice,
                part: next_part,
                delta: next,
            },
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
