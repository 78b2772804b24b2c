//! `aurax prices refresh`.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use aurax::{Bytes, Error, ErrorKind};
use clap::Args;
use futures::StreamExt as _;
use serde_json::json;

use super::{MOST, diff, laid_over, overlaid, read};
use crate::boot::{folder, installed_prices};
use crate::cli::exit::{Done, Failure};
use crate::cli::shell::Shell;
use crate::config::Config;

/// How long fetching a file may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Install a file of prices into the data folder.
#[derive(Debug, Args)]
#[command(
    after_long_help = "The file is checked first; one that is in no order changes nothing. Servers use it once they are
restarted. Without --from, `--remove` goes back to the prices that are built in."
)]
pub(in crate::cli) struct Refresh {
    /// A file of prices, or its https address
    #[arg(long, value_name = "FILE|URL", required_unless_present = "remove")]
    from: Option<String>,
    /// Forget the installed prices
    #[arg(long, conflicts_with = "from")]
    remove: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl Refresh {
    pub(super) async fn run(self, shell: &Shell, config: &Config) -> Done {
        let place = installed_prices(config);
        let Some(from) = &self.from else {
            return remove(shell, &place);
        };
        let json = match from.contains("://") {
            true => fetch(shell, from).await?,
            false => read(Path::new(from))?,
        };
        let after = laid_over(&json, from)?;
        // One that is in no order is replaced.
        let before = match overlaid(&place) {
            Ok(book) if place.exists() => book.into(),
            _ => aurax::PriceBook::builtin(),
        };
        let changes = diff::changes(&before, &after, shell.now());
        folder(&config.data)?;
        write(&place, json.as_bytes())?;
        if self.json {
            shell.out.json(&json!({
                "installed": place.display().to_string(), "price_version": &**after.version(),
                "changes": changes,
            }))?;
        } else {
            shell.out.line(format!(
                "installed {} as {}",
                place.display(),
                after.version()
            ))?;
            shell.out.line(format!("{} rates changed", changes.len()))?;
            diff::show(shell, &changes)?;
        }
        if config.prices.is_some() {
            shell
                .out
                .error("note: `prices` (AURAX_PRICES) names another file, which is used instead");
        }
        shell
            .out
            .remark("servers that run use it once they are restarted");
        Ok(())
    }
}

fn remove(shell: &Shell, place: &Path) -> Done {
    match std::fs::remove_file(place) {
        Ok(()) => shell.out.line(format!("removed {}", place.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            shell.out.line("no prices are installed")
        }
        Err(error) => Err(cannot(place, &error)),
    }
}

fn cannot(place: &Path, error: &std::io::Error) -> Failure {
    Failure::config(format!(
        "{} cannot be written: {}",
        place.display(),
        error.kind()
    ))
}

/// The file is the old one or the new one, whenever the machine stops.
fn write(place: &Path, json: &[u8]) -> Done {
    let draft = place.with_extension("json.new");
    let written = std::fs::File::create(&draft).and_then(|mut file| {
        file.write_all(json)?;
        file.sync_all()?;
        std::fs::rename(&draft, place)
    });
    written.map_err(|error| cannot(place, &error))
}

async fn fetch(shell: &Shell, url: &str) -> Done<String> {
    if !url.starts_with("https://") {
        return Err(Failure::usage("prices are fetched over https alone"));
    }
    let request = http::Request::get(url)
        .header(http::header::ACCEPT, "application/json")
        .body(Bytes::new())
        .map_err(|_| Failure::usage("that is no address"))?;
    let transport = shell.transport();
    let fetched = tokio::time::timeout(PATIENCE, async {
        let response = transport.send(request).await?;
        if !response.status().is_success() {
            let message = format!("the server answers {}", response.status());
            return Err(Error::new(ErrorKind::Server, message));
        }
        let mut body = response.into_body();
        let mut bytes = Vec::new();
        while let Some(chunk) = body.next().await {
            bytes.extend_from_slice(&chunk?);
            if bytes.len() as u64 > MOST {
                let message = format!("the file is longer than {MOST} bytes");
                return Err(Error::new(ErrorKind::TooLarge, message));
            }
        }
        Ok(bytes)
    });
    let late = |_| {
        Error::new(
            ErrorKind::Timeout,
            "the server did not send the file within 60 s",
        )
    };
    let bytes = fetched.await.map_err(late)??;
    String::from_utf8(bytes).map_err(|_| Failure::config("what the server sends is no text"))
}
