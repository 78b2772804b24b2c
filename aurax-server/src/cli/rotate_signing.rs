//! `aurax keys rotate-signing`.

use std::path::PathBuf;

use clap::Args;

use super::exit::{Done, Failure};
use super::shell::{Opened, Shell};
use crate::auth::SigningKeys;
use crate::boot;

const EXAMPLES: &str = "Examples:
  aurax keys rotate-signing                     and restart the servers that use the file
  aurax keys rotate-signing --only-add          1. where others check tokens, too, and remember the
                                                keys: add one that does not sign yet,
                                                2. restart, and wait until they have read it,
  aurax keys rotate-signing --only-use          3. let the new key sign, and restart again
  aurax keys rotate-signing --file /etc/aurax/signing.keys

Earlier keys are still accepted, so nobody is logged out. A quarter of an hour later no token that
they signed is good any more, but for invitations, and they may be removed from the end of the file.
Servers that share a database learn of one another's keys by themselves, and accept one for an hour
after the last server that had it, and for a week after it signed an invitation here. One that leaked
is forgotten at once: see aurax keys forget-signing. `--file` names the file of auth.signing_key_file, and makes one that is not there.";

/// Sign access tokens with a new key.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct RotateSigning {
    /// The file of signing keys [default: `signing.keys` in the data folder]
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Only add a key that is accepted, and does not sign yet
    #[arg(long, conflicts_with = "only_use")]
    only_add: bool,
    /// Only let the last key of the file sign
    #[arg(long)]
    only_use: bool,
}

const FORGETTING: &str = "Example:
  aurax keys forget-signing uqI5CUeYgBGZkQbCrXl9UyYFmn2eFt1Vxj8kZ2mJ3cE

1. `aurax keys rotate-signing`, and remove the leaked key from every file of signing keys,
2. restart the servers that use those files,
3. and forget it: servers that run learn of it within eleven minutes, and at once when they start.
Whoever holds a token or an invitation that it signed has to ask for another one.";

/// Accept nothing any more that a signing key has signed, which leaked.
#[derive(Debug, Args)]
#[command(after_long_help = FORGETTING)]
pub(super) struct ForgetSigning {
    /// The key's id, as `kid` of the tokens and in /.well-known/jwks.json
    #[arg(allow_hyphen_values = true)]
    id: String,
}

impl ForgetSigning {
    pub(super) async fn run(&self, shell: &Shell, opened: &Opened) -> Done {
        let config = &opened.config;
        let has_keys = config.auth.signing_keys.is_some() || boot::signing_keys(config).exists();
        if has_keys && boot::open_signing_keys(config)?.has(&self.id) {
            let message = "the signing keys here still have it: remove it there first";
            return Err(Failure::config(message));
        }
        if !opened.store.jobs().forget_signing_key(&self.id).await? {
            let message = format!("nobody shares a signing key `{}`", self.id.escape_debug());
            return Err(Failure::not_found(message));
        }
        shell.out.line(format!("forgot key {}", self.id))?;
        let hint =
            "servers that run learn of it within eleven minutes, and at once when they start";
        shell.out.remark(hint);
        Ok(())
    }
}

impl RotateSigning {
    pub(super) fn run(&self, shell: &Shell) -> Done {
        let config = shell.config()?;
        let path = match &self.file {
            Some(file) => file.clone(),
            None if config.auth.signing_keys.is_some() => {
                return Err(Failure::config(
                    "the signing keys are those of auth.signing_key: name their file with --file",
                ));
            }
            None => {
                boot::folder(&config.data)?;
                boot::signing_keys(&config)
            }
        };
        let place = path.display().to_string();
        if !path.exists() {
            let made = SigningKeys::open(&path)?;
            return shell
                .out
                .line(format!("made {place} with key {}", made.id()));
        }
        let (keys, hint) = if self.only_add {
            let hint = "restart every server with the file, then: aurax keys rotate-signing \
                        --only-use";
            (SigningKeys::add(&path)?, hint)
        } else {
            let hint = "restart every server that uses the file";
            let keys = match self.only_use {
                true => SigningKeys::promote(&path)?,
                false => SigningKeys::rotate(&path)?,
            };
            (keys, hint)
        };
        let count = keys.public().keys.len();
        shell.out.line(format!(
            "{place} holds {count} keys, and key {} signs",
            keys.id()
        ))?;
        shell.out.remark(hint);
        Ok(())
    }
}
