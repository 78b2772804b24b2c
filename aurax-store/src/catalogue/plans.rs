//! Plans.

use super::statements::statements;

statements! { "plans":
    LIST = "SELECT name, message_days, requests_per_minute, tokens_per_minute
            FROM plans ORDER BY name LIMIT :most";
    /// A plan there is already may be set however many there are.
    SET = "INSERT INTO plans (name, message_days, requests_per_minute, tokens_per_minute)
           SELECT :name, :message_days, :requests_per_minute, :tokens_per_minute
           WHERE (SELECT COUNT(*) FROM plans WHERE name <> :name) < :most
           ON CONFLICT (name) DO UPDATE SET message_days = EXCLUDED.message_days,
               requests_per_minute = EXCLUDED.requests_per_minute,
               tokens_per_minute = EXCLUDED.tokens_per_minute";
    OWN = "SELECT p.name, p.message_days, p.requests_per_minute, p.tokens_per_minute
           FROM plans p JOIN users u ON u.plan_type = p.name WHERE id = :user";
}
