//! What the books must say of a call.

use std::collections::HashSet;
use std::time::Duration;

use aurax_store::testkit::{Audit, Books, Moment, Seen};
use uuid::Uuid;

use super::expect::Expect;
use super::table::{Outcome, answer_id};
use super::world::World;

/// The requests that were looked at already.
#[derive(Debug, Default)]
pub(crate) struct Known {
    requests: HashSet<Uuid>,
    seen: Vec<Seen>,
}

impl Known {
    /// Takes everything there is for known.
    pub(crate) async fn forgive(&mut self, world: &World) {
        let Ok(books) = at_rest(world, 0).await else {
            return;
        };
        for charge in books.charges {
            let request = charge.request_id;
            if self.requests.insert(request) {
                self.seen.push(Seen::Asking { request });
            }
        }
    }
}

/// The books, once nothing is in flight.
async fn at_rest(world: &World, many: usize) -> Result<Books, String> {
    let resting = async {
        loop {
            if let Ok(books) = Books::read(&world.server.store).await
                && books.charges.len() >= many
                && books.settlements.len() >= books.attempts.len()
                && books.busy_sessions.is_empty()
            {
                break books;
            }
            crate::support::moment().await;
        }
    };
    let rested = tokio::time::timeout(Duration::from_secs(60), resting).await;
    rested.map_err(|_| "the books do not come to rest".to_owned())
}

/// The call was charged once, with the right word for how it ended, and nothing is believed that
/// cannot be.
pub(crate) async fn check_books(
    world: &World,
    expected: Expect,
    outcome: &Outcome,
    known: &mut Known,
) -> Result<(), String> {
    let books = at_rest(world, known.requests.len() + 1).await?;
    let own: Vec<_> = books
        .charges
        .iter()
        .filter(|charge| !known.requests.contains(&charge.request_id))
        .collect();
    let [charge] = own.as_slice() else {
        return Err(format!("{} charges: {own:?}", own.len()));
    };
    let request = charge.request_id;
    known.requests.insert(request);
    known.seen.push(Seen::Asking { request });
    let of = |id: Uuid| id == request;
    let attempts = books
        .attempts
        .iter()
        .filter(|row| of(row.request_id))
        .count();
    let settled: Vec<_> = books
        .settlements
        .iter()
        .filter(|row| of(row.request_id))
        .collect();
    if attempts != 1 || settled.len() != 1 {
        return Err(format!("{attempts} attempts, settled as {settled:?}"));
    }
    let (status, outcomes): (_, &[&str]) = match expected {
        Expect::Words | Expect::Length(_) | Expect::Calls => ("success", &["complete"]),
        Expect::Breaks(_) => ("error", &["partial"]),
        Expect::Fails(_) => ("error", &["rejected", "unknown", "partial"]),
    };
    if charge.status != status || !outcomes.contains(&&*charge.outcome) {
        return Err(format!(
            "{} {}, for {expected:?}",
            charge.status, charge.outcome
        ));
    }
    if charge.request_tokens.max(charge.response_tokens) > 1_000_000_000_000 {
        return Err(format!("usage was believed: {charge:?}"));
    }
    check_message(&books, charge.message_id, status, outcome)
}

/// The answer is a message, as far as it came.
fn check_message(
    books: &Books,
    id: Option<Uuid>,
    status: &str,
    outcome: &Outcome,
) -> Result<(), String> {
    let message = id.and_then(|id| books.messages.iter().find(|message| message.id == id));
    if status == "success" {
        let told = answer_id(outcome);
        let is_told = |id| told == Some(id) || outcome.error.is_some();
        return match message {
            Some(message) if message.status == "complete" && is_told(message.id) => Ok(()),
            other => Err(format!("{told:?} was told, and kept is {other:?}")),
        };
    }
    if outcome.pieces.is_empty() || message.is_some_and(|message| message.status == "partial") {
        return Ok(());
    }
    Err(format!("a part was told, and kept is {message:?}"))
}

/// All rules of the ledger hold.
pub(crate) async fn audited(world: &World, known: &Known) -> Result<(), String> {
    let books = at_rest(world, known.requests.len()).await?;
    let engine = world.server.state.engine();
    let audit = Audit::of(&books, &[], &known.seen, engine, Moment::AtRest);
    let open: Vec<_> = audit
        .violated()
        .into_iter()
        // It compares with the notes of an upstream that keeps some.
        .filter(|invariant| *invariant != aurax_store::testkit::Invariant::CountsAgree)
        .collect();
    if open.is_empty() {
        return Ok(());
    }
    Err(format!("{open:?}: {audit}"))
}
