//! Marks of cacheable prefixes, brought within what the API takes.
//!
//! Facts: <https://platform.claude.com/docs/en/build-with-claude/prompt-caching>: at most four
//! marks, in the order tools, system, messages; a longer time to live before a shorter one; times
//! of five minutes and an hour.

use aurax_core::{CacheTtl, Result};

use super::block::CacheControl;
use crate::omissions::Omissions;

const MOST_MARKS: usize = 4;

/// The part of the prompt a mark is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Tools,
    System,
    Messages,
}

/// Brings marks within the rules, in prompt order; `whole` is the mark of the whole prompt, which
/// comes last and counts as one.
///
/// * A time the API does not have becomes the next shorter one: five minutes or an hour.
/// * A mark before one of an hour gets an hour too: the later mark's prefix holds the earlier
///   one's, so the write is billed for an hour anyway.
/// * Of too many marks, the last of each section stays, and after them the latest.
///
/// # Errors
/// `Unsupported` where the request wants nothing changed.
pub(super) fn fit(
    marks: &mut [(Section, &mut Option<CacheControl>)],
    whole: &mut Option<CacheControl>,
    omissions: &mut Omissions,
) -> Result<()> {
    let room = MOST_MARKS - usize::from(whole.is_some());
    let set: Vec<(usize, Section)> = marks
        .iter()
        .enumerate()
        .filter(|(_, (_, mark))| mark.is_some())
        .map(|(at, (section, _))| (at, *section))
        .collect();
    if set.len() > room {
        let kept = kept(&set, room);
        omissions.note(
            "cache",
            format!(
                "{} of {} cache marks left out: the API takes {MOST_MARKS}",
                set.len() - kept.len(),
                set.len()
            ),
        )?;
        for (at, (_, mark)) in marks.iter_mut().enumerate() {
            if !kept.contains(&at) {
                **mark = None;
            }
        }
    }
    let mut half_hours = false;
    let mut days = false;
    let mut raised = false;
    let mut long = false;
    let in_reverse =
        std::iter::once(whole).chain(marks.iter_mut().rev().map(|(_, mark)| &mut **mark));
    for mark in in_reverse.filter_map(Option::as_mut) {
        match mark.ttl {
            Some(CacheTtl::HalfHour) => {
                half_hours = true;
                mark.ttl = Some(CacheTtl::FiveMinutes);
            }
            Some(CacheTtl::HalfDay | CacheTtl::Day) => {
                days = true;
                mark.ttl = Some(CacheTtl::OneHour);
            }
            _ => {}
        }
        if long && !mark.is_long() {
            raised |= mark.ttl.is_some();
            mark.ttl = Some(CacheTtl::OneHour);
        }
        long |= mark.is_long();
    }
    if half_hours {
        omissions.note("cache.ttl", "30m became 5m: the API has 5m and 1h")?;
    }
    if days {
        omissions.note("cache.ttl", "12h and 24h became 1h: the API has 5m and 1h")?;
    }
    if raised {
        omissions.note(
            "cache.ttl",
            "5m became 1h before a mark of 1h: the API wants longer times first",
        )?;
    }
    Ok(())
}

/// Which of `set` stay when there is room for fewer.
fn kept(set: &[(usize, Section)], room: usize) -> Vec<usize> {
    let last_of = |section| set.iter().rfind(|(_, s)| *s == section).map(|(at, _)| *at);
    let firm = [Section::Messages, Section::System, Section::Tools]
        .into_iter()
        .filter_map(last_of);
    let latest = set.iter().rev().map(|(at, _)| *at);
    let mut kept = Vec::with_capacity(room);
    for at in firm.chain(latest) {
        if kept.len() < room && !kept.contains(&at) {
            kept.push(at);
        }
    }
    kept
}
