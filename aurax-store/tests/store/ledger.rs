//! The books: intents, settlements, charges and budgets.

use aurax_core::{Call, Ctx, ErrorKind, Event, Money, Principal, Provider as _, RequestId};
use aurax_store::LedgerOptions;
use aurax_store::testkit::{self, Books, Sabotage};
use futures::StreamExt as _;

use crate::desk::Desk;
use crate::support::{call, engine};

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

fn streamed(words: &str) -> Call {
    let mut request = crate::support::ask(words);
    request.stream = true;
    Call::chat(call(words).model, request)
}

pub(crate) async fn a_call_has_one_intent_one_settlement_and_one_charge(desk: Desk) -> Desk {
    let (engine, _) = engine(desk.store.ledger(LedgerOptions::default()).unwrap());
    let ctx = Ctx::new(Principal::new("ada")).with_tag("team", "blue");
    let answer = engine.call(&ctx, &call("5")).await.unwrap();
    let answer = answer.collect().await.unwrap();
    // 100 tokens at 0.15 and 5 at 0.60 dollars a million.
    let cost = money("0.000018");
    assert_eq!(answer.receipt.unwrap().cost.amount(), Some(cost));
    let books = Books::read(&desk.store).await.unwrap();
    let [attempt] = books.attempts.as_slice() else {
        panic!("{books:?}")
    };
    let [settlement] = books.settlements.as_slice() else {
        panic!("{books:?}")
    };
    let [charge] = books.charges.as_slice() else {
        panic!("{books:?}")
    };
    assert_eq!(settlement.id, attempt.id);
    assert_eq!(
        (settlement.kind.as_str(), settlement.outcome.as_str()),
        ("settle", "complete")
    );
    assert_eq!(settlement.usage_source.as_deref(), Some("provider"));
    assert_eq!(
        (settlement.cost, settlement.cost_source.as_str()),
        (Some(cost), "exact")
    );
    assert_eq!(charge.id, attempt.charge_id);
    assert_eq!(charge.request_id, ctx.request_id().as_uuid());
    assert_eq!((charge.request_tokens, charge.response_tokens), (100, 5));
    assert_eq!(
        (charge.cost, charge.status.as_str()),
        (Some(cost), "success")
    );
    desk
}

pub(crate) async fn the_caller_sees_the_end_after_it_is_written(desk: Desk) -> Desk {
    let (engine, _) = engine(desk.store.ledger(LedgerOptions::default()).unwrap());
    let mut reply = engine.call(&Ctx::local(), &streamed("3")).await.unwrap();
    while let Some(batch) = reply.next().await {
        let events = batch.unwrap().events;
        let ends = matches!(events.last(), Some(Event::End(_)));
        let books = Books::read(&desk.store).await.unwrap();
        assert_eq!(
            (books.attempts.len(), books.charges.len()),
            (1, usize::from(ends))
        );
    }
    desk
}

pub(crate) async fn what_went_wrong_is_written_with_its_outcome(desk: Desk) -> Desk {
    let (engine, _) = engine(desk.store.ledger(LedgerOptions::default()).unwrap());
    let error = engine.call(&Ctx::local(), &call("fail")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server);
    let cut = engine.call(&Ctx::local(), &streamed("cut")).await.unwrap();
    cut.collect().await.unwrap_err();
    let dropped = engine.call(&Ctx::local(), &streamed("hang")).await.unwrap();
    drop(dropped);
    desk.store
        .ledger(LedgerOptions::default())
        .unwrap()
        .close()
        .await;
    let books = Books::read(&desk.store).await.unwrap();
    let seen: Vec<_> = books
        .charges
        .iter()
        .map(|charge| (charge.outcome.as_str(), charge.status.as_str()))
        .collect();
    assert_eq!(
        seen,
        [
            ("rejected", "error"),
            ("partial", "error"),
            ("partial", "cancelled")
        ]
    );
    assert_eq!(books.settlements.len(), 3);
    desk
}

pub(crate) async fn many_calls_at_once_are_all_written(desk: Desk) -> Desk {
    let options = LedgerOptions::default().with_patience(std::time::Duration::from_secs(60));
    let (engine, _) = engine(desk.store.ledger(options).unwrap());
    let calls = (0..300).map(|number| {
        let engine = engine.clone();
        async move {
            let ctx = Ctx::local().with_request_id(RequestId::new());
            let words = (number % 7 + 1).to_string();
            engine
                .call(&ctx, &call(&words))
                .await
                .unwrap()
                .collect()
                .await
                .unwrap();
        }
    });
    futures::future::join_all(calls).await;
    let books = Books::read(&desk.store).await.unwrap();
    assert_eq!(books.attempts.len(), 300);
    assert_eq!(books.settlements.len(), 300);
    assert_eq!(books.charges.len(), 300);
    let tokens: u64 = books
        .charges
        .iter()
        .map(|charge| charge.response_tokens)
        .sum();
    assert_eq!(tokens, (0..300).map(|number| number % 7 + 1).sum::<u64>());
    desk
}

pub(crate) async fn what_no_database_takes_fails_alone(desk: Desk) -> Desk {
    let patience = std::time::Duration::from_secs(60);
    let options = LedgerOptions::default().with_patience(patience);
    let options = testkit::sabotaged(options, Sabotage::Unkeepable);
    let (engine, _) = engine(desk.store.ledger(options).unwrap());
    let calls = (0..300).map(|_| async {
        let ctx = Ctx::local().with_request_id(RequestId::new());
        let reply = engine.call(&ctx, &call("3")).await?;
        reply.collect().await.map(drop)
    });
    let done = futures::future::join_all(calls).await;
    let failed = done.iter().filter(|done| done.is_err()).count();
    // One of sixteen, as a rule.
    assert!((1..100).contains(&failed), "{failed}");
    let books = Books::read(&desk.store).await.unwrap();
    assert_eq!(books.attempts.len(), 300);
    assert_eq!(books.settlements.len(), 300 - failed);
    assert_eq!(books.charges.len(), 300 - failed);
    let ends_in_0 = |id: uuid::Uuid| id.as_u128().is_multiple_of(16);
    assert!(
        !books
            .settlements
            .iter()
            .any(|row| ends_in_0(row.attempt_id))
    );
    desk
}

pub(crate) async fn a_closed_ledger_refuses_calls(desk: Desk) -> Desk {
    let ledger = desk.store.ledger(LedgerOptions::default()).unwrap();
    let (engine, calls) = engine(ledger.clone());
    ledger.close().await;
    let error = engine.call(&Ctx::local(), &call("1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Ledger);
    assert_eq!(calls.load(std::sync::atomic::Ordering::Relaxed), 0);
    desk
}

pub(crate) async fn the_same_words_are_chatted_by_name(desk: Desk) -> Desk {
    let (engine, _) = engine(desk.store.ledger(LedgerOptions::default()).unwrap());
    let answer = engine.chat("counter/gpt-4o-mini", "Say 2").await.unwrap();
    assert_eq!(answer.text(), "word word ");
    desk
}

pub(crate) async fn a_hard_budget_is_not_overspent_by_calls_at_once(desk: Desk) -> Desk {
    let ada = Principal::new("ada");
    // Room for 10 answers of 100 words: 100 tokens at 0.15 and 100 at 0.60 a million each.
    testkit::add_budget(&desk.store, &ada, true, money("0.00075"))
        .await
        .unwrap();
    let (engine, sent) = engine(desk.store.ledger(LedgerOptions::default()).unwrap());
    let calls = (0..50).map(|_| {
        let (engine, ctx) = (engine.clone(), Ctx::new(ada.clone()));
        async move {
            let mut request = crate::support::ask("100");
            request.max_output_tokens = Some(100);
            let call = Call::chat(call("100").model, request);
            match engine.call(&ctx, &call).await {
                Ok(reply) => {
                    reply.collect().await.unwrap();
                    1
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Budget, "{error}");
                    0
                }
            }
        }
    });
    let answered: u64 = futures::future::join_all(calls).await.into_iter().sum();
    assert_eq!(sent.load(std::sync::atomic::Ordering::Relaxed), answered);
    assert!((1..=10).contains(&answered), "{answered}");
    let books = Books::read(&desk.store).await.unwrap();
    let [budget] = books.budgets.as_slice() else {
        panic!("{books:?}")
    };
    assert!(budget.spent <= budget.limit);
    assert_eq!(budget.reserved, Money::ZERO);
    let charged = books.charges.iter().filter_map(|charge| charge.cost);
    let charged = charged.fold(Money::ZERO, |sum, cost| sum.checked_add(cost).unwrap());
    assert_eq!(budget.spent, charged);
    // One after another they fill it to the last whole call.
    while engine
        .call(&Ctx::new(ada.clone()), &call("100"))
        .await
        .is_ok()
    {}
    desk
}

pub(crate) async fn a_call_within_a_hard_budget_gets_an_output_limit(desk: Desk) -> Desk {
    let ada = Principal::new("ada");
    testkit::add_budget(&desk.store, &ada, true, money("0.001"))
        .await
        .unwrap();
    let (engine, _) = engine(desk.store.ledger(LedgerOptions::default()).unwrap());
    let reply = engine.call(&Ctx::new(ada), &call("5")).await.unwrap();
    let receipt = reply.collect().await.unwrap().receipt.unwrap();
    let limit = receipt.output_limit.unwrap();
    assert!((500..1_667).contains(&limit), "{limit}");
    // Somebody else's calls are not limited.
    let reply = engine
        .call(&Ctx::new(Principal::new("bob")), &call("5"))
        .await
        .unwrap();
    let receipt = reply.collect().await.unwrap().receipt.unwrap();
    assert_eq!(receipt.output_limit, None);
    desk
}

pub(crate) async fn a_soft_budget_counts_and_never_refuses(desk: Desk) -> Desk {
    let ada = Principal::new("ada");
    testkit::add_budget(&desk.store, &ada, false, money("0.00001"))
        .await
        .unwrap();
    let (engine, _) = engine(desk.store.ledger(LedgerOptions::default()).unwrap());
    for _ in 0..3 {
        let reply = engine
            .call(&Ctx::new(ada.clone()), &call("5"))
            .await
            .unwrap();
        reply.collect().await.unwrap();
    }
    let failed = engine.call(&Ctx::new(ada.clone()), &call("fail")).await;
    failed.unwrap_err();
    let books = Books::read(&desk.store).await.unwrap();
    assert_eq!(books.budgets[0].spent, money("0.000054"));
    assert_eq!(books.budgets[0].reserved, Money::ZERO);
    desk
}

pub(crate) async fn an_answer_with_a_nul_is_charged_like_any_other(desk: Desk) -> Desk {
    let (engine, _) = engine(desk.store.ledger(LedgerOptions::default()).unwrap());
    let ctx = Ctx::local().with_tag("a\0", "b\0");
    let reply = engine.call(&ctx, &call("nul")).await.unwrap();
    let answer = reply.collect().await.unwrap();
    assert!(answer.text().contains('\0'));
    let books = Books::read(&desk.store).await.unwrap();
    assert_eq!((books.charges.len(), books.settlements.len()), (1, 1));
    desk
}
