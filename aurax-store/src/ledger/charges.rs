//! The requests in flight: which attempts they opened, and what is held for them.

use std::collections::HashMap;

use aurax_core::{Intent, Money, Opened, Result};
use uuid::Uuid;

use super::hold::Holds;
use crate::store::user_id;

/// An attempt whose intent was written.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) id: Uuid,
    /// What its intent raised the request's holds by.
    pub(super) raises: Holds,
    pub(super) opened: Opened,
    /// How many input tokens a sweep would charge for.
    pub(super) input_tokens: u64,
    /// What a sweep would charge for it.
    pub(super) input_cost: Option<Money>,
    /// False while nobody knows whether the commit that wrote it failed.
    pub(super) is_certain: bool,
}

/// A request with at least one intent.
#[derive(Debug)]
pub(super) struct Charge {
    pub(super) user: Uuid,
    pub(super) attempts: Vec<Attempt>,
}

impl Charge {
    /// What is held for the request.
    pub(super) fn holds(&self) -> Result<Holds> {
        let mut holds = Holds::default();
        for attempt in &self.attempts {
            holds.add(&attempt.raises)?;
        }
        Ok(holds)
    }

    pub(super) fn attempt(&self, id: Uuid) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.id == id)
    }
}

/// How much older than the oldest of them an attempt may be that is not written yet, in
/// milliseconds.
const LATEST_OPEN: u64 = 10 * 60 * 1_000;

/// The first id of a moment some minutes before that of `id`. A UUIDv7 begins with its
/// milliseconds since 1970: <https://www.rfc-editor.org/rfc/rfc9562#section-5.7>.
fn earlier(id: Uuid) -> Uuid {
    let (high, _) = id.as_u64_pair();
    let millis = (high >> 16).saturating_sub(LATEST_OPEN);
    Uuid::from_u64_pair(millis << 16, 0)
}

/// The requests in flight. There are as many as permits at most.
#[derive(Debug, Default)]
pub(super) struct Charges(HashMap<Uuid, Charge>);

impl Charges {
    pub(super) fn get(&self, charge: Uuid) -> Option<&Charge> {
        self.0.get(&charge)
    }

    /// Whether an intent of the request was written, as far as anybody knows.
    pub(super) fn has_attempts(&self, charge: Uuid) -> bool {
        self.get(charge)
            .is_some_and(|charge| !charge.attempts.is_empty())
    }

    /// Remembers that an intent was written.
    pub(super) fn opened(&mut self, intent: &Intent, attempt: Attempt) {
        let charge = self.0.entry(intent.charge_id).or_insert_with(|| Charge {
            user: user_id(&intent.principal),
            attempts: Vec::with_capacity(1),
        });
        charge.attempts.retain(|known| known.id != attempt.id);
        charge.attempts.push(attempt);
    }

    pub(super) fn settled(&mut self, charge: Uuid) {
        self.0.remove(&charge);
    }

    /// Attempts of which nobody knows whether they were written, of these requests.
    pub(super) fn doubtful(&self, charges: impl Iterator<Item = Uuid>) -> Vec<Uuid> {
        charges
            .filter_map(|charge| self.0.get(&charge))
            .flat_map(|charge| &charge.attempts)
            .filter(|attempt| !attempt.is_certain)
            .map(|attempt| attempt.id)
            .collect()
    }

    /// Says which of the doubtful attempts are there after all.
    pub(super) fn decide(&mut self, doubtful: &[Uuid], there: &[Uuid]) {
        for charge in self.0.values_mut() {
            charge
                .attempts
                .retain(|attempt| !doubtful.contains(&attempt.id) || there.contains(&attempt.id));
            for attempt in &mut charge.attempts {
                attempt.is_certain |= there.contains(&attempt.id);
            }
        }
    }

    /// From where on attempts may be open: those that are not settled, and those that wait to be
    /// opened with an id that is older than theirs. `None` where nothing is.
    pub(super) fn oldest(&self) -> Option<Uuid> {
        let attempts = self.0.values().flat_map(|charge| &charge.attempts);
        attempts.map(|attempt| attempt.id).min().map(earlier)
    }
}
