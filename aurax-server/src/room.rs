//! How much the server takes at a time: requests that are being answered, and the bytes of their
//! bodies. What is more than that is refused before anything is done for it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use http::StatusCode;
use http_body::{Body as _, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::Limits;
use crate::error::{Code, Failure};

/// When there may be room again.
const SOON: Duration = Duration::from_secs(1);
/// What bodies are counted in, so that a budget of any size can be counted.
const UNIT: usize = 1 << 10;

/// What there is room for. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Room(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    requests: Arc<Semaphore>,
    /// In units.
    bodies: Arc<Semaphore>,
}

impl Room {
    pub(crate) fn new(limits: &Limits) -> Self {
        let most = Semaphore::MAX_PERMITS;
        Self(Arc::new(Inner {
            requests: Arc::new(Semaphore::new(limits.in_flight.min(most))),
            bodies: Arc::new(Semaphore::new((limits.bodies / UNIT).min(most))),
        }))
    }

    /// Takes a request in.
    ///
    /// # Errors
    /// `overloaded` where as many are being answered as may be.
    pub(crate) fn enter(&self) -> Result<Stay, Failure> {
        let place = self.0.requests.clone().try_acquire_owned().map_err(|_| {
            tracing::warn!("a request was refused: `limits.in_flight` are being answered");
            overloaded("the server is answering as many requests as it can: try again")
        })?;
        Ok(Stay(Arc::new(Taken {
            room: self.clone(),
            _place: place,
            covered: Mutex::new(None),
        })))
    }
}

fn overloaded(message: &str) -> Failure {
    Failure::new(StatusCode::SERVICE_UNAVAILABLE, Code::Overloaded, message).with_retry_after(SOON)
}

/// The room that one request takes, until every clone is gone.
#[derive(Debug, Clone)]
pub(crate) struct Stay(Arc<Taken>);

#[derive(Debug)]
struct Taken {
    room: Room,
    _place: OwnedSemaphorePermit,
    /// What its body takes.
    covered: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Stay {
    /// Takes room for so many bytes of the request's body, of which part may be covered already.
    /// They are given back with the rest: what was read is in memory for as long as the answer is
    /// made.
    ///
    /// # Errors
    /// `overloaded` where bodies take all the room there is.
    pub(crate) fn cover(&self, bytes: usize) -> Result<(), Failure> {
        let mut covered = self
            .0
            .covered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let own = covered
            .as_ref()
            .map_or(0, OwnedSemaphorePermit::num_permits);
        let more = bytes.div_ceil(UNIT).saturating_sub(own);
        if more == 0 {
            return Ok(());
        }
        let bodies = self.0.room.0.bodies.clone();
        let taken = u32::try_from(more)
            .ok()
            .and_then(|more| bodies.try_acquire_many_owned(more).ok());
        let Some(taken) = taken else {
            drop(covered);
            tracing::warn!("a request was refused: bodies take all of `limits.bodies`");
            return Err(overloaded(
                "the server holds as many bodies as it can: try again",
            ));
        };
        match covered.as_mut() {
            Some(covered) => covered.merge(taken),
            None => *covered = Some(taken),
        }
        Ok(())
    }

    /// The answer, which keeps the room until its last byte is on its way.
    pub(crate) fn kept_by(self, response: Response) -> Response {
        response.map(|body| {
            // An answer that is whole and empty, as that of an upgrade, takes nothing.
            if body.is_end_stream() {
                return body;
            }
            Body::new(Kept { body, _stay: self })
        })
    }
}

/// A body that keeps its request's room.
#[derive(Debug)]
struct Kept {
    body: Body,
    _stay: Stay,
}

impl http_body::Body for Kept {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(in_flight: usize, bodies: usize) -> Room {
        let mut limits = Limits::default();
        (limits.in_flight, limits.bodies) = (in_flight, bodies);
        Room::new(&limits)
    }

    #[test]
    fn requests_are_limited_and_give_their_room_back() {
        let room = room(1, 1 << 20);
        let first = room.enter().unwrap();
        let again = first.clone();
        drop(first);
        let refused = room.enter().unwrap_err();
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.code(), Code::Overloaded);
        drop(again);
        room.enter().unwrap();
    }

    #[test]
    fn bodies_are_limited_in_sum_and_counted_once() {
        let room = room(10, 64 << 10);
        let (one, other) = (room.enter().unwrap(), room.enter().unwrap());
        for read in [1, 20 << 10, 40 << 10, 40 << 10] {
            one.cover(read).unwrap();
        }
        other.cover(24 << 10).unwrap();
        assert_eq!(
            other.cover((24 << 10) + 1).unwrap_err().code(),
            Code::Overloaded
        );
        one.cover(40 << 10).unwrap();
        drop(one);
        other.cover(64 << 10).unwrap();
        assert_eq!(
            other.cover(usize::MAX).unwrap_err().code(),
            Code::Overloaded
        );
    }

    #[tokio::test]
    async fn an_answer_keeps_its_room_to_its_end() {
        let room = room(1, 1 << 20);
        let answer = Response::new(Body::from("a whole answer"));
        let answer = room.enter().unwrap().kept_by(answer);
        assert_eq!(answer.body().size_hint().exact(), Some(14));
        room.enter().unwrap_err();
        axum::body::to_bytes(answer.into_body(), 100).await.unwrap();
        let empty = room.enter().unwrap().kept_by(Response::default());
        room.enter().unwrap();
        drop(empty);
    }
}
