//! TLS is what the address says: who is trusted, by which name, and whether there is any.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use aurax_core::{Error, ErrorKind};
use aurax_store::{PostgresOptions, Store};

use crate::own::{Folder, count, refused, server};
use crate::place::variable;
use crate::postgres::{Postgres, give_away};

/// A server that speaks TLS alone, but to the login `plain`; its certificate is for 127.0.0.1 and
/// localhost, and it listens at 127.0.0.2, too.
async fn tls_server() -> Option<(Postgres, Folder, PathBuf)> {
    let Some(certificates) = variable("AURAX_TEST_TLS") else {
        println!("1 skipped: AURAX_TEST_TLS is not set");
        return None;
    };
    let certificates = PathBuf::from(certificates);
    let folder = Folder::new();
    let server = Postgres::new(&folder.path().join("data"))?
        .with_setting("ssl=on")
        .with_setting("listen_addresses=127.0.0.1,127.0.0.2");
    server.initialize();
    for (from, to) in [("cert.pem", "server.crt"), ("key.pem", "server.key")] {
        let to = server.data.join(to);
        fs::copy(certificates.join(from), &to).unwrap();
        fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).unwrap();
        give_away(&to);
    }
    let rules = "host all plain 127.0.0.0/8 trust\nhostssl all postgres 127.0.0.0/8 trust\n";
    fs::write(server.data.join("pg_hba.conf"), rules).unwrap();
    server.run().await;
    Some((server, folder, certificates.join("ca.pem")))
}

/// Another authority of the same name.
fn stranger(folder: &Path) -> PathBuf {
    let path = folder.join("stranger.pem");
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ])
        .args(["-subj", "/CN=AURAX tests", "-days", "2", "-keyout"])
        .arg(folder.join("stranger.key"))
        .arg("-out")
        .arg(&path)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    path
}

/// Opens and says how many of the store's connections are not encrypted; there are some.
async fn plain_connections(url: &str, admin: &str) -> Result<i64, Error> {
    let store = Store::postgres(&PostgresOptions::new(url)).await?;
    let of_store =
        "FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'aurax'";
    let all = count(admin, &format!("SELECT count(*) {of_store}")).await;
    assert!(all > 0);
    let plain = count(admin, &format!("SELECT count(*) {of_store} AND NOT ssl")).await;
    store.close().await;
    Ok(plain)
}

#[tokio::test]
async fn a_certificate_is_checked_as_the_address_says() {
    let Some((server, folder, authority)) = tls_server().await else {
        return;
    };
    let stranger = stranger(folder.path());
    let (authority, stranger) = (authority.display(), stranger.display());
    let admin = server.url();
    let elsewhere = |url: &str| url.replace("127.0.0.1", "127.0.0.2");
    for url in [
        admin.clone(),
        format!("{admin}?sslmode=prefer"),
        format!("{admin}?sslmode=require"),
        format!("{admin}?sslmode=require&sslrootcert={authority}"),
        format!("{admin}?sslmode=verify-ca&sslrootcert={authority}"),
        format!("{admin}?sslmode=verify-full&sslrootcert={authority}"),
        format!("{admin}?sslmode=verify-full&sslrootcert={authority}")
            .replace("127.0.0.1", "localhost"),
        format!(
            "{}?sslmode=verify-ca&sslrootcert={authority}",
            elsewhere(&admin)
        ),
    ] {
        let plain = plain_connections(&url, &admin).await;
        assert_eq!(plain.unwrap(), 0, "{url}");
    }
    for (url, reason) in [
        (
            format!("{admin}?sslmode=require&sslrootcert={stranger}"),
            "invalid peer certificate",
        ),
        (
            format!("{admin}?sslmode=verify-ca&sslrootcert={stranger}"),
            "invalid peer certificate",
        ),
        (
            format!("{admin}?sslmode=verify-full&sslrootcert={stranger}"),
            "invalid peer certificate",
        ),
        // The authorities that everybody knows do not know this one.
        (format!("{admin}?sslmode=verify-ca"), "UnknownIssuer"),
        (
            format!(
                "{}?sslmode=verify-full&sslrootcert={authority}",
                elsewhere(&admin)
            ),
            "not valid for name",
        ),
    ] {
        let error = refused(&PostgresOptions::new(&url)).await;
        println!("{error}");
        assert_eq!(error.kind(), ErrorKind::Config, "{url}: {error}");
        let said = error.to_string();
        assert!(
            said.contains("TLS with the database failed"),
            "{url}: {error}"
        );
        assert!(said.contains("sslrootcert"), "{url}: {error}");
        assert!(said.contains(reason), "{url}: {error}");
    }
}

#[tokio::test]
async fn an_authority_whose_file_is_missing_is_named() {
    let url = "postgres://127.0.0.1:1/aurax?sslmode=verify-ca&sslrootcert=/nowhere/ca.pem";
    let error = refused(&PostgresOptions::new(url)).await;
    assert_eq!(error.kind(), ErrorKind::Config);
    let said = error.to_string();
    assert!(said.contains("the file that sslrootcert names"), "{error}");
}

#[tokio::test]
async fn a_server_that_asks_for_tls_says_so() {
    let Some((server, _folder, _)) = tls_server().await else {
        return;
    };
    let error = refused(&PostgresOptions::new(format!(
        "{}?sslmode=disable",
        server.url()
    )))
    .await;
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("sslmode"), "{error}");
    assert!(error.to_string().contains("require"), "{error}");
    let make = "CREATE ROLE plain LOGIN SUPERUSER";
    crate::own::run(&server.url(), make).await;
    let url = format!("{}?sslmode=disable", server.url_of("plain", "postgres"));
    let plain = plain_connections(&url, &server.url()).await.unwrap();
    assert!(plain > 0, "who is asked for no TLS speaks none");
}

#[tokio::test]
async fn a_server_without_tls_is_not_spoken_to_in_the_open() {
    let Some((server, _folder)) = server().await else {
        return;
    };
    for mode in ["require", "verify-ca", "verify-full"] {
        let url = format!("{}?sslmode={mode}", server.url());
        let error = refused(&PostgresOptions::new(url)).await;
        assert_eq!(error.kind(), ErrorKind::Config, "{mode}: {error}");
        let said = error.to_string();
        assert!(
            said.contains("server does not support TLS"),
            "{mode}: {error}"
        );
    }
    let url = format!("{}?sslmode=prefer", server.url());
    assert!(plain_connections(&url, &server.url()).await.unwrap() > 0);
}
