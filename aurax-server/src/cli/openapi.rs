//! `aurax openapi`.

use clap::Args;

use super::exit::Done;
use super::shell::Shell;

/// Print the OpenAPI document.
#[derive(Debug, Args)]
#[command(after_long_help = "Example:
  aurax openapi > openapi.json

It is OpenAPI 3.1, the same as the server's /openapi.json.")]
pub(super) struct Openapi {}

impl Openapi {
    pub(super) fn run(self, shell: &Shell) -> Done {
        shell.out.document(&crate::openapi())
    }
}
