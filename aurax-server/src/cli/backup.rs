//! `aurax backup`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use aurax::store::backup::{Backups, Shelf, StoredBackup};
use clap::Args;
use serde_json::json;

use super::exit::{Done, Failure};
use super::interrupt::Interrupts;
use super::print::{at, size};
use super::progress::Gauge;
use super::shell::{Opened, Shell};
use crate::boot;
use crate::config::{BackupSettings, shown, time};

const EXAMPLES: &str = "Examples:
  aurax backup                                  one, now, into `backups` of the data folder
  aurax backup --to /var/backups/aurax --keep 7
  aurax backup --every 24h --keep 7             again and again, until it is interrupted

Each is one encrypted file of everything, made while calls go on, and read back before an older one
goes. Keep a copy of the master keys (`master.keys` in the data folder) elsewhere: no backup holds
them, and none can be restored without. PostgreSQL needs pg_dump of the server's version.";

/// Back the store up, now or again and again.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Backup {
    /// The folder [default: `backup.folder` of the configuration, else `backups` in the data folder]
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
    /// Make one whenever the last one is that old, such as 24h
    #[arg(long, value_name = "TIME", value_parser = time)]
    every: Option<Duration>,
    /// How many are kept [default: `backup.keep` of the configuration, else 7]
    #[arg(long, value_name = "N")]
    keep: Option<NonZeroUsize>,
    /// Print a JSON object for each
    #[arg(long)]
    json: bool,
}

impl Backup {
    pub(super) async fn run(self, shell: &Shell) -> Done {
        let mut interrupts = Interrupts::new()?;
        let opened = shell.open().await?;
        let done = tokio::select! {
            done = self.work(shell, &opened) => done,
            () = interrupts.next() => Err(Failure::interrupted()),
        };
        opened.close(done).await
    }

    async fn work(&self, shell: &Shell, opened: &Opened) -> Done {
        let usual = BackupSettings::new(opened.config.data.join("backups"));
        let settings = opened.config.backup.as_ref().unwrap_or(&usual);
        let folder = self.to.as_ref().unwrap_or(&settings.folder);
        boot::folder(folder)?;
        let keep = self
            .keep
            .or(NonZeroUsize::new(settings.keep))
            .unwrap_or(NonZeroUsize::MIN);
        let vault = opened.vault().await?;
        let gauge = Gauge::new(&shell.out);
        let progress = gauge.clone();
        let mut backups = Backups::new(
            &opened.store,
            Shelf::new(folder).with_keep(keep),
            boot::backup_keys(&opened.config, &vault),
        )
        .with_progress(move |done| progress.tell(done));
        let Some(every) = self.every else {
            let stored = backups.now().await;
            gauge.end();
            return self.show(shell, &stored?);
        };
        backups = backups.with_interval(every);
        shell.out.remark(format!(
            "a backup every {}, {keep} of them in {}",
            shown(every),
            folder.display()
        ));
        self.again_and_again(shell, &backups, &gauge).await
    }

    /// One that fails is told and tried again.
    async fn again_and_again(&self, shell: &Shell, backups: &Backups, gauge: &Gauge) -> Done {
        const SOON: Duration = Duration::from_secs(60);
        const LATE: Duration = Duration::from_secs(15 * 60);
        loop {
            let made = backups.run_due().await;
            gauge.end();
            let wait = match made {
                Ok(stored) => {
                    if let Some(stored) = stored {
                        self.show(shell, &stored)?;
                    }
                    let due = backups.due_at().await?;
                    let left = Duration::try_from(due - shell.now()).unwrap_or_default();
                    // A clock may be set, and a machine sleep.
                    left.clamp(Duration::from_secs(1), LATE)
                }
                Err(error) => {
                    shell
                        .out
                        .error(format!("error: {error}; it is tried again in a minute"));
                    SOON
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    fn show(&self, shell: &Shell, stored: &StoredBackup) -> Done {
        let bytes = std::fs::metadata(&stored.path).map_or(0, |facts| facts.len());
        let path = stored.path.display();
        if self.json {
            let shown = json!({"path": path.to_string(), "created_at": at(stored.created_at), "bytes": bytes});
            return shell.out.json(&shown);
        }
        shell.out.line(format!(
            "{path} ({}, of {} UTC)",
            size(bytes),
            at(stored.created_at)
        ))
    }
}
