//! The one door every call goes through.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::call::Call;
use crate::chat::{Request, Response};
use crate::ctx::Ctx;
use crate::embed::EmbedRequest;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{ModelId, ModelInfo};
use crate::reply::Reply;

/// Who a provider is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProviderInfo {
    /// The configured name, which model names begin with.
    pub name: Arc<str>,
    /// The wire it speaks.
    pub wire: &'static str,
    /// The provider's key in the price book; `None` where nothing is known about prices.
    pub prices: Option<Arc<str>>,
    /// Other names model names may begin with.
    pub aliases: Vec<Arc<str>>,
    /// Whether calls without a key of their own can be made.
    pub has_credential: bool,
    /// Whether models named without a provider may lead here; not where another provider reaches
    /// the same models and is the one that is meant. True unless said otherwise.
    pub takes_bare_names: bool,
    /// The provider's name in traces.
    pub trace_name: Arc<str>,
    /// How its host is reached: `https`, or `http`.
    pub server_scheme: Option<&'static str>,
    /// The host it is reached at, for traces.
    pub server_address: Option<String>,
    /// The port it is reached at, for traces.
    pub server_port: Option<u16>,
}

impl ProviderInfo {
    /// A provider called `name` that speaks `wire`; its name is also its key elsewhere.
    pub fn new(name: impl Into<Arc<str>>, wire: &'static str) -> Self {
        let name = name.into();
        Self {
            wire,
            aliases: Vec::new(),
            has_credential: true,
            takes_bare_names: true,
            prices: Some(name.clone()),
            trace_name: name.clone(),
            server_scheme: None,
            server_address: None,
            server_port: None,
            name,
        }
    }
}

/// What a provider can do at all, whatever the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a flat list of yes and no is the point"
)]
#[expect(
    missing_docs,
    reason = "each field is the operation or feature its name says"
)]
pub struct Capability {
    pub chat: bool,
    pub streaming: bool,
    pub embed: bool,
    pub tools: bool,
    pub json_schema: bool,
    pub vision: bool,
    pub pdf: bool,
    pub audio_input: bool,
    pub reasoning: bool,
    /// Several answers to one request.
    pub choices: bool,
    pub list_models: bool,
    pub count_tokens: bool,
    pub verify_key: bool,
    /// Generates, and bills, to the end after the caller hangs up.
    pub bills_after_disconnect: bool,
}

impl Capability {
    /// What either of two can do.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self {
            chat: self.chat | other.chat,
            streaming: self.streaming | other.streaming,
            embed: self.embed | other.embed,
            tools: self.tools | other.tools,
            json_schema: self.json_schema | other.json_schema,
            vision: self.vision | other.vision,
            pdf: self.pdf | other.pdf,
            audio_input: self.audio_input | other.audio_input,
            reasoning: self.reasoning | other.reasoning,
            choices: self.choices | other.choices,
            list_models: self.list_models | other.list_models,
            count_tokens: self.count_tokens | other.count_tokens,
            verify_key: self.verify_key | other.verify_key,
            bills_after_disconnect: self.bills_after_disconnect | other.bills_after_disconnect,
        }
    }
}

/// What can answer calls: a provider on its wire, or a layer around another provider.
///
/// * `call` returns once the answer's head is known; events follow in the reply.
/// * A reply ends with exactly one [`Event::End`](crate::Event::End) or one error.
/// * Dropping the future or the reply stops the call.
/// * Everything that belongs to one call comes in `ctx`; the provider serves all tenants at once.
#[async_trait]
pub trait Provider: Debug + Send + Sync + 'static {
    /// Who this is.
    fn info(&self) -> &ProviderInfo;

    /// What this can do.
    fn capability(&self) -> Capability;

    /// Makes one call.
    ///
    /// # Errors
    /// Whatever keeps the answer from beginning; [`Error::phase`] says how far the call had come,
    /// and so whether the provider may bill it.
    ///
    /// # Cancel safety
    /// Dropping the future stops the call. A provider under an engine is settled all the same.
    async fn call(&self, ctx: &Ctx, call: &Call) -> Result<Reply>;

    /// The verbs that cost nothing.
    fn catalog(&self) -> &dyn Catalog {
        &NoCatalog
    }
}

/// Verbs that cost nothing and so pass every layer by.
#[async_trait]
pub trait Catalog: Debug + Send + Sync {
    /// The models on offer.
    ///
    /// # Errors
    /// `Unsupported` where the provider has no list.
    async fn models(&self, ctx: &Ctx) -> Result<Vec<ModelInfo>>;

    /// How many input tokens the provider counts in `call`.
    ///
    /// # Errors
    /// `Unsupported` where the provider does not count.
    async fn count_tokens(&self, ctx: &Ctx, call: &Call) -> Result<u64>;

    /// Whether the API key works, without spending anything.
    ///
    /// # Errors
    /// `Unsupported` where there is no free way to find out.
    async fn verify_key(&self, ctx: &Ctx) -> Result<KeyStatus>;
}

/// What a check of an API key found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyStatus {
    /// The provider takes it.
    Valid,
    /// The provider takes it, but there is no credit left.
    NoCredit,
    /// The provider knows it and forbids the check; it may still work for chats.
    Restricted,
    /// The provider refuses it.
    Invalid,
    /// The provider could not be asked.
    Unknown,
}

/// A catalog with nothing in it.
#[derive(Debug, Clone, Copy, Default)]
struct NoCatalog;

fn unsupported(what: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("this provider does not {what}"),
    )
}

#[async_trait]
impl Catalog for NoCatalog {
    async fn models(&self, _: &Ctx) -> Result<Vec<ModelInfo>> {
        Err(unsupported("list its models"))
    }

    async fn count_tokens(&self, _: &Ctx, _: &Call) -> Result<u64> {
        Err(unsupported("count tokens"))
    }

    async fn verify_key(&self, _: &Ctx) -> Result<KeyStatus> {
        Err(unsupported("check keys"))
    }
}

/// Short forms of [`Provider::call`] for a program that serves nobody else.
///
/// Use [`Provider::call`] with a [`Ctx`] of your own for a principal, tags, a deadline, a key or
/// fallback models.
#[async_trait]
pub trait ProviderExt: Provider {
    /// Asks and waits for the whole answer.
    ///
    /// # Errors
    /// What the call fails with; a partial answer is in [`Error::partial`].
    ///
    /// # Cancel safety
    /// Dropping the future stops the call, which is settled with what had arrived.
    async fn chat(&self, model: &str, request: impl Into<Request> + Send) -> Result<Response> {
        let request = request.into().with_stream(false);
        let call = Call::chat(ModelId::parse(model)?, request);
        self.call(&Ctx::local(), &call).await?.collect().await
    }

    /// Asks and returns the answer as it is generated.
    ///
    /// # Errors
    /// What the call fails with before it answers.
    ///
    /// # Cancel safety
    /// Dropping the future or the reply stops the call, which is settled with what had arrived.
    async fn stream(&self, model: &str, request: impl Into<Request> + Send) -> Result<Reply> {
        let request = request.into().with_stream(true);
        let call = Call::chat(ModelId::parse(model)?, request);
        self.call(&Ctx::local(), &call).await
    }

    /// Turns texts into vectors, which are in [`Response::embeddings`] by the number of their text.
    ///
    /// # Errors
    /// What the call fails with; `Unsupported` where the provider has chats alone.
    ///
    /// # Cancel safety
    /// Dropping the future stops the call, which is settled with what had arrived.
    async fn embed(
        &self,
        model: &str,
        request: impl Into<EmbedRequest> + Send,
    ) -> Result<Response> {
        let call = Call::embed(ModelId::parse(model)?, request.into());
        self.call(&Ctx::local(), &call).await?.collect().await
    }

    /// Asks and returns only the words of the answer.
    ///
    /// # Errors
    /// What the call fails with.
    ///
    /// # Cancel safety
    /// Dropping the future stops the call, which is settled with what had arrived.
    async fn complete(&self, model: &str, prompt: impl Into<Request> + Send) -> Result<String> {
        Ok(self.chat(model, prompt).await?.text())
    }
}

impl<P: Provider + ?Sized> ProviderExt for P {}
