//! Several servers over one store: whose tokens they accept, and which invitations.

use std::sync::Arc;

use aurax::store::Store;
use aurax_server::auth::SigningKeys;
use aurax_server::config::Registration;
use serde_json::{Value, json};
use time::Duration;

use crate::clock::Moved;
use crate::support::{Client, Kind, PASSWORD, Place, Server, Setup};

/// The servers know one another by one address, and each has signing keys of its own.
fn setup(clock: &Arc<Moved>) -> Setup {
    let mut setup = Setup::new().configured(|config| {
        config.public_url = Some("https://llm.example.com".to_owned());
        config.registration = Some(Registration::Invite);
    });
    setup.clock = clock.clone();
    setup
}

async fn place(kind: Kind, clock: &Arc<Moved>) -> Option<(Place, Store)> {
    let place = Place::open(kind).await?;
    let store = place.store().await.with_clock(clock.clone());
    Some((place, store))
}

/// Somebody who logged in at this server.
async fn somebody(server: &Server) -> Client {
    let email = format!("{}@example.com", aurax::new_id());
    let invitation = invite(server, &email);
    let body = json!({"email": email, "password": PASSWORD, "invitation": invitation});
    server
        .client()
        .post("/auth/register", &body)
        .await
        .expect(201);
    server.client().login(&email).await
}

#[expect(clippy::disallowed_methods, reason = "the test hands it over")]
fn invite(server: &Server, email: &str) -> String {
    let tokens = server.state.auth().tokens();
    tokens.invite(email).unwrap().expose().to_owned()
}

async fn key_ids(server: &Server) -> Vec<String> {
    let listed = server
        .client()
        .get("/.well-known/jwks.json")
        .await
        .expect(200);
    let ids = listed["keys"].as_array().unwrap().iter();
    ids.map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

async fn a_token_is_good_at_every_server(kind: Kind) {
    let clock = Moved::new();
    let Some((home, store)) = place(kind, &clock).await else {
        return;
    };
    let one = Server::over(home.clone(), store.clone(), setup(&clock)).await;
    one.state.auth().share_keys().await.unwrap();
    let two = Server::over(home.clone(), store.clone(), setup(&clock)).await;
    two.state.auth().share_keys().await.unwrap();
    let at = |server: &Server, client: &Client| {
        server.client().with_token(client.token.as_deref().unwrap())
    };
    // The one that was there first has to learn of the other.
    let (ada, bob) = (somebody(&one).await, somebody(&two).await);
    at(&two, &ada).get("/auth/me").await.expect(200);
    at(&one, &bob).get("/auth/me").await.expect(200);
    let (mut ids, mut others) = (key_ids(&one).await, key_ids(&two).await);
    ids.sort_unstable();
    others.sort_unstable();
    assert_eq!((ids.len(), &ids), (2, &others));

    // A key that one of them has only now, as after a rotation.
    let stranger = SigningKeys::generate().unwrap();
    let mut forger = setup(&clock);
    forger.keys = stranger;
    let (elsewhere, foreign) = place(Kind::Memory, &clock).await.unwrap();
    let forger = Server::over(elsewhere, foreign, forger).await;
    let forged = somebody(&forger).await;
    clock.pass(Duration::SECOND);
    let refused = at(&one, &forged).get("/auth/me").await;
    assert_eq!(refused.error(401), "unauthorized");
    let three = Server::over(home.clone(), store.clone(), setup(&clock)).await;
    three.state.auth().share_keys().await.unwrap();
    let eve = somebody(&three).await;
    clock.pass(Duration::SECOND);
    at(&one, &eve).get("/auth/me").await.expect(200);
    assert_eq!(
        at(&one, &forged).get("/auth/me").await.error(401),
        "unauthorized"
    );

    // A key that nobody has any more is good for an hour.
    three.state.drain().announce();
    clock.pass(Duration::hours(1));
    for server in [&one, &two, &one] {
        server.state.auth().share_keys().await.unwrap();
    }
    assert_eq!(key_ids(&one).await.len(), 2);
    forger.stop().await;
    drop((two, three));
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_good_at_every_server_in_memory() {
    a_token_is_good_at_every_server(Kind::Memory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_good_at_every_server_in_postgres() {
    a_token_is_good_at_every_server(Kind::Postgres).await;
}

/// Keys are taken from the store alone where they are what their ids say.
#[tokio::test(flavor = "multi_thread")]
async fn a_shared_key_is_what_its_id_says() {
    let clock = Moved::new();
    let (home, store) = place(Kind::Memory, &clock).await.unwrap();
    let server = Server::over(home, store.clone(), setup(&clock)).await;
    let other = SigningKeys::generate().unwrap();
    let jwk = serde_json::to_string(&other.public().keys[0]).unwrap();
    let until = server.state.clock().now() + Duration::hours(1);
    let own = |id: &str, jwk: &str| aurax::store::PublicKey::new(id, jwk);
    let secret = r#"{"kty":"oct","k":"c2VjcmV0"}"#;
    let keys = [
        own("not-its-id", &jwk),
        own("nothing", "{}"),
        own("oct", secret),
    ];
    store.jobs().share_signing_keys(&keys, until).await.unwrap();
    server.state.auth().share_keys().await.unwrap();
    let ids = key_ids(&server).await;
    assert_eq!(ids, [server.state.auth().tokens().keys().id()]);
    let good = [own(other.id(), &jwk)];
    store.jobs().share_signing_keys(&good, until).await.unwrap();
    server.state.auth().share_keys().await.unwrap();
    assert_eq!(key_ids(&server).await.len(), 2);
    server.stop().await;
}

/// Processes that share a data folder make one key, which each finds whole.
#[test]
fn of_processes_that_start_at_once_all_have_one_key() {
    let folder = std::env::temp_dir().join(format!("aurax-signing-{}", aurax::new_id()));
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("signing.keys");
    let ids: Vec<String> = std::thread::scope(|scope| {
        let open = || SigningKeys::open(&path).unwrap().id().to_owned();
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(open)).collect();
        let ids = threads.into_iter().map(|thread| thread.join().unwrap());
        ids.collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let left = std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(left, 1, "no draft stays behind");
    std::fs::remove_dir_all(&folder).unwrap();
}

async fn an_invitation_makes_one_account(kind: Kind) {
    let clock = Moved::new();
    let Some((home, store)) = place(kind, &clock).await else {
        return;
    };
    let server = Server::over(home, store, setup(&clock)).await;
    let client = server.client();
    let refused = |answer: crate::support::Answer| {
        assert_eq!(answer.error(403), "forbidden");
    };
    let with = |email: &str, invitation: &str| -> Value {
        json!({"email": email, "password": PASSWORD, "invitation": invitation})
    };
    // Whoever changes their address leaves it to nobody.
    let eve = with("eve@example.com", &invite(&server, "eve@example.com"));
    client.post("/auth/register", &eve).await.expect(201);
    assert_eq!(
        client.post("/auth/register", &eve).await.error(403),
        "forbidden"
    );
    let account = client.clone().login("eve@example.com").await;
    let change = json!({"current_password": PASSWORD, "email": "eva@example.com"});
    account.patch("/auth/me", &change).await.expect(200);
    refused(client.post("/auth/register", &eve).await);
    // So does whoever leaves.
    account.delete("/auth/me").await.expect(204);
    refused(client.post("/auth/register", &eve).await);
    // Another invitation is another matter, and one that made no account is still good.
    let again = with("eve@example.com", &invite(&server, "eve@example.com"));
    let mut short = again.clone();
    short["password"] = json!("short");
    assert_eq!(
        client.post("/auth/register", &short).await.field(),
        "password"
    );
    client.post("/auth/register", &again).await.expect(201);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_makes_one_account_in_memory() {
    an_invitation_makes_one_account(Kind::Memory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_makes_one_account_in_postgres() {
    an_invitation_makes_one_account(Kind::Postgres).await;
}
