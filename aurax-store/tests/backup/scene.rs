//! A store that clients load while it is backed up.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aurax_core::{BreakerPolicy, Engine, EngineBuilder, ModelId, Money, Principal, RetryPolicy};
use aurax_providers::transport::ReqwestTransport;
use aurax_providers::{Options, presets, provider};
use aurax_store::testkit::{
    self, Audit, Books, Fact, Journal, Load, Mix, Moment, Seen, Tally, Upstream,
};
use aurax_store::{Store, UsageRow};
use uuid::Uuid;

use crate::place::{Folder, LIMIT, principal, until};

const CLIENTS: usize = 16;

/// Clients at work.
pub(crate) struct Scene {
    pub(crate) journal: PathBuf,
    pub(crate) upstream: Upstream,
    load: tokio::task::JoinHandle<Tally>,
}

impl Scene {
    /// Fills the store with what takes a while to copy, and sets clients to work.
    pub(crate) async fn begin(folder: &Folder, store: &Store) -> Self {
        let limit: Money = "1000".parse().unwrap();
        testkit::add_budget(store, &principal(), true, limit)
            .await
            .unwrap();
        fill(store).await;
        let upstream = Upstream::start(folder.path().join("upstream.jsonl")).await;
        let upstream = upstream.unwrap();
        let journal = folder.path().join("clients.jsonl");
        let load = Load::new(
            builder(upstream.url())
                .store(store.clone())
                .build()
                .unwrap(),
            ModelId::parse("openai/gpt-4o-mini").unwrap(),
            Arc::new(Journal::open(&journal).unwrap()),
        )
        .with_clients(CLIENTS)
        .with_sessions(CLIENTS / 2)
        .with_mix(Mix::default())
        .with_seed(7)
        .with_principal(principal());
        let load = tokio::spawn(async move { load.run(usize::MAX).await });
        let scene = Self {
            journal,
            upstream,
            load,
        };
        let path = scene.journal.clone();
        until("a hundred replies", LIMIT, || {
            acknowledged(&path).len() > 100
        })
        .await;
        scene
    }

    /// Sends the clients home and waits until nothing goes on.
    pub(crate) async fn end(&mut self) {
        self.load.abort();
        assert!((&mut self.load).await.unwrap_err().is_cancelled());
        let upstream = &self.upstream;
        until("the upstream is idle", LIMIT, || upstream.open() == 0).await;
    }

    /// Audits a restored store, of which everything that was acknowledged `before` the backup
    /// began must be there.
    pub(crate) async fn audit(&self, restored: &Store, before: &HashSet<Uuid>) -> Audit {
        // Everybody in it is dead, however lately it spoke.
        let silence = time::Duration::seconds(-60);
        restored.jobs().sweep_orphans(silence).await.unwrap();
        let mut books = Books::read(restored).await.unwrap();
        let filler = restored.user(&other()).user_id();
        books.charges.retain(|charge| charge.user_id != filler);
        let mut attempts: HashMap<Uuid, usize> = HashMap::new();
        for attempt in &books.attempts {
            *attempts.entry(attempt.request_id).or_default() += 1;
        }
        // Of requests that ended later, the restored store knows no more than that they began.
        let mut seen: Vec<Seen> = Journal::read(&self.journal).unwrap();
        seen.retain(|one| matches!(one, Seen::Asking { .. }) || before.contains(&request(one)));
        let mut facts = self.upstream.facts().unwrap();
        facts.retain(|fact| match fact {
            Fact::Asked { request, .. } | Fact::Ended { request, .. }
                if before.contains(request) =>
            {
                true
            }
            Fact::Asked {
                request, attempt, ..
            }
            | Fact::Ended {
                request, attempt, ..
            } => attempts.get(request) >= Some(attempt),
            _ => false,
        });
        let engine = builder(self.upstream.url()).build().unwrap();
        Audit::of(&books, &facts, &seen, &engine, Moment::AtRest)
    }
}

fn builder(url: &str) -> EngineBuilder {
    let options = Options::new().with_base_url(url).with_api_key("sk-test");
    let preset = presets::find("openai").unwrap();
    let upstream = provider(preset, options, Arc::new(ReqwestTransport::new())).unwrap();
    let mut retry = RetryPolicy::default();
    retry.base = Duration::from_millis(5);
    Engine::builder()
        .provider(upstream)
        .retry(retry)
        .breaker(BreakerPolicy::never())
}

/// Several megabytes of old messages' usage, of somebody else.
async fn fill(store: &Store) {
    let at = aurax_core::Clock::now(&aurax_core::SystemClock);
    let rows: Vec<UsageRow> = (0..6_000)
        .map(|_| {
            let mut row = UsageRow::answered("openai", "gpt-4o-mini", at);
            row.error_message = Some("x".repeat(800));
            row
        })
        .collect();
    for page in rows.chunks(500) {
        store.jobs().add_usage(&other(), page).await.unwrap();
    }
}

fn other() -> Principal {
    Principal::new("other")
}

fn request(seen: &Seen) -> Uuid {
    match seen {
        Seen::Asking { request }
        | Seen::Forwarded { request, .. }
        | Seen::Acknowledged { request, .. }
        | Seen::Failed { request, .. }
        | Seen::Left { request } => *request,
        _ => Uuid::nil(),
    }
}

/// The requests whose replies arrived so far.
pub(crate) fn acknowledged(journal: &std::path::Path) -> HashSet<Uuid> {
    let seen: Vec<Seen> = Journal::read(journal).unwrap_or_default();
    let ended = seen
        .iter()
        .filter(|one| matches!(one, Seen::Acknowledged { .. }));
    ended.map(request).collect()
}
