//! `aurax keys rotate`.

use std::path::PathBuf;

use aurax::store::backup::{KeySource, Shelf};
use aurax::store::{KeyFile, Vault};
use clap::Args;

use super::exit::{Done, Failure};
use super::print::count;
use super::progress::Gauge;
use super::shell::{Opened, Shell};
use crate::boot;

const EXAMPLES: &str = "Examples:
  aurax keys rotate                                  with no server running
  aurax keys rotate --only-add                       1. with servers running: add a master key,
                                                     2. restart each, so that it knows the key,
  aurax keys rotate --only-seal                      3. and seal everything with it
  aurax keys rotate --drop-unused --backups FOLDER   forget master keys that seal nothing any more

It can be interrupted at any point: every key opens, and the next run goes on. Earlier master keys
stay in the file, because backups are sealed with them, until they are dropped: name every folder of
backups that you want to restore from.";

/// Seal all keys, of everybody, with a new master key.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Rotate {
    /// Only add a master key, and seal nothing yet
    #[arg(long, conflicts_with_all = ["only_seal", "drop_unused"])]
    only_add: bool,
    /// Only seal with the newest master key there is
    #[arg(long)]
    only_seal: bool,
    /// Afterwards, drop master keys that seal neither a key nor a backup
    #[arg(long, requires = "backups")]
    drop_unused: bool,
    /// A folder of backups whose master keys stay; may be repeated
    #[arg(long, value_name = "FOLDER")]
    backups: Vec<PathBuf>,
}

impl Rotate {
    pub(super) async fn run(&self, shell: &Shell, opened: &Opened) -> Done {
        let keys = match self.only_seal {
            // Though the installation may be known by another one, which is lost.
            true => boot::own_keys(&opened.config)?,
            false => opened.vault().await?.keys().clone(),
        };
        let KeySource::File(file) = boot::key_source(&opened.config, &keys) else {
            return Err(Failure::config(
                "the master keys come from AURAX_MASTER_KEY: put a new one in front there, restart \
                 the servers, and run it again with a key file",
            ));
        };
        let out = &shell.out;
        let ring = match self.only_seal || self.drop_unused {
            true => file.read()?,
            false => file.add(shell.now())?,
        };
        if !self.only_seal && !self.drop_unused {
            out.line(format!(
                "added master key {} to {}",
                ring.current(),
                file.path().display()
            ))?;
        }
        if self.only_add {
            out.remark(
                "restart every server that uses the file, then: aurax keys rotate --only-seal",
            );
            return Ok(());
        }
        let gauge = Gauge::new(out);
        let progress = gauge.clone();
        let rotated = opened
            .store
            .jobs()
            .rotate_keys(&Vault::new(ring.clone()), move |done| {
                progress.say(&format!("sealed {} keys anew", count(done.keys)));
            })
            .await?;
        gauge.end();
        out.line(format!(
            "{} keys were sealed with master key {}",
            count(rotated.keys),
            ring.current()
        ))?;
        if !rotated.failed.is_empty() {
            let message = format!(
                "{} keys could not be opened and stay as they are: {}",
                rotated.failed.len(),
                rotated
                    .failed
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(", ")
            );
            return Err(aurax::Error::new(aurax::ErrorKind::Internal, message).into());
        }
        if self.drop_unused {
            return self.drop(shell, opened, &file).await;
        }
        out.remark("copy the key file to where you keep its copy: no backup holds it");
        Ok(())
    }

    async fn drop(&self, shell: &Shell, opened: &Opened, file: &KeyFile) -> Done {
        let ring = file.read()?;
        let before = ring.ids().count();
        let mut in_use = opened.store.jobs().master_keys_in_use().await?;
        let configured = opened
            .config
            .backup
            .as_ref()
            .map(|backup| backup.folder.clone());
        for folder in self.backups.iter().cloned().chain(configured) {
            if !folder.is_dir() {
                return Err(Failure::config(format!(
                    "{} is no folder",
                    folder.display()
                )));
            }
            in_use.extend(Shelf::new(folder).master_keys(&ring).await?);
        }
        in_use.sort_by_key(|id| *id.as_bytes());
        in_use.dedup();
        let left = file.drop_unused(&in_use)?.ids().count();
        shell.out.line(format!(
            "dropped {} master keys, {left} stay",
            before.saturating_sub(left)
        ))
    }
}
