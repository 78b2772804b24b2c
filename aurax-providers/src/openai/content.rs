//! The content of a message, and its parts.

use std::borrow::Cow;

use aurax_core::{Audio, Document, Image, Part, Result, Source, Text};
use base64::Engine as _;
use serde::Serialize;
use serde_json::value::RawValue;

use super::quirks::Parts;
use crate::omissions::unsupported;

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
    url: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct File<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_data: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_id: Option<&'a str>,
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
    subject: &str,
) -> Result<Option<ContentPart<'a>>> {
    let media = |kind: &str| {
        if parts == Parts::Text {
            let why = format!("the provider takes no {kind}");
            return Err(unsupported(subject, why));
        }
        Ok(())
    };
    Ok(Some(match part {
        Part::Text(text) => self::text(text, marks),
        Part::Image(image) => {
            media("images")?;
            self::image(image, subject)?.marked(marks && image.cache.is_some())
        }
        Part::Document(document) => {
            self::document(document, parts, subject)?.marked(marks && document.cache.is_some())
        }
        Part::Audio(audio) => {
            media("audio")?;
            self::audio(audio, parts, subject)?
        }
        _ => return Ok(None),
    }))
}

pub(super) fn text(text: &Text, marks: bool) -> ContentPart<'_> {
    ContentPart::text(text.text.as_str()).marked(marks && text.cache.is_some())
}

fn data_url(media_type: &str, data: &str) -> String {
    format!("data:{media_type};base64,{data}")
}

fn image<'a>(image: &'a Image, subject: &str) -> Result<ContentPart<'a>> {
    let url: Cow<'a, str> = match &image.source {
        Source::Url { url, .. } => url.as_str().into(),
        Source::Inline { media_type, data } => data_url(media_type, data).into(),
        _ => {
            let why = "this wire takes images by address or as data, not by the id of a file";
            return Err(unsupported(subject, why));
        }
    };
    let detail = image.detail.as_deref();
    Ok(ContentPart::Known(Known::ImageUrl {
        image_url: ImageUrl { url, detail },
        prompt_cache_breakpoint: None,
    }))
}

fn document<'a>(document: &'a Document, parts: Parts, subject: &str) -> Result<ContentPart<'a>> {
    let name = document.filename.as_deref().or(document.title.as_deref());
    if let Some(words) = words(&document.source) {
        return Ok(ContentPart::text(written_out(document, &words)));
    }
    let file = match (&document.source, parts) {
        (_, Parts::Text) => return Err(unsupported(subject, "the provider takes no documents")),
        (Source::Inline { media_type, data }, Parts::Mistral) => {
            return Ok(document_url(data_url(media_type, data).into(), name));
        }
        (Source::Url { url, .. }, Parts::Mistral) => {
            return Ok(document_url(url.as_str().into(), name));
        }
        (Source::Inline { media_type, data }, _) => File {
            // OpenAI insists on a name where it gets data.
            filename: Some(name.map_or_else(|| default_name(media_type), Cow::Borrowed)),
            file_data: Some(data_url(media_type, data).into()),
            file_id: None,
        },
        (Source::Url { url, .. }, Parts::OpenRouter) => File {
            filename: name.map(Cow::Borrowed),
            file_data: Some(url.as_str().into()),
            file_id: None,
        },
        (Source::File { id, .. }, Parts::OpenAi) => File {
            file_id: Some(id),
            ..File::default()
        },
        (Source::Url { .. }, _) => {
            let why = "this wire takes documents as data or by the id of a file: download it first";
            return Err(unsupported(subject, why));
        }
        _ => {
            return Err(unsupported(
                subject,
                "the provider takes documents as data only",
            ));
        }
    };
    Ok(ContentPart::Known(Known::File {
        file,
        prompt_cache_breakpoint: None,
    }))
}

fn document_url<'a>(url: Cow<'a, str>, name: Option<&'a str>) -> ContentPart<'a> {
    ContentPart::Known(Known::DocumentUrl {
        document_url: url,
        document_name: name,
    })
}

fn default_name<'a>(media_type: &str) -> Cow<'a, str> {
    let extension = media_type.split('/').next_back().unwrap_or("bin");
    format!("document.{extension}").into()
}

/// The words of a document that is plain text.
fn words(source: &Source) -> Option<Cow<'_, str>> {
    match source {
        Source::Text(text) => Some(text.as_str().into()),
        Source::Inline { media_type, data } if media_type.starts_with("text/") => {
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(data)
                .ok()?;
            String::from_utf8(bytes).ok().map(Cow::Owned)
        }
        _ => None,
    }
}

/// A document of plain text as text, below its title and the remarks about it.
fn written_out(document: &Document, words: &str) -> String {
    let title = document.title.as_deref().or(document.filename.as_deref());
    let heads = [title, document.context.as_deref()];
    let mut text: String = heads
        .into_iter()
        .flatten()
        .map(|head| format!("{head}\n\n"))
        .collect();
    text.push_str(words);
    text
}

fn audio<'a>(audio: &'a Audio, parts: Parts, subject: &str) -> Result<ContentPart<'a>> {
    let input_audio = match (&audio.source, parts) {
        (Source::Inline { data, .. }, Parts::Mistral) => InputAudio::Bare(data),
        (Source::Url { url, .. }, Parts::Mistral) => InputAudio::Bare(url),
        (Source::Inline { media_type, data }, _) => {
            let format = match media_type.split(';').next().unwrap_or_default() {
                "audio/wav" | "audio/x-wav" | "audio/wave" | "audio/vnd.wave" => "wav",
                "audio/mpeg" | "audio/mp3" => "mp3",
                other => match other.strip_prefix("audio/") {
                    Some(format) if parts == Parts::OpenRouter => format,
                    _ => return Err(unsupported(subject, "audio is taken as WAV or MP3 only")),
                },
            };
            InputAudio::Data { data, format }
        }
        _ => {
            return Err(unsupported(
                subject,
                "audio is taken as data only: download it first",
            ));
        }
    };
    Ok(ContentPart::Known(Known::InputAudio { input_audio }))
}
