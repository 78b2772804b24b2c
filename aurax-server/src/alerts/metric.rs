//! What alerts watch, and whether what is asked for can be watched.

use aurax::providers::transport::public_url;
use aurax::store::{Alert, AlertChange, NewAlert};
use aurax::{Decimal, Error, ErrorKind, Result};

/// The least that an alert looks back, in seconds: it is looked at twice a minute.
const LEAST_WINDOW: u32 = 60;
/// The most that [`Metric::UsageRatio`] looks back, in seconds: the same time of the days before
/// is looked at, too.
const LONGEST_RATIO: u32 = 86_400;

/// What an alert watches, over its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Metric {
    /// How many of 100 calls failed: 0 to 100.
    ErrorRate,
    /// How long 95 of 100 calls took at most until they were there, in milliseconds.
    P95,
    /// How long 95 of 100 streams took at most until their first content, in milliseconds.
    TtftP95,
    /// How long 95 of 100 calls took at most as their callers felt it, in milliseconds: streams
    /// until their first content, others until they were there.
    LatencyP95,
    /// What calls cost, in US dollars, as far as that is known.
    Cost,
    /// All tokens.
    Tokens,
    /// How many calls were made.
    Requests,
    /// How much of the budget that is nearest to its end was spent in its period, whatever the
    /// window: 100 is all of it. Only of single users.
    BudgetUsed,
    /// How many times as many calls were made as usual: the median of the same time on the seven
    /// days before. Only of all users together.
    UsageRatio,
}

/// Who is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Watched {
    /// One user, by their own alerts.
    User,
    /// All users together, by alerts of operators.
    Installation,
}

impl Watched {
    fn of(alert: &Alert) -> Self {
        if alert.is_of_installation() {
            Self::Installation
        } else {
            Self::User
        }
    }
}

impl Metric {
    /// Every metric.
    pub const ALL: &[Self] = &[
        Self::ErrorRate,
        Self::P95,
        Self::TtftP95,
        Self::LatencyP95,
        Self::Cost,
        Self::Tokens,
        Self::Requests,
        Self::BudgetUsed,
        Self::UsageRatio,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ErrorRate => "error_rate",
            Self::P95 => "p95_ms",
            Self::TtftP95 => "ttft_p95_ms",
            Self::LatencyP95 => "latency_p95_ms",
            Self::Cost => "cost_usd",
            Self::Tokens => "tokens",
            Self::Requests => "requests",
            Self::BudgetUsed => "budget_used",
            Self::UsageRatio => "usage_ratio",
        }
    }

    /// A value as events show it: rates and ratios to four places, everything else whole.
    pub(super) fn shown(self, value: Decimal) -> Decimal {
        match self {
            Self::ErrorRate | Self::BudgetUsed | Self::UsageRatio => value.round_dp(4),
            _ => value,
        }
    }

    /// The metric of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|metric| metric.as_str() == name)
    }

    /// What can be watched of whom.
    pub fn of(watched: Watched) -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(move |metric| {
            *metric
                != match watched {
                    Watched::User => Self::UsageRatio,
                    Watched::Installation => Self::BudgetUsed,
                }
        })
    }

    /// The metric of that name, where it can be watched of them.
    fn parse(name: &str, watched: Watched) -> Result<Self> {
        let mut known = Self::of(watched);
        known.find(|metric| metric.as_str() == name).ok_or_else(|| {
            let known: Vec<_> = Self::of(watched).map(Self::as_str).collect();
            let known = known.join(", ");
            refuse("metric", format!("a metric is one of {known}"))
        })
    }

    fn check(self, threshold: Decimal, window_seconds: u32) -> Result<()> {
        if self == Self::ErrorRate && threshold >= Decimal::ONE_HUNDRED {
            let message = "an error rate is in percent: the threshold is 0 or more and below 100";
            return Err(refuse("threshold", message));
        }
        if window_seconds < LEAST_WINDOW {
            let message = format!("an alert looks back at least {LEAST_WINDOW} seconds");
            return Err(refuse("window_seconds", message));
        }
        if self == Self::UsageRatio && window_seconds > LONGEST_RATIO {
            let message = format!("usage_ratio looks back at most {LONGEST_RATIO} seconds");
            return Err(refuse("window_seconds", message));
        }
        Ok(())
    }
}

/// Refuses an alert that nobody could watch, or deliver; the store checks the rest.
///
/// # Errors
/// `InvalidRequest`, with the `field` as its context, for a metric that is not known of them (the
/// message lists those that are), a threshold or window out of range, and a webhook that is not
/// `https` at a public address.
pub fn check_new(new: &NewAlert, watched: Watched) -> Result<()> {
    let metric = Metric::parse(&new.metric, watched)?;
    metric.check(new.threshold, new.window_seconds)?;
    check_webhook(new.webhook_url.as_deref())
}

/// Refuses a change after which nobody could watch an alert, or deliver it.
///
/// # Errors
/// As of [`check_new`].
pub fn check_change(alert: &Alert, change: &AlertChange) -> Result<()> {
    let metric = Metric::parse(&alert.metric, Watched::of(alert))?;
    let threshold = change.threshold.unwrap_or(alert.threshold);
    metric.check(
        threshold,
        change.window_seconds.unwrap_or(alert.window_seconds),
    )?;
    match &change.webhook_url {
        aurax::store::Edit::Set(url) => check_webhook(Some(url)),
        _ => Ok(()),
    }
}

fn check_webhook(url: Option<&str>) -> Result<()> {
    let Some(url) = url else {
        return Ok(());
    };
    public_url(url)
        .map(drop)
        .map_err(|error| error.with_context("field", "webhook_url"))
}

fn refuse(field: &'static str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidRequest, message).with_context("field", field)
}
