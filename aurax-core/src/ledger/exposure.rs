//! The most an attempt can cost, as a function of how much it may generate.

use std::collections::BTreeMap;

use rust_decimal::RoundingStrategy;
use rust_decimal::prelude::ToPrimitive as _;
use time::OffsetDateTime;

use crate::bucket::Bucket;
use crate::call::Op;
use crate::chat::{CacheTtl, Part, Reasoning, Request, Tool};
use crate::embed::{EmbedInput, EmbedRequest};
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::model::{ModelId, ModelInfo};
use crate::money::Money;
use crate::pricing::{Bounds, Pricer};
use crate::tokens::input_bound;

/// The most output tokens that are asked for where a budget applies and the caller says nothing.
const DEFAULT_LIMIT: u64 = 16_384;
/// Output tokens that the price of output is taken from; the price grows evenly up to there.
const MILLION: u64 = 1_000_000;

/// The most an attempt can cost.
///
/// The cost of everything but the output is fixed; that of the output depends on the limit, which
/// the caller set or which follows from what is left of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exposure {
    base: Money,
    per_million: Money,
    choices: u64,
    limit: Limit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    /// The request cannot generate more than this.
    Set(u64),
    /// Nothing is set; no more than this may be asked for.
    Open(u64),
}

/// What is held for an attempt, and the limit that keeps it within that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hold {
    /// The most the attempt can cost.
    pub amount: Money,
    /// The output limit it must be sent with; `None` where the caller's own holds it.
    pub output_limit: Option<u32>,
}

impl Exposure {
    /// The exposure of asking `model` for `op`.
    ///
    /// # Errors
    /// `Unpriced` for a model without a price; `InvalidRequest` where nobody says how many tokens
    /// the request is at most, or how many the model may answer with.
    pub(crate) fn of(
        pricer: &Pricer,
        prices: Option<&str>,
        model: &ModelId,
        op: &Op,
        at: OffsetDateTime,
    ) -> Result<Self> {
        let facts = Facts {
            pricer,
            prices,
            model,
            at,
        };
        match op {
            Op::Chat(request) => facts.chat(request),
            Op::Embed(request) => facts.embed(request),
        }
    }

    /// What to hold where `available` is left; `Err` with the least that would be needed.
    ///
    /// Where the caller set no output limit, one is set: the smallest of the model's, 16,384 and
    /// what is affordable.
    pub fn within(&self, available: Money) -> std::result::Result<Hold, Money> {
        let (tokens, output_limit) = match self.limit {
            Limit::Set(tokens) => (tokens, None),
            Limit::Open(most) => {
                let affordable = self.affordable(available).min(most).max(1);
                let limit = u32::try_from(affordable).unwrap_or(u32::MAX);
                (u64::from(limit), Some(limit))
            }
        };
        match self.at_most(tokens) {
            Some(amount) if amount <= available => Ok(Hold {
                amount,
                output_limit,
            }),
            // An amount that does not fit is more than anybody has.
            amount => Err(amount.unwrap_or(Money::MAX)),
        }
    }

    /// The cost of answers of so many tokens each, rounded up.
    fn at_most(&self, tokens: u64) -> Option<Money> {
        let tokens = tokens.checked_mul(self.choices)?;
        let output = self.per_million.usd().checked_mul(tokens.into())?;
        let output = output.checked_div(MILLION.into())?;
        let output = output.round_dp_with_strategy(Money::SCALE, RoundingStrategy::AwayFromZero);
        self.base.checked_add(Money::new(output)).ok()
    }

    /// How many output tokens an answer may have for `available`.
    fn affordable(&self, available: Money) -> u64 {
        let left = match available.checked_sub(self.base) {
            Ok(left) if !left.is_negative() => left.usd(),
            _ => return 0,
        };
        let each = self.per_million.usd().checked_mul(self.choices.into());
        let tokens = each.and_then(|each| {
            let tokens = left.checked_mul(MILLION.into())?.checked_div(each)?;
            tokens.floor().to_u64()
        });
        // No price a token, or more tokens than can be counted.
        let tokens = tokens.unwrap_or(u64::MAX);
        let is_within = |tokens| self.at_most(tokens).is_some_and(|cost| cost <= available);
        if is_within(tokens) || tokens == u64::MAX {
            tokens
        } else {
            // What a division rounds off.
            tokens.saturating_sub(1)
        }
    }
}

/// What the exposure of a call follows from.
struct Facts<'a> {
    pricer: &'a Pricer,
    prices: Option<&'a str>,
    model: &'a ModelId,
    at: OffsetDateTime,
}

impl Facts<'_> {
    fn chat(&self, request: &Request) -> Result<Exposure> {
        let model = self.model.as_str();
        let info = self
            .prices
            .and_then(|prices| self.pricer.book().model_info(prices, model));
        let input = input_bound(self.prices, model, request)
            .filter(|_| !searches_by_itself(info.as_ref()))
            .ok_or_else(|| {
                refuse(
                    ErrorKind::InvalidRequest,
                    format!(
                        "the cost of this request to `{model}` has no bound, which a hard budget \
                         needs: leave out sound, documents that are not text and tools the \
                         provider runs itself"
                    ),
                )
            })?;
        let limit = limit(request, info.as_ref()).ok_or_else(|| {
            refuse(
                ErrorKind::InvalidRequest,
                format!(
                    "how much `{model}` may answer is not known, which a hard budget needs: set \
                     max_output_tokens"
                ),
            )
        })?;
        let (buckets, context) = (buckets(request), context(request));
        let cost = |output_tokens| self.worst(input, output_tokens, &buckets, &context);
        let (base, million) = (cost(0)?, cost(MILLION)?);
        Ok(Exposure {
            base,
            per_million: million.checked_sub(base)?,
            choices: u64::from(request.n.unwrap_or(1).max(1)),
            limit,
        })
    }

    fn embed(&self, request: &EmbedRequest) -> Result<Exposure> {
        let tokens = request
            .input
            .iter()
            .map(|input| match input {
                // No token is less than a byte.
                EmbedInput::Text(text) => text.len(),
                EmbedInput::Tokens(tokens) => tokens.len(),
            })
            .map(|tokens| u64::try_from(tokens).unwrap_or(u64::MAX))
            // A frame around each input: separators and instructions.
            .map(|tokens| tokens.saturating_add(64))
            .fold(0, u64::saturating_add);
        Ok(Exposure {
            base: self.worst(tokens, 0, &[Bucket::Input], &BTreeMap::new())?,
            per_million: Money::ZERO,
            choices: 1,
            limit: Limit::Set(0),
        })
    }

    fn worst(
        &self,
        input_tokens: u64,
        output_tokens: u64,
        buckets: &[Bucket],
        context: &BTreeMap<String, String>,
    ) -> Result<Money> {
        let bounds = Bounds {
            input_tokens,
            output_tokens,
            buckets,
            context,
        };
        self.pricer
            .worst_case(self.prices, self.model.as_str(), &bounds, self.at)
            .ok_or_else(|| {
                refuse(
                    ErrorKind::Unpriced,
                    format!(
                        "`{}` has no price that bounds this call, which a hard budget needs: give \
                         it one in a price file of your own",
                        self.model
                    ),
                )
            })
    }
}

fn refuse(kind: ErrorKind, message: String) -> Error {
    Error::new(kind, message).with_phase(Phase::Encode)
}

/// How much one answer may generate; `None` where nobody says.
fn limit(request: &Request, info: Option<&ModelInfo>) -> Option<Limit> {
    let most = info.and_then(|info| info.max_output_tokens);
    // Some providers count thoughts beside the limit, so that it is raised by what they take.
    let thinks = request.reasoning != Reasoning::default();
    match (request.max_output_tokens, most) {
        (Some(_) | None, Some(most)) if thinks => Some(Limit::Set(most)),
        (_, None) if thinks => None,
        (Some(limit), _) => Some(Limit::Set(u64::from(limit))),
        (None, Some(most)) => Some(Limit::Open(most.min(DEFAULT_LIMIT))),
        (None, None) => None,
    }
}

/// Whether a model searches without being told to, which has fees of its own.
pub(crate) fn searches_by_itself(info: Option<&ModelInfo>) -> bool {
    info.is_some_and(|info| {
        info.features.web_search == Some(true) && info.features.tools != Some(true)
    })
}

/// The buckets of tokens a request may use.
pub(crate) fn buckets(request: &Request) -> Vec<Bucket> {
    use Bucket::{
        CacheRead, CacheReadImage, CacheWrite, CacheWrite1h, Citation, Input, InputImage, Output,
        OutputAudio, OutputImage, OutputVideo, Reasoning,
    };
    let mut buckets = vec![
        Input,
        CacheRead,
        CacheWrite,
        Output,
        Reasoning,
        Citation,
        OutputAudio,
        OutputImage,
        OutputVideo,
    ];
    if asks_for_long_cache(request) {
        buckets.push(CacheWrite1h);
    }
    if parts(request).any(|part| matches!(part, Part::Image(_))) {
        buckets.extend([InputImage, CacheReadImage]);
    }
    buckets
}

/// The parts of all messages, and those inside tools' results.
fn parts(request: &Request) -> impl Iterator<Item = &Part> {
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    parts.flat_map(|part| {
        let inside = match part {
            Part::ToolResult(result) => &*result.content,
            _ => &[],
        };
        std::iter::once(part).chain(inside)
    })
}

/// Whether the request asks for a prompt cache that is kept for longer than the default. Where it
/// does not, nothing is written at the dearer rate.
fn asks_for_long_cache(request: &Request) -> bool {
    let in_parts = parts(request).filter_map(Part::cache_hint);
    let tools = request.tools.iter().filter_map(Tool::as_function);
    let in_tools = tools.filter_map(|function| function.cache);
    request
        .cache
        .into_iter()
        .chain(in_parts)
        .chain(in_tools)
        .filter_map(|hint| hint.ttl)
        .any(|ttl| ttl > CacheTtl::FiveMinutes)
}

/// What the request says about facts that change its price.
pub(crate) fn context(request: &Request) -> BTreeMap<String, String> {
    [
        ("service_tier", &request.service_tier),
        ("speed", &request.speed),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key.to_owned(), value.as_ref()?.to_lowercase())))
    .collect()
}

#[cfg(test)]
mod tests;
