//! Refresh tokens that are presented more than once.

use std::sync::Arc;

use futures::future::join_all;
use serde_json::{Value, json};
use time::Duration;

use crate::clock::Moved;
use crate::forge::part;
use crate::support::{Answer, Client, Kind, Place, Server, Setup};

/// A server by hand.
pub(crate) async fn server(kind: Kind, clock: &Arc<Moved>, mut setup: Setup) -> Option<Server> {
    let place = Place::open(kind).await?;
    let store = place.store().await.with_clock(clock.clone());
    setup.clock = clock.clone();
    Some(Server::over(place, store, setup).await)
}

async fn renew(client: &Client, token: &str) -> Answer {
    let body = json!({"refresh_token": token});
    client.post("/auth/refresh", &body).await
}

fn text(tokens: &Value, name: &str) -> String {
    tokens[name].as_str().unwrap().to_owned()
}

/// Sixteen exchanges of one token at once: what those got that got something.
async fn race(client: &Client, token: &str) -> Vec<Value> {
    let answers = join_all((0..16).map(|_| renew(client, token))).await;
    let mut got = Vec::new();
    for answer in &answers {
        match answer.status.as_u16() {
            200 => got.push(answer.json()),
            _ => assert_eq!(answer.error(401), "unauthorized"),
        }
    }
    got
}

async fn logins(client: &Client, access: &str) -> usize {
    let client = client.with_token(access);
    let listed = client.get("/auth/sessions").await.expect(200);
    listed["data"].as_array().unwrap().len()
}

async fn a_race_leaves_one_live_branch(kind: Kind) {
    let clock = Moved::new();
    let Some(server) = server(kind, &clock, Setup::new()).await else {
        return;
    };
    let ada = server.user().await;
    let nobody = server.client();
    let first = ada.refresh.clone().unwrap();
    let login = part(ada.token.as_ref().unwrap(), 1)["sid"].clone();
    let got = race(&nobody, &first).await;
    // All of them are within the ten seconds: tabs that renew at once stay logged in.
    assert_eq!(got.len(), 16);
    for tokens in &got {
        assert_eq!(part(&text(tokens, "access_token"), 1)["sid"], login);
    }
    assert_eq!(logins(&nobody, &text(&got[0], "access_token")).await, 1);

    // One is used: it goes on, and none of the others does.
    clock.pass(Duration::minutes(10));
    let next = renew(&nobody, &text(&got[5], "refresh_token")).await;
    let next = next.expect(200);
    clock.pass(Duration::seconds(11));
    let next = renew(&nobody, &text(&next, "refresh_token")).await;
    let next = next.expect(200);
    clock.pass(Duration::seconds(11));
    let others = got.iter().enumerate().filter(|(at, _)| *at != 5);
    let others = others.map(|(_, tokens)| text(tokens, "refresh_token"));
    let others = join_all(others.map(|token| async {
        let token = token;
        renew(&nobody, &token).await
    }));
    for answer in others.await {
        assert_eq!(answer.error(401), "unauthorized");
    }
    // Whoever presented one of them has a copy: the whole login is over.
    for token in [&first, &text(&next, "refresh_token")] {
        assert_eq!(renew(&nobody, token).await.error(401), "unauthorized");
    }
    clock.pass(Duration::minutes(1));
    let stale = nobody.with_token(&text(&next, "access_token"));
    assert_eq!(stale.get("/auth/me").await.error(401), "unauthorized");
    server.stop().await;
}

async fn a_token_that_was_exchanged_long_ago_ends_its_login_alone(kind: Kind) {
    let clock = Moved::new();
    let Some(server) = server(kind, &clock, Setup::new()).await else {
        return;
    };
    let (ada, eve) = (server.user().await, server.user().await);
    let (nobody, first) = (server.client(), ada.refresh.clone().unwrap());
    let again = server.client().login(ada.email.as_ref().unwrap()).await;
    let next = renew(&nobody, &first).await.expect(200);
    clock.pass(Duration::seconds(11));
    assert!(race(&nobody, &first).await.is_empty());
    let next = text(&next, "refresh_token");
    assert!(race(&nobody, &next).await.is_empty());
    // Other logins go on, hers among them.
    for other in [&again, &eve] {
        let token = other.refresh.clone().unwrap();
        renew(&nobody, &token).await.expect(200);
        other.get("/auth/me").await.expect(200);
    }
    server.stop().await;
}

async fn a_race_with_a_logout_leaves_nothing(kind: Kind) {
    let clock = Moved::new();
    let Some(server) = server(kind, &clock, Setup::new()).await else {
        return;
    };
    for _ in 0..3 {
        let ada = server.user().await;
        let (nobody, first) = (server.client(), ada.refresh.clone().unwrap());
        let raced = join_all((0..8).map(|_| renew(&nobody, &first)));
        let (raced, ended) = tokio::join!(raced, ada.delete("/auth/logout"));
        ended.expect(204);
        for answer in raced.iter().filter(|answer| answer.status == 200) {
            let tokens = answer.json();
            let refused = renew(&nobody, &text(&tokens, "refresh_token")).await;
            assert_eq!(refused.error(401), "unauthorized");
            let access = nobody.with_token(&text(&tokens, "access_token"));
            assert_eq!(access.get("/auth/me").await.error(401), "unauthorized");
        }
        assert_eq!(renew(&nobody, &first).await.error(401), "unauthorized");
    }
    server.stop().await;
}

macro_rules! over_stores {
    ($($name:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(crate::support::Kind::Memory).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(crate::support::Kind::Postgres).await;
            })*
        }
    };
}
over_stores!(
    a_race_leaves_one_live_branch,
    a_token_that_was_exchanged_long_ago_ends_its_login_alone,
    a_race_with_a_logout_leaves_nothing,
);
