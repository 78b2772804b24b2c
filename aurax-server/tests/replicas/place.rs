//! What the server of a test's own is made with.

use std::time::Duration;

pub(crate) use crate::support::variable;

/// Waits until something holds, and fails with what it was when it takes too long.
pub(crate) async fn until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(limit, async {
        while !holds() {
            crate::support::moment().await;
        }
    });
    assert!(waited.await.is_ok(), "after {limit:?} still not: {what}");
}
