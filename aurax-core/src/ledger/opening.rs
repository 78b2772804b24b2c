//! An attempt that is about to be made: raw facts, turned into an intent on the ledger's side.

use std::sync::Arc;

use time::OffsetDateTime;
use uuid::Uuid;

use super::exposure::Exposure;
use super::pending::estimate_input;
use super::record::Intent;
use crate::bucket::{Bucket, Buckets};
use crate::call::{Call, Op};
use crate::ctx::{Ctx, Principal};
use crate::error::Result;
use crate::model::ModelId;
use crate::money::Money;
use crate::pricing::{Pricer, Sale};
use crate::provider::ProviderInfo;
use crate::session::Step;
use crate::usage::{Usage, UsageSource};

/// Everything that is known of an attempt before it is made.
///
/// Making it is cheap; what takes longer than that is a method of its own, for the ledger to call
/// when it needs the answer.
#[derive(Debug)]
pub struct Opening {
    pricer: Arc<Pricer>,
    ctx: Ctx,
    charge_id: Uuid,
    attempt_id: Uuid,
    provider: Arc<str>,
    prices: Option<Arc<str>>,
    model: ModelId,
    op: Op,
    opened_at: OffsetDateTime,
    step: Option<Arc<Step>>,
    spent: Money,
}

impl Opening {
    pub(super) fn new(
        pricer: Arc<Pricer>,
        ctx: &Ctx,
        charge_id: Uuid,
        attempt_id: Uuid,
        provider: &ProviderInfo,
        call: &Call,
        opened_at: OffsetDateTime,
    ) -> Self {
        Self {
            pricer,
            ctx: ctx.clone(),
            charge_id,
            attempt_id,
            provider: provider.name.clone(),
            prices: provider.prices.clone(),
            model: call.model.clone(),
            op: call.op.clone(),
            opened_at,
            step: None,
            spent: Money::ZERO,
        }
    }

    /// Adds what the session gains with this attempt.
    pub(super) fn with_step(mut self, step: Option<Arc<Step>>) -> Self {
        self.step = step;
        self
    }

    /// Says what the request's earlier attempts may cost.
    pub(super) const fn with_spent(mut self, spent: Money) -> Self {
        self.spent = spent;
        self
    }

    /// The attempt's id.
    pub const fn attempt_id(&self) -> Uuid {
        self.attempt_id
    }

    /// The id of the request's one charge.
    pub const fn charge_id(&self) -> Uuid {
        self.charge_id
    }

    /// For whom the attempt is made.
    pub fn principal(&self) -> &Principal {
        self.ctx.principal()
    }

    /// What the session gains with this attempt; `None` outside a session, and for the later
    /// attempts of a call.
    pub fn step(&self) -> Option<&Arc<Step>> {
        self.step.as_ref()
    }

    /// The most that the request's earlier attempts may cost: those that nobody says cost
    /// nothing. What is held for the request covers it.
    pub const fn spent(&self) -> Money {
        self.spent
    }

    /// The most the call may cost, where its caller set that ([`Ctx::with_max_cost`]).
    pub fn max_cost(&self) -> Option<Money> {
        self.ctx.max_cost()
    }

    /// The most this attempt can cost.
    ///
    /// # Errors
    /// `Unpriced` for a model without a price; `InvalidRequest` where nobody says how many tokens
    /// the request is at most, or how many the model may answer with.
    pub fn exposure(&self) -> Result<Exposure> {
        Exposure::of(
            &self.pricer,
            self.prices.as_deref(),
            &self.model,
            &self.op,
            self.opened_at,
        )
    }

    /// The intent to be recorded. It estimates the input, which takes as long as reading it.
    pub fn intent(&self) -> Intent {
        let input = estimate_input(&self.op);
        let buckets = Buckets::new().with(Bucket::Input, input);
        let sale = Sale {
            provider: self.prices.as_deref(),
            asked: self.model.as_str(),
            answered_by: None,
            usage: &Usage::measured(buckets, UsageSource::Estimated),
            started_at: self.opened_at,
            ended_at: self.opened_at,
        };
        Intent {
            attempt_id: self.attempt_id,
            charge_id: self.charge_id,
            request_id: self.ctx.request_id(),
            principal: self.ctx.principal().clone(),
            access_key: self.ctx.access_key(),
            provider: self.provider.clone(),
            model: self.model.as_str().to_owned(),
            operation: self.op.as_str().to_owned(),
            is_stream: self.op.is_stream(),
            tags: self.ctx.shared_tags(),
            step: self.step.clone(),
            input_tokens: input,
            input_cost: self.pricer.price(&sale).cost,
            price_version: self.pricer.version().clone(),
            opened_at: self.opened_at,
        }
    }
}
