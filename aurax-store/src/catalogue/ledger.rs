//! The books. The writer's batches hold many tenants' rows, so no statement here is for one.

use super::bulk::bulk;
use super::statements::statements;
use crate::db::BulkInsert;

statements! { "ledger":
    /// Budgets of some users, kept from changing until the transaction ends.
    BUDGETS = "SELECT id, user_id, scope, subject, period, is_hard, {m limit_usd}, {m spent}, {m reserved},
                   unpriced, window_start
               FROM budgets WHERE user_id {in users} ORDER BY id {pg: FOR UPDATE}";
    SET_BUDGETS = "UPDATE budgets SET
                       {lite: spent_nano = j.value->>'spent_nano', spent_atto = j.value->>'spent_atto',
                              reserved_nano = j.value->>'reserved_nano', reserved_atto = j.value->>'reserved_atto',
                              unpriced = j.value->>'unpriced', window_start = j.value->>'window_start',
                              updated_at = j.value->>'updated_at'
                          FROM json_each(:rows) AS j WHERE budgets.id = j.value->>'id'}
                       {pg: spent = j.spent, reserved = j.reserved, unpriced = j.unpriced,
                            window_start = timestamptz 'epoch' + j.window_start * interval '1 microsecond',
                            updated_at = timestamptz 'epoch' + j.updated_at * interval '1 microsecond'
                        FROM json_to_recordset(:rows::json) AS j(id uuid, spent numeric, reserved numeric,
                            unpriced bigint, window_start bigint, updated_at bigint)
                        WHERE budgets.id = j.id}";
    /// Gives sessions to the runs that ask for them: where they are free and as the run knows
    /// them, and where the run has them already.
    TAKE_SESSIONS = "UPDATE chat_sessions SET
                         {lite: running = j.value->>'run', running_owner = j.value->>'owner',
                                leaf = COALESCE(j.value->>'leaf', leaf), updated_at = j.value->>'at',
                                turns = MAX(turns, j.value->>'turns')
                            FROM json_each(:rows) AS j
                            WHERE chat_sessions.id = j.value->>'id' AND chat_sessions.user_id = j.value->>'user_id'
                              AND (running = j.value->>'run' OR (running IS NULL AND turns = j.value->>'known'))}
                         {pg: running = j.run, running_owner = j.owner, leaf = COALESCE(j.leaf, chat_sessions.leaf),
                              turns = GREATEST(chat_sessions.turns, j.turns),
                              updated_at = timestamptz 'epoch' + j.at * interval '1 microsecond'
                          FROM json_to_recordset(:rows::json) AS j(id uuid, user_id uuid, run uuid, owner uuid,
                              leaf uuid, at bigint, turns bigint, known bigint)
                          WHERE chat_sessions.id = j.id AND chat_sessions.user_id = j.user_id
                            AND (running = j.run OR (running IS NULL AND chat_sessions.turns = j.known))}
                     RETURNING chat_sessions.id AS id";
    /// Adds an answer to sessions that their run holds, and gives them up where `keeps` is false.
    MOVE_SESSIONS = "UPDATE chat_sessions SET
                         {lite: leaf = COALESCE(j.value->>'leaf', leaf), updated_at = j.value->>'at',
                                turns = MAX(turns, j.value->>'turns'),
                                running = CASE WHEN j.value->>'keeps' THEN running END,
                                running_owner = CASE WHEN j.value->>'keeps' THEN running_owner END
                            FROM json_each(:rows) AS j
                            WHERE chat_sessions.id = j.value->>'id' AND chat_sessions.user_id = j.value->>'user_id'
                              AND running = j.value->>'run'}
                         {pg: leaf = COALESCE(j.leaf, chat_sessions.leaf),
                              turns = GREATEST(chat_sessions.turns, j.turns),
                              updated_at = timestamptz 'epoch' + j.at * interval '1 microsecond',
                              running = CASE WHEN j.keeps THEN j.run END,
                              running_owner = CASE WHEN j.keeps THEN j.owner END
                          FROM json_to_recordset(:rows::json) AS j(id uuid, user_id uuid, run uuid, owner uuid,
                              leaf uuid, at bigint, turns bigint, keeps boolean)
                          WHERE chat_sessions.id = j.id AND chat_sessions.user_id = j.user_id AND running = j.run}
                     RETURNING chat_sessions.id AS id";
    /// Says how many turns sessions have that get an answer after their run has lost them.
    COUNT_TURNS = "UPDATE chat_sessions SET
                       {lite: turns = MAX(turns, j.value->>'turns')
                          FROM json_each(:rows) AS j
                          WHERE chat_sessions.id = j.value->>'id' AND chat_sessions.user_id = j.value->>'user_id'}
                       {pg: turns = GREATEST(chat_sessions.turns, j.turns)
                        FROM json_to_recordset(:rows::json) AS j(id uuid, user_id uuid, turns bigint)
                        WHERE chat_sessions.id = j.id AND chat_sessions.user_id = j.user_id}
                   RETURNING chat_sessions.id AS id";
    /// Gives sessions up without moving them.
    FREE_SESSIONS = "UPDATE chat_sessions SET running = NULL, running_owner = NULL
                         {lite: FROM json_each(:rows) AS j
                            WHERE chat_sessions.id = j.value->>'id' AND chat_sessions.user_id = j.value->>'user_id'
                              AND running = j.value->>'run'}
                         {pg: FROM json_to_recordset(:rows::json) AS j(id uuid, user_id uuid, run uuid)
                          WHERE chat_sessions.id = j.id AND chat_sessions.user_id = j.user_id AND running = j.run}";
    /// Sessions that exist, of those who ask.
    SESSIONS = "SELECT id, user_id FROM chat_sessions WHERE id {in ids}";
    ATTEMPTS = "SELECT id FROM attempts WHERE id {in ids}";
    /// Why attempts were settled by others.
    SETTLED = "SELECT id, reason FROM settlements WHERE id {in ids}";
    HEARTBEAT = "INSERT INTO replicas (id, started_at, heartbeat_at, oldest_open) VALUES (:id, :at, :at, :oldest)
                 ON CONFLICT (id) DO UPDATE SET heartbeat_at = excluded.heartbeat_at, oldest_open = excluded.oldest_open";
    LEAVE = "UPDATE replicas SET heartbeat_at = :at, oldest_open = NULL WHERE id = :id";
}

pub(crate) static ADD_ATTEMPTS: BulkInsert = bulk!("attempts" (
        Uuid "id", Uuid "charge_id", Uuid "request_id", Uuid "user_id", Uuid "owner", Uuid "access_key_id",
        Uuid "session_id", Text "provider", Text "model", Text "request_type", Bool "is_stream", Text "tags",
        Text "holds", Int "input_tokens", Money "input_cost", Text "input_cost_source", Text "price_version",
        Time "opened_at",
    ) "ON CONFLICT (id) DO NOTHING");

pub(crate) static ADD_MESSAGES: BulkInsert = bulk!("messages" (
        Uuid "id", Uuid "session_id", Uuid "user_id", Uuid "parent_id", Int "seq", Text "role", Text "content",
        Text "words", Text "parts", Text "status", Text "provider", Text "model", Int "tokens", Text "usage", Money "cost",
        Text "cost_source", Uuid "request_id", Time "created_at",
    ) "ON CONFLICT (id) DO NOTHING");

pub(crate) static ADD_SETTLEMENTS: BulkInsert = bulk!("settlements" (
        Uuid "id", Text "kind", Uuid "attempt_id", Uuid "charge_id", Uuid "request_id", Uuid "user_id",
        Text "provider", Text "model", Text "answered_by", Text "outcome", Text "usage", Text "usage_source",
        Money "cost", Text "cost_source", Money "computed_cost", Text "computed_cost_source", Text "price_version",
        Text "error_kind", Text "error_message", Text "upstream_request_id", Int "duration_ms", Int "ttft_ms",
        Time "started_at", Time "ended_at", Text "reason", Time "created_at",
    ) "ON CONFLICT (id) DO NOTHING");

pub(crate) static ADD_USAGE: BulkInsert = bulk!("usage_logs" (
        Uuid "id", Uuid "user_id", Uuid "request_id", Uuid "session_id", Uuid "message_id", Uuid "access_key_id",
        Text "provider", Text "model", Text "request_type", Int "request_tokens", Int "response_tokens",
        Int "total_tokens", Text "buckets", Text "usage_source", Money "cost_usd", Text "cost_source",
        Text "price_version", Int "response_time_ms", Int "ttft_ms", Text "outcome", Text "status",
        Text "error_kind", Text "error_message", Int "attempts", Bool "is_cached", Text "tags", Time "created_at",
    ) "ON CONFLICT (id) DO NOTHING");
