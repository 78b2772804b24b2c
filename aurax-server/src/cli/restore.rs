//! `aurax restore`.

use std::path::PathBuf;

use aurax::Secret;
use aurax::store::backup::{Manifest, Restore as Restoring};
use aurax::store::{KeyFile, KeyRing};
use clap::Args;

use super::exit::{Done, Failure};
use super::keys::read;
use super::print::at;
use super::progress::Gauge;
use super::shell::Shell;
use super::unless_interrupted;
use crate::boot;
use crate::config::{Location, PostgresSettings, location};

const EXAMPLES: &str = "Examples:
  aurax restore backups/aurax-20261122T065911123Z.backup --to restored.db
  aurax restore FILE --to-file url.txt             an address that others should not see
  aurax restore FILE --check                       only read it to its end
  aurax restore FILE --to new.db --keys /safe/master.keys

It makes a new SQLite file, or fills an empty PostgreSQL database, and overwrites nothing. The master
keys of the backup have to be there.";

/// Make a new store of a backup.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Restore {
    /// The backup
    archive: PathBuf,
    /// A new SQLite file, or the address of an empty PostgreSQL database
    #[arg(long, value_name = "FILE|URL", required_unless_present_any = ["check", "to_file"])]
    to: Option<String>,
    /// Read the address from this file
    #[arg(long, value_name = "FILE", conflicts_with = "to")]
    to_file: Option<PathBuf>,
    /// Only read it to its end, and say what it holds
    #[arg(long, conflicts_with_all = ["to", "to_file"])]
    check: bool,
    /// The master keys [default: `master.keys` in the data folder]
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
}

impl Restore {
    pub(super) async fn run(self, shell: &Shell) -> Done {
        unless_interrupted(self.work(shell)).await
    }

    async fn work(&self, shell: &Shell) -> Done {
        let gauge = Gauge::new(&shell.out);
        let progress = gauge.clone();
        let restore = Restoring::new(&self.archive, self.ring(shell)?)
            .with_progress(move |done| progress.tell(done));
        let (restored, place) = match self.target()? {
            None => (restore.verify().await, None),
            Some(Target::File(path)) => {
                let shown = path.display().to_string();
                (restore.into_sqlite(path).await, Some(shown))
            }
            Some(Target::Server(settings)) => {
                let options = boot::postgres_options(&settings);
                (
                    restore.into_postgres(&options).await,
                    Some("the database".to_owned()),
                )
            }
        };
        gauge.end();
        let what = words(&restored?);
        match place {
            Some(place) => shell.out.line(format!("restored {what} into {place}")),
            None => shell.out.line(format!("it is whole: {what}")),
        }
    }

    fn ring(&self, shell: &Shell) -> Done<KeyRing> {
        let config = shell.config()?;
        Ok(match (&self.keys, &config.master_keys) {
            (Some(path), _) => KeyFile::new(path).read()?,
            (None, Some(keys)) => KeyRing::parse(keys, "AURAX_MASTER_KEY")?,
            (None, None) => KeyFile::new(config.data.join("master.keys")).read()?,
        })
    }

    fn target(&self) -> Done<Option<Target>> {
        let address = match (&self.to, &self.to_file) {
            (Some(to), _) => Secret::new(to.as_str()),
            (None, Some(path)) => read(path)?,
            (None, None) => return Ok(None),
        };
        if let (Some(to), false) = (&self.to, is_address(&self.to)) {
            return Ok(Some(Target::File(PathBuf::from(to))));
        }
        match location(&address) {
            Ok(Location::Sqlite(path)) => Ok(Some(Target::File(path))),
            Ok(Location::Postgres) => {
                let mut settings = PostgresSettings::new("");
                settings.url = address.into();
                Ok(Some(Target::Server(settings)))
            }
            Err(wrong) => Err(Failure::usage(format!("what to restore into {wrong}"))),
        }
    }
}

enum Target {
    File(PathBuf),
    Server(PostgresSettings),
}

fn is_address(to: &Option<String>) -> bool {
    to.as_ref()
        .is_some_and(|to| to.contains("://") || to.starts_with("sqlite:"))
}

fn words(manifest: &Manifest) -> String {
    format!(
        "a {} store of {} UTC, made by AURAX {}",
        manifest.store,
        at(manifest.created_at),
        manifest.aurax_version
    )
}
