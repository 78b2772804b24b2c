//! The command `aurax`: the server, and everything that works on its store without it.
//!
//! Every command opens the configured store itself, in its own process; several may share it with
//! a server that runs.

mod backup;
mod chat;
mod exit;
mod interrupt;
mod json;
mod keys;
mod logs;
mod migrate;
mod models;
mod openapi;
mod password;
mod prices;
mod print;
mod progress;
mod quote;
mod restore;
mod rotate;
mod rotate_signing;
mod serve;
mod shell;
mod table;
mod usage;
mod users;
mod words;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use exit::{Done, Failure};
use logs::Logging;
use shell::Shell;

/// One engine for talking to many LLM providers, which knows what every call cost.
#[derive(Debug, Parser)]
#[command(
    name = "aurax",
    version,
    about = "One engine for talking to many LLM providers, which knows what every call cost",
    long_about = "One engine for talking to many LLM providers, which knows what every call cost.\n\n\
        Nothing has to be set up: without a provider's key, `aurax chat` talks to an Ollama that \
        listens on this machine, or else to the built-in demo.",
    after_help = "Begin with:\n  \
        aurax chat \"Why is the sky blue?\"     ask, streamed, with tokens, cost and time\n  \
        aurax serve                           the server, on 127.0.0.1:8000\n  \
        aurax COMMAND --help                  more about one, with examples",
    after_long_help = "Settings come from ./aurax.toml (or --config FILE, or AURAX_CONFIG), then from \
        AURAX_* variables, DATABASE_URL and REDIS_URL. Provider keys come from the providers' usual \
        variables (OPENAI_API_KEY, …, each also as …_FILE), or are stored with `aurax keys add`.\n\n\
        Exit codes:\n  \
        0    it is done\n  \
        1    it failed: the store, the disk, a conflict\n  \
        2    the command line, the configuration or the request makes no sense\n  \
        3    the provider or the network failed, or refused\n  \
        4    there is no such thing\n  \
        5    a budget or a quota has no room for it\n  \
        130  it was interrupted; what had been called is recorded",
    disable_help_subcommand = true,
    max_term_width = 100
)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
struct Common {
    /// The configuration [default: AURAX_CONFIG, else ./aurax.toml if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Say only what was asked for: no progress, no remarks
    #[arg(long, short, global = true)]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(serve::Serve),
    /// Ask a model, or talk with it
    Chat(chat::Chat),
    /// List models, with context windows and prices
    Models(models::Models),
    /// Look up, check or refresh prices
    #[command(subcommand)]
    Prices(prices::Prices),
    /// Say the most a call can cost, before it is made
    Quote(quote::Quote),
    /// Show what was used and what it cost
    Usage(usage::Usage),
    /// Store keys to providers, sealed
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Make and change accounts
    #[command(subcommand)]
    Users(users::Users),
    /// Bring the database up to date
    Migrate(migrate::Migrate),
    /// Back the store up, now or again and again
    Backup(backup::Backup),
    /// Make a new store of a backup
    Restore(restore::Restore),
    /// Print the OpenAPI document
    Openapi(openapi::Openapi),
}

/// Runs the command with the arguments, variables and streams of the process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and the version come this way, too.
        Err(error) => {
            let code = if error.use_stderr() {
                exit::USAGE
            } else {
                exit::DONE
            };
            return match error.print() {
                Ok(()) => ExitCode::from(code),
                Err(_) => ExitCode::from(exit::FAILED),
            };
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else {
        return ExitCode::from(exit::FAILED);
    };
    let code = runtime.block_on(run(cli));
    // A thread may still wait for a line that nobody types.
    runtime.shutdown_background();
    ExitCode::from(code)
}

async fn run(cli: Cli) -> u8 {
    let logging = match cli.command {
        Command::Serve(_) => Logging::Server,
        _ => Logging::Command {
            quiet: cli.common.quiet,
        },
    };
    let shell = match Shell::new(&cli.common, logging) {
        Ok(shell) => shell,
        Err(failure) => return exit::report(&failure),
    };
    match dispatch(&shell, cli.command).await {
        Ok(()) => exit::DONE,
        Err(failure) => exit::report(&failure),
    }
}

async fn dispatch(shell: &Shell, command: Command) -> Done {
    let work = async {
        match command {
            // These end by themselves when they are interrupted.
            Command::Serve(serve) => return serve.run(shell).await,
            Command::Chat(chat) => return chat.run(shell).await,
            Command::Models(models) => models.run(shell).await,
            Command::Prices(prices) => prices.run(shell).await,
            Command::Quote(quote) => quote.run(shell).await,
            Command::Usage(usage) => usage.run(shell).await,
            Command::Keys(keys) => keys.run(shell).await,
            Command::Users(users) => users.run(shell).await,
            Command::Migrate(migrate) => migrate.run(shell).await,
            Command::Backup(backup) => backup.run(shell).await,
            Command::Restore(restore) => restore.run(shell).await,
            Command::Openapi(openapi) => openapi.run(shell).await,
        }
    };
    work.await
}

/// The work, unless it is interrupted: it can be dropped at any point.
async fn unless_interrupted(work: impl Future<Output = Done>) -> Done {
    let mut interrupts = interrupt::Interrupts::new()?;
    tokio::select! {
        done = work => done,
        () = interrupts.next() => Err(Failure::interrupted()),
    }
}
