//! Requests that are answered once, however often they are sent.

use super::statements::statements;

statements! { "idempotency":
    CLAIM = "INSERT INTO idempotency_records
                 (user_id, route, key, body_hash, session_id, owner, created_at, expires_at)
             VALUES (:user, :route, :key, :body_hash, :session_id, :owner, :now, :expires_at)
             ON CONFLICT (user_id, route, key) DO NOTHING";
    GET = "SELECT body_hash, owner, status, headers, body, created_at, expires_at,
               EXISTS (SELECT 1 FROM replicas
                       WHERE replicas.id = owner AND heartbeat_at > :silent_since) AS is_alive
           FROM idempotency_records
           WHERE user_id = :user AND route = :route AND key = :key {pg: FOR UPDATE}";
    /// The claim begins anew.
    TAKE_OVER = "UPDATE idempotency_records SET
                     body_hash = :body_hash, session_id = :session_id, owner = :owner,
                     status = NULL, headers = NULL, body = NULL, created_at = :now,
                     expires_at = :expires_at
                 WHERE user_id = :user AND route = :route AND key = :key";
    FINISH = "UPDATE idempotency_records SET status = :status, headers = :headers, body = :body
              WHERE user_id = :user AND route = :route AND key = :key
                  AND owner = :owner AND created_at = :claimed_at AND status IS NULL";
    RELEASE = "DELETE FROM idempotency_records
               WHERE user_id = :user AND route = :route AND key = :key
                   AND owner = :owner AND created_at = :claimed_at AND status IS NULL";
    /// Answers of a session, given or still to come.
    FORGET = "DELETE FROM idempotency_records WHERE user_id = :user AND session_id = :id";
    /// Of every tenant. The key is of three columns, which SQLite cannot ask for in one list.
    PURGE = "DELETE FROM idempotency_records
             WHERE {pg: ctid IN (SELECT ctid}{lite: rowid IN (SELECT rowid}
                 FROM idempotency_records WHERE expires_at < :now LIMIT :most)";
}
