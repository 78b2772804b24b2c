//! Recorded exchanges, as they are on disk.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::jsonl;

/// One recorded exchange, and what the official SDK made of it.
#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) provider: String,
    pub(crate) api: String,
    pub(crate) request: Sent,
    pub(crate) response: Received,
    /// `None` where the SDK cannot read the body.
    pub(crate) expected: Option<Map<String, Value>>,
    pub(crate) expected_null_reason: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Sent {
    /// Null for a GET.
    pub(crate) body: Value,
}

#[derive(Deserialize)]
pub(crate) struct Received {
    pub(crate) status: u16,
    pub(crate) content_type: Option<String>,
    pub(crate) body: String,
}

impl Case {
    pub(crate) fn is_error(&self) -> bool {
        self.response.status >= 400
    }

    /// A stream is recognised by its body: some backends send none of the content types. One of
    /// lines of JSON looks like a whole body, so there the content type says it.
    pub(crate) fn is_stream(&self) -> bool {
        let kind = self.response.content_type.as_deref().unwrap_or_default();
        if kind.contains("ndjson") {
            return true;
        }
        let body = self.response.body.trim_start();
        ["data:", "event:", "id:", ":"]
            .iter()
            .any(|start| body.starts_with(start))
    }

    /// Whose wire format it is: the first word of the api.
    pub(crate) fn family(&self) -> &str {
        match self.api.as_str() {
            "openai.responses" => "responses",
            api => api.split('.').next().unwrap_or_default(),
        }
    }

    pub(crate) fn is_responses(&self) -> bool {
        self.api == "openai.responses"
    }
}

/// Reads every line of every `*.jsonl` file in a folder, by file name.
pub(crate) fn read_folder<T: DeserializeOwned>(folder: &Path) -> Result<Vec<T>, Box<dyn Error>> {
    let mut files = fs::read_dir(folder)
        .map_err(|e| format!("{}: {e}", folder.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<PathBuf>, std::io::Error>>()?;
    files.retain(|path| path.extension().is_some_and(|ext| ext == "jsonl"));
    files.sort();
    if files.is_empty() {
        return Err(format!("{} has no .jsonl files", folder.display()).into());
    }
    let mut cases = Vec::new();
    for file in files {
        cases.extend(jsonl::read(&file)?);
    }
    Ok(cases)
}
