//! Values of the installation.

use super::statements::statements;

statements! { "settings":
    ADD = "INSERT INTO settings (name, value) VALUES (:name, :value) ON CONFLICT (name) DO NOTHING";
    GET = "SELECT value FROM settings WHERE name = :name";
}
