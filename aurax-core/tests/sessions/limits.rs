//! The most a call may cost.

use aurax_core::{
    Call, Ctx, ErrorKind, Function, MemoryLedger, ModelId, Money, Outcome, Provider as _, ToolCall,
};

use crate::model::Line;
use crate::world::World;
use crate::{block_on, world_of};

fn at_most(world: &World, dollars: &str) -> Ctx {
    Ctx::new(world.me.clone()).with_max_cost(dollars.parse::<Money>().unwrap())
}

#[test]
fn a_call_that_may_cost_too_much_is_refused_before_it_is_sent() {
    block_on(async {
        let ledger = MemoryLedger::new();
        let world = world_of(ledger.clone());
        let (chat, model) = world.chat([Line::Says("ok")]).await;
        let ctx = at_most(&world, "0.0001");
        let error = chat.send("Hi").ctx(ctx).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Budget);
        assert!(error.to_string().contains("0.0001"), "{error}");
        assert_eq!(model.asked().len(), 0);
        assert_eq!(chat.record().await.unwrap().turns, 0, "it was not said");
        let settled = ledger.settlements();
        assert!(
            settled
                .iter()
                .all(|settlement| settlement.outcome == Outcome::NotSent)
        );
        chat.send("Hi").await.unwrap();
    });
}

#[test]
fn a_limit_on_the_cost_limits_the_answer() {
    block_on(async {
        let world = world_of(MemoryLedger::new());
        let (chat, model) = world
            .chat([Line::Says("ok"), Line::Says("ok"), Line::Says("ok")])
            .await;
        // What it may cost at most: about 1,300 tokens in at 1 dollar a million, and 10 for those out.
        let answer = chat.send("Hi").ctx(at_most(&world, "0.005")).await.unwrap();
        let limit = model.asked()[0].max_output_tokens.unwrap();
        assert!((300..500).contains(&limit), "{limit}");
        let receipt = answer.response.receipt.unwrap();
        assert_eq!(receipt.output_limit, Some(limit));
        let answer = chat.send("Hi").ctx(at_most(&world, "1")).await.unwrap();
        assert_eq!(
            model.asked()[1].max_output_tokens,
            Some(1_000),
            "the model's own"
        );
        assert_eq!(answer.response.receipt.unwrap().output_limit, Some(1_000));

        let own = chat
            .send("Hi")
            .max_output_tokens(20)
            .ctx(at_most(&world, "1"));
        let answer = own.await.unwrap();
        assert_eq!(model.asked()[2].max_output_tokens, Some(20));
        assert_eq!(
            answer.response.receipt.unwrap().output_limit,
            None,
            "nobody set another"
        );
        let own = chat
            .send("Hi")
            .max_output_tokens(900)
            .ctx(at_most(&world, "0.005"));
        assert_eq!(own.await.unwrap_err().kind(), ErrorKind::Budget);
    });
}

#[test]
fn what_an_earlier_attempt_may_have_cost_is_no_longer_there() {
    block_on(async {
        let ledger = MemoryLedger::new();
        let world = world_of(ledger.clone());
        let (chat, model) = world.chat([Line::Vanishes, Line::Says("ok")]).await;
        let answer = chat.send("Hi").ctx(at_most(&world, "0.015")).await.unwrap();
        let limits: Vec<u32> = model
            .asked()
            .iter()
            .map(|request| request.max_output_tokens.unwrap())
            .collect();
        assert_eq!(limits[0], 1_000);
        assert!((300..600).contains(&limits[1]), "{limits:?}");
        assert_eq!(
            answer.response.receipt.unwrap().output_limit,
            Some(limits[1])
        );
        let settlement = ledger.settlements().remove(0);
        assert_eq!(settlement.attempts.len(), 2);
        assert_eq!(chat.record().await.unwrap().turns, 2, "said once");

        // One that may have been billed for all of it leaves nothing for another.
        model.add([Line::Vanishes]);
        let error = chat
            .send("Hi")
            .ctx(at_most(&world, "0.003"))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Budget);
    });
}

#[test]
fn the_calls_of_a_run_share_the_limit() {
    block_on(async {
        let ledger = MemoryLedger::new();
        let world = world_of(ledger.clone());
        const CALL: Line = Line::Asks(&[("c1", "tool", "{}")]);
        let (chat, model) = world.chat([CALL, CALL, Line::Says("ok")]).await;
        let limit: Money = "0.01".parse().unwrap();
        let ctx = Ctx::new(world.me.clone()).with_max_cost(limit);
        let tool = |_: ToolCall| async { Ok("done") };
        let send = chat.send("Go").tool(Function::new("tool"), tool).ctx(ctx);
        send.await.unwrap();
        let limits: Vec<u32> = model
            .asked()
            .iter()
            .map(|request| request.max_output_tokens.unwrap())
            .collect();
        assert!(limits[0] > limits[1] && limits[1] > limits[2], "{limits:?}");
        let settled = ledger.settlements();
        let spent = |calls: usize| {
            let charges = settled[..calls].iter();
            charges.fold(Money::ZERO, |sum, settlement| {
                let charge = settlement.charge.amount().unwrap();
                sum.checked_add(charge).unwrap()
            })
        };
        assert!(spent(3) <= limit && spent(1) > Money::ZERO);

        // Each is limited as if it were alone with what the ones before it left.
        for (call, limit_of_call) in limits.iter().enumerate() {
            let mut request = model.asked()[call].clone();
            request.max_output_tokens = None;
            let left = limit.checked_sub(spent(call)).unwrap();
            let ctx = Ctx::new(world.me.clone()).with_max_cost(left);
            model.add([Line::Says("ok")]);
            let alone = Call::chat(ModelId::parse("acme/one").unwrap(), request);
            let reply = world.engine(&[&model]).call(&ctx, &alone).await.unwrap();
            reply.collect().await.unwrap();
            let asked = model.asked();
            assert_eq!(
                asked.last().unwrap().max_output_tokens,
                Some(*limit_of_call)
            );
        }
    });
}
