//! A server whose providers all point to the hostile upstream.

use std::sync::Arc;
use std::time::Duration;

use aurax::providers::hostile::{Dialect, HostileUpstream, Scenario};
use aurax::providers::transport::{ReqwestTransport, Transport};
use aurax::providers::{Options, presets, provider};
use aurax::{BreakerPolicy, RetryPolicy, Timeouts};
use serde_json::json;

use crate::support::{Client, Kind, Server, Setup};

/// A key of the operator's, which nobody may see.
pub(crate) const CANARY: &str = "sk-hostile-canary";

pub(crate) struct World {
    pub(crate) upstream: HostileUpstream,
    pub(crate) server: Server,
    pub(crate) ada: Client,
}

impl World {
    /// One whose providers may be silent for so long.
    pub(crate) async fn start(timeouts: Timeouts) -> Self {
        let upstream = HostileUpstream::start().await.unwrap();
        let transport: Arc<dyn Transport> = Arc::new(ReqwestTransport::new());
        let mut setup = Setup::new();
        setup.engine = setup
            .engine
            .timeouts(timeouts)
            .retry(RetryPolicy::never())
            .breaker(BreakerPolicy::never());
        for dialect in Dialect::ALL {
            let options = Options::new()
                .with_api_key(CANARY)
                .with_base_url(upstream.base_url(dialect));
            let preset = presets::find(name(dialect)).unwrap();
            let provider = provider(preset, options, transport.clone()).unwrap();
            setup.engine = setup.engine.provider(provider);
        }
        let server = Server::with(Kind::File, setup).await.unwrap();
        let ada = server.user().await;
        Self {
            upstream,
            server,
            ada,
        }
    }

    pub(crate) async fn session(&self) -> String {
        loop {
            let made = self.ada.post("/chat/sessions", &json!({})).await;
            // The ledger may be writing down megabytes.
            if made.status.as_u16() != 503 {
                break made.expect(201)["id"].as_str().unwrap().to_owned();
            }
        }
    }

    /// Waits until nothing is held for any call.
    pub(crate) async fn quiet(&self) -> Result<(), String> {
        let quiet = async {
            while self.upstream.open() > 0 || !self.server.is_idle() {
                crate::support::moment().await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(10), quiet).await;
        waited.map_err(|_| {
            let (open, idle) = (self.upstream.open(), self.server.is_idle());
            format!("{open} requests are held; no task is: {idle}")
        })
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

/// Whether the upstream is silent where it should not be.
pub(crate) const fn is_silent(scenario: Scenario) -> bool {
    matches!(
        scenario,
        Scenario::SilentHead
            | Scenario::SilentStart
            | Scenario::SilentMiddle
            | Scenario::PingsForever
            | Scenario::SlowDrip
    )
}

/// How long to wait in each phase, and in all.
pub(crate) fn patience(phase: u64, total: u64) -> Timeouts {
    let phase = Duration::from_millis(phase);
    Timeouts::default()
        .with_headers(phase)
        .with_whole(phase)
        .with_first_content(phase)
        .with_idle_before_content(phase)
        .with_idle(phase)
        .with_total(Duration::from_millis(total))
}
