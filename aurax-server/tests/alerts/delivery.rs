//! Who hears of an alert.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aurax::providers::transport::{ReqwestOptions, ReqwestTransport};
use aurax::store::{Alert, NewAlert};
use aurax::{CancellationToken, Principal, Secret, new_id};
use aurax_server::alerts::{AlertOptions, Alerts, Metric};
use aws_lc_rs::hmac;
use axum::Router;
use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use time::Duration;
use tokio::net::TcpListener;

use crate::desk::{Desk, Kind};
use crate::scene::{MINUTE, Scene, ada, evaluator, evaluator_with, number, succeeds};

type Asked = (HeaderMap, Bytes);

/// A server that answers by a script, with 204 when that is over, and notes what it was asked.
#[derive(Clone)]
struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    async fn start(script: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let script: VecDeque<u16> = script.iter().copied().collect();
        let (noted, script) = (asked.clone(), Arc::new(Mutex::new(script)));
        let answer = async move |headers: HeaderMap, body: Bytes| {
            noted.lock().unwrap().push((headers, body));
            let status = script.lock().unwrap().pop_front().unwrap_or(204);
            StatusCode::from_u16(status).unwrap()
        };
        let router = Router::new().route("/hook", axum::routing::post(answer));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    fn url(&self) -> String {
        format!("http://{}/hook?token=hush", self.address)
    }
}

/// Fires for a call or more within a minute.
async fn hooked(scene: &Scene, who: &Principal, url: &str) -> Alert {
    let mut new = NewAlert::new("calls \"all\"", Metric::Requests.as_str(), number("0.5"));
    new.window_seconds = 60;
    new.webhook_url = Some(url.to_owned());
    scene.store.user(who).alerts().add(new).await.unwrap()
}

/// Whether a delivery is signed as the standard says: computed here from its words alone.
fn is_signed(asked: &Asked, secret: &str) -> bool {
    let (headers, body) = asked;
    let text = |name: &str| headers[name].to_str().unwrap().to_owned();
    let key = STANDARD
        .decode(secret.strip_prefix("whsec_").unwrap())
        .unwrap();
    let mut said = format!("{}.{}.", text("webhook-id"), text("webhook-timestamp")).into_bytes();
    said.extend_from_slice(body);
    let signature = text("webhook-signature");
    let signature = STANDARD
        .decode(signature.strip_prefix("v1,").unwrap())
        .unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    hmac::verify(&key, &said, &signature).is_ok()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test checks what owners are shown"
)]
fn secret(alerts: &Alerts, alert: &Alert) -> String {
    alerts.webhook_secret(alert.id).expose().to_owned()
}

pub(crate) async fn a_webhook_is_signed_and_says_what_happened(desk: Desk) -> Desk {
    let scene = Scene::new(desk);
    let server = Server::start(&[]).await;
    let alert = hooked(&scene, &ada(), &server.url()).await;
    scene.call(&ada(), 3, succeeds).await;
    assert_eq!(scene.look(Duration::seconds(30)).await, (1, 0));
    scene.alerts.delivered().await;
    assert_eq!(scene.look(MINUTE * 2).await, (0, 1));
    scene.alerts.delivered().await;
    let asked = server.asked();
    let key = secret(&scene.alerts, &alert);
    assert_eq!(asked.len(), 2);
    assert!(asked.iter().all(|one| is_signed(one, &key)));
    let fired: Value = serde_json::from_slice(&asked[0].1).unwrap();
    let event = &crate::scene::events(&scene.store.user(&ada()).alerts()).await[0];
    let expected = serde_json::json!({
        "type": "alert.fired",
        "id": event.id,
        "alert": {
            "id": alert.id, "name": "calls \"all\"", "metric": "requests", "threshold": 0.5,
            "window_seconds": 60, "severity": "warning",
        },
        "value": 3,
        "message": "the number of calls is 3 within 60 s, above 0.5: calls",
        "fired_at": "2026-08-04T19:58:45Z",
        "resolved_at": null,
    });
    assert_eq!(fired, expected);
    let over: Value = serde_json::from_slice(&asked[1].1).unwrap();
    assert_eq!(over["type"], "alert.resolved");
    assert_eq!(over["id"], fired["id"]);
    assert_eq!(over["resolved_at"], "2026-08-04T20:00:45Z");
    // Both have a name of their own, and the time of their delivery.
    let header = |at: usize, name: &str| asked[at].0[name].to_str().unwrap().to_owned();
    assert_ne!(header(0, "webhook-id"), header(1, "webhook-id"));
    let at = scene.hands.at().unix_timestamp().to_string();
    assert_eq!(header(1, "webhook-timestamp"), at);
    assert_eq!(header(0, "content-type"), "application/json");
    // The key is the alert's own, and the same for every process of the installation.
    let other = hooked(&scene, &Principal::new("eve"), &server.url()).await;
    assert_ne!(secret(&scene.alerts, &other), key);
    assert_eq!(secret(&evaluator(&scene.store), &alert), key);
    let mut changed = asked[0].clone();
    changed.1 = changed
        .1
        .iter()
        .map(|byte| byte ^ 1)
        .collect::<Vec<_>>()
        .into();
    assert!(!is_signed(&changed, &key));
    scene.desk
}

async fn in_memory() -> Scene {
    Scene::new(Desk::open(Kind::Memory).await.unwrap())
}

#[tokio::test]
async fn a_webhook_is_tried_again_where_that_may_help() {
    for (script, count) in [
        (&[503, 500][..], 3),
        (&[429, 204], 2),
        (&[503, 503, 503, 503], 3),
        (&[400], 1),
        (&[410], 1),
        (&[302], 1),
        (&[200], 1),
    ] {
        let scene = in_memory().await;
        let server = Server::start(script).await;
        let alert = hooked(&scene, &ada(), &server.url()).await;
        scene.call(&ada(), 1, succeeds).await;
        assert_eq!(scene.look(Duration::ZERO).await, (1, 0));
        scene.alerts.delivered().await;
        let asked = server.asked();
        assert_eq!(asked.len(), count, "{script:?}");
        let key = secret(&scene.alerts, &alert);
        for one in &asked {
            assert_eq!(one.0["webhook-id"], asked[0].0["webhook-id"]);
            assert!(is_signed(one, &key));
        }
    }
}

#[tokio::test]
async fn a_server_that_hangs_holds_up_nothing_but_its_own() {
    let mut scene = in_memory().await;
    let for_ever = std::time::Duration::from_hours(1);
    let options = AlertOptions::new().with_webhook_timeout(for_ever);
    let transport = Arc::new(ReqwestTransport::new());
    scene.alerts = Alerts::new(
        scene.store.clone(),
        transport,
        &Secret::new("hush"),
        options,
    );
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", silent.local_addr().unwrap());
    let server = Server::start(&[]).await;
    let eve = Principal::new("eve");
    for number_of in 0..20 {
        let mut new = NewAlert::new(format!("{number_of}"), "requests", number("0.5"));
        new.webhook_url = Some(url.clone());
        scene.store.user(&ada()).alerts().add(new).await.unwrap();
    }
    hooked(&scene, &eve, &server.url()).await;
    scene.call(&ada(), 1, succeeds).await;
    scene.call(&eve, 1, succeeds).await;
    // Looking waits for nobody, and Eve's server is asked though Ada's never answers.
    assert_eq!(scene.look(Duration::ZERO).await, (21, 0));
    let asked = async {
        while server.asked().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    let limit = std::time::Duration::from_secs(20);
    tokio::time::timeout(limit, asked).await.unwrap();
}

#[tokio::test]
async fn nothing_inside_is_asked_by_the_transport_for_users_addresses() {
    let mut scene = in_memory().await;
    let server = Server::start(&[]).await;
    let options = ReqwestOptions::new().with_public_only();
    let guarded = Arc::new(ReqwestTransport::with_options(options));
    scene.alerts = evaluator_with(&scene.store, guarded);
    let port = server.address.port();
    for (number_of, url) in [
        server.url(),
        format!("https://127.0.0.1:{port}/hook"),
        format!("https://localhost:{port}/hook"),
        format!("https://2130706433:{port}/hook"),
        "not an address".to_owned(),
    ]
    .into_iter()
    .enumerate()
    {
        let mut new = NewAlert::new(format!("{number_of}"), "requests", number("0.5"));
        new.webhook_url = Some(url);
        scene.store.user(&ada()).alerts().add(new).await.unwrap();
    }
    scene.call(&ada(), 1, succeeds).await;
    assert_eq!(scene.look(Duration::ZERO).await, (5, 0));
    scene.alerts.delivered().await;
    assert!(server.asked().is_empty());
}

pub(crate) async fn every_process_tells_its_listeners_once(desk: Desk) -> Desk {
    let scene = Scene::new(desk);
    let other = evaluator(&scene.store.with_replica(new_id()));
    let mut here = [scene.alerts.subscribe(), scene.alerts.subscribe()];
    let mut there = other.subscribe();
    let mut new = NewAlert::new("calls", "requests", number("1"));
    new.window_seconds = 60;
    scene.store.user(&ada()).alerts().add(new).await.unwrap();
    scene.call(&ada(), 2, succeeds).await;
    assert_eq!(scene.look(Duration::seconds(30)).await, (1, 0));
    // The other one had nothing to find, and tells it all the same.
    assert_eq!(other.run_once().await.unwrap().fired, 0);
    for listener in here.iter_mut().chain([&mut there]) {
        let notice = listener.try_recv().unwrap();
        let owner = scene.store.user(&ada()).user_id();
        assert_eq!((notice.user_id(), notice.kind()), (owner, "alert.fired"));
        assert!(listener.try_recv().is_err());
    }
    assert_eq!(scene.look(Duration::seconds(29)).await, (0, 0));
    assert_eq!(scene.look(Duration::SECOND).await, (0, 1));
    other.run_once().await.unwrap();
    // Those who come later hear of what comes later.
    let mut late = other.subscribe();
    for listener in here.iter_mut().chain([&mut there]) {
        assert_eq!(listener.try_recv().unwrap().kind(), "alert.resolved");
        assert!(listener.try_recv().is_err());
    }
    other.run_once().await.unwrap();
    assert!(late.try_recv().is_err());
    scene.desk
}

/// What was logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn operators_find_one_line_of_each_in_the_log() {
    let lines = Lines::default();
    let written = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_writer(move || written.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let scene = in_memory().await;
    let refused = Server::start(&[400]).await;
    let alert = hooked(&scene, &ada(), &refused.url()).await;
    scene.call(&ada(), 2, succeeds).await;
    scene.look(Duration::seconds(30)).await;
    scene.alerts.delivered().await;
    scene.look(MINUTE).await;
    scene.alerts.delivered().await;
    drop(guard);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &Value| line["target"] == "aurax::alerts")
        .collect();
    let said: Vec<_> = lines
        .iter()
        .map(|line| &line["fields"]["message"])
        .collect();
    assert_eq!(
        said,
        [
            "alert.fired",
            "a webhook was not delivered",
            "alert.resolved"
        ]
    );
    let fields = &lines[0]["fields"];
    assert_eq!(lines[0]["level"], "WARN");
    assert_eq!(fields["alert_id"], alert.id.to_string());
    assert_eq!(
        (&fields["metric"], &fields["severity"]),
        (&"requests".into(), &"warning".into())
    );
    assert_eq!(
        (&fields["value"], &fields["threshold"]),
        (&"2".into(), &"0.5".into())
    );
    // Neither what users chose as a name, nor what an address may hold.
    assert!(
        !text.contains("calls \\\"all") && !text.contains("hush"),
        "{text}"
    );
}

#[tokio::test]
async fn it_looks_by_itself_until_it_is_told_to_stop() {
    let scene = in_memory().await;
    let server = Server::start(&[]).await;
    hooked(&scene, &ada(), &server.url()).await;
    let options = AlertOptions::new().with_interval(std::time::Duration::from_millis(5));
    let transport = Arc::new(ReqwestTransport::new());
    let alerts = Alerts::new(
        scene.store.clone(),
        transport,
        &Secret::new("hush"),
        options,
    );
    let cancel = CancellationToken::new();
    let running = tokio::spawn({
        let (alerts, cancel) = (alerts.clone(), cancel.clone());
        async move { alerts.run(cancel).await }
    });
    scene.call(&ada(), 1, succeeds).await;
    while server.asked().is_empty() {
        scene.hands.pass(Duration::MILLISECOND * 5);
        tokio::task::yield_now().await;
    }
    cancel.cancel();
    running.await.unwrap();
    assert_eq!(server.asked().len(), 1);
}
