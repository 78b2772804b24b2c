//! What can be chosen of alerts, and the rules that are there from the beginning.

use std::time::Duration;

use aurax::Decimal;
use aurax::store::{NewAlert, Severity};
use uuid::Uuid;

use super::Metric;

/// What alerts can be told.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AlertOptions {
    /// How long between two looks; 30 s.
    pub interval: Duration,
    /// Below how much nothing fires.
    pub minimum: Minimum,
    /// How long one try to deliver a webhook may take; 10 s.
    pub webhook_timeout: Duration,
    /// How often a webhook is tried; 3 times.
    pub webhook_tries: u32,
    /// How long to wait before the second try; 1 s, and four times as long before each more.
    pub webhook_pause: Duration,
    /// How long events are kept after they are over; 90 days.
    pub keep: Duration,
}

/// Below how much nothing fires, because it says too little.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Minimum {
    /// Calls in the window, for rates and times of the installation; 20.
    pub calls: u64,
    /// The same for single users; 10.
    pub user_calls: u64,
    /// What counts as usual at least, in calls a window, however little there was; 20: with the
    /// rule's threshold, 100 calls an hour or fewer never fire.
    pub usual_calls: u64,
    /// Of how many of the seven days before there have to be figures, to know what is usual; 3.
    pub usual_days: usize,
}

impl Default for Minimum {
    fn default() -> Self {
        Self {
            calls: 20,
            user_calls: 10,
            usual_calls: 20,
            usual_days: 3,
        }
    }
}

impl Default for AlertOptions {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(30),
            minimum: Minimum::default(),
            webhook_timeout: Duration::from_secs(10),
            webhook_tries: 3,
            webhook_pause: Duration::from_secs(1),
            keep: Duration::from_hours(90 * 24),
        }
    }
}

impl AlertOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks so often.
    #[must_use]
    pub const fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Fires from so much on.
    #[must_use]
    pub const fn with_minimum(mut self, minimum: Minimum) -> Self {
        self.minimum = minimum;
        self
    }

    /// Waits so long before a webhook's second try.
    #[must_use]
    pub const fn with_webhook_pause(mut self, pause: Duration) -> Self {
        self.webhook_pause = pause;
        self
    }

    /// Lets one try to deliver a webhook take so long.
    #[must_use]
    pub const fn with_webhook_timeout(mut self, timeout: Duration) -> Self {
        self.webhook_timeout = timeout;
        self
    }
}

/// The rule of too many errors: more than 5 % within five minutes.
pub const ERROR_RATE: Uuid = Uuid::from_u128(0x8000_8000_0000_0000_0001);
/// The rule of slow answers: more than two seconds for 95 of 100 within five minutes.
pub const LATENCY: Uuid = Uuid::from_u128(0x8000_8000_0000_0000_0002);
/// The rule of unusual use: more than five times as many calls within an hour as usual.
pub const USAGE: Uuid = Uuid::from_u128(0x8000_8000_0000_0000_0003);

/// The rules that every installation has from the beginning. Their ids are of version 8: no alert
/// that is made later has one of them.
pub(super) fn rules() -> [(Uuid, NewAlert); 3] {
    let rule = |name, metric: Metric, threshold: u32, window_seconds, severity| {
        let mut new = NewAlert::new(name, metric.as_str(), Decimal::from(threshold));
        new.window_seconds = window_seconds;
        new.severity = severity;
        new
    };
    let (errors, latency) = (Severity::Critical, Severity::Warning);
    [
        (
            ERROR_RATE,
            rule("error rate", Metric::ErrorRate, 5, 300, errors),
        ),
        (
            LATENCY,
            rule("response time", Metric::LatencyP95, 2_000, 300, latency),
        ),
        (
            USAGE,
            rule("usage", Metric::UsageRatio, 5, 3_600, Severity::Info),
        ),
    ]
}
