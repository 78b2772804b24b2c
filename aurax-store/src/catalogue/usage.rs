//! What calls used and cost: the reading side.

use super::statements::statements;

/// The rows a filter lets through. Ids of that time and a margin, because partitions are by id.
macro_rules! rows {
    () => {
        "user_id = :user AND id >= :first AND id < :last
         AND created_at >= :from AND created_at < :to
         AND (CAST(:provider AS text) IS NULL OR provider = :provider)
         AND (CAST(:model AS text) IS NULL OR model = :model)
         AND (CAST(:status AS text) IS NULL OR status = :status)
         AND (CAST(:session_id AS {pg: uuid}{lite: text}) IS NULL OR session_id = :session_id)
         AND (CAST(:access_key_id AS {pg: uuid}{lite: text}) IS NULL
              OR access_key_id = :access_key_id) "
    };
}

/// The rolled up rows it lets through: whose sessions and keys they were is not known any more.
macro_rules! rolled_up {
    () => {
        "user_id = :user AND day >= :from AND day < :to
         AND (CAST(:provider AS text) IS NULL OR provider = :provider)
         AND (CAST(:model AS text) IS NULL OR model = :model)
         AND (CAST(:status AS text) IS NULL OR status = :status)
         AND CAST(:session_id AS {pg: uuid}{lite: text}) IS NULL
         AND CAST(:access_key_id AS {pg: uuid}{lite: text}) IS NULL "
    };
}

/// Sums by group.
macro_rules! sums {
    ($group:expr, $rolled_up:expr) => {
        concat!(
            "WITH found AS (
                 SELECT ",
            $group,
            " AS grp, CASE WHEN request_type = 'adjust' THEN 0 ELSE 1 END AS requests,
                     CASE WHEN status = 'error' AND request_type <> 'adjust' THEN 1 ELSE 0 END AS errors,
                     request_tokens, response_tokens, total_tokens, {m cost_usd},
                     CASE WHEN cost_source = 'unpriced' THEN 1 ELSE 0 END AS unpriced
                 FROM usage_logs WHERE ",
            rows!(),
            "
                 UNION ALL
                 SELECT ",
            $rolled_up,
            ", requests,
                     CASE WHEN status = 'error' THEN requests ELSE 0 END,
                     request_tokens, response_tokens, total_tokens, {m cost_usd}, unpriced
                 FROM usage_rollups WHERE ",
            rolled_up!(),
            ")
             SELECT grp, SUM(requests) AS requests, SUM(errors) AS errors,
                 SUM(request_tokens) AS request_tokens, SUM(response_tokens) AS response_tokens,
                 SUM(total_tokens) AS total_tokens, {sum cost_usd}, SUM(unpriced) AS unpriced
             FROM found GROUP BY grp
             ORDER BY 2 DESC, COALESCE(grp, '') {pg: COLLATE \"C\"} LIMIT :most"
        )
    };
}

/// The times that half, and 95 of 100, of a group's successes did not exceed: of how many took how
/// long, in integers, so that both databases say the same.
macro_rules! times {
    ($group:expr) => {
        concat!(
            "WITH times AS (
                 SELECT COALESCE(",
            $group,
            ", '') AS grp, 'whole' AS kind, response_time_ms AS ms,
                     COUNT(*) AS n
                 FROM usage_logs WHERE ",
            rows!(),
            " AND status = 'success' AND request_type <> 'adjust'
                 GROUP BY 1, 3
                 UNION ALL
                 SELECT COALESCE(",
            $group,
            ", ''), 'first', ttft_ms, COUNT(*)
                 FROM usage_logs WHERE ",
            rows!(),
            " AND status = 'success' AND request_type <> 'adjust' AND ttft_ms IS NOT NULL
                 GROUP BY 1, 3),
             placed AS (
                 SELECT grp, kind, ms, SUM(n) OVER (PARTITION BY grp, kind ORDER BY ms) AS upto,
                     SUM(n) OVER (PARTITION BY grp, kind) AS total
                 FROM times
                 WHERE grp IN ({pg: SELECT jsonb_array_elements_text(CAST(:groups AS jsonb))}
                               {lite: SELECT value FROM json_each(:groups)}))
             SELECT grp, kind, MIN(CASE WHEN upto * 2 >= total THEN ms END) AS p50,
                 MIN(CASE WHEN upto * 20 >= total * 19 THEN ms END) AS p95
             FROM placed GROUP BY grp, kind"
        )
    };
}

/// The moment a bucket of time begins, as microseconds in a text.
macro_rules! bucket {
    ($unit:literal, $at:literal, $lite:expr) => {
        concat!(
            "CAST({pg: CAST(EXTRACT(EPOCH FROM date_trunc('",
            $unit,
            "', ",
            $at,
            " AT TIME ZONE 'UTC') AT TIME ZONE 'UTC') AS bigint) * 1000000}{lite: ",
            $lite,
            "} AS text)"
        )
    };
}
macro_rules! minute {
    ($at:literal) => {
        bucket!("minute", $at, concat!($at, " - ", $at, " % 60000000"))
    };
}
macro_rules! hour {
    ($at:literal) => {
        bucket!("hour", $at, concat!($at, " - ", $at, " % 3600000000"))
    };
}
macro_rules! day {
    ($at:literal) => {
        bucket!("day", $at, concat!($at, " - ", $at, " % 86400000000"))
    };
}
// Weeks begin on Mondays; the first one began four days after 1970 did.
macro_rules! week {
    ($at:literal) => {
        bucket!(
            "week",
            $at,
            concat!($at, " - (", $at, " - 345600000000) % 604800000000")
        )
    };
}
macro_rules! month {
    ($at:literal) => {
        bucket!(
            "month",
            $at,
            concat!(
                "CAST(strftime('%s', ",
                $at,
                " / 1000000, 'unixepoch', 'start of month') AS integer)",
                " * 1000000"
            )
        )
    };
}

statements! { "usage":
    LIST = concat!(
        "SELECT id, request_id, session_id, message_id, access_key_id, provider, model,
             request_type, request_tokens, response_tokens, total_tokens, buckets, usage_source,
             {m cost_usd}, cost_source, price_version, response_time_ms, ttft_ms, outcome, status,
             error_kind, error_message, attempts, is_cached, tags, created_at
         FROM usage_logs WHERE ", rows!(),
        "AND (CAST(:before AS {pg: uuid}{lite: text}) IS NULL OR id < :before)
         ORDER BY id DESC LIMIT :most");
    SUMMARY = sums!("CAST(NULL AS text)", "CAST(NULL AS text)");
    SUMMARY_TIMES = times!("CAST(NULL AS text)");
    BY_PROVIDER = sums!("provider", "provider");
    BY_PROVIDER_TIMES = times!("provider");
    BY_MODEL = sums!("provider || '/' || model", "provider || '/' || model");
    BY_MODEL_TIMES = times!("provider || '/' || model");
    BY_SESSION = sums!("CAST(session_id AS text)", "CAST(NULL AS text)");
    BY_SESSION_TIMES = times!("CAST(session_id AS text)");
    BY_STATUS = sums!("status", "status");
    BY_STATUS_TIMES = times!("status");
    BY_ACCESS_KEY = sums!("CAST(access_key_id AS text)", "CAST(NULL AS text)");
    BY_ACCESS_KEY_TIMES = times!("CAST(access_key_id AS text)");
    BY_MINUTE = sums!(minute!("created_at"), minute!("day"));
    BY_MINUTE_TIMES = times!(minute!("created_at"));
    BY_HOUR = sums!(hour!("created_at"), hour!("day"));
    BY_HOUR_TIMES = times!(hour!("created_at"));
    BY_DAY = sums!(day!("created_at"), day!("day"));
    BY_DAY_TIMES = times!(day!("created_at"));
    BY_WEEK = sums!(week!("created_at"), week!("day"));
    BY_WEEK_TIMES = times!(week!("created_at"));
    BY_MONTH = sums!(month!("created_at"), month!("day"));
    BY_MONTH_TIMES = times!(month!("created_at"));
}
