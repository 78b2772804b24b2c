//! Clients that take their time, or everything there is: each phase of a connection ends in its own
//! time, and what it takes is bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aurax::Timeouts;
use aurax_server::config::Config;
use aurax_store::testkit::{Books, Plan, Upstream};
use futures::{StreamExt as _, stream};
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use crate::place::until;
use crate::raw::{Raw, get, post};
use crate::scene::streams;
use crate::support::{Kind, Server, Setup};

const HEADER: Duration = Duration::from_millis(400);
const BODY: Duration = Duration::from_millis(500);
const KEEP_ALIVE: Duration = Duration::from_millis(1_200);
const STALL: Duration = Duration::from_millis(600);
/// What a busy machine takes besides.
const SLACK: Duration = Duration::from_secs(2);
/// Less than there can be, by how coarse timers are.
const TICK: Duration = Duration::from_millis(5);

pub(crate) fn hasty(config: &mut Config) {
    config.timeouts.header = HEADER;
    config.timeouts.body = BODY;
    config.timeouts.keep_alive = KEEP_ALIVE;
    config.timeouts.write_stall = STALL;
}

async fn server() -> Server {
    let setup = Setup::new().configured(hasty);
    Server::with(Kind::Memory, setup).await.unwrap()
}

#[track_caller]
pub(crate) fn assert_after(took: Duration, limit: Duration) {
    assert!(
        took + TICK >= limit && took < limit + SLACK,
        "{took:?}, not {limit:?}"
    );
}

/// Sends something again and again, until the server closes the connection.
async fn drip(connection: &mut Raw, bytes: &str) {
    for byte in bytes.bytes().cycle() {
        if connection.send([byte]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_is_cut_off() {
    let server = server().await;
    let mut silent = Raw::connect(server.address).await.unwrap();
    let (took, said) = silent.closed().await;
    assert_after(took, HEADER);
    assert_eq!(said, b"");
    // What HTTP/2 begins with does not help.
    let mut half = Raw::connect(server.address).await.unwrap();
    half.send("PRI * HTTP/2.0\r\n").await.unwrap();
    assert_after(half.closed().await.0, HEADER);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_never_ends_is_cut_off() {
    let server = server().await;
    for is_first in [true, false] {
        let mut slow = Raw::connect(server.address).await.unwrap();
        if !is_first {
            assert_eq!(slow.ask(&get("/livez")).await.unwrap().status, 200);
        }
        slow.send("GET /livez HTTP/1.1\r\nx-slow: ").await.unwrap();
        let clock = aurax::SystemClock;
        let begun = aurax::Clock::monotonic(&clock);
        timeout(SLACK, drip(&mut slow, "zz")).await.unwrap();
        assert_after(aurax::Clock::monotonic(&clock) - begun, HEADER);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_drips_is_refused() {
    let server = server().await;
    let ada = server.user().await;
    let token = ada.token.as_deref().unwrap();
    for path in ["/auth/login", "/chat/sessions"] {
        let mut slow = Raw::connect(server.address).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: 1000\r\n\r\n"
        );
        slow.send(head).await.unwrap();
        let (stream, clock) = (&mut slow, aurax::SystemClock);
        let begun = aurax::Clock::monotonic(&clock);
        for _ in 0..5 {
            stream.send(" ").await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let told = timeout(SLACK, stream.answer()).await.unwrap().unwrap();
        assert_after(aurax::Clock::monotonic(&clock) - begun, BODY);
        assert_eq!(told.status, 400, "{}", told.text());
        assert!(
            told.text().contains("too long to arrive"),
            "{}",
            told.text()
        );
        // Nobody waits for the rest.
        assert!(slow.closed().await.0 < SLACK);
    }
    server.stop().await;
}

/// What is between two requests is not the time of a request.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_idle_has_longer_than_a_head() {
    let server = server().await;
    let mut idle = Raw::connect(server.address).await.unwrap();
    for _ in 0..3 {
        assert_eq!(idle.ask(&get("/livez")).await.unwrap().status, 200);
        tokio::time::sleep(HEADER + (KEEP_ALIVE - HEADER) / 4).await;
    }
    assert_eq!(idle.ask(&get("/livez")).await.unwrap().status, 200);
    let (took, said) = idle.closed().await;
    assert_after(took, KEEP_ALIVE);
    assert_eq!(said, b"");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_are_bounded() {
    let server = server().await;
    let many: String = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect();
    let long = format!("x-long: {}\r\n", "z".repeat(100 << 10));
    for headers in [many, long] {
        let mut bomb = Raw::connect(server.address).await.unwrap();
        let request = format!("GET /livez HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
        // It may be answered before all of it is sent.
        drop(bomb.send(request).await);
        let told = bomb.answer().await.unwrap();
        assert_eq!(told.status, 431, "{}", told.head);
        assert!(bomb.closed().await.0 < SLACK);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_has_so_many_connections() {
    const MOST: usize = 4;
    let setup = Setup::new().configured(|config| config.limits.connections_per_ip = MOST);
    let server = Server::with(Kind::Memory, setup).await.unwrap();
    let mut open = Vec::new();
    for _ in 0..MOST {
        let mut connection = Raw::connect(server.address).await.unwrap();
        assert_eq!(connection.ask(&get("/livez")).await.unwrap().status, 200);
        open.push(connection);
    }
    let mut more = Raw::connect(server.address).await.unwrap();
    let (took, said) = more.closed().await;
    assert!(took < SLACK && said.is_empty(), "{took:?}");
    for connection in &mut open {
        assert_eq!(connection.ask(&get("/livez")).await.unwrap().status, 200);
    }
    drop(open);
    let again = async {
        loop {
            let mut connection = Raw::connect(server.address).await.unwrap();
            if let Ok(told) = connection.ask(&get("/livez")).await {
                break told.status;
            }
        }
    };
    assert_eq!(timeout(SLACK, again).await.unwrap(), 200);
    server.stop().await;
}

/// A proxy that is trusted brings everybody.
#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_may_have_all_connections() {
    let setup = Setup::new().configured(|config| {
        config.limits.connections_per_ip = 1;
        config.limits.connections = 4;
        config.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    });
    let server = Server::with(Kind::Memory, setup).await.unwrap();
    let mut open = Vec::new();
    for _ in 0..4 {
        let mut connection = Raw::connect(server.address).await.unwrap();
        assert_eq!(connection.ask(&get("/livez")).await.unwrap().status, 200);
        open.push(connection);
    }
    let mut more = Raw::connect(server.address).await.unwrap();
    assert!(more.closed().await.1.is_empty());
    server.stop().await;
}

/// The call is stopped, and what it would still say is not kept in memory meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn who_reads_nothing_is_cut_off() {
    const READERS: usize = 4;
    let journal = std::env::temp_dir().join(format!("aurax-upstream-{}", aurax::new_id()));
    let upstream = Upstream::start(&journal).await.unwrap();
    let setup = Setup::new().with_openai(upstream.url()).configured(hasty);
    let server = Server::with(Kind::File, setup).await.unwrap();
    let ada = server.user().await;
    let mut readers = Vec::new();
    for _ in 0..READERS {
        let settings = json!({"settings": {"model": "openai/gpt-4o-mini"}});
        let made = ada.post("/chat/sessions", &settings).await.expect(201);
        let path = format!("/chat/sessions/{}/messages", made["id"].as_str().unwrap());
        // A hundred megabytes as events, if anybody took them.
        let body = streams(Plan::answer(1_000_000));
        let mut reader = Raw::small(server.address).await.unwrap();
        let token = ada.token.as_deref().unwrap();
        reader.send(post(&path, token, &body)).await.unwrap();
        readers.push(reader);
    }
    let limit = Duration::from_secs(30);
    until("all are asked", limit, || upstream.open() == READERS).await;
    let before = resident();
    let mut most = 0;
    until("all are cut off", limit, || {
        most = most.max(resident().saturating_sub(before));
        upstream.open() == 0
    })
    .await;
    println!("{READERS} readers took {} KiB", most);
    assert!(most < READERS << 12, "{most} KiB");
    drop(readers);
    let books = settled(&server, READERS).await;
    for charge in &books.charges {
        assert_eq!(
            (&*charge.status, &*charge.outcome),
            ("cancelled", "partial")
        );
    }
    server.stop().await;
    std::fs::remove_file(journal).unwrap();
}

/// The books, once so many calls are settled.
async fn settled(server: &Server, calls: usize) -> Books {
    let settled = async {
        loop {
            match Books::read(&server.store).await {
                Ok(books) if books.charges.len() >= calls => break books,
                _ => crate::support::moment().await,
            }
        }
    };
    timeout(Duration::from_secs(10), settled).await.unwrap()
}

/// Memory this process has, in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let size = line.unwrap().split_whitespace().nth(1).unwrap();
    size.parse().unwrap()
}

/// Bodies that arrive are in memory: all of them together take so much and no more, whatever their
/// heads say.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_together_have_a_limit() {
    let setup = Setup::new().configured(|config| {
        let limits = &mut config.limits;
        (limits.body, limits.paid_body, limits.bodies) = (1 << 20, 1 << 20, 2 << 20);
    });
    let server = Server::with(Kind::Memory, setup).await.unwrap();
    let ada = server.user().await;
    let token = ada.token.as_deref().unwrap();
    let head = format!(
        "POST /chat/sessions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        1 << 20
    );
    let mut announced = Vec::new();
    for _ in 0..8 {
        let mut raw = Raw::connect(server.address).await.unwrap();
        raw.send(&head).await.unwrap();
        announced.push(raw);
    }
    ada.post("/chat/sessions", &json!({})).await.expect(201);
    // Two of them fit at most.
    let part = " ".repeat(1_000 << 10);
    let told = futures::future::join_all(announced.iter_mut().map(async |raw| {
        raw.send(&part).await.ok()?;
        let told = timeout(Duration::from_secs(5), raw.answer()).await.ok()?;
        told.ok()
    }));
    let told: Vec<_> = told.await.into_iter().flatten().collect();
    assert!(told.len() >= 6, "{}", told.len());
    for told in &told {
        assert_eq!(told.status, 503);
        assert!(told.head.contains("retry-after: 1"), "{}", told.head);
        assert!(told.text().contains("overloaded"), "{}", told.text());
    }
    let large = || async {
        let body = format!("{{{}}}", " ".repeat(200 << 10));
        let asked = ada.send("POST", "/chat/sessions", Some("application/json"), body);
        asked.await
    };
    drop(announced);
    let waited = async { while large().await.status == 503 {} };
    timeout(Duration::from_secs(10), waited).await.unwrap();
    server.stop().await;
}

/// What a busy machine may take for a call.
const SLOW: Duration = Duration::from_secs(10);

/// Text in one piece of 12 MB, and then nothing.
async fn one_large_piece(open: Arc<AtomicUsize>) -> String {
    struct Open(Arc<AtomicUsize>);
    impl Drop for Open {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let answer = move || {
        let open = open.clone();
        async move {
            open.fetch_add(1, Ordering::SeqCst);
            let held = Open(open);
            let piece = |text: &str| {
                let delta = json!({"choices": [{"index": 0, "delta": {"content": text}}]});
                Ok::<_, std::convert::Infallible>(format!("data: {delta}\n\n"))
            };
            let pieces = [piece("Well"), piece(&"x".repeat(12 << 20))];
            let rest = stream::unfold(held, |held| async move {
                std::future::pending::<()>().await;
                Some((Ok(String::new()), held))
            });
            let body = axum::body::Body::from_stream(stream::iter(pieces).chain(rest));
            ([("content-type", "text/event-stream")], body)
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// Reads a little now and then, for as long as there is anything.
async fn sip(raw: &mut Raw) {
    let mut sip = vec![0; 64 << 10];
    while let Ok(1..) = raw.stream.read(&mut sip).await {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Who reads a large piece slowly, which takes half a minute here, keeps neither a login that is over nor a
/// call whose time is.
#[tokio::test(flavor = "multi_thread")]
async fn who_sips_ends_in_time_all_the_same() {
    for is_logout in [true, false] {
        let open = Arc::new(AtomicUsize::new(0));
        let url = one_large_piece(open.clone()).await;
        let mut setup = Setup::new().with_openai(&url).configured(|config| {
            config.timeouts.login_cache = Duration::ZERO;
        });
        if !is_logout {
            let total = Duration::from_secs(2);
            setup.engine = setup.engine.timeouts(Timeouts::default().with_total(total));
        }
        let server = Server::with(Kind::Memory, setup).await.unwrap();
        let ada = server.user().await;
        let session = crate::scene::session(&ada).await;
        let token = ada.token.as_deref().unwrap();
        let said = json!({"content": "Hi", "model": "openai/gpt-4o", "stream": true});
        let mut raw = Raw::small(server.address).await.unwrap();
        raw.send(post(&session, token, &said)).await.unwrap();
        until("the call is made", SLOW, || {
            open.load(Ordering::SeqCst) == 1
        })
        .await;
        if is_logout {
            ada.delete("/auth/logout").await.expect(204);
        }
        let sipping = tokio::spawn(async move { sip(&mut raw).await });
        // Two seconds until it is known, or twelve, and two for the last words.
        let limit = Duration::from_secs(if is_logout { 10 } else { 20 });
        until("the call is over", limit, || {
            open.load(Ordering::SeqCst) == 0
        })
        .await;
        assert!(!sipping.is_finished(), "everything was read");
        sipping.abort();
        server.stop().await;
    }
}
