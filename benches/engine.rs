//! What the engine adds to a call: the same call through it and straight to the provider, over a
//! transport that answers at once.

#![allow(
    clippy::unwrap_used,
    clippy::float_arithmetic,
    reason = "a bench may panic, and counts no money"
)]

mod measure;

use std::sync::Arc;

use aurax::providers::transport::{ByteStream, Transport};
use aurax::providers::{HttpProvider, Options, presets, provider};
use aurax::{Call, Ctx, Engine, ModelId, Provider, Request, async_trait};
use bytes::Bytes;
use futures::StreamExt as _;

const CALLS: u64 = 4_000;
const STREAMS: u64 = 400;

const WHOLE: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":"The capital of France is Paris, on the Seine.","refusal":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":24,"completion_tokens":11,"total_tokens":35,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}},"service_tier":"default","system_fingerprint":"fp_1"}"#;

/// Answers every request with the same bytes.
#[derive(Debug)]
struct Canned {
    kind: &'static str,
    chunks: Vec<Bytes>,
}

#[async_trait]
impl Transport for Canned {
    async fn send(&self, _: http::Request<Bytes>) -> aurax::Result<http::Response<ByteStream>> {
        let chunks = self.chunks.clone().into_iter().map(Ok);
        let body = futures::stream::iter(chunks).boxed();
        let mut response = http::Response::new(body);
        response.headers_mut().insert(
            http::header::CONTENT_TYPE,
            http::HeaderValue::from_static(self.kind),
        );
        Ok(response)
    }
}

fn open_ai(transport: Canned) -> HttpProvider {
    let preset = presets::find("openai").unwrap();
    let options = Options::new().with_api_key("sk-bench");
    provider(preset, options, Arc::new(transport)).unwrap()
}

fn whole() -> HttpProvider {
    open_ai(Canned {
        kind: "application/json",
        chunks: vec![Bytes::from_static(WHOLE.as_bytes())],
    })
}

/// A stream of 64 pieces, each a chunk of its own.
fn streamed() -> HttpProvider {
    let chunk = |rest: &str| {
        Bytes::from(format!(
            "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-4o-mini\",{rest}}}\n\n"
        ))
    };
    let mut chunks: Vec<Bytes> = (0..64)
        .map(|number| {
            chunk(&format!(
                r#""choices":[{{"index":0,"delta":{{"content":" word{number}"}},"finish_reason":null}}],"usage":null"#
            ))
        })
        .collect();
    chunks.push(chunk(
        r#""choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null"#,
    ));
    chunks.push(chunk(
        r#""choices":[],"usage":{"prompt_tokens":24,"completion_tokens":64,"total_tokens":88}"#,
    ));
    chunks.push(Bytes::from_static(b"data: [DONE]\n\n"));
    open_ai(Canned {
        kind: "text/event-stream",
        chunks,
    })
}

fn run(runtime: &tokio::runtime::Runtime, door: &dyn Provider, call: &Call, times: u64) {
    runtime.block_on(async {
        for _ in 0..times {
            let reply = door.call(&Ctx::local(), call).await.unwrap();
            let answer = reply.collect().await.unwrap();
            assert!(!answer.text().is_empty());
        }
    });
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    println!("engine, {}", measure::unit());
    for (what, times, streams, made, aim) in [
        (
            "whole call",
            CALLS,
            false,
            whole as fn() -> HttpProvider,
            "≤ 10 µs",
        ),
        ("stream of 64 chunks", STREAMS, true, streamed, ""),
    ] {
        let bare = made();
        let engine = Engine::builder().provider(made()).build().unwrap();
        let request = Request::from("What is the capital of France?").with_stream(streams);
        let at = |model: &str| Call::chat(ModelId::parse(model).unwrap(), request.clone());
        let (direct, through) = (at("gpt-4o-mini"), at("openai/gpt-4o-mini"));
        let medians = measure::interleaved(&mut [
            ("provider", times, &mut || {
                run(&runtime, &bare, &direct, times)
            }),
            ("engine", times, &mut || {
                run(&runtime, &engine, &through, times)
            }),
        ]);
        let [provider, engine] = medians.as_slice() else {
            return;
        };
        let micros = 1_000.0;
        measure::report(
            &format!("{what}: provider alone"),
            provider / micros,
            "µs",
            "",
        );
        measure::report(
            &format!("{what}: through the engine"),
            engine / micros,
            "µs",
            "",
        );
        let added = (engine - provider) / micros;
        measure::report(
            &format!("{what}: added by all default layers"),
            added,
            "µs",
            aim,
        );
    }
}
