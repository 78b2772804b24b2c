//! The one way to Redis.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Client, RedisError, RedisResult};
use aurax_core::{Bytes, Clock, Error, Result, SystemClock};
use futures::future::{BoxFuture, FutureExt as _, Shared};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::address::{client, parse};
use super::breaker::{Breaker, Ticket};
use super::error::{self, Health};
use super::keys::Keys;
use super::options::RedisOptions;

/// A Redis, for what several processes share; nothing durable.
///
/// * Nothing is sent until something is asked. All commands share one connection, which is made
///   anew when it fails.
/// * A command takes [`RedisOptions::timeout`] at most, connecting included, or counts as failed.
///   After [`RedisOptions::max_failures`] failures in a row Redis is left alone for
///   [`RedisOptions::pause`]; then one command tries whether it is back.
/// * While [`RedisOptions::max_waiting`] commands wait, another one fails at once.
/// * The password is never printed.
///
/// Cheap to clone: all clones are one. It is used within a Tokio runtime with I/O and time; the
/// runtime of whoever asked first carries the connection, until it ends.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    client: Client,
    /// Where Redis is, without user and password.
    address: String,
    options: RedisOptions,
    keys: Keys,
    clock: Arc<dyn Clock>,
    places: Semaphore,
    state: Mutex<State>,
}

struct State {
    breaker: Breaker,
    link: Option<Link>,
    /// Tells links apart.
    next: u64,
    /// What the last failure was.
    reason: String,
}

type Connecting = Shared<BoxFuture<'static, Result<MultiplexedConnection, RedisError>>>;

#[derive(Clone)]
struct Link {
    id: u64,
    connecting: Connecting,
}

impl Redis {
    /// A Redis at `redis://[user][:password@]host[:port][/database]`, or `rediss://…` for TLS.
    ///
    /// # Errors
    /// `Config` for another URL, or a CA file that cannot be read or holds no certificate. Whether
    /// Redis is there is not looked at; [`Redis::ping`] does.
    pub fn new(url: &str, options: RedisOptions) -> Result<Self> {
        let info = parse(url)?;
        let address = info.addr().to_string();
        Ok(Self(Arc::new(Inner {
            client: client(info, &options)?,
            address,
            keys: Keys::new(&options.prefix, &options.secret),
            clock: Arc::new(SystemClock),
            places: Semaphore::new(options.max_waiting.min(Semaphore::MAX_PERMITS)),
            state: Mutex::new(State {
                breaker: Breaker::new(options.max_failures, options.pause),
                link: None,
                next: 0,
                reason: String::new(),
            }),
            options,
        })))
    }

    /// Asks whether Redis answers.
    ///
    /// # Errors
    /// `Config` where it refuses the password or its certificate is not trusted, `Timeout`,
    /// `Network` or `Server` where it is not there, and `Overloaded` where too many commands wait.
    ///
    /// # Cancel safety
    /// A dropped future changes nothing.
    pub async fn ping(&self) -> Result<()> {
        let ping = ::redis::cmd("PING");
        self.ask(async |mut link| ping.query_async::<String>(&mut link).await)
            .await?;
        Ok(())
    }

    /// False while Redis is left alone, after failures.
    pub fn is_available(&self) -> bool {
        self.0.state().breaker.is_closed()
    }

    pub(super) fn options(&self) -> &RedisOptions {
        &self.0.options
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.0.keys
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// What Redis says to a command, within the time there is.
    pub(super) async fn ask<T>(
        &self,
        command: impl AsyncFnOnce(MultiplexedConnection) -> RedisResult<T>,
    ) -> Result<T> {
        let inner = &*self.0;
        let runtime = Handle::try_current().map_err(|_| error::no_runtime())?;
        let attempt = inner.admit()?;
        let place = inner.places.try_acquire();
        let _place = place.map_err(|_| inner.at(error::busy(inner.options.max_waiting)))?;
        let link = inner.link(&runtime);
        let answer = async { command(link.connecting.clone().await?).await };
        let (error, health) = match tokio::time::timeout(inner.options.timeout, answer).await {
            Ok(Ok(value)) => {
                attempt.succeeded();
                return Ok(value);
            }
            Ok(Err(error)) => {
                if error.is_unrecoverable_error() {
                    inner.drop_link(link.id);
                }
                error::read(&error)
            }
            Err(_) => (error::slow(inner.options.timeout), Health::Failing),
        };
        match health {
            Health::Answering => attempt.succeeded(),
            Health::Failing => attempt.failed(&error.to_string()),
        }
        Err(inner.at(error))
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("address", &self.0.address)
            .field("options", &self.0.options)
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn at(&self, error: Error) -> Error {
        error.with_context("redis", &self.address)
    }

    fn admit(&self) -> Result<Attempt<'_>> {
        let now = self.clock.monotonic();
        let mut state = self.state();
        match state.breaker.admit(now) {
            Ok(ticket) => Ok(Attempt {
                inner: self,
                ticket,
                began: now,
                is_settled: false,
            }),
            Err(wait) => Err(self.at(error::left_alone(wait, &state.reason))),
        }
    }

    /// The connection, being made where there is none. It is made in a task of its own, so that it
    /// comes about even when whoever asks first does not wait that long.
    fn link(&self, runtime: &Handle) -> Link {
        let mut state = self.state();
        let failed = |link: &Link| matches!(link.connecting.peek(), Some(Err(_)));
        if let Some(link) = &state.link
            && !failed(link)
        {
            return link.clone();
        }
        let client = self.client.clone();
        let settings = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.options.connect_timeout))
            .set_response_timeout(None)
            .set_pipeline_buffer_size(self.options.max_waiting.clamp(1, 1 << 16));
        let task = runtime.spawn(async move {
            client
                .get_multiplexed_async_connection_with_config(&settings)
                .await
        });
        let connecting = async { task.await.unwrap_or_else(|_| Err(stopped())) };
        state.next = state.next.wrapping_add(1);
        let link = Link {
            id: state.next,
            connecting: connecting.boxed().shared(),
        };
        state.link = Some(link.clone());
        link
    }

    fn drop_link(&self, id: u64) {
        let mut state = self.state();
        if state.link.as_ref().is_some_and(|link| link.id == id) {
            state.link = None;
        }
    }
}

/// The runtime that was to make the connection ended.
fn stopped() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::NotConnected).into()
}

/// One command under way. It counts as failed, too, when nobody waits any more although most of
/// its time is over: others have a time limit of their own, and it may be the same.
struct Attempt<'a> {
    inner: &'a Inner,
    ticket: Ticket,
    began: Instant,
    is_settled: bool,
}

impl Attempt<'_> {
    fn succeeded(mut self) {
        self.is_settled = true;
        if self.inner.state().breaker.succeeded() {
            tracing::info!(redis = %self.inner.address, "redis answers again");
        }
    }

    fn failed(mut self, reason: &str) {
        self.fail(reason);
    }

    fn fail(&mut self, reason: &str) {
        self.is_settled = true;
        let now = self.inner.clock.monotonic();
        let mut state = self.inner.state();
        reason.clone_into(&mut state.reason);
        if state.breaker.failed(self.ticket, now) {
            // It may hang alone; the next try is a new one.
            state.link = None;
            let (redis, pause) = (&self.inner.address, self.inner.options.pause);
            tracing::warn!(%redis, reason, ?pause, "redis is left alone; going on without");
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.is_settled {
            return;
        }
        let now = self.inner.clock.monotonic();
        let timeout = self.inner.options.timeout;
        if now.saturating_duration_since(self.began) >= timeout / 4 * 3 {
            self.fail("nobody waited for redis any longer");
        } else {
            self.inner.state().breaker.abandoned(self.ticket, now);
        }
    }
}

/// Values with a time to live, which is all that the caches need.
impl Redis {
    pub(super) async fn get(&self, name: &str) -> Result<Option<Bytes>> {
        let mut get = ::redis::cmd("GET");
        get.arg(name);
        let value: Option<Vec<u8>> = self
            .ask(async |mut link| get.query_async(&mut link).await)
            .await?;
        Ok(value.map(Bytes::from))
    }

    /// Puts a value in place of what was there; for less than a millisecond, nothing.
    pub(super) async fn put(&self, name: &str, value: &[u8], ttl: Duration) -> Result<()> {
        let millis = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
        if millis == 0 {
            return self.remove(name).await;
        }
        let mut set = ::redis::cmd("SET");
        // Redis adds the time to its own and refuses what does not fit.
        set.arg(name).arg(value).arg("PX").arg(millis.min(1 << 48));
        self.ask(async |mut link| set.query_async::<()>(&mut link).await)
            .await
    }

    pub(super) async fn remove(&self, name: &str) -> Result<()> {
        let mut remove = ::redis::cmd("DEL");
        remove.arg(name);
        self.ask(async |mut link| remove.query_async::<()>(&mut link).await)
            .await
    }
}
