//! Parts of a message's or a tool's content.

use aurax_core::{
    Audio, CacheHint, Citation, Document, Error, ErrorKind, Image, Native, Part, Refusal, Result,
    Source, Text,
};
use serde_json::value::RawValue;

use crate::object::{Object, items};
use crate::responses::NAME;

/// An error that names the field at fault.
pub(super) fn invalid(param: &str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidRequest, message).with_context("param", param)
}

/// Reads content: a text, or a list of parts.
pub(super) fn content(content: &RawValue, param: &str) -> Result<Vec<Part>> {
    if let Ok(text) = serde_json::from_str::<String>(content.get()) {
        return Ok(vec![Part::Text(Text::new(text))]);
    }
    if !content.get().starts_with('[') {
        return Err(invalid(param, "content is a text or a list of parts"));
    }
    items(content)
        .into_iter()
        .enumerate()
        .map(|(at, part)| self::part(part, &format!("{param}[{at}]")))
        .collect()
}

fn part(part: &RawValue, param: &str) -> Result<Part> {
    let Some(mut fields) = Object::of(part) else {
        return Err(invalid(param, "a part is an object"));
    };
    let Some(kind) = fields.text("type") else {
        return Err(invalid(param, "a part has a type"));
    };
    Ok(match kind.as_str() {
        "input_text" | "output_text" | "text" => Part::Text(text(fields, param)?),
        "refusal" => Part::Refusal(Refusal::new(required(&mut fields, "refusal", param)?)),
        "input_image" => Part::Image(image(fields, param)?),
        "input_file" => Part::Document(document(fields, param)?),
        "input_audio" => Part::Audio(audio(fields, param)?),
        _ => Part::Native(Native::of_client(NAME, kind, part.get())),
    })
}

/// A text that must be there, though it may be empty.
pub(super) fn required(fields: &mut Object<'_>, name: &str, param: &str) -> Result<String> {
    fields
        .read(name)
        .ok_or_else(|| invalid(&format!("{param}.{name}"), "a text is missing here"))
}

fn cache(fields: &mut Object<'_>) -> Option<CacheHint> {
    fields
        .take("prompt_cache_breakpoint")
        .map(|_| CacheHint::new())
}

fn text(mut fields: Object<'_>, param: &str) -> Result<Text> {
    let mut text = Text::new(required(&mut fields, "text", param)?);
    text.cache = cache(&mut fields);
    for annotation in fields.list("annotations") {
        let Some(mut named) = Object::of(annotation) else {
            continue;
        };
        let mut citation = Citation::default();
        citation.url = named.text("url");
        citation.title = named.text("title").or_else(|| named.text("filename"));
        citation.start = named.read("start_index");
        citation.end = named.read("end_index");
        citation.native = Some(Native::of_client(NAME, "annotation", annotation.get()));
        text.citations.push(citation);
    }
    Ok(text)
}

fn image(mut fields: Object<'_>, param: &str) -> Result<Image> {
    let source = match (fields.text("image_url"), fields.text("file_id")) {
        (Some(url), _) => Source::from_url(&url),
        (None, Some(id)) => Source::file(id),
        (None, None) => return Err(invalid(param, "an image has an image_url or a file_id")),
    };
    let mut image = Image::new(source);
    image.detail = fields.text("detail");
    image.cache = cache(&mut fields);
    Ok(image)
}

fn document(mut fields: Object<'_>, param: &str) -> Result<Document> {
    let data = fields.text("file_data");
    let url = fields.text("file_url");
    let source = match (data, url, fields.text("file_id")) {
        (Some(data), ..) => match Source::from_url(&data) {
            Source::Url { url, .. } => Source::Inline {
                media_type: "application/pdf".to_owned(),
                data: url,
            },
            source => source,
        },
        (None, Some(url), _) => Source::url(url),
        (None, None, Some(id)) => Source::file(id),
        (None, None, None) => {
            let message = "a file has file_data, a file_url or a file_id";
            return Err(invalid(param, message));
        }
    };
    let mut document = Document::new(source);
    document.filename = fields.text("filename");
    document.cache = cache(&mut fields);
    Ok(document)
}

fn audio(mut fields: Object<'_>, param: &str) -> Result<Audio> {
    let mut audio = fields.object("input_audio");
    let data = required(&mut audio, "data", param)?;
    let media_type = match required(&mut audio, "format", param)?.as_str() {
        "mp3" => "audio/mpeg".to_owned(),
        format => format!("audio/{format}"),
    };
    Ok(Audio::new(Source::Inline { media_type, data }))
}
