//! Answers, logins and model lists, and how long they live.

use std::time::Duration;

use aurax_core::{Bytes, CacheStore as _};
use aurax_store::{LoginCache, LoginTtl, ModelLists, Redis, RedisCache, RedisOptions};

use crate::answers::a_key;
use crate::support::{Beside, GENEROUS, prefix, shared, variable};

fn at(prefix: &str, options: RedisOptions) -> Option<Redis> {
    let url = variable("AURAX_TEST_REDIS")?;
    let options = options.with_prefix(prefix).with_timeout(GENEROUS);
    Some(Redis::new(&url, options).unwrap())
}

fn only_key(prefix: &str) -> (String, i64) {
    let mut beside = Beside::new();
    let keys = beside.keys(prefix);
    let [key] = keys.as_slice() else {
        panic!("{keys:?}")
    };
    (key.clone(), beside.pttl(key))
}

#[tokio::test]
async fn a_login_is_found_by_all_until_it_is_forgotten() {
    let prefix = prefix();
    let Some(redis) = at(&prefix, RedisOptions::new()) else {
        return;
    };
    let (one, other) = (
        LoginCache::new(redis),
        at(&prefix, RedisOptions::new()).unwrap(),
    );
    let other = LoginCache::new(other);
    assert_eq!(one.get(b"ann@example.com").await, None);
    one.put(b"ann@example.com", b"\0\xff\r\n7").await;
    assert_eq!(
        other.get(b"ann@example.com").await.as_deref(),
        Some(&b"\0\xff\r\n7"[..])
    );
    assert_eq!(other.get(b"ann@example.co").await, None);
    let (key, rest) = only_key(&prefix);
    assert!(
        key.starts_with(&format!("{prefix}v1:login:")) && !key.contains("ann"),
        "{key}"
    );
    assert!((50_000..=60_000).contains(&rest), "{rest}");
    other.forget(b"ann@example.com").await.unwrap();
    assert_eq!(one.get(b"ann@example.com").await, None);
    one.put(b"large", &vec![0; LoginCache::MAX_BYTES + 1]).await;
    assert_eq!(one.get(b"large").await, None);
}

#[tokio::test]
async fn each_use_has_its_own_time_to_live() {
    let prefix = prefix();
    let options = RedisOptions::new()
        .with_login_ttl(LoginTtl::new(Duration::from_millis(40)).unwrap())
        .with_model_ttl(Duration::from_secs(7));
    let Some(redis) = at(&prefix, options) else {
        return;
    };
    let logins = LoginCache::new(redis.clone());
    logins.put(b"ann", b"1").await;
    assert!((1..=40).contains(&only_key(&prefix).1));
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(logins.get(b"ann").await, None);

    let lists = ModelLists::new(redis);
    lists.put(b"openai", Bytes::from_static(b"[]")).await;
    let (key, rest) = only_key(&prefix);
    assert!(key.starts_with(&format!("{prefix}v1:models:")));
    assert!((6_000..=7_000).contains(&rest), "{rest}");
}

#[tokio::test]
async fn nothing_lives_for_no_time() {
    let options = RedisOptions::new().with_login_ttl(LoginTtl::new(Duration::ZERO).unwrap());
    let Some(redis) = shared(options) else { return };
    let logins = LoginCache::new(redis);
    logins.put(b"ann", b"1").await;
    assert_eq!(logins.get(b"ann").await, None);
}

#[tokio::test]
async fn a_list_of_models_is_found_by_all_and_replaced() {
    let prefix = prefix();
    let Some(redis) = at(&prefix, RedisOptions::new()) else {
        return;
    };
    let one = ModelLists::new(redis);
    let other = ModelLists::new(at(&prefix, RedisOptions::new()).unwrap());
    one.put(b"openai", Bytes::from_static(b"[1]")).await;
    assert_eq!(other.get(b"openai").await, Some(Bytes::from_static(b"[1]")));
    other.put(b"openai", Bytes::from_static(b"[2]")).await;
    assert_eq!(one.get(b"openai").await, Some(Bytes::from_static(b"[2]")));
    assert_eq!(one.get(b"groq").await, None);
    let large = Bytes::from(vec![b'x'; ModelLists::MAX_BYTES + 1]);
    one.put(b"groq", large).await;
    assert_eq!(one.get(b"groq").await, None);
    let rest = only_key(&prefix).1;
    assert!((3_590_000..=3_600_000).contains(&rest), "{rest}");
}

#[tokio::test]
async fn an_answer_lives_as_long_as_it_and_the_options_say() {
    let prefix = prefix();
    let options = RedisOptions::new().with_answer_ttl(Duration::from_secs(9));
    let Some(redis) = at(&prefix, options) else {
        return;
    };
    let (cache, key) = (RedisCache::new(redis), a_key().await);
    assert_eq!(cache.get(&key).await.unwrap(), None);
    let answer = Bytes::from_static(b"\0\xff an answer");
    cache
        .put(&key, answer.clone(), Duration::from_secs(4))
        .await
        .unwrap();
    let (name, rest) = only_key(&prefix);
    assert_eq!(name, format!("{prefix}v1:answer:{key}"));
    assert!((3_000..=4_000).contains(&rest), "{rest}");
    assert_eq!(cache.get(&key).await.unwrap(), Some(answer.clone()));

    cache
        .put(&key, answer.clone(), Duration::MAX)
        .await
        .unwrap();
    let rest = only_key(&prefix).1;
    assert!((8_000..=9_000).contains(&rest), "{rest}");

    // What cannot be kept takes the place of what was there all the same.
    let large = Bytes::from(vec![0; RedisCache::MAX_BYTES + 1]);
    cache
        .put(&key, large, Duration::from_secs(4))
        .await
        .unwrap();
    assert_eq!(cache.get(&key).await.unwrap(), None);
    cache
        .put(&key, answer.clone(), Duration::from_secs(4))
        .await
        .unwrap();
    cache
        .put(&key, answer, Duration::from_micros(999))
        .await
        .unwrap();
    assert_eq!(cache.get(&key).await.unwrap(), None);
}

#[tokio::test]
async fn a_time_to_live_beyond_all_measure_is_a_long_one() {
    let prefix = prefix();
    let options = RedisOptions::new().with_answer_ttl(Duration::MAX);
    let Some(redis) = at(&prefix, options) else {
        return;
    };
    let (cache, key) = (RedisCache::new(redis), a_key().await);
    cache
        .put(&key, Bytes::from_static(b"1"), Duration::MAX)
        .await
        .unwrap();
    assert!(only_key(&prefix).1 > 1_000_000_000_000);
}
