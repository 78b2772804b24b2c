//! The content of a message or of a tool's answer.

use std::borrow::Cow;

use aurax_core::{Audio, Document, Image, Part, Result, Source, Text};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::openai::media::{default_name, words, written_out};
use crate::raw::Extended;
use crate::refusals::unsupported;

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
    InputText {
        text: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        prompt_cache_breakpoint: Option<Breakpoint>,
    },
    InputImage {
        #[serde(skip_serializing_if = "Option::is_none")]
        image_url: Option<Cow<'a, str>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        prompt_cache_breakpoint: Option<Breakpoint>,
    },
    InputFile {
        #[serde(skip_serializing_if = "Option::is_none")]
        filename: Option<Cow<'a, str>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_data: Option<Cow<'a, str>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_url: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        prompt_cache_breakpoint: Option<Breakpoint>,
    },
    InputAudio {
        input_audio: InputAudio<'a>,
    },
    OutputText {
        text: &'a str,
        /// The model's own sources go back as they came.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        annotations: Vec<&'a RawValue>,
    },
    Refusal {
        refusal: &'a str,
    },
}

#[derive(Debug, Serialize)]
pub(super) struct InputAudio<'a> {
    data: &'a str,
    format: &'a str,
}

/// The end of a prefix worth caching
/// (<https://platform.openai.com/docs/guides/prompt-caching>).
#[derive(Debug, Serialize)]
pub(super) struct Breakpoint {
    mode: &'static str,
}

fn mark(marked: bool) -> Option<Breakpoint> {
    marked.then_some(Breakpoint { mode: "explicit" })
}

impl<'a> ContentPart<'a> {
    pub(super) fn text(text: &'a Text, marks: bool) -> Self {
        Self::Known(Known::InputText {
            text: text.text.as_str().into(),
            prompt_cache_breakpoint: mark(marks && text.cache.is_some()),
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
            Known::InputText {
                prompt_cache_breakpoint,
                ..
            }
            | Known::InputImage {
                prompt_cache_breakpoint,
                ..
            }
            | Known::InputFile {
                prompt_cache_breakpoint,
                ..
            },
        ) = &mut self
            && marked
        {
            *prompt_cache_breakpoint = mark(true);
        }
        self
    }
}

impl<'a> Content<'a> {
    /// What a tool answered: one plain text stays a text.
    pub(super) fn of_tool(mut parts: Vec<ContentPart<'a>>) -> Self {
        let is_plain = matches!(
            parts.as_slice(),
            [ContentPart::Known(Known::InputText {
                prompt_cache_breakpoint: None,
                ..
            })]
        );
        match parts.pop() {
            None => Self::Text("".into()),
            Some(ContentPart::Known(Known::InputText { text, .. })) if is_plain => Self::Text(text),
            Some(last) => {
                parts.push(last);
                Self::Parts(parts)
            }
        }
    }
}

/// A part of what a person says or a tool answers; `None` for parts that are no content.
pub(super) fn part<'a>(
    part: &'a Part,
    marks: bool,
    subject: &str,
) -> Result<Option<ContentPart<'a>>> {
    Ok(Some(match part {
        Part::Text(text) => ContentPart::text(text, marks),
        Part::Image(image) => self::image(image).marked(marks && image.cache.is_some()),
        Part::Document(document) => {
            self::document(document).marked(marks && document.cache.is_some())
        }
        Part::Audio(audio) => self::audio(audio, subject)?,
        _ => return Ok(None),
    }))
}

fn data_url(media_type: &str, data: &str) -> String {
    format!("data:{media_type};base64,{data}")
}

fn image(image: &Image) -> ContentPart<'_> {
    let (image_url, file_id) = match &image.source {
        Source::Url { url, .. } | Source::Text(url) => (Some(url.as_str().into()), None),
        Source::Inline { media_type, data } => (Some(data_url(media_type, data).into()), None),
        Source::File { id, .. } => (None, Some(id.as_str())),
        _ => (None, None),
    };
    ContentPart::Known(Known::InputImage {
        image_url,
        file_id,
        detail: image.detail.as_deref(),
        prompt_cache_breakpoint: None,
    })
}

fn document(document: &Document) -> ContentPart<'_> {
    let name = document.filename.as_deref().or(document.title.as_deref());
    if let Some(words) = words(&document.source) {
        return ContentPart::Known(Known::InputText {
            text: written_out(document, &words).into(),
            prompt_cache_breakpoint: None,
        });
    }
    let mut filename = name.map(Cow::Borrowed);
    let (mut file_data, mut file_url, mut file_id) = (None, None, None);
    match &document.source {
        Source::Inline { media_type, data } => {
            // OpenAI insists on a name where it gets data.
            filename.get_or_insert_with(|| default_name(media_type));
            file_data = Some(data_url(media_type, data).into());
        }
        Source::Url { url, .. } => file_url = Some(url.as_str()),
        Source::File { id, .. } => file_id = Some(id.as_str()),
        _ => {}
    }
    ContentPart::Known(Known::InputFile {
        filename,
        file_data,
        file_url,
        file_id,
        prompt_cache_breakpoint: None,
    })
}

fn audio<'a>(audio: &'a Audio, subject: &str) -> Result<ContentPart<'a>> {
    let Source::Inline { media_type, data } = &audio.source else {
        let why = "audio is taken as data only: download it first";
        return Err(unsupported(subject, why));
    };
    let format = match media_type.split(';').next().unwrap_or_default() {
        "audio/wav" | "audio/x-wav" | "audio/wave" | "audio/vnd.wave" => "wav",
        "audio/mpeg" | "audio/mp3" => "mp3",
        _ => return Err(unsupported(subject, "audio is taken as WAV or MP3 only")),
    };
    Ok(ContentPart::Known(Known::InputAudio {
        input_audio: InputAudio { data, format },
    }))
}
