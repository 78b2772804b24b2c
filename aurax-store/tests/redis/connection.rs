//! The one connection: it is replaced when it is lost, and nothing piles up before it.

use std::num::NonZeroU32;
use std::time::Duration;

use aurax_core::ErrorKind;
use aurax_store::{Redis, RedisOptions};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::support::{Hung, Private, SLACK, ready, timed};

/// Callers have time limits of their own, which may be a little shorter.
#[tokio::test]
async fn who_gives_up_late_has_found_it_away_and_who_gives_up_early_has_not() {
    let hung = Hung::start();
    let options = RedisOptions::new()
        .with_timeout(Duration::from_millis(400))
        .with_connect_timeout(Duration::from_secs(60));
    let redis = Redis::new(&hung.url(), options).unwrap();
    for _ in 0..20 {
        let early = tokio::time::timeout(Duration::from_millis(1), redis.ping());
        early.await.unwrap_err();
    }
    assert!(redis.is_available());
    for _ in 0..5 {
        let late = tokio::time::timeout(Duration::from_millis(320), redis.ping());
        late.await.unwrap_err();
    }
    assert!(!redis.is_available());
}

#[tokio::test]
async fn a_restart_costs_one_command() {
    let Some(mut server) = Private::start() else {
        return;
    };
    let redis = Redis::new(&server.url(), RedisOptions::new()).unwrap();
    ready(&redis).await;
    server.kill();
    server.restart();
    let mut failed = 0;
    for _ in 0..5 {
        failed += usize::from(redis.ping().await.is_err());
    }
    assert!(failed <= 1, "{failed}");
}

/// Lies between and lets connections go silent, as a firewall does.
struct Between {
    url: String,
    silence: watch::Sender<()>,
}

impl Between {
    async fn start(server: &Private) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let (silence, _) = watch::channel(());
        let (to, silenced) = (server.port(), silence.clone());
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut silence = silenced.subscribe();
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = silence.changed() => std::future::pending().await,
                    }
                });
            }
        });
        Self { url, silence }
    }
}

#[tokio::test]
async fn a_connection_that_went_silent_is_replaced() {
    let Some(server) = Private::start() else {
        return;
    };
    let between = Between::start(&server).await;
    let options = RedisOptions::new().with_pause(Duration::from_millis(50));
    let redis = Redis::new(&between.url, options).unwrap();
    ready(&redis).await;
    between.silence.send(()).unwrap();
    for _ in 0..5 {
        redis.ping().await.unwrap_err();
    }
    assert!(!redis.is_available());
    ready(&redis).await;
    assert!(redis.is_available());
}

#[tokio::test]
async fn more_commands_than_may_wait_fail_at_once() {
    let hung = Hung::start();
    let options = RedisOptions::new()
        .with_max_waiting(8)
        .with_timeout(Duration::from_millis(400))
        .with_max_failures(NonZeroU32::MAX);
    let redis = Redis::new(&hung.url(), options).unwrap();
    let pings = (0..500).map(|_| timed(redis.ping()));
    let mut refused = 0;
    for (result, wait) in futures::future::join_all(pings).await {
        match result.unwrap_err().kind() {
            ErrorKind::Overloaded => {
                assert!(wait < SLACK, "{wait:?}");
                refused += 1;
            }
            kind => assert_eq!(kind, ErrorKind::Timeout),
        }
    }
    assert_eq!(refused, 492);
    // Those who waited have left, so there are places again.
    assert_eq!(redis.ping().await.unwrap_err().kind(), ErrorKind::Timeout);
}

/// A runtime that ended takes the connection with it; the next one makes its own.
#[test]
fn it_outlives_a_runtime() {
    let Some(server) = Private::start() else {
        return;
    };
    let redis = Redis::new(&server.url(), RedisOptions::new()).unwrap();
    for _ in 0..3 {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build().unwrap();
        runtime.block_on(ready(&redis));
    }
    assert!(redis.is_available());
}
