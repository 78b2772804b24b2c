//! Who reads slowly holds nothing for long.

use std::time::Duration;

use crate::scene::{eventually, hostile, session, settled};
use crate::support::Socket;

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_nothing_is_given_up() {
    let (server, upstream) = hostile(|config| {
        config.timeouts.write_stall = Duration::from_millis(500);
    })
    .await;
    let ada = server.user().await;
    let session = session(&ada).await;
    let mut socket = Socket::of(&ada, server.address).await;
    // Text without an end, which nobody reads.
    socket.chat(&session, "openai/flood", "Hi").await;
    eventually(|| upstream.open() == 1).await;
    eventually(|| upstream.open() == 0).await;
    eventually(|| server.state.sockets().count() == 0).await;
    eventually(|| server.is_idle()).await;
    let books = settled(&server, 1).await;
    assert_eq!(books.charges[0].status, "cancelled", "{:?}", books.charges);
    drop(socket);
    server.stop().await;
}

/// A client that reads, though slowly, gets everything until the provider's own limit.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_slowly_holds_the_upstream_back() {
    let (server, upstream) = hostile(|_| {}).await;
    let ada = server.user().await;
    let session = session(&ada).await;
    let mut socket = Socket::of(&ada, server.address).await;
    socket.chat(&session, "openai/flood", "Hi").await;
    let mut bytes = 0;
    for _ in 0..50 {
        let frame = socket.hear().await;
        bytes += frame["delta"].as_str().unwrap().len();
        crate::support::moment().await;
    }
    assert!(bytes >= 40 * 16 * 1024, "{bytes}");
    assert_eq!(upstream.open(), 1);
    drop(socket);
    eventually(|| upstream.open() == 0).await;
    server.stop().await;
}
