//! An engine whose providers all point to the hostile upstream.

use std::sync::Arc;
use std::time::Duration;

use aurax::providers::hostile::{Dialect, HostileUpstream, Scenario};
use aurax::providers::transport::{ReqwestTransport, Transport};
use aurax::providers::{Options, presets, provider};
use aurax::{BreakerPolicy, Engine, MemoryLedger, RetryPolicy, Timeouts};

pub(crate) struct World {
    pub(crate) upstream: HostileUpstream,
    pub(crate) engine: Engine,
    pub(crate) ledger: MemoryLedger,
}

impl World {
    pub(crate) async fn start() -> Self {
        let upstream = HostileUpstream::start().await.unwrap();
        let (engine, ledger) = engine(|dialect| upstream.base_url(dialect));
        Self {
            upstream,
            engine,
            ledger,
        }
    }
}

/// The preset whose provider speaks a protocol.
pub(crate) const fn name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Chat => "openai",
        Dialect::Responses => "openai-responses",
        Dialect::Messages => "anthropic",
        Dialect::Gemini => "gemini",
        _ => "ollama",
    }
}

/// How long to wait in each phase: short where the upstream is silent, so that the test is not
/// long, and ample where it has megabytes to send.
pub(crate) fn patience(scenario: Scenario) -> Timeouts {
    let (phase, total) = match scenario {
        Scenario::SilentHead
        | Scenario::SilentStart
        | Scenario::SilentMiddle
        | Scenario::PingsForever
        | Scenario::SlowDrip => (700, 1_400),
        _ => (20_000, 60_000),
    };
    let phase = Duration::from_millis(phase);
    Timeouts::default()
        .with_headers(phase)
        .with_whole(phase)
        .with_first_content(phase)
        .with_idle_before_content(phase)
        .with_idle(phase)
        .with_total(Duration::from_millis(total))
}

pub(crate) fn engine(base_url: impl Fn(Dialect) -> String) -> (Engine, MemoryLedger) {
    let transport: Arc<dyn Transport> = Arc::new(ReqwestTransport::new());
    let ledger = MemoryLedger::new();
    let mut builder = Engine::builder()
        .ledger(ledger.clone())
        .retry(RetryPolicy::never())
        .breaker(BreakerPolicy::never());
    for dialect in Dialect::ALL {
        let preset = presets::find(name(dialect)).unwrap();
        let options = Options::new()
            .with_api_key("sk-hostile-key")
            .with_base_url(base_url(dialect));
        builder = builder.provider(provider(preset, options, transport.clone()).unwrap());
    }
    (builder.build().unwrap(), ledger)
}
