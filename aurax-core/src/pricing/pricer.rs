//! Prices settled attempts.

use std::sync::Arc;

use rust_decimal::Decimal;
use time::OffsetDateTime;

use super::bill::Bill;
use super::book::PriceBook;
use super::cost::Cost;
use super::worst::Bounds;
use crate::error::{Error, ErrorKind, Result};
use crate::money::Money;
use crate::usage::{Usage, UsageSource};

/// One attempt to be priced.
#[derive(Debug, Clone, Copy)]
pub struct Sale<'a> {
    /// The provider's key in the price book; `None` where nothing is known about its prices.
    pub provider: Option<&'a str>,
    /// The model that was asked, as the provider takes it.
    pub asked: &'a str,
    /// The model the provider named in its answer.
    pub answered_by: Option<&'a str>,
    /// What was used.
    pub usage: &'a Usage,
    /// When the attempt was made.
    pub started_at: OffsetDateTime,
    /// When it ended.
    pub ended_at: OffsetDateTime,
}

/// A price, and what it rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Priced {
    /// What the attempt cost.
    pub cost: Cost,
    /// What the price book makes of it, beside a cost the provider reported.
    pub computed: Cost,
}

/// What to do about a model without a price.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum UnknownModel {
    /// Refuse the call before it is sent ([`Pricer::check`]).
    Reject,
    /// Make the call and record its cost as not known.
    #[default]
    AllowUnpriced,
    /// Make the call and estimate its cost as if it were this model. Does not apply to models
    /// that the book knows and has no price for.
    Assume {
        /// A provider in the price book.
        provider: String,
        /// A model of it with a price.
        model: String,
    },
}

/// Prices attempts from a price book under a policy for unknown models.
#[derive(Debug, Clone)]
pub struct Pricer {
    book: Arc<PriceBook>,
    unknown_model: UnknownModel,
}

impl Pricer {
    /// Prices from `book`; a model it does not know is [`UnknownModel::AllowUnpriced`].
    pub fn new(book: Arc<PriceBook>) -> Self {
        Self {
            book,
            unknown_model: UnknownModel::default(),
        }
    }

    /// Sets what to do about a model without a price.
    ///
    /// # Errors
    /// `ModelNotFound` when a model to assume is itself not in the book.
    pub fn with_unknown_model(mut self, policy: UnknownModel) -> Result<Self> {
        if let UnknownModel::Assume { provider, model } = &policy {
            self.book.resolve(provider, model)?;
        }
        self.unknown_model = policy;
        Ok(self)
    }

    /// The prices.
    pub const fn book(&self) -> &Arc<PriceBook> {
        &self.book
    }

    /// Which price book this is: [`PriceBook::version`].
    pub fn version(&self) -> &Arc<str> {
        self.book.version()
    }

    /// Whether a call may be sent as far as its price goes; to be asked before it is.
    ///
    /// # Errors
    /// `Unpriced`, under [`UnknownModel::Reject`] only, for a model without a price.
    pub fn check(&self, provider: Option<&str>, model: &str) -> Result<()> {
        if self.unknown_model != UnknownModel::Reject {
            return Ok(());
        }
        let reason = match provider.map(|provider| self.book.ensure_priced(provider, model)) {
            Some(Ok(())) => return Ok(()),
            Some(Err(e)) => e.to_string(),
            None => "the provider is not in the price book".to_owned(),
        };
        let message = format!(
            "{reason}; give it a price in a price file of your own, or allow unpriced models"
        );
        Err(Error::new(ErrorKind::Unpriced, message).with_context("model", model))
    }

    /// Prices one attempt.
    ///
    /// A cost the provider itself reported is the cost; the book's is beside it. Neither is
    /// believed above a million dollars, which no attempt costs. The price is
    /// that of the model in the answer, so that a routed or aliased call is priced as what it
    /// was; where the book does not know that name, the asked model's price is an estimate. So is
    /// any price of usage that was counted or estimated here, and any whose rates were assumed.
    pub fn price(&self, sale: &Sale<'_>) -> Priced {
        let computed = self.compute(sale);
        let reported = sale.usage.reported_cost;
        let reported = reported.filter(|cost| !cost.is_negative() && is_believable(*cost));
        Priced {
            cost: reported.map_or(computed, |cost| Cost::Reported(cost.rounded())),
            computed,
        }
    }

    /// The most that a call within `bounds` may cost; `None` where that is not known.
    ///
    /// The model that answers is taken to be the one that is asked.
    pub(crate) fn worst_case(
        &self,
        provider: Option<&str>,
        model: &str,
        bounds: &Bounds<'_>,
        at: OffsetDateTime,
    ) -> Option<Money> {
        let provider = provider?;
        let (provider, model) = match &self.unknown_model {
            _ if self.book.knows(provider, model) => (provider, model),
            UnknownModel::Assume { provider, model } => (&**provider, &**model),
            _ => return None,
        };
        // A price that is not known or out of range is no bound.
        self.book.worst_case(provider, model, bounds, at).ok()?
    }

    fn compute(&self, sale: &Sale<'_>) -> Cost {
        let Some(provider) = sale.provider else {
            return Cost::Unpriced;
        };
        let known = |name: &str| self.book.look_up(provider, name);
        let (model, is_assumed) = if let Some(model) = sale.answered_by.and_then(known) {
            (model, false)
        } else if let Some(model) = known(sale.asked) {
            (model, sale.answered_by.is_some())
        } else if let UnknownModel::Assume { provider, model } = &self.unknown_model
            && let Some(model) = self.book.look_up(provider, model)
        {
            (model, true)
        } else {
            return Cost::Unpriced;
        };
        let at = if model.bills_at_completion() {
            sale.ended_at
        } else {
            sale.started_at
        };
        let is_estimate = is_assumed || sale.usage.source != UsageSource::Provider;
        self.book
            .bill_found(&model, sale.usage, at)
            .ok()
            .filter(|bill| is_believable(bill.total))
            .map_or(Cost::Unpriced, |bill| cost(&bill, is_estimate))
    }
}

/// What no attempt costs is somebody's mistake, and more than a ledger can add up.
fn is_believable(cost: Money) -> bool {
    /// Of dollars.
    const MOST: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);
    cost.usd() <= MOST
}

fn cost(bill: &Bill, is_estimate: bool) -> Cost {
    let usd = bill.total.rounded();
    if bill.free {
        Cost::Free
    } else if bill.is_partial() {
        Cost::Partial(usd)
    } else if is_estimate || bill.is_assumed() {
        Cost::Estimated(usd)
    } else {
        Cost::Exact(usd)
    }
}
