//! Limits on what a tenant spends. The ledger counts against them.

use super::statements::statements;

macro_rules! budget {
    ($rest:expr) => {
        concat!(
            "SELECT id, scope, subject, period, is_hard, {m limit_usd}, {m spent}, {m reserved},
                 unpriced, window_start, created_at, updated_at
             FROM budgets ",
            $rest
        )
    };
}

statements! { "budgets":
    /// One change of a tenant's budgets at a time, so that their number keeps its maximum.
    HOLD = "SELECT {pg: CAST(pg_advisory_xact_lock(hashtextextended(CAST(CAST(:user AS uuid) AS text), 0))
                        AS text)}{lite: :user} AS held";
    COUNT = "SELECT COUNT(*) AS budgets FROM budgets WHERE user_id = :user";
    FIND = budget!("WHERE user_id = :user AND scope = :scope AND subject = :subject
                        AND period = :period");
    ADD = "INSERT INTO budgets (id, user_id, scope, subject, period, is_hard, {m limit_usd},
               {m spent}, {m reserved}, unpriced, window_start, created_at, updated_at)
           VALUES (:id, :user, :scope, :subject, :period, :is_hard, {v limit_usd}, {v spent},
               {v reserved}, 0, :window_start, :at, :at)";
    /// What was spent and is reserved stays.
    SET = "UPDATE budgets SET is_hard = :is_hard, ({m limit_usd}) = {pg: ROW}({v limit_usd}),
               updated_at = :at
           WHERE user_id = :user AND id = :id";
    GET = budget!("WHERE user_id = :user AND id = :id");
    LIST = budget!("WHERE user_id = :user ORDER BY id LIMIT :most");
    DELETE = "DELETE FROM budgets WHERE user_id = :user AND id = :id";
}
