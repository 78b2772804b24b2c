//! Replies, as they come and as clients get them.

use aurax_core::{Delivery, Event, Head, Response, Result};
use aurax_providers::inbound::Stamp;
use aurax_providers::wire::Wire;
use bytes::BytesMut;
use serde_json::json;

use super::case::Case;
use super::decode::{Exchange, Heard, joined};
use super::kinds::{Kinds, Seen};
use super::requests::{inbound, read};
use super::tally::Findings;
use super::wires::call_for;

pub(crate) fn compare(
    case: &Case,
    wire: &dyn Wire,
    kinds: &Kinds,
    findings: &mut Findings,
) -> Result<()> {
    let exchange = Exchange::new(case, wire)?;
    let body = case.response.body.as_bytes();
    let heard = if case.is_stream() {
        exchange.stream([body])
    } else {
        exchange.whole(body)
    };
    let Ok(response) = &heard.response else {
        return Ok(());
    };
    let (call, target) = call_for(&case.provider, &case.request.body, true)?;
    let head = Head::new(
        wire.name(),
        target.provider.clone(),
        call.model.clone(),
        Delivery::Streamed,
    );
    let stamp = || Stamp::new("r1", 7);
    let fields = [
        ("stream", json!(true)),
        ("stream_options", json!({"include_usage": true})),
    ];
    let incoming = read(case, &fields)?;
    let codec = inbound(case);
    let mut seen = Seen::default();

    let whole = codec.writer(&incoming, &head, stamp()).whole(response);
    same(
        "whole",
        response,
        &exchange.whole(&whole),
        &mut seen,
        findings,
    );

    let mut out = BytesMut::new();
    let mut writer = codec.writer(&incoming, &head, stamp());
    for event in &heard.events {
        writer.event(event, &mut out);
    }
    let again = exchange.stream([out.as_ref()]);
    same("stream", response, &again, &mut seen, findings);
    let expected = content(&heard.events);
    let got = content(&again.events);
    if expected != got {
        let at = expected
            .iter()
            .zip(&got)
            .take_while(|(a, b)| a == b)
            .count();
        findings.differ("stream.events", &(at, expected.get(at)), &got.get(at));
    }
    kinds.add(seen);
    Ok(())
}

/// What the events say, however it is cut into pieces.
fn content(events: &[Event]) -> Vec<Event> {
    let said = events.iter().filter(|event| event.is_content()).cloned();
    let said: Vec<Event> = said.collect();
    joined(&said)
}

fn same(how: &str, expected: &Response, heard: &Heard, _seen: &mut Seen, findings: &mut Findings) {
    let got = match &heard.response {
        Ok(got) => got,
        Err(error) => return findings.differ(how, &"an answer", error),
    };
    let field = |name: &str| format!("{how}.{name}");
    findings.equal(&field("id"), &expected.id, &got.id);
    findings.equal(&field("model"), &expected.model, &got.model);
    findings.equal(
        &field("service_tier"),
        &expected.service_tier,
        &got.service_tier,
    );
    let usage = |response: &Response| response.usage.as_ref().map(|usage| usage.reported.clone());
    findings.equal(&field("usage"), &usage(expected), &usage(got));
    let cost = |response: &Response| {
        response
            .usage
            .as_ref()
            .and_then(|usage| usage.reported_cost)
    };
    findings.equal(&field("cost"), &cost(expected), &cost(got));
    findings.equal(&field("extra"), &expected.extra, &got.extra);
    findings.equal(
        &field("choices"),
        &expected.choices.len(),
        &got.choices.len(),
    );
    for (expected, got) in expected.choices.iter().zip(&got.choices) {
        findings.equal(&field("message"), &expected.message, &got.message);
        findings.equal(&field("logprobs"), &expected.logprobs, &got.logprobs);
        findings.equal(&field("finish"), &expected.finish, &got.finish);
    }
}
