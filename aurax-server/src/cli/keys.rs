//! `aurax keys`.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use aurax::providers::presets;
use aurax::store::{ProviderKey, ProviderKeys};
use aurax::{ErrorKind, Secret};
use clap::{Args, Subcommand};
use uuid::Uuid;

use super::exit::{Done, Failure};
use super::print::at;
use super::rotate::Rotate;
use super::rotate_signing::{ForgetSigning, RotateSigning};
use super::shell::{Opened, Shell, all, principal};
use super::table::{Side, Table};
use super::unless_interrupted;

const EXAMPLES: &str = "Examples:
  aurax keys add openai < key.txt          the key is read from standard input
  aurax keys add openai --name work --file /run/secrets/openai
  aurax keys list
  aurax keys rm openai --name work
  aurax keys rotate                        seal all keys with a new master key
  aurax keys rotate-signing                sign access tokens with a new key
  aurax keys forget-signing ID             accept nothing that a leaked one signed

A key is sealed when it is stored, and never shown again but for its last four characters. It is
never an argument, which others on the machine could read.";

/// Store keys to providers, sealed.
#[derive(Debug, Subcommand)]
#[command(after_long_help = EXAMPLES)]
pub(super) enum Keys {
    /// List keys, without showing them
    List(List),
    /// Store a key, read from standard input or a file
    Add(Add),
    /// Forget a key
    Rm(Remove),
    /// Seal all keys, of everybody, with a new master key
    Rotate(Rotate),
    /// Sign access tokens with a new key
    RotateSigning(RotateSigning),
    /// Accept nothing any more that a signing key has signed
    ForgetSigning(ForgetSigning),
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only of this provider
    provider: Option<String>,
    /// Of the account of this address
    #[arg(long, value_name = "EMAIL")]
    user: Option<String>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// The provider, such as openai
    provider: String,
    /// A name for it
    #[arg(long, default_value = "default")]
    name: String,
    /// Read the key from this file, not from standard input
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Use it at this address alone, not at the provider's own
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Put it in the place of one of that name
    #[arg(long)]
    replace: bool,
    /// For the account of this address
    #[arg(long, value_name = "EMAIL")]
    user: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Remove {
    /// The provider
    provider: String,
    /// The key's name
    #[arg(long, default_value = "default", conflicts_with = "all")]
    name: String,
    /// All keys for the provider
    #[arg(long)]
    all: bool,
    /// Of the account of this address
    #[arg(long, value_name = "EMAIL")]
    user: Option<String>,
}

impl Keys {
    pub(super) async fn run(self, shell: &Shell) -> Done {
        // It may wait for somebody who types.
        let key = match &self {
            Self::Add(add) => Some(add.key()?),
            _ => None,
        };
        if let Self::RotateSigning(rotate) = &self {
            return rotate.run(shell);
        }
        let opened = shell.open().await?;
        let done = unless_interrupted(async {
            match (&self, &key) {
                (Self::List(list), _) => list.run(shell, &opened).await,
                (Self::Add(add), Some(key)) => add.run(shell, &opened, key).await,
                (Self::Add(_), None) | (Self::RotateSigning(_), _) => Ok(()),
                (Self::Rm(remove), _) => remove.run(shell, &opened).await,
                (Self::Rotate(rotate), _) => rotate.run(shell, &opened).await,
                (Self::ForgetSigning(forget), _) => forget.run(shell, &opened).await,
            }
        })
        .await;
        opened.close(done).await
    }
}

/// The one name of a provider.
fn provider(name: &str) -> Done<&'static str> {
    presets::find(name)
        .map(|preset| preset.name)
        .ok_or_else(|| {
            let near = presets::near(name);
            let failure = Failure::not_found(format!("there is no provider `{name}`"));
            match near.is_empty() {
                true => failure.with_hint("`aurax models` names the providers"),
                false => failure.with_hint(format!("did you mean {}?", near.join(", "))),
            }
        })
}

async fn keys_of(opened: &Opened, user: Option<&str>) -> Done<ProviderKeys> {
    let principal = principal(&opened.store, user).await?;
    Ok(opened.store.user(&principal).provider_keys())
}

async fn listed(keys: &ProviderKeys, provider: Option<&'static str>) -> Done<Vec<ProviderKey>> {
    all(1_000, |page| {
        let keys = keys.clone();
        async move { keys.list(provider, &page).await }
    })
    .await
}

impl List {
    async fn run(&self, shell: &Shell, opened: &Opened) -> Done {
        let of = self.provider.as_deref().map(provider).transpose()?;
        let keys = listed(&keys_of(opened, self.user.as_deref()).await?, of).await?;
        let mut table = Table::new([
            ("PROVIDER", Side::Left),
            ("NAME", Side::Left),
            ("KEY", Side::Left),
            ("ACTIVE", Side::Left),
            ("STORED (UTC)", Side::Left),
            ("ADDRESS", Side::Left),
        ]);
        for key in &keys {
            if self.json {
                shell.out.json(key)?;
                continue;
            }
            table.row([
                key.provider.clone(),
                key.key_name.clone(),
                key.masked_key.clone(),
                if key.is_active { "yes" } else { "no" }.to_owned(),
                at(key.created_at),
                key.base_url.clone().unwrap_or_default(),
            ]);
        }
        match (self.json, keys.is_empty()) {
            (true, _) => Ok(()),
            (false, true) => shell.out.line("no keys are stored"),
            (false, false) => table.print(&shell.out),
        }
    }
}

impl Add {
    fn key(&self) -> Done<Secret> {
        provider(&self.provider)?;
        let key = match &self.file {
            Some(path) => read(path)?,
            None => secret(std::io::stdin().lock(), "standard input")?,
        };
        match key.is_blank() {
            true => Err(Failure::usage(
                "there is no key: pipe it in, or name a file with --file",
            )),
            false => Ok(key),
        }
    }

    async fn run(&self, shell: &Shell, opened: &Opened, key: &Secret) -> Done {
        let name = provider(&self.provider)?;
        let vault = opened.vault().await?;
        let keys = keys_of(opened, self.user.as_deref()).await?;
        let base_url = self.base_url.as_deref();
        let stored = keys.seal(&vault, name, &self.name, base_url, key).await;
        let stored = match stored {
            Err(error) if error.kind() == ErrorKind::Conflict && self.replace => {
                let id = find(&keys, name, &self.name).await?;
                keys.seal_again(&vault, id, base_url, key).await?
            }
            Err(error) if error.kind() == ErrorKind::Conflict => {
                let hint = "--replace puts this one in its place";
                return Err(Failure::from(error).with_hint(hint));
            }
            stored => stored?,
        };
        let what = format!(
            "stored {} key `{}` {}",
            stored.provider, stored.key_name, stored.masked_key
        );
        shell.out.line(what)
    }
}

impl Remove {
    async fn run(&self, shell: &Shell, opened: &Opened) -> Done {
        let name = provider(&self.provider)?;
        let keys = keys_of(opened, self.user.as_deref()).await?;
        if self.all {
            let removed = keys.delete_all(name).await?;
            return shell.out.line(format!("forgot {removed} keys for {name}"));
        }
        let id = find(&keys, name, &self.name).await?;
        keys.delete(id).await?;
        shell.out.line(format!("forgot {name} key `{}`", self.name))
    }
}

async fn find(keys: &ProviderKeys, provider: &'static str, name: &str) -> Done<Uuid> {
    let listed = listed(keys, Some(provider)).await?;
    let found = listed.iter().find(|key| key.key_name == name);
    found.map(|key| key.id).ok_or_else(|| {
        Failure::not_found(format!("there is no {provider} key `{name}`"))
            .with_hint("`aurax keys list` shows them")
    })
}

/// A secret of a file.
pub(super) fn read(path: &Path) -> Done<Secret> {
    let place = path.display().to_string();
    let file = std::fs::File::open(path)
        .map_err(|error| Failure::config(format!("{place} cannot be read: {}", error.kind())))?;
    secret(file, &place)
}

/// A secret of a stream, without what is around it.
pub(super) fn secret(stream: impl std::io::Read, place: &str) -> Done<Secret> {
    const MOST: u64 = 16 << 10;
    // Room for all of it: a buffer that grows would leave copies behind.
    let mut text = zeroize::Zeroizing::new(String::with_capacity(MOST as usize + 64));
    let read = stream
        .take(MOST.saturating_add(1))
        .read_to_string(&mut text);
    let length =
        read.map_err(|error| Failure::config(format!("{place} cannot be read: {}", error.kind())))?;
    match length as u64 > MOST {
        true => Err(Failure::usage(format!(
            "{place} is longer than {MOST} bytes: it is no key"
        ))),
        false => Ok(Secret::new(text.trim())),
    }
}
