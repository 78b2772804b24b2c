//! What the price book knows of models besides their prices.

use super::book::PriceBook;
use super::file::{Cap, Status};
use super::listing::{Listing, Provider};
use crate::model::{Features, Lifecycle, ModelInfo};

/// The most successors that are named.
const MOST_SUCCESSORS: usize = 5;

impl PriceBook {
    /// What is known about a model; `None` where the name is not in the book.
    ///
    /// Limits and features come from public model lists. A listed feature is `Some(true)`. One
    /// that is not listed is `None`, not known, save for tools and vision at providers whose
    /// lists the book calls complete, and then only where the model lists something that a
    /// request may ask for: lists of hosts and of new models leave out what a model can do, and a
    /// wrong `Some(false)` would refuse a request that works.
    pub fn model_info(&self, provider: &str, model: &str) -> Option<ModelInfo> {
        let resolved = self.look_up(provider, model)?;
        let mut info = info(resolved.seller, resolved.listing);
        if resolved.listing.is_label {
            info.id = model.trim().to_owned();
        }
        Some(info)
    }

    /// Whether the book knows the model and that it is out of service.
    pub(crate) fn is_retired(&self, provider: &str, model: &str) -> bool {
        self.look_up(provider, model)
            .is_some_and(|found| lifecycle(found.listing) == Lifecycle::Retired)
    }

    /// All models of a provider that it takes by name, in the book's order; none where the
    /// provider is not in the book.
    pub fn models(&self, provider: &str) -> Vec<ModelInfo> {
        self.provider(provider).map_or_else(Vec::new, |provider| {
            let named = provider
                .listings()
                .iter()
                .filter(|listing| !listing.is_label);
            named.map(|listing| info(provider, listing)).collect()
        })
    }

    /// Newer models of the same family that are in service, the newest first, at most five.
    ///
    /// Two models are of one family when they are of one kind and their ids differ in numbers,
    /// dates and words such as `latest` only; the higher number is the newer one. Where that
    /// finds nothing, nothing is guessed.
    pub fn successors(&self, provider: &str, model: &str) -> Vec<String> {
        let own = self.provider(provider);
        let Some(resolved) = own.and_then(|own| self.find(own, model)) else {
            return Vec::new();
        };
        let old = Lineage::of(&resolved.listing.id);
        let same_kind = |listing: &Listing| {
            let modes = (&listing.mode, &resolved.listing.mode);
            !matches!(modes, (Some(new), Some(old)) if new != old)
        };
        let mut newer: Vec<(Lineage, &Listing)> = resolved
            .seller
            .listings()
            .iter()
            .filter(|listing| {
                same_kind(listing)
                    && lifecycle(listing) == Lifecycle::Active
                    && listing.status == Status::Active
                    && !listing.is_label
            })
            .map(|listing| (Lineage::of(&listing.id), listing))
            .filter(|(new, _)| new.family == old.family && new.version > old.version)
            .collect();
        newer.sort_by(|(a, a_listing), (b, b_listing)| {
            b.version
                .cmp(&a.version)
                .then_with(|| a_listing.id.cmp(&b_listing.id))
        });
        let newer = newer.into_iter().take(MOST_SUCCESSORS);
        newer.map(|(_, listing)| listing.id.to_string()).collect()
    }
}

fn info(provider: &Provider, listing: &Listing) -> ModelInfo {
    let mut info = ModelInfo::new(&*listing.id);
    info.context_window = listing.context;
    info.max_input_tokens = listing.max_input;
    info.max_output_tokens = listing.max_output;
    if let Some(caps) = &listing.caps {
        info.features = features(caps, &provider.complete_caps);
    }
    info.lifecycle = lifecycle(listing);
    info.retires.clone_from(&listing.retires);
    info
}

fn lifecycle(listing: &Listing) -> Lifecycle {
    match listing.status {
        Status::Retired => Lifecycle::Retired,
        Status::Deprecated => Lifecycle::Deprecated,
        Status::Active | Status::Unlisted if listing.retires.is_some() => Lifecycle::Deprecated,
        Status::Active | Status::Unlisted => Lifecycle::Active,
    }
}

fn features(caps: &[Cap], complete: &[Cap]) -> Features {
    let described = caps
        .iter()
        .any(|cap| !matches!(cap, Cap::Streaming | Cap::Reasoning));
    let has = |cap: Cap| match caps.contains(&cap) {
        true => Some(true),
        false => (described && complete.contains(&cap)).then_some(false),
    };
    Features {
        tools: has(Cap::Tools),
        parallel_tools: has(Cap::ParallelTools),
        vision: has(Cap::Vision),
        pdf: has(Cap::Pdf),
        audio_input: has(Cap::AudioIn),
        audio_output: has(Cap::AudioOut),
        video_input: has(Cap::VideoIn),
        json_schema: has(Cap::JsonSchema),
        reasoning: has(Cap::Reasoning),
        prompt_cache: has(Cap::PromptCache),
        web_search: has(Cap::WebSearch),
        streaming: has(Cap::Streaming),
    }
}

/// A model's id, parted into what stays and what counts up.
#[derive(Debug, PartialEq, Eq)]
struct Lineage {
    family: Vec<String>,
    version: Vec<u64>,
}

impl Lineage {
    fn of(id: &str) -> Self {
        let mut family = Vec::new();
        let mut version = Vec::new();
        let id = id.to_lowercase();
        for word in id.split(['-', '.', '_', ':', '@', '/', ' ']) {
            // A size in billions, such as `70b` and `8x7b`, tells models apart.
            if word.ends_with('b') && word.contains(|c: char| c.is_ascii_digit()) {
                family.push(word.to_owned());
                continue;
            }
            let name: String = word.chars().filter(|c| !c.is_ascii_digit()).collect();
            // Four digits and more are a date or a build.
            let number: String = word.chars().filter(char::is_ascii_digit).collect();
            if number.len() < 4
                && let Ok(number) = number.parse()
            {
                version.push(number);
            }
            if !name.is_empty() && !matches!(&*name, "latest" | "preview" | "exp" | "v") {
                family.push(name);
            }
        }
        Self { family, version }
    }
}
