//! Vendors that speak OpenAI responses.

use super::hosted::hosted;
use crate::openai::Quirks;
use crate::preset::{Preset, Protocol};
use crate::responses;

/// The same vendors over another wire: keys, addresses, prices and models are those of `openai` and
/// `xai`, which bare names of models lead to.
pub(super) fn presets() -> Vec<Preset> {
    Vec::from([
        // https://platform.openai.com/docs/api-reference/responses
        Preset {
            base_url_vars: &["OPENAI_BASE_URL"],
            key_vars: &["OPENAI_API_KEY"],
            prices: Some("openai"),
            trace_name: "openai",
            takes_bare_names: false,
            rules: Some(include_str!("../../models/openai.json")),
            protocol: Protocol::Responses(responses::Quirks::openai()),
            ..hosted(
                "openai-responses",
                "https://api.openai.com/v1",
                Quirks::openai(),
            )
        },
        // https://docs.x.ai/docs/api-reference#create-new-response
        Preset {
            base_url_vars: &["XAI_BASE_URL"],
            key_vars: &["XAI_API_KEY"],
            prices: Some("xai"),
            trace_name: "x_ai",
            takes_bare_names: false,
            rules: Some(include_str!("../../models/xai.json")),
            protocol: Protocol::Responses(responses::Quirks::xai()),
            ..hosted("xai-responses", "https://api.x.ai/v1", Quirks::compatible())
        },
    ])
}
