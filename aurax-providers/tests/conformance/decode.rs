//! Feeds recorded bytes to a decoder, in pieces of any size.

use aurax_core::{Call, Delta, Error, ErrorKind, Event, Fold, Response, Result};
use aurax_providers::frame::FrameParser;
use aurax_providers::wire::{Target, Wire};

use super::case::Case;
use super::wires::call_of;

/// A call, and the wire its answer comes over.
pub(crate) struct Exchange<'a> {
    wire: &'a dyn Wire,
    call: Call,
    target: Target,
}

/// What a decoder made of an answer.
pub(crate) struct Heard {
    pub(crate) events: Vec<Event>,
    /// What the events fold to; an error has what had arrived in [`Error::partial`].
    pub(crate) response: Result<Response>,
}

impl<'a> Exchange<'a> {
    pub(crate) fn new(case: &Case, wire: &'a dyn Wire) -> Result<Self> {
        let (call, target) = call_of(
            &case.api,
            &case.provider,
            &case.request.body,
            case.is_stream(),
        )?;
        Ok(Self { wire, call, target })
    }

    /// Decodes a body that came in one piece.
    pub(crate) fn whole(&self, body: &[u8]) -> Heard {
        let mut events = Vec::new();
        let mut decoder = self.wire.decoder(&self.call, &self.target);
        let result = decoder.whole(body, &mut events);
        self.heard(events, result)
    }

    /// Decodes a stream that comes in `pieces`.
    pub(crate) fn stream<'p>(&self, pieces: impl IntoIterator<Item = &'p [u8]>) -> Heard {
        let mut events = Vec::new();
        let result = self.feed(pieces, &mut events);
        self.heard(events, result)
    }

    fn feed<'p>(
        &self,
        pieces: impl IntoIterator<Item = &'p [u8]>,
        events: &mut Vec<Event>,
    ) -> Result<()> {
        let mut decoder = self.wire.decoder(&self.call, &self.target);
        let mut parser = FrameParser::new(self.wire.framing());
        let mut pieces = pieces.into_iter();
        while let Some(piece) = pieces.next()
            && !decoder.is_done()
        {
            parser.push(piece, &mut |frame| match decoder.is_done() {
                true => Ok(()),
                false => decoder.frame(frame, events),
            })?;
        }
        if !decoder.is_done() {
            parser.finish(&mut |frame| match decoder.is_done() {
                true => Ok(()),
                false => decoder.frame(frame, events),
            })?;
        }
        if decoder.is_done() {
            return Ok(());
        }
        decoder.finish(events)
    }

    fn heard(&self, events: Vec<Event>, result: Result<()>) -> Heard {
        let mut fold = Fold::new(self.target.provider.clone(), self.target.model.as_str());
        for event in &events {
            fold.push(event);
        }
        let ends = events.iter().filter(|event| matches!(event, Event::End(_)));
        let is_last = matches!(events.last(), Some(Event::End(_)));
        let response = match (result, ends.count()) {
            (Ok(()), 1) if is_last => Ok(fold.finish()),
            (Err(error), 0) => Err(error.with_partial(fold.finish())),
            (result, ends) => Err(broken(&result, ends)),
        };
        Heard { events, response }
    }
}

/// A decoder owes one end as its last event, or one error and no end.
fn broken(result: &Result<()>, ends: usize) -> Error {
    let message = format!("the decoder returned {result:?} after {ends} ends");
    Error::new(ErrorKind::Internal, message)
}

/// The events with neighbours that add to the same text joined: how a stream was cut into pieces
/// may show nowhere else.
pub(crate) fn joined(events: &[Event]) -> Vec<Event> {
    let mut joined: Vec<Event> = Vec::new();
    for event in events {
        if !joined.last_mut().is_some_and(|last| join(last, event)) {
            joined.push(event.clone());
        }
    }
    joined
}

fn join(last: &mut Event, next: &Event) -> bool {
    let (
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
    ) = (last, next)
    else {
        return false;
    };
    if (*choice, *part) != (*next_choice, *next_part) {
        return false;
    }
    match (delta, next) {
        (Delta::Text(text), Delta::Text(more))
        | (Delta::Thinking(text), Delta::Thinking(more))
        | (Delta::Refusal(text), Delta::Refusal(more))
        | (Delta::Arguments(text), Delta::Arguments(more)) => {
            text.push_str(more);
            true
        }
        _ => false,
    }
}
