//! What alerts measure, of every tenant.

use super::statements::statements;

/// What is added up and put in order, of the calls that `$calls` lets through.
macro_rules! measured {
    ($window:literal, $calls:expr) => {
        concat!(
            "WITH found AS MATERIALIZED (
                 SELECT ",
            $window,
            " AS n, CASE WHEN request_type = 'adjust' THEN 0 ELSE 1 END AS is_call,
                     CASE WHEN status = 'error' AND request_type <> 'adjust' THEN 1 ELSE 0 END AS is_error,
                     CASE WHEN status = 'success' AND request_type <> 'adjust' THEN response_time_ms END AS whole_ms,
                     CASE WHEN status = 'success' AND request_type <> 'adjust' THEN ttft_ms END AS first_ms,
                     total_tokens, {m cost_usd}
                 FROM ",
            $calls,
            "),
             times AS (
                 SELECT n, 'whole' AS kind, whole_ms AS ms, COUNT(*) AS calls
                 FROM found WHERE whole_ms IS NOT NULL GROUP BY 1, 3
                 UNION ALL
                 SELECT n, 'first', first_ms, COUNT(*)
                 FROM found WHERE first_ms IS NOT NULL GROUP BY 1, 3
                 UNION ALL
                 SELECT n, 'felt', COALESCE(first_ms, whole_ms), COUNT(*)
                 FROM found WHERE whole_ms IS NOT NULL GROUP BY 1, 3),
             placed AS (
                 SELECT n, kind, ms, SUM(calls) OVER (PARTITION BY n, kind ORDER BY ms) AS upto,
                     SUM(calls) OVER (PARTITION BY n, kind) AS total
                 FROM times),
             ranks AS (
                 SELECT n, kind, MAX(total) AS calls,
                     MIN(CASE WHEN upto * 20 >= total * 19 THEN ms END) AS p95
                 FROM placed GROUP BY n, kind),
             sums AS (
                 SELECT n, SUM(is_call) AS requests, SUM(is_error) AS errors,
                     SUM(total_tokens) AS total_tokens, {sum cost_usd}
                 FROM found GROUP BY n)
             SELECT sums.n, requests, errors, total_tokens, {m cost_usd},
                 whole.calls AS whole_calls, whole.p95 AS whole_p95,
                 first.calls AS first_calls, first.p95 AS first_p95,
                 felt.calls AS felt_calls, felt.p95 AS felt_p95
             FROM sums
             LEFT JOIN ranks AS whole ON whole.n = sums.n AND whole.kind = 'whole'
             LEFT JOIN ranks AS first ON first.n = sums.n AND first.kind = 'first'
             LEFT JOIN ranks AS felt ON felt.n = sums.n AND felt.kind = 'felt'"
        )
    };
}

statements! { "watch":
    /// The calls of everybody in a time. Ids of that time and a margin, because partitions are by
    /// id; where there are none, they would only mislead.
    FIGURES = measured!("0", "usage_logs WHERE created_at > :since AND created_at <= :until
                            {pg: AND id >= :first AND id < :last}");
    /// The calls of each tenant in a time of its own, by the tenant's index: nothing else is read.
    FIGURES_OF = measured!("{pg: w.n}{lite: j.value ->> '$.n'}",
        "{pg: jsonb_to_recordset(CAST(:windows AS jsonb)) AS w (n bigint, tenant uuid, since bigint)
              CROSS JOIN LATERAL (
                  SELECT request_type, status, response_time_ms, ttft_ms, total_tokens, cost_usd
                  FROM usage_logs
                  WHERE user_id = w.tenant AND id >= :first AND id < :last
                      AND created_at > 'epoch'::timestamptz + w.since * interval '1 microsecond'
                      AND created_at <= :until
                  OFFSET 0) AS u}
         {lite: json_each(:windows) AS j CROSS JOIN usage_logs
                WHERE user_id = j.value ->> '$.tenant' AND created_at > j.value ->> '$.since'
                    AND created_at <= :until}");
    /// How many calls everybody made, in each of several times.
    CALLS = "SELECT {pg: w.n}{lite: j.value ->> '$.n'} AS n,
                 (SELECT COUNT(*) FROM usage_logs
                  WHERE request_type <> 'adjust'
                      {pg: AND id >= :first AND id < :last
                           AND created_at > 'epoch'::timestamptz + w.since * interval '1 microsecond'
                           AND created_at <= 'epoch'::timestamptz + w.until * interval '1 microsecond'}
                      {lite: AND created_at > j.value ->> '$.since'
                             AND created_at <= j.value ->> '$.until'}) AS requests
             FROM {pg: jsonb_to_recordset(CAST(:spans AS jsonb)) AS w (n bigint, since bigint, until bigint)}
                  {lite: json_each(:spans) AS j}";
    /// The first of the calls begun since a time.
    FIRST = "SELECT created_at FROM usage_logs WHERE id >= :first ORDER BY id LIMIT 1";
    BUDGETS = "SELECT user_id, id, scope, subject, period, is_hard, {m limit_usd}, {m spent}, {m reserved},
                   unpriced, window_start, created_at, updated_at
               FROM budgets WHERE user_id {in users} ORDER BY user_id, id LIMIT :most";
}
