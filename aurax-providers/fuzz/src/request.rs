//! Reading what clients send, sending it on, and answering.

use aurax_core::{
    Call, Delivery, Delta, Embedding, End, Error, ErrorKind, Event, Finish, FinishReason, Fold,
    Head, Op, Origin, Response, Result, Signature, Start, ToolCallStart, Totals, Usage,
};
use aurax_providers::anthropic::Anthropic;
use aurax_providers::gemini::Gemini;
use aurax_providers::inbound::{Inbound, Incoming, Stamp};
use aurax_providers::ollama::Ollama;
use aurax_providers::openai::OpenAi;
use aurax_providers::responses::Responses;
use aurax_providers::wire::Wire;
use bytes::BytesMut;
use http::HeaderMap;

use crate::reply::stream;
use crate::target;

/// What may come of a request of so many bytes.
fn bound(size: usize) -> usize {
    16 * size + 4096
}

/// What may come of an answer, which says a little by itself, to a request of so many bytes.
fn answer_bound(size: usize) -> usize {
    bound(size) + 16 * 1024
}

/// A request is read or refused, every time alike; what was read is sent on in a body that is not
/// much larger, and its answer is one that `wire`, the client's protocol, reads.
pub fn request(inbound: &dyn Inbound, wire: &dyn Wire, data: &[u8]) {
    let read = inbound.read(data);
    assert_eq!(written(&read), written(&inbound.read(data)), "read twice");
    let incoming = match read {
        Ok(incoming) => incoming,
        Err(error) => return refused(inbound, wire, &error, data.len()),
    };
    let every: [&dyn Wire; 5] = [
        &OpenAi::default(),
        &Responses::default(),
        &Anthropic::new(),
        &Gemini::new(),
        &Ollama::new(),
    ];
    for wire in every {
        encode(wire, &incoming.call, data.len());
    }
    match &incoming.call.op {
        Op::Chat(_) => answer(inbound, wire, &incoming, &chat(), data.len()),
        Op::Embed(request) => {
            let events = embeddings(request.input.len());
            answer(inbound, wire, &incoming, &events, data.len());
        }
        _ => {}
    }
}

fn written(read: &Result<Incoming>) -> String {
    match read {
        Ok(incoming) => format!("{incoming:?}"),
        Err(error) => format!("{:?} {error} {:?}", error.kind(), error.context("param")),
    }
}

fn refused(inbound: &dyn Inbound, wire: &dyn Wire, error: &Error, size: usize) {
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
    let reply = inbound.error(error, "req_1");
    assert_eq!(reply.status, 400, "{error}");
    assert!(reply.body.len() <= bound(size), "an error goes on and on");
    let heard = wire.error(reply.status.as_u16(), &reply.headers, &reply.body);
    assert_eq!(heard.kind(), ErrorKind::InvalidRequest, "{heard}");
}

fn encode(wire: &dyn Wire, call: &Call, size: usize) {
    let target = target(call.model.clone());
    let (Ok(once), Ok(twice)) = (wire.encode(call, &target), wire.encode(call, &target)) else {
        return;
    };
    assert_eq!(once.body, twice.body, "{} encodes twice", wire.name());
    let path = once.path.parse::<http::uri::PathAndQuery>();
    assert!(path.is_ok(), "{} has the path {:?}", wire.name(), once.path);
    let grown = once.body.len();
    assert!(
        grown <= bound(size),
        "{}: {size} bytes became {grown}",
        wire.name()
    );
}

/// Writes the answer `events`, whole and streamed, and reads it as a client does.
fn answer(
    inbound: &dyn Inbound,
    wire: &dyn Wire,
    incoming: &Incoming,
    events: &[Event],
    size: usize,
) {
    let call = &incoming.call;
    let head = |delivery| Head::new(wire.name(), "fuzz", call.model.clone(), delivery);
    let writer = |delivery| inbound.writer(incoming, &head(delivery), Stamp::new("req_1", 7));
    let said = fold(events);
    let body = writer(Delivery::Whole).whole(&said);
    assert!(
        body.len() <= answer_bound(size),
        "{size} bytes became {}",
        body.len()
    );
    let mut heard = Vec::new();
    let target = target(call.model.clone());
    let read = wire.decoder(call, &target).whole(&body, &mut heard);
    read.unwrap_or_else(|error| panic!("{error}: {body:?}"));
    says_the_same(&said, &fold(&heard));

    let mut out = BytesMut::new();
    let mut writer = writer(Delivery::Streamed);
    writer.ping(&mut out);
    for event in events {
        writer.event(event, &mut out);
    }
    assert!(
        out.len() <= answer_bound(size),
        "{size} bytes became {}",
        out.len()
    );
    if matches!(call.op, Op::Chat(_)) {
        let (heard, read) = stream(wire, call, &out, out.len());
        read.unwrap_or_else(|error| panic!("{error}: {out:?}"));
        says_the_same(&said, &fold(&heard));
    }
    breaks(inbound, wire, incoming, &head(Delivery::Streamed), events);
}

/// An error after the first words ends a stream for good.
fn breaks(
    inbound: &dyn Inbound,
    wire: &dyn Wire,
    incoming: &Incoming,
    head: &Head,
    events: &[Event],
) {
    let mut out = BytesMut::new();
    let mut writer = inbound.writer(incoming, head, Stamp::new("req_1", 7));
    for event in events.iter().take(2) {
        writer.event(event, &mut out);
    }
    let error = Error::new(ErrorKind::Overloaded, "too much to do");
    writer.error(&error, &mut out);
    if matches!(incoming.call.op, Op::Chat(_)) {
        let (_, read) = stream(wire, &incoming.call, &out, out.len());
        assert!(read.is_err(), "a broken stream is an answer: {out:?}");
    }
    let reply = inbound.error(&error, "req_1");
    let heard = wire.error(reply.status.as_u16(), &HeaderMap::new(), &reply.body);
    assert_eq!(heard.kind(), ErrorKind::Overloaded, "{heard}");
}

fn says_the_same(said: &Response, heard: &Response) {
    assert_eq!(said.text(), heard.text());
    let calls = |response: &Response| -> Vec<(String, String)> {
        let calls = response.tool_calls();
        calls
            .map(|call| (call.name.clone(), call.arguments.clone()))
            .collect()
    };
    assert_eq!(calls(said), calls(heard));
    assert_eq!(said.finish_reason(), heard.finish_reason());
    assert_eq!(said.embeddings, heard.embeddings);
}

fn fold(events: &[Event]) -> Response {
    let mut fold = Fold::new("fuzz", "model");
    for event in events {
        fold.push(event);
    }
    fold.finish()
}

fn chat() -> Vec<Event> {
    let delta = |part, delta| Event::Delta {
        choice: 0,
        part,
        delta,
    };
    let proof = Signature::new("EqQB", Some(Origin::new("fuzz", "model")));
    vec![
        start(),
        delta(0, Delta::Thinking("Let me see.".into())),
        delta(0, Delta::Signature(proof)),
        delta(1, Delta::Text("Hello, ".into())),
        delta(1, Delta::Text("you \u{1f600}".into())),
        delta(2, Delta::ToolCall(ToolCallStart::new("call_1", "look"))),
        delta(2, Delta::Arguments("{\"at\":".into())),
        delta(2, Delta::Arguments("\"it\"}".into())),
        end(vec![Finish::new(FinishReason::ToolCalls, None)]),
    ]
}

fn embeddings(count: usize) -> Vec<Event> {
    let numbers = (0_u32..).take(count);
    let vectors = numbers.map(|number| Event::Embedding(Embedding::new(number, vec![0.5, -1.0])));
    let mut events = vec![start()];
    events.extend(vectors);
    events.push(end(Vec::new()));
    events
}

fn start() -> Event {
    Event::Start(Start::new(Some("answer-1".into()), Some("model-1".into())))
}

fn end(finish: Vec<Finish>) -> Event {
    let mut totals = Totals::default();
    totals.input = Some(3);
    totals.output = Some(5);
    Event::End(Box::new(End::new(finish, Some(Usage::from_totals(totals)))))
}
