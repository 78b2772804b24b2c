//! What a test wants of an upstream, said in the prompt itself.

use std::time::Duration;

use aurax_core::RequestId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ending {
    /// With the provider's terminal frame.
    #[default]
    Complete,
    /// With the connection, before the terminal frame.
    Cut,
    /// Never.
    Hang,
    /// With an error status instead of content.
    Status(u16),
}

/// What the upstream does with one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Plan {
    /// How many tokens it answers, one a frame.
    pub tokens: u64,
    /// How long it takes until the first byte, in milliseconds.
    pub hold_ms: u64,
    /// How long it takes between two tokens, in microseconds.
    pub pace_us: u64,
    /// How it ends.
    pub ending: Ending,
}

impl Plan {
    /// Answers so many tokens at once.
    pub const fn answer(tokens: u64) -> Self {
        Self {
            tokens,
            hold_ms: 0,
            pace_us: 0,
            ending: Ending::Complete,
        }
    }

    /// Answers with an error.
    pub const fn fail(status: u16) -> Self {
        Self::answer(0).with_ending(Ending::Status(status))
    }

    /// Waits before the first byte, to the millisecond.
    #[must_use]
    pub fn with_hold(mut self, hold: Duration) -> Self {
        self.hold_ms = u64::try_from(hold.as_millis()).unwrap_or(u64::MAX);
        self
    }

    /// Waits between tokens, to the microsecond.
    #[must_use]
    pub fn with_pace(mut self, pace: Duration) -> Self {
        self.pace_us = u64::try_from(pace.as_micros()).unwrap_or(u64::MAX);
        self
    }

    /// Ends like this.
    #[must_use]
    pub const fn with_ending(mut self, ending: Ending) -> Self {
        self.ending = ending;
        self
    }
}

/// A prompt that says which request it belongs to and what the upstream is to do with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Prompt {
    /// The request.
    pub request: Uuid,
    /// One plan an attempt; the last one stands for all that follow.
    pub plans: Vec<Plan>,
}

impl Prompt {
    /// A prompt for a request.
    pub fn new(request: RequestId, plans: impl IntoIterator<Item = Plan>) -> Self {
        Self {
            request: request.as_uuid(),
            plans: plans.into_iter().collect(),
        }
    }

    /// The prompt as text.
    pub fn text(&self) -> String {
        // A value without maps or floats is always JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The prompt in a text.
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The plan for an attempt, counted from 1.
    pub fn plan(&self, attempt: usize) -> Plan {
        let at = attempt.saturating_sub(1).min(self.plans.len().max(1) - 1);
        self.plans.get(at).copied().unwrap_or(Plan::answer(1))
    }
}
