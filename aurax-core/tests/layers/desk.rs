//! A provider that answers by a function, and a ledger that keeps a diary.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aurax_core::{
    Call, Capability, Ctx, Lease, Ledger, MemoryLedger, Op, Opened, Opening, Permit, Provider,
    ProviderInfo, RateLimit, Reply, Result, async_trait,
};
use futures::StreamExt as _;

use super::support::{Script, play};

type Answer = dyn Fn(&Ctx, &Call) -> Script + Send + Sync;

/// Answers every attempt with what the function says, and counts.
#[derive(Clone)]
pub(super) struct Desk {
    info: ProviderInfo,
    answer: Arc<Answer>,
    rate_limits: Arc<Mutex<Vec<RateLimit>>>,
    pub(super) attempts: Arc<AtomicUsize>,
    pub(super) in_flight: Arc<AtomicUsize>,
    pub(super) most_in_flight: Arc<AtomicUsize>,
}

impl Desk {
    pub(super) fn new(
        name: &str,
        answer: impl Fn(&Ctx, &Call) -> Script + Send + Sync + 'static,
    ) -> Self {
        Self {
            info: ProviderInfo::new(name, "script"),
            answer: Arc::new(answer),
            rate_limits: Arc::default(),
            attempts: Arc::default(),
            in_flight: Arc::default(),
            most_in_flight: Arc::default(),
        }
    }

    /// Says this in the head of every answer from now on.
    pub(super) fn say(&self, limits: impl IntoIterator<Item = RateLimit>) {
        *self.rate_limits.lock().unwrap() = limits.into_iter().collect();
    }

    pub(super) fn attempts(&self) -> usize {
        self.attempts.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Desk")
    }
}

struct Here(Arc<AtomicUsize>);

impl Drop for Here {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl Provider for Desk {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn capability(&self) -> Capability {
        Capability::default()
    }

    async fn call(&self, ctx: &Ctx, call: &Call) -> Result<Reply> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let now = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_in_flight.fetch_max(now, Ordering::Relaxed);
        let here = Here(self.in_flight.clone());
        let reply = play(&self.info, call, (self.answer)(ctx, call)).await?;
        let (mut head, batches) = reply.into_parts();
        head.rate_limits
            .clone_from(&self.rate_limits.lock().unwrap());
        let batches = batches.inspect(move |_| {
            let _here = &here;
        });
        Ok(Reply::new(head, batches))
    }
}

/// The words of the last message.
pub(super) fn question(call: &Call) -> String {
    match &call.op {
        Op::Chat(request) => request.messages.last().unwrap().text(),
        _ => String::new(),
    }
}

/// Writes down when attempts are opened, and keeps them in memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Diary {
    pub(super) ledger: MemoryLedger,
    pub(super) opened: Arc<AtomicUsize>,
}

impl Diary {
    pub(super) fn opened(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Ledger for Diary {
    async fn permit(&self) -> Result<Box<dyn Permit>> {
        self.ledger.permit().await
    }

    async fn open(&self, opening: Opening) -> Result<Opened> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        self.ledger.open(opening).await
    }

    fn release(&self, lease: Lease) {
        self.ledger.release(lease);
    }
}

pub(super) const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Lets everything that can go on do so, without letting time pass.
pub(super) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}
