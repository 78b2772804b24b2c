//! Provider keys, sealed.

use super::statements::statements;

macro_rules! key {
    ($rest:expr) => {
        concat!(
            "SELECT id, user_id, provider, key_name, encrypted_key, kek_id, base_url, last_four,
                 fingerprint, is_active, created_at, last_validated
             FROM api_keys ",
            $rest
        )
    };
}

statements! { "api_keys":
    ADD = "INSERT INTO api_keys (id, user_id, provider, key_name, encrypted_key, kek_id, base_url,
               last_four, fingerprint, is_active, created_at)
           SELECT :id, :user, :provider, :key_name, :encrypted_key, :kek_id, :base_url, :last_four,
               :fingerprint, TRUE, {pg: CAST(:at AS timestamptz)}{lite: :at}
           WHERE (SELECT COUNT(*) FROM api_keys WHERE user_id = :user) < :most";
    GET = key!("WHERE user_id = :user AND id = :id");
    LIST = key!("WHERE user_id = :user
                     AND (CAST(:provider AS text) IS NULL OR provider = :provider)
                     AND (CAST(:before AS {pg: uuid}{lite: text}) IS NULL OR id < :before)
                 ORDER BY id DESC LIMIT :most");
    /// The one of that name, else the default, else the newest; only what is active.
    RESOLVE = key!("WHERE user_id = :user AND provider = :provider AND is_active
                        AND (CAST(:key_name AS text) IS NULL OR key_name = :key_name)
                    ORDER BY CASE WHEN key_name = 'default' THEN 0 ELSE 1 END, id DESC LIMIT 1");
    CHANGE = "UPDATE api_keys SET
                  is_active = COALESCE(:is_active, is_active),
                  key_name = COALESCE(:key_name, key_name),
                  last_validated = COALESCE(:last_validated, last_validated)
              WHERE user_id = :user AND id = :id";
    /// A new secret under the same name; the row's id is part of its seal and stays.
    REPLACE = "UPDATE api_keys SET
                   encrypted_key = :encrypted_key, kek_id = :kek_id, base_url = :base_url,
                   last_four = :last_four, fingerprint = :fingerprint, is_active = TRUE,
                   last_validated = NULL
               WHERE user_id = :user AND id = :id";
    DELETE = "DELETE FROM api_keys WHERE user_id = :user AND id = :id";
    DELETE_OF_PROVIDER = "DELETE FROM api_keys WHERE user_id = :user AND provider = :provider";
    /// Keys of every tenant that another master key seals.
    OTHERS = key!("WHERE kek_id <> :kek_id
                       AND (CAST(:after AS {pg: uuid}{lite: text}) IS NULL OR id > :after)
                   ORDER BY id LIMIT :most");
    RESEAL = "UPDATE api_keys SET encrypted_key = :to, kek_id = :kek_id
              WHERE id = :id AND encrypted_key = :from";
    /// The master keys that seal something.
    MASTER_KEYS = "SELECT DISTINCT kek_id FROM api_keys ORDER BY kek_id";
}
