//! A server for one test, in a folder that goes with it.

use std::path::{Path, PathBuf};

use aurax_core::new_id;
use aurax_store::{PostgresOptions, Store};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::postgres::Postgres;

/// A folder, open to the user that servers run as.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let name = format!("aurax_{}_pg", new_id().simple());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            println!("{} stays: {error}", self.0.display());
        }
    }
}

/// A server in which nothing was made yet; `None`, with a line that says so, where there is none.
pub(crate) async fn server() -> Option<(Postgres, Folder)> {
    let folder = Folder::new();
    let server = Postgres::start(&folder.path().join("data")).await?;
    Some((server, folder))
}

pub(crate) async fn run(url: &str, sql: &str) {
    let mut server = PgConnection::connect(url).await.unwrap();
    let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut server);
    done.await.unwrap();
    server.close().await.unwrap();
}

/// One number that a server says.
pub(crate) async fn count(url: &str, sql: &str) -> i64 {
    let mut server = PgConnection::connect(url).await.unwrap();
    let asked = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut server);
    asked.await.unwrap()
}

/// The error of a store that does not open.
pub(crate) async fn refused(options: &PostgresOptions) -> aurax_core::Error {
    let opened = Store::postgres(options).await;
    opened.map(|_| "it opened").unwrap_err()
}

pub(crate) async fn opens(options: &PostgresOptions) {
    Store::postgres(options).await.unwrap().close().await;
}
