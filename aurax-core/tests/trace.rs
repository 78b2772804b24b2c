//! Spans speak the words of OpenTelemetry's GenAI conventions.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aurax_core::{
    CacheMode, CachePolicy, Ctx, Delivery, Engine, ErrorKind, MemoryCache, Provider as _, Request,
};
use support::{Script, Scripted, ask, engine, model, status, whole_answer};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// The fields of every `gen_ai.call` span, in the order they were opened.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<(u64, Recorded)>>>);

type Recorded = BTreeMap<&'static str, String>;

impl Spans {
    fn capture() -> (Self, DefaultGuard) {
        let spans = Self::default();
        let subscriber = tracing_subscriber::registry().with(spans.clone());
        (spans, tracing::subscriber::set_default(subscriber))
    }

    fn only(&self) -> Recorded {
        let spans = self.0.lock().unwrap();
        assert_eq!(spans.len(), 1, "one span a request");
        spans[0].1.clone()
    }
}

struct Fields<'a>(&'a mut Recorded);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

impl<S: tracing::Subscriber> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        if attributes.metadata().name() == "gen_ai.call" {
            let mut fields = Recorded::new();
            attributes.record(&mut Fields(&mut fields));
            self.0.lock().unwrap().push((id.into_u64(), fields));
        }
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, _: Context<'_, S>) {
        let mut spans = self.0.lock().unwrap();
        if let Some((_, fields)) = spans.iter_mut().find(|(span, _)| *span == id.into_u64()) {
            record.record(&mut Fields(fields));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_is_one_span_with_request_answer_and_usage() {
    let (spans, _guard) = Spans::capture();
    let (engine, _) = engine([Scripted::new("first", [whole_answer()])]);
    let request = Request::from("My secret plan")
        .with_temperature(0.5)
        .with_max_output_tokens(7);
    engine
        .stream("first/a", request)
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    let span = spans.only();
    for (name, value) in [
        ("otel.name", "chat first/a"),
        ("otel.kind", "client"),
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "first"),
        ("gen_ai.request.model", "a"),
        ("gen_ai.request.stream", "true"),
        ("gen_ai.request.temperature", "0.5"),
        ("gen_ai.request.max_tokens", "7"),
        ("gen_ai.output.type", "text"),
        ("gen_ai.response.id", "id-1"),
        ("gen_ai.response.model", "model-1"),
        ("gen_ai.response.finish_reasons", "[\"stop\"]"),
        ("gen_ai.usage.input_tokens", "10"),
        ("gen_ai.usage.output_tokens", "4"),
    ] {
        assert_eq!(
            span.get(name).map(String::as_str),
            Some(value),
            "{name} of {span:?}"
        );
    }
    assert!(span.contains_key("gen_ai.response.time_to_first_chunk"));
    assert!(
        !format!("{span:?}").contains("secret"),
        "content is never traced"
    );
}

#[tokio::test(start_paused = true)]
async fn a_cached_answer_is_marked_and_its_usage_not_counted_twice() {
    let policy = CachePolicy::default().with_mode(CacheMode::Use);
    let engine = Engine::builder()
        .provider(Scripted::new("first", [whole_answer()]))
        .cache(MemoryCache::new(), policy)
        .build()
        .unwrap();
    engine.chat("first/a", "Hi").await.unwrap();
    let (spans, _guard) = Spans::capture();
    engine.chat("first/a", "Hi").await.unwrap();
    let span = spans.only();
    assert_eq!(span["aurax.cache"], "hit");
    assert_eq!(span["aurax.cost"], "0");
    assert_eq!(span["gen_ai.provider.name"], "first");
    assert_eq!(span["gen_ai.response.model"], "model-1");
    assert!(!span.contains_key("gen_ai.usage.input_tokens"), "{span:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_named_by_its_kind() {
    let (spans, _guard) = Spans::capture();
    let (engine, _) = engine([Scripted::new(
        "first",
        [Script::Fail(status(401, ErrorKind::Auth))],
    )]);
    engine.chat("first/a", "Hi").await.unwrap_err();
    let span = spans.only();
    assert_eq!(span["otel.status_code"], "ERROR");
    assert_eq!(span["error.type"], "auth");
}

#[tokio::test(start_paused = true)]
async fn a_fallback_names_who_answered() {
    let (spans, _guard) = Spans::capture();
    let (engine, _) = engine([
        Scripted::new("first", [Script::Fail(status(401, ErrorKind::Auth))]),
        Scripted::new("second", [whole_answer()]),
    ]);
    let ctx = Ctx::local().with_fallback([model("second/b")]);
    let reply = engine
        .call(&ctx, &ask("first/a", Delivery::Streamed))
        .await
        .unwrap();
    reply.collect().await.unwrap();
    let span = spans.only();
    assert_eq!(
        (
            span["gen_ai.provider.name"].as_str(),
            span["gen_ai.request.model"].as_str()
        ),
        ("second", "b")
    );
}
