//! Accounts. A user is a tenant: here the tenant's predicate is on the id itself.

use super::statements::statements;

statements! { "users":
    ADD = "INSERT INTO users
               (id, email, hashed_password, plan_type, role, is_active, created_at, updated_at)
           VALUES (:id, :email, :hashed_password, :plan_type, :role, TRUE, :at, :at)";
    OWN = "SELECT id, email, plan_type, role, is_active, created_at, updated_at
           FROM users WHERE id = :user";
    FIND = "SELECT id, email, plan_type, role, is_active, created_at, updated_at
            FROM users WHERE id = :id";
    /// One first account at a time.
    FIRST = "SELECT {pg: CAST(pg_advisory_xact_lock(hashtextextended('aurax first account', 0))
                         AS text)}{lite: ''} AS held";
    ANY = "SELECT id FROM users LIMIT 1";
    /// One change of who runs the installation at a time.
    OPERATORS = "SELECT {pg: CAST(pg_advisory_xact_lock(hashtextextended('aurax operators', 0))
                             AS text)}{lite: ''} AS held";
    OTHER_ADMIN = "SELECT id FROM users WHERE role = 'admin' AND is_active AND id <> :id LIMIT 1";
    OWN_PASSWORD = "SELECT hashed_password FROM users WHERE id = :user";
    CHANGE_OWN = "UPDATE users SET
                      email = COALESCE(:email, email),
                      hashed_password = COALESCE(:hashed_password, hashed_password),
                      updated_at = :at
                  WHERE id = :user";
    BY_EMAIL = "SELECT id, email, hashed_password, plan_type, role, is_active, created_at, updated_at
                FROM users WHERE email = :email";
    LIST = "SELECT id, email, plan_type, role, is_active, created_at, updated_at
            FROM users WHERE (CAST(:before AS {pg: uuid}{lite: text}) IS NULL OR id < :before)
            ORDER BY id DESC LIMIT :most";
    SET_PASSWORD = "UPDATE users SET hashed_password = :hashed_password, updated_at = :at
                    WHERE id = :user";
    CHANGE = "UPDATE users SET
                  plan_type = COALESCE(:plan_type, plan_type),
                  role = COALESCE(:role, role),
                  is_active = COALESCE(:is_active, is_active),
                  updated_at = :at
              WHERE id = :id
              RETURNING id, email, plan_type, role, is_active, created_at, updated_at";
    DELETE = "DELETE FROM users WHERE id = :user";
}
