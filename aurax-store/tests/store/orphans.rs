//! What a process leaves open that dies, or seems to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use aurax_core::{
    Call, Capability, Clock, Ctx, Engine, Error, ErrorKind, Money, Page, Phase, Principal,
    Provider, ProviderInfo, Reply, Result, RetryPolicy, Upstream, async_trait,
};
use aurax_store::testkit::{self, Books, ChargeRow};
use aurax_store::{LedgerOptions, SILENCE, Swept, UsageFilter};
use futures::StreamExt as _;
use time::{Duration, OffsetDateTime};

use crate::desk::{Desk, Hands, Kind};
use crate::support::{Counter, ask, call, engine};

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

fn streamed(words: &str) -> Call {
    let mut request = ask(words);
    request.stream = true;
    Call::chat(call(words).model, request)
}

fn sum(amounts: impl Iterator<Item = Option<Money>>) -> Money {
    let known = amounts.flatten();
    known.fold(Money::ZERO, |sum, cost| sum.checked_add(cost).unwrap())
}

/// The books of one tenant with one budget, with nothing in flight.
fn assert_adds_up(books: &Books) {
    let charged = sum(books.charges.iter().map(|row| row.cost));
    assert_eq!(charged, sum(books.settlements.iter().map(|row| row.cost)));
    let budget = &books.budgets[0];
    assert_eq!((budget.spent, budget.reserved), (charged, Money::ZERO));
}

pub(crate) async fn what_a_dead_process_left_open_is_settled_once(desk: Desk) -> Desk {
    let Some(other) = desk.another().await else {
        return desk;
    };
    let ada = Principal::new("ada");
    testkit::add_budget(&desk.store, &ada, true, money("1"))
        .await
        .unwrap();
    let (engine, _) = engine(other.ledger(LedgerOptions::default()).unwrap());
    let ctx = Ctx::new(ada);
    let mut reply = engine.call(&ctx, &streamed("2")).await.unwrap();
    let jobs = desk.store.jobs();
    // It said that it lives when it started, which is not a minute ago.
    let swept = jobs.sweep_orphans(SILENCE).await.unwrap();
    assert_eq!(swept, Swept::default());
    let swept = jobs.sweep_orphans(Duration::ZERO).await.unwrap();
    assert_eq!((swept.replicas, swept.attempts, swept.charges), (1, 1, 1));
    let again = jobs.sweep_orphans(Duration::ZERO).await.unwrap();
    assert_eq!(again.attempts, 0);
    let books = Books::read(&desk.store).await.unwrap();
    let estimated = books.charges[0].cost.unwrap();
    assert_eq!(books.settlements[0].reason.as_deref(), Some("orphan"));
    assert_eq!(books.budgets[0].spent, estimated);
    assert_eq!(books.budgets[0].reserved, Money::ZERO);
    // It was not dead: what it says at last corrects the estimate.
    while let Some(batch) = reply.next().await {
        batch.unwrap();
    }
    let cost = money("0.0000162");
    let books = Books::read(&desk.store).await.unwrap();
    let kinds: Vec<_> = books
        .settlements
        .iter()
        .map(|row| row.kind.as_str())
        .collect();
    assert_eq!(kinds.len(), 2);
    assert!(
        kinds.contains(&"settle") && kinds.contains(&"adjust"),
        "{kinds:?}"
    );
    assert_eq!(books.budgets[0].spent, cost);
    assert_adds_up(&books);
    // What the estimate counted is not counted again.
    let tokens = |of: fn(&ChargeRow) -> u64| books.charges.iter().map(of).sum::<u64>();
    assert_eq!(tokens(|charge| charge.request_tokens), 100);
    assert_eq!(tokens(|charge| charge.response_tokens), 2);
    let rows = desk.store.user(&Principal::new("ada")).usage();
    let rows = rows.rows(&UsageFilter::default(), &Page::first()).await;
    let rows = rows.unwrap().data;
    let input = rows.iter().map(|row| row.buckets.input_tokens());
    let output = rows.iter().map(|row| row.buckets.output_tokens());
    assert_eq!((input.sum::<u64>(), output.sum::<u64>()), (100, 2));
    assert_eq!(rows.iter().map(|row| row.total_tokens).sum::<u64>(), 102);
    other.close().await;
    desk
}

pub(crate) async fn what_was_left_open_long_ago_counts_for_then(desk: Desk) -> Desk {
    let Some(other) = desk.another().await else {
        return desk;
    };
    let (engine, _) = engine(other.ledger(LedgerOptions::default()).unwrap());
    let reply = engine.call(&Ctx::local(), &streamed("hang")).await.unwrap();
    let began = aurax_core::SystemClock.now();
    // Nobody looks after it for a month.
    let later = Hands::at_time(began + Duration::days(30));
    let jobs = desk.store.with_clock(later).jobs();
    let swept = jobs.sweep_orphans(SILENCE).await.unwrap();
    assert_eq!((swept.attempts, swept.charges), (1, 1));
    let hour = Duration::hours(1);
    let then = UsageFilter::between(began - hour, began + hour);
    let scope = desk.store.user(&Principal::local());
    let sums = scope.usage().summary(&then).await.unwrap();
    assert_eq!((sums.requests, sums.errors), (1, 1));
    assert!(sums.cost > Money::ZERO && sums.request_tokens > 0);
    drop(reply);
    other.close().await;
    desk
}

/// Fails once, when it is let, and hangs after that.
#[derive(Debug)]
struct Stumbling {
    counter: Counter,
    calls: AtomicU64,
    go: Arc<tokio::sync::Semaphore>,
}

#[async_trait]
impl Provider for Stumbling {
    fn info(&self) -> &ProviderInfo {
        self.counter.info()
    }

    fn capability(&self) -> Capability {
        self.counter.capability()
    }

    async fn call(&self, ctx: &Ctx, call: &Call) -> Result<Reply> {
        if self.calls.fetch_add(1, Ordering::Relaxed) > 0 {
            return self.counter.call(ctx, call).await;
        }
        self.go.acquire().await.unwrap().forget();
        Err(Error::new(ErrorKind::Server, "the provider said no")
            .with_upstream(Upstream::new(Some(500), "no"))
            .with_phase(Phase::Headers))
    }
}

/// Waits until something is so.
async fn until(what: impl AsyncFn() -> bool) {
    for _ in 0..3_000 {
        if what().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it never was");
}

pub(crate) async fn a_request_that_is_swept_twice_is_charged_for_both(desk: Desk) -> Desk {
    let Some(other) = desk.another().await else {
        return desk;
    };
    let ada = Principal::new("ada");
    testkit::add_budget(&desk.store, &ada, false, money("1"))
        .await
        .unwrap();
    let go = Arc::new(tokio::sync::Semaphore::new(0));
    let provider = Stumbling {
        counter: Counter::new(),
        calls: AtomicU64::new(0),
        go: go.clone(),
    };
    let engine = Engine::builder()
        .provider(provider)
        .ledger(other.ledger(LedgerOptions::default()).unwrap())
        .retry(RetryPolicy::default().with_max_retries(1))
        .build()
        .unwrap();
    let calling = tokio::spawn(async move {
        let ctx = Ctx::new(ada);
        engine.call(&ctx, &streamed("hang")).await.unwrap()
    });
    let opened = async |count: usize| {
        let books = Books::read(&desk.store).await.unwrap();
        books.attempts.len() == count
    };
    until(async || opened(1).await).await;
    let jobs = desk.store.jobs();
    let first = jobs.sweep_orphans(Duration::ZERO).await.unwrap();
    assert_eq!((first.attempts, first.charges), (1, 1));
    // It lives, tries once more, and is silent again.
    go.add_permits(1);
    until(async || opened(2).await).await;
    let reply = calling.await.unwrap();
    desk.tamper(
        "INSERT INTO replicas (id, started_at, heartbeat_at)
         SELECT DISTINCT owner, opened_at, opened_at FROM attempts ORDER BY 2 LIMIT 1
         ON CONFLICT (id) DO NOTHING",
    )
    .await;
    let second = jobs.sweep_orphans(Duration::ZERO).await.unwrap();
    assert_eq!((second.attempts, second.charges), (1, 1));
    let books = Books::read(&desk.store).await.unwrap();
    assert_eq!(books.charges.len(), 2);
    let requests = books.charges.iter();
    let requests = requests.filter(|row| row.request_type != "adjust");
    assert_eq!(requests.count(), 1);
    assert!(books.budgets[0].spent > Money::ZERO);
    assert_adds_up(&books);
    // And once more it lives: both estimates are corrected.
    drop(reply);
    other.close().await;
    let books = Books::read(&desk.store).await.unwrap();
    assert_eq!((books.settlements.len(), books.charges.len()), (4, 3));
    assert_adds_up(&books);
    desk
}

/// A clock that stops whoever asks it for the second time, until it is let go on.
#[derive(Debug)]
struct Halting {
    at: OffsetDateTime,
    asked: AtomicU64,
    reached: mpsc::SyncSender<()>,
    go: Mutex<mpsc::Receiver<()>>,
}

impl Clock for Halting {
    fn now(&self) -> OffsetDateTime {
        if self.asked.fetch_add(1, Ordering::Relaxed) == 1 {
            self.reached.send(()).unwrap();
            self.go.lock().unwrap().recv().unwrap();
        }
        self.at
    }

    fn monotonic(&self) -> tokio::time::Instant {
        aurax_core::SystemClock.monotonic()
    }
}

pub(crate) async fn a_process_that_comes_back_is_left_alone(desk: Desk) -> Desk {
    let Some(other) = desk.another().await else {
        return desk;
    };
    let (engine, _) = engine(other.ledger(LedgerOptions::default()).unwrap());
    let reply = engine.call(&Ctx::local(), &streamed("hang")).await.unwrap();
    let (reached, stopped) = mpsc::sync_channel(1);
    let (go, wait) = mpsc::sync_channel(1);
    let clock = Halting {
        at: aurax_core::SystemClock.now() + Duration::hours(1),
        asked: AtomicU64::new(0),
        reached,
        go: Mutex::new(wait),
    };
    let jobs = desk.store.with_clock(Arc::new(clock)).jobs();
    let sweep = tokio::spawn(async move { jobs.sweep_orphans(SILENCE).await });
    // It was found silent, and says that it lives before anything is settled for it.
    tokio::task::spawn_blocking(move || stopped.recv().unwrap())
        .await
        .unwrap();
    desk.tamper(match desk.kind {
        Kind::Memory | Kind::File => "UPDATE replicas SET heartbeat_at = heartbeat_at + 7200000000",
        Kind::Postgres | Kind::PgBouncer => {
            "UPDATE replicas SET heartbeat_at = heartbeat_at + interval '2 hours'"
        }
    })
    .await;
    go.send(()).unwrap();
    assert_eq!(sweep.await.unwrap().unwrap(), Swept::default());
    let books = Books::read(&desk.store).await.unwrap();
    assert_eq!((books.settlements.len(), books.charges.len()), (0, 0));
    drop(reply);
    other.close().await;
    desk
}
