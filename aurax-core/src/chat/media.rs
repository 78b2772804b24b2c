//! Pictures, documents and sound.

use base64::Engine as _;
use serde::{Deserialize, Serialize};

use super::cache::CacheHint;
use super::part::Native;

/// Where a medium's bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Source {
    /// At a web address the provider fetches.
    Url {
        /// The address.
        url: String,
        /// IANA media type, where it is known; some providers want it.
        media_type: Option<String>,
    },
    /// Here, in standard base64.
    Inline {
        /// IANA media type, such as `image/png`.
        media_type: String,
        /// The bytes in base64.
        data: String,
    },
    /// At the provider, uploaded before.
    File {
        /// The provider's id of the file.
        id: String,
        /// IANA media type, where it is known; some providers want it.
        media_type: Option<String>,
    },
    /// Here, as plain text; documents only.
    Text(String),
}

impl Source {
    /// Takes bytes in.
    pub fn bytes(media_type: impl Into<String>, bytes: &[u8]) -> Self {
        Self::Inline {
            media_type: media_type.into(),
            data: base64::engine::general_purpose::STANDARD.encode(bytes),
        }
    }

    /// Names a web address.
    pub fn url(url: impl Into<String>) -> Self {
        Self::Url {
            url: url.into(),
            media_type: None,
        }
    }

    /// Names a file uploaded before.
    pub fn file(id: impl Into<String>) -> Self {
        Self::File {
            id: id.into(),
            media_type: None,
        }
    }

    /// Reads a `data:` URL into [`Source::Inline`]; any other text is a [`Source::Url`].
    pub fn from_url(url: &str) -> Self {
        url.strip_prefix("data:")
            .and_then(|rest| rest.split_once(";base64,"))
            .map_or_else(
                || Self::url(url),
                |(media_type, data)| Self::Inline {
                    media_type: media_type.to_owned(),
                    data: data.to_owned(),
                },
            )
    }
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Image {
    /// Where the picture is.
    pub source: Source,
    /// How closely to look: `auto`, `low`, `high`, …, where the provider has such a choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Ends a cacheable prefix here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheHint>,
    /// Fields only its own provider understands, as a JSON object; those of an object inside stand
    /// in one of the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native: Option<Box<Native>>,
}

impl Image {
    /// A picture at `source`.
    pub const fn new(source: Source) -> Self {
        Self {
            source,
            detail: None,
            cache: None,
            native: None,
        }
    }

    /// A picture at a web address or in a `data:` URL.
    pub fn from_url(url: &str) -> Self {
        Self::new(Source::from_url(url))
    }

    /// Says how closely to look.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

/// A file the model reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Document {
    /// Where the file is.
    pub source: Source,
    /// The file's name; some providers want one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    /// A title for the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Remarks for the model that are not part of the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Whether the model should cite the document; `None` leaves it to the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub citations: Option<bool>,
    /// Ends a cacheable prefix here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheHint>,
    /// Fields only its own provider understands, as a JSON object; those of an object inside stand
    /// in one of the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native: Option<Box<Native>>,
}

impl Document {
    /// A file at `source`.
    pub const fn new(source: Source) -> Self {
        Self {
            source,
            filename: None,
            title: None,
            context: None,
            citations: None,
            cache: None,
            native: None,
        }
    }

    /// Names the file.
    #[must_use]
    pub fn with_filename(mut self, filename: impl Into<String>) -> Self {
        self.filename = Some(filename.into());
        self
    }
}

/// Sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Audio {
    /// Where the sound is.
    pub source: Source,
    /// What is said in it, where the provider tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<String>,
    /// Fields only its own provider understands, as a JSON object; those of an object inside stand
    /// in one of the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native: Option<Box<Native>>,
}

impl Audio {
    /// Sound at `source`.
    pub const fn new(source: Source) -> Self {
        Self {
            source,
            transcript: None,
            native: None,
        }
    }
}
