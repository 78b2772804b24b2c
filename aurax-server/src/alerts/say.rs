//! What alerts say, to people.

use aurax::store::{Alert, Severity};

use super::measure::Reading;
use super::{Metric, Notice};

/// An alert's message: what was measured, against what, and of how much.
pub(super) fn words(alert: &Alert, metric: Metric, reading: &Reading) -> String {
    let (name, unit) = match metric {
        Metric::ErrorRate => ("the error rate is", " %"),
        Metric::P95 => ("the response time is", " ms"),
        Metric::TtftP95 => ("the time to the first content is", " ms"),
        Metric::LatencyP95 => (
            "the response time, for streams to the first content, is",
            " ms",
        ),
        Metric::Cost => ("the cost is", " dollars"),
        Metric::Tokens => ("the number of tokens is", ""),
        Metric::Requests => ("the number of calls is", ""),
        Metric::BudgetUsed => ("spent is", " %"),
        Metric::UsageRatio => ("usage is", " times the usual"),
    };
    let value = metric.shown(reading.value).normalize();
    let threshold = alert.threshold.normalize();
    let within = match metric {
        Metric::BudgetUsed => String::new(),
        _ => format!(" within {} s", alert.window_seconds),
    };
    let basis = &reading.basis;
    format!("{name} {value}{unit}{within}, above {threshold}{unit}: {basis}")
}

/// One line for operators. Names are left out, because users choose them.
pub(super) fn log(notice: &Notice) {
    macro_rules! log {
        ($level:ident) => {
            tracing::$level!(
                target: "aurax::alerts",
                alert_id = %notice.alert.id,
                user_id = %notice.alert.user_id,
                metric = %notice.alert.metric,
                severity = notice.alert.severity.as_str(),
                value = %notice.event.value,
                threshold = %notice.alert.threshold.normalize(),
                "{}",
                notice.kind()
            )
        };
    }
    match notice.alert.severity {
        _ if notice.is_over() => log!(info),
        Severity::Critical => log!(error),
        Severity::Warning => log!(warn),
        Severity::Info => log!(info),
    }
}
