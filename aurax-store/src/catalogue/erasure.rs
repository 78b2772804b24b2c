//! What goes with an account: everything it said and every key. Usage and the books stay, under an
//! id that names nobody any more.

use super::statements::statements;

statements! { "erasure":
    CLOSE = "UPDATE users SET is_active = FALSE, updated_at = :at WHERE id = :user";
    MESSAGES = "DELETE FROM messages WHERE id IN (
                    SELECT id FROM messages WHERE user_id = :user LIMIT :most)";
    HISTORY = "DELETE FROM request_history WHERE id IN (
                   SELECT id FROM request_history WHERE user_id = :user LIMIT :most)";
    SESSIONS = "DELETE FROM chat_sessions WHERE id IN (
                    SELECT id FROM chat_sessions WHERE user_id = :user LIMIT :most)";
    EVENTS = "DELETE FROM alert_events WHERE id IN (
                  SELECT id FROM alert_events WHERE user_id = :user LIMIT :most)";
    CLAIMS = "DELETE FROM idempotency_records WHERE user_id = :user";
    TOKENS = "DELETE FROM refresh_tokens WHERE user_id = :user";
    IDENTITIES = "DELETE FROM identities WHERE user_id = :user";
    PROVIDER_KEYS = "DELETE FROM api_keys WHERE user_id = :user";
    ACCESS_KEYS = "DELETE FROM access_keys WHERE user_id = :user";
    ALERTS = "DELETE FROM alerts WHERE user_id = :user";
    BUDGETS = "DELETE FROM budgets WHERE user_id = :user";
}
