//! What becomes of an answer that its caller no longer wants.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::provider::Provider;
use crate::reply::Head;

/// What becomes of an answer whose reply is dropped before its end.
///
/// Most providers stop, and stop billing, when they are hung up on. Some generate to the end and
/// bill all of it: there the rest is worth reading, because only the end says what it cost.
///
/// A call that is cancelled by its token, its deadline or a timeout, and one that is dropped
/// before it answers, is stopped at once whatever the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Disconnect {
    /// Hang up at once, and settle with an estimate of what was used.
    #[default]
    Cancel,
    /// Read on in the background, and settle with what the provider says at the end. An answer
    /// that takes longer, or more of them at a time, is hung up on.
    ///
    /// What it holds it holds on to: a place among those in flight at its provider, and its
    /// session.
    Drain {
        /// How long to read on, at most 5 s.
        limit: Duration,
        /// How many at a time.
        at_most: usize,
    },
}

impl Disconnect {
    /// The longest that an answer is read for nobody.
    pub const LONGEST: Duration = Duration::from_secs(5);

    /// Reads on for at most 5 s, at most 64 answers at a time.
    pub const fn drain() -> Self {
        Self::Drain {
            limit: Self::LONGEST,
            at_most: 64,
        }
    }
}

/// A policy, and the room it has for answers at a time.
#[derive(Debug, Clone, Default)]
struct Room {
    limit: Duration,
    most: u32,
    /// `None` where nothing is drained.
    free: Option<Arc<Semaphore>>,
}

impl Room {
    fn new(policy: Disconnect) -> Self {
        match policy {
            Disconnect::Cancel => Self::default(),
            Disconnect::Drain { limit, at_most } => {
                let most = u32::try_from(at_most.min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
                let permits = usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS);
                Self {
                    limit: limit.min(Disconnect::LONGEST),
                    most,
                    free: Some(Arc::new(Semaphore::new(permits))),
                }
            }
        }
    }
}

/// The policy for every provider.
#[derive(Debug, Clone, Default)]
pub(crate) struct DisconnectPolicies {
    all: Room,
    own: BTreeMap<String, Room>,
}

impl DisconnectPolicies {
    pub(crate) fn set(&mut self, policy: Disconnect) {
        self.all = Room::new(policy);
    }

    pub(crate) fn set_for(&mut self, provider: String, policy: Disconnect) {
        self.own.insert(provider, Room::new(policy));
    }

    /// The providers with a policy of their own, as they were named.
    pub(crate) fn providers(&self) -> impl Iterator<Item = &String> {
        self.own.keys()
    }

    /// The same by the providers' own names, which replies bear, in place of aliases.
    pub(crate) fn by_name(mut self, providers: &[Arc<dyn Provider>]) -> Self {
        for info in providers.iter().map(|provider| provider.info()) {
            for alias in &info.aliases {
                if let Some(room) = self.own.remove(&**alias) {
                    self.own.entry(info.name.to_string()).or_insert(room);
                }
            }
        }
        self
    }

    /// How to drain the answer that begins with `head`; `None` where it is not to be.
    pub(super) fn drain(&self, head: &Head) -> Option<Drain> {
        let room = self.own.get(&*head.provider).unwrap_or(&self.all);
        // A cached answer costs nothing, read or not.
        let free = room.free.clone().filter(|_| !head.cached)?;
        Some(Drain {
            limit: room.limit,
            free,
            // Taken now: the thread that drops the reply may have none.
            runtime: Handle::try_current().ok()?,
        })
    }

    pub(crate) async fn drained(&self) {
        for room in self.own.values().chain([&self.all]) {
            if let Some(free) = &room.free {
                // It is never closed; waiting for all places is waiting for all who have one.
                drop(free.acquire_many(room.most).await);
            }
        }
    }
}

/// A way to read one answer to its end without its caller.
#[derive(Debug)]
pub(super) struct Drain {
    limit: Duration,
    free: Arc<Semaphore>,
    runtime: Handle,
}

impl Drain {
    /// Does `work` in the background where there is room, within the limit; else drops it here.
    pub(super) fn begin(self, work: impl Future<Output = ()> + Send + 'static) {
        let Ok(place) = self.free.try_acquire_owned() else {
            return;
        };
        let limit = self.limit;
        // A runtime that is shutting down drops the task, which settles like any other drop.
        drop(self.runtime.spawn(async move {
            let ended = tokio::time::timeout(limit, work).await;
            if ended.is_err() {
                tracing::debug!("a dropped answer took too long to be read to its end");
            }
            drop(place);
        }));
    }
}
