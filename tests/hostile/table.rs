//! Every scenario over one wire.

use aurax::providers::hostile::{Dialect, HostileUpstream, Scenario};
use aurax::{
    Call, Ctx, Error, FinishReason, ModelId, Provider as _, Request, Response, Result, UsageSource,
};

use super::expect::{Expect, expect};
use super::world::{World, name, patience};

pub(crate) async fn run(dialect: Dialect, streams: bool) {
    let world = World::start().await;
    let mut wrong = Vec::new();
    for scenario in Scenario::ALL {
        if let Err(why) = check(&world, *scenario, dialect, streams).await {
            wrong.push(format!("{}: {why:.400}", scenario.name()));
        }
    }
    assert!(wrong.is_empty(), "{dialect:?}: {}", wrong.join("\n"));
}

async fn check(
    world: &World,
    scenario: Scenario,
    dialect: Dialect,
    streams: bool,
) -> std::result::Result<(), String> {
    let settled = world.ledger.settled();
    let requests = world.upstream.requests();
    let outcome = ask(world, scenario, dialect, streams).await;
    let expected = expect(scenario, dialect, streams);
    judge(&expected, &outcome).map_err(|why| format!("{why}, expected {expected:?}"))?;
    let sent = world.upstream.requests() - requests;
    if sent != 1 {
        return Err(format!("{sent} requests were sent"));
    }
    let settled = world.ledger.settled() - settled;
    if settled != 1 || world.ledger.open_attempts() != 0 {
        let open = world.ledger.open_attempts();
        return Err(format!("{settled} settlements, {open} attempts open"));
    }
    honest(world, scenario)
}

async fn ask(
    world: &World,
    scenario: Scenario,
    dialect: Dialect,
    streams: bool,
) -> Result<Response> {
    let model = ModelId::parse(&format!("{}/{}", name(dialect), scenario.name()))?;
    let call = Call::chat(model, Request::from("Hi").with_stream(streams));
    let ctx = Ctx::local().with_timeouts(patience(scenario));
    world.engine.call(&ctx, &call).await?.collect().await
}

fn judge(expected: &Expect, outcome: &Result<Response>) -> std::result::Result<(), String> {
    let words = HostileUpstream::WORDS.concat();
    let said = |error: &Error| error.partial().map(Response::text).unwrap_or_default();
    let right = match (expected, outcome) {
        (Expect::Words, Ok(answer)) => {
            answer.text() == words && answer.finish_reason() == Some(FinishReason::Stop)
        }
        (Expect::Length(length), Ok(answer)) => answer.text().len() == *length,
        (Expect::Calls, Ok(answer)) => called(answer, true),
        (Expect::BrokenCalls, Ok(answer)) => called(answer, false),
        (Expect::Fails(kinds), Err(error)) => {
            kinds.contains(&error.kind()) && said(error).is_empty()
        }
        (Expect::Breaks(kinds), Err(error)) => {
            let said = said(error);
            let starts = words.starts_with(&said) || said.starts_with("aaaa");
            kinds.contains(&error.kind()) && starts && !said.is_empty()
        }
        _ => false,
    };
    if let Err(error) = outcome {
        let text = format!("{error} {error:?}");
        if text.contains("sk-hostile-key") || text.contains("<html") {
            return Err(format!("the error shows too much: {text}"));
        }
    }
    if right {
        return Ok(());
    }
    Err(match outcome {
        Ok(answer) => format!(
            "answered {:.60} ({:?}, {} calls)",
            answer.text(),
            answer.finish_reason(),
            answer.tool_calls().count()
        ),
        Err(error) => format!(
            "failed with {:?} {error} after {:.60}",
            error.kind(),
            said(error)
        ),
    })
}

/// Two calls with different ids, and arguments that are JSON or as they came.
fn called(answer: &Response, valid: bool) -> bool {
    let calls: Vec<_> = answer.tool_calls().collect();
    let [first, second] = calls.as_slice() else {
        return false;
    };
    let arguments = |number: usize| {
        if valid {
            format!("{{\"city\":\"Zürich {number}\"}}")
        } else {
            format!("{{\"city\":\"Zürich {number}\", ")
        }
    };
    let matches = |call: &aurax::ToolCall, number| {
        let as_text = arguments(number);
        let as_json = serde_json::to_string(&as_text).unwrap();
        let parsed = call.parse::<serde_json::Map<String, serde_json::Value>>();
        call.name == "look_up"
            && !call.id.is_empty()
            && (call.arguments == as_text || (!valid && call.arguments == as_json))
            && parsed.is_ok() == valid
    };
    matches(first, 0)
        && matches(second, 1)
        && first.id != second.id
        && answer.finish_reason() == Some(FinishReason::ToolCalls)
}

/// What was recorded is never less than nothing, and nothing reported is never taken for zero.
fn honest(world: &World, scenario: Scenario) -> std::result::Result<(), String> {
    let settlements = world.ledger.settlements();
    let Some(settlement) = settlements.last() else {
        return Err("nothing was recorded".to_owned());
    };
    let believed = settlement
        .attempts
        .iter()
        .filter_map(|attempt| attempt.usage.as_ref())
        .any(|usage| {
            let suspect = matches!(
                scenario,
                Scenario::NoUsage | Scenario::AbsurdUsage | Scenario::NegativeUsage
            );
            let tokens = usage
                .buckets
                .input_tokens()
                .max(usage.buckets.output_tokens());
            suspect && usage.source == UsageSource::Provider || tokens > 1_000_000_000_000_000
        });
    if believed {
        return Err(format!("usage was believed: {settlement:?}"));
    }
    Ok(())
}
