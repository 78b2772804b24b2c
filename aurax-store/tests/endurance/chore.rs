//! What runs by itself, in a process of its own that dies in the middle of it.

use std::fs;

use aurax_store::testkit::{self, CrashPoint, Sabotage};
use aurax_store::{KeyFile, Retention, Retired, Vault};
use serde::{Deserialize, Serialize};

use crate::place::Place;
use crate::program::Program;

/// What is to be done.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Task {
    /// Drops what is too old.
    Retire,
    /// Seals every provider key with the current master key, and drops the master keys that seal
    /// nothing, before and after that.
    Rotate,
}

/// What a child is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Chore {
    pub(crate) place: Place,
    pub(crate) task: Task,
    /// Where it dies, and how often it passes that point before.
    pub(crate) crash: Option<(CrashPoint, u32)>,
    /// Which rule it breaks.
    pub(crate) sabotage: Option<Sabotage>,
}

/// What was done.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(crate) retired: Retired,
    pub(crate) rotated: u64,
    pub(crate) failed: usize,
    /// The most memory the process has had, in KiB.
    pub(crate) peak: u64,
}

impl Chore {
    pub(crate) fn new(place: &Place, task: Task) -> Self {
        Self {
            place: place.clone(),
            task,
            crash: None,
            sabotage: None,
        }
    }

    pub(crate) fn with_crash(mut self, point: CrashPoint, passes: u32) -> Self {
        self.crash = Some((point, passes));
        self
    }

    pub(crate) fn with_sabotage(mut self, sabotage: Sabotage) -> Self {
        self.sabotage = Some(sabotage);
        self
    }

    pub(crate) fn start(&self) -> Program {
        Program::spawn("chore::does_its_chore", self)
    }

    /// Does it to the end.
    pub(crate) fn finish(&self) -> Done {
        self.start().said()
    }
}

/// The child's work; without orders it does nothing.
#[test]
#[ignore = "other tests run it, and kill it"]
fn does_its_chore() {
    let mut orders = String::new();
    std::io::stdin().read_line(&mut orders).unwrap();
    if orders.is_empty() {
        return;
    }
    let chore: Chore = serde_json::from_str(&orders).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let done = runtime.block_on(follow(&chore));
    println!("tally {}", serde_json::to_string(&done).unwrap());
}

async fn follow(chore: &Chore) -> Done {
    if let Some((point, passes)) = chore.crash {
        testkit::crash_at(point, passes);
    }
    if let Some(sabotage) = chore.sabotage {
        testkit::sabotage_jobs(sabotage);
    }
    let store = chore.place.open().await;
    let jobs = store.jobs();
    let mut done = Done {
        retired: Retired::default(),
        rotated: 0,
        failed: 0,
        peak: 0,
    };
    match chore.task {
        Task::Retire => {
            done.retired = jobs.retire(&Retention::default(), |_| {}).await.unwrap();
        }
        Task::Rotate => {
            let file = KeyFile::new(chore.place.folder.join("keys"));
            let in_use = jobs.master_keys_in_use().await.unwrap();
            let vault = Vault::new(file.drop_unused(&in_use).unwrap());
            let rotated = jobs.rotate_keys(&vault, |_| {}).await.unwrap();
            let in_use = jobs.master_keys_in_use().await.unwrap();
            file.drop_unused(&in_use).unwrap();
            (done.rotated, done.failed) = (rotated.keys, rotated.failed.len());
        }
    }
    store.close().await;
    done.peak = peak();
    done
}

/// The most memory this process has had so far, in KiB; 0 where the system does not say.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = line.and_then(|line| line.split_whitespace().next());
    peak.map_or(0, |peak| peak.parse().unwrap())
}
