//! The list of models.
//!
//! Facts: <https://ai.google.dev/api/models>.

use aurax_core::{Error, ErrorKind, ModelInfo, Phase, Result};

use crate::percent::encoded;
use crate::raw::RawObject;

/// What a model must do to be of use here.
const VERBS: [&str; 2] = ["generateContent", "embedContent"];

/// The path of a page of the list; `after` is the token the page before named.
pub(super) fn path(size: u16, after: Option<&str>) -> String {
    match after {
        Some(after) => format!(
            "/v1beta/models?pageSize={size}&pageToken={}",
            encoded(after)
        ),
        None => format!("/v1beta/models?pageSize={size}"),
    }
}

/// Reads a page, and where the next one begins.
pub(super) fn read(body: &[u8]) -> Result<(Vec<ModelInfo>, Option<String>)> {
    let unreadable = || {
        Error::new(ErrorKind::Decode, "the list of models cannot be read").with_phase(Phase::Body)
    };
    let body = std::str::from_utf8(body).map_err(|e| unreadable().with_source(e))?;
    let page = RawObject::parse(body).ok_or_else(unreadable)?;
    // A page without any has no list either.
    let models = page.list("models").unwrap_or_default();
    let models = models
        .iter()
        .filter_map(|entry| model(&RawObject::parse(entry.as_str())?))
        .collect();
    let next = page.text("nextPageToken").filter(|token| !token.is_empty());
    Ok((models, next))
}

fn model(entry: &RawObject) -> Option<ModelInfo> {
    let name = entry.text("name")?;
    let verbs = entry.get("supportedGenerationMethods");
    if let Some(verbs) = verbs.and_then(|verbs| verbs.to::<Vec<String>>().ok())
        && !verbs.iter().any(|verb| VERBS.contains(&verb.as_str()))
    {
        return None;
    }
    let mut info = ModelInfo::new(name.strip_prefix("models/").unwrap_or(&name));
    info.display_name = entry.text("displayName");
    info.context_window = entry.count("inputTokenLimit");
    info.max_output_tokens = entry.count("outputTokenLimit");
    info.features.reasoning = entry.flag("thinking");
    if let Some(thinks) = entry.flag("thinking") {
        info.settings.insert("thinking".to_owned(), thinks);
    }
    Some(info)
}
