//! A store does not begin where a tenant could see another's rows, or where what it says to be
//! recorded might be lost: the error names the thing, and what it says to do helps.

use aurax_core::ErrorKind;
use aurax_store::{Durability, PostgresOptions};

use crate::own::{opens, refused, run};
use crate::place::Place;

/// Breaks something, is refused with these words, mends it, and opens.
async fn refuses(breaks: &str, words: &[&str], mends: &str) {
    let Some(place) = Place::postgres().await else {
        return;
    };
    let store = place.open().await;
    let (_, url) = place.postgres.clone().unwrap();
    let database = url.rsplit_once('/').unwrap().1.to_owned();
    let options = PostgresOptions::new(&url).with_connections(2);
    run(
        &url,
        &breaks.replace("DATABASE", &format!("DATABASE {database}")),
    )
    .await;
    let error = refused(&options).await;
    println!("{error}");
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
    run(
        &url,
        &mends.replace("DATABASE", &format!("DATABASE {database}")),
    )
    .await;
    opens(&options).await;
    place.clear(&store).await;
}

macro_rules! refusals {
    ($($name:ident: $breaks:literal, $words:expr, $mends:literal;)*) => {
        $(#[tokio::test]
        async fn $name() {
            refuses($breaks, &$words, $mends).await;
        })*
    };
}
refusals! {
    a_table_that_is_not_forced:
        "ALTER TABLE settlements NO FORCE ROW LEVEL SECURITY",
        ["not forced", "(settlements)", "ALTER TABLE … ENABLE ROW LEVEL SECURITY, FORCE"],
        "ALTER TABLE settlements ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY";
    accounts_that_are_not_closed:
        "ALTER TABLE users DISABLE ROW LEVEL SECURITY",
        ["not forced", "(users)"],
        "ALTER TABLE users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY";
    a_partition_that_is_not_forced:
        "ALTER TABLE usage_logs_default NO FORCE ROW LEVEL SECURITY",
        ["not forced", "(usage_logs_default)"],
        "ALTER TABLE usage_logs_default ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY";
    a_partition_that_a_role_may_reach:
        "GRANT INSERT ON messages_default TO aurax_app",
        ["must not reach", "(messages_default)", "REVOKE"],
        "REVOKE INSERT ON messages_default FROM aurax_app";
    a_partition_that_anybody_may_reach:
        "GRANT SELECT (id) ON messages_default TO PUBLIC",
        ["must not reach", "(messages_default)"],
        "REVOKE SELECT (id) ON messages_default FROM PUBLIC";
    a_table_that_may_be_emptied:
        "GRANT TRUNCATE ON budgets TO aurax_jobs",
        ["must not reach", "(budgets)"],
        "REVOKE TRUNCATE ON budgets FROM aurax_jobs";
    books_that_may_be_changed:
        "GRANT UPDATE (cost) ON settlements TO aurax_jobs",
        ["must not reach", "(settlements)"],
        "REVOKE UPDATE (cost) ON settlements FROM aurax_jobs";
    a_tenants_policy_that_is_gone:
        "DROP POLICY tenant ON messages",
        ["lost the policy", "(messages for aurax_app)"],
        "CREATE POLICY tenant ON messages TO aurax_app USING (user_id = aurax_user())
             WITH CHECK (user_id = aurax_user())";
    a_policy_of_the_ledger_that_is_gone:
        "DROP POLICY ledger_add ON attempts",
        ["lost the policy", "(attempts for aurax_ledger)"],
        "CREATE POLICY ledger_add ON attempts FOR INSERT TO aurax_ledger WITH CHECK (true)";
    a_policy_that_lets_tenants_see_all:
        "CREATE POLICY guests ON messages FOR SELECT TO aurax_app USING (true)",
        ["more than their own", "(guests on messages)", "DROP POLICY"],
        "DROP POLICY guests ON messages";
    a_policy_that_lets_anybody_write:
        "CREATE POLICY guests ON api_keys FOR INSERT WITH CHECK (true)",
        ["more than their own", "(guests on api_keys)"],
        "DROP POLICY guests ON api_keys";
    a_policy_that_was_widened:
        "ALTER POLICY tenant ON chat_sessions USING (user_id = aurax_user() OR title = 'shared')",
        ["more than their own", "(tenant on chat_sessions)"],
        "ALTER POLICY tenant ON chat_sessions USING (user_id = aurax_user())";
    a_policy_on_a_partition:
        "CREATE POLICY guests ON messages_default TO aurax_jobs USING (true)",
        ["more than their own", "(guests on messages_default)"],
        "DROP POLICY guests ON messages_default";
    a_role_that_owns_a_table:
        "ALTER TABLE alerts OWNER TO aurax_app",
        ["must not owns", "(alerts)", "OWNER TO"],
        "ALTER TABLE alerts OWNER TO postgres; REVOKE ALL ON alerts FROM aurax_app;
         GRANT SELECT, INSERT, UPDATE, DELETE ON alerts TO aurax_app";
    commits_that_nobody_waits_for:
        "ALTER DATABASE SET synchronous_commit = off",
        ["synchronous_commit is off", "SET synchronous_commit = on"],
        "ALTER DATABASE SET synchronous_commit = on";
    policies_that_are_errors:
        "ALTER DATABASE SET row_security = off",
        ["row_security is not on"],
        "ALTER DATABASE SET row_security = on";
    texts_with_escapes:
        "ALTER DATABASE SET standard_conforming_strings = off",
        ["standard_conforming_strings is not on"],
        "ALTER DATABASE SET standard_conforming_strings = on";
    tables_that_are_not_on_the_path:
        "CREATE SCHEMA elsewhere; ALTER DATABASE SET search_path = elsewhere",
        ["access_keys, alert_events", "search_path", "public"],
        "ALTER DATABASE RESET search_path";
    a_table_that_hides_another:
        "CREATE SCHEMA postgres; CREATE TABLE postgres.budgets (id uuid)",
        ["hidden by others", "(budgets)"],
        "DROP TABLE postgres.budgets";
    a_table_that_is_gone:
        "ALTER TABLE alert_events RENAME TO events",
        ["not in the schema public", "(alert_events)"],
        "ALTER TABLE events RENAME TO alert_events";
}

#[tokio::test]
async fn relaxed_durability_waits_for_no_disk() {
    let Some(place) = Place::postgres().await else {
        return;
    };
    let store = place.open().await;
    let (_, url) = place.postgres.clone().unwrap();
    let database = url.rsplit_once('/').unwrap().1;
    let off = format!("ALTER DATABASE {database} SET synchronous_commit = off");
    run(&url, &off).await;
    let options = PostgresOptions::new(&url);
    assert_eq!(refused(&options).await.kind(), ErrorKind::Config);
    opens(&options.with_durability(Durability::Relaxed)).await;
    place.clear(&store).await;
}

#[tokio::test]
async fn a_database_of_other_texts() {
    let Some(place) = Place::postgres().await else {
        return;
    };
    let (admin, url) = place.postgres.clone().unwrap();
    let name = format!("{}_ascii", url.rsplit_once('/').unwrap().1);
    let make = "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0";
    run(&admin, &format!("CREATE DATABASE {name} {make}")).await;
    let ascii = format!("{}/{name}", url.rsplit_once('/').unwrap().0);
    let error = refused(&PostgresOptions::new(&ascii)).await;
    assert!(error.to_string().contains("UTF8"), "{error}");
    assert!(error.to_string().contains("(SQL_ASCII)"), "{error}");
    run(&admin, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
    let store = place.open().await;
    place.clear(&store).await;
}

#[tokio::test]
async fn a_server_that_only_reads() {
    let Some(place) = Place::postgres().await else {
        return;
    };
    let store = place.open().await;
    let (_, url) = place.postgres.clone().unwrap();
    let database = url.rsplit_once('/').unwrap().1;
    let on = format!("ALTER DATABASE {database} SET default_transaction_read_only = on");
    run(&url, &on).await;
    let error = refused(&PostgresOptions::new(&url)).await;
    assert!(error.to_string().contains("read-only"), "{error}");
    assert!(error.to_string().contains("primary"), "{error}");
    place.clear(&store).await;
}

#[tokio::test]
async fn a_server_that_is_not_there() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let url = format!("postgres://ada:secret@127.0.0.1:{port}/aurax");
    let error = refused(&PostgresOptions::new(url)).await;
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(error.to_string().contains("check that it runs"), "{error}");
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
}
