//! How much anybody may ask for, and what answers say of it.

use aurax::store::{NewAccessKey, Plan};
use aurax_server::State;
use serde_json::json;

use crate::support::{Client, Kind, Server, Setup};

/// A server with these limits, over a store in memory.
async fn server(change: impl FnOnce(&mut aurax_server::config::Limits)) -> Server {
    let setup = Setup::new().configured(|config| change(&mut config.limits));
    Server::with(Kind::Memory, setup).await.unwrap()
}

fn left(answer: &crate::support::Answer) -> (u64, u64) {
    let number = |name| answer.header(name).unwrap().parse().unwrap();
    assert!((1..=61).contains(&number("x-ratelimit-reset")));
    (number("x-ratelimit-limit"), number("x-ratelimit-remaining"))
}

#[track_caller]
fn refused(answer: &crate::support::Answer) {
    assert_eq!(answer.error(429), "rate_limited");
    let after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=61).contains(&after), "{after}");
    assert_eq!(left(answer).1, 0);
    assert_eq!(answer.json()["error"]["retryable"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_a_limit_before_anybody_is_known() {
    let server = server(|limits| limits.ip_requests_per_minute = Some(3)).await;
    let nobody = server.client();
    for remaining in [2, 1, 0] {
        let answer = nobody.get("/auth/me").await;
        assert_eq!(answer.error(401), "unauthorized");
        assert_eq!(left(&answer), (3, remaining));
    }
    refused(&nobody.get("/auth/me").await);
    for probe in ["/livez", "/readyz"] {
        nobody.get(probe).await.expect(200);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_has_a_limit_of_its_own() {
    let server = server(|limits| limits.ip_logins_per_minute = Some(2)).await;
    let client = server.client();
    let body = json!({"refresh_token": "nonsense"});
    for _ in 0..2 {
        assert_eq!(
            client.post("/auth/refresh", &body).await.error(401),
            "unauthorized"
        );
    }
    refused(&client.post("/auth/refresh", &body).await);
    let body = json!({"email": "a@b.c", "password": "correct horse"});
    refused(&client.post("/auth/login", &body).await);
    assert_eq!(client.get("/livez").await.status, 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_a_limit_whether_it_exists_or_not() {
    let server = server(|limits| limits.account_logins_per_minute = Some(2)).await;
    let ada = server.user().await;
    let guess = |email: &str| json!({"email": email, "password": "wrong horse battery"});
    let email = ada.email.clone().unwrap();
    let client = server.client();
    assert_eq!(
        client.post("/auth/login", &guess(&email)).await.error(401),
        "unauthorized"
    );
    refused(
        &client
            .post("/auth/login", &guess(&email.to_uppercase()))
            .await,
    );
    for _ in 0..2 {
        assert_eq!(
            client
                .post("/auth/login", &guess("no@body.x"))
                .await
                .error(401),
            "unauthorized"
        );
    }
    refused(&client.post("/auth/login", &guess("no@body.x")).await);
    server.stop().await;
}

/// Whoever has a token may not guess the password with it: what counts is the account, wherever its
/// password is asked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_guessed_no_faster_with_a_token() {
    let server = server(|limits| limits.account_logins_per_minute = Some(3)).await;
    let (ada, eve) = (server.user().await, server.user().await);
    let guess = json!({"current_password": "wrong horse battery", "email": "a@b.example"});
    for _ in 0..2 {
        assert_eq!(ada.patch("/auth/me", &guess).await.error(403), "forbidden");
    }
    refused(&ada.patch("/auth/me", &guess).await);
    let login = json!({"email": ada.email, "password": crate::support::PASSWORD});
    refused(&server.client().post("/auth/login", &login).await);
    // The limit is the account's, not the server's.
    assert_eq!(eve.patch("/auth/me", &guess).await.error(403), "forbidden");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_a_limit() {
    let server = server(|limits| limits.user_requests_per_minute = Some(2)).await;
    let (ada, eve) = (server.user().await, server.user().await);
    for remaining in [1, 0] {
        let answer = ada.get("/auth/me").await;
        assert_eq!(left(&answer), (2, remaining));
        answer.expect(200);
    }
    refused(&ada.get("/auth/me").await);
    eve.get("/auth/me").await.expect(200);
    server.stop().await;
}

async fn send(client: &Client, stream: bool) -> crate::support::Answer {
    let session = client.post("/chat/sessions", &json!({})).await.expect(201);
    let path = format!(
        "/chat/sessions/{}/messages",
        session["id"].as_str().unwrap()
    );
    client
        .post(&path, &json!({"content": "Hello", "stream": stream}))
        .await
}

async fn set_plan(state: &State, requests: Option<u32>, tokens: Option<u32>) {
    let mut plan = Plan::new("free");
    plan.requests_per_minute = requests;
    plan.tokens_per_minute = tokens;
    state.store().admin().set_plan(&plan).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_limits_what_costs_money() {
    let server = server(|_| ()).await;
    set_plan(&server.state, Some(2), None).await;
    let ada = server.user().await;
    let answer = send(&ada, false).await;
    answer.expect(201);
    assert_eq!(left(&answer), (2, 1));
    let answer = send(&ada, true).await;
    assert_eq!((answer.status.as_u16(), left(&answer)), (200, (2, 0)));
    for stream in [false, true] {
        refused(&send(&ada, stream).await);
    }
    ada.get("/auth/me").await.expect(200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_limited_too() {
    let server = server(|_| ()).await;
    set_plan(&server.state, None, Some(8)).await;
    let ada = server.user().await;
    let answer = send(&ada, false).await;
    answer.expect(201);
    assert_eq!(answer.header("x-ratelimit-limit-tokens"), Some("8"));
    assert!(answer.header("x-ratelimit-remaining-tokens").is_some());
    let answer = send(&ada, false).await;
    assert_eq!(answer.error(429), "rate_limited");
    assert_eq!(
        answer.json()["error"]["details"]["limit"],
        "tokens_per_minute"
    );
    assert_eq!(answer.json()["error"]["details"]["of"], "user");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_key_is_limited_by_itself() {
    let server = server(|_| ()).await;
    let ada = server.user().await;
    let mut new = NewAccessKey::new("program");
    new.requests_per_minute = Some(1);
    let principal = aurax::Principal::new(ada.id.clone().unwrap());
    let keys = server.store.user(&principal).access_keys();
    let (_, secret) = keys.add(new).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "the test is the program")]
    let program = server.client().with_token(secret.expose());
    let answer = send(&program, false).await;
    answer.expect(201);
    assert_eq!(left(&answer), (1, 0));
    let answer = send(&program, false).await;
    refused(&answer);
    assert_eq!(answer.json()["error"]["details"]["of"], "access_key");
    send(&ada, false).await.expect(201);
    server.stop().await;
}
