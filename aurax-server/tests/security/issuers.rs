//! Access tokens of other issuers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use aurax::providers::transport::{Answer as Reply, Replay};
use aurax::store::{NewUser, Role};
use aurax::{Clock as _, Secret};
use aurax_server::config::{Config, ExternalIssuer, Registration};
use aurax_server::{State, StateParts};
use futures::future::join_all;
use serde_json::{Value, json};
use time::Duration;

use crate::clock::Moved;
use crate::forge::{self, Curve, Rsa};
use crate::support::{Client, Kind, Server, Setup};

const ISSUER: &str = "https://id.example.com/auth/v1";
const AUDIENCE: &str = "authenticated";
const JWKS: &str = "https://id.example.com/auth/v1/.well-known/jwks.json";

/// An issuer, and a server that takes its tokens.
struct Scene {
    server: Server,
    rsa: Arc<Rsa>,
    curve: Arc<Curve>,
    clock: Arc<Moved>,
    network: Replay,
    /// The status the issuer answers with.
    status: Arc<AtomicU16>,
    /// How many of its keys it shows.
    shown: Arc<AtomicUsize>,
}

impl Scene {
    async fn new(registration: Registration) -> Self {
        Self::over(Kind::Memory, registration).await.unwrap()
    }

    async fn over(kind: Kind, registration: Registration) -> Option<Self> {
        let (rsa, curve) = (Arc::new(Rsa::new()), Arc::new(Curve::new()));
        let (status, shown) = (Arc::new(AtomicU16::new(200)), Arc::new(AtomicUsize::new(9)));
        let mut rsa_key = rsa.jwk();
        rsa_key["kid"] = json!("rsa");
        let keys = [
            json!({"kty": "oct", "kid": "secret", "k": "c2VjcmV0", "alg": "HS256"}),
            json!({"kty": "something else"}),
            curve.jwk("curve"),
            rsa_key,
        ];
        let (said, many) = (status.clone(), shown.clone());
        let network = Replay::from_fn(move |_| match said.load(Ordering::SeqCst) {
            200 => {
                let most = many.load(Ordering::SeqCst).min(keys.len());
                Reply::json(json!({"keys": keys[..most]}).to_string())
            }
            status => Reply::status(status),
        });
        let clock = Moved::new();
        let mut setup = Setup::new().configured(|config| {
            config.registration = Some(registration);
            config.auth.issuers = vec![ExternalIssuer::new(ISSUER, AUDIENCE, JWKS)];
            config.timeouts.login_cache = std::time::Duration::ZERO;
        });
        setup.issuer_transport = Some(Arc::new(network.clone()));
        Some(Self {
            server: crate::renewals::server(kind, &clock, setup).await?,
            rsa,
            curve,
            clock,
            network,
            status,
            shown,
        })
    }

    /// What the issuer says of somebody.
    fn claims(&self, subject: &str) -> Value {
        let now = self.clock.now().unix_timestamp();
        json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + 3_600,
            "email": format!("{subject}@example.com"), "role": "authenticated",
        })
    }

    /// A token of the key on the curve.
    fn token(&self, claims: &Value) -> String {
        let header = json!({"alg": "ES256", "typ": "JWT", "kid": "curve"});
        self.curve.sign(&header, &claims.to_string())
    }

    fn client(&self, claims: &Value) -> Client {
        self.server.client().with_token(&self.token(claims))
    }

    fn asked(&self) -> usize {
        self.network.requests().len()
    }
}

/// `base` with another value, or without it.
fn with(base: &Value, name: &str, value: Value) -> Value {
    let mut all = base.clone();
    if value.is_null() {
        all.as_object_mut().unwrap().remove(name);
    } else {
        all[name] = value;
    }
    all
}

async fn people_come_with_tokens_of_another_issuer(kind: Kind) {
    let Some(scene) = Scene::over(kind, Registration::Open).await else {
        return;
    };
    let ada = scene.client(&scene.claims("ada"));
    // Requests that are the first at once make one account, and ask the issuer once.
    let all = join_all((0..8).map(|_| ada.get("/auth/me"))).await;
    let first = all[0].expect(200);
    for answer in &all {
        assert_eq!(answer.expect(200), first);
    }
    assert_eq!(scene.asked(), 1);
    assert_eq!(first["email"], "ada@example.com");
    // Whoever is first by another issuer runs nothing.
    assert_eq!(first["role"], "user");
    // By the other key, with several audiences and another address: still the same person.
    let mut claims = scene.claims("ada");
    claims["aud"] = json!(["other", AUDIENCE]);
    claims["email"] = json!("new@example.com");
    let header = json!({"alg": "RS256", "typ": "at+jwt", "kid": "rsa", "x5t": "abc"});
    let token = scene.rsa.sign(&header, &claims.to_string());
    let again = scene.server.client().with_token(&token);
    assert_eq!(again.get("/auth/me").await.expect(200), first);
    claims.as_object_mut().unwrap().remove("email");
    assert_eq!(
        scene.client(&claims).get("/auth/me").await.expect(200),
        first
    );
    // It works like any login.
    let session = ada.post("/chat/sessions", &json!({})).await.expect(201);
    let path = format!("/chat/sessions/{}", session["id"].as_str().unwrap());
    let eve = scene.client(&scene.claims("eve"));
    assert_eq!(eve.get(&path).await.error(404), "not_found");
    ada.delete("/auth/me").await.expect(204);
    let reborn = ada.get("/auth/me").await.expect(200);
    assert_ne!(reborn["id"], first["id"]);
    scene.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_come_with_tokens_of_another_issuer_in_memory() {
    people_come_with_tokens_of_another_issuer(Kind::Memory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_come_with_tokens_of_another_issuer_in_postgres() {
    people_come_with_tokens_of_another_issuer(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_issuer_did_not_sign_for_here_and_now_is_refused() {
    let scene = Scene::new(Registration::Open).await;
    let good = scene.claims("ada");
    scene.client(&good).get("/auth/me").await.expect(200);
    let now = scene.clock.now().unix_timestamp();
    let mut forged: Vec<(String, String)> = Vec::new();
    for (name, value) in [
        ("iss", json!(format!("{ISSUER}/"))),
        ("iss", json!(ISSUER.to_uppercase())),
        ("iss", json!([ISSUER])),
        ("iss", json!(null)),
        ("aud", json!("anon")),
        ("aud", json!(["a", "b"])),
        ("aud", json!([])),
        ("aud", json!({})),
        ("aud", json!(null)),
        ("sub", json!("")),
        ("sub", json!("a\u{0}b")),
        ("sub", json!("x".repeat(256))),
        ("sub", json!(1)),
        ("sub", json!(null)),
        ("exp", json!(now)),
        ("exp", json!(now - 1)),
        ("exp", json!((now + 60).to_string())),
        (
            "exp",
            serde_json::from_str(&format!("{}.5", now + 60)).unwrap(),
        ),
        ("exp", json!(i64::MAX)),
        ("exp", json!(null)),
        ("iat", json!(now + 120)),
        ("iat", json!("0")),
        ("iat", json!(null)),
        ("nbf", json!(now + 120)),
        ("nbf", json!("0")),
        ("email_verified", json!(1)),
    ] {
        let claims = with(&good, name, value.clone());
        forged.push((format!("{name}: {value}"), scene.token(&claims)));
    }
    let claims = good.to_string();
    let curve = json!({"alg": "ES256", "typ": "JWT", "kid": "curve"});
    for (name, value) in [
        ("typ", json!("logout+jwt")),
        ("typ", json!("dpop+jwt")),
        ("crit", json!(["exp"])),
        ("jku", json!("https://evil.example")),
        ("x5u", json!("https://evil.example")),
        ("x5c", json!(["MIIB"])),
        ("jwk", Curve::new().jwk("curve")),
        ("zip", json!("DEF")),
        ("kid", json!("rsa")),
        ("kid", json!("secret")),
        ("kid", json!("")),
        ("kid", json!(["curve"])),
        ("kid", json!(null)),
        ("alg", json!("ES384")),
        ("alg", json!("RS256")),
        ("alg", json!("none")),
    ] {
        let header = with(&curve, name, value.clone());
        forged.push((
            format!("{name}: {value}"),
            scene.curve.sign(&header, &claims),
        ));
    }
    let rsa = json!({"alg": "RS256", "kid": "rsa"});
    for alg in ["RS384", "RS512", "PS256", "ES256"] {
        let header = with(&rsa, "alg", json!(alg));
        forged.push((format!("alg: {alg}"), scene.rsa.sign(&header, &claims)));
    }
    for (what, secret) in scene.rsa.public_forms() {
        let header = json!({"alg": "HS256", "kid": "rsa"});
        let token = forge::with_secret(&header, &claims, &secret);
        forged.push((format!("HS256 with {what}"), token));
    }
    for (what, token) in [
        ("another curve", Curve::new().sign(&curve, &claims)),
        ("another RSA key", Rsa::new().sign(&rsa, &claims)),
        ("no signature", forge::unsigned(&curve, &claims)),
        (
            "alg none",
            forge::unsigned(&json!({"alg": "none", "kid": "rsa"}), &claims),
        ),
        (
            "secret",
            forge::with_secret(
                &json!({"alg": "HS256", "kid": "secret"}),
                &claims,
                b"secret",
            ),
        ),
    ] {
        forged.push((what.to_owned(), token));
    }
    // Signed by this server's issuer's key, as if by the server itself.
    let own = scene.server.state.auth().tokens().issuer().to_owned();
    let as_own = with(&with(&good, "iss", json!(own)), "aud", json!(own));
    forged.push(("as the server".to_owned(), scene.token(&as_own)));
    let mut words = None;
    for (what, token) in &forged {
        let answer = scene
            .server
            .client()
            .with_token(token)
            .get("/auth/me")
            .await;
        assert_eq!(answer.status, 401, "{what}: {:?}", answer.json());
        let message = answer.json()["error"]["message"].clone();
        assert_eq!(*words.get_or_insert(message.clone()), message, "{what}");
    }
    println!("{} forged", forged.len());
    // None of them made the server ask the issuer more than twice: at first, and for what is new.
    assert!(scene.asked() <= 2, "{}", scene.asked());
    scene.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_account_is_taken_over() {
    let scene = Scene::new(Registration::Open).await;
    let admin = scene.server.store.admin();
    let me = async |claims: &Value| scene.client(claims).get("/auth/me").await;
    let verified = |subject: &str, email: &str| {
        let claims = with(&scene.claims(subject), "email", json!(email));
        with(&claims, "email_verified", json!(true))
    };
    // Somebody has it by a password.
    let ada = NewUser::new("ada@x.org").with_hashed_password(Secret::new("hash"));
    admin.add_user(ada.with_role(Role::Admin)).await.unwrap();
    for claims in [
        verified("ada", "ada@x.org"),
        verified("ada", " ADA@x.org "),
        with(&verified("ada", "ada@x.org"), "email_verified", json!(null)),
    ] {
        assert_eq!(me(&claims).await.error(403), "forbidden", "{claims}");
    }
    // Nobody can log in to it yet: it is for whom the issuer is sure of.
    let bob = admin.add_user(NewUser::new("bob@x.org")).await.unwrap();
    for unsure in [json!(null), json!(false), json!("false"), json!("yes")] {
        let claims = with(&verified("bob", "bob@x.org"), "email_verified", unsure);
        assert_eq!(me(&claims).await.error(403), "forbidden", "{claims}");
    }
    let found = me(&verified("bob", "bob@x.org")).await.expect(200);
    assert_eq!(found["id"], bob.id.to_string());
    // It has somebody now, whoever gets the address next.
    let answer = me(&verified("mallory", "bob@x.org")).await;
    assert_eq!(answer.error(403), "forbidden");
    // No address, or one that is none.
    for email in [
        json!(null),
        json!(""),
        json!("x"),
        json!("a@b@c"),
        json!("a b@c"),
    ] {
        let claims = with(&verified("new", "n@x.org"), "email", email.clone());
        assert_eq!(me(&claims).await.error(403), "forbidden", "{email}");
    }
    scene.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_accounts_are_made_by_operators_only_theirs_are_used() {
    for registration in [Registration::Closed, Registration::Invite] {
        let scene = Scene::new(registration).await;
        let claims = with(&scene.claims("ada"), "email_verified", json!("true"));
        let answer = scene.client(&claims).get("/auth/me").await;
        assert_eq!(answer.error(403), "forbidden");
        let admin = scene.server.store.admin();
        let ada = admin
            .add_user(NewUser::new("ada@example.com"))
            .await
            .unwrap();
        let found = scene.client(&claims).get("/auth/me").await.expect(200);
        assert_eq!(found["id"], ada.id.to_string());
        scene.server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_asked_for_seldom_and_kept_while_nobody_answers() {
    let scene = Scene::new(Registration::Open).await;
    let ada = || scene.client(&scene.claims("ada"));
    let get = async |client: Client| client.get("/auth/me").await;
    // Nobody answers yet.
    scene.status.store(500, Ordering::SeqCst);
    for _ in 0..3 {
        let answer = get(ada()).await;
        assert_eq!(answer.error(503), "issuer_unavailable");
        assert!(answer.header("retry-after").is_some());
    }
    assert_eq!(scene.asked(), 1);
    scene.status.store(200, Ordering::SeqCst);
    scene.shown.store(3, Ordering::SeqCst);
    scene.clock.pass(Duration::seconds(6));
    get(ada()).await.expect(200);
    assert_eq!(scene.asked(), 2);
    // A key that is not known: at most once a minute, whoever asks.
    let rotated = || {
        let header = json!({"alg": "RS256", "kid": "rsa"});
        let token = scene.rsa.sign(&header, &scene.claims("ada").to_string());
        scene.server.client().with_token(&token)
    };
    for _ in 0..5 {
        assert_eq!(get(rotated()).await.error(401), "unauthorized");
    }
    assert_eq!(scene.asked(), 2);
    scene.shown.store(4, Ordering::SeqCst);
    scene.clock.pass(Duration::seconds(61));
    let all = join_all((0..8).map(|_| get(rotated()))).await;
    assert!(all.iter().all(|answer| answer.status == 200));
    assert_eq!(scene.asked(), 3);
    // While the issuer is away its keys hold, for a day.
    scene.status.store(503, Ordering::SeqCst);
    for minutes in [11, 60, 600] {
        scene.clock.pass(Duration::minutes(minutes));
        get(ada()).await.expect(200);
    }
    scene.clock.pass(Duration::hours(13));
    assert_eq!(get(ada()).await.error(503), "issuer_unavailable");
    // Others go on all the while.
    scene.server.user().await.get("/auth/me").await.expect(200);
    scene.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_were_taken_back_are_good_no_more() {
    let scene = Scene::new(Registration::Open).await;
    let header = json!({"alg": "RS256", "kid": "rsa"});
    let get = async || {
        let token = scene.rsa.sign(&header, &scene.claims("ada").to_string());
        scene
            .server
            .client()
            .with_token(&token)
            .get("/auth/me")
            .await
    };
    get().await.expect(200);
    scene.shown.store(3, Ordering::SeqCst);
    scene.clock.pass(Duration::minutes(10));
    // Nobody waits for what is asked for again; soon it is known.
    let gone = async {
        while get().await.status == 200 {
            tokio::task::yield_now().await;
        }
    };
    let patience = std::time::Duration::from_secs(10);
    tokio::time::timeout(patience, gone).await.unwrap();
    assert_eq!(get().await.error(401), "unauthorized");
    scene.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_closed_is_closed_for_its_issuer_too() {
    let scene = Scene::new(Registration::Open).await;
    let ada = scene.client(&scene.claims("ada"));
    let user = ada.get("/auth/me").await.expect(200);
    let mut change = aurax::store::UserChange::default();
    change.is_active = Some(false);
    let id = user["id"].as_str().unwrap().parse().unwrap();
    let admin = scene.server.store.admin();
    admin.change_user(id, change).await.unwrap();
    assert_eq!(ada.get("/auth/me").await.error(401), "unauthorized");
    // A token ends by the clock, for streams as for requests.
    let eve = scene.client(&scene.claims("eve"));
    eve.get("/auth/me").await.expect(200);
    let auth = scene.server.state.auth();
    let caller = auth.caller(eve.token.as_ref().unwrap()).await.unwrap();
    assert!(auth.again(&caller).await.is_ok());
    scene.clock.pass(Duration::hours(1));
    assert_eq!(eve.get("/auth/me").await.error(401), "unauthorized");
    assert_eq!(auth.again(&caller).await.unwrap_err().status(), 401);
    scene.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_cannot_be_trusted_is_refused_at_the_start() {
    let server = Server::start(Kind::Memory).await.unwrap();
    for (issuer, audience, url) in [
        ("", "a", JWKS),
        ("i", " ", JWKS),
        ("i", "a", "http://id.example.com/jwks.json"),
        ("i", "a", "id.example.com"),
        ("i", "a", "file:///etc/passwd"),
        ("i", "a", ""),
        ("http://own.test", "a", JWKS),
    ] {
        let mut config = Config::new();
        config.public_url = Some("http://own.test".to_owned());
        config.auth.issuers = vec![ExternalIssuer::new(issuer, audience, url)];
        let setup = Setup::new();
        let state = &server.state;
        let parts = StateParts::new(
            config,
            state.engine().clone(),
            state.store().clone(),
            setup.vault,
            setup.keys,
        );
        let error = State::new(parts).unwrap_err();
        assert_eq!(error.kind(), aurax::ErrorKind::Config, "{error}");
        assert_eq!(error.context("field"), Some("auth.issuers"));
    }
    server.stop().await;
}
