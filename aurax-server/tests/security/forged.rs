//! Tokens and keys that are none: each is refused, all in the same words.

use std::collections::HashSet;

use aurax::Principal;
use aurax::store::NewAccessKey;
use aurax_server::config::Registration;
use serde_json::{Value, json};

use crate::clock::Moved;
use crate::forge::{Rsa, part};
use crate::forger::{Forged, Forger};
use crate::support::{Answer, Client, Kind, Server, Setup};

/// What is asked for: tokens and keys are both good for it.
const PATH: &str = "/chat/sessions";

/// The body without what differs from request to request.
fn words(answer: &Answer) -> Value {
    let mut body = answer.json();
    body["error"]["request_id"] = json!("");
    body["error"]["timestamp"] = json!("");
    body
}

/// What is wrong about an answer, if anything is.
fn complaint(answer: &Answer) -> Option<String> {
    let error = answer.json()["error"].clone();
    let is_refused = answer.status == 401
        && error["code"] == "unauthorized"
        && error["retryable"] == false
        && error["message"].is_string()
        && error["request_id"].is_string()
        && error["timestamp"].is_string()
        && error.get("details").is_none()
        && answer.header("content-type") == Some("application/json")
        && answer.header("www-authenticate").is_some();
    (!is_refused).then(|| format!("{} {error}", answer.status))
}

async fn try_it(nobody: &Client, forged: &Forged) -> Answer {
    let client = forged
        .headers
        .iter()
        .fold(nobody.clone(), |client, (name, value)| {
            client.with_header(name, value)
        });
    client.get(PATH).await
}

async fn add_key(server: &Server, client: &Client) -> String {
    let principal = Principal::new(client.id.clone().unwrap());
    let keys = server.store.user(&principal).access_keys();
    let (_, secret) = keys.add(NewAccessKey::new("program")).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "the test is the program")]
    secret.expose().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_forged_is_refused_in_the_same_words() {
    let own = Rsa::new();
    let mut setup = Setup::new();
    setup.keys = own.keys.clone();
    let server = Server::with(Kind::Memory, setup).await.unwrap();
    let (ada, eve) = (server.user().await, server.user().await);
    let genuine = ada.token.clone().unwrap();
    let key = add_key(&server, &ada).await;
    let email = ada.email.clone().unwrap();
    let invitation = server.state.auth().tokens().invite(&email).unwrap();
    #[expect(clippy::disallowed_methods, reason = "the test is the invited")]
    let invitation = invitation.expose().to_owned();

    let mut forger = Forger {
        own: &own,
        header: part(&genuine, 0),
        claims: part(&genuine, 1),
        others: part(eve.token.as_ref().unwrap(), 1),
        tried: Vec::new(),
    };
    forger.algorithms();
    forger.keys();
    forger.headers_of_tokens();
    forger.times();
    forger.names();
    forger.forms(&genuine);
    forger.others(&invitation, ada.refresh.as_ref().unwrap(), &key);
    forger.authorizations(&genuine, &key);

    // What they are made from is good, and what the forger signs would be.
    let nobody = server.client();
    let again = own.sign(&forger.header, &forger.claims.to_string());
    for good in [&genuine, &key, &again] {
        let headers = ["bearer", "BEARER", "Bearer"]
            .map(|scheme| ("authorization", format!("{scheme} {good}")))
            .into_iter()
            .chain([("x-api-key", good.clone())]);
        for (name, value) in headers {
            let client = nobody.clone().with_header(name, &value);
            client.get(PATH).await.expect(200);
        }
    }
    let (mut wrong, mut said, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for forged in &forger.tried {
        let Forged {
            family,
            what,
            headers,
        } = forged;
        assert!(
            seen.insert(format!("{headers:?}")),
            "{family}: {what} twice"
        );
        let answer = try_it(&nobody, forged).await;
        if let Some(complaint) = complaint(&answer) {
            wrong.push(format!("{family}: {what}: {complaint}"));
        } else if !said.contains(&words(&answer)) {
            said.push(words(&answer));
        }
    }
    let families: HashSet<_> = forger.tried.iter().map(|one| one.family).collect();
    println!("{} forged, of {} families", seen.len(), families.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen.len() >= 60);
    // One for tokens, and one each for none, several and what is of no form.
    assert_eq!(said.len(), 4, "{said:#?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_good_for_one_thing_is_good_for_no_other() {
    let setup = Setup::new().configured(|config| {
        config.registration = Some(Registration::Open);
    });
    let server = Server::with(Kind::Memory, setup).await.unwrap();
    let ada = server.user().await;
    let key = add_key(&server, &ada).await;
    let tokens = server.state.auth().tokens();
    let invitation = tokens.invite("new@example.com").unwrap();
    #[expect(clippy::disallowed_methods, reason = "the test is the invited")]
    let invitation = invitation.expose().to_owned();
    let access = ada.token.clone().unwrap();
    for not_refresh in [&access, &key, &invitation, "", "x", &"x".repeat(513)] {
        let answer = ada
            .post("/auth/refresh", &json!({"refresh_token": not_refresh}))
            .await;
        assert_eq!(complaint(&answer), None, "{not_refresh}");
    }
    for not_invitation in [&access, &key, ada.refresh.as_ref().unwrap(), "", "x"] {
        assert_eq!(tokens.invited(not_invitation, "new@example.com"), None);
    }
    assert!(tokens.invited(&invitation, " New@Example.com").is_some());
    assert_eq!(tokens.invited(&invitation, "other@example.com"), None);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_by_the_clock_and_with_its_key() {
    let (own, clock) = (Rsa::new(), Moved::new());
    let mut setup = Setup::new();
    setup.keys = own.keys.clone();
    setup.clock = clock.clone();
    let server = Server::with(Kind::Memory, setup).await.unwrap();
    let ada = server.user().await;
    let other = Server::with(Kind::Memory, Setup::new()).await.unwrap();
    let elsewhere = other.client().with_token(ada.token.as_ref().unwrap());
    assert_eq!(complaint(&elsewhere.get("/auth/me").await), None);
    // By the same key, from another address: of another server.
    let mut twin = Setup::new();
    twin.keys = own.keys.clone();
    let twin = Server::with(Kind::Memory, twin).await.unwrap();
    let elsewhere = twin.client().with_token(ada.token.as_ref().unwrap());
    assert_eq!(complaint(&elsewhere.get("/auth/me").await), None);
    clock.pass(time::Duration::seconds(14 * 60 + 50));
    ada.get("/auth/me").await.expect(200);
    clock.pass(time::Duration::seconds(11));
    assert_eq!(complaint(&ada.get("/auth/me").await), None);
    for server in [server, other, twin] {
        server.stop().await;
    }
}
