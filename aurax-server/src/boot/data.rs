//! The data folder.

use std::path::{Path, PathBuf};

use aurax::{Error, ErrorKind, Result};

use crate::config::Config;

/// Makes a folder that only its owner may look into, where there is none.
///
/// # Errors
/// `Config` when it cannot be made, or something else has its name.
pub fn folder(path: &Path) -> Result<()> {
    let cannot = |error: std::io::Error| {
        let message = format!(
            "the data folder {} cannot be made: {}",
            path.display(),
            error.kind()
        );
        Error::new(ErrorKind::Config, message).with_source(error)
    };
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(cannot)
}

/// Where `aurax prices refresh` puts prices.
pub fn installed_prices(config: &Config) -> PathBuf {
    config.data.join("prices.json")
}

pub(super) fn master_keys(config: &Config) -> PathBuf {
    config.data.join("master.keys")
}

/// Where the signing keys are, unless they are configured.
pub(crate) fn signing_keys(config: &Config) -> PathBuf {
    config.data.join("signing.keys")
}
