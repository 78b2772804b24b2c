//! Passwords and certificates.

use aurax_core::{Error, ErrorKind};
use aurax_store::{Redis, RedisOptions};
use futures::FutureExt as _;

use crate::support::{GENEROUS, variable};

fn options() -> RedisOptions {
    RedisOptions::new()
        .with_timeout(GENEROUS)
        .with_connect_timeout(GENEROUS)
}

async fn ping(url: &str, options: RedisOptions) -> Result<(), Error> {
    let redis = Redis::new(url, options).unwrap();
    redis.ping().await
}

#[tokio::test]
async fn tls_and_a_password_let_in() {
    let Some(url) = variable("AURAX_TEST_REDIS_TLS") else {
        return;
    };
    let ca = variable("AURAX_TEST_REDIS_CA").unwrap();
    ping(&url, options().with_ca_file(&ca)).await.unwrap();
    let named = url.replace("://:", "://default:");
    ping(&named, options().with_ca_file(ca)).await.unwrap();
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused() {
    let Some(url) = variable("AURAX_TEST_REDIS_TLS") else {
        return;
    };
    let error = ping(&url, options()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.message().contains("certificate"), "{error}");
    let plain = url.replace("rediss://", "redis://");
    let error = ping(&plain, options()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network, "{error}");
}

#[tokio::test]
async fn a_wrong_password_is_a_clear_error_that_does_not_show_it() {
    let Some(url) = variable("AURAX_TEST_REDIS_TLS") else {
        return;
    };
    let ca = variable("AURAX_TEST_REDIS_CA").unwrap();
    let (_, at) = url.rsplit_once('@').unwrap();
    for wrong in [":hush-wrong@", "hush-user:hush-wrong@", ""] {
        let url = format!("rediss://{wrong}{at}");
        let redis = Redis::new(&url, options().with_ca_file(&ca)).unwrap();
        let error = redis.ping().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.message().contains("password"), "{error}");
        let shown = format!("{error} {error:?} {redis:?}");
        assert!(!shown.contains("hush"), "{shown}");
        assert!(shown.contains(at), "it says which redis: {shown}");
        // While it is left alone, the reason stays.
        for _ in 1..5 {
            redis.ping().await.unwrap_err();
        }
        assert!(!redis.is_available());
        let error = redis.ping().await.unwrap_err();
        assert!(
            error.context("reason").unwrap().contains("password"),
            "{error}"
        );
        assert!(error.retry_after().is_some());
    }
}

#[test]
fn what_cannot_work_is_said_at_once() {
    let file = std::env::temp_dir().join("no-such-file-of-aurax");
    let ca = || RedisOptions::new().with_ca_file(&file);
    let none = RedisOptions::new;
    for (url, options, part) in [
        ("http://hush@localhost", none(), "redis://"),
        ("redis://hush:hush@", none(), "of the form"),
        ("redis://:hush@0.0.0.0:1", none(), "of the form"),
        ("rediss://:hush@localhost/#insecure", none(), "#insecure"),
        ("redis://:hush@localhost", ca(), "rediss://"),
        ("rediss://:hush@localhost", ca(), "cannot be read"),
    ] {
        let error = Redis::new(url, options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains(part), "{error}");
        assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
    }
}

#[test]
fn a_file_without_a_certificate_is_named() {
    let file = std::env::temp_dir().join(format!("aurax-{}", uuid::Uuid::now_v7()));
    std::fs::write(&file, "nothing of the kind").unwrap();
    let options = RedisOptions::new().with_ca_file(&file);
    let error = Redis::new("rediss://localhost", options);
    std::fs::remove_file(&file).unwrap();
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(error.context("file"), Some(file.to_str().unwrap()));
}

#[test]
fn without_a_runtime_it_is_an_error_and_no_panic() {
    let redis = Redis::new("redis://127.0.0.1:1", RedisOptions::new()).unwrap();
    let error = redis.ping().now_or_never().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}
