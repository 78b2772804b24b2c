//! An answer in the client's own protocol, whole or while it is made.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use aurax::providers::inbound::{Inbound, Incoming, Stamp, WriteReply};
use aurax::{Batch, Ctx, Event, Head, Provider as _, QuotaState, Receipt, Reply};
use axum::body::Body;
use axum::response::Response;
use bytes::{BufMut as _, Bytes, BytesMut};
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, stream};
use tokio::time::Instant;

use super::events::respond;
use super::watch::Watch;
use super::{failed, sent};
use crate::auth::Caller;
use crate::edge::Seen;
use crate::error::{Failure, KeyOwner};
use crate::state::State;

/// A sign of life before anybody answers, which clients pass over.
const PING: &[u8] = b": ping\n\n";
/// How much is written at once before it is sent.
const ENOUGH: usize = 64 * 1024;

/// A call that came in some protocol, and is answered in it.
#[derive(Debug)]
pub(crate) struct Relayed {
    pub(crate) inbound: Arc<dyn Inbound>,
    pub(crate) incoming: Incoming,
    pub(crate) ctx: Ctx,
    pub(crate) owner: KeyOwner,
}

/// Makes the call, and gives the whole answer's body, and what is left of the caller's quotas.
pub(crate) async fn relay_whole(
    state: &State,
    caller: &Caller,
    seen: &Seen,
    relayed: Relayed,
) -> Result<(Bytes, Option<QuotaState>), Failure> {
    let started = state.clock().monotonic();
    let failed = |error| failed(state, &error, relayed.owner);
    let reply = state.engine().call(&relayed.ctx, &relayed.incoming.call);
    let reply = reply.await.map_err(failed)?;
    let mut writer = relayed.writer(state, seen, reply.head());
    let quota = reply.head().quota;
    let response = reply.collect().await.map_err(failed)?;
    if let Some(receipt) = &response.receipt {
        let took = state.clock().monotonic().saturating_duration_since(started);
        sent(caller, None, receipt, took);
    }
    Ok((writer.whole(&response), quota))
}

/// Makes the call, and gives the answer as events. The status waits for the first content, but not
/// for ever: a failure after it is the last event.
pub(crate) async fn relay(
    state: State,
    caller: Caller,
    seen: Seen,
    relayed: Relayed,
) -> Result<Response, Failure> {
    let timeouts = state.config().timeouts.clone();
    let mut relay = Relay::new(state, caller, seen, relayed);
    relay.begin(timeouts.header_commit).await?;
    let (heartbeat, quota) = (timeouts.heartbeat, relay.quota);
    let bytes = stream::unfold(relay, move |mut relay| async move {
        let bytes = relay.next(heartbeat).await?;
        Some((Ok::<_, Infallible>(bytes), relay))
    });
    let mut response = respond(Body::from_stream(bytes));
    if let Some(quota) = quota {
        response.extensions_mut().insert(quota);
    }
    Ok(response)
}

impl Relayed {
    fn writer(&self, state: &State, seen: &Seen, head: &Head) -> Box<dyn WriteReply> {
        let now = state.clock().now().unix_timestamp();
        let stamp = Stamp::new(seen.request_id.to_string(), now);
        self.inbound.writer(&self.incoming, head, stamp)
    }
}

/// An answer while it is made. Dropping it stops the call, which is settled with what had arrived.
///
/// It ends with the protocol's own end or with an event `error`, and never without one.
struct Relay {
    watch: Watch,
    seen: Seen,
    relayed: Relayed,
    phase: Phase,
    quota: Option<QuotaState>,
    started: Instant,
}

enum Phase {
    /// Nobody has answered yet.
    Asking(BoxFuture<'static, aurax::Result<Reply>>),
    Reading(Reply, Box<dyn WriteReply>),
    Over,
}

/// What woke the answer.
enum Woken {
    Asked(aurax::Result<Reply>),
    Read(Option<aurax::Result<Batch>>),
}

impl Relay {
    fn new(state: State, caller: Caller, seen: Seen, relayed: Relayed) -> Self {
        let engine = state.engine().clone();
        let (ctx, call) = (relayed.ctx.clone(), relayed.incoming.call.clone());
        let asking = async move { engine.call(&ctx, &call).await?.first_content().await };
        Self {
            phase: Phase::Asking(asking.boxed()),
            quota: None,
            started: state.clock().monotonic(),
            watch: Watch::new(state, caller, seen.cut.clone()),
            seen,
            relayed,
        }
    }

    /// Waits for the first content, for so long at most: a failure until then has a status of its
    /// own.
    async fn begin(&mut self, at_most: Duration) -> Result<(), Failure> {
        let Phase::Asking(asking) = &mut self.phase else {
            return Ok(());
        };
        match tokio::time::timeout(at_most, asking).await {
            Err(_) => {}
            Ok(Ok(reply)) => self.answered(reply),
            Ok(Err(error)) => {
                self.end();
                return Err(failed(self.watch.state(), &error, self.relayed.owner));
            }
        }
        Ok(())
    }

    /// What is written next, within so long a sign of life; `None` after the end.
    async fn next(&mut self, at_most: Duration) -> Option<Bytes> {
        let silent_at = self.watch.silent_at(at_most);
        loop {
            let watch = &mut self.watch;
            let woken = match &mut self.phase {
                Phase::Over => return None,
                Phase::Asking(asking) => {
                    let asked = watch.wait(asking, silent_at).await;
                    asked.map(|asked| asked.map(Woken::Asked))
                }
                Phase::Reading(reply, _) => {
                    let read = watch.wait(reply.next(), silent_at).await;
                    read.map(|read| read.map(Woken::Read))
                }
            };
            let mut out = BytesMut::new();
            match woken {
                Err(failure) => self.fail(&failure, &mut out),
                Ok(None) => self.ping(&mut out),
                Ok(Some(Woken::Asked(Ok(reply)))) => self.answered(reply),
                Ok(Some(Woken::Asked(Err(error)))) => self.broken(&error, &mut out),
                Ok(Some(Woken::Read(read))) => self.read(read, &mut out),
            }
            if !out.is_empty() {
                return Some(out.freeze());
            }
        }
    }

    fn end(&mut self) {
        self.phase = Phase::Over;
        self.watch.over();
    }

    fn answered(&mut self, reply: Reply) {
        self.watch.answered();
        self.quota = reply.head().quota;
        let state = self.watch.state();
        let writer = self.relayed.writer(state, &self.seen, reply.head());
        self.phase = Phase::Reading(reply, writer);
    }

    /// Writes a batch and those that are ready behind it.
    fn read(&mut self, first: Option<aurax::Result<Batch>>, out: &mut BytesMut) {
        let mut read = Some(first);
        while let Some(next) = read {
            match next {
                Some(Ok(batch)) => self.write(batch, out),
                Some(Err(error)) => self.broken(&error, out),
                None => {
                    let request_id = self.seen.request_id;
                    tracing::error!(%request_id, "an answer ended without an end");
                    self.fail(&Failure::internal(), out);
                }
            }
            read = match &mut self.phase {
                Phase::Reading(reply, _) if out.len() < ENOUGH => reply.next().now_or_never(),
                _ => None,
            };
        }
    }

    fn write(&mut self, batch: Batch, out: &mut BytesMut) {
        let Phase::Reading(_, writer) = &mut self.phase else {
            return;
        };
        for event in batch.events {
            writer.event(&event, out);
            if let Event::End(end) = event {
                self.end();
                return self.settled(end.receipt.as_ref());
            }
        }
    }

    fn settled(&self, receipt: Option<&Receipt>) {
        let Some(receipt) = receipt else { return };
        let now = self.watch.state().clock().monotonic();
        let took = now.saturating_duration_since(self.started);
        sent(self.watch.caller(), None, receipt, took);
    }

    fn ping(&mut self, out: &mut BytesMut) {
        match &mut self.phase {
            Phase::Reading(_, writer) => writer.ping(out),
            _ => out.put_slice(PING),
        }
    }

    fn broken(&mut self, error: &aurax::Error, out: &mut BytesMut) {
        let failure = failed(self.watch.state(), error, self.relayed.owner);
        self.fail(&failure, out);
    }

    fn fail(&mut self, failure: &Failure, out: &mut BytesMut) {
        self.end();
        let now = self.watch.state().clock().now();
        let body = failure.body(&self.seen.shown_id, now);
        match serde_json::to_vec(&body) {
            Ok(json) => {
                out.put_slice(b"event: error\ndata: ");
                out.put_slice(&json);
                out.put_slice(b"\n\n");
            }
            Err(error) => tracing::error!(%error, "an event cannot be written"),
        }
    }
}
