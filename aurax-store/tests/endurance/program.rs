//! The program that is killed: this test binary, run again with orders.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use aurax_core::{
    BreakerPolicy, Bytes, Engine, EngineBuilder, ModelId, Principal, RatePolicy, Result,
    RetryPolicy, async_trait,
};
use aurax_providers::transport::{ByteStream, ReqwestTransport, Transport};
use aurax_providers::{Options, presets, provider};
use aurax_store::testkit::{self, CrashPoint, Journal, Load, Manner, Mix, Sabotage, Tally};
use aurax_store::{LedgerOptions, Store};
use futures::StreamExt as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::place::{Place, until};

/// The model that is asked: 0.15 and 0.60 dollars a million tokens.
pub(crate) const MODEL: &str = "openai/gpt-4o-mini";

/// What a child is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Orders {
    pub(crate) place: Place,
    pub(crate) upstream: String,
    pub(crate) journal: PathBuf,
    pub(crate) seed: u64,
    pub(crate) clients: usize,
    pub(crate) requests: usize,
    pub(crate) manner: Manner,
    pub(crate) mix: Mix,
    pub(crate) principal: String,
    pub(crate) output_limit: Option<u32>,
    /// How long its calls wait for the ledger, in seconds.
    pub(crate) patience: u64,
    /// Where it dies, and how often it passes that point before.
    pub(crate) crash: Option<(CrashPoint, u32)>,
    /// Which rule its ledger breaks.
    pub(crate) sabotage: Option<Sabotage>,
}

impl Orders {
    pub(crate) fn new(place: &Place, upstream: &str, seed: u64) -> Self {
        Self {
            place: place.clone(),
            upstream: upstream.to_owned(),
            journal: place.client_journal(),
            seed,
            clients: 64,
            requests: usize::MAX,
            manner: Manner::Both,
            mix: Mix::default(),
            principal: "load".to_owned(),
            output_limit: None,
            patience: 1,
            crash: None,
            sabotage: None,
        }
    }
}

/// A transport that dies where it is told to.
#[derive(Debug)]
struct Mortal(ReqwestTransport);

#[async_trait]
impl Transport for Mortal {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<ByteStream>> {
        testkit::reached(CrashPoint::BeforeSend);
        let response = self.0.send(request).await?;
        testkit::reached(CrashPoint::AfterSend);
        Ok(response.map(|body| {
            let body = body.inspect(|_| testkit::reached(CrashPoint::MidStream));
            body.boxed()
        }))
    }
}

/// An engine whose only provider is the upstream at `url`, to price with.
pub(crate) fn pricing(url: &str) -> Engine {
    builder(url).build().unwrap()
}

/// An engine whose only provider is the upstream at `url`, and which keeps everything in `store`.
pub(crate) fn engine(url: &str, store: &Store) -> Engine {
    builder(url).store(store.clone()).build().unwrap()
}

fn builder(url: &str) -> EngineBuilder {
    let transport = ReqwestTransport::new();
    let options = Options::new().with_base_url(url).with_api_key("sk-test");
    let upstream = provider(
        presets::find("openai").unwrap(),
        options,
        Arc::new(Mortal(transport)),
    )
    .unwrap();
    let mut retry = RetryPolicy::default();
    retry.base = Duration::from_millis(5);
    Engine::builder()
        .provider(upstream)
        .retry(retry)
        // Crowds of callers are about the ledger.
        .rate("openai", RatePolicy::default().with_max_waiting(100_000))
        .breaker(BreakerPolicy::never())
}

/// The child's work; without orders it does nothing.
#[test]
#[ignore = "other tests run it, and kill it"]
fn follows_orders() {
    let mut orders = String::new();
    std::io::stdin().read_line(&mut orders).unwrap();
    if orders.is_empty() {
        return;
    }
    let orders: Orders = serde_json::from_str(&orders).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let tally = runtime.block_on(follow(&orders));
    println!("tally {}", serde_json::to_string(&tally).unwrap());
}

async fn follow(orders: &Orders) -> Tally {
    if let Some((point, passes)) = orders.crash {
        testkit::crash_at(point, passes);
    }
    let store = orders.place.open().await;
    let patience = Duration::from_secs(orders.patience);
    let mut options = LedgerOptions::default().with_patience(patience);
    if let Some(sabotage) = orders.sabotage {
        options = testkit::sabotaged(options, sabotage);
    }
    store.ledger(options).unwrap();
    let engine = engine(&orders.upstream, &store);
    let journal = Arc::new(Journal::open(&orders.journal).unwrap());
    let mut load = Load::new(engine, ModelId::parse(MODEL).unwrap(), journal)
        .with_clients(orders.clients)
        .with_manner(orders.manner)
        .with_sessions(orders.clients / 2)
        .with_mix(orders.mix)
        .with_seed(orders.seed)
        .with_principal(Principal::new(orders.principal.as_str()));
    if let Some(limit) = orders.output_limit {
        load = load.with_output_limit(limit);
    }
    let tally = load.run(orders.requests).await;
    store.close().await;
    tally
}

/// A child at work. It is killed when the value goes.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Program {
    pub(crate) fn start(orders: &Orders) -> Self {
        Self::spawn("program::follows_orders", orders)
    }

    /// Runs one of this binary's ignored tests, which reads what it is to do.
    pub(crate) fn spawn(test: &str, orders: &impl Serialize) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test])
            .args(["--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let orders = serde_json::to_string(orders).unwrap();
        writeln!(child.stdin.take().unwrap(), "{orders}").unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// Ends it, as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it dies, which it does by itself, and fails when it comes to its end.
    pub(crate) async fn dies(mut self, what: &str) {
        let mut status = None;
        until(what, Duration::from_secs(30), || {
            status = self.has_ended();
            status.is_some()
        })
        .await;
        assert!(!status.unwrap().success(), "{what} was not reached");
    }

    pub(crate) fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits until it has done what it was told.
    pub(crate) fn tally(self) -> Tally {
        self.said()
    }

    /// Waits for its end, and returns what it said then.
    pub(crate) fn said<T: DeserializeOwned>(mut self) -> T {
        let mut said = None;
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 {
            // The harness may write in front of it.
            if let Some((_, tally)) = line.split_once("tally ") {
                said = Some(serde_json::from_str(tally).unwrap());
            }
            line.clear();
        }
        assert!(self.child.wait().unwrap().success());
        said.unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
    }
}
