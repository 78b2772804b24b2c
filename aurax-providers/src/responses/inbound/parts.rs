//! Parts of a message's or a tool's content.

use aurax_core::{
    Audio, CacheHint, Citation, Document, Error, ErrorKind, Image, Native, Part, Refusal, Result,
    Source, Text,
};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

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
    // Parts of other kinds have no place for a mark, so it stays among their own fields.
    let (cache, mark) = match kind.as_str() {
        "input_text" | "output_text" | "text" | "input_image" | "input_file" => cache(&mut fields),
        _ => (None, None),
    };
    let part = match kind.as_str() {
        "input_text" | "output_text" | "text" => {
            // Of the model's own words, and what an SDK made of them.
            fields.take("logprobs");
            fields.take("parsed");
            Part::Text(text(&mut fields, cache, param)?)
        }
        "refusal" => Part::Refusal(Refusal::new(required(&mut fields, "refusal", param)?)),
        "input_image" => Part::Image(image(&mut fields, cache, param)?),
        "input_file" => Part::Document(document(&mut fields, cache, param)?),
        "input_audio" => {
            let mut inside = fields.object("input_audio");
            let audio = audio(&mut inside, param)?;
            let own = own(fields, Some(("input_audio", inside)));
            return Ok(Part::Audio(audio).with_own_fields(own));
        }
        _ => return Ok(Part::Native(Native::of_client(NAME, kind, part.get()))),
    };
    Ok(part.with_own_fields(own(fields, mark)))
}

/// What was not taken of an object, and of one inside of it.
pub(super) fn own(fields: Object<'_>, inside: Option<(&str, Object<'_>)>) -> Option<Native> {
    let mut rest = Map::new();
    fields.rest_into(&mut rest);
    if let Some((name, inside)) = inside {
        let mut fields = Map::new();
        inside.rest_into(&mut fields);
        if !fields.is_empty() {
            rest.insert(name.to_owned(), Value::Object(fields));
        }
    }
    let is_empty = rest.is_empty();
    (!is_empty).then(|| Native::of_client(NAME, "fields", Value::Object(rest).to_string()))
}

/// A text that must be there, though it may be empty.
pub(super) fn required(fields: &mut Object<'_>, name: &str, param: &str) -> Result<String> {
    fields
        .read(name)
        .ok_or_else(|| invalid(&format!("{param}.{name}"), "a text is missing here"))
}

/// The mark behind a part worth caching, and all of it where it says more than the hint does.
fn cache<'a>(fields: &mut Object<'a>) -> (Option<CacheHint>, Option<(&'static str, Object<'a>)>) {
    let name = "prompt_cache_breakpoint";
    let Some(raw) = fields.take(name) else {
        return (None, None);
    };
    let says_more = |mark: Object<'a>| {
        let mut fields = mark.into_fields();
        fields.any(|(name, value)| (&*name, value.get()) != ("mode", r#""explicit""#))
    };
    let whole = Object::of(raw).filter(|_| Object::of(raw).is_some_and(says_more));
    (Some(CacheHint::new()), whole.map(|mark| (name, mark)))
}

fn text(fields: &mut Object<'_>, cache: Option<CacheHint>, param: &str) -> Result<Text> {
    let mut text = Text::new(required(fields, "text", param)?);
    text.cache = cache;
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

fn image(fields: &mut Object<'_>, cache: Option<CacheHint>, param: &str) -> Result<Image> {
    let source = match (fields.text("image_url"), fields.text("file_id")) {
        (Some(url), _) => Source::from_url(&url),
        (None, Some(id)) => Source::file(id),
        (None, None) => return Err(invalid(param, "an image has an image_url or a file_id")),
    };
    let mut image = Image::new(source);
    image.detail = fields.text("detail");
    image.cache = cache;
    Ok(image)
}

fn document(fields: &mut Object<'_>, cache: Option<CacheHint>, param: &str) -> Result<Document> {
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
    document.cache = cache;
    Ok(document)
}

fn audio(fields: &mut Object<'_>, param: &str) -> Result<Audio> {
    let data = required(fields, "data", param)?;
    let media_type = match required(fields, "format", param)?.as_str() {
        "mp3" => "audio/mpeg".to_owned(),
        format => format!("audio/{format}"),
    };
    Ok(Audio::new(Source::Inline { media_type, data }))
}
