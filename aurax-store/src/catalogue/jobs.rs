//! What runs by itself. Nothing here is for one tenant.

use super::bulk::bulk;
use super::statements::statements;
use crate::db::BulkInsert;

statements! { "jobs":
    LEASE = "INSERT INTO job_leases (name, holder, held_until) VALUES (:name, :holder, :until)
             ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until
             WHERE job_leases.holder IS NULL OR job_leases.held_until < :now
             RETURNING progress";
    RENEW = "UPDATE job_leases SET held_until = :until, progress = :progress
             WHERE name = :name AND holder = :holder";
    FINISH = "UPDATE job_leases SET holder = NULL, held_until = NULL, progress = NULL, finished_at = :at
              WHERE name = :name AND holder = :holder";
    GIVE_UP = "UPDATE job_leases SET holder = NULL, held_until = NULL WHERE name = :name AND holder = :holder";
    STATE = "SELECT holder, held_until, progress, finished_at FROM job_leases WHERE name = :name";

    /// Plans whose messages are not kept for ever.
    PLANS = "SELECT name, message_days FROM plans WHERE message_days IS NOT NULL ORDER BY name";
    /// Messages of a plan's users that are older than an id, in order.
    OLD_MESSAGES = "SELECT m.id FROM messages AS m JOIN users AS u ON u.id = m.user_id
                    WHERE m.id >= :after AND m.id < :before AND u.plan_type = :plan
                    ORDER BY m.id LIMIT :most";
    DROP_MESSAGES = "DELETE FROM messages WHERE id {in ids}";
    OLD_HISTORY = "SELECT h.id FROM request_history AS h JOIN users AS u ON u.id = h.user_id
                   WHERE h.id >= :after AND h.id < :before AND u.plan_type = :plan
                   ORDER BY h.id LIMIT :most";
    DROP_HISTORY = "DELETE FROM request_history WHERE id {in ids}";
    /// From where the page before ended: what was dropped is in the way of an index for a while.
    OLD_USAGE = "SELECT id FROM usage_logs WHERE id >= :after AND id < :before ORDER BY id LIMIT :most";
    /// All that lie between two ids, which tells PostgreSQL the partition. Rows that came between
    /// since they were found go with them, and are returned with them.
    DROP_USAGE = "DELETE FROM usage_logs WHERE id >= :first AND id <= :last
                  RETURNING user_id, created_at, provider, model, status, request_type, request_tokens,
                      response_tokens, total_tokens, {m cost_usd}";

    MAKE_PARTITIONS = "{pg: SELECT aurax_make_partitions(:at) AS made}{lite: SELECT 0 AS made WHERE :at IS NOT NULL}";
    /// Rows that no partition was made for.
    STRAYS = "{pg: SELECT (SELECT COUNT(*) FROM messages WHERE tableoid = 'messages_default'::regclass) AS messages,
                  (SELECT COUNT(*) FROM usage_logs WHERE tableoid = 'usage_logs_default'::regclass) AS usage}
              {lite: SELECT 0 AS messages, 0 AS usage}";
    /// Partitions that end before a moment, by the first id after them.
    OLD_PARTITIONS = "{pg: SELECT child.relname::text AS name FROM pg_inherits
                          JOIN pg_class AS child ON child.oid = inhrelid
                          JOIN pg_class AS parent ON parent.oid = inhparent
                          WHERE parent.relname IN ('messages', 'usage_logs')
                            AND (regexp_match(pg_get_expr(child.relpartbound, child.oid), 'TO \\(''([0-9a-f-]+)''\\)'))[1]::uuid
                                <= :before
                          ORDER BY 1}
                      {lite: SELECT '' AS name WHERE :before IS NULL}";
    DROP_PARTITION = "{pg: SELECT aurax_drop_empty_partition(:name) AS dropped}
                      {lite: SELECT FALSE AS dropped WHERE :name IS NULL}";

    /// Settlements to be priced again, in order.
    SETTLED = "SELECT id, attempt_id, charge_id, request_id, user_id, provider, model, answered_by, outcome, usage,
                   usage_source, {m cost}, cost_source, price_version, started_at, ended_at
               FROM settlements
               WHERE kind = 'settle' AND id >= :after AND id < :before AND usage IS NOT NULL
               ORDER BY id LIMIT :most";
    /// What corrections have made of attempts' costs so far, and how many there were.
    ADJUSTED = "SELECT attempt_id, COUNT(*) AS corrections, {sum cost} FROM settlements
                WHERE kind = 'adjust' AND attempt_id {in ids} GROUP BY attempt_id";
    /// What their writers said at last of attempts that a sweep had settled.
    LATE = "SELECT attempt_id, answered_by, outcome, usage, usage_source, {m cost}, cost_source, started_at, ended_at
            FROM settlements WHERE kind = 'adjust' AND reason = 'late' AND attempt_id {in ids}";
    CHARGED = "SELECT id, session_id, message_id, access_key_id, tags, created_at FROM usage_logs WHERE id {in ids}";
}

/// Adds what is dropped to what was dropped before.
pub(crate) static ADD_ROLLUPS: BulkInsert = bulk!("usage_rollups" (
        Uuid "user_id", Time "day", Text "provider", Text "model", Text "status", Int "requests",
        Int "request_tokens", Int "response_tokens", Int "total_tokens", Money "cost_usd", Int "unpriced",
    ) "ON CONFLICT (user_id, day, provider, model, status) DO UPDATE SET
        requests = usage_rollups.requests + excluded.requests,
        request_tokens = usage_rollups.request_tokens + excluded.request_tokens,
        response_tokens = usage_rollups.response_tokens + excluded.response_tokens,
        total_tokens = usage_rollups.total_tokens + excluded.total_tokens,
        unpriced = usage_rollups.unpriced + excluded.unpriced,
        {pg: cost_usd = usage_rollups.cost_usd + excluded.cost_usd}
        {lite: cost_usd_nano = usage_rollups.cost_usd_nano + excluded.cost_usd_nano
                   + (usage_rollups.cost_usd_atto + excluded.cost_usd_atto) / 1000000000,
               cost_usd_atto = (usage_rollups.cost_usd_atto + excluded.cost_usd_atto) % 1000000000}");
