//! What of a conversation is sent.

use aurax_core::{
    ContextPolicy, Conversation, ErrorKind, MemoryLedger, Message, Part, Request, Role,
    SessionSettings, Text, ToolCall, ToolResult, Turn, new_id,
};
use proptest::prelude::*;
use time::OffsetDateTime;

use crate::model::{Line, Model};
use crate::world::World;
use crate::{block_on, world_of};

/// A session of the model with a window of 600 tokens, of which 100 are for the answer.
async fn small(ledger: &MemoryLedger, lines: usize) -> (Conversation, Model, World) {
    let world = world_of(ledger.clone());
    let model = Model::new("acme", vec![Line::Says("ok"); lines]);
    let mut settings = SessionSettings::default();
    settings.model = Some("acme/small".to_owned());
    settings.system = Some("SYSTEM".to_owned());
    let chat = world.sessions(&model).create(settings).await.unwrap();
    (chat, model, world)
}

/// Adds what was said elsewhere.
async fn remember(world: &World, chat: &Conversation, messages: Vec<Message>) {
    let mut parent = None;
    let mut turns = Vec::new();
    for (seq, message) in (1..).zip(messages) {
        let at = OffsetDateTime::UNIX_EPOCH;
        let mut turn = Turn::new(new_id(), chat.id(), seq, message, at);
        turn.parent_id = parent.replace(turn.id);
        turns.push(turn);
    }
    for part in turns.chunks(200) {
        world.store.add(&world.me, chat.id(), part).await.unwrap();
    }
    if let Some(leaf) = parent {
        chat.switch(leaf).await.unwrap();
    }
}

/// An exchange: a question, some rounds of tool calls, and an answer.
#[derive(Debug, Clone)]
struct Exchange {
    question: usize,
    rounds: Vec<(usize, usize)>,
    answer: Option<usize>,
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let rounds = prop::collection::vec((1_usize..4, 0_usize..30), 0..3);
    (0_usize..40, rounds, prop::option::of(0_usize..40)).prop_map(|(question, rounds, answer)| {
        Exchange {
            question,
            rounds,
            answer,
        }
    })
}

fn words(mark: usize, count: usize) -> String {
    format!("m{mark}{}", " word".repeat(count))
}

/// All messages; each begins with a mark of its own.
fn messages(exchanges: &[Exchange]) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    for exchange in exchanges {
        let mark = messages.len();
        messages.push(Message::user(Text::new(words(mark, exchange.question))));
        for (calls, size) in &exchange.rounds {
            let mark = messages.len();
            let calls: Vec<ToolCall> = (0..*calls)
                .map(|call| ToolCall::new(format!("c{mark}-{call}"), "tool", "{}"))
                .collect();
            let results = calls
                .iter()
                .map(|call| ToolResult::new(call, words(mark, *size)))
                .collect::<Vec<_>>();
            let asking = Message::new(Role::Assistant, vec![words(mark, 0).into()]);
            messages.push(calls.into_iter().fold(asking, Message::with));
            messages.push(Message::tool(results));
        }
        if let Some(answer) = exchange.answer {
            let mark = messages.len();
            messages.push(Message::assistant(Text::new(words(mark, answer))));
        }
    }
    messages
}

/// Every call has its result in the next message, and every result its call in the one before.
fn assert_pairs(request: &Request) {
    let results = |message: &Message| -> Vec<String> {
        let parts = message.parts.iter();
        parts
            .filter_map(|part| match part {
                Part::ToolResult(result) => Some(result.call_id.clone()),
                _ => None,
            })
            .collect()
    };
    let mut open: Vec<String> = Vec::new();
    for message in &request.messages {
        assert_eq!(results(message), open, "{:?}", request.messages);
        open = message.tool_calls().map(|call| call.id.clone()).collect();
    }
    assert!(open.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// The oldest exchanges go, whole, and no more of them than must.
    #[test]
    fn what_is_left_out_is_whole_old_and_no_more_than_must_be(
        history in prop::collection::vec(exchange(), 0..9),
        last in 0_usize..60,
    ) {
        let all = messages(&history);
        let count = all.len();
        let (request, warnings, engine) = block_on(async {
            let ledger = MemoryLedger::new();
            let (chat, model, world) = small(&ledger, 1).await;
            remember(&world, &chat, all.clone()).await;
            let answer = chat.send(words(999, last)).max_output_tokens(100).await.unwrap();
            let engine = world.engine(&[&model]);
            (model.asked().remove(0), answer.response.warnings, engine)
        });
        let (system, rest) = request.messages.split_first().unwrap();
        prop_assert_eq!(system.text(), "SYSTEM");
        prop_assert_eq!(rest.last().unwrap().text(), words(999, last));
        assert_pairs(&request);
        let sent = &rest[..rest.len() - 1];
        let first = count - sent.len();
        prop_assert_eq!(sent, &all[first..], "the end of the history, as it was");
        prop_assert!(first == count || all[first].role == Role::User, "whole exchanges");
        prop_assert_eq!(warnings.len(), usize::from(first > 0));
        if first > 0 {
            let said = &warnings[0].message;
            let number = format!("the {first} oldest of {} messages", count + 1);
            prop_assert!(said.contains(&number), "{}", said);
        }
        let tokens = |request: &Request| {
            let count = block_on(engine.count_tokens("acme/small", request)).unwrap();
            count.tokens + count.tokens.div_ceil(10)
        };
        prop_assert!(tokens(&request) <= 500);
        // One exchange more would not fit.
        if first > 0 {
            let more = all[..first].iter().rposition(|message| message.role == Role::User);
            let mut larger = request.clone();
            larger.messages.splice(1..1, all[more.unwrap()..first].to_vec());
            prop_assert!(tokens(&larger) > 500, "{} fit too", tokens(&larger));
        }
    }
}

#[test]
fn what_cannot_fit_is_refused_before_anything_is_sent() {
    block_on(async {
        let ledger = MemoryLedger::new();
        let (chat, model, world) = small(&ledger, 1).await;
        remember(
            &world,
            &chat,
            vec![Message::user("a"), Message::assistant("b")],
        )
        .await;
        let error = chat.send(words(1, 2_000)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ContextLength);
        let over: u64 = error.context("over_by").unwrap().parse().unwrap();
        assert!((1_500..2_500).contains(&over), "{error}");
        assert!(error.to_string().contains("600"), "{error}");
        assert_eq!((model.asked().len(), ledger.settled()), (0, 0));
        assert_eq!(chat.history(10).await.unwrap().len(), 2, "it was not said");
        chat.send("short").await.unwrap();
    });
}

#[test]
fn nothing_is_left_out_where_nothing_may_be() {
    block_on(async {
        let ledger = MemoryLedger::new();
        let (chat, model, world) = small(&ledger, 2).await;
        let long: Vec<Message> = (0..10)
            .map(|at| Message::user(words(at, 90).as_str()))
            .collect();
        remember(&world, &chat, long).await;
        let error = chat
            .send("more")
            .context(ContextPolicy::Fail)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ContextLength);
        assert_eq!(model.asked().len(), 0);
        chat.send("more").await.unwrap();
        assert!(model.last().len() < 10, "by default the oldest go");
    });
}

#[test]
fn the_last_exchanges_are_kept_and_fewer_where_they_do_not_fit() {
    block_on(async {
        let ledger = MemoryLedger::new();
        let (chat, model, world) = small(&ledger, 2).await;
        let history = ["a", "b", "c"].iter().flat_map(|word| {
            let answer = Message::assistant(words(0, 100));
            [Message::user(*word), answer]
        });
        remember(&world, &chat, history.collect()).await;
        chat.send("d")
            .context(ContextPolicy::KeepLast(2))
            .await
            .unwrap();
        let sent = model.last();
        assert_eq!(
            (sent.len(), sent[1].as_str(), sent[3].as_str()),
            (4, "user: c", "user: d")
        );
        let answer = chat
            .send(words(5, 300))
            .context(ContextPolicy::KeepLast(4))
            .await
            .unwrap();
        assert!(model.last().len() < 8);
        assert_eq!(answer.response.warnings.len(), 1);
    });
}

#[test]
fn where_the_window_is_unknown_all_is_sent_up_to_a_thousand_turns() {
    block_on(async {
        let ledger = MemoryLedger::new();
        let world = world_of(ledger.clone());
        let (chat, model) = world.chat([Line::Says("ok"), Line::Says("ok")]).await;
        let history = |count: usize| -> Vec<Message> {
            let pairs = (0..count).flat_map(|at| {
                let answer = Message::assistant(words(at, 1));
                [Message::user(words(at, 200).as_str()), answer]
            });
            pairs.collect()
        };
        remember(&world, &chat, history(600)).await;
        let answer = chat.send("now").model("acme/two").await.unwrap();
        assert_eq!(model.last().len(), 1_001);
        assert!(
            model.last()[0].starts_with("user: m100 "),
            "{}",
            &model.last()[0][..20]
        );
        let warning = &answer.response.warnings[0].message;
        assert!(warning.contains("before the last 1000"), "{warning}");
        let all = chat
            .send("now")
            .model("acme/two")
            .context(ContextPolicy::Fail)
            .await;
        assert_eq!(all.unwrap_err().kind(), ErrorKind::ContextLength);
    });
}

/// Every call of a run is fitted; what the run itself said is never left out.
#[test]
fn a_run_outgrows_the_window_and_says_so() {
    block_on(async {
        const CALL: Line = Line::Asks(&[("c1", "tool", "{}")]);
        let ledger = MemoryLedger::new();
        let (chat, model, world) = small(&ledger, 0).await;
        let old = vec![
            Message::user(words(1, 300).as_str()),
            Message::assistant("old"),
        ];
        remember(&world, &chat, old).await;
        model.add([CALL, CALL]);
        let tool = aurax_core::Function::new("tool");
        let long = |_: ToolCall| async { Ok(words(7, 250)) };
        let error = chat.send("go").tool(tool, long).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ContextLength);
        let asked = model.asked();
        let sent: Vec<usize> = asked.iter().map(|request| request.messages.len()).collect();
        assert_eq!(sent, [4, 4], "first all, then without the old exchange");
        assert_eq!(ledger.settled(), 2);
        chat.switch(chat.record().await.unwrap().leaf.unwrap())
            .await
            .unwrap();
    });
}
