//! What only the store in memory does: it has an end.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use aurax_core::{
    CacheMode, CachePolicy, CancellationToken, Clock as _, Cost, Ctx, Disconnect, Engine,
    ErrorKind, Function, Ledger as _, MemoryCache, MemoryLedger, Message, Outcome, Principal,
    SessionSettings, SystemClock, ToolCall, Turn, TurnStatus, new_id,
};
use futures::StreamExt as _;
use time::OffsetDateTime;

use crate::model::{Line, Model};
use crate::world::{World, said};
use crate::{block_on, world_of};

async fn create(world: &World, model: &Model) -> aurax_core::Conversation {
    let sessions = world.sessions(model);
    sessions.create(SessionSettings::default()).await.unwrap()
}

#[test]
fn the_session_that_was_idle_for_longest_is_forgotten() {
    block_on(async {
        let world = world_of(MemoryLedger::new());
        let model = Model::new("acme", [Line::Hangs("still "), Line::Says("used")]);
        let sessions = world.sessions(&model);
        let new = async || sessions.create(SessionSettings::default()).await.unwrap();
        let (busy, used, idle) = (new().await, new().await, new().await);
        let reply = busy.send("Hi").stream().await.unwrap();
        used.send("Hi").await.unwrap();
        for _ in 3..=MemoryLedger::SESSIONS {
            new().await;
        }
        assert_eq!(idle.record().await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(said(&used).await.len(), 2);
        drop(reply);
        assert_eq!(said(&busy).await, ["Hi", "still "]);
    });
}

#[test]
fn sessions_take_so_many_bytes_and_no_more() {
    block_on(async {
        const BYTES: usize = 64 << 10;
        let world = world_of(MemoryLedger::new().with_session_bytes(BYTES));
        let model = Model::new("acme", []);
        let large = Message::user("x".repeat(BYTES / 8).as_str());
        let add = async |chat: &aurax_core::Conversation, seq: u64| {
            let at = OffsetDateTime::UNIX_EPOCH;
            let turn = Turn::new(new_id(), chat.id(), seq, large.clone(), at);
            world.store.add(&world.me, chat.id(), &[turn]).await
        };
        let mut chats = Vec::new();
        for _ in 0..12 {
            let chat = create(&world, &model).await;
            add(&chat, 1).await.unwrap();
            chats.push(chat);
        }
        let mut left = Vec::new();
        for chat in &chats {
            left.push(chat.record().await.is_ok());
        }
        let kept = left.iter().filter(|left| **left).count();
        assert_eq!(kept, 7, "{left:?}");
        assert!(
            left[12 - kept..].iter().all(|left| *left),
            "the oldest went: {left:?}"
        );

        let alone = create(&world, &model).await;
        for seq in 1..=7 {
            add(&alone, seq).await.unwrap();
        }
        assert_eq!(add(&alone, 8).await.unwrap_err().kind(), ErrorKind::Store);
        let error = alone
            .send(large.clone())
            .model("acme/two")
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store);
        assert_eq!(
            (alone.record().await.unwrap().turns, model.asked().len()),
            (7, 0)
        );
        let all = world
            .sessions(&model)
            .list(&aurax_core::Page::first())
            .await;
        assert_eq!(all.unwrap().data.len(), 1, "the others were idle");
    });
}

#[test]
fn a_session_has_so_many_turns_and_no_more() {
    block_on(async {
        let world = world_of(MemoryLedger::new());
        let model = Model::new("acme", []);
        let chat = create(&world, &model).await;
        let most = MemoryLedger::TURNS as u64;
        let turns: Vec<Turn> = (1..=most)
            .map(|seq| {
                let at = OffsetDateTime::UNIX_EPOCH;
                Turn::new(new_id(), chat.id(), seq, Message::user("x"), at)
            })
            .collect();
        for part in turns.chunks(200) {
            world.store.add(&world.me, chat.id(), part).await.unwrap();
        }
        let again = world.store.add(&world.me, chat.id(), &turns[..200]).await;
        assert!(again.is_ok(), "they are there already");
        let error = chat.send("one more").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store);
        assert_eq!(chat.record().await.unwrap().turns, most);
        assert_eq!(model.asked().len(), 0);
    });
}

/// Each drop settles every call that was made, once, and holds nothing.
#[test]
fn wherever_a_run_is_dropped_each_call_is_settled_once() {
    const CALL: Line = Line::Asks(&[("c1", "tool", "{}")]);
    let run = |events: usize, streamed: bool| {
        block_on(async {
            let ledger = MemoryLedger::new();
            let world = world_of(ledger.clone());
            let (chat, model) = world.chat([CALL, Line::Says("one two three")]).await;
            let tool = |_: ToolCall| async {
                tokio::task::yield_now().await;
                Ok("done")
            };
            let send = chat.send("Go").tool(Function::new("tool"), tool);
            let mut polls = 0;
            let done = if streamed {
                let mut reply = send.stream().await.unwrap();
                while polls < events && reply.next().await.is_some() {
                    polls += 1;
                }
                polls < events
            } else {
                // Dropped at a wait instead of at an event.
                let mut whole = Box::pin(send.into_future());
                let mut done = false;
                while polls < events && !done {
                    done = futures::poll!(&mut whole).is_ready();
                    tokio::task::yield_now().await;
                    polls += 1;
                }
                done
            };
            let calls = model.asked().len();
            assert_eq!(ledger.open_attempts(), 0);
            let settled = ledger.settlements();
            assert_eq!(settled.len(), calls);
            let ids: HashSet<_> = settled.iter().map(|settlement| settlement.id).collect();
            let requests: HashSet<_> = settled.iter().map(|s| s.request_id).collect();
            assert_eq!((ids.len(), requests.len()), (calls, calls));
            let free = chat.rename("free").await.unwrap();
            if let Some(leaf) = free.leaf {
                chat.switch(leaf).await.expect("nobody holds the session");
            }
            done
        })
    };
    for streamed in [true, false] {
        let drops = (0..).find(|events| run(*events, streamed)).unwrap();
        assert!(drops >= 2, "{drops}");
    }
}

/// What is asked in a session was not asked before, even in the same words.
#[test]
fn sessions_pass_the_cache_by() {
    block_on(async {
        let model = Model::new("acme", [Line::Says("one"), Line::Says("two")]);
        let policy = CachePolicy::default().with_mode(CacheMode::Use);
        let engine = Engine::builder()
            .provider(model.clone())
            .cache(MemoryCache::new(), policy)
            .build()
            .unwrap();
        let me = Principal::new("me");
        let sessions = engine.sessions(me.clone()).unwrap();
        let mut settings = SessionSettings::default();
        settings.model = Some("acme/one".to_owned());
        let chat = sessions.create(settings).await.unwrap();
        let ctx = Ctx::new(me).with_cache(CacheMode::Use);
        let first = chat.send("Hi").ctx(ctx.clone()).await.unwrap();
        let again = chat.regenerate(first.turns[1].id).ctx(ctx).await.unwrap();
        assert_eq!(
            (first.text(), again.text()),
            ("one".to_owned(), "two".to_owned())
        );
    });
}

#[test]
fn an_engine_with_a_ledger_alone_has_no_sessions() {
    let engine = Engine::builder()
        .ledger(MemoryLedger::new())
        .build()
        .unwrap();
    let error = engine.sessions(Principal::local()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(
        error.to_string().contains("EngineBuilder::store"),
        "{error}"
    );
}

/// A session that was deleted while it answered is not written to; the call is paid for.
#[test]
fn an_answer_to_a_deleted_session_is_settled_and_not_kept() {
    block_on(async {
        let ledger = MemoryLedger::new();
        let world = world_of(ledger.clone());
        let gate = Arc::new(tokio::sync::Semaphore::new(0));
        let (chat, model) = world.chat([Line::Waits(gate.clone(), "late")]).await;
        let reply = chat.send("Hi").stream().await.unwrap();
        world.sessions(&model).delete(chat.id()).await.unwrap();
        gate.add_permits(1);
        assert_eq!(reply.collect().await.unwrap().text(), "well: late");
        assert_eq!(chat.record().await.unwrap_err().kind(), ErrorKind::NotFound);
        let settlement = ledger.settlements().remove(0);
        assert_eq!(settlement.outcome, Outcome::Complete);
        let released = aurax_core::Lease::new(world.me.clone(), chat.id(), new_id());
        ledger.release(released);
    });
}

/// A step that is read on holds the session until it is settled, and no longer.
#[test]
fn a_drained_step_frees_the_session_when_it_has_ended() {
    block_on(async {
        const CALL: Line = Line::Asks(&[("c1", "tool", "{}")]);
        for lines in [
            [CALL, Line::Says("next")],
            [Line::Says("one two"), Line::Says("next")],
        ] {
            let ledger = MemoryLedger::new();
            let store = ledger.clone();
            let drains = move || {
                Engine::builder()
                    .store(store.clone())
                    .on_disconnect(Disconnect::drain())
            };
            let world = World::new(drains, Arc::new(ledger.clone()));
            let model = Model::new("acme", lines);
            let engine = world.engine(&[&model]);
            let sessions = engine.sessions(world.me.clone()).unwrap();
            let chat = sessions.create(SessionSettings::default()).await.unwrap();
            let tool = |_: ToolCall| async { Ok("never wanted") };
            let send = chat.send("Go").tool(Function::new("tool"), tool);
            let mut reply = send.stream().await.unwrap();
            for _ in 0..3 {
                reply.next().await.unwrap().unwrap();
            }
            drop(reply);
            let early = chat.send("Now?").await.unwrap_err();
            assert_eq!(early.kind(), ErrorKind::SessionBusy, "it is read on");
            engine.drained().await;
            let turns = chat.history(10).await.unwrap();
            assert_eq!(turns[1].status, TurnStatus::Complete);
            assert!(matches!(turns[1].cost, Some(Cost::Exact(_))));
            chat.send("Now?").await.unwrap();
            assert_eq!(said(&chat).await.len(), 4);
            // The refused one too, as not sent.
            assert_eq!((ledger.settled(), ledger.open_attempts()), (3, 0));
        }
    });
}

/// The caller's cancellation and deadline hold for tools too.
#[test]
fn tools_end_with_the_call_they_are_for() {
    block_on(async {
        const CALL: Line = Line::Asks(&[("c1", "tool", "{}")]);
        let world = world_of(MemoryLedger::new());
        let (chat, _) = world.chat([CALL, CALL, Line::Says("ok")]).await;
        let cancel = CancellationToken::new();
        let cancelled = Ctx::new(world.me.clone()).with_cancel(cancel.clone());
        let deadline = SystemClock.monotonic() + Duration::from_secs(5);
        let late = Ctx::new(world.me.clone()).with_deadline(deadline);
        for (ctx, kind) in [
            (cancelled, ErrorKind::Cancelled),
            (late, ErrorKind::Timeout),
        ] {
            let cancel = cancel.clone();
            let never = move |_: ToolCall| {
                let cancel = cancel.clone();
                async move {
                    cancel.cancel();
                    std::future::pending::<aurax_core::Result<&str>>().await
                }
            };
            let send = chat.send("Go").tool(Function::new("tool"), never).ctx(ctx);
            let error = send.await.unwrap_err();
            assert_eq!(error.kind(), kind);
            assert_eq!(error.partial().unwrap().text(), "asking");
            let leaf = chat.record().await.unwrap().leaf.unwrap();
            chat.switch(leaf).await.expect("nobody holds the session");
        }
        chat.send("Well?").await.unwrap();
        assert_eq!(said(&chat).await.len(), 6);
    });
}
