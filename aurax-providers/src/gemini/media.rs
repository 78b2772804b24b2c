//! Images, documents and sound.
//!
//! Facts: <https://ai.google.dev/gemini-api/docs/file-input-methods>.

use std::borrow::Cow;

use aurax_core::{Document, Image, Result, Source};

use super::part::{FileData, InlineData, Part};
use crate::omissions::Omissions;
use crate::refusals::unsupported;

/// Addresses the API reads by itself: files uploaded to it, Google's storage, and videos.
const READABLE: [&str; 5] = [
    FILES,
    "gs://",
    "https://www.youtube.com/",
    "https://youtube.com/",
    "https://youtu.be/",
];

/// Where uploaded files have their addresses.
const FILES: &str = "https://generativelanguage.googleapis.com/";

/// An image.
///
/// # Errors
/// `Unsupported`, naming the part, for one at an address the API does not read.
pub(super) fn image<'a>(
    subject: &str,
    image: &'a Image,
    omissions: &mut Omissions,
) -> Result<Part<'a>> {
    if image.detail.as_deref().is_some_and(|word| word != "auto") {
        let subject = format!("{subject}.detail");
        omissions.note(
            &subject,
            "left out: the API has no such choice for an image",
        )?;
    }
    source(subject, &image.source)
}

/// A document: what is remarked about it goes before it, as text.
///
/// # Errors
/// As for [`image`].
pub(super) fn document<'a>(
    subject: &str,
    document: &'a Document,
    omissions: &mut Omissions,
) -> Result<Vec<Part<'a>>> {
    for (is_set, field) in [
        (document.title.is_some(), "title"),
        (document.citations == Some(true), "citations"),
    ] {
        if is_set {
            let subject = format!("{subject}.{field}");
            omissions.note(&subject, "left out: the API has no such field")?;
        }
    }
    let context = document.context.as_deref().map(Part::text);
    let part = source(subject, &document.source)?;
    Ok(context.into_iter().chain([part]).collect())
}

/// Where a medium is, as a part.
///
/// # Errors
/// As for [`image`].
pub(super) fn source<'a>(subject: &str, source: &'a Source) -> Result<Part<'a>> {
    let mut part = Part::default();
    match source {
        Source::Inline { media_type, data } => {
            part.inline_data = Some(InlineData {
                mime_type: media_type,
                data,
            });
        }
        Source::Url { url, media_type } => {
            if !READABLE.iter().any(|start| url.starts_with(start)) {
                return Err(unsupported(
                    subject,
                    "the API reads nothing from the web: send the bytes (Source::bytes), or \
                     upload the file before (Source::file)",
                ));
            }
            part.file_data = Some(FileData {
                mime_type: media_type.as_deref(),
                file_uri: Cow::Borrowed(url),
            });
        }
        Source::File { id, media_type } => {
            part.file_data = Some(FileData {
                mime_type: media_type.as_deref(),
                file_uri: address(id),
            });
        }
        Source::Text(text) => part = Part::text(text.as_str()),
        _ => {
            return Err(unsupported(subject, "the API takes no medium from there"));
        }
    }
    Ok(part)
}

/// A file's address; `files/…` is its name.
fn address(id: &str) -> Cow<'_, str> {
    if id.contains("://") {
        return Cow::Borrowed(id);
    }
    let name = id.strip_prefix("files/").unwrap_or(id);
    Cow::Owned(format!("{FILES}v1beta/files/{name}"))
}
