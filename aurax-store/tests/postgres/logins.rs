//! Who a store logs in as: one address is enough, two keep apart who owns the tables.

use aurax_core::{ErrorKind, Page, Principal, Session, SessionStore as _, new_id};
use aurax_store::{Durability, PostgresOptions, Store};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::own::{Folder, count, opens, refused, run, server};
use crate::postgres::Postgres;

/// A tenant with a session.
async fn tenant(store: &Store, name: &str) -> Principal {
    let who = Principal::new(name);
    let session = Session::new(new_id(), time::OffsetDateTime::UNIX_EPOCH);
    store.create(&who, &session).await.unwrap();
    who
}

async fn sessions(store: &Store, who: &Principal) -> usize {
    let page = store.sessions(who, &Page::first()).await.unwrap();
    page.data.len()
}

/// Two tenants see one session each, and so they do where no statement says whose it asks for.
async fn is_isolated(store: &Store) {
    let (ada, eve) = (tenant(store, "ada").await, tenant(store, "eve").await);
    for _ in 0..2 {
        assert_eq!(sessions(store, &ada).await, 1);
        assert_eq!(sessions(store, &eve).await, 1);
        assert_eq!(sessions(store, &Principal::new("mallory")).await, 0);
        store.sabotage_all();
    }
}

/// What the role of traffic sees when a program forgets to say for whom.
async fn sees_nothing_by_itself(url: &str) {
    let mut login = PgConnection::connect(url).await.unwrap();
    let ask = async |login: &mut PgConnection, sql: &str| -> Result<i64, sqlx::Error> {
        let sql = format!("SELECT count(*) FROM {sql}");
        sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(login)
            .await
    };
    let become_app = sqlx::raw_sql("SET ROLE aurax_app").execute(&mut login);
    become_app.await.unwrap();
    assert_eq!(ask(&mut login, "chat_sessions").await.unwrap(), 0);
    let denied = ask(&mut login, "messages_default").await.unwrap_err();
    assert!(denied.to_string().contains("permission denied"), "{denied}");
}

#[tokio::test]
async fn one_address_of_an_owner_who_may_make_roles_is_enough() {
    let Some((server, _folder)) = server().await else {
        return;
    };
    let make = [
        "CREATE ROLE shop LOGIN CREATEROLE",
        "CREATE DATABASE shop OWNER shop",
    ];
    for sql in make {
        run(&server.url(), sql).await;
    }
    let url = server.url_of("shop", "shop");
    let store = Store::postgres(&PostgresOptions::new(&url)).await.unwrap();
    is_isolated(&store).await;
    store.close().await;
    sees_nothing_by_itself(&url).await;
    let strong = "SELECT count(*) FROM pg_roles
                  WHERE rolname LIKE 'aurax%' AND (rolcanlogin OR rolsuper OR rolbypassrls)";
    assert_eq!(count(&url, strong).await, 0);
    opens(&PostgresOptions::new(url)).await;
}

#[tokio::test]
async fn an_owner_who_may_make_no_roles_is_told_what_to_do() {
    let Some((server, _folder)) = server().await else {
        return;
    };
    for sql in ["CREATE ROLE shop LOGIN", "CREATE DATABASE shop OWNER shop"] {
        run(&server.url(), sql).await;
    }
    let options = PostgresOptions::new(server.url_of("shop", "shop"));
    let error = refused(&options).await;
    assert_eq!(error.kind(), ErrorKind::Config);
    let said = error.to_string();
    let (_, advice) = said.split_once("have a superuser run ").unwrap();
    let advice = advice.split(" (code").next().unwrap();
    run(&server.url(), &advice.replace(" TO it", " TO shop")).await;
    let store = Store::postgres(&options).await.unwrap();
    is_isolated(&store).await;
    store.close().await;
}

/// A server with a store that one login owns and another uses.
async fn two_logins() -> Option<(Postgres, Folder, PostgresOptions)> {
    let (server, folder) = server().await?;
    for sql in [
        "CREATE ROLE shop LOGIN CREATEROLE",
        "CREATE ROLE clerk LOGIN",
        "CREATE DATABASE shop OWNER shop",
    ] {
        run(&server.url(), sql).await;
    }
    let options = PostgresOptions::new(server.url_of("clerk", "shop"))
        .with_owner_url(server.url_of("shop", "shop"));
    Some((server, folder, options))
}

#[tokio::test]
async fn a_login_is_a_member_of_the_roles_and_needs_nothing_else() {
    let Some((server, _folder, options)) = two_logins().await else {
        return;
    };
    let error = refused(&options).await;
    assert_eq!(error.kind(), ErrorKind::Config);
    let said = error.to_string();
    assert!(said.contains("GRANT them to it"), "{error}");
    assert!(
        said.contains("(aurax_app, aurax_jobs, aurax_ledger)"),
        "{error}"
    );
    run(
        &server.url(),
        "GRANT aurax_app, aurax_jobs, aurax_ledger TO clerk",
    )
    .await;
    let store = Store::postgres(&options).await.unwrap();
    is_isolated(&store).await;
    store.close().await;
    let owned = "SELECT count(*) FROM pg_class WHERE relowner = 'clerk'::regrole";
    assert_eq!(count(&server.url_of("shop", "shop"), owned).await, 0);
    let alone = refused(&PostgresOptions::new(server.url_of("clerk", "shop"))).await;
    assert_eq!(alone.kind(), ErrorKind::Config, "{alone}");
}

#[tokio::test]
async fn roles_that_pass_policies_by_are_refused() {
    let Some((server, _folder, options)) = two_logins().await else {
        return;
    };
    refused(&options).await;
    let admin = server.url();
    run(&admin, "GRANT aurax_app, aurax_jobs, aurax_ledger TO clerk").await;
    opens(&options).await;
    for (breaks, words, mends) in [
        (
            "ALTER ROLE aurax_app BYPASSRLS",
            "row-level security by, themselves or as members of others: ALTER ROLE … NOSUPERUSER \
             NOBYPASSRLS, and REVOKE other roles from them (aurax_app)",
            "ALTER ROLE aurax_app NOBYPASSRLS",
        ),
        (
            "ALTER ROLE aurax_ledger SUPERUSER",
            "(aurax_ledger)",
            "ALTER ROLE aurax_ledger NOSUPERUSER",
        ),
        (
            "GRANT postgres TO aurax_jobs",
            "(aurax_jobs)",
            "REVOKE postgres FROM aurax_jobs",
        ),
        (
            "GRANT aurax_jobs TO aurax_app",
            "(aurax_app)",
            "REVOKE aurax_jobs FROM aurax_app",
        ),
        (
            "ALTER ROLE clerk SET default_transaction_read_only = on",
            "the database is read-only",
            "ALTER ROLE clerk RESET default_transaction_read_only",
        ),
        (
            "ALTER ROLE aurax_jobs RENAME TO other_jobs",
            "these roles are missing",
            "ALTER ROLE other_jobs RENAME TO aurax_jobs",
        ),
    ] {
        run(&admin, breaks).await;
        let error = refused(&options).await;
        assert_eq!(error.kind(), ErrorKind::Config, "{breaks}: {error}");
        assert!(error.to_string().contains(words), "{breaks}: {error}");
        run(&admin, mends).await;
        opens(&options).await;
    }
}

#[tokio::test]
async fn a_server_that_does_not_wait_for_its_disk_is_refused() {
    let folder = Folder::new();
    let Some(server) = Postgres::new(&folder.path().join("data")) else {
        return;
    };
    let server = server.with_setting("fsync=off");
    server.initialize();
    server.run().await;
    let options = PostgresOptions::new(server.url());
    let error = refused(&options).await;
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("fsync is off"), "{error}");
    opens(&options.with_durability(Durability::Relaxed)).await;
}
