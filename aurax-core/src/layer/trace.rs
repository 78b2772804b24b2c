//! One span a request, in the words of OpenTelemetry's GenAI conventions.
//!
//! Names follow version 1.41 of the conventions, all of them here and in
//! [`Ctx::span`](crate::Ctx::span)'s users; message content is never recorded.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _};
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use super::{Layer, forward_to_inner};
use crate::call::{Call, Op};
use crate::chat::{End, Event, OutputFormat, Request, Start};
use crate::clock::Clock;
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::provider::{Provider, ProviderInfo};
use crate::reply::{Batch, Reply};

/// Traces requests.
#[derive(Debug, Clone)]
pub(crate) struct TraceLayer {
    clock: Arc<dyn Clock>,
}

impl TraceLayer {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock }
    }
}

impl Layer for TraceLayer {
    fn layer(&self, inner: Arc<dyn Provider>) -> Arc<dyn Provider> {
        Arc::new(Traced {
            inner,
            clock: self.clock.clone(),
        })
    }
}

#[derive(Debug)]
struct Traced {
    inner: Arc<dyn Provider>,
    clock: Arc<dyn Clock>,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Provider for Traced {
    forward_to_inner!();

    async fn call(&self, ctx: &Ctx, call: &Call) -> Result<Reply> {
        let span = open_span(ctx, call);
        if span.is_disabled() {
            return self.inner.call(ctx, call).await;
        }
        let start = self.clock.monotonic();
        let ctx = ctx.clone().with_span(span.clone());
        match self.inner.call(&ctx, call).instrument(span.clone()).await {
            Ok(reply) => {
                // The first content is there when the call returns.
                let waited = self.clock.monotonic().duration_since(start);
                let (head, batches) = reply.into_parts();
                let traced = TracedStream {
                    batches,
                    span,
                    first_chunk: call.op.is_stream().then_some(waited),
                };
                Ok(Reply::new(head, traced))
            }
            Err(error) => {
                record_error(&span, &error);
                Err(error)
            }
        }
    }
}

fn open_span(ctx: &Ctx, call: &Call) -> Span {
    let operation = call.op.as_str();
    let span = tracing::info_span!(
        "gen_ai.call",
        otel.name = %format_args!("{operation} {}", call.model),
        otel.kind = "client",
        otel.status_code = Empty,
        error.type = Empty,
        aurax.request_id = %ctx.request_id(),
        aurax.cost = Empty,
        aurax.cache = Empty,
        gen_ai.operation.name = operation,
        gen_ai.provider.name = Empty,
        server.address = Empty,
        server.port = Empty,
        gen_ai.request.model = %call.model,
        gen_ai.request.stream = Empty,
        gen_ai.request.max_tokens = Empty,
        gen_ai.request.temperature = Empty,
        gen_ai.request.top_p = Empty,
        gen_ai.request.top_k = Empty,
        gen_ai.request.frequency_penalty = Empty,
        gen_ai.request.presence_penalty = Empty,
        gen_ai.request.stop_sequences = Empty,
        gen_ai.request.seed = Empty,
        gen_ai.request.choice.count = Empty,
        gen_ai.output.type = Empty,
        gen_ai.response.id = Empty,
        gen_ai.response.model = Empty,
        gen_ai.response.finish_reasons = Empty,
        gen_ai.response.time_to_first_chunk = Empty,
        gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty,
        gen_ai.usage.cache_read.input_tokens = Empty,
        gen_ai.usage.cache_creation.input_tokens = Empty,
        gen_ai.usage.reasoning.output_tokens = Empty,
    );
    if let Op::Chat(request) = &call.op {
        record_request(&span, request);
    }
    span
}

fn record_request(span: &Span, request: &Request) {
    let sampling = &request.sampling;
    if request.stream {
        span.record("gen_ai.request.stream", true);
    }
    span.record("gen_ai.request.max_tokens", request.max_output_tokens);
    span.record("gen_ai.request.temperature", sampling.temperature);
    span.record("gen_ai.request.top_p", sampling.top_p);
    span.record("gen_ai.request.top_k", sampling.top_k);
    span.record(
        "gen_ai.request.frequency_penalty",
        sampling.frequency_penalty,
    );
    span.record("gen_ai.request.presence_penalty", sampling.presence_penalty);
    span.record("gen_ai.request.seed", sampling.seed);
    if !request.stop.is_empty() {
        span.record(
            "gen_ai.request.stop_sequences",
            tracing::field::debug(&request.stop),
        );
    }
    span.record("gen_ai.request.choice.count", request.n.filter(|n| *n != 1));
    let kind = match request.output {
        OutputFormat::Text => "text",
        OutputFormat::JsonObject | OutputFormat::JsonSchema { .. } => "json",
    };
    span.record("gen_ai.output.type", kind);
}

/// Records who a request is sent to; a fallback replaces what was recorded.
pub(crate) fn record_target(span: &Span, provider: &ProviderInfo, model: &str) {
    span.record("gen_ai.provider.name", &*provider.trace_name);
    span.record("gen_ai.request.model", model);
    let address = provider.server_address.as_deref();
    span.record("server.address", address.unwrap_or_default());
    span.record("server.port", provider.server_port.unwrap_or_default());
}

fn record_error(span: &Span, error: &Error) {
    span.record("otel.status_code", "ERROR");
    span.record("error.type", error.kind().as_str());
}

fn record_start(span: &Span, start: &Start) {
    span.record("gen_ai.response.id", start.id.as_deref());
    span.record("gen_ai.response.model", start.model.as_deref());
}

fn record_end(span: &Span, end: &End) {
    let reasons: Vec<&str> = end
        .finish
        .iter()
        .filter_map(|finish| finish.raw.as_deref())
        .collect();
    span.record(
        "gen_ai.response.finish_reasons",
        tracing::field::debug(reasons),
    );
    let cached = end.receipt.as_ref().is_some_and(|receipt| receipt.cached);
    // What a cached answer once used was counted then.
    if let Some(usage) = end.usage.as_ref().filter(|_| !cached) {
        let said = &usage.reported;
        let input = said.input.unwrap_or_else(|| usage.buckets.input_tokens());
        let output = said.output.unwrap_or_else(|| usage.buckets.output_tokens());
        span.record("gen_ai.usage.input_tokens", input);
        span.record("gen_ai.usage.output_tokens", output);
        span.record("gen_ai.usage.cache_read.input_tokens", said.cache_read);
        span.record("gen_ai.usage.cache_creation.input_tokens", said.cache_write);
        span.record("gen_ai.usage.reasoning.output_tokens", said.reasoning);
    }
    if let Some(cost) = end
        .receipt
        .as_ref()
        .and_then(|receipt| receipt.cost.amount())
    {
        span.record("aurax.cost", tracing::field::display(cost));
    }
}

struct TracedStream {
    batches: BoxStream<'static, Result<Batch>>,
    span: Span,
    /// How long a stream's first content took, until it is recorded.
    first_chunk: Option<Duration>,
}

impl TracedStream {
    fn record(&mut self, batch: &Batch) {
        for event in &batch.events {
            match event {
                Event::Start(start) => record_start(&self.span, start),
                Event::End(end) => record_end(&self.span, end),
                _ if event.is_content() => {
                    if let Some(waited) = self.first_chunk.take() {
                        let waited = waited.as_secs_f64();
                        self.span
                            .record("gen_ai.response.time_to_first_chunk", waited);
                    }
                }
                _ => {}
            }
        }
    }
}

impl Stream for TracedStream {
    type Item = Result<Batch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let span = self.span.clone();
        let _entered = span.enter();
        let polled = self.batches.poll_next_unpin(cx);
        match &polled {
            Poll::Ready(Some(Ok(batch))) => self.record(batch),
            Poll::Ready(Some(Err(error))) => record_error(&self.span, error),
            Poll::Ready(None) | Poll::Pending => {}
        }
        polled
    }
}
