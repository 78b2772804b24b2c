//! The list of models.
//!
//! Facts: <https://github.com/ollama/ollama/blob/main/docs/api.md#list-local-models>.

use aurax_core::{Error, ErrorKind, ModelInfo, Phase, Result};

use crate::raw::RawObject;

/// Reads the list.
pub(super) fn read(body: &[u8]) -> Result<Vec<ModelInfo>> {
    let unreadable = || {
        Error::new(ErrorKind::Decode, "the list of models cannot be read").with_phase(Phase::Body)
    };
    let body = std::str::from_utf8(body).map_err(|e| unreadable().with_source(e))?;
    let list = RawObject::parse(body).ok_or_else(unreadable)?;
    // A server without any may say null.
    let models = list.list("models").unwrap_or_default();
    let models = models.iter().filter_map(|entry| {
        let entry = RawObject::parse(entry.as_str())?;
        Some(ModelInfo::new(
            entry.text("model").or_else(|| entry.text("name"))?,
        ))
    });
    Ok(models.collect())
}
