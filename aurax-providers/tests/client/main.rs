//! The provider that does HTTP, over a scripted transport.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failed test is a panic"
)]

mod calls;
mod catalog;
mod echo;
mod readiness;
mod replies;

use std::sync::Arc;

use aurax_core::{Batch, Call, Ctx, Error, Event, ModelId, Provider, Reply, Request, Result};
use aurax_providers::HttpProvider;
use aurax_providers::frame::Framing;
use aurax_providers::transport::Replay;
use echo::Echo;
use futures::StreamExt;

const KEY: &str = "sk-very-secret";

/// A provider over the echo wire with a key.
fn provider(replay: &Replay) -> HttpProvider {
    provider_with(Framing::Sse, replay).with_api_key(KEY)
}

fn provider_with(framing: Framing, replay: &Replay) -> HttpProvider {
    let transport = Arc::new(replay.clone());
    HttpProvider::new(
        "test",
        Echo::new(framing),
        "https://echo.test/v1",
        transport,
    )
    .unwrap()
}

fn model() -> ModelId {
    ModelId::parse("parrot").unwrap()
}

fn streamed() -> Call {
    Call::chat(model(), Request::from("Hi").with_stream(true))
}

fn whole() -> Call {
    Call::chat(model(), Request::from("Hi"))
}

async fn call(replay: &Replay, call: &Call) -> Result<Reply> {
    provider(replay).call(&Ctx::local(), call).await
}

/// Everything a reply yields, up to its end or error.
async fn batches(reply: Result<Reply>) -> (Vec<Batch>, Option<Error>) {
    let mut seen = Vec::new();
    let mut reply = reply.unwrap();
    while let Some(batch) = reply.next().await {
        match batch {
            Ok(batch) => seen.push(batch),
            Err(error) => {
                assert!(reply.next().await.is_none(), "an error is the last");
                return (seen, Some(error));
            }
        }
    }
    (seen, None)
}

/// What each batch says, with `.` for the end.
fn words(batches: &[Batch]) -> Vec<String> {
    let word = |event: &Event| match event {
        Event::Delta {
            delta: aurax_core::Delta::Text(text),
            ..
        } => text.clone(),
        Event::End(_) => ".".to_owned(),
        other => format!("{other:?}"),
    };
    batches
        .iter()
        .map(|batch| batch.events.iter().map(word).collect())
        .collect()
}
