//! What is known of logins and access keys, for a moment.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aurax::Clock;
use aurax::store::{AccessKey, Plan, User};
use lru::LruCache;
use tokio::time::Instant;
use uuid::Uuid;

/// How many are remembered; the one not asked for longest goes first.
const MOST: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();
/// How long anything is believed at most, so that an end is felt everywhere within a minute: streams
/// ask every 20 seconds.
const LONGEST: Duration = Duration::from_secs(40);

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Shown {
    /// A login, by its id, in a token that is genuine.
    Login(Uuid),
    /// An access key, by the whole of its SHA-256.
    AccessKey([u8; 32]),
    /// An identity, by the SHA-256 of its issuer and subject, in a token that is genuine.
    Identity([u8; 32]),
}

/// Whom it stands for.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) user: Arc<User>,
    pub(super) plan: Arc<Plan>,
    pub(super) key: Option<Arc<AccessKey>>,
}

/// Logins and keys that were found in the database a moment ago.
#[derive(Debug)]
pub(super) struct KnownLogins {
    entries: Mutex<LruCache<Shown, (Known, Instant)>>,
    ttl: Duration,
    clock: Arc<dyn Clock>,
}

impl KnownLogins {
    /// Believes what was found for `ttl`, 40 seconds at most.
    pub(super) fn new(ttl: Duration, clock: Arc<dyn Clock>) -> Self {
        Self {
            entries: Mutex::new(LruCache::new(MOST)),
            ttl: ttl.min(LONGEST),
            clock,
        }
    }

    pub(super) fn get(&self, shown: &Shown) -> Option<Known> {
        let now = self.clock.monotonic();
        let mut entries = self.entries();
        let (known, at) = entries.get(shown)?;
        if now.saturating_duration_since(*at) < self.ttl {
            return Some(known.clone());
        }
        entries.pop(shown);
        None
    }

    /// Remembers what was found by a question that began at `asked`: whoever ends a login meanwhile
    /// is not overruled for longer than that.
    pub(super) fn put(&self, shown: Shown, known: Known, asked: Instant) {
        self.entries().put(shown, (known, asked));
    }

    pub(super) fn now(&self) -> Instant {
        self.clock.monotonic()
    }

    /// Forgets everything that stands for a user.
    pub(super) fn forget(&self, user: Uuid) {
        let mut entries = self.entries();
        let gone: Vec<Shown> = entries
            .iter()
            .filter(|(_, (known, _))| known.user.id == user)
            .map(|(shown, _)| *shown)
            .collect();
        for shown in gone {
            entries.pop(&shown);
        }
    }

    fn entries(&self) -> MutexGuard<'_, LruCache<Shown, (Known, Instant)>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
