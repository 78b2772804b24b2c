//! What the crates log, on standard error, for a command that is not the server.

use aurax::{Error, ErrorKind};
use tracing_subscriber::EnvFilter;

use super::exit::{Done, Failure};

/// Shows warnings, only errors where it is quiet, or what `AURAX_LOG` says
/// (`info,aurax_store=debug`).
pub(super) fn begin(filter: Option<&str>, quiet: bool) -> Done {
    let usual = if quiet { "error" } else { "warn" };
    let filter = EnvFilter::builder()
        .parse(filter.unwrap_or(usual))
        .map_err(|_| {
            Failure::config("AURAX_LOG is no filter such as `info` or `warn,aurax_store=debug`")
        })?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .finish();
    tracing::subscriber::set_global_default(subscriber)
        .map_err(|error| Error::new(ErrorKind::Internal, format!("no logs: {error}")).into())
}
