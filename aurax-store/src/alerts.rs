//! Thresholds, and the events of their being passed.

use aurax_core::{Error, ErrorKind, Money, Page, Paged, Result, Retry, new_id};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::access_keys::Edit;
use crate::bounds::{NAME, URL, at_most, named, refuse};
use crate::catalogue::alerts as sql;
use crate::db::{Arg, Row, Statement, args};
use crate::scope::{AdminScope, JobScope, UserScope};
use crate::store::not_found;
use crate::turn::from_word;

/// The most alerts of a user.
const MOST: u32 = 100;
/// The longest message of an event; more is cut.
const MESSAGE: usize = 1_000;
/// The longest time an alert looks back.
const WINDOW: u32 = 31 * 86_400;
/// The largest threshold that both databases keep.
const LARGEST: u32 = 1_000_000_000;

/// Whose the alerts are that watch all tenants together, which operators see.
pub const INSTALLATION: Uuid = Uuid::nil();

/// How much an alert matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Something gets worse.
    Warning,
    /// Something fails.
    Critical,
}

impl Severity {
    /// The severity in snake case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// A threshold somebody wants to hear of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Alert {
    /// Its id, a UUIDv7.
    pub id: Uuid,
    /// Whose it is.
    pub user_id: Uuid,
    /// Its name, which no other alert of the user has.
    pub name: String,
    /// What is measured, in the words of whoever measures it, such as `error_rate`.
    pub metric: String,
    /// Where it fires, in the metric's unit.
    #[serde(with = "rust_decimal::serde::str")]
    pub threshold: Decimal,
    /// How far back is measured, in seconds.
    pub window_seconds: u32,
    /// How much it matters.
    pub severity: Severity,
    /// Where it is delivered to, beside the list of events.
    pub webhook_url: Option<String>,
    /// Whether it is watched.
    pub is_active: bool,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// An alert to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewAlert {
    /// Its name; at most 100 characters.
    pub name: String,
    /// What is measured.
    pub metric: String,
    /// Where it fires, to 18 places.
    pub threshold: Decimal,
    /// How far back is measured, in seconds; five minutes unless set, at most 31 days.
    pub window_seconds: u32,
    /// How much it matters; a warning unless set.
    pub severity: Severity,
    /// Where it is delivered to.
    pub webhook_url: Option<String>,
}

impl NewAlert {
    /// A warning over five minutes.
    pub fn new(name: impl Into<String>, metric: impl Into<String>, threshold: Decimal) -> Self {
        Self {
            name: name.into(),
            metric: metric.into(),
            threshold,
            window_seconds: 300,
            severity: Severity::Warning,
            webhook_url: None,
        }
    }
}

/// What to change of an alert; what is `None` or [`Edit::Keep`] stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct AlertChange {
    /// Its name.
    pub name: Option<String>,
    /// Where it fires.
    pub threshold: Option<Decimal>,
    /// How far back is measured.
    pub window_seconds: Option<u32>,
    /// How much it matters.
    pub severity: Option<Severity>,
    /// Where it is delivered to.
    pub webhook_url: Edit<String>,
    /// Whether it is watched.
    pub is_active: Option<bool>,
}

/// That an alert fired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AlertEvent {
    /// Its id, a UUIDv7.
    pub id: Uuid,
    /// The alert.
    pub alert_id: Uuid,
    /// What was measured.
    #[serde(with = "rust_decimal::serde::str")]
    pub value: Decimal,
    /// In words.
    pub message: String,
    /// When it fired.
    #[serde(with = "time::serde::rfc3339")]
    pub fired_at: OffsetDateTime,
    /// When it was over; `None` while it goes on.
    #[serde(with = "time::serde::rfc3339::option")]
    pub resolved_at: Option<OffsetDateTime>,
}

impl Alert {
    /// Whether it watches all tenants together.
    pub fn is_of_installation(&self) -> bool {
        self.user_id == INSTALLATION
    }

    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.uuid("id")?,
            user_id: row.uuid("user_id")?,
            name: row.text("name")?,
            metric: row.text("metric")?,
            threshold: row.money("threshold")?.usd(),
            window_seconds: u32::try_from(row.int("window_seconds")?).unwrap_or(WINDOW),
            severity: from_word(&row.text("severity")?)?,
            webhook_url: row.text_or_null("webhook_url")?,
            is_active: row.bool("is_active")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
        })
    }

    fn apply(&mut self, change: AlertChange) {
        self.name = change
            .name
            .unwrap_or_else(|| std::mem::take(&mut self.name));
        self.threshold = change.threshold.unwrap_or(self.threshold);
        self.window_seconds = change.window_seconds.unwrap_or(self.window_seconds);
        self.severity = change.severity.unwrap_or(self.severity);
        self.is_active = change.is_active.unwrap_or(self.is_active);
        if let (true, url) = change.webhook_url.into_parts() {
            self.webhook_url = url;
        }
    }
}

impl AlertEvent {
    fn read(row: &Row) -> Result<Self> {
        Self::read_as(row, "id")
    }

    fn read_as(row: &Row, id: &str) -> Result<Self> {
        Ok(Self {
            id: row.uuid(id)?,
            alert_id: row.uuid("alert_id")?,
            value: row.money("value")?.usd(),
            message: row.text("message")?,
            fired_at: row.time("fired_at")?,
            resolved_at: row.time_or_null("resolved_at")?,
        })
    }
}

fn check(name: &str, threshold: Decimal, window: u32, url: Option<&str>) -> Result<()> {
    named("name", name, NAME)?;
    at_most("webhook_url", url.unwrap_or_default(), URL)?;
    if threshold.is_sign_negative() || threshold > Decimal::from(LARGEST) {
        let message = format!("a threshold is between 0 and {LARGEST}");
        return Err(refuse("threshold", message));
    }
    if window == 0 || window > WINDOW {
        let message = format!("an alert looks back 1 to {WINDOW} seconds");
        return Err(refuse("window_seconds", message));
    }
    Ok(())
}

fn taken(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Conflict => Error::new(ErrorKind::Conflict, "there is an alert of that name")
            .with_retry(Retry::Never)
            .with_context("field", "name"),
        _ => error,
    }
}

/// A tenant's alerts.
#[derive(Debug, Clone)]
pub struct Alerts(UserScope);

impl UserScope {
    /// The tenant's alerts.
    pub fn alerts(&self) -> Alerts {
        Alerts(self.clone())
    }
}

impl Alerts {
    /// Makes an alert.
    ///
    /// # Errors
    /// `Conflict` where the user has one of that name; `Quota` at 100 alerts; `InvalidRequest` for
    /// a field that is empty, too long or out of range; `Store` when it cannot be kept.
    pub async fn add(&self, new: NewAlert) -> Result<Alert> {
        let url = new.webhook_url.as_deref();
        check(&new.name, new.threshold, new.window_seconds, url)?;
        named("metric", &new.metric, NAME)?;
        let (id, at) = (new_id(), self.0.store().now());
        let args = args! {
            id, name: new.name, metric: new.metric, threshold: Money::new(new.threshold),
            window_seconds: new.window_seconds, severity: new.severity.as_str(),
            webhook_url: new.webhook_url, at, most: MOST,
        };
        let row = self
            .0
            .write(move |tx| {
                Box::pin(async move {
                    if tx.run(&sql::ADD, &args).await? == 0 {
                        return Err(Error::new(
                            ErrorKind::Quota,
                            format!("there are {MOST} alerts already: delete some"),
                        ));
                    }
                    tx.row(&sql::GET, &args! { id }).await
                })
            })
            .await
            .map_err(taken)?;
        Alert::read(&row.ok_or_else(|| not_found("alert"))?)
    }

    /// An alert.
    ///
    /// # Errors
    /// `NotFound` where there is none; `Store` when it cannot be read.
    pub async fn get(&self, id: Uuid) -> Result<Alert> {
        let row = self.0.row(&sql::GET, args! { id }).await?;
        Alert::read(&row.ok_or_else(|| not_found("alert"))?)
    }

    /// Alerts, the latest made first.
    ///
    /// # Errors
    /// `InvalidRequest` for a cursor of another list; `Store` when they cannot be read.
    pub async fn list(&self, page: &Page) -> Result<Paged<Alert>> {
        let list = (&sql::LIST, args! {});
        self.0
            .page("alerts", list, page, Alert::read, |alert| alert.id)
            .await
    }

    /// Changes an alert. One that is not watched any more is over.
    ///
    /// # Errors
    /// `NotFound` where there is none; else as of [`Alerts::add`].
    pub async fn change(&self, id: Uuid, change: AlertChange) -> Result<Alert> {
        let at = self.0.store().now();
        self.0
            .write(move |tx| {
                Box::pin(async move {
                    let row = tx.row(&sql::HOLD, &args! { id }).await?;
                    let mut alert = Alert::read(&row.ok_or_else(|| not_found("alert"))?)?;
                    alert.apply(change);
                    let url = alert.webhook_url.as_deref();
                    check(&alert.name, alert.threshold, alert.window_seconds, url)?;
                    let args = args! {
                        id, name: alert.name, threshold: Money::new(alert.threshold),
                        window_seconds: alert.window_seconds, severity: alert.severity.as_str(),
                        webhook_url: alert.webhook_url, is_active: alert.is_active, at,
                    };
                    tx.run(&sql::CHANGE, &args).await?;
                    if !alert.is_active {
                        tx.run(&sql::CLOSE, &args! { id, at }).await?;
                    }
                    let row = tx.row(&sql::GET, &args! { id }).await?;
                    Alert::read(&row.ok_or_else(|| not_found("alert"))?)
                })
            })
            .await
            .map_err(taken)
    }

    /// Deletes an alert and its events.
    ///
    /// # Errors
    /// `NotFound` where there is none; `Store` when it cannot be deleted.
    pub async fn delete(&self, id: Uuid) -> Result<()> {
        let deleted = self
            .0
            .write(move |tx| {
                Box::pin(async move {
                    tx.run(&sql::DELETE_EVENTS, &args! { id }).await?;
                    tx.run(&sql::DELETE, &args! { id }).await
                })
            })
            .await?;
        if deleted == 0 {
            return Err(not_found("alert"));
        }
        Ok(())
    }

    /// What fired, the latest first.
    ///
    /// # Errors
    /// `InvalidRequest` for a cursor of another list; `Store` when they cannot be read.
    pub async fn events(&self, page: &Page) -> Result<Paged<AlertEvent>> {
        let list = (&sql::EVENTS, args! {});
        self.0
            .page("alert events", list, page, AlertEvent::read, |event| {
                event.id
            })
            .await
    }
}

impl AdminScope {
    /// The alerts that watch all tenants together.
    pub fn alerts(&self) -> Alerts {
        Alerts(UserScope::new(self.store().clone(), INSTALLATION))
    }
}

impl JobScope {
    /// Alerts of every tenant that are watched, at most 500 of them, in the order of their ids,
    /// after `after`.
    ///
    /// # Errors
    /// `Store` when they cannot be read.
    pub async fn watched_alerts(&self, after: Option<Uuid>, most: u32) -> Result<Vec<Alert>> {
        let args = args! { after, most: most.min(500) };
        let rows = self.rows(&sql::ACTIVE, args).await?;
        rows.iter().map(Alert::read).collect()
    }

    /// Makes an alert of the [`INSTALLATION`], whose id is known beforehand: false where it is there
    /// already, however it was changed since, or another one of the installation has its name.
    ///
    /// # Errors
    /// As of [`Alerts::add`], which limits the number of alerts, too.
    pub async fn provide_alert(&self, id: Uuid, new: NewAlert) -> Result<bool> {
        let url = new.webhook_url.as_deref();
        check(&new.name, new.threshold, new.window_seconds, url)?;
        named("metric", &new.metric, NAME)?;
        let args = args! {
            id, owner: INSTALLATION, name: new.name, metric: new.metric,
            threshold: Money::new(new.threshold), window_seconds: new.window_seconds,
            severity: new.severity.as_str(), webhook_url: new.webhook_url,
            at: self.store().now(),
        };
        let made = self.run(&sql::PROVIDE, args).await?;
        Ok(made > 0)
    }

    /// What goes on of these alerts: at most one event each.
    ///
    /// # Errors
    /// `Store` when they cannot be read.
    pub async fn ongoing_alerts(&self, alerts: &[Uuid]) -> Result<Vec<AlertEvent>> {
        let args = args! { alerts: alerts.to_vec() };
        let rows = self.rows(&sql::ONGOING, args).await?;
        rows.iter().map(AlertEvent::read).collect()
    }

    /// What began or ended after a time, with its alert, in that order; at most `most`, and 1,000.
    /// An event that did both is there once, as it ended.
    ///
    /// # Errors
    /// `Store` when they cannot be read.
    pub async fn late_alerts(
        &self,
        since: OffsetDateTime,
        most: u32,
    ) -> Result<Vec<(Alert, AlertEvent)>> {
        let args = args! { since, most: most.min(1_000) };
        let rows = self.rows(&sql::LATELY, args).await?;
        rows.iter()
            .map(|row| Ok((Alert::read(row)?, AlertEvent::read_as(row, "event_id")?)))
            .collect()
    }

    /// Forgets events that ended before a time, at most 500 of them; how many.
    ///
    /// # Errors
    /// `Store` when they cannot be deleted.
    pub async fn forget_alert_events(&self, before: OffsetDateTime) -> Result<u64> {
        self.run(&sql::FORGET, args! { before, most: 500_u32 })
            .await
    }

    /// Says that an alert fired: the event, for the one caller, among all processes, who says so
    /// first until it is resolved; `None` for others, and where nobody watches the alert.
    ///
    /// # Errors
    /// `InvalidRequest` for a value out of range; `Store` when it cannot be kept.
    pub async fn fire_alert(
        &self,
        alert_id: Uuid,
        value: Decimal,
        message: &str,
    ) -> Result<Option<AlertEvent>> {
        let message: String = message.replace('\0', "\u{fffd}");
        let message: String = message.chars().take(MESSAGE).collect();
        let args = args! {
            id: new_id(), alert_id, value: Money::new(value), message, at: self.store().now(),
        };
        self.event(&sql::FIRE, args.to_vec()).await
    }

    /// Says that an alert is over: the event, for the one caller who says so first; `None` where it
    /// did not go on.
    ///
    /// # Errors
    /// `Store` when it cannot be written.
    pub async fn resolve_alert(&self, alert_id: Uuid) -> Result<Option<AlertEvent>> {
        let args = args! { alert_id, at: self.store().now() };
        self.event(&sql::RESOLVE, args.to_vec()).await
    }

    /// The event that a statement wrote.
    async fn event(
        &self,
        statement: &'static Statement,
        args: Vec<Arg>,
    ) -> Result<Option<AlertEvent>> {
        let row = self
            .write(move |tx| Box::pin(async move { tx.row(statement, &args).await }))
            .await?;
        row.as_ref().map(AlertEvent::read).transpose()
    }
}
