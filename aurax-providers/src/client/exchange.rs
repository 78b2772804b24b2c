//! One request and its response, up to the point where a body is a reply or an error.

use std::borrow::Cow;
use std::sync::Arc;

use aurax_core::{Ctx, Delivery, Error, ErrorKind, ModelId, Phase, Result, Secret, Upstream};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, USER_AGENT,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use memchr::memmem;

use super::{BaseUrl, HttpProvider, reader};
use crate::frame::Framing;
use crate::preset::{Auth, KeyPolicy};
use crate::transport::ByteStream;
use crate::wire::Encoded;

/// What is read of an error's body.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// Keys that are shorter could be part of any text.
const MIN_KEY_BYTES: usize = 8;

const AGENT: HeaderValue = HeaderValue::from_static(concat!("aurax/", env!("CARGO_PKG_VERSION")));
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const LINES_OF_JSON: HeaderValue = HeaderValue::from_static("application/x-ndjson");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");

/// What every error of a call should tell.
#[derive(Debug, Clone)]
pub(super) struct About {
    pub(super) provider: Arc<str>,
    pub(super) model: Option<ModelId>,
    pub(super) request_id: Option<String>,
    /// The key of the request, which some servers repeat in their errors.
    pub(super) key: Option<Arc<Secret>>,
}

impl About {
    /// Adds to `error` what it does not tell yet, and takes the key out of what it tells.
    pub(super) fn complete(&self, mut error: Error) -> Error {
        error = error.map_text(|text| without_key_text(text, self.key.as_deref()));
        if error.context("provider").is_none() {
            error = error.with_context("provider", &self.provider);
        }
        if let (Some(model), None) = (&self.model, error.context("model")) {
            error = error.with_context("model", model);
        }
        if error.request_id().is_none() {
            error = error.with_request_id(self.request_id.clone());
        }
        error
    }
}

pub(super) fn cancelled() -> Error {
    Error::new(ErrorKind::Cancelled, "the caller gave up")
}

/// Where one request goes, and as whom.
struct Destination<'a> {
    base_url: Cow<'a, BaseUrl>,
    key: Option<Arc<Secret>>,
    /// The configured headers may hold secrets, which are for the configured origin alone.
    headers: Option<&'a HeaderMap>,
}

impl HttpProvider {
    /// Sends a request and returns the response when its status says that it is an answer.
    pub(super) async fn exchange(
        &self,
        ctx: &Ctx,
        encoded: Encoded,
    ) -> Result<(Response<ByteStream>, Option<Arc<Secret>>)> {
        let (response, key) = self.send(ctx, encoded).await?;
        let response = self.accept(ctx, response, key.as_deref()).await?;
        Ok((response, key))
    }

    /// Sends a request; the key it was sent with comes back with the response.
    pub(super) async fn send(
        &self,
        ctx: &Ctx,
        encoded: Encoded,
    ) -> Result<(Response<ByteStream>, Option<Arc<Secret>>)> {
        let (request, key) = self
            .prepare(ctx, encoded)
            .map_err(|e| e.with_phase(Phase::Encode))?;
        let sent = self.transport.send(request);
        let response = ctx.unless_cancelled(sent).await;
        let mut response = response.unwrap_or_else(|| Err(cancelled().with_phase(Phase::Send)))?;
        clean_headers(response.headers_mut(), key.as_deref());
        Ok((response, key))
    }

    fn prepare(
        &self,
        ctx: &Ctx,
        encoded: Encoded,
    ) -> Result<(Request<Bytes>, Option<Arc<Secret>>)> {
        if ctx.is_cancelled() {
            return Err(cancelled());
        }
        let destination = self.destination(ctx)?;
        let request = self.request(encoded, &destination)?;
        Ok((request, destination.key))
    }

    /// The error that an answer with the status of one tells.
    async fn refusal(
        &self,
        ctx: &Ctx,
        response: Response<ByteStream>,
        key: Option<&Secret>,
    ) -> Error {
        let (head, body) = response.into_parts();
        let body = ctx.unless_cancelled(read_start(body, MAX_ERROR_BYTES));
        let Some(body) = body.await else {
            return cancelled().with_phase(Phase::Body);
        };
        let body = without_key(body, key);
        let error = self.wire.error(head.status.as_u16(), &head.headers, &body);
        error.with_phase(Phase::Body)
    }

    /// Turns every status but success into an error.
    pub(super) async fn accept(
        &self,
        ctx: &Ctx,
        response: Response<ByteStream>,
        key: Option<&Secret>,
    ) -> Result<Response<ByteStream>> {
        let status = response.status();
        if status.is_client_error() || status.is_server_error() {
            // Boxed: an answer should not carry the room for an error.
            return Err(Box::pin(self.refusal(ctx, response, key)).await);
        }
        if !status.is_success() {
            return Err(unfollowed(status).with_phase(Phase::Body));
        }
        match response.headers().get(CONTENT_ENCODING) {
            Some(encoding) if !encoding.as_bytes().eq_ignore_ascii_case(b"identity") => {
                let message = "the reply is compressed, which the request did not allow";
                Err(Error::new(ErrorKind::Decode, message).with_phase(Phase::Body))
            }
            _ => Ok(response),
        }
    }

    /// The call's own key and address, else the configured ones.
    fn destination(&self, ctx: &Ctx) -> Result<Destination<'_>> {
        let mut names = std::iter::once(&self.info.name).chain(&self.info.aliases);
        let own = names.find_map(|name| ctx.credential(name));
        let base_url = match own.and_then(|own| own.base_url.as_deref()) {
            Some(url) => Cow::Owned(BaseUrl::parse(url, "Credential::base_url")?),
            None => Cow::Borrowed(&self.base_url),
        };
        let key = own.map(|own| &own.key).or(self.key.as_ref());
        let key = key.filter(|key| !key.is_blank()).cloned();
        if key.is_none() && self.key_policy == KeyPolicy::Required {
            let mut ways = self.key_vars.to_vec();
            ways.push("Options::api_key");
            let message = format!(
                "no API key for {}: set {}",
                self.info.name,
                ways.join(" or ")
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        let is_at_home = match &base_url {
            Cow::Borrowed(_) => true,
            Cow::Owned(own) => own.is_same_origin(&self.base_url),
        };
        let headers = is_at_home.then_some(&self.headers);
        Ok(Destination {
            base_url,
            key,
            headers,
        })
    }

    /// True when the call's own key is for the configured origin.
    pub(super) fn is_at_home(&self, ctx: &Ctx) -> bool {
        self.destination(ctx)
            .is_ok_and(|destination| destination.headers.is_some())
    }

    fn request(&self, encoded: Encoded, destination: &Destination<'_>) -> Result<Request<Bytes>> {
        let accept = match (encoded.delivery, self.wire.framing()) {
            (Delivery::Whole, _) => JSON,
            (Delivery::Streamed, Framing::Sse) => EVENTS,
            (Delivery::Streamed, Framing::NdJson) => LINES_OF_JSON,
        };
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, accept);
        headers.insert(ACCEPT_ENCODING, IDENTITY);
        headers.insert(USER_AGENT, AGENT);
        if !encoded.body.is_empty() {
            headers.insert(CONTENT_TYPE, JSON);
        }
        headers.extend(encoded.headers);
        for (name, value) in destination.headers.into_iter().flatten() {
            headers.insert(name, value.clone());
        }
        if let Some(key) = &destination.key {
            let (name, value) = self.authorization(key)?;
            headers.insert(name, value);
        }
        let mut request = Request::new(encoded.body);
        *request.method_mut() = encoded.method;
        *request.uri_mut() = destination.base_url.join(&encoded.path)?;
        *request.headers_mut() = headers;
        Ok(request)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the header is what the key is for"
    )]
    fn authorization(&self, key: &Secret) -> Result<(HeaderName, HeaderValue)> {
        let key = key.expose().trim();
        let (name, value) = match &self.auth {
            Auth::Bearer => (
                AUTHORIZATION,
                HeaderValue::try_from(format!("Bearer {key}")),
            ),
            Auth::Header(name) => (name.clone(), HeaderValue::try_from(key)),
        };
        let mut value = value.map_err(|_| {
            let message = format!(
                "the API key for {} has characters no header takes",
                self.info.name
            );
            Error::new(ErrorKind::Config, message)
        })?;
        value.set_sensitive(true);
        Ok((name, value))
    }
}

/// Reads a body that must come whole.
pub(super) async fn read_whole(ctx: &Ctx, mut body: ByteStream) -> Result<Bytes> {
    let read = async {
        let mut whole = BytesMut::new();
        while let Some(chunk) = body.next().await {
            let chunk = chunk?;
            if whole.len().saturating_add(chunk.len()) > reader::MAX_WHOLE_BYTES {
                return Err(reader::too_large(reader::MAX_WHOLE_BYTES));
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    };
    let whole = ctx.unless_cancelled(read).await;
    whole.unwrap_or_else(|| Err(cancelled().with_phase(Phase::Body)))
}

/// Reads the start of an error's body. The status says more than a body that breaks off, so what
/// there is of that is enough.
async fn read_start(mut body: ByteStream, limit: usize) -> Bytes {
    let mut start = BytesMut::new();
    while start.len() < limit
        && let Some(Ok(chunk)) = body.next().await
    {
        start.extend_from_slice(&chunk);
    }
    start.truncate(limit);
    start.freeze()
}

/// Some providers repeat the key they refuse.
#[expect(
    clippy::disallowed_methods,
    reason = "the key is looked for to be taken out"
)]
fn without_key(body: Bytes, key: Option<&Secret>) -> Bytes {
    let Some(key) = key.map(|key| key.expose().trim().as_bytes()) else {
        return body;
    };
    if key.len() < MIN_KEY_BYTES {
        return body;
    }
    let mut clean = BytesMut::new();
    let mut rest = body.as_ref();
    while let Some(at) = memmem::find(rest, key) {
        let (before, after) = rest.split_at(at);
        clean.extend_from_slice(before);
        clean.extend_from_slice(b"[key]");
        rest = after.strip_prefix(key).unwrap_or_default();
    }
    clean.extend_from_slice(rest);
    clean.freeze()
}

/// The same for headers: what a request is called is recorded.
fn clean_headers(headers: &mut HeaderMap, key: Option<&Secret>) {
    for value in headers.values_mut() {
        let clean = without_key(Bytes::copy_from_slice(value.as_bytes()), key);
        if clean != value.as_bytes()
            && let Ok(clean) = HeaderValue::from_bytes(&clean)
        {
            *value = clean;
        }
    }
}

/// The same for text: what a stream says after its status was fine.
fn without_key_text(text: &str, key: Option<&Secret>) -> String {
    let clean = without_key(Bytes::copy_from_slice(text.as_bytes()), key);
    String::from_utf8_lossy(&clean).into_owned()
}

fn unfollowed(status: StatusCode) -> Error {
    let message = format!(
        "the provider answers with status {}, and redirects are not followed: check the base URL",
        status.as_u16()
    );
    let upstream = Upstream::new(Some(status.as_u16()), "redirect");
    Error::new(ErrorKind::Config, message).with_upstream(upstream)
}
