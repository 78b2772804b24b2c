//! Providers and their models.

use std::collections::BTreeMap;

use aurax::{Features, ModelInfo, ProviderInfo};
use serde::Serialize;
use utoipa::ToSchema;

/// A provider that can be asked.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Provider {
    /// What model names begin with.
    pub(crate) name: String,
    /// Other names model names may begin with.
    pub(crate) aliases: Vec<String>,
    /// The protocol it speaks.
    pub(crate) wire: &'static str,
    /// Whether the caller can ask it without a key of their own.
    pub(crate) is_configured: bool,
    /// Whether the caller has an active key to it.
    pub(crate) has_keys: bool,
    pub(crate) capabilities: Capabilities,
}

impl Provider {
    pub(crate) fn new(info: &ProviderInfo, capability: aurax::Capability) -> Self {
        Self {
            name: info.name.to_string(),
            aliases: info.aliases.iter().map(ToString::to_string).collect(),
            wire: info.wire,
            is_configured: false,
            has_keys: false,
            capabilities: Capabilities::of(capability),
        }
    }
}

/// What a provider can do at all, whatever the model.
#[derive(Debug, Serialize, ToSchema)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a flat list of yes and no is the point"
)]
pub(crate) struct Capabilities {
    chat: bool,
    streaming: bool,
    embed: bool,
    tools: bool,
    json_schema: bool,
    vision: bool,
    pdf: bool,
    audio_input: bool,
    reasoning: bool,
    /// Several answers to one request.
    choices: bool,
    list_models: bool,
    count_tokens: bool,
    verify_key: bool,
}

impl Capabilities {
    const fn of(can: aurax::Capability) -> Self {
        Self {
            chat: can.chat,
            streaming: can.streaming,
            embed: can.embed,
            tools: can.tools,
            json_schema: can.json_schema,
            vision: can.vision,
            pdf: can.pdf,
            audio_input: can.audio_input,
            reasoning: can.reasoning,
            choices: can.choices,
            list_models: can.list_models,
            count_tokens: can.count_tokens,
            verify_key: can.verify_key,
        }
    }
}

/// A model.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Model {
    /// The name the provider takes.
    id: String,
    provider: String,
    /// A name for people.
    display_name: Option<String>,
    /// Input and output tokens that fit together.
    context_window: Option<u64>,
    max_input_tokens: Option<u64>,
    max_output_tokens: Option<u64>,
    /// What it can do; `null` where that is not known.
    #[schema(value_type = std::collections::HashMap<String, Option<bool>>)]
    features: Features,
    /// `active`, `deprecated` or `retired`.
    #[schema(value_type = String)]
    lifecycle: aurax::Lifecycle,
    /// When it is or was taken out of service, as `YYYY-MM-DD`.
    retires: Option<String>,
    /// US dollars for a million tokens of a kind, such as `input`, `output` and `cache_read`, as
    /// decimal text; `null` where no price is known.
    prices: Option<BTreeMap<&'static str, String>>,
}

impl Model {
    pub(crate) fn new(
        provider: &str,
        info: ModelInfo,
        prices: Option<BTreeMap<&'static str, String>>,
    ) -> Self {
        Self {
            id: info.id,
            provider: provider.to_owned(),
            display_name: info.display_name,
            context_window: info.context_window,
            max_input_tokens: info.max_input_tokens,
            max_output_tokens: info.max_output_tokens,
            features: info.features,
            lifecycle: info.lifecycle,
            retires: info.retires,
            prices,
        }
    }
}
