//! Thresholds, and when they were passed.

use super::statements::statements;

macro_rules! alert {
    ($rest:expr) => {
        concat!(
            "SELECT id, user_id, name, metric, {m threshold}, window_seconds, severity,
                 webhook_url, is_active, created_at, updated_at
             FROM alerts ",
            $rest
        )
    };
}

statements! { "alerts":
    ADD = "INSERT INTO alerts (id, user_id, name, metric, {m threshold}, window_seconds, severity,
               webhook_url, is_active, created_at, updated_at)
           SELECT :id, :user, :name, :metric, {v threshold}, :window_seconds, :severity,
               :webhook_url, TRUE, {pg: CAST(:at AS timestamptz), CAST(:at AS timestamptz)}
               {lite: :at, :at}
           WHERE (SELECT COUNT(*) FROM alerts WHERE user_id = :user) < :most";
    GET = alert!("WHERE user_id = :user AND id = :id");
    LIST = alert!("WHERE user_id = :user
                       AND (CAST(:before AS {pg: uuid}{lite: text}) IS NULL OR id < :before)
                   ORDER BY id DESC LIMIT :most");
    HOLD = alert!("WHERE user_id = :user AND id = :id {pg: FOR UPDATE}");
    CHANGE = "UPDATE alerts SET name = :name, ({m threshold}) = {pg: ROW}({v threshold}),
                  window_seconds = :window_seconds, severity = :severity,
                  webhook_url = :webhook_url, is_active = :is_active, updated_at = :at
              WHERE user_id = :user AND id = :id";
    DELETE = "DELETE FROM alerts WHERE user_id = :user AND id = :id";
    DELETE_EVENTS = "DELETE FROM alert_events WHERE user_id = :user AND alert_id = :id";
    EVENTS = "SELECT id, alert_id, {m value}, message, fired_at, resolved_at FROM alert_events
              WHERE user_id = :user
                  AND (CAST(:before AS {pg: uuid}{lite: text}) IS NULL OR id < :before)
              ORDER BY id DESC LIMIT :most";
    /// Alerts of every tenant.
    ACTIVE = alert!("WHERE is_active
                         AND (CAST(:after AS {pg: uuid}{lite: text}) IS NULL OR id > :after)
                     ORDER BY id LIMIT :most");
    FIRE = "INSERT INTO alert_events (id, user_id, alert_id, {m value}, message, fired_at)
            SELECT :id, user_id, id, {v value}, :message,
                {pg: CAST(:at AS timestamptz)}{lite: :at}
            FROM alerts WHERE id = :alert_id AND is_active
            ON CONFLICT (user_id, alert_id) WHERE resolved_at IS NULL DO NOTHING
            RETURNING id, alert_id, {m value}, message, fired_at, resolved_at";
    RESOLVE = "UPDATE alert_events SET resolved_at = :at
               WHERE user_id = (SELECT user_id FROM alerts WHERE id = :alert_id)
                   AND alert_id = :alert_id AND resolved_at IS NULL
               RETURNING id, alert_id, {m value}, message, fired_at, resolved_at";
    /// An alert that nobody watches any more is over.
    CLOSE = "UPDATE alert_events SET resolved_at = :at
             WHERE user_id = :user AND alert_id = :id AND resolved_at IS NULL";
    /// An alert whose id is known beforehand.
    PROVIDE = "INSERT INTO alerts (id, user_id, name, metric, {m threshold}, window_seconds, severity,
                   webhook_url, is_active, created_at, updated_at)
               VALUES (:id, :owner, :name, :metric, {v threshold}, :window_seconds, :severity,
                   :webhook_url, TRUE, :at, :at)
               ON CONFLICT DO NOTHING";
    /// Of these alerts, what goes on.
    ONGOING = "SELECT id, alert_id, {m value}, message, fired_at, resolved_at FROM alert_events
               WHERE resolved_at IS NULL AND alert_id {in alerts}";
    /// What began or ended since a time, with what it is about.
    LATELY = "SELECT alerts.id, alerts.user_id, name, metric, {m threshold}, window_seconds, severity,
                  webhook_url, is_active, created_at, updated_at, alert_events.id AS event_id,
                  alert_id, {m value}, message, fired_at, resolved_at
              FROM alert_events JOIN alerts ON alerts.id = alert_id
              WHERE alert_events.id IN (
                  SELECT id FROM alert_events WHERE fired_at > :since
                  UNION SELECT id FROM alert_events WHERE resolved_at > :since)
              ORDER BY COALESCE(resolved_at, fired_at), alert_events.id LIMIT :most";
    FORGET = "DELETE FROM alert_events WHERE id IN (
                  SELECT id FROM alert_events WHERE resolved_at < :before
                  ORDER BY resolved_at LIMIT :most)";
}
