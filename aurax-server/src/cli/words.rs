//! What is asked: words of the command line, or of standard input.

use std::io::{IsTerminal as _, Read as _};
use std::path::Path;

use aurax::{Image, Message, Part, Source};

use super::exit::{Done, Failure};

/// The longest text that is read from standard input, in bytes.
const MOST: u64 = 16 << 20;
/// The largest picture that is read, in bytes.
const MOST_IMAGE: u64 = 20 << 20;

/// The words, with `-` for what is on standard input; `None` where there are none and somebody
/// sits at a terminal. Without words, standard input is read where it is no terminal.
pub(super) fn prompt(words: &[String]) -> Done<Option<String>> {
    if words.is_empty() {
        return match std::io::stdin().is_terminal() {
            true => Ok(None),
            false => said(&stdin()?).map(Some),
        };
    }
    let mut parts: Vec<String> = Vec::new();
    let mut read = None;
    for word in words {
        match word.as_str() {
            "-" if read.is_none() => {
                let text = stdin()?;
                read = Some(());
                parts.push(text);
            }
            _ => parts.push(word.clone()),
        }
    }
    said(&parts.join(" ")).map(Some)
}

fn said(text: &str) -> Done<String> {
    let text = text.trim();
    match text.is_empty() {
        true => Err(Failure::usage(
            "there is nothing to ask: the prompt is empty",
        )),
        false => Ok(text.to_owned()),
    }
}

fn stdin() -> Done<String> {
    let mut text = String::new();
    let read = std::io::stdin()
        .lock()
        .take(MOST.saturating_add(1))
        .read_to_string(&mut text);
    let length = read.map_err(|error| {
        Failure::usage(format!(
            "standard input cannot be read as text: {}",
            error.kind()
        ))
    })?;
    match length as u64 > MOST {
        true => Err(Failure::usage(format!(
            "standard input is longer than {MOST} bytes"
        ))),
        false => Ok(text),
    }
}

/// A message with pictures.
pub(super) fn message(text: &str, images: &[String]) -> Done<Message> {
    let mut message = Message::user(text);
    for place in images {
        message = message.with(Part::Image(image(place)?));
    }
    Ok(message)
}

fn image(place: &str) -> Done<Image> {
    if ["http://", "https://", "data:"]
        .iter()
        .any(|scheme| place.starts_with(scheme))
    {
        return Ok(Image::from_url(place));
    }
    let cannot = |what: String| Failure::usage(format!("the image {place} {what}"));
    let mut bytes = Vec::new();
    let read = std::fs::File::open(Path::new(place)).and_then(|file| {
        file.take(MOST_IMAGE.saturating_add(1))
            .read_to_end(&mut bytes)
    });
    let length = read.map_err(|error| cannot(format!("cannot be read: {}", error.kind())))?;
    if length as u64 > MOST_IMAGE {
        return Err(cannot(format!("is larger than {MOST_IMAGE} bytes")));
    }
    let kind = media_type(&bytes)
        .ok_or_else(|| cannot("is none that models look at: PNG, JPEG, GIF or WebP".to_owned()))?;
    Ok(Image::new(Source::bytes(kind, &bytes)))
}

/// By its first bytes, not by its name.
fn media_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => Some("image/webp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_known_by_its_bytes() {
        assert_eq!(media_type(b"\x89PNG\r\n\x1a\n"), Some("image/png"));
        assert_eq!(media_type(b"RIFF\0\0\0\0WEBPVP8 "), Some("image/webp"));
        assert_eq!(media_type(b"RIFF\0\0\0\0WAVE"), None);
        assert_eq!(media_type(b"<svg>"), None);
        assert_eq!(media_type(b""), None);
    }
}
