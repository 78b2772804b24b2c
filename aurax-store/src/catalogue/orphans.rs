//! What dead processes left open.

use super::statements::statements;

/// Whether a writer is silent still: one that came back settles for itself.
macro_rules! is_silent {
    () => {
        "EXISTS (SELECT 1 FROM replicas WHERE id = :owner AND heartbeat_at < :before)"
    };
}

statements! { "orphans":
    /// Writers that have been silent.
    SILENT = "SELECT id, oldest_open FROM replicas WHERE heartbeat_at < :before AND id <> :own ORDER BY id";
    /// Requests of a writer with attempts that nobody settled.
    CHARGES = concat!("SELECT DISTINCT charge_id FROM (
                   SELECT charge_id FROM attempts AS a
                   WHERE owner = :owner AND id >= :after AND ", is_silent!(), "
                     AND NOT EXISTS (SELECT 1 FROM settlements AS s WHERE s.id = a.id)
                   ORDER BY id LIMIT :most
               ) AS open");
    ATTEMPTS = "SELECT id, charge_id, request_id, user_id, access_key_id, session_id, provider, model, request_type,
                    tags, holds, input_tokens, {m input_cost}, input_cost_source, price_version, opened_at
                FROM attempts AS a
                WHERE charge_id {in charges}
                  AND NOT EXISTS (SELECT 1 FROM settlements AS s WHERE s.id = a.id)
                ORDER BY id";
    FREE_SESSIONS = concat!("UPDATE chat_sessions SET running = NULL, running_owner = NULL
                     WHERE running_owner = :owner AND ", is_silent!());
    FORGET = "DELETE FROM replicas WHERE id = :owner AND heartbeat_at < :before";
}
