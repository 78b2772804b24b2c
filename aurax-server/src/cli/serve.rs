//! `aurax serve`.

use clap::Args;

use super::exit::Done;
use super::shell::Shell;

const EXAMPLES: &str = "Examples:
  aurax serve                                on 127.0.0.1:8000, with SQLite in ./aurax-data
  AURAX_LISTEN=127.0.0.1:9000 aurax serve
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
    listen: Option<std::net::SocketAddr>,
}

impl Serve {
    pub(super) async fn run(self, shell: &Shell) -> Done {
        let boot = shell.boot_server(self.listen).await?;
        Ok(crate::serve::run(boot).await?)
    }
}
