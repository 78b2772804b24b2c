//! Vendors as data: one entry a vendor, nothing else to add.
//!
//! Names of variables are those of the vendors' own SDKs; addresses and deviations come from their
//! documentation, which each entry names.

#[cfg(feature = "openai")]
mod hosted;
#[cfg(any(feature = "anthropic", feature = "gemini", feature = "ollama"))]
mod own;
#[cfg(feature = "openai")]
mod responses;
#[cfg(feature = "openai")]
mod servers;

use std::sync::LazyLock;

#[cfg(feature = "openai")]
use crate::openai::{Quirks, Takes};
use crate::preset::Preset;
#[cfg(feature = "openai")]
use crate::preset::{Auth, KeyPolicy, Protocol};

/// Every vendor there is a preset for.
pub fn all() -> &'static [Preset] {
    static ALL: LazyLock<Vec<Preset>> = LazyLock::new(|| {
        let tables: [Vec<Preset>; _] = [
            #[cfg(any(feature = "anthropic", feature = "gemini", feature = "ollama"))]
            own::presets(),
            #[cfg(feature = "openai")]
            hosted::presets(),
            #[cfg(feature = "openai")]
            servers::presets(),
            #[cfg(feature = "openai")]
            responses::presets(),
        ];
        tables.into_iter().flatten().collect()
    });
    &ALL
}

/// The vendor of that name or alias, whatever the case.
///
/// ```
/// use aurax_providers::presets;
///
/// assert_eq!(presets::find("Claude").map(|preset| preset.name), Some("anthropic"));
/// assert_eq!(presets::near("opanai").first(), Some(&"openai"));
/// ```
pub fn find(name: &str) -> Option<&'static Preset> {
    all()
        .iter()
        .find(|preset| names(preset).any(|known| known.eq_ignore_ascii_case(name)))
}

/// The vendors somebody may have meant by `name`, the nearest first; five at most.
pub fn near(name: &str) -> Vec<&'static str> {
    const ALIKE: f64 = 0.75;
    let name = name.to_ascii_lowercase();
    let likeness = |known: &str| {
        let begins = name.len() >= 2 && (known.starts_with(&name) || name.starts_with(known));
        if begins {
            1.0
        } else {
            strsim::jaro_winkler(known, &name)
        }
    };
    let mut near: Vec<(f64, &'static str)> = all()
        .iter()
        .map(|preset| {
            let best = names(preset).map(likeness).fold(0.0, f64::max);
            (best, preset.name)
        })
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    near.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    near.into_iter().take(5).map(|(_, name)| name).collect()
}

fn names(preset: &Preset) -> impl Iterator<Item = &'static str> {
    std::iter::once(preset.name).chain(preset.aliases.iter().copied())
}

/// Any server that speaks OpenAI chat completions, at `base_url`; paths such as
/// `/chat/completions` are appended to it.
///
/// It accepts what nearly every such server does ([`Quirks::default`]). Where name and address are
/// known only at run time, take `openai-compatible` from [`find`] and set both in the options.
#[cfg(feature = "openai")]
pub fn compatible(name: &'static str, base_url: &'static str) -> Preset {
    Preset {
        name,
        aliases: &[],
        base_url,
        base_url_vars: &[],
        key_vars: &[],
        key: KeyPolicy::Optional,
        auth: Auth::Bearer,
        prices: None,
        trace_name: name,
        takes_bare_names: true,
        default_model: None,
        rules: None,
        protocol: Protocol::OpenAi(Quirks::compatible()),
    }
}

/// Servers of open models sample by `top_k` and `min_p` too.
#[cfg(feature = "openai")]
const WITH_TOP_K: Takes = Takes {
    top_k: true,
    min_p: true,
    ..Takes::COMPATIBLE
};

#[cfg(all(
    test,
    feature = "openai",
    feature = "anthropic",
    feature = "gemini",
    feature = "ollama"
))]
mod tests;
