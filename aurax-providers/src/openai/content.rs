//! The content of a message, and its parts.

use std::borrow::Cow;
use std::fmt;

use aurax_core::{Part, Result, Text};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::media;
use super::quirks::Parts;
use crate::raw::Extended;
use crate::refusals::unsupported;

/// Plain text where that says it all: the one form every server takes.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Content<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<ContentPart<'a>>),
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum ContentPart<'a> {
    Known(Known<'a>),
    /// A part with fields of the provider's own.
    Extended(Extended<Known<'a>>),
    /// A part in the provider's own words.
    Native(&'a RawValue),
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Known<'a> {
    Text {
        text: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        prompt_cache_breakpoint: Option<Breakpoint>,
    },
    ImageUrl {
        image_url: ImageUrl<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        prompt_cache_breakpoint: Option<Breakpoint>,
    },
    File {
        file: File<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        prompt_cache_breakpoint: Option<Breakpoint>,
    },
    InputAudio {
        input_audio: InputAudio<'a>,
    },
    DocumentUrl {
        document_url: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        document_name: Option<&'a str>,
    },
    Thinking {
        thinking: [Thought<'a>; 1],
    },
}

#[derive(Debug, Serialize)]
pub(super) struct ImageUrl<'a> {
    pub(super) url: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) detail: Option<&'a str>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct File<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) filename: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file_data: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file_id: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum InputAudio<'a> {
    Data {
        data: &'a str,
        format: &'a str,
    },
    /// Base64 or an address.
    Bare(&'a str),
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "text")]
pub(super) struct Thought<'a> {
    text: Cow<'a, str>,
}

/// The end of a prefix worth caching
/// (<https://platform.openai.com/docs/guides/prompt-caching>).
///
/// Every hint is sent: OpenAI writes the latest of them and looks the others up, so there is no
/// limit to keep, and a marked part keeps its bytes as the conversation goes on.
#[derive(Debug, Serialize)]
pub(super) struct Breakpoint {
    mode: &'static str,
}

impl<'a> ContentPart<'a> {
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Known(Known::Text {
            text: text.into(),
            prompt_cache_breakpoint: None,
        })
    }

    pub(super) fn thinking(text: Cow<'a, str>) -> Self {
        Self::Known(Known::Thinking {
            thinking: [Thought { text }],
        })
    }

    /// Adds fields of the provider's own.
    pub(super) fn extended(self, own: Option<Map<String, Value>>) -> Self {
        match (self, own) {
            (Self::Known(value), Some(own)) => Self::Extended(Extended { value, own }),
            (part, _) => part,
        }
    }

    /// Ends a cacheable prefix after this part, where the part can carry the mark.
    pub(super) fn marked(mut self, marked: bool) -> Self {
        if let Self::Known(
            Known::Text {
                prompt_cache_breakpoint,
                ..
            }
            | Known::ImageUrl {
                prompt_cache_breakpoint,
                ..
            }
            | Known::File {
                prompt_cache_breakpoint,
                ..
            },
        ) = &mut self
            && marked
        {
            *prompt_cache_breakpoint = Some(Breakpoint { mode: "explicit" });
        }
        self
    }

    /// The words of a text part without a mark.
    fn as_plain(&self) -> Option<&str> {
        match self {
            Self::Known(Known::Text {
                text,
                prompt_cache_breakpoint: None,
            }) => Some(text),
            _ => None,
        }
    }
}

impl<'a> Content<'a> {
    /// One plain text stays a text.
    pub(super) fn of(mut parts: Vec<ContentPart<'a>>) -> Self {
        match parts.as_slice() {
            [] => return Self::Text("".into()),
            [part] if part.as_plain().is_some() => {}
            _ => return Self::Parts(parts),
        }
        match parts.pop() {
            Some(ContentPart::Known(Known::Text { text, .. })) => Self::Text(text),
            other => Self::Parts(other.into_iter().collect()),
        }
    }

    /// Texts only: joined into one where none of them carries a mark, because not every server
    /// takes a list for every role.
    pub(super) fn joined(parts: Vec<ContentPart<'a>>, separator: &str) -> Self {
        let texts: Option<Vec<&str>> = parts.iter().map(ContentPart::as_plain).collect();
        match texts {
            Some(texts) if texts.len() > 1 => Self::Text(texts.join(separator).into()),
            _ => Self::of(parts),
        }
    }
}

/// A part of what a person says; `None` for parts that are no content.
pub(super) fn part<'a>(
    part: &'a Part,
    parts: Parts,
    marks: bool,
    subject: &(impl fmt::Display + ?Sized),
) -> Result<Option<ContentPart<'a>>> {
    let takes_media = |kind: &str| {
        if parts == Parts::Text {
            let why = format!("the provider takes no {kind}");
            return Err(unsupported(subject, why));
        }
        Ok(())
    };
    Ok(Some(match part {
        Part::Text(text) => self::text(text, marks),
        Part::Image(image) => {
            takes_media("images")?;
            media::image(image, subject)?.marked(marks && image.cache.is_some())
        }
        Part::Document(document) => {
            media::document(document, parts, subject)?.marked(marks && document.cache.is_some())
        }
        Part::Audio(audio) => {
            takes_media("audio")?;
            media::audio(audio, parts, subject)?
        }
        _ => return Ok(None),
    }))
}

pub(super) fn text(text: &Text, marks: bool) -> ContentPart<'_> {
    ContentPart::text(text.text.as_str()).marked(marks && text.cache.is_some())
}
