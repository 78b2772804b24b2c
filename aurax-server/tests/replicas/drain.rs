//! Going down under load: nobody who was let in is turned away, and streams that have no end get
//! one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use aurax::store::Store;
use aurax::{Clock as _, SystemClock};
use aurax_store::testkit::{Ending, Plan, Upstream};
use futures::future::join_all;

use crate::place::until;
use crate::process::Start;
use crate::raw::{Raw, get, post};
use crate::scene::{adds_up, says, session, streams};
use crate::support::{Client, Kind, Server, Setup};

/// Clients that go on asking.
const CLIENTS: usize = 8;
/// Between saying that it goes down and letting nobody in.
const NOTICE: Duration = Duration::from_millis(700);
/// Between that and cutting off what goes on.
const DRAIN: Duration = Duration::from_secs(2);

/// What clients saw.
#[derive(Debug, Default)]
struct Seen {
    /// Requests that were answered to their end.
    answered: AtomicUsize,
    /// Those of them that were answered after the notice.
    late: AtomicUsize,
    /// Connections that were closed before anything was answered on them.
    turned_away: AtomicUsize,
    is_noticed: AtomicBool,
}

/// Asks again and again, on one connection for as long as the server likes, until nobody is let in
/// any more.
async fn client(address: SocketAddr, token: String, path: String, seen: Arc<Seen>) {
    let mut round = 0;
    while let Ok(mut connection) = Raw::connect(address).await {
        let mut is_new = true;
        loop {
            round += 1;
            let plan = Plan::answer(4).with_pace(Duration::from_millis(3));
            let (body, status) = match round % 2 {
                0 => (says(plan), 201),
                _ => (streams(plan), 200),
            };
            let was_noticed = seen.is_noticed.load(Ordering::SeqCst);
            let told = match connection.ask(&post(&path, &token, &body)).await {
                Ok(told) => told,
                // As if it had been refused.
                Err(error) if is_new && was_noticed => {
                    println!("turned away: {error}");
                    seen.turned_away.fetch_add(1, Ordering::SeqCst);
                    return;
                }
                Err(error) => panic!("a request of a connection that was let in: {error}"),
            };
            assert_eq!(told.status, status, "{}", told.text());
            if status == 200 {
                assert!(
                    told.text().contains("event: chat_response"),
                    "{}",
                    told.text()
                );
            }
            seen.answered.fetch_add(1, Ordering::SeqCst);
            seen.late
                .fetch_add(usize::from(was_noticed), Ordering::SeqCst);
            is_new = false;
            if told.is_last() {
                break;
            }
        }
    }
}

/// Lets a server go down under load, and says how long it took.
async fn goes_down(address: SocketAddr, announce: impl FnOnce(), ended: impl Future<Output = ()>) {
    let ada = Client::new(address)
        .register(&format!("{}@example.com", aurax::new_id()))
        .await;
    let token = ada.token.clone().unwrap();
    let endless = session(&ada).await;
    let plan = Plan::answer(2).with_ending(Ending::Hang);
    let stream = ada.post_stream(&endless, &streams(plan)).await;
    assert_eq!(stream.status.as_u16(), 200);
    let stream = tokio::spawn(stream.events());
    // Somebody who has nothing to say.
    let mut idle = Raw::connect(address).await.unwrap();
    assert_eq!(idle.ask(&get("/readyz")).await.unwrap().status, 200);

    let seen = Arc::new(Seen::default());
    let paths = join_all((0..CLIENTS).map(|_| session(&ada))).await;
    let clients = paths.into_iter().map(|path| {
        let client = client(address, token.clone(), path, seen.clone());
        tokio::spawn(client)
    });
    let clients = join_all(clients);
    let limit = Duration::from_secs(20);
    let clients = tokio::spawn(clients);
    let answered = || seen.answered.load(Ordering::SeqCst);
    until("they are answered", limit, || answered() >= 5 * CLIENTS).await;

    let begun = SystemClock.monotonic();
    seen.is_noticed.store(true, Ordering::SeqCst);
    announce();
    // It says so while it still lets everybody in.
    loop {
        let mut probe = Raw::connect(address).await.unwrap();
        let told = probe.ask(&get("/readyz")).await.unwrap();
        if told.status == 503 {
            assert!(told.text().contains("shutting_down") && told.is_last());
            break;
        }
    }
    let told = SystemClock.monotonic() - begun;
    assert!(told < NOTICE, "{told:?}");
    let mut still = Raw::connect(address).await.unwrap();
    assert_eq!(still.ask(&get("/livez")).await.unwrap().status, 200);
    for client in clients.await.unwrap() {
        client.unwrap();
    }
    let refused = SystemClock.monotonic() - begun;
    assert!(refused >= NOTICE, "refused after {refused:?}");
    assert!(Raw::connect(address).await.is_err(), "it lets somebody in");
    idle.closed().await;
    ended.await;
    let took = SystemClock.monotonic() - begun;
    assert!(took < NOTICE + DRAIN + Duration::from_secs(4), "{took:?}");
    let events = stream.await.unwrap();
    let (name, last) = events.last().unwrap();
    assert_eq!(
        (&**name, &last["error"]["code"]),
        ("error", &"shutting_down".into())
    );
    println!("{seen:?}, down after {took:?}");
    assert!(seen.late.load(Ordering::SeqCst) > CLIENTS);
    assert_eq!(seen.turned_away.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_told_to_end() {
    let journal = std::env::temp_dir().join(format!("aurax-upstream-{}", aurax::new_id()));
    let upstream = Upstream::start(&journal).await.unwrap();
    let millis = |time: Duration| format!("{}ms", time.as_millis());
    let mut process = Start::new(upstream.url())
        .with("AURAX_TIMEOUTS_DRAIN_NOTICE", millis(NOTICE))
        .with("AURAX_TIMEOUTS_DRAIN", millis(DRAIN))
        .start();
    let (address, folder) = (process.address, process.folder.clone());
    let pid = process.id();
    let ended = async { assert_eq!(process.ended().await, Some(0)) };
    goes_down(address, || crate::process::terminate(pid), ended).await;
    let store = Store::sqlite(folder.join("aurax-data/aurax.db"))
        .await
        .unwrap();
    let engine = Setup::new().with_openai(upstream.url()).engine;
    adds_up(&store, &engine.build().unwrap(), &upstream).await;
    store.close().await;
    std::fs::remove_file(journal).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_within_a_program() {
    let journal = std::env::temp_dir().join(format!("aurax-upstream-{}", aurax::new_id()));
    let upstream = Upstream::start(&journal).await.unwrap();
    let setup = Setup::new()
        .with_openai(upstream.url())
        .configured(|config| {
            config.timeouts.drain_notice = NOTICE;
            config.timeouts.drain = DRAIN;
        });
    let mut server = Server::with(Kind::File, setup).await.unwrap();
    let (drain, ended) = (server.state.drain().clone(), server.ended());
    goes_down(server.address, || drain.announce(), ended).await;
    assert!(drain.tasks().is_empty(), "a task goes on");
    adds_up(&server.store, server.state.engine(), &upstream).await;
    server.stop().await;
    std::fs::remove_file(journal).unwrap();
}
