//! Alerts: what is watched, when it fires, and who hears of it.
//!
//! Everything that has to last is in the store: the rules, and what goes on. So a restart goes on
//! where the last process was, and of several processes one at a time looks, under a lease; should
//! two look all the same, the store lets one of them fire.

mod feed;
mod measure;
mod metric;
mod notice;
mod options;
mod say;
mod webhook;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aurax::providers::transport::Transport;
use aurax::store::{Alert, AlertEvent, JobLease, JobScope, Store};
use aurax::{CancellationToken, Result, Secret};
use time::{Duration, OffsetDateTime};
use tokio::sync::broadcast;
use uuid::Uuid;

use feed::Feed;
use measure::Measures;
use webhook::Webhooks;

pub use metric::{Metric, Watched, check_change, check_new};
pub use notice::Notice;
pub use options::{AlertOptions, ERROR_RATE, LATENCY, Minimum, USAGE};

/// The job's name, among those of the store.
const JOB: &str = "alerts";
/// Alerts that are looked at together.
const PAGE: u32 = 200;
/// The least time that a process holds the job, whatever the interval.
const LEAST_LEASE: Duration = Duration::MINUTE;

/// Watches what alerts are about, and says when they fire and are over. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Alerts(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    options: AlertOptions,
    webhooks: Arc<Webhooks>,
    feed: Feed,
    has_rules: AtomicBool,
}

/// What came of one look at all alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Round {
    /// How many alerts were measured; none where another process was at it.
    pub measured: u64,
    /// How many of them fired.
    pub fired: u64,
    /// How many are over.
    pub resolved: u64,
}

impl Alerts {
    /// Alerts of a store, whose clock they go by.
    ///
    /// `transport` delivers webhooks, to addresses that users chose: one with
    /// [`with_public_only`](aurax::providers::transport::ReqwestOptions::with_public_only).
    /// `secret` is the installation's own, at least 32 random bytes in any form, the same for all
    /// its processes and over restarts: what deliveries are signed with follows from it.
    pub fn new(
        store: Store,
        transport: Arc<dyn Transport>,
        secret: &Secret,
        options: AlertOptions,
    ) -> Self {
        let clock = store.clock().clone();
        let webhooks = Webhooks::new(transport, clock.clone(), secret, &options);
        Self(Arc::new(Inner {
            feed: Feed::new(clock.now()),
            webhooks: Arc::new(webhooks),
            store,
            options,
            has_rules: AtomicBool::new(false),
        }))
    }

    /// What an alert's webhooks are signed with, for its owner: `whsec_…`, as
    /// <https://www.standardwebhooks.com> has it. It never changes.
    pub fn webhook_secret(&self, alert: Uuid) -> Secret {
        self.0.webhooks.secret(alert)
    }

    /// Every notice from now on, of all tenants: what is not the listener's own is to be left out
    /// by [`Notice::user_id`]. Also of what other processes found, at the next look. Who falls more
    /// than 256 notices behind misses the oldest.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Notice>> {
        self.0.feed.subscribe()
    }

    /// Looks at all alerts, unless another process does, and tells subscribers what happened since
    /// the last time. Webhooks are delivered beside it.
    ///
    /// An alert fires when its metric is above its threshold and there was enough to go by, once
    /// until it is over; it is over when its metric is not above any more. Where there is too
    /// little to go by and the metric is above, things stay as they are. An alert that looks far
    /// back is measured 240 times in its window, [`Metric::UsageRatio`] 12 times.
    ///
    /// # Errors
    /// `Store` when the database is away. Alerts that cannot be measured are left out, with a
    /// warning.
    ///
    /// # Cancel safety
    /// A dropped future may leave the job held for a minute; what was found until then is kept.
    pub async fn run_once(&self) -> Result<Round> {
        let jobs = self.0.store.jobs();
        let before = jobs.job(JOB).await?.finished_at;
        let time = Duration::try_from(self.0.options.interval).unwrap_or(LEAST_LEASE);
        let lease = jobs.lease(JOB, LEAST_LEASE.max(time * 2)).await?;
        let round = match lease {
            Some(lease) => self.look(&jobs, lease, before).await,
            None => Ok(Round::default()),
        };
        self.0.feed.publish(&jobs, self.now()).await?;
        round
    }

    /// Looks again and again until `cancel`; then waits for deliveries under way, at most as long
    /// as one try. What fails is logged, and tried again the next time.
    ///
    /// # Cancel safety
    /// As of [`Alerts::run_once`].
    pub async fn run(&self, cancel: CancellationToken) {
        while !cancel.is_cancelled() {
            if let Err(error) = self.turn().await {
                tracing::warn!(target: "aurax::alerts", %error, "alerts were not looked at");
            }
            let pause = tokio::time::sleep(self.0.options.interval);
            // `None` when it is cancelled, which the loop sees.
            cancel.run_until_cancelled(pause).await;
        }
        let left = tokio::time::timeout(self.0.options.webhook_timeout, self.delivered());
        if left.await.is_err() {
            tracing::warn!(target: "aurax::alerts", "webhooks are left undelivered");
        }
    }

    /// Waits until every webhook was delivered or given up.
    pub async fn delivered(&self) {
        self.0.webhooks.done().await;
    }

    /// One look of many: where another process has just looked, subscribers are told alone.
    async fn turn(&self) -> Result<()> {
        let jobs = self.0.store.jobs();
        let state = jobs.job(JOB).await?;
        let pause = Duration::try_from(self.0.options.interval).unwrap_or(LEAST_LEASE) / 2;
        let is_fresh = state.finished_at.is_some_and(|at| at + pause > self.now());
        if is_fresh {
            return self.0.feed.publish(&jobs, self.now()).await;
        }
        self.run_once().await.map(drop)
    }

    fn now(&self) -> OffsetDateTime {
        self.0.store.clock().now()
    }

    async fn look(
        &self,
        jobs: &JobScope,
        mut lease: JobLease,
        before: Option<OffsetDateTime>,
    ) -> Result<Round> {
        match self.look_at_all(jobs, &mut lease, before).await {
            Ok(round) => {
                lease.finish().await?;
                Ok(round)
            }
            Err(error) => {
                lease.give_up().await?;
                Err(error)
            }
        }
    }

    async fn look_at_all(
        &self,
        jobs: &JobScope,
        lease: &mut JobLease,
        before: Option<OffsetDateTime>,
    ) -> Result<Round> {
        if !self.0.has_rules.load(Ordering::Relaxed) {
            for (id, rule) in options::rules() {
                jobs.provide_alert(id, rule).await?;
            }
            self.0.has_rules.store(true, Ordering::Relaxed);
        }
        let mut round = Round::default();
        // Where the process that looked last stopped, if it did.
        let mut after = lease.progress().and_then(|id| id.parse().ok());
        loop {
            let page = jobs.watched_alerts(after, PAGE).await?;
            let Some(last) = page.last().map(|alert| alert.id) else {
                break;
            };
            after = Some(last);
            let due = self.due(&page, before);
            if let Err(error) = self.judge(jobs, &due, &mut round).await {
                tracing::warn!(target: "aurax::alerts", %error, "alerts are measured one by one");
                self.judge_each(jobs, &due, &mut round).await;
            }
            if page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) {
                break;
            }
            lease.note(last.to_string()).await?;
        }
        self.forget(jobs, before).await?;
        Ok(round)
    }

    /// The alerts whose turn it is, by what can be watched.
    fn due<'a>(
        &self,
        page: &'a [Alert],
        before: Option<OffsetDateTime>,
    ) -> Vec<(&'a Alert, Metric)> {
        let interval = self.0.options.interval.as_secs();
        let now = self.now();
        let metrics = page.iter().filter_map(|alert| {
            let metric = Metric::named(&alert.metric)?;
            is_due(metric, alert.window_seconds, interval, before, now).then_some((alert, metric))
        });
        metrics.collect()
    }

    /// What one alert makes fail costs the others nothing.
    async fn judge_each(&self, jobs: &JobScope, due: &[(&Alert, Metric)], round: &mut Round) {
        for one in due {
            if let Err(error) = self.judge(jobs, std::slice::from_ref(one), round).await {
                let alert_id = one.0.id;
                tracing::warn!(target: "aurax::alerts", %alert_id, %error, "an alert was not measured");
            }
        }
    }

    /// Measures alerts, and says which fire and are over.
    async fn judge(
        &self,
        jobs: &JobScope,
        due: &[(&Alert, Metric)],
        round: &mut Round,
    ) -> Result<()> {
        if due.is_empty() {
            return Ok(());
        }
        let measures = Measures::take(jobs, due, self.now()).await?;
        let ids: Vec<Uuid> = due.iter().map(|(alert, _)| alert.id).collect();
        let ongoing = jobs.ongoing_alerts(&ids).await?;
        for (alert, metric) in due {
            let reading = measures.read(alert, *metric, &self.0.options.minimum);
            let goes_on = ongoing.iter().any(|event| event.alert_id == alert.id);
            let is_above = reading.value > alert.threshold;
            round.measured += 1;
            if is_above && reading.is_enough && !goes_on {
                let message = say::words(alert, *metric, &reading);
                let value = metric.shown(reading.value);
                if let Some(event) = jobs.fire_alert(alert.id, value, &message).await? {
                    round.fired += 1;
                    self.tell(alert, event);
                }
            } else if !is_above
                && goes_on
                && let Some(event) = jobs.resolve_alert(alert.id).await?
            {
                round.resolved += 1;
                self.tell(alert, event);
            }
        }
        Ok(())
    }

    /// The one process that fired an alert, or found it over, says so; subscribers hear of it from
    /// the store, each in its own process.
    fn tell(&self, alert: &Alert, event: AlertEvent) {
        let notice = Arc::new(Notice::new(alert.clone(), event));
        say::log(&notice);
        self.0.webhooks.send(notice);
    }

    /// Forgets events of long ago, once an hour: there is a batch of them at most.
    async fn forget(&self, jobs: &JobScope, before: Option<OffsetDateTime>) -> Result<()> {
        let now = self.now();
        let keep = Duration::try_from(self.0.options.keep).unwrap_or(Duration::MAX);
        if let (true, Some(until)) = (is_turn(3_600, before, now), now.checked_sub(keep)) {
            jobs.forget_alert_events(until).await?;
        }
        Ok(())
    }
}

/// Whether it is an alert's turn: one that looks far back is measured less often, so that no row is
/// read too often. Which look that is follows from the time alone, for every process.
fn is_due(
    metric: Metric,
    window_seconds: u32,
    interval_seconds: u64,
    before: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> bool {
    let often = match metric {
        Metric::UsageRatio => 12,
        _ => 240,
    };
    let step = i64::from(window_seconds / often).max(1);
    let is_often = i64::try_from(interval_seconds).is_ok_and(|interval| step <= interval);
    is_often || is_turn(step, before, now)
}

/// Whether another step of so many seconds began since the last look.
fn is_turn(step: i64, before: Option<OffsetDateTime>, now: OffsetDateTime) -> bool {
    let slot = |at: OffsetDateTime| at.unix_timestamp().div_euclid(step);
    before.is_none_or(|before| slot(before) != slot(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often an alert is measured in its window, when it is looked at every 30 s.
    fn measured(metric: Metric, window_seconds: u32) -> usize {
        let start = OffsetDateTime::UNIX_EPOCH + Duration::days(20_000);
        let end = start + Duration::seconds(i64::from(window_seconds));
        let (mut at, mut measured) = (start, 0);
        while at < end {
            let before = at;
            at += Duration::seconds(30);
            measured += usize::from(is_due(metric, window_seconds, 30, Some(before), at));
        }
        measured
    }

    #[test]
    fn what_looks_far_back_is_measured_less_often() {
        assert_eq!(measured(Metric::ErrorRate, 300), 10);
        assert_eq!(measured(Metric::ErrorRate, 7_200), 240);
        assert_eq!(measured(Metric::Cost, 86_400), 240);
        assert_eq!(measured(Metric::P95, 31 * 86_400), 240);
        assert_eq!(measured(Metric::UsageRatio, 3_600), 12);
        let (first, none) = (OffsetDateTime::UNIX_EPOCH, None);
        assert!(is_due(Metric::Cost, 86_400, 30, none, first));
    }
}
