//! When a price is in force: dates, daily windows, weekdays and holidays, all in UTC.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use time::format_description::well_known::Rfc3339;
use time::{Date, OffsetDateTime, Time, UtcOffset, Weekday};

/// The conditions of a price; it is in force while all of them hold.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// In force from this instant on.
    pub(super) from: Option<OffsetDateTime>,
    /// In force before this instant.
    pub(super) until: Option<OffsetDateTime>,
    /// In force within any of these; empty is all day.
    pub(super) windows: Vec<Window>,
    /// In force on these days; empty is every day.
    pub(super) weekdays: Vec<Day>,
    /// Not in force on these.
    pub(super) holidays: Option<Arc<Calendar>>,
}

impl Schedule {
    /// Whether the price is in force at `at`, which is in UTC.
    pub(super) fn holds(&self, at: OffsetDateTime) -> bool {
        self.from.is_none_or(|from| at >= from)
            && self.until.is_none_or(|until| at < until)
            && (self.windows.is_empty() || self.windows.iter().any(|window| window.holds(at)))
            && (self.weekdays.is_empty() || self.weekdays.contains(&Day(at.weekday())))
            && !self
                .holidays
                .as_ref()
                .is_some_and(|calendar| calendar.is_holiday(at))
    }

    /// Whether the price rests on holidays that were not yet known when the book was made.
    pub(super) fn outlives_calendar(&self, at: OffsetDateTime) -> bool {
        self.holidays
            .as_ref()
            .is_some_and(|calendar| calendar.local_date(at) > calendar.covers_through)
    }
}

/// A part of each day, such as `16:30-00:30`: the start belongs to it, the end does not. A window
/// whose end is not after its start crosses midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Window {
    start: Time,
    end: Time,
}

impl Window {
    fn holds(self, at: OffsetDateTime) -> bool {
        let time = at.time();
        if self.start < self.end {
            self.start <= time && time < self.end
        } else {
            self.start <= time || time < self.end
        }
    }
}

impl TryFrom<String> for Window {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (start, end) = text
            .split_once('-')
            .ok_or("a window is written HH:MM-HH:MM")?;
        let (start, end) = (clock(start)?, clock(end)?);
        if start == end {
            return Err("a window has a beginning and an end that differ");
        }
        Ok(Self { start, end })
    }
}

/// Reads `HH:MM`; `24:00` is the midnight that ends the day.
fn clock(text: &str) -> Result<Time, &'static str> {
    if text == "24:00" {
        return Ok(Time::MIDNIGHT);
    }
    hours_and_minutes(text)
        .and_then(|(hours, minutes)| Time::from_hms(hours, minutes, 0).ok())
        .ok_or("a time of day is written HH:MM")
}

fn hours_and_minutes(text: &str) -> Option<(u8, u8)> {
    let (hours, minutes) = text.split_once(':')?;
    let two_digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    if !two_digits(hours) || !two_digits(minutes) {
        return None;
    }
    Some((hours.parse().ok()?, minutes.parse().ok()?))
}

/// A day of the week; as data, 1 is Monday and 7 is Sunday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u8")]
pub(super) struct Day(Weekday);

impl TryFrom<u8> for Day {
    type Error = &'static str;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        Ok(Self(match number {
            1 => Weekday::Monday,
            2 => Weekday::Tuesday,
            3 => Weekday::Wednesday,
            4 => Weekday::Thursday,
            5 => Weekday::Friday,
            6 => Weekday::Saturday,
            7 => Weekday::Sunday,
            _ => return Err("a weekday is 1 (Monday) to 7 (Sunday)"),
        }))
    }
}

/// The length of `YYYY-MM-DD`.
const DATE_LEN: usize = 10;

/// An instant; as data, a date (its midnight in UTC) or an RFC 3339 time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Instant(pub(super) OffsetDateTime);

impl TryFrom<String> for Instant {
    type Error = &'static str;

    fn try_from(mut text: String) -> Result<Self, Self::Error> {
        if text.len() == DATE_LEN {
            text.push_str("T00:00:00Z");
        }
        OffsetDateTime::parse(&text, &Rfc3339)
            .map(Self)
            .map_err(|_| "an instant is written YYYY-MM-DD or as an RFC 3339 time")
    }
}

/// A day without the time; as data, `YYYY-MM-DD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
struct CalendarDate(Date);

impl TryFrom<String> for CalendarDate {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_date = text.len() == DATE_LEN;
        match Instant::try_from(text) {
            Ok(instant) if is_date => Ok(Self(instant.0.date())),
            _ => Err("a date is written YYYY-MM-DD"),
        }
    }
}

/// The public holidays of a place.
#[derive(Debug, Deserialize)]
#[serde(from = "CalendarRow")]
pub(super) struct Calendar {
    offset: UtcOffset,
    covers_through: Date,
    dates: BTreeSet<Date>,
}

impl Calendar {
    fn is_holiday(&self, at: OffsetDateTime) -> bool {
        self.dates.contains(&self.local_date(at))
    }

    fn local_date(&self, at: OffsetDateTime) -> Date {
        at.checked_to_offset(self.offset).unwrap_or(at).date()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CalendarRow {
    utc_offset: Offset,
    covers_through: CalendarDate,
    dates: BTreeSet<CalendarDate>,
    #[serde(rename = "source")]
    _source: Option<serde::de::IgnoredAny>,
}

impl From<CalendarRow> for Calendar {
    fn from(row: CalendarRow) -> Self {
        Self {
            offset: row.utc_offset.0,
            covers_through: row.covers_through.0,
            dates: row.dates.into_iter().map(|date| date.0).collect(),
        }
    }
}

/// An offset from UTC; as data, `+08:00`.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Offset(UtcOffset);

impl TryFrom<String> for Offset {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let signed = |(hours, minutes): (u8, u8), sign: i8| {
            let signed = |part: u8| i8::try_from(part).ok()?.checked_mul(sign);
            UtcOffset::from_hms(signed(hours)?, signed(minutes)?, 0).ok()
        };
        let offset = match text.split_at_checked(1) {
            Some(("+", rest)) => hours_and_minutes(rest).and_then(|parts| signed(parts, 1)),
            Some(("-", rest)) => hours_and_minutes(rest).and_then(|parts| signed(parts, -1)),
            _ => None,
        };
        offset
            .map(Self)
            .ok_or("an offset from UTC is written +HH:MM")
    }
}
