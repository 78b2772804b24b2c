//! Files with one JSON value a line.

use std::error::Error;
use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;

/// Reads every line of a file.
pub(crate) fn read<T: DeserializeOwned>(file: &Path) -> Result<Vec<T>, Box<dyn Error>> {
    let text = fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(number, line)| {
            serde_json::from_str(line)
                .map_err(|e| format!("{}:{number}: {e}", file.display()).into())
        })
        .collect()
}
