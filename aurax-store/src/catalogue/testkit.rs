//! What the test kit reads: everything, of everybody.

use super::statements::statements;

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
}
