//! What the test kit reads: everything, of everybody.

use super::statements::statements;

/// The numbers from `:first` until just before `:last`.
macro_rules! numbers {
    () => {
        "WITH {lite: RECURSIVE} numbers (n) AS (
             {pg: SELECT generate_series(CAST(:first AS bigint), CAST(:last AS bigint) - 1)}
             {lite: SELECT :first UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :last})"
    };
}

/// A UUIDv7 of a moment in microseconds that ends with a number.
macro_rules! id {
    ($micros:literal, $number:literal) => {
        concat!(
            "{pg: CAST(lpad(to_hex((",
            $micros,
            ") / 1000), 12, '0') || '70008000' || lpad(to_hex(",
            $number,
            "), 12, '0') AS uuid)}{lite: printf('%08x-%04x-7000-8000-%012x', (",
            $micros,
            ") / 65536000, (",
            $micros,
            ") / 1000 % 65536, ",
            $number,
            ")}"
        )
    };
}

/// The item of a list of ids that a number falls on.
macro_rules! one_of {
    ($list:literal, $number:literal) => {
        concat!(
            "{pg: (CAST(",
            $list,
            " AS uuid[]))[1 + ",
            $number,
            " % cardinality(CAST(",
            $list,
            " AS uuid[]))]}{lite: ",
            $list,
            " ->> (",
            $number,
            " % json_array_length(",
            $list,
            "))}"
        )
    };
}

/// A moment from microseconds.
macro_rules! moment {
    ($micros:literal) => {
        concat!(
            "{pg: 'epoch'::timestamptz + (",
            $micros,
            ") * interval '1 microsecond'}{lite: ",
            $micros,
            "}"
        )
    };
}

statements! { "testkit":
    ATTEMPTS = "SELECT id, charge_id, request_id, user_id, owner, holds FROM attempts ORDER BY id";
    SETTLEMENTS = "SELECT id, kind, attempt_id, charge_id, request_id, provider, model, outcome, usage, usage_source,
                       {m cost}, cost_source, reason
                   FROM settlements ORDER BY id";
    CHARGES = "SELECT id, user_id, request_id, request_type, session_id, message_id, model, request_tokens,
                   response_tokens, {m cost_usd}, cost_source, outcome, status
               FROM usage_logs ORDER BY id";
    MESSAGES = "SELECT id, session_id, user_id, request_id, role, content, status FROM messages ORDER BY id";
    BUDGETS = "SELECT id, user_id, scope, period, is_hard, {m limit_usd}, {m spent}, {m reserved}, unpriced FROM budgets ORDER BY id";
    BUSY = "SELECT id FROM chat_sessions WHERE running IS NOT NULL ORDER BY id";
    ADD_BUDGET = "INSERT INTO budgets (id, user_id, scope, subject, period, is_hard, {m limit_usd}, {m spent},
                      {m reserved}, unpriced, window_start, created_at, updated_at)
                  VALUES (:id, :owner, :scope, :subject, :period, :is_hard, {v limit}, {v zero}, {v zero}, 0,
                      :at, :at, :at)";
    ROLLUPS = "SELECT user_id, day, provider, model, status, requests, request_tokens,
                   response_tokens, total_tokens, {m cost_usd}, unpriced
               FROM usage_rollups ORDER BY user_id, day, provider, model, status";
    /// What a call was is a matter of its number: `UsageSeries` says how.
    FILL_USAGE = concat!(
        "INSERT INTO usage_logs (id, user_id, request_id, provider, model, request_type,
             request_tokens, response_tokens, total_tokens, buckets, usage_source, {m cost_usd},
             cost_source, price_version, response_time_ms, ttft_ms, outcome, status, attempts,
             is_cached, tags, created_at) ",
        numbers!(),
        ", chance AS (
             SELECT n, CAST(:start AS {pg: bigint}{lite: integer})
                     + n * CAST(:step AS {pg: bigint}{lite: integer}) AS at,
                 (n * 48271 + 11) % 2147483647 AS a, (n * 69621 + 7) % 2147483647 AS b
             FROM numbers),
         drawn AS (SELECT n, at, a, b, (a * 16807 + b) % 2147483647 AS c FROM chance),
         priced AS (
             SELECT n, at, a, b, c,
                 CASE WHEN n % 20 = 7 THEN NULL WHEN n % 50 = 0 THEN -(c % 1000000000)
                     WHEN n % 1000 = 3 THEN c * 1000 ELSE c % 1000000000 END AS nano,
                 CASE WHEN n % 20 = 7 THEN NULL ELSE b % 1000000000 END AS atto
             FROM drawn)
         SELECT ",
        id!("at", "n"),
        ", ",
        one_of!(":tenants", "n"),
        ", ",
        id!("at", "n"),
        ", 'provider-' || CAST(a % 3 AS text), 'model-' || CAST(b % 4 AS text),
             CASE WHEN n % 50 = 0 THEN 'adjust' ELSE 'chat' END,
             a % 5000, b % 800, a % 5000 + b % 800, '{}', 'provider',
             {pg: nano * 0.000000001 + atto * 0.000000000000000001}{lite: nano, atto},
             CASE WHEN n % 20 = 7 THEN 'unpriced' ELSE 'exact' END, 'test', c % 4000, c % 900,
             'complete', CASE a % 10 WHEN 0 THEN 'error' WHEN 1 THEN 'cancelled' ELSE 'success' END,
             1, FALSE, '{}', ",
        moment!("at"),
        " FROM priced");
    /// Which session a turn is in is a matter of its number: `TurnSeries` says how.
    FILL_TURNS = concat!(
        "INSERT INTO messages (id, session_id, user_id, parent_id, seq, role, content, words,
             status, created_at) ",
        numbers!(),
        ", turns AS (
             SELECT n, CAST(:start AS {pg: bigint}{lite: integer})
                     + n * CAST(:step AS {pg: bigint}{lite: integer}) AS at,
                 CAST(:start AS {pg: bigint}{lite: integer})
                     + (n - CAST(:count AS {pg: bigint}{lite: integer}))
                     * CAST(:step AS {pg: bigint}{lite: integer}) AS earlier,
                 n - CAST(:count AS {pg: bigint}{lite: integer}) AS parent
             FROM numbers)
         SELECT ",
        id!("at", "n"),
        ", ",
        one_of!(":sessions", "n"),
        ", ",
        one_of!(":tenants", "n"),
        ", CASE WHEN parent >= 0 THEN ",
        id!("earlier", "parent"),
        " END, n / :count + 1, CASE WHEN n / :count % 2 = 0 THEN 'user' ELSE 'assistant' END,
             'This is what was said as number ' || CAST(n AS text),
             'this is what was said as number ' || CAST(n AS text), 'complete', ",
        moment!("at"),
        " FROM turns");
}
