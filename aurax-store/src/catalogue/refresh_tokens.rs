//! Logins: families of refresh tokens. The first token of a family, whose id is the family's, says
//! whether the family is revoked.

use super::statements::statements;

statements! { "refresh_tokens":
    ADD = "INSERT INTO refresh_tokens
               (id, user_id, family_id, hash, label, created_at, expires_at, family_expires_at)
           VALUES (:id, :user, :family_id, :hash, :label, :at, :expires_at, :family_expires_at)";
    BY_HASH = "SELECT id, user_id, family_id FROM refresh_tokens WHERE hash = :hash";
    /// Keeps the family as it is until the transaction ends.
    FAMILY = "SELECT revoked_at, family_expires_at, label FROM refresh_tokens
              WHERE id = :family_id {pg: FOR UPDATE}";
    /// Whose login it is, if it can go on.
    ACCOUNT = "SELECT u.id, u.email, u.plan_type, u.role, u.is_active, u.created_at, u.updated_at
               FROM refresh_tokens f JOIN users u ON u.id = f.user_id
               WHERE f.id = :login AND f.id = f.family_id AND f.revoked_at IS NULL
                   AND f.family_expires_at > :now AND u.is_active
                   AND EXISTS (SELECT 1 FROM refresh_tokens t
                               WHERE t.family_id = f.id AND t.expires_at > :now)";
    TOKEN = "SELECT expires_at, rotated_at FROM refresh_tokens WHERE id = :id";
    /// The token and all that came of the same exchange: whichever is used first is the branch that
    /// goes on.
    ROTATE = "UPDATE refresh_tokens SET rotated_at = :at
              WHERE family_id = :family_id AND rotated_at IS NULL";
    REVOKE_FAMILY = "UPDATE refresh_tokens SET revoked_at = :at
                     WHERE id = :family_id AND revoked_at IS NULL";
    /// One row a login, of those that can go on.
    LIST = "SELECT f.id, f.label, f.created_at,
                (SELECT MAX(t.created_at) FROM refresh_tokens t WHERE t.family_id = f.id) AS used_at,
                (SELECT MAX(t.expires_at) FROM refresh_tokens t WHERE t.family_id = f.id) AS expires_at
            FROM refresh_tokens f
            WHERE user_id = :user AND f.id = f.family_id AND f.revoked_at IS NULL
                AND f.family_expires_at > :now
                AND EXISTS (SELECT 1 FROM refresh_tokens t
                            WHERE t.family_id = f.id AND t.expires_at > :now)
                AND (CAST(:before AS {pg: uuid}{lite: text}) IS NULL OR f.id < :before)
            ORDER BY f.id DESC LIMIT :most";
    REVOKE = "UPDATE refresh_tokens SET revoked_at = :at
              WHERE user_id = :user AND id = :id AND id = family_id AND revoked_at IS NULL";
    REVOKE_OTHERS = "UPDATE refresh_tokens SET revoked_at = :at
                     WHERE user_id = :user AND id = family_id AND revoked_at IS NULL
                         AND (CAST(:keep AS {pg: uuid}{lite: text}) IS NULL OR id <> :keep)";
    /// Families that nothing can be done with any more; the first token goes last, with them.
    PURGE = "DELETE FROM refresh_tokens WHERE id IN (
                 SELECT id FROM refresh_tokens WHERE family_expires_at < :before
                 ORDER BY CASE WHEN id = family_id THEN 1 ELSE 0 END LIMIT :most)";
}
