//! What tests put in, in place of the ledger.

use super::statements::statements;

statements! { "kit":
    ROLL_UP = "INSERT INTO usage_rollups (user_id, day, provider, model, status, requests,
                   request_tokens, response_tokens, total_tokens, {m cost_usd}, unpriced)
               VALUES (:user, :day, :provider, :model, :status, :requests, :request_tokens,
                   :response_tokens, :total_tokens, {v cost_usd}, :unpriced)";
    BEAT = "INSERT INTO replicas (id, started_at, heartbeat_at) VALUES (:id, :at, :at)
            ON CONFLICT (id) DO UPDATE SET heartbeat_at = EXCLUDED.heartbeat_at";
    SPEND = "UPDATE budgets SET ({m spent}) = {pg: ROW}({v spent}),
                 ({m reserved}) = {pg: ROW}({v reserved}), unpriced = 1
             WHERE id = :id";
}
