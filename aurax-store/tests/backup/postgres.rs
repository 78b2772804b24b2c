//! PostgreSQL: a dump of everything, and a database out of it with all that keeps tenants apart.

use std::sync::{Arc, Mutex};

use aurax_core::{ErrorKind, new_id};
use aurax_store::backup::{Backups, Phase, Restore, StoreKind};
use aurax_store::testkit::Books;
use aurax_store::{PostgresOptions, Store};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

use crate::place::{Folder, Server, has_ada, kept, keys, login, mode, run, with_ada};
use crate::scene::{Scene, acknowledged};

/// The answers of a question, one text each.
async fn ask(url: &str, question: &str) -> Vec<String> {
    let mut server = PgConnection::connect(url).await.unwrap();
    let rows = sqlx::query(AssertSqlSafe(question.to_owned()));
    let rows = rows.fetch_all(&mut server).await.unwrap();
    server.close().await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Every row of every table, as one text for each table.
async fn rows(url: &str) -> Vec<String> {
    let tables = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
        AND relkind = 'r' AND relname NOT IN ('job_leases', 'replicas') ORDER BY 1";
    let mut all = Vec::new();
    for table in ask(url, tables).await {
        let rows = format!(
            "SELECT count(*) || ' ' || COALESCE(md5(string_agg(t::text, ',' ORDER BY t::text)), '') FROM {table} AS t"
        );
        all.push(format!("{table}: {}", ask(url, &rows).await[0]));
    }
    all
}

/// What keeps tenants apart, and everything else that is no row. Of whoever owns the tables there
/// is no more than that it is the owner.
async fn shape(url: &str) -> Vec<String> {
    let owner = ask(
        url,
        "SELECT pg_get_userbyid(relowner)::text FROM pg_class WHERE relname = 'users'",
    )
    .await;
    let mut shape = Vec::new();
    for question in [
        "SELECT relname || ' ' || relkind::text || ' ' || relrowsecurity || ' ' || relforcerowsecurity || ' ' ||
             pg_get_userbyid(relowner) || ' ' || COALESCE(relacl::text, '') || ' ' ||
             COALESCE(pg_get_expr(relpartbound, oid), '')
         FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1",
        "SELECT attrelid::regclass || '.' || attname || ' ' || format_type(atttypid, atttypmod) || ' ' ||
             attnotnull || ' ' || COALESCE(attacl::text, '')
         FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
         WHERE relnamespace = 'public'::regnamespace AND attnum > 0 ORDER BY attrelid::regclass::text, attnum",
        "SELECT pg_policies::text FROM pg_policies ORDER BY 1",
        "SELECT oid::regprocedure || ' ' || pg_get_userbyid(proowner) || ' ' || prosecdef || ' ' ||
             COALESCE(proacl::text, '') || pg_get_functiondef(oid)
         FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1",
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
        "SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) || convalidated
         FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1",
        "SELECT unnest(nspacl)::text FROM pg_namespace WHERE nspname = 'public' AND nspacl IS NOT NULL ORDER BY 1",
    ] {
        let answers = ask(url, question).await;
        shape.extend(answers.iter().map(|line| {
            let line = line.replace(&format!("{}=", owner[0]), "OWNER=");
            let line = line.replace(&format!("/{}", owner[0]), "/OWNER");
            line.replace(&format!(" {} ", owner[0]), " OWNER ")
        }));
    }
    shape
}

/// Names what differs.
fn assert_same(was: &[String], is: &[String]) {
    for line in was.iter().filter(|line| !is.contains(line)) {
        println!("- {line}");
    }
    for line in is.iter().filter(|line| !was.contains(line)) {
        println!("+ {line}");
    }
    assert!(was == is, "see above");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_before_a_backup_under_load_is_in_it() {
    let Some(server) = Server::find() else { return };
    let folder = Folder::new();
    let options = server.options(&server.database().await);
    let store = Store::postgres(&options).await.unwrap();
    let mut scene = Scene::begin(&folder, &store).await;
    let before = acknowledged(&scene.journal);
    // How many replies had arrived when the archive began to fill, and when it was read back.
    let (journal, counts) = (scene.journal.clone(), Arc::new(Mutex::new(Vec::new())));
    let told = counts.clone();
    let keys = keys();
    let backups = Backups::new(&store, folder.shelf(), keys.clone()).with_progress(move |_| {
        told.lock().unwrap().push(acknowledged(&journal).len());
    });
    let stored = backups.now().await.unwrap();
    scene.end().await;
    assert!(counts.lock().unwrap().is_sorted());

    let url = server.database().await;
    let restore = Restore::new(&stored.path, keys);
    let restored = server.options(&url);
    let manifest = restore.into_postgres(&restored).await.unwrap();
    assert_eq!(manifest.store, StoreKind::Postgres);
    let restored = Store::postgres(&restored).await.unwrap();
    let audit = scene.audit(&restored, &before).await;
    println!("{} acknowledged before\n{audit}", before.len());
    assert_eq!(audit.violated(), []);
    restored.close().await;
    store.close().await;
    server.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_at_rest_comes_back_to_the_row_with_all_its_policies() {
    let Some(server) = Server::find() else { return };
    let folder = Folder::new();
    let source = server.database().await;
    let store = Store::postgres(&server.options(&source)).await.unwrap();
    let mut scene = Scene::begin(&folder, &store).await;
    scene.end().await;
    // What was sent on its way is written.
    store.close().await;
    let store = Store::postgres(&server.options(&source)).await.unwrap();
    let (seen, listener) = kept();
    let keys = keys();
    let backups = Backups::new(&store, folder.shelf(), keys.clone()).with_progress(listener);
    let stored = backups.now().await.unwrap();
    let mut phases: Vec<_> = seen.lock().unwrap().iter().map(|step| step.phase).collect();
    phases.dedup();
    assert_eq!(phases, [Phase::Writing, Phase::Verifying]);
    assert_eq!(mode(&stored.path), 0o600);

    let target = server.database().await;
    let (seen, listener) = kept();
    let restore = Restore::new(&stored.path, keys).with_progress(listener);
    let restored = server.options(&target);
    restore.into_postgres(&restored).await.unwrap();
    let mut phases: Vec<_> = seen.lock().unwrap().iter().map(|step| step.phase).collect();
    phases.dedup();
    assert_eq!(
        phases,
        [Phase::Verifying, Phase::Restoring, Phase::Checking]
    );
    let (was, is) = (shape(&source).await, shape(&target).await);
    assert!(was.len() > 200, "{}", was.len());
    assert!(
        was.iter()
            .any(|line| line.contains("aurax_search") && line.contains(" aurax_jobs "))
    );
    assert_same(&was, &is);
    assert_same(&rows(&source).await, &rows(&target).await);
    let restored = Store::postgres(&restored).await.unwrap();
    let books = Books::read(&restored).await.unwrap();
    assert_eq!(books, Books::read(&store).await.unwrap());
    restored.close().await;
    store.close().await;
    server.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_who_is_no_superuser_restores_for_a_login_of_the_program() {
    let Some(server) = Server::find() else { return };
    let folder = Folder::new();
    let source = server.database().await;
    let store = Store::postgres(&server.options(&source)).await.unwrap();
    let (backups, keys) = with_ada(&store, &folder).await;
    let stored = backups.now().await.unwrap();

    let target = server.database().await;
    let (_, name) = target.rsplit_once('/').unwrap();
    let owner = server.role("LOGIN PASSWORD 'one'").await;
    let app = server.role("LOGIN PASSWORD 'two'").await;
    server
        .run(&format!(
            "GRANT aurax_app, aurax_jobs, aurax_ledger TO {owner}, {app};
             ALTER DATABASE {name} OWNER TO {owner}"
        ))
        .await;
    let options = server
        .options(&login(&target, &app, "two"))
        .with_owner_url(login(&target, &owner, "one"));
    let restore = Restore::new(&stored.path, keys);
    restore.into_postgres(&options).await.unwrap();
    assert_same(&shape(&source).await, &shape(&target).await);
    let restored = Store::postgres(&options).await.unwrap();
    assert!(has_ada(&restored).await);
    restored.close().await;
    // As a restore leaves it that was killed between its transaction and its end.
    let search = "ALTER FUNCTION aurax_search(text, uuid, bigint) OWNER TO postgres";
    run(&target, search).await;
    let error = Store::postgres(&options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.message().contains("(aurax_search)"), "{error}");
    store.close().await;
    server.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_see_every_row_backs_nothing_up() {
    let Some(server) = Server::find() else { return };
    let folder = Folder::new();
    let url = server.database().await;
    let role = server.role("LOGIN PASSWORD 'hush'").await;
    let options = server
        .options(&url)
        .with_backup_url(login(&url, &role, "hush"));
    let store = Store::postgres(&options).await.unwrap();
    let (backups, keys) = with_ada(&store, &folder).await;
    let error = backups.now().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    let helps = format!("ALTER ROLE {role} BYPASSRLS");
    assert!(error.message().contains(&helps), "{error}");
    server.run(&format!("ALTER ROLE {role} BYPASSRLS")).await;
    let error = backups.now().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    let helps = format!("GRANT pg_read_all_data TO {role}");
    assert!(error.message().contains(&helps), "{error}");
    assert!(error.message().contains("usage_logs"), "{error}");
    assert_eq!(folder.on_shelf(), [] as [&str; 0]);
    // As the error says.
    server.run(&helps).await;
    let stored = backups.now().await.unwrap();
    let target = server.options(&server.database().await);
    let restore = Restore::new(&stored.path, keys);
    restore.into_postgres(&target).await.unwrap();
    let restored = Store::postgres(&target).await.unwrap();
    assert!(has_ada(&restored).await);
    restored.close().await;
    store.close().await;
    server.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_is_wrong_is_an_error_that_does_not_show_it() {
    let Some(server) = Server::find() else { return };
    let folder = Folder::new();
    let url = server.database().await;
    let nobody = login(&url, "nobody_here", "sesame-hush");
    let options = server.options(&url).with_backup_url(nobody);
    let store = Store::postgres(&options).await.unwrap();
    let (backups, _) = with_ada(&store, &folder).await;
    let error = backups.now().await.unwrap_err();
    let shown = format!("{error} {error:?} {backups:?} {options:?}");
    assert!(!shown.contains("sesame"), "{shown}");
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    let address = "postgres://ada:sesame-hush@[nowhere/x";
    let options = PostgresOptions::new(&url).with_backup_url(address);
    let error = Store::postgres(&options).await.unwrap_err();
    assert!(
        !format!("{error} {error:?}").contains("sesame"),
        "{error:?}"
    );
    store.close().await;
    server.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_to_change_a_table_does_not_hold_calls_up_for_as_long_as_a_dump() {
    let Some(server) = Server::find() else { return };
    let url = server.database().await;
    let store = Store::postgres(&server.options(&url)).await.unwrap();
    // As a dump does, for as long as it takes.
    let mut dump = PgConnection::connect(&url).await.unwrap();
    let lock = "BEGIN; LOCK TABLE messages, usage_logs IN ACCESS SHARE MODE";
    sqlx::raw_sql(lock).execute(&mut dump).await.unwrap();
    // The last month's partition is empty and can go.
    let error = store.jobs().partitions(new_id()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store, "{error}");
    // Nobody waits behind it who reads every partition.
    Books::read(&store).await.unwrap();
    sqlx::raw_sql("ROLLBACK").execute(&mut dump).await.unwrap();
    dump.close().await.unwrap();
    let done = store.jobs().partitions(new_id()).await.unwrap();
    assert!(!done.dropped.is_empty());
    store.close().await;
    server.clear().await;
}
