//! Budgets.

use aurax_core::{ErrorKind, Money, Principal, new_id};
use aurax_store::{BudgetLimit, BudgetPeriod, BudgetScope};
use futures::future::join_all;
use time::Duration;

use crate::desk::{Desk, Hands};
use crate::sessions::ada;

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

pub(crate) async fn a_budget_set_again_keeps_what_was_spent(desk: Desk) -> Desk {
    let scope = desk.store.user(&ada());
    let set = async |limit: &str, kind| {
        let (what, month) = (BudgetScope::User, BudgetPeriod::Month);
        scope
            .set_budget(what, month, money(limit), kind)
            .await
            .unwrap()
    };
    let first = set("10.5", BudgetLimit::Hard).await;
    assert_eq!((first.spent, first.reserved), (Money::ZERO, Money::ZERO));
    assert_eq!(
        (first.limit, first.kind),
        (money("10.5"), BudgetLimit::Hard)
    );
    assert_eq!(
        first.window_start,
        BudgetPeriod::Month.start(first.created_at)
    );
    let jobs = desk.store.jobs();
    let (spent, reserved) = (money("7.000000000000000001"), money("0.25"));
    jobs.spend(first.id, spent, reserved).await.unwrap();
    for limit in ["20", "0.000000000000000001"] {
        let again = set(limit, BudgetLimit::Soft).await;
        assert_eq!((again.id, again.limit), (first.id, money(limit)));
        assert_eq!((again.spent, again.reserved), (spent, reserved));
        assert_eq!((again.kind, again.unpriced), (BudgetLimit::Soft, 1));
    }
    assert_eq!(scope.budgets().await.unwrap().len(), 1);
    desk
}

pub(crate) async fn a_new_period_has_spent_nothing(desk: Desk) -> Desk {
    let clock = Hands::new();
    let store = desk.store.with_clock(clock.clone());
    let scope = store.user(&ada());
    for period in [BudgetPeriod::Day, BudgetPeriod::Month, BudgetPeriod::Total] {
        let (what, kind) = (BudgetScope::User, BudgetLimit::Hard);
        let budget = scope.set_budget(what, period, money("9"), kind).await;
        let id = budget.unwrap().id;
        store
            .jobs()
            .spend(id, money("5"), money("1"))
            .await
            .unwrap();
    }
    let spent = async || {
        let budgets = scope.budgets().await.unwrap();
        assert!(budgets.iter().all(|budget| budget.reserved == money("1")));
        budgets
            .iter()
            .map(|budget| budget.spent.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(spent().await, ["5", "5", "5"]);
    clock.pass(Duration::DAY);
    assert_eq!(spent().await, ["0", "5", "5"]);
    clock.pass(Duration::days(31));
    assert_eq!(spent().await, ["0", "0", "5"]);
    desk
}

pub(crate) async fn budgets_are_apart_by_scope_and_period(desk: Desk) -> Desk {
    let scope = desk.store.user(&ada());
    let key = new_id();
    for what in [
        BudgetScope::User,
        BudgetScope::AccessKey(key),
        BudgetScope::Tag("team=red=1".to_owned()),
    ] {
        for period in [BudgetPeriod::Day, BudgetPeriod::Total] {
            let limit = money("1");
            let set = scope.set_budget(what.clone(), period, limit, BudgetLimit::Soft);
            assert_eq!(set.await.unwrap().scope, what);
        }
    }
    let budgets = scope.budgets().await.unwrap();
    assert_eq!(budgets.len(), 6);
    let json = serde_json::to_value(&budgets[2]).unwrap();
    assert_eq!(
        (&json["scope"], &json["limit"]),
        (&"access_key".into(), &"1".into())
    );
    scope.delete_budget(budgets[0].id).await.unwrap();
    let error = scope.delete_budget(budgets[0].id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(scope.budgets().await.unwrap().len(), 5);
    desk
}

pub(crate) async fn a_user_has_a_hundred_budgets_at_most(desk: Desk) -> Desk {
    let scope = desk.store.user(&Principal::new("many"));
    let set = |number: usize| {
        let what = BudgetScope::Tag(format!("n={number}"));
        scope.set_budget(what, BudgetPeriod::Day, money("1"), BudgetLimit::Hard)
    };
    for number in 0..97 {
        set(number).await.unwrap();
    }
    // At once, too.
    let last = join_all((97..103).map(set)).await;
    let refused: Vec<_> = last.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.len(), 3);
    assert!(
        refused.iter().all(|error| error.kind() == ErrorKind::Quota),
        "{refused:?}"
    );
    // One that is there can still be set.
    set(0).await.unwrap();
    assert_eq!(scope.budgets().await.unwrap().len(), 100);
    desk
}

pub(crate) async fn a_budget_that_cannot_be_kept_is_named(desk: Desk) -> Desk {
    let scope = desk.store.user(&ada());
    let tag = |label: &str| BudgetScope::Tag(label.to_owned());
    for (what, limit, field) in [
        (BudgetScope::User, "-1", "limit"),
        (BudgetScope::User, "1000000001", "limit"),
        (tag("team"), "1", "subject"),
        (tag("=red"), "1", "subject"),
        (tag(""), "1", "subject"),
        (tag("a=\0"), "1", "subject"),
        (tag(&format!("a={}", "x".repeat(300))), "1", "subject"),
    ] {
        let (period, kind) = (BudgetPeriod::Day, BudgetLimit::Hard);
        let error = scope
            .set_budget(what, period, money(limit), kind)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert_eq!(error.context("field"), Some(field));
    }
    desk
}
