//! The sockets that are open, and who is at them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use utoipa::ToSchema;
use uuid::Uuid;

use super::outgoing::{Rung, write};
use crate::alerts::Notice;
use crate::error::{Code, Failure};

/// How many alerts wait for a socket that reads slowly; more are left to the list of events.
const WAITING: usize = 16;

/// The sockets that are open in this process, by whose they are. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Sockets(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    next: u64,
    /// Users that have any: no more than there are connections.
    of: HashMap<Uuid, Vec<Chair>>,
}

#[derive(Debug)]
struct Chair {
    id: u64,
    news: mpsc::Sender<News>,
}

/// Something to tell a client that nobody asked for.
#[derive(Debug, Clone)]
pub(super) struct News {
    pub(super) text: Bytes,
    pub(super) for_admins: bool,
}

impl Sockets {
    /// None so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.open().of.values().map(Vec::len).sum()
    }

    /// Tells a user's sockets of an alert's event, as `{"type":"alert","event":…}`. A socket that
    /// reads too slowly misses it.
    pub fn tell(&self, user: Uuid, event: &(impl Serialize + ToSchema)) {
        let Some(news) = news(event, false) else {
            return;
        };
        let open = self.open();
        for chair in open.of.get(&user).into_iter().flatten() {
            chair.offer(&news);
        }
    }

    /// Tells the sockets of operators.
    pub fn tell_admins(&self, event: &(impl Serialize + ToSchema)) {
        let Some(news) = news(event, true) else {
            return;
        };
        for chair in self.open().of.values().flatten() {
            chair.offer(&news);
        }
    }

    /// Passes on what `alerts` says, to whom it is for, until nobody says anything any more.
    ///
    /// # Cancel safety
    /// A dropped future passes nothing more on.
    pub async fn follow(&self, mut notices: broadcast::Receiver<Arc<Notice>>) {
        loop {
            match notices.recv().await {
                Ok(notice) if notice.alert.is_of_installation() => self.tell_admins(&*notice),
                Ok(notice) => self.tell(notice.user_id(), &*notice),
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "sockets were not told of all alerts");
                }
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Takes a place for a socket of a user's, of which there may be so many.
    pub(super) fn sit(&self, user: Uuid, most: usize) -> Result<Seat, Failure> {
        let mut open = self.open();
        let id = open.next;
        let own = open.of.entry(user).or_default();
        if own.len() >= most {
            let message = format!("{most} sockets of yours are open, which is as many as may be");
            let failure = Failure::new(StatusCode::TOO_MANY_REQUESTS, Code::RateLimited, message);
            return Err(failure
                .with_detail("limit", most)
                .with_retry_after(std::time::Duration::from_secs(1)));
        }
        let (sender, news) = mpsc::channel(WAITING);
        own.push(Chair { id, news: sender });
        open.next = id.wrapping_add(1);
        drop(open);
        Ok(Seat {
            sockets: self.clone(),
            user,
            id,
            news,
        })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn news(event: &(impl Serialize + ToSchema), for_admins: bool) -> Option<News> {
    let text = write(&Rung::Alert { event })?;
    Some(News { text, for_admins })
}

impl Chair {
    fn offer(&self, news: &News) {
        if self.news.try_send(news.clone()).is_err() {
            tracing::debug!("a socket that reads too slowly misses an alert");
        }
    }
}

/// A socket's place, until it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    sockets: Sockets,
    user: Uuid,
    id: u64,
    pub(super) news: mpsc::Receiver<News>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.sockets.open();
        if let Some(own) = open.of.get_mut(&self.user) {
            own.retain(|chair| chair.id != self.id);
            if own.is_empty() {
                open.of.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_so_many_places_and_gives_them_back() {
        let sockets = Sockets::new();
        let (me, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let first = sockets.sit(me, 2).unwrap();
        let _second = sockets.sit(me, 2).unwrap();
        assert!(sockets.sit(me, 2).is_err());
        let theirs = sockets.sit(other, 2).unwrap();
        assert_eq!(sockets.count(), 3);
        drop((first, theirs));
        let _again = sockets.sit(me, 2).unwrap();
        assert_eq!(sockets.count(), 2);
        assert_eq!(sockets.open().of.len(), 1, "who has none takes no room");
    }

    #[test]
    fn news_are_for_whom_they_are_and_never_wait_without_end() {
        let sockets = Sockets::new();
        let (me, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut mine = sockets.sit(me, 1).unwrap();
        let mut theirs = sockets.sit(other, 1).unwrap();
        for number in 0..100 {
            sockets.tell(me, &number);
        }
        let first = mine.news.try_recv().unwrap();
        assert_eq!(&*first.text, br#"{"type":"alert","event":0}"#);
        let more = std::iter::from_fn(|| mine.news.try_recv().ok()).count();
        assert_eq!(more, WAITING - 1);
        assert!(theirs.news.try_recv().is_err());
        sockets.tell_admins(&"x");
        assert!(theirs.news.try_recv().unwrap().for_admins);
    }
}
