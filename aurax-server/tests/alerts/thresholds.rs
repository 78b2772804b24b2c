//! What users want to hear of.

use aurax::store::{AlertChange, BudgetLimit, BudgetPeriod, BudgetScope, NewAlert, UsageRow};
use aurax::{Cost, ErrorKind, Money, Principal};
use aurax_server::alerts::{ERROR_RATE, Metric, Watched, check_change, check_new};
use time::Duration;

use crate::desk::Desk;
use crate::scene::{MINUTE, Scene, ada, events, fails, number, succeeds};

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

pub(crate) async fn every_metric_fires_above_its_threshold_alone(desk: Desk) -> Desk {
    let scene = Scene::new(desk);
    scene.look(Duration::ZERO).await;
    let mut off = AlertChange::default();
    off.is_active = Some(false);
    let rules = scene.store.admin().alerts();
    rules.change(ERROR_RATE, off).await.unwrap();
    // Of ten calls, one fails; whole replies take 100 ms, streams 60 until they begin.
    let call = async || {
        scene.call(&ada(), 1, fails).await;
        let how = |row: &mut UsageRow| {
            row.response_time_ms = 100;
            row.total_tokens = 7;
            row.cost = Cost::Exact(money("0.000000000000000001"));
        };
        scene.call(&ada(), 4, how).await;
        let streamed = |row: &mut UsageRow| (row.response_time_ms, row.ttft_ms) = (90, Some(60));
        scene.call(&ada(), 5, streamed).await;
    };
    // The streams alone are too few, until they are ten.
    call().await;
    call().await;
    call().await;
    for (metric, equal, below, value) in [
        (Metric::ErrorRate, "10", "9.99", "10"),
        (Metric::P95, "100", "99", "100"),
        (Metric::TtftP95, "60", "59.5", "60"),
        (Metric::LatencyP95, "100", "99", "100"),
        (Metric::Tokens, "84", "83", "84"),
        (Metric::Requests, "30", "29", "30"),
    ] {
        let alerts = scene.store.user(&ada()).alerts();
        let alert = scene.threshold(metric, equal).await;
        let round = scene.alerts.run_once().await.unwrap();
        assert_eq!((round.fired, round.resolved), (0, 0), "{metric:?} at it");
        let mut change = AlertChange::default();
        change.threshold = Some(number(below));
        alerts.change(alert.id, change.clone()).await.unwrap();
        assert_eq!(
            scene.look(Duration::ZERO).await,
            (1, 0),
            "{metric:?} above it"
        );
        let found = events(&alerts).await;
        assert_eq!(
            (found[0].alert_id, found[0].value),
            (alert.id, number(value))
        );
        change.threshold = Some(number(equal));
        alerts.change(alert.id, change).await.unwrap();
        assert_eq!(scene.look(Duration::ZERO).await, (0, 1), "{metric:?} over");
        alerts.delete(alert.id).await.unwrap();
    }
    // Cents are compared to the last place, though an event says four of them.
    let alerts = scene.store.user(&ada()).alerts();
    let alert = scene.threshold(Metric::Cost, "0.000000000000000012").await;
    assert_eq!(scene.look(Duration::ZERO).await, (0, 0));
    let mut change = AlertChange::default();
    change.threshold = Some(number("0.000000000000000011"));
    alerts.change(alert.id, change).await.unwrap();
    assert_eq!(scene.look(Duration::ZERO).await, (1, 0));
    scene.desk
}

pub(crate) async fn a_user_is_measured_by_their_own_calls(desk: Desk) -> Desk {
    let scene = Scene::new(desk);
    let eve = Principal::new("eve");
    let mut new = NewAlert::new("errors", "error_rate", number("50"));
    new.window_seconds = 60;
    let hers = scene.store.user(&eve).alerts();
    hers.add(new.clone()).await.unwrap();
    new.window_seconds = 3_600;
    scene.store.user(&ada()).alerts().add(new).await.unwrap();
    scene.call(&ada(), 19, fails).await;
    scene.call(&eve, 9, fails).await;
    scene
        .call(&eve, 200, |row| row.request_type = "adjust".to_owned())
        .await;
    // Ada's fires; Eve's calls are too few; and so are the installation's errors, as yet.
    let round = scene.alerts.run_once().await.unwrap();
    assert_eq!(round.fired, 2, "Ada's, and the installation's");
    assert!(events(&hers).await.is_empty());
    scene.call(&eve, 1, fails).await;
    assert_eq!(scene.look(Duration::seconds(30)).await, (1, 0));
    // Within her minute nothing is left; within Ada's hour all is.
    assert_eq!(scene.look(MINUTE * 10).await, (0, 2));
    assert_eq!(
        events(&scene.store.user(&ada()).alerts()).await[0].resolved_at,
        None
    );
    assert!(events(&hers).await[0].resolved_at.is_some());
    scene.desk
}

pub(crate) async fn the_nearest_budget_counts(desk: Desk) -> Desk {
    let scene = Scene::new(desk);
    scene.threshold(Metric::BudgetUsed, "80").await;
    assert_eq!(scene.look(Duration::ZERO).await, (0, 0));
    let scope = scene.store.user(&ada());
    let (soft, ten) = (BudgetLimit::Soft, money("10"));
    let set = async |what, period| scope.set_budget(what, period, ten, soft).await.unwrap().id;
    let far = set(BudgetScope::User, BudgetPeriod::Month).await;
    let near = set(BudgetScope::Tag("a=b".to_owned()), BudgetPeriod::Day).await;
    let jobs = scene.store.jobs();
    jobs.spend(far, money("1"), money("9")).await.unwrap();
    jobs.spend(near, money("8"), Money::ZERO).await.unwrap();
    assert_eq!(scene.look(MINUTE).await, (0, 0));
    jobs.spend(near, money("8.01"), Money::ZERO).await.unwrap();
    assert_eq!(scene.look(MINUTE).await, (1, 0));
    assert_eq!(events(&scope.alerts()).await[0].value, number("80.1"));
    // A new day.
    assert_eq!(scene.look(Duration::DAY).await, (0, 1));
    scene.desk
}

pub(crate) async fn what_cannot_be_measured_costs_others_nothing(desk: Desk) -> Desk {
    let scene = Scene::new(desk);
    let alerts = scene.store.user(&ada()).alerts();
    // What programs that use the store watch by themselves.
    let strange = NewAlert::new("strange", "moons", number("0"));
    alerts.add(strange).await.unwrap();
    // Costs beyond what a database adds up, in a window of an hour.
    let mut new = NewAlert::new("dear", "cost_usd", number("1"));
    new.window_seconds = 3_600;
    alerts.add(new).await.unwrap();
    let eve = Principal::new("eve");
    let requests = NewAlert::new("calls", "requests", number("1"));
    scene.store.user(&eve).alerts().add(requests).await.unwrap();
    scene.call(&eve, 2, succeeds).await;
    for _ in 0..2 {
        scene
            .call(&ada(), 1, |row| row.cost = Cost::Exact(money("9000000000")))
            .await;
        scene.hands.pass(MINUTE * 10);
    }
    scene.call(&eve, 2, succeeds).await;
    scene.alerts.run_once().await.unwrap();
    let hers = events(&scene.store.user(&eve).alerts()).await;
    assert_eq!(hers.len(), 1);
    scene.desk
}

#[test]
fn what_nobody_can_watch_is_refused() {
    let user = |new: &NewAlert| check_new(new, Watched::User);
    let error = user(&NewAlert::new("a", "moons", number("1"))).unwrap_err();
    assert_eq!(
        (error.kind(), error.context("field")),
        (ErrorKind::InvalidRequest, Some("metric"))
    );
    assert_eq!(
        error.message(),
        "a metric is one of error_rate, p95_ms, ttft_p95_ms, latency_p95_ms, cost_usd, tokens, \
         requests, budget_used"
    );
    let ratio = NewAlert::new("a", "usage_ratio", number("5"));
    assert!(user(&ratio).is_err());
    assert!(check_new(&ratio, Watched::Installation).is_ok());
    let budget = NewAlert::new("a", "budget_used", number("80"));
    assert!(check_new(&budget, Watched::Installation).is_err());
    assert!(user(&budget).is_ok());
    let refused = |change: fn(&mut NewAlert)| {
        let mut new = NewAlert::new("a", "error_rate", number("5"));
        change(&mut new);
        let error = user(&new).unwrap_err();
        error.context("field").unwrap().to_owned()
    };
    assert_eq!(refused(|new| new.threshold = number("100")), "threshold");
    assert_eq!(refused(|new| new.window_seconds = 59), "window_seconds");
    for url in [
        "http://example.com/",
        "https://127.0.0.1/",
        "https://0x7f.1/",
        "https://[::1]/",
        "https://user@example.com/",
        "nowhere",
    ] {
        let mut new = budget.clone();
        new.webhook_url = Some(url.to_owned());
        let error = user(&new).unwrap_err();
        assert_eq!(error.context("field"), Some("webhook_url"), "{url}");
        new.webhook_url = Some("https://example.com/hook".to_owned());
        user(&new).unwrap();
    }
}

/// A change is checked with what stays.
#[tokio::test]
async fn a_change_that_nobody_can_watch_is_refused() {
    let store = aurax::store::Store::in_memory().await.unwrap();
    let alerts = store.user(&ada()).alerts();
    let new = NewAlert::new("a", "error_rate", number("5"));
    let alert = alerts.add(new).await.unwrap();
    let mut change = AlertChange::default();
    check_change(&alert, &change).unwrap();
    change.threshold = Some(number("100"));
    let error = check_change(&alert, &change).unwrap_err();
    assert_eq!(error.context("field"), Some("threshold"));
    change.threshold = None;
    change.webhook_url = aurax::store::Edit::Set("https://10.0.0.1/".to_owned());
    let error = check_change(&alert, &change).unwrap_err();
    assert_eq!(error.context("field"), Some("webhook_url"));
}
