//! Alerts.

use aurax_core::{Decimal, ErrorKind, Page, new_id};
use aurax_store::{AlertChange, Edit, NewAlert, Severity};
use futures::future::join_all;
use time::Duration;

use crate::desk::{Desk, Hands};
use crate::sessions::ada;

fn number(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub(crate) async fn an_alert_is_kept_and_changed(desk: Desk) -> Desk {
    let alerts = desk.store.user(&ada()).alerts();
    let mut new = NewAlert::new("errors", "error_rate", number("0.05"));
    new.severity = Severity::Critical;
    new.webhook_url = Some("https://example.com/hook".to_owned());
    let alert = alerts.add(new.clone()).await.unwrap();
    assert_eq!(
        (alert.threshold, alert.window_seconds),
        (number("0.05"), 300)
    );
    assert_eq!(
        alerts.list(&Page::first()).await.unwrap().data,
        std::slice::from_ref(&alert)
    );
    let mut change = AlertChange::default();
    change.threshold = Some(number("0.000000000000000001"));
    change.is_active = Some(false);
    let changed = alerts.change(alert.id, change).await.unwrap();
    assert_eq!(changed.threshold, number("0.000000000000000001"));
    assert_eq!(
        (changed.severity, changed.is_active),
        (Severity::Critical, false)
    );
    assert_eq!(changed.webhook_url, alert.webhook_url);
    let mut change = AlertChange::default();
    change.webhook_url = Edit::Clear;
    assert_eq!(
        alerts.change(alert.id, change).await.unwrap().webhook_url,
        None
    );
    let taken = alerts.add(new.clone()).await.unwrap_err();
    assert_eq!(
        (taken.kind(), taken.context("field")),
        (ErrorKind::Conflict, Some("name"))
    );
    new.name = "other".to_owned();
    let other = alerts.add(new).await.unwrap();
    let mut change = AlertChange::default();
    change.name = Some("errors".to_owned());
    let taken = alerts.change(other.id, change).await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::Conflict);
    for (bad, field) in [
        (NewAlert::new("", "m", number("1")), "name"),
        (NewAlert::new("x".repeat(101), "m", number("1")), "name"),
        (NewAlert::new("n", "", number("1")), "metric"),
        (NewAlert::new("n", "m", number("-1")), "threshold"),
        (NewAlert::new("n", "m", number("1000000001")), "threshold"),
        (NewAlert::new("n\0", "m", number("1")), "name"),
    ] {
        let error = alerts.add(bad).await.unwrap_err();
        assert_eq!(error.context("field"), Some(field));
    }
    desk
}

pub(crate) async fn an_alert_fires_once_until_it_is_resolved(desk: Desk) -> Desk {
    let alerts = desk.store.user(&ada()).alerts();
    let new = NewAlert::new("slow", "p95", number("2000"));
    let alert = alerts.add(new).await.unwrap();
    let jobs = desk.store.jobs();
    let watched = jobs.watched_alerts(None, 500).await.unwrap();
    assert_eq!(watched, std::slice::from_ref(&alert));
    assert!(
        jobs.watched_alerts(Some(alert.id), 500)
            .await
            .unwrap()
            .is_empty()
    );
    for round in 0..2 {
        let fire = |_| jobs.fire_alert(alert.id, number("2500.5"), "slow \0 today");
        let fired = join_all((0..6).map(fire)).await;
        let fired: Vec<_> = fired.into_iter().filter_map(Result::unwrap).collect();
        assert_eq!(fired.len(), 1);
        assert_eq!(jobs.ongoing_alerts(&[alert.id]).await.unwrap(), fired);
        let resolved = jobs.resolve_alert(alert.id).await.unwrap();
        assert_eq!(jobs.resolve_alert(alert.id).await.unwrap(), None);
        assert_eq!(jobs.ongoing_alerts(&[alert.id]).await.unwrap(), []);
        let events = alerts.events(&Page::first()).await.unwrap().data;
        assert_eq!(resolved.as_ref(), events.first());
        assert_eq!(events[0].id, fired[0].id);
        assert_eq!(events.len(), round + 1);
        assert_eq!(
            (events[0].alert_id, events[0].value),
            (alert.id, number("2500.5"))
        );
        assert!(events[0].resolved_at.is_some());
        assert_eq!(events[0].message, "slow \u{fffd} today");
    }
    let fire = |id| jobs.fire_alert(id, number("1"), "");
    assert!(fire(alert.id).await.unwrap().is_some());
    let mut off = AlertChange::default();
    off.is_active = Some(false);
    alerts.change(alert.id, off).await.unwrap();
    // What nobody watches is over.
    assert_eq!(jobs.ongoing_alerts(&[alert.id]).await.unwrap(), []);
    assert_eq!(fire(alert.id).await.unwrap(), None);
    assert_eq!(fire(new_id()).await.unwrap(), None);
    assert!(jobs.watched_alerts(None, 500).await.unwrap().is_empty());
    alerts.delete(alert.id).await.unwrap();
    let gone = alerts.delete(alert.id).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
    assert!(alerts.events(&Page::first()).await.unwrap().data.is_empty());
    desk
}

pub(crate) async fn the_installation_has_alerts_that_operators_see(desk: Desk) -> Desk {
    let (jobs, own) = (desk.store.jobs(), desk.store.admin().alerts());
    let id = uuid::Uuid::from_u128(0x8000_8000_0000_0000_0001);
    let new = || NewAlert::new("errors", "error_rate", number("5"));
    let mut bad = new();
    bad.window_seconds = 0;
    let error = jobs.provide_alert(id, bad).await.unwrap_err();
    assert_eq!(error.context("field"), Some("window_seconds"));
    let provided = join_all((0..4).map(|_| jobs.provide_alert(id, new()))).await;
    let made = provided.into_iter().filter(|made| *made.as_ref().unwrap());
    assert_eq!(made.count(), 1);
    let alert = own.get(id).await.unwrap();
    assert!(alert.is_of_installation());
    // What an operator changed stays.
    let mut change = AlertChange::default();
    change.threshold = Some(number("7"));
    own.change(id, change).await.unwrap();
    assert!(!jobs.provide_alert(id, new()).await.unwrap());
    assert!(!jobs.provide_alert(new_id(), new()).await.unwrap());
    assert_eq!(own.get(id).await.unwrap().threshold, number("7"));
    jobs.fire_alert(id, number("9"), "").await.unwrap().unwrap();
    assert_eq!(own.events(&Page::first()).await.unwrap().data.len(), 1);
    // Nobody else sees it.
    let alerts = desk.store.user(&ada()).alerts();
    assert!(alerts.list(&Page::first()).await.unwrap().data.is_empty());
    assert!(alerts.events(&Page::first()).await.unwrap().data.is_empty());
    let error = alerts.get(id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    desk
}

pub(crate) async fn what_happened_lately_is_listed_and_forgotten(desk: Desk) -> Desk {
    let hands = Hands::new();
    let store = desk.store.with_clock(hands.clone());
    let (jobs, alerts) = (store.jobs(), store.user(&ada()).alerts());
    let mut made = Vec::new();
    for name in ["a", "b"] {
        let new = NewAlert::new(name, "requests", number("1"));
        made.push(alerts.add(new).await.unwrap());
        let id = made.last().unwrap().id;
        jobs.fire_alert(id, number("2"), name).await.unwrap();
        hands.pass(Duration::MINUTE);
    }
    let start = hands.at() - Duration::minutes(2);
    let lately = async |since| -> Vec<(String, bool)> {
        let lately = jobs.late_alerts(since, 10).await.unwrap();
        let lately = lately.into_iter();
        lately
            .map(|(alert, event)| (alert.name, event.resolved_at.is_some()))
            .collect()
    };
    let seen = |name: &str, is_over| (name.to_owned(), is_over);
    let second = Duration::SECOND;
    assert_eq!(
        lately(start - second).await,
        [seen("a", false), seen("b", false)]
    );
    assert_eq!(lately(start).await, [seen("b", false)]);
    jobs.resolve_alert(made[0].id).await.unwrap().unwrap();
    assert_eq!(lately(start).await, [seen("b", false), seen("a", true)]);
    assert_eq!(lately(hands.at() - second).await, [seen("a", true)]);
    assert_eq!(lately(hands.at()).await, []);
    assert_eq!(jobs.late_alerts(start, 1).await.unwrap().len(), 1);
    // What goes on is never forgotten.
    assert_eq!(jobs.forget_alert_events(hands.at()).await.unwrap(), 0);
    assert_eq!(
        jobs.forget_alert_events(hands.at() + second).await.unwrap(),
        1
    );
    assert_eq!(alerts.events(&Page::first()).await.unwrap().data.len(), 1);
    desk
}
