//! A PgBouncer of a test's own. Transactions are all that a store asks of a pooler: the suite of
//! behaviour runs through one that hands connections on after each; here are the other manners.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use aurax_core::{ErrorKind, Principal, Session, SessionStore as _, new_id};
use aurax_store::{PostgresOptions, Store};
use tokio::net::TcpStream;

use crate::own::{Folder, refused};
use crate::place::Place;
use crate::postgres::{as_user, give_away};

/// It ends with the value.
struct Pooler {
    child: Child,
    url: String,
    _folder: Folder,
}

impl Pooler {
    /// In front of the server at `url`, handing connections on after each `mode`.
    async fn start(url: &str, mode: &str) -> Self {
        let folder = Folder::new();
        give_away(folder.path());
        let (server, database) = url.rsplit_once('/').unwrap();
        let (_, server) = server.rsplit_once('@').unwrap();
        let (host, port) = server.split_once(':').unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = free.local_addr().unwrap().port();
        drop(free);
        write(&folder.path().join("users"), "\"postgres\" \"\"\n");
        let settings = folder.path().join("pgbouncer.ini");
        let users = folder.path().join("users");
        write(
            &settings,
            &format!(
                "[databases]\n* = host={host} port={port}\n[pgbouncer]\n\
                 listen_addr = 127.0.0.1\nlisten_port = {own}\nunix_socket_dir =\n\
                 pool_mode = {mode}\nauth_type = trust\nauth_file = {}\n",
                users.display()
            ),
        );
        let mut command = Command::new("pgbouncer");
        command
            .arg("-q")
            .arg(settings)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        as_user(&mut command);
        let child = command.spawn().unwrap();
        let url = format!("postgres://postgres@127.0.0.1:{own}/{database}");
        let answers = async {
            while TcpStream::connect(("127.0.0.1", own)).await.is_err() {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        let limit = std::time::Duration::from_secs(10);
        tokio::time::timeout(limit, answers).await.unwrap();
        Self {
            child,
            url,
            _folder: folder,
        }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    give_away(path);
}

async fn works(store: &Store) {
    let ada = Principal::new("ada");
    for _ in 0..20 {
        let session = Session::new(new_id(), time::OffsetDateTime::UNIX_EPOCH);
        store.create(&ada, &session).await.unwrap();
        assert_eq!(
            store.session(&ada, session.id).await.unwrap().unwrap().id,
            session.id
        );
    }
}

/// Named statements would be lost, or taken for another's, wherever connections are handed on:
/// there are none, even where the address asks for them.
#[tokio::test]
async fn sessions_and_transactions_of_a_pooler_do() {
    let Some(place) = Place::postgres().await else {
        return;
    };
    let (_, url) = place.postgres.clone().unwrap();
    for mode in ["session", "transaction"] {
        let pooler = Pooler::start(&url, mode).await;
        let url = format!("{}?statement-cache-capacity=100", pooler.url);
        let store = Store::postgres(&PostgresOptions::new(url)).await.unwrap();
        works(&store).await;
        store.close().await;
    }
    let store = place.open().await;
    place.clear(&store).await;
}

/// A pooler that hands connections on after each statement can have no transactions.
#[tokio::test]
async fn single_statements_of_a_pooler_do_not() {
    let Some(place) = Place::postgres().await else {
        return;
    };
    let (_, url) = place.postgres.clone().unwrap();
    let pooler = Pooler::start(&url, "statement").await;
    let error = refused(&PostgresOptions::new(&pooler.url)).await;
    println!("{error}");
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    assert!(error.to_string().contains("pool_mode"), "{error}");
    drop(pooler);
    let store = place.open().await;
    place.clear(&store).await;
}
