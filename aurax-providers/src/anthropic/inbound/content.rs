//! Words, images and documents.

use aurax_core::{Citation, Document, Image, Native, Part, Result, Source, Text};

use super::super::NAME;
use super::settings::cache_mark;
use crate::inbound::fields::{Field, Fields};

/// Reads a block with the fields that have no place of their own.
pub(super) fn whole(block: &Field<'_>) -> Result<Part> {
    let mut fields = block.object()?;
    let kind = fields.require("type")?.string()?;
    let part = part(&kind, &mut fields, block)?;
    own(part, fields)
}

/// Adds to a part what was not taken of its block.
pub(super) fn own(part: Part, fields: Fields<'_>) -> Result<Part> {
    if let Part::Native(_) = part {
        return Ok(part);
    }
    Ok(part.with_own_fields(fields.rest_of(NAME, "block")?))
}

/// Reads a block of a user's turn or of a tool's result; one of a kind nobody here knows goes to
/// providers of this wire as it came.
pub(super) fn part(kind: &str, fields: &mut Fields<'_>, block: &Field<'_>) -> Result<Part> {
    Ok(match kind {
        "text" => text(fields)?.into(),
        "image" => match source(fields)? {
            Some(source) => {
                let mut image = Image::new(source);
                image.cache = cache_mark(fields)?;
                image.into()
            }
            None => native(kind, block),
        },
        "document" => match source(fields)? {
            Some(source) => document(source, fields)?.into(),
            None => native(kind, block),
        },
        _ => native(kind, block),
    })
}

fn native(kind: &str, block: &Field<'_>) -> Part {
    Native::of_client(NAME, kind, block.text()).into()
}

/// Reads words, with the sources the model named for them.
pub(super) fn text(fields: &mut Fields<'_>) -> Result<Text> {
    let mut text = Text::new(fields.require("text")?.string()?);
    text.cache = cache_mark(fields)?;
    // What an SDK made of the words.
    fields.drop_all(&["parsed_output"]);
    for field in fields.list("citations")? {
        let mut source = field.object()?;
        let kind = source.require("type")?.string()?;
        let mut citation = Citation::default();
        citation.url = source.string("url")?;
        citation.title = source.string("title")?.or(source.string("document_title")?);
        citation.quote = source.string("cited_text")?;
        // A source of another provider's, which this server wrote in this wire's form.
        let is_made_up = source
            .string("encrypted_index")?
            .is_some_and(|index| index.is_empty());
        citation.native = (!is_made_up).then(|| Native::of_client(NAME, kind, field.text()));
        text.citations.push(citation);
    }
    Ok(text)
}

fn document(source: Source, fields: &mut Fields<'_>) -> Result<Document> {
    let mut document = Document::new(source);
    document.title = fields.string("title")?;
    document.context = fields.string("context")?;
    if let Some(mut citations) = fields.object("citations")? {
        document.citations = citations.flag("enabled")?;
        fields.keep("citations", citations)?;
    }
    document.cache = cache_mark(fields)?;
    Ok(document)
}

/// Where the bytes are; `None` for a place only this wire's providers know.
fn source(fields: &mut Fields<'_>) -> Result<Option<Source>> {
    let mut source = fields.require("source")?.object()?;
    let kind = source.require("type")?.string()?;
    let mut need = |name: &str| source.require(name)?.string();
    let place = match kind.as_str() {
        "base64" => Source::Inline {
            media_type: need("media_type")?,
            data: need("data")?,
        },
        "text" => {
            let words = need("data")?;
            source.take("media_type");
            Source::Text(words)
        }
        "url" => Source::url(need("url")?),
        "file" => Source::file(need("file_id")?),
        _ => return Ok(None),
    };
    fields.keep("source", source)?;
    Ok(Some(place))
}
