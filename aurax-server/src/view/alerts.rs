//! Thresholds, and what passed them.

use aurax::Secret;
use aurax::{Decimal, Money, store};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::openapi::schema::Type;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use super::Amount;
use crate::alerts::{Metric, Watched};

/// How much an alert matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Severity {
    Info,
    Warning,
    Critical,
}

impl From<Severity> for store::Severity {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Info => Self::Info,
            Severity::Warning => Self::Warning,
            Severity::Critical => Self::Critical,
        }
    }
}

impl From<store::Severity> for Severity {
    fn from(severity: store::Severity) -> Self {
        match severity {
            store::Severity::Info => Self::Info,
            store::Severity::Warning => Self::Warning,
            store::Severity::Critical => Self::Critical,
        }
    }
}

/// What users watch, in the document.
#[derive(Debug)]
pub(crate) struct UserMetric;

/// What anybody watches, in the document.
#[derive(Debug)]
struct AnyMetric;

fn one_of(metrics: impl Iterator<Item = Metric>, what: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(metrics.map(Metric::as_str)))
        .description(Some(what))
        .into()
}

impl PartialSchema for UserMetric {
    fn schema() -> RefOr<Schema> {
        one_of(Metric::of(Watched::User), "What alerts of users measure.")
    }
}

impl ToSchema for UserMetric {}

impl PartialSchema for AnyMetric {
    fn schema() -> RefOr<Schema> {
        one_of(Metric::ALL.iter().copied(), "What alerts measure.")
    }
}

impl ToSchema for AnyMetric {}

/// A number in a metric's unit.
fn number(value: Decimal) -> (Amount, String) {
    let value = Money::new(value);
    (Amount(Some(value)), value.to_string())
}

/// A threshold somebody wants to hear of.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Alert {
    id: Uuid,
    /// Whose it is; `null` for the operators'.
    user_id: Option<Uuid>,
    name: String,
    /// What is measured.
    #[schema(value_type = AnyMetric)]
    metric: String,
    /// Where it fires, in the metric's unit.
    #[schema(value_type = f64)]
    threshold: Amount,
    /// The same as text.
    threshold_decimal: String,
    /// How far back is measured, in seconds.
    #[schema(minimum = 60, maximum = 2678400)]
    window_seconds: u32,
    severity: Severity,
    /// Where it is delivered to, beside the list of events.
    webhook_url: Option<String>,
    /// What its webhooks are signed with; in the answer to its making alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_secret: Option<String>,
    /// Whether it is watched.
    is_active: bool,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

impl Alert {
    /// An alert that was just made, with what its webhooks are signed with.
    #[expect(clippy::disallowed_methods, reason = "its owner is told this once")]
    pub(crate) fn made(alert: store::Alert, secret: &Secret) -> Self {
        Self {
            webhook_secret: Some(secret.expose().to_owned()),
            ..Self::from(alert)
        }
    }
}

impl From<store::Alert> for Alert {
    fn from(alert: store::Alert) -> Self {
        let (threshold, threshold_decimal) = number(alert.threshold);
        Self {
            id: alert.id,
            user_id: (!alert.is_of_installation()).then_some(alert.user_id),
            name: alert.name,
            metric: alert.metric,
            threshold,
            threshold_decimal,
            window_seconds: alert.window_seconds,
            severity: alert.severity.into(),
            webhook_url: alert.webhook_url,
            webhook_secret: None,
            is_active: alert.is_active,
            created_at: alert.created_at,
            updated_at: alert.updated_at,
        }
    }
}

/// That an alert fired.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertEvent {
    id: Uuid,
    /// Whose it is; `null` for the operators'.
    user_id: Option<Uuid>,
    alert_id: Uuid,
    /// What was measured, in the metric's unit.
    #[schema(value_type = f64)]
    value: Amount,
    /// The same as text.
    value_decimal: String,
    message: String,
    #[serde(with = "time::serde::rfc3339")]
    fired_at: OffsetDateTime,
    /// When it was over; `null` while it goes on.
    #[serde(with = "time::serde::rfc3339::option")]
    resolved_at: Option<OffsetDateTime>,
}

impl From<(Uuid, store::AlertEvent)> for AlertEvent {
    fn from((user_id, event): (Uuid, store::AlertEvent)) -> Self {
        Self {
            user_id: Some(user_id),
            ..event.into()
        }
    }
}

impl From<store::AlertEvent> for AlertEvent {
    fn from(event: store::AlertEvent) -> Self {
        let (value, value_decimal) = number(event.value);
        Self {
            id: event.id,
            user_id: None,
            alert_id: event.alert_id,
            value,
            value_decimal,
            message: event.message,
            fired_at: event.fired_at,
            resolved_at: event.resolved_at,
        }
    }
}
