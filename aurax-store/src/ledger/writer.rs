//! The thread that writes the books.

use std::sync::Arc;
use std::time::Duration;

use aurax_core::{Clock, Error, ErrorKind, Result};
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior};
use uuid::Uuid;

use super::batch::{Batch, Refused, Written};
use super::charges::Charges;
use super::fault::{CrashPoint, Faults, Sabotage, reached};
use super::queue::{Inbox, Limited, Work};
use super::unavailable;
use crate::catalogue::ledger as sql;
use crate::db::{Access, Arg, Db, Mode, Tx, args};

/// How often the writer says that it lives.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// A process that was silent for this long says that it lives before it opens anything: a sweep
/// may have forgotten it, and finds what it leaves open only while it is known.
const LATEST_HEARTBEAT: Duration = Duration::from_secs(20);
/// The first and the longest pause before another try.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(500));

/// Starts the thread. `done` is told when everything is written.
pub(super) fn start(desk: Desk, inbox: Inbox, done: oneshot::Sender<()>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| cannot_start().with_source(e))?;
    let writer = Writer {
        desk,
        inbox,
        charges: Charges::default(),
        said: None,
    };
    std::thread::Builder::new()
        .name("aurax-ledger".to_owned())
        .spawn(move || {
            runtime.block_on(writer.run());
            if done.send(()).is_err() {
                tracing::debug!("nobody waits for the ledger to stop");
            }
        })
        .map_err(|e| cannot_start().with_source(e))?;
    Ok(())
}

fn cannot_start() -> Error {
    Error::new(ErrorKind::Internal, "the ledger's thread cannot be started")
}

/// What the writer works with. It does not keep the store open.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) db: Db,
    pub(super) clock: Arc<dyn Clock>,
    /// This process, among those that share the database.
    pub(super) replica: Uuid,
    pub(super) limited: Arc<Limited>,
    pub(super) faults: Faults,
}

/// Whether a transaction takes along what waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// All there is room for.
    More,
    /// What it was given alone.
    Nothing,
}

struct Writer {
    desk: Desk,
    inbox: Inbox,
    charges: Charges,
    /// When it said last that it lives.
    said: Option<Instant>,
}

impl Writer {
    async fn run(mut self) {
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let mut work = Work::default();
            let goes_on = tokio::select! {
                biased;
                _ = heartbeat.tick() => {
                    self.beat().await;
                    true
                }
                goes_on = self.inbox.arrival(&mut work) => goes_on,
            };
            self.commit(work, Takes::More).await;
            if !goes_on {
                break;
            }
        }
        self.leave().await;
    }

    /// Says that this process lives, and from which attempt on a sweep would have to look.
    async fn beat(&mut self) {
        let now = self.desk.clock.monotonic();
        match self.once(&sql::HEARTBEAT, &self.heartbeat()).await {
            Ok(()) => self.said = Some(now),
            Err(error) => tracing::warn!(%error, "the ledger's heartbeat was not kept"),
        }
    }

    fn heartbeat(&self) -> [Arg; 3] {
        let (id, at) = (self.desk.replica, self.desk.clock.now());
        args! { id, at, oldest: self.charges.oldest() }
    }

    /// Whether nobody may know that it lives.
    fn is_silent(&self, now: Instant) -> bool {
        self.said
            .is_none_or(|said| now.saturating_duration_since(said) > LATEST_HEARTBEAT)
    }

    async fn leave(&self) {
        let args = args! { id: self.desk.replica, at: self.desk.clock.now() };
        if let Err(error) = self.once(&sql::LEAVE, &args).await {
            tracing::warn!(%error, "the ledger did not say that it stops");
        }
    }

    async fn once(&self, statement: &crate::db::Statement, args: &[Arg]) -> Result<()> {
        let mut tx = self.desk.db.begin(Access::Ledger, Mode::Write).await?;
        tx.run(statement, args).await?;
        tx.commit().await
    }

    /// Writes work until all of it is durable. Opens whose callers have left are forgotten;
    /// settlements are tried for as long as it takes.
    async fn commit(&mut self, mut work: Work, takes: Takes) {
        let mut pause = PAUSES.0;
        let mut is_careful = false;
        loop {
            // However many are refused while the database is away, none of them stays here.
            self.forget(&mut work);
            while takes == Takes::More && self.inbox.fill(&mut work) {
                self.forget(&mut work);
            }
            if work.is_empty() {
                return;
            }
            let refused = match self.attempt(&mut work, is_careful).await {
                Ok(written) => return self.tell(work, written),
                Err(refused) => refused,
            };
            is_careful = true;
            match refused {
                Refused::Known => continue,
                Refused::Data(error) => return self.isolate(work, error).await,
                Refused::Away(error) => {
                    tracing::warn!(
                        %error, settlements = work.settlements.len(), opens = work.opens.len(),
                        "the ledger waits for the database"
                    );
                    if error.kind() == ErrorKind::Config {
                        work.refuse_opens(|| unavailable("the database refuses the ledger"));
                    }
                }
            }
            let jitter = Duration::from_millis(fastrand::u64(0..=20));
            tokio::time::sleep(pause.saturating_add(jitter)).await;
            pause = pause.saturating_mul(2).min(PAUSES.1);
        }
    }

    /// Answers what needs no database: requests of which no intent was ever tried.
    fn forget(&self, work: &mut Work) {
        work.opens.retain(super::queue::Open::is_wanted);
        let settlements = std::mem::take(&mut work.settlements);
        for mut settle in settlements {
            let is_known = self.charges.get(settle.charge_id()).is_some();
            settle.facts.finish();
            match settle.facts.finished() {
                Some(of) if !is_known && of.cached.is_none() || self.desk.faults.forgets(of) => {
                    let receipt = super::batch::receipt(of);
                    settle.answer(receipt);
                }
                _ => work.settlements.push(settle),
            }
        }
    }

    /// One transaction.
    async fn attempt(&mut self, work: &mut Work, is_careful: bool) -> Result<Written, Refused> {
        let begun = self.desk.db.begin(Access::Ledger, Mode::Write).await;
        let mut tx = begun.map_err(Refused::Away)?;
        let now = self.desk.clock.monotonic();
        let is_silent = self.is_silent(now);
        if is_silent && let Err(error) = tx.run(&sql::HEARTBEAT, &self.heartbeat()).await {
            undo(tx).await;
            return Err(Refused::Away(error));
        }
        let batch = Batch {
            tx: &mut tx,
            charges: &mut self.charges,
            owner: self.desk.replica,
            now: self.desk.clock.now(),
            limited: &self.desk.limited,
            faults: self.desk.faults,
            is_careful,
        };
        match batch.write(work).await {
            Ok(written) => {
                // From here on nobody knows, until the commit has succeeded.
                self.remember(work, &written);
                if self.desk.faults.does(Sabotage::SettleAfterAck) {
                    answer_early(work).await;
                }
                if !work.settlements.is_empty() {
                    reached(CrashPoint::BeforeSettle);
                }
                tx.commit().await.map_err(Refused::Away)?;
                if is_silent {
                    self.said = Some(now);
                }
                if !work.settlements.is_empty() {
                    reached(CrashPoint::AfterSettle);
                }
                if !work.opens.is_empty() {
                    reached(CrashPoint::AfterIntent);
                }
                Ok(written)
            }
            Err(refused) => {
                undo(tx).await;
                Err(refused)
            }
        }
    }

    fn remember(&mut self, work: &Work, written: &Written) {
        for (open, verdict) in work.opens.iter().zip(&written.opens) {
            if let Ok(attempt) = verdict {
                self.charges.opened(&open.intent, attempt.clone());
            }
        }
    }

    /// Tells everybody, now that it is durable.
    fn tell(&mut self, work: Work, written: Written) {
        for (open, verdict) in work.opens.into_iter().zip(written.opens) {
            let answer = verdict.map(|mut attempt| {
                attempt.is_certain = true;
                let opened = attempt.opened;
                self.charges.opened(&open.intent, attempt);
                opened
            });
            open.answer(answer);
        }
        for (settle, receipt) in work.settlements.into_iter().zip(written.receipts) {
            self.charges.settled(settle.charge_id());
            settle.answer(receipt);
        }
    }

    /// Writes each message by itself, so that one that no database takes fails alone.
    async fn isolate(&mut self, work: Work, error: Error) {
        let mut parts: Vec<Work> = Vec::new();
        for settle in work.settlements {
            parts.push(Work {
                settlements: vec![settle],
                ..Work::default()
            });
        }
        for open in work.opens {
            parts.push(Work {
                opens: vec![open],
                ..Work::default()
            });
        }
        for lease in work.releases {
            parts.push(Work {
                releases: vec![lease],
                ..Work::default()
            });
        }
        if let [_] = parts.as_slice() {
            for part in parts {
                self.give_up(part, &error);
            }
            return;
        }
        for part in parts {
            Box::pin(self.commit(part, Takes::Nothing)).await;
        }
    }

    /// What cannot be written at all. Its attempts stay among those in flight: when this process
    /// has ended, a sweep settles them as estimated.
    fn give_up(&self, mut work: Work, error: &Error) {
        for settle in work.settlements.drain(..) {
            let charge_id = settle.charge_id();
            tracing::error!(%error, %charge_id, "a settlement cannot be recorded");
            settle.answer(Err(said(error)));
        }
        for open in work.opens.drain(..) {
            open.answer(Err(said(error)));
        }
    }
}

async fn undo(tx: Tx) {
    if let Err(error) = tx.rollback().await {
        tracing::warn!(%error, "the ledger's transaction was not rolled back");
    }
}

/// Lets callers go on before their settlements are written, which only a test wants.
async fn answer_early(work: &mut Work) {
    for settle in &mut work.settlements {
        if let Some(of) = settle.facts.finished() {
            let receipt = super::batch::receipt(of);
            settle.answer_early(receipt);
        }
    }
    if !work.settlements.is_empty() {
        tokio::time::sleep(PAUSES.1).await;
    }
}

fn said(error: &Error) -> Error {
    Error::new(error.kind(), error.to_string())
}
