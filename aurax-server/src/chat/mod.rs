//! One exchange in a session, as it happens: what REST, SSE and WebSocket have in common.

mod events;
mod frame;
mod live;
mod relay;
mod watch;

use std::time::Duration;

use aurax::{CancellationToken, QuotaState, Receipt, Role, SendRequest};
use uuid::Uuid;

pub(crate) use events::events;
pub(crate) use frame::{Broken, Frame};
pub(crate) use live::{Live, Moment};
pub(crate) use relay::{Relayed, relay, relay_whole};

use crate::auth::Caller;
use crate::error::{Failure, KeyOwner};
use crate::state::State;
use crate::view::{Message, Tokens};

/// How often is asked whether whoever waits for an answer may go on: as often as there is news, at
/// least every 20 seconds and at most every second.
pub(crate) fn recheck(state: &State) -> Duration {
    let (most, least) = (Duration::from_secs(20), Duration::from_secs(1));
    state.config().timeouts.login_cache.clamp(least, most)
}

/// Something that is about to be said.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) session_id: Uuid,
    pub(crate) send: SendRequest,
    pub(crate) owner: KeyOwner,
    /// Stops the call: it ends with an error, once it is settled.
    pub(crate) cancel: CancellationToken,
}

/// Says it, and waits for the whole answer; with it comes what is left of the caller's quotas.
pub(crate) async fn whole(
    state: &State,
    caller: &Caller,
    exchange: Exchange,
) -> Result<(Message, Option<QuotaState>), Failure> {
    let Exchange {
        session_id,
        send,
        owner,
        cancel: _,
    } = exchange;
    let started = state.clock().monotonic();
    let answer = send.await.map_err(|error| failed(state, &error, owner))?;
    if let Some(receipt) = &answer.response.receipt {
        let took = state.clock().monotonic().saturating_duration_since(started);
        sent(caller, Some(session_id), receipt, took);
    }
    let quota = answer.head.quota;
    let turn = answer.turns.into_iter().next_back();
    let turn = turn.filter(|turn| turn.message.role == Role::Assistant);
    turn.map(|turn| (Message::from((caller.user().id, turn)), quota))
        .ok_or_else(|| failed(state, &said_nothing(), owner))
}

/// The call came to its end, and there is no answer.
fn said_nothing() -> aurax::Error {
    aurax::Error::new(aurax::ErrorKind::Server, "the model answered nothing")
        .with_phase(aurax::Phase::Body)
}

/// What a failed call is for its caller.
pub(crate) fn failed(state: &State, error: &aurax::Error, owner: KeyOwner) -> Failure {
    if error.kind() == aurax::ErrorKind::Cancelled && state.drain().over().is_cancelled() {
        return Failure::shutting_down().after(error);
    }
    Failure::of_call(error, owner)
}

/// The one line a chat leaves in the log: whose it was and what it cost, never what was said.
pub(crate) fn sent(caller: &Caller, session_id: Option<Uuid>, receipt: &Receipt, took: Duration) {
    let tokens = receipt
        .usage
        .as_deref()
        .map_or(0, |usage| Tokens::of(usage).total);
    let cost = receipt.cost.amount().map(|cost| cost.to_string());
    tracing::info!(
        target: "aurax::chat",
        event = "chat_message_sent",
        user_id = %caller.user().id,
        session_id = session_id.map(tracing::field::display),
        request_id = %receipt.request_id,
        provider = &*receipt.provider,
        model = receipt.model.as_str(),
        tokens,
        cost,
        duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "chat_message_sent"
    );
}
