//! A store with a clock of its own, and calls in it.

use std::sync::Arc;

use aurax::providers::transport::{ReqwestTransport, Transport};
use aurax::store::{Alert, AlertEvent, Alerts as Stored, NewAlert, Store, UsageRow, UsageStatus};
use aurax::{Decimal, Page, Principal, Secret};
use aurax_server::alerts::{AlertOptions, Alerts, Metric};
use time::Duration;

use crate::desk::{Desk, Hands};

pub(crate) const MINUTE: Duration = Duration::MINUTE;

pub(crate) fn number(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub(crate) fn ada() -> Principal {
    Principal::new("ada")
}

pub(crate) struct Scene {
    pub(crate) desk: Desk,
    pub(crate) hands: Arc<Hands>,
    pub(crate) store: Store,
    pub(crate) alerts: Alerts,
}

impl Scene {
    pub(crate) fn new(desk: Desk) -> Self {
        let hands = Hands::new();
        let store = desk.store.with_clock(hands.clone());
        let alerts = evaluator(&store);
        Self {
            desk,
            hands,
            store,
            alerts,
        }
    }

    /// Calls of somebody, settled just now.
    pub(crate) async fn call(&self, who: &Principal, count: usize, how: impl Fn(&mut UsageRow)) {
        let at = self.hands.at();
        let rows = (0..count).map(|_| {
            let mut row = UsageRow::answered("openai", "a", at);
            how(&mut row);
            row
        });
        let rows: Vec<_> = rows.collect();
        self.store.jobs().add_usage(who, &rows).await.unwrap();
    }

    /// One look, a while later: how many alerts fired and how many are over.
    pub(crate) async fn look(&self, later: Duration) -> (u64, u64) {
        self.hands.pass(later);
        let round = self.alerts.run_once().await.unwrap();
        (round.fired, round.resolved)
    }

    /// What operators see, the latest first.
    pub(crate) async fn events(&self) -> Vec<AlertEvent> {
        events(&self.store.admin().alerts()).await
    }

    /// Ada's alert.
    pub(crate) async fn threshold(&self, metric: Metric, threshold: &str) -> Alert {
        let name = metric.as_str();
        let new = NewAlert::new(name, name, number(threshold));
        let alerts = self.store.user(&ada()).alerts();
        alerts.add(new).await.unwrap()
    }
}

pub(crate) async fn events(alerts: &Stored) -> Vec<AlertEvent> {
    alerts.events(&Page::first()).await.unwrap().data
}

/// Another process.
pub(crate) fn evaluator(store: &Store) -> Alerts {
    let transport: Arc<dyn Transport> = Arc::new(ReqwestTransport::new());
    evaluator_with(store, transport)
}

pub(crate) fn evaluator_with(store: &Store, transport: Arc<dyn Transport>) -> Alerts {
    let pause = std::time::Duration::from_millis(1);
    let options = AlertOptions::new().with_webhook_pause(pause);
    Alerts::new(store.clone(), transport, &Secret::new("hush"), options)
}

pub(crate) fn fails(row: &mut UsageRow) {
    row.status = UsageStatus::Error;
}

pub(crate) fn succeeds(_: &mut UsageRow) {}
