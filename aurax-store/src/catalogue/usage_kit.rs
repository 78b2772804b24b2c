//! Usage that tests put in without a ledger.

use super::statements::statements;

statements! { "usage_kit":
    ADD = "INSERT INTO usage_logs (id, user_id, request_id, session_id, message_id, access_key_id,
               provider, model, request_type, request_tokens, response_tokens, total_tokens,
               buckets, usage_source, {m cost_usd}, cost_source, price_version, response_time_ms,
               ttft_ms, outcome, status, error_kind, error_message, attempts, is_cached, tags,
               created_at)
           VALUES (:id, :user, :request_id, :session_id, :message_id, :access_key_id, :provider,
               :model, :request_type, :request_tokens, :response_tokens, :total_tokens, :buckets,
               :usage_source, {v cost_usd}, :cost_source, :price_version, :response_time_ms,
               :ttft_ms, :outcome, :status, :error_kind, :error_message, :attempts, :is_cached,
               :tags, :created_at)";
    ROLL_UP = "INSERT INTO usage_rollups (user_id, day, provider, model, status, requests,
                   request_tokens, response_tokens, total_tokens, {m cost_usd}, unpriced)
               VALUES (:user, :day, :provider, :model, :status, :requests, :request_tokens,
                   :response_tokens, :total_tokens, {v cost_usd}, :unpriced)";
}
