//! Whoever leaves, leaves nothing behind.

use std::time::Duration;

use aurax::Event;
use aurax::providers::hostile::{Dialect, Scenario};
use futures::StreamExt as _;

use super::world::{World, name};

/// A reply that is dropped after its first words closes the connection and is settled.
#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_reply_frees_the_upstream_and_is_settled() {
    let world = World::start().await;
    for (number, dialect) in (1..).zip(Dialect::ALL) {
        let model = format!("{}/{}", name(dialect), Scenario::SilentMiddle.name());
        let mut reply = world.engine.stream(&model, "Hi").await.unwrap();
        let batch = reply.next().await.unwrap().unwrap();
        assert!(batch.events.iter().any(Event::is_content), "{dialect:?}");
        assert_eq!(world.upstream.open(), 1, "{dialect:?}");
        drop(reply);
        let freed = async {
            while world.upstream.open() > 0 {
                tokio::task::yield_now().await;
            }
        };
        let freed = tokio::time::timeout(Duration::from_secs(5), freed).await;
        assert!(freed.is_ok(), "{dialect:?} still holds its upstream");
        assert_eq!(world.ledger.settled(), number, "{dialect:?}");
        assert_eq!(world.ledger.open_attempts(), 0, "{dialect:?}");
    }
}
