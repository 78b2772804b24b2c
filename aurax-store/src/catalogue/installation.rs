//! What the processes of an installation agree on, and what is used once by all of them together.

use super::statements::statements;

statements! { "installation":
    SET = "INSERT INTO settings (name, value) VALUES (:name, :value)
           ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    /// A key that some process has for longer stays as long.
    SHARE = "INSERT INTO signing_keys (id, public, expires_at) VALUES (:id, :public, :until)
             ON CONFLICT (id) DO UPDATE SET
                 expires_at = {pg: GREATEST}{lite: MAX}(signing_keys.expires_at, excluded.expires_at)";
    KEYS = "SELECT id, public FROM signing_keys WHERE expires_at > :now ORDER BY id LIMIT :most";
    FORGET_KEY = "DELETE FROM signing_keys WHERE id = :id";
    PURGE_KEYS = "DELETE FROM signing_keys WHERE id IN (
                      SELECT id FROM signing_keys WHERE expires_at <= :now LIMIT :most)";
    /// Whoever is first waits for nobody; whoever else comes waits for the first one's end.
    USE = "INSERT INTO used_invitations (id, expires_at) VALUES (:id, :until)
           ON CONFLICT (id) DO NOTHING";
    PURGE_USED = "DELETE FROM used_invitations WHERE id IN (
                      SELECT id FROM used_invitations WHERE expires_at <= :now LIMIT :most)";
}
