//! `aurax migrate`.

use clap::Args;
use serde_json::json;

use super::exit::Done;
use super::shell::Shell;
use super::unless_interrupted;
use crate::config::Database;

const EXAMPLES: &str = "Every command and the server bring the database up to date when they open it; this does only that,
before a new version is started, or with another login:

  AURAX_DATABASE_OWNER_URL=postgres://owner:…@db/aurax aurax migrate

A database that a newer version has migrated is refused.";

/// Bring the database up to date.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Migrate {
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl Migrate {
    pub(super) async fn run(self, shell: &Shell) -> Done {
        unless_interrupted(self.work(shell)).await
    }

    async fn work(&self, shell: &Shell) -> Done {
        let opened = shell.open().await?;
        let place = match &opened.config.database {
            Database::Sqlite(path) => path.display().to_string(),
            Database::Postgres(_) => "PostgreSQL".to_owned(),
        };
        let done = opened.store.migrated().to_vec();
        opened.close(Ok(())).await?;
        if self.json {
            return shell
                .out
                .json(&json!({"database": place, "migrations": done}));
        }
        for name in &done {
            shell.out.line(format!("migrated {name}"))?;
        }
        match done.is_empty() {
            true => shell.out.line(format!("{place} is up to date")),
            false => shell.out.line(format!(
                "{place} is up to date, after {} migrations",
                done.len()
            )),
        }
    }
}
