//! Answers that one engine caches and another one finds.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use aurax_core::{
    Batch, Bytes, CacheKey, CacheMode, CachePolicy, CacheStore, Call, Capability, Ctx, Delivery,
    Delta, End, Engine, Event, Finish, FinishReason, Head, ModelId, Principal, Provider,
    ProviderInfo, Reply, Request, Result, Start,
};
use aurax_store::RedisCache;

use crate::support::{Private, shared};

/// Counts how often it is asked.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    info: ProviderInfo,
    asked: Arc<AtomicUsize>,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self {
            info: ProviderInfo::new("desk", "script"),
            asked: Arc::default(),
        }
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    pub(crate) fn engine(&self, store: impl CacheStore) -> Engine {
        let policy = CachePolicy::default().with_mode(CacheMode::Use);
        let builder = Engine::builder().provider(self.clone());
        builder.cache(store, policy).build().unwrap()
    }
}

#[async_trait]
impl Provider for Desk {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn capability(&self) -> Capability {
        Capability::default()
    }

    async fn call(&self, _: &Ctx, call: &Call) -> Result<Reply> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let (name, model) = (self.info.name.clone(), call.model.clone());
        let head = Head::new("script", name, model, Delivery::Whole);
        let finish = Finish::new(FinishReason::Stop, None);
        let events = vec![
            Event::Start(Start::new(None, None)),
            Event::Delta {
                choice: 0,
                part: 0,
                delta: Delta::Text("four".to_owned()),
            },
            Event::End(Box::new(End::new(vec![finish], None))),
        ];
        let batches = futures::stream::iter([Ok(Batch::new(events))]);
        Ok(Reply::new(head, batches))
    }
}

pub(crate) async fn ask(engine: &Engine, who: &str) -> String {
    let model = ModelId::parse("desk/model").unwrap();
    let call = Call::chat(model, Request::from("Count."));
    let reply = engine.call(&Ctx::new(Principal::new(who)), &call).await;
    reply.unwrap().collect().await.unwrap().text()
}

/// Notes the key that it is asked for; the engine alone makes them.
#[derive(Debug, Clone, Default)]
struct Note(Arc<Mutex<Option<CacheKey>>>);

#[async_trait]
impl CacheStore for Note {
    async fn get(&self, key: &CacheKey) -> Result<Option<Bytes>> {
        *self.0.lock().unwrap() = Some(*key);
        Ok(None)
    }

    async fn put(&self, _: &CacheKey, _: Bytes, _: Duration) -> Result<()> {
        Ok(())
    }
}

pub(crate) async fn a_key() -> CacheKey {
    let note = Note::default();
    ask(&Desk::new().engine(note.clone()), "ann").await;
    let key = *note.0.lock().unwrap();
    key.unwrap()
}

#[tokio::test]
async fn what_one_engine_keeps_another_one_finds_for_the_same_principal() {
    let Some(redis) = shared(Default::default()) else {
        return;
    };
    let desk = Desk::new();
    let one = desk.engine(RedisCache::new(redis.clone()));
    let other = desk.engine(RedisCache::new(redis));
    for engine in [&one, &other, &one] {
        assert_eq!(ask(engine, "ann").await, "four");
    }
    assert_eq!(desk.asked(), 1);
    assert_eq!(ask(&other, "ben").await, "four");
    assert_eq!(desk.asked(), 2);
}

/// The engine has a time limit of its own for the cache, the same 50 ms. Whichever is first,
/// Redis is found to be away.
#[tokio::test]
async fn an_engine_does_not_wait_for_a_cache_that_hangs() {
    let hung = crate::support::Hung::start();
    let redis = aurax_store::Redis::new(&hung.url(), Default::default()).unwrap();
    let desk = Desk::new();
    let engine = desk.engine(RedisCache::new(redis.clone()));
    for _ in 0..3 {
        assert_eq!(ask(&engine, "ann").await, "four");
    }
    assert!(!redis.is_available(), "six waits in vain");
    assert_eq!(desk.asked(), 3);
}

#[tokio::test]
async fn an_engine_answers_without_its_cache() {
    let Some(mut server) = Private::start() else {
        return;
    };
    let redis = aurax_store::Redis::new(&server.url(), Default::default()).unwrap();
    let desk = Desk::new();
    let engine = desk.engine(RedisCache::new(redis));
    ask(&engine, "ann").await;
    server.kill();
    for _ in 0..5 {
        assert_eq!(ask(&engine, "ann").await, "four");
    }
    assert!(desk.asked() >= 6);
}
