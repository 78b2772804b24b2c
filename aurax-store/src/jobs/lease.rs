//! Leases: one process at a time does a job, and another goes on when it dies.

use aurax_core::{Error, ErrorKind, Result, Retry};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::catalogue::jobs as sql;
use crate::db::args;
use crate::scope::JobScope;

/// A job, held by this process until its time is over.
///
/// Dropping it leaves the job to others when that time is over; [`JobLease::give_up`] leaves it
/// at once.
#[derive(Debug)]
pub struct JobLease {
    jobs: JobScope,
    name: String,
    holder: Uuid,
    time: Duration,
    progress: Option<String>,
}

/// Where a job stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JobState {
    /// Whether some process holds it.
    pub is_held: bool,
    /// How far it has come, in its own words.
    pub progress: Option<String>,
    /// When it was finished last.
    #[serde(with = "time::serde::rfc3339::option")]
    pub finished_at: Option<OffsetDateTime>,
}

impl JobScope {
    /// Takes a job for `time`, unless another holds it.
    ///
    /// # Errors
    /// `Store` when the database is away.
    ///
    /// # Cancel safety
    /// A dropped future may have taken it; it is free again after `time`.
    pub async fn lease(&self, name: &str, time: Duration) -> Result<Option<JobLease>> {
        let now = self.store().now();
        let holder = aurax_core::new_id();
        let (own, until) = (name.to_owned(), now.saturating_add(time));
        let taken = self
            .write(move |tx| {
                Box::pin(async move {
                    let args = args! { name: own, holder, until, now };
                    tx.row(&sql::LEASE, &args).await
                })
            })
            .await?;
        taken
            .map(|row| {
                Ok(JobLease {
                    jobs: self.clone(),
                    name: name.to_owned(),
                    holder,
                    time,
                    progress: row.text_or_null("progress")?,
                })
            })
            .transpose()
    }

    /// Where a job stands.
    ///
    /// # Errors
    /// `Store` when it cannot be read.
    pub async fn job(&self, name: &str) -> Result<JobState> {
        let (name, now) = (name.to_owned(), self.store().now());
        let row = self.row(&sql::STATE, args! { name }).await?;
        let Some(row) = row else {
            return Ok(JobState::default());
        };
        let until = row.time_or_null("held_until")?;
        Ok(JobState {
            is_held: until.is_some_and(|until| until >= now),
            progress: row.text_or_null("progress")?,
            finished_at: row.time_or_null("finished_at")?,
        })
    }
}

impl JobLease {
    /// How far the job had come when it was left last.
    pub fn progress(&self) -> Option<&str> {
        self.progress.as_deref()
    }

    /// Notes how far the job has come, and holds it for another while.
    ///
    /// # Errors
    /// `Conflict` when another process has taken it meanwhile: stop; `Store` when the database is
    /// away.
    pub async fn note(&mut self, progress: impl Into<String>) -> Result<()> {
        let progress = progress.into();
        let until = self.jobs.store().now().saturating_add(self.time);
        let (name, holder, said) = (self.name.clone(), self.holder, progress.clone());
        let held = self
            .jobs
            .write(move |tx| {
                Box::pin(async move {
                    let args = args! { name, holder, until, progress: said };
                    tx.run(&sql::RENEW, &args).await
                })
            })
            .await?;
        if held == 0 {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("another process has taken the job `{}`", self.name),
            )
            .with_retry(Retry::Never));
        }
        self.progress = Some(progress);
        Ok(())
    }

    /// Says that the job is done, so that it begins anew next time.
    ///
    /// # Errors
    /// `Store` when the database is away.
    pub async fn finish(self) -> Result<()> {
        let (name, holder, at) = (self.name, self.holder, self.jobs.store().now());
        self.jobs
            .run(&sql::FINISH, args! { name, holder, at })
            .await
            .map(drop)
    }

    /// Leaves the job to whoever comes next, who goes on where it stands.
    ///
    /// # Errors
    /// `Store` when the database is away.
    pub async fn give_up(self) -> Result<()> {
        let (name, holder) = (self.name, self.holder);
        self.jobs
            .run(&sql::GIVE_UP, args! { name, holder })
            .await
            .map(drop)
    }
}
