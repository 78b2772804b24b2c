//! The rules that every installation has.

use aurax::store::{AlertChange, Severity, UsageRow};
use aurax::{Page, Principal, new_id};
use aurax_server::alerts::{ERROR_RATE, LATENCY, USAGE};
use time::Duration;

use crate::desk::Desk;
use crate::scene::{MINUTE, Scene, ada, evaluator, fails, number, succeeds};

pub(crate) async fn many_errors_fire_once_and_are_over(desk: Desk) -> Desk {
    let scene = Scene::new(desk);
    assert_eq!(scene.look(Duration::ZERO).await, (0, 0));
    // All that there is fails, and is too little to go by.
    scene.call(&ada(), 19, fails).await;
    assert_eq!(scene.look(MINUTE).await, (0, 0));
    assert!(scene.events().await.is_empty());
    scene.call(&Principal::new("eve"), 1, fails).await;
    assert_eq!(scene.look(Duration::seconds(30)).await, (1, 0));
    let rule = scene.store.admin().alerts().get(ERROR_RATE).await.unwrap();
    assert_eq!(
        (rule.severity, rule.threshold),
        (Severity::Critical, number("5"))
    );
    let fired = scene.events().await;
    assert_eq!(fired.len(), 1);
    assert_eq!(
        (fired[0].alert_id, fired[0].value),
        (ERROR_RATE, number("100"))
    );
    assert_eq!(
        fired[0].message,
        "the error rate is 100 % within 300 s, above 5 %: 20 of 20 calls failed"
    );
    // It goes on, and that is no news; nor is that next to nothing is left to go by.
    assert_eq!(scene.look(MINUTE).await, (0, 0));
    assert_eq!(scene.look(MINUTE * 3 - Duration::SECOND).await, (0, 0));
    assert_eq!(scene.events().await, fired);
    // One in twenty is not above 5 %.
    scene.call(&ada(), 19, succeeds).await;
    assert_eq!(scene.look(Duration::ZERO).await, (0, 1));
    assert_eq!(scene.events().await[0].resolved_at, Some(scene.hands.at()));
    // One in nineteen and a bit would be.
    scene.call(&ada(), 20, succeeds).await;
    scene.call(&ada(), 1, fails).await;
    assert_eq!(scene.look(MINUTE).await, (0, 0));
    scene.call(&ada(), 1, fails).await;
    assert_eq!(scene.look(MINUTE).await, (0, 0));
    scene.call(&ada(), 1, fails).await;
    assert_eq!(scene.look(MINUTE).await, (1, 0));
    // Nothing happens any more.
    assert_eq!(scene.look(MINUTE * 6).await, (0, 1));
    assert_eq!(scene.events().await.len(), 2);
    scene.desk
}

pub(crate) async fn slow_answers_fire_by_what_callers_feel(desk: Desk) -> Desk {
    let scene = Scene::new(desk);
    let whole = |ms| move |row: &mut UsageRow| row.response_time_ms = ms;
    let stream = |first, ms| {
        move |row: &mut UsageRow| (row.ttft_ms, row.response_time_ms) = (Some(first), ms)
    };
    // Streams are there when they begin, however long they are; failures take what they take.
    scene.call(&ada(), 40, stream(1_999, 60_000)).await;
    scene
        .call(&ada(), 2, |row| {
            fails(row);
            row.response_time_ms = 60_000;
        })
        .await;
    scene.call(&ada(), 10, whole(2_000)).await;
    assert_eq!(scene.look(MINUTE).await, (0, 0));
    scene.call(&ada(), 2, whole(2_001)).await;
    assert_eq!(scene.look(MINUTE).await, (0, 0));
    // Three of 53 are more than five of a hundred.
    scene.call(&ada(), 1, stream(2_001, 2_002)).await;
    assert_eq!(scene.look(MINUTE).await, (1, 0));
    let fired = scene.events().await;
    assert_eq!(
        (fired[0].alert_id, fired[0].value),
        (LATENCY, number("2001"))
    );
    assert_eq!(scene.look(MINUTE * 6).await, (0, 1));
    // The least there must be.
    scene.call(&ada(), 19, whole(9_000)).await;
    assert_eq!(scene.look(Duration::ZERO).await, (0, 0));
    scene.call(&ada(), 1, whole(9_000)).await;
    assert_eq!(scene.look(Duration::ZERO).await, (1, 0));
    scene.desk
}

pub(crate) async fn unusual_use_fires_by_the_same_hour_of_the_days_before(desk: Desk) -> Desk {
    let scene = Scene::new(desk);
    // Much, and nobody knows what is usual.
    scene.call(&ada(), 500, succeeds).await;
    assert_eq!(scene.look(MINUTE * 5).await, (0, 0));
    // A week of thirty calls an hour, at this time of day, but for one day of very many.
    for day in 0..7 {
        scene.hands.pass(Duration::DAY - MINUTE * 5);
        let count = if day == 1 { 400 } else { 30 };
        scene.call(&ada(), count, succeeds).await;
        assert_eq!(scene.look(MINUTE * 5).await, (0, 0));
    }
    scene.hands.pass(Duration::DAY - MINUTE * 5);
    scene.call(&ada(), 150, succeeds).await;
    assert_eq!(scene.look(MINUTE * 5).await, (0, 0));
    scene.call(&Principal::new("eve"), 1, succeeds).await;
    // At its next turn: it is measured every five minutes.
    assert_eq!(scene.look(MINUTE * 5).await, (1, 0));
    let fired = scene.events().await;
    assert_eq!(
        (fired[0].alert_id, fired[0].value),
        (USAGE, number("5.0333"))
    );
    assert!(
        fired[0].message.contains("151 calls, where 30 are usual"),
        "{fired:?}"
    );
    assert_eq!(scene.look(MINUTE * 30).await, (0, 0));
    assert_eq!(scene.look(MINUTE * 30).await, (0, 1));
    scene.desk
}

pub(crate) async fn a_restart_goes_on_where_the_last_process_was(desk: Desk) -> Desk {
    let mut scene = Scene::new(desk);
    scene.call(&ada(), 20, fails).await;
    assert_eq!(scene.look(MINUTE).await, (1, 0));
    let another = scene.desk.another().await;
    let again = another.clone().unwrap_or_else(|| scene.desk.store.clone());
    scene.store = again.with_clock(scene.hands.clone());
    scene.alerts = evaluator(&scene.store);
    assert_eq!(scene.look(MINUTE).await, (0, 0));
    assert_eq!(scene.events().await.len(), 1);
    scene.call(&ada(), 400, succeeds).await;
    assert_eq!(scene.look(MINUTE).await, (0, 1));
    assert!(scene.events().await[0].resolved_at.is_some());
    if let Some(another) = another {
        another.close().await;
    }
    scene.desk
}

pub(crate) async fn two_evaluators_at_once_fire_once(desk: Desk) -> Desk {
    let scene = Scene::new(desk);
    let others = [(); 2].map(|()| evaluator(&scene.store.with_replica(new_id())));
    for round in 1..=5 {
        scene.call(&ada(), 20, fails).await;
        let (mut fired, mut resolved) = (0, 0);
        for _ in 0..4 {
            scene.hands.pass(Duration::seconds(30));
            let (one, two) = tokio::join!(others[0].run_once(), others[1].run_once());
            for round in [one.unwrap(), two.unwrap()] {
                fired += round.fired;
                resolved += round.resolved;
            }
        }
        assert_eq!((fired, resolved), (1, 0), "round {round}");
        scene.hands.pass(MINUTE * 6);
        let (one, two) = tokio::join!(others[0].run_once(), others[1].run_once());
        assert_eq!(one.unwrap().resolved + two.unwrap().resolved, 1);
        assert_eq!(scene.events().await.len(), round);
    }
    scene.desk
}

pub(crate) async fn a_process_that_died_is_replaced(desk: Desk) -> Desk {
    let scene = Scene::new(desk);
    scene.call(&ada(), 20, fails).await;
    let jobs = scene.store.with_replica(new_id()).jobs();
    let held = jobs.lease("alerts", MINUTE).await.unwrap().unwrap();
    let round = scene.alerts.run_once().await.unwrap();
    assert_eq!((round.measured, round.fired), (0, 0));
    drop(held);
    // When its time is over.
    assert_eq!(scene.look(MINUTE + Duration::SECOND).await, (1, 0));
    scene.desk
}

pub(crate) async fn operators_change_and_switch_off_rules(desk: Desk) -> Desk {
    let scene = Scene::new(desk);
    scene.look(Duration::ZERO).await;
    let own = scene.store.admin().alerts();
    let rules = own.list(&Page::first()).await.unwrap().data;
    let mut names: Vec<_> = rules.iter().map(|rule| rule.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["error rate", "response time", "usage"]);
    let mut change = AlertChange::default();
    change.threshold = Some(number("60"));
    own.change(ERROR_RATE, change).await.unwrap();
    scene.call(&ada(), 12, fails).await;
    scene.call(&ada(), 8, succeeds).await;
    // Sixty of a hundred are not above it, and a new process leaves it so.
    assert_eq!(evaluator(&scene.store).run_once().await.unwrap().fired, 0);
    scene.call(&ada(), 1, fails).await;
    assert_eq!(scene.look(MINUTE).await, (1, 0));
    let mut off = AlertChange::default();
    off.is_active = Some(false);
    own.change(ERROR_RATE, off).await.unwrap();
    assert!(scene.events().await[0].resolved_at.is_some());
    assert_eq!(scene.look(MINUTE).await, (0, 0));
    scene.desk
}
