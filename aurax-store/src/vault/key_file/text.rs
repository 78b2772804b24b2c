//! The text of a key file.
//!
//! The first line is the header. Every other line holds a key of 32 bytes in base64, the current
//! one first, or nothing; what follows a `#` is a comment.

use std::collections::HashMap;

use aurax_core::{Error, ErrorKind, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use time::{Date, OffsetDateTime, UtcOffset};
use zeroize::Zeroizing;

use super::super::keyring::{KeyId, KeyRing, MasterKey};
use crate::cipher::{KEY, Key};

const HEADER: &str = "aurax-keys v1";

/// Characters of a key in base64, padding included.
const BASE64: usize = KEY.div_ceil(3) * 4;

/// Room for what one more key adds to a text.
const LINE: usize = 128;

pub(in crate::vault) fn has_header(text: &str) -> bool {
    text.trim_start().starts_with("aurax-keys")
}

/// The keys of a file's text, with errors that name `place` and the line.
pub(in crate::vault) fn read(text: &str, place: &str) -> Result<Vec<MasterKey>> {
    Ok(lines(text, place)?
        .into_iter()
        .map(|(_, key)| key)
        .collect())
}

/// Keys with white space between them.
pub(in crate::vault) fn read_bare(text: &str, place: &str) -> Result<Vec<MasterKey>> {
    let mut seen: Vec<KeyId> = Vec::new();
    let mut keys = Vec::new();
    // One more than fits is read: the ring refuses it.
    for (i, word) in text.split_whitespace().take(KeyRing::MAX + 1).enumerate() {
        let at = i.saturating_add(1);
        let key = decode(word).map_err(|wrong| config(place, format!("key {at} {wrong}")))?;
        if seen.contains(&key.id()) {
            return Err(config(place, format!("key {at} is there twice")));
        }
        seen.push(key.id());
        keys.push(key);
    }
    Ok(keys)
}

/// The text of a new file with one key.
pub(super) fn first(key: &MasterKey, at: OffsetDateTime) -> Result<Zeroizing<String>> {
    let mut text = room(HEADER);
    text.push_str(HEADER);
    text.push('\n');
    push(&mut text, key, at)?;
    Ok(text)
}

/// The text with one more key, which becomes the current one; comments stay.
pub(super) fn with_current(
    text: &str,
    key: &MasterKey,
    at: OffsetDateTime,
) -> Result<Zeroizing<String>> {
    let mut longer = room(text);
    let (header, rest) = text.split_once('\n').unwrap_or((text, ""));
    longer.push_str(header);
    longer.push('\n');
    push(&mut longer, key, at)?;
    longer.push_str(rest);
    Ok(longer)
}

/// The text without the lines of some keys.
pub(super) fn without(
    text: &str,
    place: &str,
    goes: impl Fn(KeyId) -> bool,
) -> Result<Zeroizing<String>> {
    let keys: HashMap<usize, KeyId> = lines(text, place)?
        .into_iter()
        .map(|(line, key)| (line, key.id()))
        .collect();
    let mut shorter = room(text);
    for (i, line) in text.lines().enumerate() {
        if !keys.get(&i).is_some_and(|id| goes(*id)) {
            shorter.push_str(line);
            shorter.push('\n');
        }
    }
    Ok(shorter)
}

/// Each key, with the index of its line.
fn lines(text: &str, place: &str) -> Result<Vec<(usize, MasterKey)>> {
    let mut lines = text.lines().enumerate();
    if lines
        .next()
        .is_none_or(|(_, line)| line.trim_end() != HEADER)
    {
        return Err(config(place, format!("line 1 is not `{HEADER}`")));
    }
    let mut keys: Vec<(usize, MasterKey)> = Vec::new();
    for (i, line) in lines {
        let word = line.split('#').next().unwrap_or_default().trim();
        if word.is_empty() {
            continue;
        }
        let at = i.saturating_add(1);
        let key = decode(word).map_err(|wrong| config(place, format!("line {at} {wrong}")))?;
        if let Some((first, _)) = keys.iter().find(|(_, other)| other.id() == key.id()) {
            let first = first.saturating_add(1);
            let message = format!("line {at} holds the key of line {first} again");
            return Err(config(place, message));
        }
        if keys.len() == KeyRing::MAX {
            return Err(config(
                place,
                format!("line {at} holds one key more than {}", KeyRing::MAX),
            ));
        }
        keys.push((i, key));
    }
    Ok(keys)
}

fn decode(word: &str) -> Result<MasterKey, &'static str> {
    const WRONG: &str = "is not 32 bytes in base64";
    if word.len() != BASE64 {
        return Err(WRONG);
    }
    let mut bytes = Zeroizing::new([0; BASE64]);
    let length = STANDARD
        .decode_slice(word, bytes.as_mut_slice())
        .map_err(|_| WRONG)?;
    let bytes = bytes.get(..length).ok_or(WRONG)?;
    Key::from_slice(bytes).map(MasterKey::new).ok_or(WRONG)
}

fn push(text: &mut String, key: &MasterKey, at: OffsetDateTime) -> Result<()> {
    let mut encoded = Zeroizing::new([0; BASE64]);
    let unwritten = || Error::new(ErrorKind::Internal, "a master key has no base64");
    STANDARD
        .encode_slice(key.key().as_bytes(), encoded.as_mut_slice())
        .map_err(|_| unwritten())?;
    text.push_str(std::str::from_utf8(encoded.as_slice()).map_err(|_| unwritten())?);
    text.push_str(&format!("  # {}, made {}\n", key.id(), date(at)));
    Ok(())
}

fn date(at: OffsetDateTime) -> Date {
    at.checked_to_offset(UtcOffset::UTC).unwrap_or(at).date()
}

/// A text that grows by one key without leaving copies behind.
fn room(text: &str) -> Zeroizing<String> {
    Zeroizing::new(String::with_capacity(text.len().saturating_add(LINE)))
}

fn config(place: &str, message: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Config, format!("{place}: {message}"))
}
