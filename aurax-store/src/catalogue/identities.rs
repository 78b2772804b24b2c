//! Who logs in elsewhere.

use super::statements::statements;

statements! { "identities":
    ADD = "INSERT INTO identities (issuer, subject, user_id, created_at)
           VALUES (:issuer, :subject, :user, :at)";
    FIND = "SELECT u.id, u.email, u.plan_type, u.role, u.is_active, u.created_at, u.updated_at
            FROM identities i JOIN users u ON u.id = i.user_id
            WHERE i.issuer = :issuer AND i.subject = :subject";
    /// One by one, of those who want the same account.
    HOLD = "SELECT id, email, hashed_password, plan_type, role, is_active, created_at, updated_at
            FROM users WHERE email = :email {pg: FOR UPDATE}";
    OF_USER = "SELECT subject FROM identities WHERE user_id = :user LIMIT 1";
}
