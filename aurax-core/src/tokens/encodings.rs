//! Which encoding a model reads text in, and what a chat costs in it besides its words.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::pricing::{NamePattern, Routes};

/// A vocabulary with its pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
pub(super) enum Encoding {
    #[serde(rename = "r50k_base")]
    R50kBase,
    #[serde(rename = "p50k_base")]
    P50kBase,
    #[serde(rename = "cl100k_base")]
    Cl100kBase,
    #[serde(rename = "o200k_base")]
    O200kBase,
    #[serde(rename = "o200k_harmony")]
    O200kHarmony,
}

/// What a chat costs besides its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChatFormat {
    /// Tokens with which the answer is begun.
    pub(super) reply: u64,
    /// Tokens around the list of tools, where there are instructions to put it into.
    pub(super) tools: u64,
    /// How pictures count; `None` where that is not known.
    #[serde(default)]
    pub(super) image: Option<ImageRule>,
}

/// How pictures count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum ImageRule {
    /// By squares of 512 pixels, after scaling.
    Tiles { base: u64, each: u64 },
    /// By squares of 32 pixels, each a token times `percent` / 100.
    Patches { percent: u64 },
}

/// What is known about a model's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) encoding: Encoding,
    /// `None` where only the text's encoding is known.
    pub(super) chat: Option<ChatFormat>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[expect(dead_code, reason = "for readers of the file")]
    about: String,
    #[expect(dead_code, reason = "for readers of the file")]
    sources: Vec<String>,
    /// For each provider's key in the price book, what its names of these models begin with.
    names: BTreeMap<String, String>,
    models: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    #[serde(rename = "match")]
    names: Vec<NamePattern>,
    /// Open weights: every provider that has a model of that name has this one.
    #[serde(default)]
    anywhere: bool,
    encoding: Encoding,
    #[serde(default)]
    chat: Option<ChatFormat>,
}

/// The file this crate comes with, read once. A test reads it too, so it can be read.
static FILE: LazyLock<Option<File>> = LazyLock::new(|| serde_json::from_str(TEXT).ok());

const TEXT: &str = include_str!("../../tokens/encodings.json");

/// What is known about a model's tokens; `None` where its vocabulary is not public.
///
/// `provider` is its key in the price book: what a server of one's own calls by a well-known
/// name may be anything.
pub(super) fn known(provider: Option<&str>, model: &str) -> Option<Known> {
    let file = FILE.as_ref()?;
    let model = model.trim().to_lowercase();
    let at_home = provider
        .and_then(|provider| file.names.get(provider))
        .and_then(|prefix| model.strip_prefix(prefix.as_str()));
    let last = model.rsplit('/').next().unwrap_or(&model);
    let routes = Routes::default();
    let row = file.models.iter().find(|row| {
        let name = if row.anywhere { Some(last) } else { at_home };
        name.is_some_and(|name| row.names.iter().any(|known| known.matches(name, &routes)))
    })?;
    Some(Known {
        encoding: row.encoding,
        chat: row.chat,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoding(provider: Option<&str>, model: &str) -> Option<Encoding> {
        known(provider, model).map(|known| known.encoding)
    }

    #[test]
    fn the_file_can_be_read() {
        serde_json::from_str::<File>(TEXT).unwrap();
    }

    #[test]
    fn models_are_known_where_they_are_at_home() {
        let openai = Some("openai");
        for model in [
            "gpt-4o",
            "gpt-4o-mini-2024-07-18",
            "gpt-5.2",
            "gpt-5-nano",
            "o3-mini",
            "o1",
            "chatgpt-4o-latest",
            "ft:gpt-4o-mini-2024-07-18:acme::id",
        ] {
            assert_eq!(
                encoding(openai, model),
                Some(Encoding::O200kBase),
                "{model}"
            );
        }
        for model in [
            "gpt-4",
            "gpt-4-turbo-2024-04-09",
            "gpt-3.5-turbo",
            "text-embedding-3-small",
        ] {
            assert_eq!(
                encoding(openai, model),
                Some(Encoding::Cl100kBase),
                "{model}"
            );
        }
        assert_eq!(
            encoding(Some("azure"), "gpt-35-turbo"),
            Some(Encoding::Cl100kBase)
        );
        assert_eq!(
            encoding(Some("openrouter"), "openai/gpt-4o"),
            Some(Encoding::O200kBase)
        );
        assert_eq!(encoding(openai, "gpt-6-unheard-of"), None);
        assert_eq!(encoding(Some("openrouter"), "someone/gpt-4o"), None);
        assert_eq!(encoding(Some("anthropic"), "gpt-4o"), None);
        assert_eq!(
            encoding(None, "gpt-4o"),
            None,
            "anything may be served under that name"
        );
    }

    #[test]
    fn names_are_known_in_any_writing() {
        assert_eq!(
            encoding(Some("openai"), " GPT-4o "),
            Some(Encoding::O200kBase)
        );
    }

    #[test]
    fn open_weights_are_known_everywhere() {
        let harmony = Some(Encoding::O200kHarmony);
        assert_eq!(encoding(Some("groq"), "openai/gpt-oss-20b"), harmony);
        assert_eq!(encoding(None, "gpt-oss:120b"), harmony);
        assert_eq!(known(None, "gpt-oss:120b").unwrap().chat, None);
    }

    #[test]
    fn smaller_models_have_their_own_pictures() {
        let image = |model| known(Some("openai"), model).unwrap().chat.unwrap().image;
        let tiles = |base, each| Some(ImageRule::Tiles { base, each });
        assert_eq!(image("gpt-4o"), tiles(85, 170));
        assert_eq!(image("gpt-4o-mini"), tiles(2833, 5667));
        assert_eq!(
            image("gpt-4.1-mini"),
            Some(ImageRule::Patches { percent: 162 })
        );
        assert_eq!(image("gpt-5"), tiles(70, 140));
    }
}
