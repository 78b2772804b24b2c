//! Engines whose quotas are one, because their counters are.

use std::num::NonZeroU32;

use aurax_core::{
    Call, Ctx, Engine, Error, ErrorKind, ModelId, Provider as _, QuotaPolicy, Request,
};
use aurax_providers::Demo;
use aurax_store::{Redis, RedisLimits, RedisOptions};

use crate::support::{GENEROUS, Hung, prefix, variable};

fn engine(url: &str, options: RedisOptions) -> Engine {
    let limits = RedisLimits::new(Redis::new(url, options).unwrap());
    let quota = QuotaPolicy::none().with_requests_per_minute(10);
    let builder = Engine::builder().provider(Demo::new()).quota(quota);
    builder.shared_limits(limits).build().unwrap()
}

async fn chat(engine: &Engine) -> Result<(), Error> {
    let model = ModelId::parse("demo/echo").unwrap();
    let reply = engine
        .call(&Ctx::local(), &Call::chat(model, Request::from("Hello")))
        .await?;
    reply.collect().await.map(drop)
}

/// How many of 20 go through, asked of each engine in turn.
async fn let_in(engines: &[Engine]) -> usize {
    let mut passed = 0;
    for engine in engines.iter().cycle().take(20) {
        match chat(engine).await {
            Ok(()) => passed += 1,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::RateLimited, "{error}");
                assert_eq!(error.context("limit"), Some("requests_per_minute"));
                assert!(error.retry_after().is_some());
            }
        }
    }
    passed
}

fn options() -> RedisOptions {
    RedisOptions::new().with_replicas(NonZeroU32::new(5).unwrap())
}

#[tokio::test]
async fn three_engines_share_one_quota() {
    let Some(url) = variable("AURAX_TEST_REDIS") else {
        return;
    };
    let options = options().with_prefix(prefix()).with_timeout(GENEROUS);
    let engines = [(); 3].map(|()| engine(&url, options.clone()));
    assert_eq!(let_in(&engines).await, 10);
}

#[tokio::test]
async fn without_redis_each_engine_has_its_share() {
    let hung = Hung::start();
    let engines = [(); 2].map(|()| engine(&hung.url(), options()));
    assert_eq!(let_in(&engines).await, 4);
}
