//! What the crates log: for the server one JSON object a line on standard output, for people and
//! other commands plain lines.

use std::io::IsTerminal as _;

use aurax::{Error, ErrorKind};
use tracing_subscriber::EnvFilter;

use super::exit::{Done, Failure};

/// Who logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Logging {
    /// The server, whose log is its record: everything of note.
    Server,
    /// A command: warnings, or errors alone where it is quiet.
    Command { quiet: bool },
}

/// Logs what is usual, or what `AURAX_LOG` says (`info,aurax_store=debug`).
pub(super) fn begin(filter: Option<&str>, logging: Logging) -> Done {
    let usual = match logging {
        Logging::Server => "info",
        Logging::Command { quiet: false } => "warn",
        Logging::Command { quiet: true } => "error",
    };
    let filter = EnvFilter::builder()
        .parse(filter.unwrap_or(usual))
        .map_err(|_| {
            Failure::config("AURAX_LOG is no filter such as `info` or `warn,aurax_store=debug`")
        })?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter);
    let begun = if logging == Logging::Server && !std::io::stdout().is_terminal() {
        // The spans of a line say which request it belongs to.
        let lines = lines.json().flatten_event(true).with_current_span(false);
        let subscriber = lines.finish();
        tracing::subscriber::set_global_default(subscriber)
    } else {
        let subscriber = lines.with_writer(std::io::stderr).with_ansi(false).finish();
        tracing::subscriber::set_global_default(subscriber)
    };
    begun.map_err(|error| Error::new(ErrorKind::Internal, format!("no logs: {error}")).into())
}
