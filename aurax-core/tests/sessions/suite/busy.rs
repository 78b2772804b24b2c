//! One run at a time.

use std::future::IntoFuture as _;
use std::sync::Arc;

use aurax_core::{
    Call, Capability, Conversation, Ctx, ErrorKind, Layer, Provider, ProviderInfo, Reply, Result,
    Retry, SessionEvent, TurnStatus, async_trait,
};
use futures::future::{Either, select};
use futures::{StreamExt as _, pin_mut};
use tokio::sync::Semaphore;

use crate::model::{Line, Model};
use crate::world::{World, free, said};

async fn yields(times: usize) {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
}

/// Sends from both at about the same time; the answer waits until one of them is refused.
async fn race(one: &Conversation, two: &Conversation, gate: &Semaphore, round: usize) {
    let send = async |chat: &Conversation, after: usize| {
        yields(after).await;
        chat.send("Hi").await.map(drop)
    };
    let (a, b) = (send(one, round % 10), send(two, round / 10));
    pin_mut!(a, b);
    let (refused, winner): (Result<()>, Result<()>) = match select(a, b).await {
        Either::Left((refused, winner)) | Either::Right((refused, winner)) => {
            gate.add_permits(1);
            (refused, winner.await)
        }
    };
    assert_eq!(
        refused.unwrap_err().kind(),
        ErrorKind::SessionBusy,
        "round {round}"
    );
    winner.unwrap();
}

pub(crate) async fn of_two_sends_one_wins(world: &World) {
    for round in 0..100 {
        let gate = Arc::new(Semaphore::new(0));
        let (chat, _) = world.chat([Line::Waits(gate.clone(), "done")]).await;
        race(&chat, &chat.clone(), &gate, round).await;
        assert_eq!(said(&chat).await, ["Hi", "well: done"]);
    }
}

/// Two processes, as far as the store can tell.
pub(crate) async fn of_two_engines_one_wins(world: &World) {
    for round in 0..100 {
        let gate = Arc::new(Semaphore::new(0));
        let (chat, model) = world.chat([Line::Waits(gate.clone(), "done")]).await;
        let elsewhere = world.sessions(&model).open(chat.id()).await.unwrap();
        race(&chat, &elsewhere, &gate, round).await;
        assert_eq!(said(&chat).await, ["Hi", "well: done"], "round {round}");
        assert_eq!(chat.record().await.unwrap().turns, 2);
    }
}

/// Whoever is first, no answer is given to a question that is no longer the last one.
pub(crate) async fn a_session_that_moved_on_is_read_again(world: &World) {
    for round in 0..30 {
        let (chat, model) = world.chat([Line::Says("a"), Line::Says("b")]).await;
        let elsewhere = world.sessions(&model).open(chat.id()).await.unwrap();
        let send = async |chat: &Conversation, words: &str, after: usize| {
            yields(after).await;
            chat.send(words).await.map(drop)
        };
        let (one, two) = futures::future::join(
            send(&chat, "1", round % 6),
            send(&elsewhere, "2", round / 6),
        )
        .await;
        let mut sent = 0;
        for result in [one, two] {
            match result {
                Ok(()) => sent += 1,
                Err(error) => assert_eq!(error.kind(), ErrorKind::SessionBusy),
            }
        }
        assert!(sent >= 1, "one of them wins");
        assert_eq!(said(&chat).await.len(), sent * 2, "on one branch");
    }
}

pub(crate) async fn a_dropped_answer_frees_the_session(world: &World) {
    let model = Model::new("acme", [Line::Hangs("one two "), Line::Says("three")]);
    let sessions = world.sessions(&model);
    let chat = sessions.create(Default::default()).await.unwrap();
    let mut reply = chat.send("Count.").stream().await.unwrap();
    let mut words = 0;
    while words < 2 {
        if let SessionEvent::Batch(batch) = reply.next().await.unwrap().unwrap() {
            words += batch
                .events
                .iter()
                .filter(|event| event.is_content())
                .count();
        }
    }
    let busy = chat.send("Too early").await.unwrap_err();
    assert_eq!(busy.kind(), ErrorKind::SessionBusy);
    let leaf = chat.record().await.unwrap().leaf.unwrap();
    assert_eq!(
        chat.switch(leaf).await.unwrap_err().kind(),
        ErrorKind::SessionBusy
    );
    drop(reply);
    free(world, &chat).await;
    let turns = chat.history(10).await.unwrap();
    assert_eq!(turns[1].status, TurnStatus::Partial);
    assert_eq!(said(&chat).await, ["Count.", "one two "]);
    chat.send("Go on.").await.unwrap();
    assert_eq!(said(&chat).await, ["Count.", "one two ", "Go on.", "three"]);
}

/// Lets calls through one permit at a time: after the session was read, before the store is told.
#[derive(Debug, Clone)]
struct Gate(Arc<Semaphore>);

#[derive(Debug)]
struct Gated(Arc<dyn Provider>, Gate);

impl Layer for Gate {
    fn layer(&self, inner: Arc<dyn Provider>) -> Arc<dyn Provider> {
        Arc::new(Gated(inner, self.clone()))
    }
}

#[async_trait]
impl Provider for Gated {
    fn info(&self) -> &ProviderInfo {
        self.0.info()
    }

    fn capability(&self) -> Capability {
        self.0.capability()
    }

    async fn call(&self, ctx: &Ctx, call: &Call) -> Result<Reply> {
        self.1.0.acquire().await.unwrap().forget();
        self.0.call(ctx, call).await
    }
}

/// The session was read, answered elsewhere, and only then asked for.
pub(crate) async fn what_was_read_before_another_answer_is_refused(world: &World) {
    let (chat, model) = world.chat([Line::Says("a"), Line::Says("b")]).await;
    let gate = Gate(Arc::new(Semaphore::new(0)));
    let slow = (world.builder)()
        .provider(model.clone())
        .layer(gate.clone())
        .build()
        .unwrap();
    let slow = slow.sessions(world.me.clone()).unwrap();
    let slow = slow.open(chat.id()).await.unwrap();
    let late = slow.send("late").model("acme/one");
    let mut late = Box::pin(late.into_future());
    for _ in 0..1_000 {
        assert!(futures::poll!(&mut late).is_pending());
        tokio::task::yield_now().await;
    }
    tokio::time::timeout(std::time::Duration::from_millis(200), &mut late)
        .await
        .unwrap_err();
    chat.send("first").await.unwrap();
    gate.0.add_permits(1);
    let error = late.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SessionBusy);
    assert_eq!(error.retry(), Retry::Transient, "it may be sent again");
    assert_eq!(said(&chat).await, ["first", "a"]);
    assert_eq!(chat.record().await.unwrap().turns, 2);
    assert_eq!(model.asked().len(), 1, "nobody was asked");
    gate.0.add_permits(1);
    slow.send("late").model("acme/one").await.unwrap();
    assert_eq!(said(&chat).await, ["first", "a", "late", "b"]);
}
