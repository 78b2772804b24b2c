//! What replicas share: limits, budgets, answers and sessions.

use std::time::Duration;

use aurax::store::Plan as Paid;
use aurax_store::testkit::{Ending, Plan};
use futures::future::join_all;
use serde_json::json;

use crate::scene::{Scene, at, says, session, streams};
use crate::support::Client;

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_shared() {
    let Some(scene) = Scene::new().await else {
        return;
    };
    let (a, b) = scene
        .pair(|config| config.limits.user_requests_per_minute = Some(10))
        .await;
    let ada = a.user().await;
    let there = at(&b, &ada);
    let both = [&ada, &there];
    // A minute may turn meanwhile, and gives what flows back in it.
    let mut remaining = Vec::new();
    for number in 0..10 {
        let answer = both[number % 2].get("/auth/me").await;
        answer.expect(200);
        let left = answer.header("x-ratelimit-remaining").unwrap();
        remaining.push(left.parse::<u64>().unwrap());
    }
    assert!(remaining.is_sorted_by(|a, b| a >= b), "{remaining:?}");
    assert!(remaining[9] <= 2, "each counts for itself: {remaining:?}");
    let mut refused = 0;
    for number in 0..6 {
        let answer = both[number % 2].get("/auth/me").await;
        if answer.status.as_u16() == 429 {
            assert_eq!(answer.error(429), "rate_limited");
            refused += 1;
        }
    }
    assert!(refused >= 4, "{refused}");
    scene.end([a, b]).await;
}

/// What a plan says is counted by the engines, together.
#[tokio::test(flavor = "multi_thread")]
async fn plans_are_shared() {
    let Some(scene) = Scene::new().await else {
        return;
    };
    let (a, b) = scene.pair(|_| {}).await;
    let few = Paid::new("free").with_requests_per_minute(4);
    a.store.admin().set_plan(&few).await.unwrap();
    let ada = a.user().await;
    let there = at(&b, &ada);
    let (mut answered, mut refused) = (0, 0);
    let path = session(&ada).await;
    for number in 0..10 {
        let client = [&ada, &there][number % 2];
        let answer = client.post(&path, &says(Plan::answer(1))).await;
        match answer.status.as_u16() {
            201 => answered += 1,
            _ => {
                assert_eq!(answer.error(429), "rate_limited");
                refused += 1;
            }
        }
    }
    assert!((4..=5).contains(&answered), "{answered} answered");
    assert_eq!(answered + refused, 10);
    assert_eq!(scene.asked(), answered);
    scene.adds_up(&a).await;
    scene.end([a, b]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hard_budget_is_never_overspent() {
    const CALLS: usize = 40;
    let Some(scene) = Scene::new().await else {
        return;
    };
    let (a, b) = scene.pair(|_| {}).await;
    let ada = a.user().await;
    let there = at(&b, &ada);
    let limit: aurax::Money = "0.005".parse().unwrap();
    let budget = json!({"scope": "user", "period": "total", "limit": "0.005", "kind": "hard"});
    ada.put("/api/budgets", &budget).await.expect(200);
    let both = [&ada, &there];
    let paths = join_all((0..CALLS).map(|number| session(both[number % 2]))).await;
    let calls = paths.iter().enumerate().map(|(number, path)| async move {
        // As many tokens as a call may have: 600 millionths of a dollar.
        both[number % 2]
            .post(path, &says(Plan::answer(1_000)))
            .await
    });
    let mut answered = 0;
    for answer in join_all(calls).await {
        match answer.status.as_u16() {
            201 => answered += 1,
            _ => assert_eq!(answer.error(429), "budget_exceeded"),
        }
    }
    assert!(
        (4..=8).contains(&answered),
        "{answered} of {CALLS} answered"
    );
    let books = scene.adds_up(&a).await;
    let [budget] = books.budgets.as_slice() else {
        panic!("{:?}", books.budgets);
    };
    println!(
        "{answered} of {CALLS} answered, {} of {limit} spent",
        budget.spent
    );
    assert!(budget.spent <= limit && budget.reserved == aurax::Money::ZERO);
    assert_eq!(scene.asked(), answered, "what is refused is not sent");
    scene.end([a, b]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_both_get_is_answered_once() {
    let Some(scene) = Scene::new().await else {
        return;
    };
    let (a, b) = scene.pair(|_| {}).await;
    let ada = a.user().await.with_header("idempotency-key", "once");
    let there = at(&b, &ada).with_header("idempotency-key", "once");
    let path = session(&ada).await;
    for body in [
        says(Plan::answer(3).with_hold(Duration::from_millis(300))),
        streams(Plan::answer(3).with_hold(Duration::from_millis(300))),
    ] {
        let asked = scene.asked();
        let key = format!("key-{asked}");
        let named = |client: &Client| client.clone().with_header("idempotency-key", &key);
        // A client sends the last header alone.
        let (ada, there) = (named(&at(&a, &ada)), named(&at(&b, &there)));
        let (first, second) = tokio::join!(ada.post(&path, &body), there.post(&path, &body));
        let mut answers = [first, second];
        answers.sort_by_key(|answer| answer.status);
        assert!(answers[0].status.is_success(), "{:?}", answers[0]);
        assert_eq!(answers[1].error(409), "idempotency_in_flight");
        for client in [&ada, &there] {
            let again = client.post(&path, &body).await;
            assert_eq!(again.header("idempotency-replayed"), Some("true"));
            assert_eq!(again.body, answers[0].body, "to the byte");
        }
        assert_eq!(scene.asked(), asked + 1);
    }
    scene.adds_up(&a).await;
    scene.end([a, b]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_answers_one_message_at_a_time() {
    let Some(scene) = Scene::new().await else {
        return;
    };
    let (a, b) = scene.pair(|_| {}).await;
    let ada = a.user().await;
    let there = at(&b, &ada);
    let path = session(&ada).await;
    let endless = streams(Plan::answer(2).with_ending(Ending::Hang));
    let stream = ada.post_stream(&path, &endless).await;
    assert_eq!(stream.status.as_u16(), 200);
    let busy = there.post(&path, &says(Plan::answer(1))).await;
    assert_eq!(busy.error(409), "session_busy");
    assert_eq!(scene.asked(), 1);
    drop(stream);
    // It is free again when the first has been settled.
    loop {
        let answer = there.post(&path, &says(Plan::answer(1))).await;
        if answer.status.as_u16() == 201 {
            break;
        }
        assert_eq!(answer.error(409), "session_busy");
    }
    let history = ada.get(&path).await.expect(200);
    assert_eq!(history["data"].as_array().unwrap().len(), 4);
    scene.adds_up(&a).await;
    scene.end([a, b]).await;
}

/// Nobody is sent away because another server signed their token, or sealed their key.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_good_everywhere() {
    let Some(scene) = Scene::new().await else {
        return;
    };
    let (a, b) = scene.pair(|_| {}).await;
    let ada = a.user().await;
    let me = at(&b, &ada).get("/auth/me").await.expect(200);
    assert_eq!(me["id"].as_str(), ada.id.as_deref());
    let body = json!({"refresh_token": ada.refresh});
    let renewed = b.client().post("/auth/refresh", &body).await.expect(200);
    let token = renewed["access_token"].as_str().unwrap();
    let again = a.client().with_token(token).get("/auth/me").await;
    assert_eq!(again.expect(200), me);
    scene.end([a, b]).await;
}
