//! Images and documents.
//!
//! Facts: <https://platform.claude.com/docs/en/build-with-claude/vision>,
//! <https://platform.claude.com/docs/en/build-with-claude/pdf-support> and
//! <https://platform.claude.com/docs/en/build-with-claude/citations>.

use std::borrow::Cow;

use aurax_core::{Document, Error, ErrorKind, Image, Phase, Result, Source as Medium};
use base64::Engine as _;

use super::block::{Block, CacheControl, Citations, Source};
use crate::refusals::unsupported;

/// An image, and whether it names a file that was uploaded before.
pub(super) fn image<'a>(subject: &str, image: &'a Image) -> Result<(Block<'a>, bool)> {
    let source = match &image.source {
        Medium::Inline { media_type, data } => Source::Base64 {
            media_type: match media_type.as_str() {
                "image/jpg" => "image/jpeg",
                known @ ("image/jpeg" | "image/png" | "image/gif" | "image/webp") => known,
                other => {
                    return Err(unsupported(
                        subject,
                        format!("the API takes JPEG, PNG, GIF and WebP images, not {other}"),
                    ));
                }
            },
            data,
        },
        other => elsewhere(other)
            .ok_or_else(|| unsupported(subject, "an image cannot come as plain text"))?,
    };
    let is_file = matches!(source, Source::File { .. });
    let cache_control = image.cache.map(CacheControl::new);
    Ok((
        Block::Image {
            source,
            cache_control,
        },
        is_file,
    ))
}

/// A document, and whether it names a file that was uploaded before.
pub(super) fn document<'a>(subject: &str, document: &'a Document) -> Result<(Block<'a>, bool)> {
    let source = match &document.source {
        Medium::Inline { media_type, data } if media_type == "application/pdf" => {
            Source::Base64 { media_type, data }
        }
        Medium::Inline { media_type, data } if media_type.starts_with("text/") => Source::Text {
            media_type: "text/plain",
            data: Cow::Owned(decoded(subject, data)?),
        },
        Medium::Inline { media_type, .. } => {
            return Err(unsupported(
                subject,
                format!("the API takes PDF and text documents, not {media_type}"),
            ));
        }
        Medium::Text(text) => Source::Text {
            media_type: "text/plain",
            data: Cow::Borrowed(text),
        },
        other => elsewhere(other)
            .ok_or_else(|| unsupported(subject, "the API takes no document from there"))?,
    };
    let is_file = matches!(source, Source::File { .. });
    Ok((
        Block::Document {
            source,
            title: document.title.as_deref().or(document.filename.as_deref()),
            context: document.context.as_deref(),
            citations: document.citations.map(|enabled| Citations { enabled }),
            cache_control: document.cache.map(CacheControl::new),
        },
        is_file,
    ))
}

fn elsewhere(medium: &Medium) -> Option<Source<'_>> {
    match medium {
        Medium::Url { url, .. } => Some(Source::Url { url }),
        Medium::File { id, .. } => Some(Source::File { file_id: id }),
        _ => None,
    }
}

fn decoded(subject: &str, data: &str) -> Result<String> {
    let invalid = |message| {
        Error::new(ErrorKind::InvalidRequest, message)
            .with_context("part", subject)
            .with_phase(Phase::Encode)
    };
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(data)
        .map_err(|e| invalid("a document's data is not base64").with_source(e))?;
    String::from_utf8(bytes).map_err(|e| invalid("a text document is not UTF-8").with_source(e))
}
