//! AURAX's own keys, for programs.

use super::statements::statements;

macro_rules! key {
    ($rest:expr) => {
        concat!(
            "SELECT id, user_id, name, last_four, scopes, models, requests_per_minute,
                 tokens_per_minute, is_active, created_at, expires_at, last_used_at
             FROM access_keys ",
            $rest
        )
    };
}

statements! { "access_keys":
    ADD = "INSERT INTO access_keys (id, user_id, name, hash, last_four, scopes, models,
               requests_per_minute, tokens_per_minute, is_active, created_at, expires_at)
           SELECT :id, :user, :name, :hash, :last_four, :scopes, :models, :requests_per_minute,
               :tokens_per_minute, TRUE, {pg: CAST(:at AS timestamptz)}{lite: :at},
               {pg: CAST(:expires_at AS timestamptz)}{lite: :expires_at}
           WHERE (SELECT COUNT(*) FROM access_keys WHERE user_id = :user) < :most";
    GET = key!("WHERE user_id = :user AND id = :id");
    LIST = key!("WHERE user_id = :user
                     AND (CAST(:before AS {pg: uuid}{lite: text}) IS NULL OR id < :before)
                 ORDER BY id DESC LIMIT :most");
    /// All that is `NULL` stays, but for limits, which are set where `sets_limits` says so.
    CHANGE = "UPDATE access_keys SET
                  name = COALESCE(:name, name),
                  scopes = COALESCE(:scopes, scopes),
                  models = CASE WHEN :sets_models THEN :models ELSE models END,
                  requests_per_minute = CASE WHEN :sets_requests
                      THEN {pg: CAST(:requests_per_minute AS integer)}{lite: :requests_per_minute}
                      ELSE requests_per_minute END,
                  tokens_per_minute = CASE WHEN :sets_tokens
                      THEN {pg: CAST(:tokens_per_minute AS integer)}{lite: :tokens_per_minute}
                      ELSE tokens_per_minute END,
                  expires_at = CASE WHEN :sets_expiry
                      THEN {pg: CAST(:expires_at AS timestamptz)}{lite: :expires_at}
                      ELSE expires_at END,
                  is_active = COALESCE(:is_active, is_active)
              WHERE user_id = :user AND id = :id";
    DELETE = "DELETE FROM access_keys WHERE user_id = :user AND id = :id";
    /// Before anybody is known.
    BY_HASH = "SELECT k.id, k.user_id, k.name, k.last_four, k.scopes, k.models,
                   k.requests_per_minute, k.tokens_per_minute, k.is_active, k.created_at,
                   k.expires_at, k.last_used_at
               FROM access_keys k JOIN users u ON u.id = k.user_id
               WHERE k.hash = :hash AND k.is_active AND u.is_active
                   AND (k.expires_at IS NULL OR k.expires_at > :now)";
    USED = "UPDATE access_keys SET last_used_at = :now
            WHERE id = :id AND (last_used_at IS NULL OR last_used_at < :before)";
}
