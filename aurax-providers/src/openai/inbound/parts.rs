//! The parts of a message's content.

use aurax_core::{
    Audio, CacheHint, Document, Image, Native, Part, Refusal, Result, Source, Text, Thinking,
};

use super::super::NAME;
use crate::inbound::fields::{Field, Fields};

/// Reads a text, or a list of parts. A part of a kind nobody here knows goes to providers of this
/// wire as it came.
pub(super) fn read(field: &Field<'_>) -> Result<Vec<Part>> {
    if field.is_text() {
        return Ok(vec![Text::new(field.string()?).into()]);
    }
    if !field.is_list() {
        return Err(field.invalid("expected a string or an array of parts"));
    }
    field.list()?.iter().map(part).collect()
}

fn part(field: &Field<'_>) -> Result<Part> {
    let mut fields = field.object()?;
    let kind = fields.require("type")?.string()?;
    // Parts of other kinds have no place for a mark, so it stays among their own fields.
    let cache = match kind.as_str() {
        "text" | "image_url" | "file" | "document_url" => cache_mark(&mut fields)?,
        _ => None,
    };
    let part: Part = match kind.as_str() {
        "text" => {
            let mut text = Text::new(fields.require("text")?.string()?);
            text.cache = cache;
            text.into()
        }
        "image_url" => {
            let inside = fields.require("image_url")?;
            let mut image = image(&inside, &mut fields)?;
            image.cache = cache;
            image.into()
        }
        "file" => {
            let mut inside = fields.require("file")?.object()?;
            let mut document = file(&mut inside)?;
            fields.keep("file", inside)?;
            document.cache = cache;
            document.into()
        }
        "document_url" => {
            let mut document = Document::new(Source::from_url(&address(&mut fields)?));
            document.filename = fields.string("document_name")?;
            document.cache = cache;
            document.into()
        }
        "input_audio" => {
            let inside = fields.require("input_audio")?;
            audio(&inside, &mut fields)?.into()
        }
        "refusal" => Refusal::new(fields.require("refusal")?.string()?).into(),
        "thinking" => Thinking::new(thoughts(&fields.require("thinking")?)?).into(),
        _ => return Ok(Native::of_client(NAME, kind, field.text()).into()),
    };
    Ok(part.with_own_fields(fields.rest_of(NAME, "part")?))
}

/// The mark behind a part worth caching: OpenAI's, or the one of vendors that pass Anthropic's on
/// (<https://openrouter.ai/docs/features/prompt-caching>). One that says more than the hint does
/// stays a field of the part too.
pub(super) fn cache_mark(fields: &mut Fields<'_>) -> Result<Option<CacheHint>> {
    let control = mark(fields, "cache_control", ("type", r#""ephemeral""#))?;
    let breakpoint = mark(fields, "prompt_cache_breakpoint", ("mode", r#""explicit""#))?;
    Ok(control.or(breakpoint))
}

/// Reads a mark that usually says no more than `usual`, and how long to keep the prefix.
fn mark(
    fields: &mut Fields<'_>,
    name: &'static str,
    usual: (&str, &str),
) -> Result<Option<CacheHint>> {
    let Some(field) = fields.take(name) else {
        return Ok(None);
    };
    let mut mark = field.object()?;
    let mut hint = CacheHint::new();
    if name == "cache_control" {
        hint.ttl = mark.read("ttl", "5m or 1h")?;
    }
    let is_usual = mark.take(usual.0).is_none_or(|word| word.text() == usual.1);
    if !is_usual || !mark.is_spent() {
        fields.put_back(name, &field);
    }
    Ok(Some(hint))
}

fn image(field: &Field<'_>, part: &mut Fields<'_>) -> Result<Image> {
    if field.is_text() {
        return Ok(Image::from_url(&field.string()?));
    }
    let mut fields = field.object()?;
    let mut image = Image::from_url(&fields.require("url")?.string()?);
    image.detail = fields.string("detail")?;
    part.keep("image_url", fields)?;
    Ok(image)
}

/// Data comes as a `data:` URL, at some vendors as an address, and from some clients as bare
/// base64.
fn file(fields: &mut Fields<'_>) -> Result<Document> {
    let filename = fields.string("filename")?;
    let source = if let Some(id) = fields.string("file_id")? {
        Source::file(id)
    } else {
        let data = fields.require("file_data")?.string()?;
        match Source::from_url(&data) {
            Source::Url { url, .. } if !url.contains("://") => Source::Inline {
                media_type: "application/pdf".to_owned(),
                data: url,
            },
            source => source,
        }
    };
    let mut document = Document::new(source);
    document.filename = filename;
    Ok(document)
}

fn address(fields: &mut Fields<'_>) -> Result<String> {
    let field = fields.require("document_url")?;
    if field.is_text() {
        return field.string();
    }
    field.object()?.require("url")?.string()
}

/// An object with the format, or Mistral's bare text: base64 or an address.
fn audio(field: &Field<'_>, part: &mut Fields<'_>) -> Result<Audio> {
    if field.is_text() {
        let text = field.string()?;
        return Ok(Audio::new(match Source::from_url(&text) {
            Source::Url { url, .. } if !url.contains("://") => Source::Inline {
                media_type: sound(&url).to_owned(),
                data: url,
            },
            source => source,
        }));
    }
    let mut fields = field.object()?;
    let data = fields.require("data")?.string()?;
    let media_type = match fields.require("format")?.string()?.as_str() {
        "mp3" => "audio/mpeg".to_owned(),
        format => format!("audio/{format}"),
    };
    part.keep("input_audio", fields)?;
    Ok(Audio::new(Source::Inline { media_type, data }))
}

/// The kind of sound, by the first bytes of its base64: `RIFF`, `OggS`, `fLaC`, else MP3.
fn sound(data: &str) -> &'static str {
    match data.get(..5) {
        Some("UklGR") => "audio/wav",
        Some("T2dnU") => "audio/ogg",
        Some("ZkxhQ") => "audio/flac",
        _ => "audio/mpeg",
    }
}

/// Mistral's thoughts: a text, or a list of parts with texts.
fn thoughts(field: &Field<'_>) -> Result<String> {
    if field.is_text() {
        return field.string();
    }
    let mut words = String::new();
    for part in field.list()? {
        words.push_str(&part.object()?.string("text")?.unwrap_or_default());
    }
    Ok(words)
}
