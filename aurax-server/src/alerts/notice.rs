//! What is said of an alert that fired, or is over.

use std::borrow::Cow;

use aurax::Money;
use aurax::store::{Alert, AlertEvent};
use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use crate::view::{Amount, Severity};

/// That an alert fired, or is over: the same object by webhook and WebSocket.
///
/// As JSON it is `{"type": "alert.fired" | "alert.resolved", "id", "alert": {"id", "name",
/// "metric", "threshold", "window_seconds", "severity"}, "value", "message", "fired_at",
/// "resolved_at"}`, where `id` is the event's, and numbers have every digit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notice {
    /// The alert, as it is now.
    pub alert: Alert,
    /// What happened.
    pub event: AlertEvent,
}

impl Notice {
    pub(super) const fn new(alert: Alert, event: AlertEvent) -> Self {
        Self { alert, event }
    }

    /// Whose it is. What [`is_of_installation`](Alert::is_of_installation) is for operators.
    pub const fn user_id(&self) -> Uuid {
        self.alert.user_id
    }

    /// Whether the alert is over.
    pub const fn is_over(&self) -> bool {
        self.event.resolved_at.is_some()
    }

    /// `alert.fired` or `alert.resolved`.
    pub const fn kind(&self) -> &'static str {
        if self.is_over() {
            "alert.resolved"
        } else {
            "alert.fired"
        }
    }

    /// When it happened.
    pub(super) fn at(&self) -> OffsetDateTime {
        self.event.resolved_at.unwrap_or(self.event.fired_at)
    }

    /// The one name of what happened, for those who hear of it twice.
    pub(super) fn message_id(&self) -> String {
        let what = if self.is_over() { "resolved" } else { "fired" };
        format!("alert_{}_{what}", self.event.id.simple())
    }
}

/// `alert.fired`, or `alert.resolved`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is in the document alone")]
enum Kind {
    #[serde(rename = "alert.fired")]
    Fired,
    #[serde(rename = "alert.resolved")]
    Resolved,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AlertNotice)]
struct Said<'a> {
    #[serde(rename = "type")]
    #[schema(value_type = Kind, inline)]
    kind: &'static str,
    /// The event's.
    id: Uuid,
    #[schema(inline)]
    alert: Rule<'a>,
    /// What was measured, in the metric's unit.
    #[schema(value_type = f64)]
    value: Amount,
    message: &'a str,
    #[serde(with = "time::serde::rfc3339")]
    fired_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    resolved_at: Option<OffsetDateTime>,
}

#[derive(Serialize, ToSchema)]
struct Rule<'a> {
    id: Uuid,
    name: &'a str,
    metric: &'a str,
    #[schema(value_type = f64)]
    threshold: Amount,
    window_seconds: u32,
    #[schema(value_type = Severity)]
    severity: &'static str,
}

impl PartialSchema for Notice {
    fn schema() -> RefOr<Schema> {
        Said::schema()
    }
}

impl ToSchema for Notice {
    fn name() -> Cow<'static, str> {
        Said::name()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Said::schemas(schemas);
    }
}

impl Serialize for Notice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (alert, event) = (&self.alert, &self.event);
        let number = |decimal| Amount(Some(Money::new(decimal)));
        let said = Said {
            kind: self.kind(),
            id: event.id,
            alert: Rule {
                id: alert.id,
                name: &alert.name,
                metric: &alert.metric,
                threshold: number(alert.threshold),
                window_seconds: alert.window_seconds,
                severity: alert.severity.as_str(),
            },
            value: number(event.value),
            message: &event.message,
            fired_at: event.fired_at,
            resolved_at: event.resolved_at,
        };
        said.serialize(serializer)
    }
}
