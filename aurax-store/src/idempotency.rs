//! Requests that are answered once, however often they are sent.

use aurax_core::{Error, ErrorKind, Result, Retry};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::bounds::{named, refuse};
use crate::catalogue::idempotency as sql;
use crate::db::{Row, args};
use crate::scope::{JobScope, UserScope};
use crate::turn::{from_json, to_json};

/// How long an answer is kept.
const KEPT: Duration = Duration::hours(24);
/// How long a process is silent before it is dead.
const SILENT: Duration = Duration::seconds(60);
/// The longest key.
const KEY: usize = 255;
/// The longest name of a route.
const ROUTE: usize = 200;
/// The largest answer that is kept.
const BODY: usize = 64 * 1024 * 1024;

/// What one request is told from others by.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IdempotencyKey {
    route: String,
    key: String,
    body_hash: Vec<u8>,
    session: Option<Uuid>,
}

impl IdempotencyKey {
    /// The client's key for a request to a route, and the hash of its body.
    ///
    /// # Errors
    /// `InvalidRequest` for a key that is empty, has more than 255 characters or other ones than
    /// visible ASCII.
    pub fn new(
        route: impl Into<String>,
        key: impl Into<String>,
        body_hash: impl Into<Vec<u8>>,
    ) -> Result<Self> {
        let (route, key, body_hash) = (route.into(), key.into(), body_hash.into());
        named("route", &route, ROUTE)?;
        named("idempotency_key", &key, KEY)?;
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            let message = "an idempotency key is of visible ASCII characters";
            return Err(refuse("idempotency_key", message));
        }
        if body_hash.len() > KEY {
            return Err(refuse("body_hash", "a hash has at most 255 bytes"));
        }
        Ok(Self {
            route,
            key,
            body_hash,
            session: None,
        })
    }

    /// Says which session the answer is of: it goes with the session.
    #[must_use]
    pub const fn with_session(mut self, id: Uuid) -> Self {
        self.session = Some(id);
        self
    }
}

/// An answer as it is given again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredReply {
    /// The HTTP status.
    pub status: u16,
    /// Headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body; of a stream, all its frames.
    pub body: Vec<u8>,
}

impl StoredReply {
    /// An answer.
    pub const fn new(status: u16, headers: Vec<(String, String)>, body: Vec<u8>) -> Self {
        Self {
            status,
            headers,
            body,
        }
    }

    fn read(row: &Row, status: i64) -> Result<Self> {
        let headers = row.text_or_null("headers")?;
        Ok(Self {
            status: u16::try_from(status).unwrap_or(500),
            headers: headers.map_or_else(|| Ok(Vec::new()), |text| from_json(&text))?,
            body: row.bytes("body")?,
        })
    }
}

/// What a claim found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Claim {
    /// Nobody answers it: the caller does, and says so with what it is given.
    Begun(Claimed),
    /// Somebody is answering it.
    Running,
    /// It was answered.
    Answered(StoredReply),
    /// The key was used for another body.
    Mismatch,
}

/// The right to answer a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    key: IdempotencyKey,
    claimed_at: OffsetDateTime,
}

/// What a record says.
enum Found {
    Free,
    Running,
    Answered(StoredReply),
    Mismatch,
}

fn read(row: &Row, body_hash: &[u8], now: OffsetDateTime) -> Result<Found> {
    if row.time("expires_at")? <= now {
        return Ok(Found::Free);
    }
    if row.bytes("body_hash")? != body_hash {
        return Ok(Found::Mismatch);
    }
    if let Some(status) = row.int_or_null("status")? {
        return Ok(Found::Answered(StoredReply::read(row, status)?));
    }
    let is_fresh = row.time("created_at")? > now - SILENT;
    Ok(if is_fresh || row.bool("is_alive")? {
        Found::Running
    } else {
        Found::Free
    })
}

/// A moment in the precision that is kept.
fn micros(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_nanosecond(at.microsecond() * 1_000)
        .unwrap_or(at)
}

impl UserScope {
    /// Claims the right to answer a request, for 24 hours. A claim whose process has been silent
    /// for a minute is taken over.
    ///
    /// # Errors
    /// `Store` when it cannot be kept.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have claimed it; the claim goes with the process.
    pub async fn claim(&self, key: IdempotencyKey) -> Result<Claim> {
        let (owner, now) = (self.store().replica(), micros(self.store().now()));
        let wanted = key.clone();
        let found = self
            .write(move |tx| {
                Box::pin(async move {
                    let args = args! {
                        route: wanted.route, key: wanted.key, body_hash: wanted.body_hash.clone(),
                        session_id: wanted.session,
                        owner, now, expires_at: now + KEPT, silent_since: now - SILENT,
                    };
                    if tx.run(&sql::CLAIM, &args).await? > 0 {
                        return Ok(Found::Free);
                    }
                    let row = tx.row(&sql::GET, &args).await?;
                    let row = row.ok_or_else(|| {
                        Error::new(
                            ErrorKind::Store,
                            "the claim was released meanwhile: try again",
                        )
                        .with_retry(Retry::Transient)
                    })?;
                    let found = read(&row, &wanted.body_hash, now)?;
                    if matches!(found, Found::Free) {
                        tx.run(&sql::TAKE_OVER, &args).await?;
                    }
                    Ok(found)
                })
            })
            .await?;
        Ok(match found {
            Found::Free => Claim::Begun(Claimed {
                key,
                claimed_at: now,
            }),
            Found::Running => Claim::Running,
            Found::Answered(reply) => Claim::Answered(reply),
            Found::Mismatch => Claim::Mismatch,
        })
    }

    /// Keeps the answer to a claimed request; false where the claim was taken over, or went with its
    /// session.
    ///
    /// # Errors
    /// `TooLarge` for a body of more than 64 MiB; `Store` when it cannot be kept.
    pub async fn finish_claim(&self, claimed: &Claimed, reply: StoredReply) -> Result<bool> {
        if reply.body.len() > BODY {
            let message = format!("an answer to be kept has at most {BODY} bytes");
            return Err(Error::new(ErrorKind::TooLarge, message).with_context("field", "body"));
        }
        let args = args! {
            route: claimed.key.route.as_str(), key: claimed.key.key.as_str(),
            owner: self.store().replica(), claimed_at: claimed.claimed_at,
            status: i64::from(reply.status), headers: to_json(&reply.headers)?, body: reply.body,
        };
        let kept = self.run(&sql::FINISH, args).await?;
        Ok(kept > 0)
    }

    /// Gives a claim back without an answer, because no work began; false where it was taken over.
    ///
    /// # Errors
    /// `Store` when it cannot be deleted.
    pub async fn release_claim(&self, claimed: &Claimed) -> Result<bool> {
        let args = args! {
            route: claimed.key.route.as_str(), key: claimed.key.key.as_str(),
            owner: self.store().replica(), claimed_at: claimed.claimed_at,
        };
        let released = self.run(&sql::RELEASE, args).await?;
        Ok(released > 0)
    }
}

impl JobScope {
    /// Forgets answers that are older than 24 hours, at most `most` of them and never more than
    /// 500, and says how many.
    ///
    /// # Errors
    /// `Store` when they cannot be deleted.
    pub async fn purge_claims(&self, most: u32) -> Result<u64> {
        let args = args! { now: self.store().now(), most: most.min(500) };
        self.run(&sql::PURGE, args).await
    }
}
