//! The list of models.
//!
//! Facts: <https://platform.claude.com/docs/en/api/models/list>; fields as in the official Python
//! SDK 2.12.

use aurax_core::{Error, ErrorKind, Lifecycle, ModelInfo, Phase, Result};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::percent::encoded;
use crate::raw::RawObject;

/// The path of a page of the list; `after` is where the page before ended.
pub(super) fn path(limit: u16, after: Option<&str>) -> String {
    match after {
        Some(after) => format!("/v1/models?limit={limit}&after_id={}", encoded(after)),
        None => format!("/v1/models?limit={limit}"),
    }
}

/// Reads a page, and where the next one begins.
///
/// A page that does not say whether there is more is the last one.
pub(super) fn read(body: &[u8]) -> Result<(Vec<ModelInfo>, Option<String>)> {
    let unreadable = || {
        Error::new(ErrorKind::Decode, "the list of models cannot be read").with_phase(Phase::Body)
    };
    let body = std::str::from_utf8(body).map_err(|e| unreadable().with_source(e))?;
    let page = RawObject::parse(body).ok_or_else(unreadable)?;
    let models: Vec<ModelInfo> = page
        .list("data")
        .ok_or_else(unreadable)?
        .iter()
        .filter_map(|entry| model(&RawObject::parse(entry.as_str())?))
        .collect();
    let next = page
        .flag("has_more")
        .filter(|more| *more)
        .and_then(|_| page.text("last_id"))
        .filter(|_| !models.is_empty());
    Ok((models, next))
}

fn model(entry: &RawObject) -> Option<ModelInfo> {
    let mut info = ModelInfo::new(entry.text("id")?);
    info.display_name = entry.text("display_name");
    info.context_window = entry.count("max_input_tokens");
    info.max_output_tokens = entry.count("max_tokens");
    info.lifecycle = match entry.text("lifecycle").as_deref() {
        Some("deprecated") => Lifecycle::Deprecated,
        Some("retired") => Lifecycle::Retired,
        _ => Lifecycle::Active,
    };
    info.retires = entry
        .text("retires_at")
        .and_then(|at| at.get(..10).map(str::to_owned));
    // A date that is not known is given as the epoch.
    info.created = entry
        .text("created_at")
        .and_then(|at| OffsetDateTime::parse(&at, &Rfc3339).ok())
        .map(OffsetDateTime::unix_timestamp)
        .or_else(|| i64::try_from(entry.count("created")?).ok())
        .filter(|at| *at > 0);
    info.owned_by = entry.text("owned_by");
    if let Some(capabilities) = entry.object("capabilities") {
        capabilities_into(&mut info, &capabilities);
    }
    Some(info)
}

fn capabilities_into(info: &mut ModelInfo, capabilities: &RawObject) {
    let thinking = capabilities.object("thinking").unwrap_or_default();
    let effort = capabilities.object("effort").unwrap_or_default();
    let server_tools = capabilities.object("server_tools").unwrap_or_default();
    let features = &mut info.features;
    features.vision = supported(capabilities, "image_input");
    features.pdf = supported(capabilities, "pdf_input");
    features.json_schema = supported(capabilities, "structured_outputs");
    features.reasoning = thinking.flag("supported");
    features.web_search = supported(&server_tools, "web_search");

    let types = thinking.object("types").unwrap_or_default();
    for (name, takes) in [
        ("effort", effort.flag("supported")),
        ("thinking", thinking.flag("supported")),
        ("thinking_budget", supported(&types, "enabled")),
        ("thinking_off", supported(&types, "disabled")),
        ("adaptive_thinking", supported(&types, "adaptive")),
        ("thinking_between_tools", supported(&types, "between_tools")),
        ("effort_low", supported(&effort, "low")),
        ("effort_medium", supported(&effort, "medium")),
        ("effort_high", supported(&effort, "high")),
        ("effort_xhigh", supported(&effort, "xhigh")),
        ("effort_max", supported(&effort, "max")),
    ] {
        if let Some(takes) = takes {
            info.settings.insert(name.to_owned(), takes);
        }
    }
}

fn supported(capabilities: &RawObject, name: &str) -> Option<bool> {
    capabilities.object(name)?.flag("supported")
}
