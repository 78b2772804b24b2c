//! What happened, for those who listen in this process, whichever process found it.

use std::collections::HashMap;
use std::sync::Arc;

use aurax::Result;
use aurax::store::JobScope;
use time::{Duration, OffsetDateTime};
use tokio::sync::{Mutex, broadcast};
use uuid::Uuid;

use super::Notice;

/// How far a listener may fall behind.
const BEHIND: usize = 256;
/// What is read at once.
const MOST: u32 = 1_000;
/// By how much processes' clocks may differ, and a commit come after its time.
const APART: Duration = Duration::MINUTE;

/// Reads the store's events, and passes each on once.
#[derive(Debug)]
pub(super) struct Feed {
    listeners: broadcast::Sender<Arc<Notice>>,
    place: Mutex<Place>,
}

#[derive(Debug)]
struct Place {
    /// What happened until then is of no interest to anybody.
    start: OffsetDateTime,
    /// Until when it was read.
    read: OffsetDateTime,
    /// What was passed on of the time that is read again, and when it happened.
    passed: HashMap<(Uuid, bool), OffsetDateTime>,
}

impl Feed {
    pub(super) fn new(now: OffsetDateTime) -> Self {
        Self {
            listeners: broadcast::Sender::new(BEHIND),
            place: Mutex::new(Place::new(now)),
        }
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<Arc<Notice>> {
        self.listeners.subscribe()
    }

    /// Passes on what happened since the last time.
    pub(super) async fn publish(&self, jobs: &JobScope, now: OffsetDateTime) -> Result<()> {
        let mut place = self.place.lock().await;
        if self.listeners.receiver_count() == 0 {
            *place = Place::new(now);
            return Ok(());
        }
        let since = place.read - APART;
        let found = jobs.late_alerts(since, MOST).await?;
        let is_all = found.len() < usize::try_from(MOST).unwrap_or(usize::MAX);
        let mut last = since;
        for (alert, event) in found {
            let notice = Notice::new(alert, event);
            last = notice.at();
            if place.is_new(&notice) {
                // An error says that the last listener has just gone.
                drop(self.listeners.send(Arc::new(notice)));
            }
        }
        place.read = if is_all {
            now.max(place.read)
        } else {
            last + APART
        };
        let kept = place.read - APART;
        place.passed.retain(|_, at| *at > kept);
        Ok(())
    }
}

impl Place {
    fn new(now: OffsetDateTime) -> Self {
        Self {
            start: now,
            read: now,
            passed: HashMap::new(),
        }
    }

    fn is_new(&mut self, notice: &Notice) -> bool {
        let what = (notice.event.id, notice.is_over());
        notice.at() >= self.start && self.passed.insert(what, notice.at()).is_none()
    }
}
