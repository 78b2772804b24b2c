//! Every statement the store runs, one file a noun.
//!
//! A statement on a table of tenants says `user_id = :user`; the test kit takes that away from one
//! at a time and sees a test fail.

mod bulk;
mod statements;

pub(crate) mod access_keys;
pub(crate) mod alerts;
pub(crate) mod api_keys;
pub(crate) mod budgets;
pub(crate) mod erasure;
pub(crate) mod history;
pub(crate) mod idempotency;
pub(crate) mod identities;
pub(crate) mod installation;
pub(crate) mod jobs;
#[cfg(feature = "testkit")]
pub(crate) mod kit;
pub(crate) mod ledger;
pub(crate) mod orphans;
pub(crate) mod plans;
pub(crate) mod refresh_tokens;
pub(crate) mod sessions;
pub(crate) mod settings;
#[cfg(feature = "testkit")]
pub(crate) mod testkit;
pub(crate) mod usage;
pub(crate) mod users;
pub(crate) mod watch;

#[cfg(any(test, feature = "testkit"))]
use crate::db::Statement;

/// All of them.
#[cfg(any(test, feature = "testkit"))]
pub(crate) fn all() -> impl Iterator<Item = &'static Statement> {
    [
        access_keys::ALL,
        alerts::ALL,
        api_keys::ALL,
        budgets::ALL,
        erasure::ALL,
        history::ALL,
        idempotency::ALL,
        identities::ALL,
        installation::ALL,
        jobs::ALL,
        #[cfg(feature = "testkit")]
        kit::ALL,
        ledger::ALL,
        orphans::ALL,
        plans::ALL,
        refresh_tokens::ALL,
        sessions::ALL,
        settings::ALL,
        #[cfg(feature = "testkit")]
        testkit::ALL,
        usage::ALL,
        users::ALL,
        watch::ALL,
    ]
    .into_iter()
    .flatten()
    .copied()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::db::{Dialect, compile};

    #[test]
    fn every_statement_can_be_written_for_both_databases() {
        for statement in all() {
            for dialect in [Dialect::Sqlite, Dialect::Postgres] {
                if let Err(error) = compile(statement.text, dialect) {
                    panic!("{}: {error}", statement.name);
                }
            }
        }
    }

    /// Nouns that are for no one tenant.
    const APART: &[&str] = &["jobs", "kit", "ledger", "orphans", "testkit", "watch"];

    /// What else is asked for no tenant: by operators, at logins, by jobs.
    const ACROSS: &[&str] = &[
        "access_keys.BY_HASH",
        "access_keys.USED",
        "alerts.ACTIVE",
        "alerts.FIRE",
        "alerts.FORGET",
        "alerts.LATELY",
        "alerts.ONGOING",
        "alerts.RESOLVE",
        "api_keys.MASTER_KEYS",
        "api_keys.OTHERS",
        "api_keys.RESEAL",
        "idempotency.PURGE",
        "identities.FIND",
        "refresh_tokens.ACCOUNT",
        "refresh_tokens.BY_HASH",
        "refresh_tokens.FAMILY",
        "refresh_tokens.PURGE",
        "refresh_tokens.REVOKE_FAMILY",
        "refresh_tokens.ROTATE",
        "refresh_tokens.TOKEN",
    ];

    /// The tables that carry `user_id`.
    const TENANTS: &[&str] = &[
        "access_keys",
        "alert_events",
        "alerts",
        "api_keys",
        "attempts",
        "budgets",
        "chat_sessions",
        "idempotency_records",
        "identities",
        "messages",
        "refresh_tokens",
        "request_history",
        "settlements",
        "usage_logs",
        "usage_rollups",
    ];

    /// How often a statement reads, changes or deletes rows of a tenant's table.
    fn mentions(text: &str) -> usize {
        let words: Vec<&str> = text.split_whitespace().collect();
        let pairs = words.windows(2).filter(|pair| {
            let table = pair[1].trim_end_matches([')', ',', ';', '}']);
            matches!(pair[0], "FROM" | "UPDATE" | "JOIN") && TENANTS.contains(&table)
        });
        pairs.count()
    }

    #[test]
    fn what_touches_a_tenants_table_asks_for_the_tenant() {
        let mut across = Vec::new();
        for statement in all().filter(|statement| mentions(statement.text) > 0) {
            let noun = statement.name.split('.').next().unwrap();
            if statement.predicates() == 0 && !APART.contains(&noun) {
                across.push(statement.name);
            }
        }
        across.sort_unstable();
        assert_eq!(across, ACROSS);
    }

    #[test]
    fn every_statement_has_a_name_of_its_own() {
        let mut names = HashSet::new();
        for statement in all() {
            assert!(names.insert(statement.name), "{}", statement.name);
        }
    }
}
