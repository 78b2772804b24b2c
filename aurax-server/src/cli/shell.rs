//! What commands share: settings, the store, streams, and for whom they work.

use std::path::PathBuf;
use std::sync::Arc;

use aurax::providers::transport::{ReqwestTransport, Transport};
use aurax::providers::{Environment as _, ProcessEnvironment};
use aurax::store::{Store, User, Vault};
use aurax::{Clock as _, Page, Principal, SystemClock};

use super::Common;
use super::exit::{Done, Failure};
use super::logs::{self, Logging};
use super::print::Printer;
use crate::boot::{self, Boot};
use crate::config::Config;

/// The process a command runs in.
#[derive(Debug)]
pub(super) struct Shell {
    pub(super) out: Printer,
    config_file: Option<PathBuf>,
}

/// A store and what it was opened with.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) config: Config,
    pub(super) store: Store,
}

impl Shell {
    pub(super) fn new(common: &Common, logging: Logging) -> Done<Self> {
        let filter = ProcessEnvironment.setting("AURAX_LOG")?;
        logs::begin(filter.as_deref(), logging)?;
        let no_color = ProcessEnvironment.variable("NO_COLOR")?;
        let terminal = ProcessEnvironment.setting("TERM")?;
        let is_plain =
            no_color.is_some_and(|value| !value.is_empty()) || terminal.as_deref() == Some("dumb");
        Ok(Self {
            out: Printer::new(common.quiet, is_plain),
            config_file: common.config.clone(),
        })
    }

    pub(super) fn now(&self) -> time::OffsetDateTime {
        SystemClock.now()
    }

    pub(super) fn config(&self) -> Done<Config> {
        Ok(Config::read(
            self.config_file.as_deref(),
            &ProcessEnvironment,
        )?)
    }

    pub(super) fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(ReqwestTransport::new())
    }

    /// Everything, for a command that calls providers. A model that is named is the default.
    pub(super) async fn boot(&self, model: Option<&str>) -> Done<Boot> {
        let mut config = self.config()?;
        if let Some(model) = model {
            config.model = Some(model.to_owned());
        }
        Ok(Boot::open(config, &ProcessEnvironment, self.transport()).await?)
    }

    /// Everything, for the server. An address that is named is listened on.
    pub(super) async fn boot_server(&self, listen: Option<std::net::SocketAddr>) -> Done<Boot> {
        let mut config = self.config()?;
        config.listen = listen.unwrap_or(config.listen);
        Ok(Boot::open(config, &ProcessEnvironment, self.transport()).await?)
    }

    /// The store alone.
    pub(super) async fn open(&self) -> Done<Opened> {
        let config = self.config()?;
        boot::folder(&config.data)?;
        let store = boot::open_store(&config).await?;
        Ok(Opened { config, store })
    }
}

impl Opened {
    pub(super) async fn vault(&self) -> Done<Vault> {
        Ok(boot::open_vault(&self.config, &self.store).await?)
    }

    /// Closes the store, and gives what the work gave.
    pub(super) async fn close<T>(self, done: Done<T>) -> Done<T> {
        let closed = boot::close_store(&self.store).await;
        let done = done?;
        closed?;
        Ok(done)
    }
}

/// For whom a command works: the account of that address, else whoever runs programs here.
pub(super) async fn principal(store: &Store, user: Option<&str>) -> Done<Principal> {
    match user {
        Some(email) => Ok(Principal::new(account(store, email).await?.id.to_string())),
        None => Ok(Principal::local()),
    }
}

/// The account of an address.
pub(super) async fn account(store: &Store, email: &str) -> Done<User> {
    let found = store.admin().login(email).await?;
    found.map(|(user, _)| user).ok_or_else(|| {
        Failure::not_found(format!("there is no account `{email}`"))
            .with_hint("`aurax users list` shows them")
    })
}

/// Every item of a list, page by page, up to `most`.
pub(super) async fn all<T, F>(most: usize, mut page: impl FnMut(Page) -> F) -> Done<Vec<T>>
where
    F: Future<Output = aurax::Result<aurax::Paged<T>>>,
{
    let mut items = Vec::new();
    let mut next = Page::first().with_limit(Page::MOST);
    loop {
        let paged = page(next).await?;
        items.extend(paged.data);
        match paged.next_cursor {
            Some(cursor) if items.len() < most => {
                next = Page::first().with_limit(Page::MOST).after(cursor);
            }
            _ => break,
        }
    }
    items.truncate(most);
    Ok(items)
}
