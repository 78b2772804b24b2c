//! PostgreSQL that lets in who shows a password, over TLS alone.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;

use aurax_core::ErrorKind;
use aurax_store::backup::Restore;
use aurax_store::{PostgresOptions, Store};

use crate::place::{Folder, has_ada, login, run, variable, with_ada};
use crate::server::Postgres;

/// Makes it so.
async fn close(server: &Postgres, data: &Path, certificates: &Path) {
    let facts = fs::metadata(data).unwrap();
    for (file, mode) in [("cert.pem", 0o644), ("key.pem", 0o600)] {
        let to = data.join(file);
        fs::copy(certificates.join(file), &to).unwrap();
        fs::set_permissions(&to, fs::Permissions::from_mode(mode)).unwrap();
        chown(&to, Some(facts.uid()), Some(facts.gid())).unwrap();
    }
    let login = "hostssl all all 127.0.0.1/32 scram-sha-256\n";
    fs::write(data.join("pg_hba.conf"), login).unwrap();
    for sql in [
        "ALTER ROLE postgres PASSWORD 'se same&hush'",
        "CREATE DATABASE store",
        "CREATE DATABASE restored",
        "ALTER SYSTEM SET ssl_cert_file = 'cert.pem'",
        "ALTER SYSTEM SET ssl_key_file = 'key.pem'",
        "ALTER SYSTEM SET ssl = on",
        "SELECT pg_reload_conf()",
    ] {
        run(&server.url(), sql).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_log_in_as_the_address_says() {
    let Some(certificates) = variable("AURAX_TEST_TLS") else {
        return;
    };
    let Some(programs) = variable("AURAX_TEST_PG_BIN") else {
        return;
    };
    let certificates = Path::new(&certificates);
    let folder = Folder::new();
    // PostgreSQL's own user must get there.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let data = folder.path().join("data");
    let Some(server) = Postgres::start(&data).await else {
        return;
    };
    close(&server, &data, certificates).await;
    let authority = certificates.join("ca.pem");
    let address = |database: &str| {
        let url = login(&server.url(), "postgres", "se%20same%26hush");
        let (server, _) = url.rsplit_once('/').unwrap();
        let tls = format!("sslmode=verify-full&sslrootcert={}", authority.display());
        format!("{server}/{database}?{tls}")
    };
    let options = |database: &str| PostgresOptions::new(address(database)).with_programs(&programs);
    // The server has read its settings when it lets nobody in who does not use TLS.
    let plain = format!("{}?sslmode=disable", login(&server.url(), "postgres", "x"));
    let mut refused = Store::postgres(&PostgresOptions::new(&plain)).await;
    // Where the machine is busy it may not answer in time, too.
    while !matches!(&refused, Err(error) if error.kind() == ErrorKind::Config) {
        refused = Store::postgres(&PostgresOptions::new(&plain)).await;
    }

    // A busy machine may take longer than a store waits: that passes.
    let mut opened = Store::postgres(&options("store")).await;
    for _ in 0..20 {
        if opened
            .as_ref()
            .is_err_and(|error| error.kind() == ErrorKind::Store)
        {
            opened = Store::postgres(&options("store")).await;
        }
    }
    let store = opened.unwrap();
    let (backups, keys) = with_ada(&store, &folder).await;
    let stored = backups.now().await.unwrap();
    let restore = Restore::new(&stored.path, keys);
    restore.into_postgres(&options("restored")).await.unwrap();
    let restored = Store::postgres(&options("restored")).await.unwrap();
    assert!(has_ada(&restored).await);
    restored.close().await;
    store.close().await;
}
