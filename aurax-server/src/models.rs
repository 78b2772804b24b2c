//! Which models providers have, remembered for a while.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aurax::store::ModelLists;
use aurax::{Bytes, Clock, Credential, Ctx, ErrorKind, ModelInfo, Provider, Result};
use lru::LruCache;
use tokio::time::Instant;

/// How long a list is believed where no shared one says otherwise.
const TTL: Duration = Duration::from_secs(3_600);
/// How many lists are remembered here; the one not asked for longest goes first.
const MOST: NonZeroUsize = NonZeroUsize::new(64).unwrap();
/// The largest list that is remembered here.
const MAX_BYTES: usize = 256 * 1024;

/// Lists of models by whom they were given, and to which key: keys see different ones.
#[derive(Debug)]
pub(crate) struct KnownModels {
    shared: Option<ModelLists>,
    own: Mutex<LruCache<Vec<u8>, (Bytes, Instant)>>,
    clock: Arc<dyn Clock>,
}

impl KnownModels {
    /// Lists that `shared` keeps, or this process alone.
    pub(crate) fn new(shared: Option<ModelLists>, clock: Arc<dyn Clock>) -> Self {
        Self {
            shared,
            own: Mutex::new(LruCache::new(MOST)),
            clock,
        }
    }

    /// The models of a provider, as whoever calls with `ctx` sees them; those of the price book
    /// where the provider gives no list.
    ///
    /// # Errors
    /// What asking the provider fails with.
    pub(crate) async fn of(
        &self,
        provider: &dyn Provider,
        ctx: &Ctx,
        listed: impl FnOnce() -> Vec<ModelInfo> + Send,
    ) -> Result<Vec<ModelInfo>> {
        let info = provider.info();
        let key = key(&info.name, ctx.credential(&info.name));
        if let Some(known) = self.get(&key).await
            && let Ok(models) = serde_json::from_slice(&known)
        {
            return Ok(models);
        }
        let models = match provider.catalog().models(ctx).await {
            Err(error) if error.kind() == ErrorKind::Unsupported => return Ok(listed()),
            models => models?,
        };
        match serde_json::to_vec(&models) {
            Ok(list) => self.put(key, list.into()).await,
            Err(error) => tracing::warn!(%error, "a list of models cannot be written"),
        }
        Ok(models)
    }

    async fn get(&self, key: &[u8]) -> Option<Bytes> {
        if let Some(shared) = &self.shared {
            return shared.get(key).await;
        }
        let now = self.clock.monotonic();
        let mut own = self.own();
        let (list, at) = own.get(key)?;
        if now.saturating_duration_since(*at) < TTL {
            return Some(list.clone());
        }
        own.pop(key);
        None
    }

    async fn put(&self, key: Vec<u8>, list: Bytes) {
        match &self.shared {
            Some(shared) => shared.put(&key, list).await,
            None if list.len() <= MAX_BYTES => {
                let now = self.clock.monotonic();
                self.own().put(key, (list, now));
            }
            None => {}
        }
    }

    fn own(&self) -> MutexGuard<'_, LruCache<Vec<u8>, (Bytes, Instant)>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Each part after its length, so that no two questions have one key.
fn key(provider: &str, credential: Option<&Credential>) -> Vec<u8> {
    let fingerprint = credential.map(|own| own.key.fingerprint().to_string());
    let base_url = credential.and_then(|own| own.base_url.as_deref());
    let mut key = Vec::new();
    for part in [
        provider,
        fingerprint.as_deref().unwrap_or_default(),
        base_url.unwrap_or_default(),
    ] {
        key.extend((part.len() as u64).to_be_bytes());
        key.extend(part.as_bytes());
    }
    key
}
