//! What runs by itself: orphans, partitions, retention, and what is forgotten when its time is
//! over. Every replica runs the loops; a lease gives each turn to one of them.

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use aurax::store::{JobLease, JobScope, Retention, SILENCE, Store};
use aurax::{Clock, ErrorKind, Result};
use time::OffsetDateTime;
use uuid::{Builder, Uuid};

use crate::auth::{Authenticator, SHARE_EVERY};
use crate::state::State;

/// An empty partition of so long ago goes.
const OLD: time::Duration = time::Duration::days(62);
/// How many rows go at a time.
const PAGE: u32 = 500;

/// What runs by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Job {
    /// Settles what processes left open that died; every 30 s.
    Orphans,
    /// Makes partitions ahead and drops old empty ones; every 6 hours.
    Partitions,
    /// Drops what is older than it is kept; every hour.
    Retention,
    /// Forgets logins, answers, invitations and shared keys whose time is over; every 10 minutes.
    Leftovers,
}

impl Job {
    /// Every job.
    pub const ALL: [Self; 4] = [
        Self::Orphans,
        Self::Partitions,
        Self::Retention,
        Self::Leftovers,
    ];

    /// Its name, under which it is leased.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Orphans => "orphans",
            Self::Partitions => "partitions",
            Self::Retention => "retention",
            Self::Leftovers => "leftovers",
        }
    }

    /// How often it runs.
    pub const fn every(self) -> Duration {
        Duration::from_secs(match self {
            Self::Orphans => 30,
            Self::Leftovers => 600,
            Self::Retention => 3_600,
            Self::Partitions => 6 * 3_600,
        })
    }

    /// Runs once, unless another process does just now: false.
    ///
    /// # Errors
    /// `Store` when the database is away; what was done so far is done.
    ///
    /// # Cancel safety
    /// A dropped future leaves the rest to the next turn, which another process gets when the lease
    /// is over.
    pub async fn run(self, store: &Store, clock: &dyn Clock) -> Result<bool> {
        let jobs = store.jobs();
        let Some(mut lease) = jobs.lease(self.as_str(), self.held()).await? else {
            return Ok(false);
        };
        let again = self.held().unsigned_abs() / 3;
        match kept(&mut lease, again, self.work(&jobs, clock)).await {
            Ok(()) => lease.finish().await?,
            Err(error) => {
                // The next turn is anybody's at once, if the store can be told.
                if let Err(error) = lease.give_up().await {
                    tracing::debug!(%error, "a job is held until its lease is over");
                }
                return Err(error);
            }
        }
        Ok(true)
    }

    /// How long a turn is held by whoever took it, unless it says that it goes on.
    const fn held(self) -> time::Duration {
        match self {
            Self::Orphans => time::Duration::MINUTE,
            _ => time::Duration::minutes(10),
        }
    }

    async fn work(self, jobs: &JobScope, clock: &dyn Clock) -> Result<()> {
        match self {
            Self::Orphans => {
                let swept = jobs.sweep_orphans(SILENCE).await?;
                if swept.attempts > 0 {
                    tracing::warn!(
                        attempts = swept.attempts,
                        charges = swept.charges,
                        sessions = swept.sessions,
                        "calls of a process that died were settled"
                    );
                }
            }
            Self::Partitions => {
                let done = jobs
                    .partitions(id_at(clock.now().saturating_sub(OLD)))
                    .await?;
                tracing::debug!(made = done.made, dropped = done.dropped.len(), "partitions");
            }
            Self::Retention => {
                let gone = jobs.retire(&Retention::default(), |_| {}).await?;
                tracing::debug!(messages = gone.messages, usage = gone.usage, "retention");
            }
            Self::Leftovers => {
                while jobs.purge_logins(PAGE).await? >= u64::from(PAGE) {}
                while jobs.purge_claims(PAGE).await? >= u64::from(PAGE) {}
                while jobs.purge_invitations(PAGE).await? >= u64::from(PAGE) {}
                jobs.purge_signing_keys().await?;
            }
        }
        Ok(())
    }
}

/// Does the work, and holds the lease for as long as that takes: it is renewed every so often. Work
/// whose lease another process has taken meanwhile is dropped.
async fn kept(
    lease: &mut JobLease,
    again: Duration,
    work: impl Future<Output = Result<()>>,
) -> Result<()> {
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(again) => {
                let progress = lease.progress().unwrap_or_default().to_owned();
                match lease.note(progress).await {
                    Err(error) if error.kind() == ErrorKind::Conflict => return Err(error),
                    Err(error) => tracing::warn!(%error, "a job's lease is not renewed yet"),
                    Ok(()) => {}
                }
            }
        }
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The least id of a moment.
fn id_at(at: OffsetDateTime) -> Uuid {
    let millis = u64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(0);
    Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}

/// Runs every job when it is due, until the server goes down. They begin at once: the first start
/// after a while has the most to do.
pub(crate) fn start(state: &State) {
    for job in Job::ALL {
        let (state, tasks) = (state.clone(), state.drain().tasks().clone());
        tasks.spawn(async move {
            let over = state.drain().announced().clone();
            over.run_until_cancelled(turns(job, &state)).await;
        });
    }
    let (tasks, over) = (state.drain().tasks(), state.drain().announced());
    let (auth, cancel) = (state.auth().clone(), over.clone());
    tasks.spawn(async move {
        cancel.run_until_cancelled(share_keys(&auth)).await;
    });
    let (alerts, cancel) = (state.alerts().clone(), over.clone());
    tasks.spawn(async move { alerts.run(cancel).await });
    let (state, cancel) = (state.clone(), over.clone());
    tasks.spawn(async move {
        let notices = state.alerts().subscribe();
        cancel
            .run_until_cancelled(state.sockets().follow(notices))
            .await;
    });
}

/// Says again and again that this process has its signing keys, and learns of others'.
async fn share_keys(auth: &Authenticator) {
    loop {
        if let Err(error) = auth.share_keys().await {
            tracing::warn!(%error, "signing keys were not shared, which is tried again");
        }
        tokio::time::sleep(SHARE_EVERY * fastrand::u32(90..110) / 100).await;
    }
}

async fn turns(job: Job, state: &State) {
    loop {
        if let Err(error) = job.run(state.store(), &**state.clock()).await {
            tracing::warn!(%job, %error, "a job did not run, and is tried again");
        }
        // A little apart, so that replicas that start together do not ask together for ever.
        let spread = job.every() * fastrand::u32(90..110) / 100;
        tokio::time::sleep(spread).await;
    }
}
