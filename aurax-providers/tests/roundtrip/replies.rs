//! Replies, as they come and as clients get them.

use aurax_core::{
    Choice, Citation, Delivery, Delta, Event, FinishReason, Head, Part, Response, Result,
    TokenLogprob,
};
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

/// The time of replies that do not say when they were made.
const NOW: i64 = 7;

const SOURCES: &str = "sources of a vendor's own form become annotations";
const PLAIN: &str = "ends and empty arguments are what clients act on: length, {}";

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
    let stamp = || Stamp::new("r1", NOW);
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
    let mut said: Vec<Event> = events
        .iter()
        .filter(|event| event.is_content())
        .cloned()
        .collect();
    for event in &mut said {
        match event {
            Event::Delta {
                delta: Delta::Citation(citation),
                ..
            } => plain(citation),
            Event::Delta {
                delta: Delta::Arguments(text),
                ..
            } if text == "null" => *text = "{}".to_owned(),
            _ => {}
        }
    }
    joined(&said)
}

fn same(how: &str, expected: &Response, heard: &Heard, seen: &mut Seen, findings: &mut Findings) {
    let got = match &heard.response {
        Ok(got) => got,
        Err(error) => return findings.differ(how, &"an answer", error),
    };
    let field = |name: &str| format!("{how}.{name}");
    findings.equal(&field("id"), &expected.id, &got.id);
    findings.equal(&field("model"), &expected.model, &got.model);
    if got.created.is_some() {
        let created = expected.created.or(Some(NOW));
        findings.equal(&field("created"), &created, &got.created);
    }
    findings.equal(&field("tier"), &expected.service_tier, &got.service_tier);
    let usage = |response: &Response| {
        let usage = response.usage.as_ref()?;
        Some((usage.reported.clone(), usage.reported_cost))
    };
    findings.equal(&field("usage"), &usage(expected), &usage(got));
    findings.equal(&field("extra"), &expected.extra, &got.extra);
    let count = expected.choices.len();
    findings.equal(&field("choices"), &count, &got.choices.len());
    for (expected, got) in expected.choices.iter().zip(&got.choices) {
        let (mut expected, mut got) = (plainly(expected, seen), got.clone());
        align(&mut expected, &mut got, seen);
        findings.equal(&field("message"), &expected.message, &got.message);
        findings.equal(&field("finish"), &expected.finish, &got.finish);
        findings.equal(
            &field("logprobs"),
            &rounded(&expected.logprobs),
            &rounded(&got.logprobs),
        );
    }
}

/// A choice without what is meant to be written in another form.
fn plainly(choice: &Choice, seen: &mut Seen) -> Choice {
    let mut choice = choice.clone();
    let reason = choice.finish.as_ref().map(|finish| finish.reason);
    for part in &mut choice.message.parts {
        if let Part::ToolCall(call) = part
            && reason == Some(FinishReason::ToolCalls)
            && call.arguments_json() != call.arguments
        {
            call.arguments = call.arguments_json().to_owned();
            seen.note_reply(PLAIN);
        }
    }
    if let Some(finish) = &mut choice.finish
        && finish.reason == FinishReason::Length
        && finish.raw.as_deref() == Some("tool_calls")
    {
        finish.raw = Some("length".to_owned());
        seen.note_reply(PLAIN);
    }
    choice
}

/// Leaves sources their common fields where the vendor's own form is none of an answer's.
fn align(expected: &mut Choice, got: &mut Choice, seen: &mut Seen) {
    let parts = expected.message.parts.iter_mut();
    for (expected, got) in parts.zip(&mut got.message.parts) {
        let (Part::Text(expected), Part::Text(got)) = (expected, got) else {
            continue;
        };
        for (expected, got) in expected.citations.iter_mut().zip(&mut got.citations) {
            let native = expected.native.as_ref();
            if native.is_some_and(|native| native.kind == "search_result") {
                plain(expected);
                plain(got);
                seen.note_reply(SOURCES);
            }
        }
    }
}

fn plain(citation: &mut Citation) {
    citation.native = None;
    citation.start = citation.start.filter(|at| *at > 0);
    citation.end = citation.end.filter(|at| *at > 0);
}

/// Probabilities to twelve digits: reading a number may change its last bit.
fn rounded(tokens: &[TokenLogprob]) -> Vec<(String, String, usize)> {
    let one = |token: &TokenLogprob| {
        let probability = format!("{:.12e}", token.token.logprob);
        let top = token
            .top
            .iter()
            .map(|top| format!("{}{:.12e}", top.token, top.logprob));
        let text = format!("{}{:?}", token.token.token, token.token.bytes);
        (
            text,
            probability + &top.collect::<String>(),
            token.top.len(),
        )
    };
    tokens.iter().map(one).collect()
}
