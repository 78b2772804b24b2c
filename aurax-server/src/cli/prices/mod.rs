//! `aurax prices`.

mod check;
mod diff;
mod refresh;
mod show;

use std::path::Path;
use std::sync::Arc;

use aurax::PriceBook;
use clap::Subcommand;

use super::exit::{Done, Failure};
use super::shell::Shell;
use super::unless_interrupted;
use crate::boot::installed_prices;
use crate::config::Config;

const EXAMPLES: &str = "Examples:
  aurax prices show openai/gpt-4o-mini
  aurax prices check my-prices.json
  aurax prices refresh --from my-prices.json
  aurax prices refresh --from https://prices.example.com/aurax.json

Prices of your own lie over those built in. They are a file in the price book's format:
  {\"providers\": {\"acme\": {\"models\": [
    {\"id\": \"acme-large\", \"prices\": [{\"usd\": {\"input\": \"3\", \"output\": \"12\"}}]}
  ]}}}";

/// Look up, check or refresh prices.
#[derive(Debug, Subcommand)]
#[command(after_long_help = EXAMPLES)]
pub(super) enum Prices {
    /// Show all prices of a model
    Show(show::Show),
    /// Check a file of prices, or those in use
    Check(check::Check),
    /// Install a file of prices into the data folder
    Refresh(refresh::Refresh),
}

impl Prices {
    pub(super) async fn run(self, shell: &Shell) -> Done {
        let config = shell.config()?;
        match self {
            Self::Show(show) => show.run(shell, &config),
            Self::Check(check) => check.run(shell, &config),
            Self::Refresh(refresh) => unless_interrupted(refresh.run(shell, &config)).await,
        }
    }
}

/// The largest file of prices, in bytes.
const MOST: u64 = 32 << 20;

/// The book in use.
fn book(config: &Config) -> Done<Arc<PriceBook>> {
    let installed = installed_prices(config);
    match &config.prices {
        Some(path) => overlaid(path).map(Arc::new),
        None if installed.exists() => overlaid(&installed).map(Arc::new),
        None => Ok(PriceBook::builtin()),
    }
}

fn overlaid(path: &Path) -> Done<PriceBook> {
    laid_over(&read(path)?, &path.display().to_string())
}

/// The built-in book with a file over it.
fn laid_over(json: &str, place: &str) -> Done<PriceBook> {
    PriceBook::builtin()
        .with_overlay(json)
        .map_err(|error| Failure::config(format!("{place} is no price file: {error}")))
}

fn read(path: &Path) -> Done<String> {
    use std::io::Read as _;
    let place = path.display();
    let mut text = String::new();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(MOST.saturating_add(1)).read_to_string(&mut text));
    let length = read.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Failure::not_found(format!("there is no file {place}")),
        kind => Failure::config(format!("{place} cannot be read: {kind}")),
    })?;
    match length as u64 > MOST {
        true => Err(Failure::config(format!(
            "{place} is longer than {MOST} bytes"
        ))),
        false => Ok(text),
    }
}
