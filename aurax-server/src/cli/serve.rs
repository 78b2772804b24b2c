//! `aurax serve`.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use aurax::Result;
use aurax::store::RedisLimits;
use aurax::store::backup::{Backups, Shelf};
use clap::Args;

use super::exit::{Done, Failure};
use super::interrupt::Interrupts;
use super::shell::Shell;
use crate::boot::{self, Boot};
use crate::config::{BackupSettings, Registration};
use crate::{State, StateParts, router, serve};

const EXAMPLES: &str = "Examples:
  aurax serve                                on 127.0.0.1:8000, with SQLite in ./aurax-data
  aurax serve --listen 127.0.0.1:9000
  DATABASE_URL=postgres://… REDIS_URL=redis://… aurax serve

Nothing has to be set up. Without configuration anybody on this machine may register, and the first
account is an operator's; where others can reach it, registration is closed and `aurax users create
--admin` makes the first account. SIGTERM and Ctrl-C let it finish what goes on.";

/// Run the server.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Serve {
    /// The address and port to listen on [default: `listen` of the configuration]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

impl Serve {
    pub(super) async fn run(self, shell: &Shell) -> Done {
        let mut interrupts = Interrupts::new()?;
        let boot = tokio::select! {
            boot = shell.boot_server(self.listen) => boot?,
            () = interrupts.next() => return Err(Failure::interrupted()),
        };
        let served = run(shell, &boot, interrupts).await;
        let closed = boot.close().await;
        served?;
        Ok(closed?)
    }
}

/// Says where the server is, and how its first account is made.
async fn welcome(shell: &Shell, boot: &Boot, url: &str) -> Result<()> {
    let out = &shell.out;
    out.remark(format!(
        "AURAX listens on {url}, with its API described at {url}/docs"
    ));
    if let Ok(model) = boot.engine.default_model() {
        out.remark(format!("where no model is named, {model} answers"));
    }
    if boot.store.admin().has_users().await? {
        return Ok(());
    }
    out.remark(match boot.config.registration() {
        Registration::Open => first_lines(url),
        _ => "make the first account: aurax users create you@example.com --admin".to_owned(),
    });
    Ok(())
}

/// The lines that make an account, log in, chat and show what it cost.
fn first_lines(url: &str) -> String {
    format!(
        r#"
Make an account, log in and chat:

  export AURAX={url}
  curl $AURAX/auth/register --json '{{"email": "you@example.com", "password": "correct horse"}}'
  export TOKEN=$(curl -s $AURAX/auth/login -d username=you@example.com -d 'password=correct horse' |
    sed 's/.*"access_token":"\([^"]*\)".*/\1/')
  export CHAT=$(curl -s $AURAX/chat/sessions -H "Authorization: Bearer $TOKEN" --json '{{}}' |
    sed 's/^{{"id":"\([^"]*\)".*/\1/')
  curl -N $AURAX/chat/sessions/$CHAT/messages -H "Authorization: Bearer $TOKEN" \
    --json '{{"content": "Hello!", "stream": true}}'
  curl $AURAX/api/usage/summary -H "Authorization: Bearer $TOKEN"
"#
    )
}

/// Backups that the server makes itself.
fn backups(boot: &Boot, settings: &BackupSettings) -> Option<Backups> {
    let keep = NonZeroUsize::new(settings.keep)?;
    let shelf = Shelf::new(&settings.folder).with_keep(keep);
    Some(Backups::new(&boot.store, shelf, boot.keys.clone()).with_interval(settings.every))
}

/// Serves until it is interrupted.
async fn run(shell: &Shell, boot: &Boot, mut interrupts: Interrupts) -> Result<()> {
    let config = (*boot.config).clone();
    let keys = boot::open_signing_keys(&config)?;
    let tls = config.tls.as_ref().map(serve::acceptor).transpose()?;
    let listener = serve::listen(config.listen).await?;
    let address = listener.local_addr().unwrap_or(config.listen);
    let (engine, store, vault) = (boot.engine.clone(), boot.store.clone(), boot.vault.clone());
    for plan in &config.plans {
        store.admin().set_plan(plan).await?;
    }
    let backups = config
        .backup
        .as_ref()
        .and_then(|settings| backups(boot, settings));
    let mut parts = StateParts::new(config, engine, store, vault, keys);
    if let Some(redis) = &boot.redis {
        parts = parts.with_limits(Arc::new(RedisLimits::new(redis.clone())));
    }
    if let Some(lists) = &boot.models {
        parts = parts.with_model_lists(lists.clone());
    }
    let state = State::new(parts)?;
    // Before anybody has a token that another server has to know.
    state.auth().share_keys().await?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    welcome(shell, boot, &format!("{scheme}://{address}")).await?;
    let drain = state.drain().clone();
    if let Some(backups) = backups {
        let over = drain.announced().clone();
        drain.tasks().spawn(async move {
            tokio::select! {
                never = backups.run() => match never {},
                () = over.cancelled() => {}
            }
        });
    }
    let serving = serve::serve(listener, router(state.clone()), state, tls);
    tokio::pin!(serving);
    tokio::select! {
        () = &mut serving => return Ok(()),
        () = interrupts.next() => drain.announce(),
    }
    shell
        .out
        .remark("finishing what goes on; interrupt again to cut it off");
    tokio::select! {
        () = &mut serving => return Ok(()),
        () = interrupts.next() => drain.end(),
    }
    serving.await;
    Ok(())
}
