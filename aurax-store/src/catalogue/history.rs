//! Requests as they were made and answered.

use super::statements::statements;

statements! { "history":
    ADD = "INSERT INTO request_history
               (id, user_id, provider, model, request_payload, response_payload, created_at)
           VALUES (:id, :user, :provider, :model, :request, :response, :at)";
    GET = "SELECT id, provider, model, request_payload, response_payload, created_at
           FROM request_history WHERE user_id = :user AND id = :id";
    /// The first one, and those that have `:bytes` with the ones before them.
    LIST = "WITH listed AS (
                SELECT id, CAST(octet_length(request_payload)
                        + COALESCE(octet_length(response_payload), 0) AS bigint) AS size
                FROM request_history
                WHERE user_id = :user
                    AND (CAST(:provider AS text) IS NULL OR provider = :provider)
                    AND (CAST(:before AS {pg: uuid}{lite: text}) IS NULL OR id < :before)
                ORDER BY id DESC LIMIT :most
            ), part AS (
                SELECT id, size, SUM(size) OVER (ORDER BY id DESC) AS total,
                    COUNT(*) OVER () AS found
                FROM listed
            )
            SELECT h.id, h.provider, h.model, h.request_payload, h.response_payload, h.created_at,
                part.found
            FROM part JOIN request_history h ON h.id = part.id
            WHERE (part.total <= :bytes OR part.total = part.size)
            ORDER BY h.id DESC";
    DELETE = "DELETE FROM request_history WHERE user_id = :user AND id = :id";
}
