//! Alerts.

use aurax_core::{Decimal, ErrorKind, Page, new_id};
use aurax_store::{AlertChange, Edit, NewAlert, Severity};
use futures::future::join_all;

use crate::desk::Desk;
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
        let fired = fired.into_iter().filter(|fired| *fired.as_ref().unwrap());
        assert_eq!(fired.count(), 1);
        assert!(jobs.resolve_alert(alert.id).await.unwrap());
        assert!(!jobs.resolve_alert(alert.id).await.unwrap());
        let events = alerts.events(&Page::first()).await.unwrap().data;
        assert_eq!(events.len(), round + 1);
        assert_eq!(
            (events[0].alert_id, events[0].value),
            (alert.id, number("2500.5"))
        );
        assert!(events[0].resolved_at.is_some());
        assert_eq!(events[0].message, "slow \u{fffd} today");
    }
    let mut off = AlertChange::default();
    off.is_active = Some(false);
    alerts.change(alert.id, off).await.unwrap();
    assert!(!jobs.fire_alert(alert.id, number("1"), "").await.unwrap());
    assert!(!jobs.fire_alert(new_id(), number("1"), "").await.unwrap());
    assert!(jobs.watched_alerts(None, 500).await.unwrap().is_empty());
    alerts.delete(alert.id).await.unwrap();
    let gone = alerts.delete(alert.id).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
    assert!(alerts.events(&Page::first()).await.unwrap().data.is_empty());
    desk
}
