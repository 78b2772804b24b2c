//! How things stand, for many alerts at once.

use std::collections::{HashMap, HashSet};

use aurax::store::{Alert, Budget, JobScope, MeasuredTime, WindowFigures};
use aurax::{Decimal, Money, Result};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{Metric, Minimum};

/// The days before, by which usage is judged.
const DAYS: i32 = 7;

/// What an alert's metric comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// In the metric's unit.
    pub(super) value: Decimal,
    /// Whether there was enough to go by.
    pub(super) is_enough: bool,
    /// Of what, in words.
    pub(super) basis: String,
}

/// Whose calls, and how far back in seconds.
type Window = (Uuid, u32);

/// What was measured for some alerts: each window once, however many alerts are about it.
#[derive(Debug, Default)]
pub(super) struct Measures {
    figures: HashMap<Window, WindowFigures>,
    budgets: HashMap<Uuid, Decimal>,
    usual: HashMap<u32, Usual>,
}

/// How many calls there were, now and on the days before.
#[derive(Debug)]
struct Usual {
    calls: u64,
    before: Vec<u64>,
}

impl Measures {
    /// Measures all that these alerts ask for, until `now`.
    pub(super) async fn take(
        jobs: &JobScope,
        alerts: &[(&Alert, Metric)],
        now: OffsetDateTime,
    ) -> Result<Self> {
        let mut measures = Self::default();
        let (mut own, mut all, mut budgets) = (HashSet::new(), HashSet::new(), HashSet::new());
        let mut usual = HashSet::new();
        for (alert, metric) in alerts {
            match metric {
                Metric::BudgetUsed => _ = budgets.insert(alert.user_id),
                Metric::UsageRatio => _ = usual.insert(alert.window_seconds),
                _ if alert.is_of_installation() => _ = all.insert(alert.window_seconds),
                _ => _ = own.insert((alert.user_id, alert.window_seconds)),
            }
        }
        for seconds in all {
            let figures = jobs.figures(now - back(seconds), now).await?;
            let window = (aurax::store::INSTALLATION, seconds);
            measures.figures.insert(window, figures);
        }
        let own: Vec<Window> = own.into_iter().collect();
        let since = own
            .iter()
            .map(|(user, seconds)| (*user, now - back(*seconds)));
        let figures = jobs.figures_of(&since.collect::<Vec<_>>(), now).await?;
        measures.figures.extend(own.into_iter().zip(figures));
        let users: Vec<Uuid> = budgets.into_iter().collect();
        for (user, budget) in jobs.budgets_of(&users).await? {
            let nearest = measures.budgets.entry(user).or_default();
            *nearest = used(&budget).max(*nearest);
        }
        for seconds in usual {
            let found = Usual::take(jobs, back(seconds), now).await?;
            measures.usual.insert(seconds, found);
        }
        Ok(measures)
    }

    /// What an alert's metric comes to.
    pub(super) fn read(&self, alert: &Alert, metric: Metric, minimum: &Minimum) -> Reading {
        if metric == Metric::UsageRatio {
            let usual = self.usual.get(&alert.window_seconds);
            return usual.map_or_else(|| whole(Decimal::ZERO, ""), |usual| usual.read(minimum));
        }
        if metric == Metric::BudgetUsed {
            let used = self.budgets.get(&alert.user_id).copied();
            return whole(used.unwrap_or_default(), "of the nearest budget");
        }
        let window = (alert.user_id, alert.window_seconds);
        let figures = self.figures.get(&window).copied().unwrap_or_default();
        let enough = if alert.is_of_installation() {
            minimum.calls
        } else {
            minimum.user_calls
        };
        let calls = format!("of {} calls", figures.requests);
        match metric {
            Metric::ErrorRate => Reading {
                value: percent(figures.errors.into(), figures.requests.into()),
                is_enough: figures.requests >= enough,
                basis: format!("{} of {} calls failed", figures.errors, figures.requests),
            },
            Metric::P95 => timed(figures.response_time, enough, "calls"),
            Metric::TtftP95 => timed(figures.ttft, enough, "streams"),
            Metric::LatencyP95 => timed(figures.latency, enough, "calls"),
            Metric::Cost => whole(figures.cost.usd(), calls),
            Metric::Tokens => whole(figures.total_tokens.into(), calls),
            Metric::Requests | Metric::BudgetUsed | Metric::UsageRatio => {
                whole(figures.requests.into(), "calls")
            }
        }
    }
}

/// A value that needs no sample: there is no chance in it.
fn whole(value: Decimal, basis: impl Into<String>) -> Reading {
    Reading {
        value,
        is_enough: true,
        basis: basis.into(),
    }
}

fn timed(time: MeasuredTime, enough: u64, what: &str) -> Reading {
    Reading {
        value: time.p95_ms.unwrap_or(0).into(),
        is_enough: time.calls >= enough,
        basis: format!("for 95 of 100 of {} {what}", time.calls),
    }
}

/// `part` of `all` in percent; 0 of nothing.
fn percent(part: Decimal, all: Decimal) -> Decimal {
    let share = part.checked_div(all).unwrap_or_default();
    share.checked_mul(Decimal::ONE_HUNDRED).unwrap_or(share)
}

/// How much of a budget was spent, in percent. Of one that allows nothing that is all.
fn used(budget: &Budget) -> Decimal {
    if budget.limit == Money::ZERO {
        Decimal::ONE_HUNDRED
    } else {
        percent(budget.spent.usd(), budget.limit.usd())
    }
}

fn back(seconds: u32) -> Duration {
    Duration::seconds(i64::from(seconds))
}

impl Usual {
    async fn take(jobs: &JobScope, window: Duration, now: OffsetDateTime) -> Result<Self> {
        let earliest = now - Duration::DAY * DAYS - window;
        let Some(first) = jobs.first_call(earliest - Duration::DAY).await? else {
            return Ok(Self {
                calls: 0,
                before: Vec::new(),
            });
        };
        // Days from before anybody called say nothing.
        let span = |days: i32| {
            let until = now - Duration::DAY * days;
            (until - window, until)
        };
        let mut spans = vec![span(0)];
        spans.extend((1..=DAYS).map(span).filter(|(since, _)| *since >= first));
        let mut counts = jobs.calls(&spans).await?.into_iter();
        Ok(Self {
            calls: counts.next().unwrap_or(0),
            before: counts.collect(),
        })
    }

    fn read(&self, minimum: &Minimum) -> Reading {
        let usual = median(&self.before).max(minimum.usual_calls.max(1).into());
        let calls = Decimal::from(self.calls);
        Reading {
            value: calls.checked_div(usual).unwrap_or_default(),
            is_enough: !self.before.is_empty() && self.before.len() >= minimum.usual_days,
            basis: format!(
                "{} calls, where {} are usual at this time of day",
                self.calls,
                usual.normalize()
            ),
        }
    }
}

/// The one in the middle, or the mean of the two; 0 of none.
fn median(counts: &[u64]) -> Decimal {
    let mut counts = counts.to_vec();
    counts.sort_unstable();
    let at = |place: usize| {
        counts
            .get(place)
            .copied()
            .map_or(Decimal::ZERO, Decimal::from)
    };
    let half = counts.len() / 2;
    if counts.len() % 2 == 1 {
        return at(half);
    }
    let sum = half.checked_sub(1).map_or(Decimal::ZERO, at) + at(half);
    sum.checked_div(Decimal::TWO).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_in_the_middle() {
        for (counts, middle) in [
            (&[][..], "0"),
            (&[7], "7"),
            (&[9, 2], "5.5"),
            (&[30, 1, 2], "2"),
            (&[4, 1, 2, 100], "3"),
        ] {
            assert_eq!(median(counts), middle.parse().unwrap(), "{counts:?}");
        }
    }

    #[test]
    fn what_is_usual_is_never_less_than_the_floor() {
        let minimum = Minimum::default();
        let read = |calls, before: &[u64]| {
            let before = before.to_vec();
            Usual { calls, before }.read(&minimum)
        };
        let spike = read(101, &[0, 0, 0]);
        assert_eq!(
            (spike.value, spike.is_enough),
            ("5.05".parse().unwrap(), true)
        );
        assert_eq!(read(100, &[0, 1, 2]).value, Decimal::from(5));
        assert_eq!(
            read(600, &[100, 90, 200, 110, 0, 95, 105]).value,
            Decimal::from(6)
        );
        assert!(!read(1_000, &[10, 10]).is_enough);
    }

    #[test]
    fn nothing_of_nothing_is_nothing() {
        assert_eq!(percent(Decimal::ZERO, Decimal::ZERO), Decimal::ZERO);
        assert_eq!(percent(Decimal::ONE, Decimal::TEN), Decimal::TEN);
        assert_eq!(percent(Decimal::MAX, Decimal::ONE), Decimal::MAX);
    }
}
