//! Usage that tests put in without a ledger.

use super::statements::statements;

statements! { "usage_kit":
    ROLL_UP = "INSERT INTO usage_rollups (user_id, day, provider, model, status, requests,
                   request_tokens, response_tokens, total_tokens, {m cost_usd}, unpriced)
               VALUES (:user, :day, :provider, :model, :status, :requests, :request_tokens,
                   :response_tokens, :total_tokens, {v cost_usd}, :unpriced)";
}
