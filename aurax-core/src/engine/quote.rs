//! What a call would use and cost, before it is made.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Engine;
use crate::bucket::{Bucket, Buckets};
use crate::call::Call;
use crate::chat::{Reasoning, Request, Warning};
use crate::ctx::Ctx;
use crate::error::Result;
use crate::ledger::{buckets, context, searches_by_itself};
use crate::model::{ModelId, ModelInfo};
use crate::money::Money;
use crate::pricing::{Bounds, Cost, Sale};
use crate::tokens::{Count, CountSource, input_bound};
use crate::usage::{Usage, UsageSource};

/// Whether a request fits a model's context window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fits {
    /// It does, as far as the input's count is right.
    Yes,
    /// It does not.
    No {
        /// How many tokens are too many.
        over_by: u64,
    },
    /// The model's window is not known.
    Unknown,
}

/// What a call would use and cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Quote {
    /// The model, as the provider takes it.
    pub model: ModelId,
    /// The provider's configured name.
    pub provider: String,
    /// Input tokens.
    pub input: Count,
    /// Input tokens that the call cannot exceed; `None` where there is no bound, as for sound or
    /// for tools the provider runs itself.
    pub input_bound: Option<u64>,
    /// The most output tokens of one answer: the request's limit, else the model's; `None` where
    /// neither is known.
    pub max_output_tokens: Option<u64>,
    /// Input and output tokens that fit together; `None` where that is not known.
    pub context_window: Option<u64>,
    /// Whether the input, with the output that the request asks for, fits.
    pub fits: Fits,
    /// What the input alone would cost, uncached.
    pub input_cost: Cost,
    /// US dollars that the call cannot exceed at the model's list price; `None` where the price
    /// or a bound is not known, which is not zero.
    ///
    /// It covers one attempt, answered by the model that was asked in one run: retries, fallbacks
    /// and runs billed apart come on top, and a provider that reports a cost of its own is
    /// believed.
    pub worst_case: Option<Money>,
    /// The price book's version.
    pub price_version: Arc<str>,
    /// What a reader of the quote should know.
    pub warnings: Vec<Warning>,
}

impl Engine {
    /// Counts the input tokens of a request here, without asking the provider.
    ///
    /// [`CountSource::Exact`] for requests of text to models whose vocabulary is public, where the
    /// feature `tiktoken` is on; else an estimate. Long requests are counted on a thread that may
    /// block.
    ///
    /// # Errors
    /// As [`Engine::resolve`].
    ///
    /// # Cancel safety
    /// Dropping the future is harmless.
    pub async fn count_tokens(&self, model: &str, request: &Request) -> Result<Count> {
        let (provider, model) = self.resolve(model)?;
        Ok(self
            .count(provider.prices.as_deref(), &model, request)
            .await)
    }

    /// Asks the provider to count the input tokens of a request, which costs nothing but a request
    /// over the network. It passes no layer and is not recorded.
    ///
    /// # Errors
    /// As [`Engine::resolve`]; `Unsupported` where the provider does not count; what the request
    /// for it fails with.
    ///
    /// # Cancel safety
    /// Dropping the future stops the request.
    pub async fn count_tokens_by_provider(
        &self,
        ctx: &Ctx,
        model: &str,
        request: impl Into<Request> + Send,
    ) -> Result<Count> {
        use crate::provider::Catalog as _;

        let call = Call::chat(ModelId::parse(model)?, request);
        let tokens = self.router.count_tokens(ctx, &call).await?;
        Ok(Count::new(tokens, CountSource::Provider))
    }

    /// Says what a call would use and cost, without making it: its input tokens, whether they fit
    /// the model, and the most it can cost.
    ///
    /// # Errors
    /// As [`Engine::resolve`]. An unknown price or window is no error.
    ///
    /// # Cancel safety
    /// Dropping the future is harmless.
    pub async fn quote(&self, model: &str, request: &Request) -> Result<Quote> {
        let (provider, model) = self.resolve(model)?;
        let prices = provider.prices.as_deref();
        let input = self.count(prices, &model, request).await;
        let info = prices.and_then(|prices| self.prices().model_info(prices, model.as_str()));
        let input_bound = input_bound(prices, model.as_str(), request);
        let most = info.as_ref().and_then(|info| info.max_output_tokens);
        let limit = request.max_output_tokens.map(u64::from);
        // Some providers count thoughts beside the limit, so that it is raised by what they take.
        let thinks = request.reasoning != Reasoning::default();
        let max_output_tokens = if thinks { most } else { limit.or(most) };
        let worst_case = input_bound
            .zip(max_output_tokens)
            .filter(|_| !searches_by_itself(info.as_ref()))
            .and_then(|bounds| self.worst_case(prices, &model, request, bounds));
        let mut warnings = Vec::new();
        warnings.extend(prices.and_then(|prices| self.router.retired(prices, &model)));
        if input_bound.is_none() {
            warnings.push(Warning::new(
                "input_bound",
                "the request has parts, tools or fields of which nobody says how many tokens they \
                 are at most, so its cost has no bound",
            ));
        }
        if max_output_tokens.is_none() {
            warnings.push(Warning::new(
                "max_output_tokens",
                "the model's limit is not known: set `max_output_tokens` to bound the cost",
            ));
        }
        Ok(Quote {
            provider: provider.name.to_string(),
            fits: fits(input.tokens, limit, info.as_ref()),
            context_window: info.as_ref().and_then(|info| info.context_window),
            input_cost: self.input_cost(prices, &model, input),
            price_version: self.pricer.version().clone(),
            model,
            input,
            input_bound,
            max_output_tokens,
            worst_case,
            warnings,
        })
    }

    async fn count(&self, prices: Option<&str>, model: &ModelId, request: &Request) -> Count {
        self.tokens
            .count_request_aside(prices, model.as_str(), request)
            .await
    }

    fn input_cost(&self, prices: Option<&str>, model: &ModelId, input: Count) -> Cost {
        let source = match input.source {
            CountSource::Provider => UsageSource::Provider,
            CountSource::Exact => UsageSource::Counted,
            CountSource::Estimate => UsageSource::Estimated,
        };
        let buckets = Buckets::new().with(Bucket::Input, input.tokens);
        let now = self.clock.now();
        let sale = Sale {
            provider: prices,
            asked: model.as_str(),
            answered_by: None,
            usage: &Usage::measured(buckets, source),
            started_at: now,
            ended_at: now,
        };
        self.pricer.price(&sale).cost
    }

    fn worst_case(
        &self,
        prices: Option<&str>,
        model: &ModelId,
        request: &Request,
        (input, output): (u64, u64),
    ) -> Option<Money> {
        let choices = u64::from(request.n.unwrap_or(1).max(1));
        let bounds = Bounds {
            input_tokens: input,
            output_tokens: output.checked_mul(choices)?,
            buckets: &buckets(request),
            context: &context(request),
        };
        let now = self.clock.now();
        self.pricer.worst_case(prices, model.as_str(), &bounds, now)
    }
}

/// The context window holds the input and what the request asks for as output.
fn fits(input: u64, limit: Option<u64>, info: Option<&ModelInfo>) -> Fits {
    let window = info.and_then(|info| info.context_window);
    let most_input = info.and_then(|info| info.max_input_tokens);
    let both = input.saturating_add(limit.unwrap_or_default());
    let over = [
        window.map(|window| both.saturating_sub(window)),
        most_input.map(|most| input.saturating_sub(most)),
    ];
    match over.into_iter().flatten().max() {
        None => Fits::Unknown,
        Some(0) => Fits::Yes,
        Some(over_by) => Fits::No { over_by },
    }
}
