//! Images, documents and sound as parts of a message's content.

use std::borrow::Cow;
use std::fmt;

use aurax_core::{Audio, Document, Image, Result, Source};
use base64::Engine as _;

use super::content::{ContentPart, File, ImageUrl, InputAudio, Known};
use super::quirks::Parts;
use crate::refusals::unsupported;

fn data_url(media_type: &str, data: &str) -> String {
    format!("data:{media_type};base64,{data}")
}

pub(super) fn image<'a>(
    image: &'a Image,
    subject: &(impl fmt::Display + ?Sized),
) -> Result<ContentPart<'a>> {
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

pub(super) fn document<'a>(
    document: &'a Document,
    parts: Parts,
    subject: &(impl fmt::Display + ?Sized),
) -> Result<ContentPart<'a>> {
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

pub(crate) fn default_name<'a>(media_type: &str) -> Cow<'a, str> {
    let extension = media_type.split('/').next_back().unwrap_or("bin");
    format!("document.{extension}").into()
}

/// The words of a document that is plain text.
pub(crate) fn words(source: &Source) -> Option<Cow<'_, str>> {
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
pub(crate) fn written_out(document: &Document, words: &str) -> String {
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

pub(super) fn audio<'a>(
    audio: &'a Audio,
    parts: Parts,
    subject: &(impl fmt::Display + ?Sized),
) -> Result<ContentPart<'a>> {
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
