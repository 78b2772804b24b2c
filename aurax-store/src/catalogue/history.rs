//! Requests as they were made and answered.

use super::statements::statements;

statements! { "history":
    ADD = "INSERT INTO request_history
               (id, user_id, provider, model, request_payload, response_payload, created_at)
           VALUES (:id, :user, :provider, :model, :request, :response, :at)";
    GET = "SELECT id, provider, model, request_payload, response_payload, created_at
           FROM request_history WHERE user_id = :user AND id = :id";
    LIST = "SELECT id, provider, model, request_payload, response_payload, created_at
            FROM request_history
            WHERE user_id = :user
                AND (CAST(:provider AS text) IS NULL OR provider = :provider)
                AND (CAST(:before AS {pg: uuid}{lite: text}) IS NULL OR id < :before)
            ORDER BY id DESC LIMIT :most";
    DELETE = "DELETE FROM request_history WHERE user_id = :user AND id = :id";
}
