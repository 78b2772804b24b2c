//! `aurax prices check`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{book, overlaid};
use crate::boot::installed_prices;
use crate::cli::exit::Done;
use crate::cli::print::count;
use crate::cli::shell::Shell;
use crate::config::Config;

/// Check a file of prices, or those in use.
#[derive(Debug, Args)]
pub(in crate::cli) struct Check {
    /// A file of prices; without it, those in use
    file: Option<PathBuf>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(self, shell: &Shell, config: &Config) -> Done {
        let book = match &self.file {
            Some(path) => overlaid(path)?.into(),
            None => book(config)?,
        };
        let installed = installed_prices(config);
        let source = match (&self.file, &config.prices) {
            (Some(path), _) | (None, Some(path)) => path.display().to_string(),
            (None, None) if installed.exists() => installed.display().to_string(),
            (None, None) => "built in".to_owned(),
        };
        let providers = book.providers().count();
        let models: usize = book
            .providers()
            .map(|provider| book.models(provider).len())
            .sum();
        if self.json {
            let shown = json!({
                "source": source, "providers": providers, "models": models,
                "price_version": &**book.version(),
            });
            return shell.out.json(&shown);
        }
        shell.out.line(format!(
            "{source}: in order. With it the price book has {} providers and {} models, as {}",
            providers,
            count(models as u64),
            book.version()
        ))
    }
}
