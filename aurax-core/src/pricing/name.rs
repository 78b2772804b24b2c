//! The spellings under which a caller's name for a model may be in the price book.

use std::borrow::Cow;

/// `name` as the book writes names: in lower case, without space around it.
pub(super) fn folded(name: &str) -> Cow<'_, str> {
    let name = name.trim();
    let is_folded = |byte: u8| byte.is_ascii() && !byte.is_ascii_uppercase();
    if name.bytes().all(is_folded) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(name.to_lowercase())
    }
}

/// The spellings of `name` to look up, the likeliest first.
///
/// `is_own` tells whether a leading segment (`segment/model`) is a name of the provider itself,
/// which may be left out; any other is a part of the model's name.
pub(super) fn spellings(name: &str, is_own: impl Fn(&str) -> bool) -> Vec<String> {
    let name = folded(name).into_owned();
    let mut spellings = Vec::with_capacity(2);
    if let Some((segment, rest)) = name.split_once('/')
        && !rest.is_empty()
        && is_own(segment)
    {
        spellings.push(rest.to_owned());
    }
    if let Some(rest) = name.strip_prefix("models/") {
        spellings.push(rest.to_owned());
    }
    spellings.insert(0, name);
    let dashed: Vec<_> = spellings
        .iter()
        .filter_map(|name| dash_dates(name))
        .collect();
    spellings.extend(dashed);
    spellings
}

/// Writes the compact dates in `name` with dashes (`-20240806` as `-2024-08-06`); `None` where
/// there are none.
fn dash_dates(name: &str) -> Option<String> {
    let (first, rest) = name.split_once('-')?;
    let mut out = first.to_owned();
    let mut found = false;
    for segment in rest.split('-') {
        let (digits, tail) = segment.split_at(segment.find(':').unwrap_or(segment.len()));
        out.push('-');
        match compact_date(digits) {
            Some((year, month, day)) => {
                found = true;
                out.extend([year, "-", month, "-", day]);
            }
            None => out.push_str(digits),
        }
        out.push_str(tail);
    }
    found.then_some(out)
}

/// Reads `20yymmdd` where month and day can be.
fn compact_date(digits: &str) -> Option<(&str, &str, &str)> {
    if digits.len() != 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = digits.split_at_checked(4)?;
    let (month, day) = rest.split_at_checked(2)?;
    let real =
        year.starts_with("20") && ("01"..="12").contains(&month) && ("01"..="31").contains(&day);
    real.then_some((year, month, day))
}
