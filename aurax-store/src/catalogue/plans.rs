//! Plans.

use super::statements::statements;

statements! { "plans":
    LIST = "SELECT name, message_days, requests_per_minute, tokens_per_minute
            FROM plans ORDER BY name LIMIT :most";
    OWN = "SELECT p.name, p.message_days, p.requests_per_minute, p.tokens_per_minute
           FROM plans p JOIN users u ON u.plan_type = p.name WHERE id = :user";
}
