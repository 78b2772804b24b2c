//! The one provider that does HTTP.

mod base_url;
mod batches;
mod catalog;
mod exchange;
mod facts;
mod reader;

use std::fmt;
use std::sync::Arc;

use aurax_core::{
    Call, Capability, Catalog, Ctx, Delivery, Head, ModelId, ModelInfo, Op, Phase, Provider,
    ProviderInfo, Reply, Result, Secret, async_trait,
};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) use base_url::BaseUrl;
use batches::Batches;
use exchange::About;
use facts::Facts;
use reader::Reader;

use crate::preset::{Auth, KeyPolicy};
use crate::rules::RuleBook;
use crate::transport::Transport;
use crate::wire::{Target, Wire};

/// A provider that is reached over HTTP: a wire, a transport, and where and as whom it calls.
///
/// * One object serves every tenant: a call's own key and address come in its [`Ctx`], else the
///   configured ones are used. Keys go into headers marked as sensitive, never into a URL or an
///   error. Configured headers are sent to the configured origin alone.
/// * A reply yields what is ready as one batch, and never waits for more. A chunk without events
///   is an empty batch.
/// * Bounds: 64 KiB of an error's body; 32 MiB of a whole reply, 128 MiB with embeddings; 64 MiB
///   of a streamed one, [16 MiB](crate::frame::MAX_FRAME_BYTES) a frame. More is an error of kind
///   `Decode`.
/// * It neither retries nor follows redirects, and has no timeouts for calls: layers do that.
///
/// # Errors
/// Errors carry the context `provider` and `model`, the provider's request id where one is known,
/// and the phase the call had reached; up to the phase `Connect` nothing was sent.
///
/// # Cancel safety
/// Dropping a call's future or its reply closes the exchange. [`Ctx::cancel`] does the same and
/// leaves an error of kind `Cancelled`.
pub struct HttpProvider {
    pub(crate) info: ProviderInfo,
    capability: Capability,
    wire: Box<dyn Wire>,
    transport: Arc<dyn Transport>,
    base_url: BaseUrl,
    auth: Auth,
    key: Option<Arc<Secret>>,
    key_policy: KeyPolicy,
    pub(crate) key_vars: &'static [&'static str],
    headers: HeaderMap,
    facts: Facts,
}

impl HttpProvider {
    /// A provider called `name` that speaks `wire` at `base_url`, sends its key as a bearer token,
    /// and needs none.
    ///
    /// # Errors
    /// `Config` when `base_url` is not an `http` or `https` URL, or has a user name, query or
    /// fragment.
    pub fn new(
        name: impl Into<Arc<str>>,
        wire: impl Wire,
        base_url: &str,
        transport: Arc<dyn Transport>,
    ) -> Result<Self> {
        let base_url = BaseUrl::parse(base_url, "the base URL")?;
        Ok(Self::from_parts(
            name.into(),
            Box::new(wire),
            base_url,
            transport,
        ))
    }

    pub(crate) fn from_parts(
        name: Arc<str>,
        wire: Box<dyn Wire>,
        base_url: BaseUrl,
        transport: Arc<dyn Transport>,
    ) -> Self {
        let mut info = ProviderInfo::new(name, wire.name());
        info.server_scheme = Some(base_url.scheme());
        info.server_address = Some(base_url.host().to_owned());
        info.server_port = Some(base_url.port());
        let mut capability = wire.capability();
        capability.list_models &= wire.list_models(None).is_some();
        capability.verify_key &= wire.verify_key().is_some();
        Self {
            info,
            capability,
            wire,
            transport,
            base_url,
            auth: Auth::Bearer,
            key: None,
            key_policy: KeyPolicy::Optional,
            key_vars: &[],
            headers: HeaderMap::new(),
            facts: Facts::default(),
        }
    }

    /// Uses this key for calls that bring none; a blank one is none.
    #[must_use]
    pub fn with_api_key(mut self, key: impl Into<Secret>) -> Self {
        let key = key.into();
        self.key = (!key.is_blank()).then(|| Arc::new(key));
        self.with_credential_known()
    }

    /// Says how the provider wants its key.
    #[must_use]
    pub fn with_auth(mut self, auth: Auth) -> Self {
        self.auth = auth;
        self
    }

    /// Says whether a call without a key is an error.
    #[must_use]
    pub fn with_key_policy(mut self, policy: KeyPolicy) -> Self {
        self.key_policy = policy;
        self.with_credential_known()
    }

    fn with_credential_known(mut self) -> Self {
        self.info.has_credential = self.key.is_some() || self.key_policy == KeyPolicy::Optional;
        self
    }

    /// Adds a header to every request; it replaces the wire's own header of that name. Its value
    /// is treated as a secret.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        self.headers.insert(name, value);
        self
    }

    /// Says what models take and refuse.
    #[must_use]
    pub fn with_rules(mut self, rules: RuleBook) -> Self {
        self.facts.set_rules(rules);
        self
    }

    /// Looks models up in a table, usually the price book. What the provider's own list of models
    /// says, once it was read, comes before it.
    #[must_use]
    pub fn with_model_facts(
        mut self,
        table: impl Fn(&ModelId) -> Option<ModelInfo> + Send + Sync + 'static,
    ) -> Self {
        self.facts.set_table(Arc::new(table));
        self
    }

    fn target(&self, model: &ModelId) -> Target {
        let known = self.facts.of(model);
        Target {
            provider: self.info.name.clone(),
            model: model.clone(),
            rules: known.rules.clone(),
            info: known.info.clone(),
        }
    }

    fn about(&self, model: Option<&ModelId>) -> About {
        About {
            provider: self.info.name.clone(),
            model: model.cloned(),
            request_id: None,
            key: None,
        }
    }

    async fn answer(&self, ctx: &Ctx, call: &Call) -> Result<Reply> {
        let target = self.target(&call.model);
        let encoded = self.wire.encode(call, &target);
        let encoded = encoded.map_err(|e| e.with_phase(Phase::Encode))?;
        let mut head = Head::new(
            self.wire.name(),
            self.info.name.clone(),
            call.model.clone(),
            encoded.delivery,
        );
        head.warnings.clone_from(&encoded.warnings);

        // Made before the wait, so that the call need not carry what is known of the model.
        let decoder = self.wire.decoder(call, &target);
        drop(target);
        let (response, key) = self.exchange(ctx, encoded).await?;
        self.wire.read_headers(response.headers(), &mut head);
        head.delivery = announced(response.headers()).unwrap_or(head.delivery);

        let mut reader = Reader::new(decoder, self.wire.framing(), head.delivery);
        if matches!(call.op, Op::Embed(_)) {
            reader = reader.with_max_whole(reader::MAX_EMBEDDING_BYTES);
        }
        if ctx.wants_raw() {
            reader = reader.with_raw();
        }
        let mut about = self.about(Some(&call.model));
        about.request_id.clone_from(&head.request_id);
        about.key = key;
        let batches = Batches::new(response.into_body(), reader, ctx, about);
        Ok(Reply::new(head, batches))
    }
}

/// What the content type says about how a reply is delivered.
fn announced(headers: &HeaderMap) -> Option<Delivery> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let essence = value.split(';').next().unwrap_or_default().trim();
    match essence.to_ascii_lowercase().as_str() {
        "application/json" => Some(Delivery::Whole),
        "text/event-stream" | "application/x-ndjson" => Some(Delivery::Streamed),
        _ => None,
    }
}

#[async_trait]
impl Provider for HttpProvider {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn capability(&self) -> Capability {
        self.capability
    }

    async fn call(&self, ctx: &Ctx, call: &Call) -> Result<Reply> {
        let about = self.about(Some(&call.model));
        self.answer(ctx, call).await.map_err(|e| about.complete(e))
    }

    fn catalog(&self) -> &dyn Catalog {
        self
    }
}

impl fmt::Debug for HttpProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpProvider")
            .field("info", &self.info)
            .field("wire", &self.wire)
            .field("transport", &self.transport)
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}
