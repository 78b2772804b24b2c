//! The whole road of a call: the recorded reply served to a provider by a transport.

use std::sync::Arc;

use aurax_core::{
    Ctx, Error, ErrorKind, ModelInfo, Provider, Response as Answer, Result, async_trait,
};
use aurax_providers::HttpProvider;
use aurax_providers::anthropic::Anthropic;
use aurax_providers::gemini::Gemini;
use aurax_providers::ollama::Ollama;
use aurax_providers::transport::{ByteStream, Transport};
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{Request, Response};

use super::case::Case;
use super::tally::Findings;
use super::wires::{call_of, open_ai, open_ai_responses};

/// An address nobody is asked at.
const BASE_URL: &str = "https://recorded.invalid/v1";

/// Bytes of the body that arrive at once.
const CHUNK: usize = 1000;

/// What a provider answers the recorded call with must be what its wire alone decoded.
pub(crate) fn answer(case: &Case, decoded: &Result<Answer>, findings: &mut Findings) {
    match (decoded, wait(ask(case))) {
        (Ok(decoded), Ok(mut served)) => {
            // Known from the call and the headers alone.
            served.request_id = None;
            served.rate_limits.clear();
            served.warnings.clear();
            findings.equal("served.response", decoded, &served);
        }
        (Err(decoded), Err(served)) => {
            findings.equal("served.error", &facts(decoded), &facts(&served));
        }
        (decoded, served) => findings.differ("served", decoded, &served),
    }
}

/// The models a provider lists must be those its wire alone read.
pub(crate) fn models(case: &Case, decoded: &[ModelInfo], findings: &mut Findings) {
    match wait(list(case)) {
        Ok(served) => findings.equal("served.models", &decoded, &served.as_slice()),
        Err(error) => findings.differ("served.models", &decoded, &error),
    }
}

fn facts(error: &Error) -> impl PartialEq + std::fmt::Debug {
    let upstream = error.upstream().cloned();
    (error.kind(), error.retry(), error.retry_after(), upstream)
}

async fn ask(case: &Case) -> Result<Answer> {
    if case.request.body.is_null() {
        return list(case).await.and(Err(unexpected("a list of models")));
    }
    let (call, _) = call_of(
        &case.api,
        &case.provider,
        &case.request.body,
        case.is_stream(),
    )?;
    provider(case)?
        .call(&Ctx::local(), &call)
        .await?
        .collect()
        .await
}

async fn list(case: &Case) -> Result<Vec<ModelInfo>> {
    provider(case)?.catalog().models(&Ctx::local()).await
}

fn provider(case: &Case) -> Result<HttpProvider> {
    let name = case.provider.as_str();
    let transport = Arc::new(Recording::new(case));
    match case.family() {
        "anthropic" => HttpProvider::new(name, Anthropic::new(), BASE_URL, transport),
        "gemini" => HttpProvider::new(name, Gemini::new(), BASE_URL, transport),
        "ollama" => HttpProvider::new(name, Ollama::new(), BASE_URL, transport),
        "responses" => HttpProvider::new(name, open_ai_responses(name), BASE_URL, transport),
        _ => HttpProvider::new(name, open_ai(name), BASE_URL, transport),
    }
}

fn unexpected(what: &str) -> Error {
    Error::new(ErrorKind::Internal, format!("the provider returned {what}"))
}

fn wait<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|e| unexpected("no runtime").with_source(e))?;
    runtime.block_on(future)
}

/// Answers every request with the same reply.
#[derive(Debug)]
struct Recording {
    status: u16,
    content_type: Option<String>,
    body: Bytes,
}

impl Recording {
    fn new(case: &Case) -> Self {
        Self {
            status: case.response.status,
            content_type: case.response.content_type.clone(),
            body: case.response.body.clone().into(),
        }
    }
}

#[async_trait]
impl Transport for Recording {
    async fn send(&self, _: Request<Bytes>) -> Result<Response<ByteStream>> {
        let chunks: Vec<Result<Bytes>> = self
            .body
            .chunks(CHUNK)
            .map(|chunk| Ok(Bytes::copy_from_slice(chunk)))
            .collect();
        let mut reply = Response::builder().status(self.status);
        if let Some(kind) = &self.content_type {
            reply = reply.header(http::header::CONTENT_TYPE, kind);
        }
        reply
            .body(stream::iter(chunks).boxed())
            .map_err(|e| unexpected("a broken reply").with_source(e))
    }
}
