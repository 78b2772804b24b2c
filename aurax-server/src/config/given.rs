//! One value an operator gave, in the file or in a variable, and how it is read.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use aurax::store::Origin;
use toml::{Table, Value};

/// What is wrong with a value: how the sentence goes on that begins with the field. It never shows
/// the value.
pub(super) type Wrong = String;

/// A value as it was given.
#[derive(Clone, Copy)]
pub(super) enum Given<'a> {
    /// In the file.
    Toml(&'a Value),
    /// In a variable.
    Text(&'a str),
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Given<'_> {
    pub(super) fn text(self) -> Result<String, Wrong> {
        let text = match self {
            Self::Toml(Value::String(text)) => text,
            Self::Text(text) => text,
            Self::Toml(_) => return Err("is no text: put it in quotes".to_owned()),
        };
        let text = text.trim();
        if text.is_empty() {
            return Err("is empty".to_owned());
        }
        if text.chars().any(char::is_control) {
            return Err("has control characters".to_owned());
        }
        Ok(text.to_owned())
    }

    pub(super) fn path(self) -> Result<PathBuf, Wrong> {
        self.text().map(PathBuf::from)
    }

    /// One of a few words.
    pub(super) fn one_of<T: Copy>(self, words: &[(&str, T)]) -> Result<T, Wrong> {
        let text = self.text()?;
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            format!("is none of {}", words.join(", "))
        })
    }

    pub(super) fn whole(self, range: RangeInclusive<u64>) -> Result<u64, Wrong> {
        let number = match self {
            Self::Toml(Value::Integer(number)) => u64::try_from(*number).ok(),
            Self::Toml(_) => None,
            Self::Text(text) => text.trim().parse().ok(),
        };
        let number = number.filter(|number| range.contains(number));
        let (least, most) = (range.start(), range.end());
        number.ok_or_else(|| format!("is no whole number from {least} to {most}"))
    }

    pub(super) fn count(self, range: RangeInclusive<u64>) -> Result<usize, Wrong> {
        let number = self.whole(range)?;
        usize::try_from(number).map_err(|_| "is too large for this machine".to_owned())
    }

    pub(super) fn positive(self, most: u32) -> Result<NonZeroU32, Wrong> {
        let number = self.whole(1..=u64::from(most))?;
        let number = u32::try_from(number).ok().and_then(NonZeroU32::new);
        number.ok_or_else(|| "is too large".to_owned())
    }

    /// A number a minute, or `none`.
    pub(super) fn limit(self) -> Result<Option<u64>, Wrong> {
        const MOST: u64 = 1_000_000_000;
        if self.text().is_ok_and(|text| text == "none") {
            return Ok(None);
        }
        let read = self.whole(1..=MOST).map(Some);
        read.map_err(|_| format!("is neither a whole number from 1 to {MOST} nor \"none\""))
    }

    /// A time such as `500ms`, `30s`, `15m`, `24h` or `7d`.
    pub(super) fn time(self, range: RangeInclusive<Duration>) -> Result<Duration, Wrong> {
        let form = "is no time such as 500ms, 30s, 15m, 24h or 7d";
        let text = self.text().map_err(|_| form.to_owned())?;
        let time = read_time(&text).ok_or(form)?;
        if !range.contains(&time) {
            let (least, most) = (shown(*range.start()), shown(*range.end()));
            return Err(format!("is not between {least} and {most}"));
        }
        Ok(time)
    }

    /// A size such as `32MiB`, or a number of bytes.
    pub(super) fn size(self, range: RangeInclusive<u64>) -> Result<usize, Wrong> {
        let form = "is no size such as 32MiB, 512KiB or a number of bytes";
        let size = match self {
            Self::Toml(Value::Integer(number)) => u64::try_from(*number).ok(),
            _ => read_size(&self.text().map_err(|_| form.to_owned())?),
        };
        let size = size.ok_or(form)?;
        if !range.contains(&size) {
            let (least, most) = (range.start(), range.end());
            return Err(format!("is not between {least} and {most} bytes"));
        }
        usize::try_from(size).map_err(|_| "is too large for this machine".to_owned())
    }

    /// A list of texts; in a variable, with commas between them.
    pub(super) fn list<T>(self, read: impl Fn(&str) -> Result<T, Wrong>) -> Result<Vec<T>, Wrong> {
        const MOST: usize = 1_000;
        let no_list = || "is no list of texts".to_owned();
        let texts: Vec<&str> = match self {
            Self::Toml(Value::Array(items)) => items
                .iter()
                .map(|item| item.as_str().ok_or_else(no_list))
                .collect::<Result<_, _>>()?,
            Self::Toml(_) => return Err(no_list()),
            Self::Text(text) => text
                .split(',')
                .filter(|item| !item.trim().is_empty())
                .collect(),
        };
        if texts.len() > MOST {
            return Err(format!("has more than {MOST} entries"));
        }
        let numbered = texts.iter().zip(1..);
        numbered
            .map(|(text, number)| {
                let read = read(text.trim());
                read.map_err(|wrong| format!("has an entry, number {number}, that {wrong}"))
            })
            .collect()
    }

    /// A list of tables; in a variable, as TOML writes it in one line.
    pub(super) fn tables(self) -> Result<Vec<Table>, Wrong> {
        let form = "is no list of tables";
        let parsed;
        let value = match self {
            Self::Toml(value) => value,
            Self::Text(text) => {
                let document: Table = format!("value = {text}")
                    .parse()
                    .map_err(|_| format!("{form}: write [{{…}}, {{…}}] as in TOML"))?;
                parsed = document;
                parsed.get("value").ok_or(form)?
            }
        };
        let items = value.as_array().ok_or(form)?;
        let tables = items.iter().map(|item| item.as_table().cloned());
        Ok(tables.collect::<Option<_>>().ok_or(form)?)
    }
}

/// A web address without a path: where clients are, or a server.
pub(super) fn origin(text: &str) -> Result<Origin, Wrong> {
    let wrong = || "is no origin such as https://app.example.com".to_owned();
    let (_, place) = text.split_once("://").ok_or_else(wrong)?;
    if place
        .trim_end_matches('/')
        .contains(['/', '?', '#', '@', '*'])
    {
        return Err(wrong());
    }
    Origin::parse(text).map_err(|_| wrong())
}

fn read_time(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    let seconds = match unit.trim() {
        "ms" => return Some(Duration::from_millis(number)),
        "s" => 1,
        "m" | "min" => 60,
        "h" => 60 * 60,
        "d" => DAY.as_secs(),
        _ => return None,
    };
    number.checked_mul(seconds).map(Duration::from_secs)
}

/// As a time is written.
pub(crate) fn shown(time: Duration) -> String {
    let (seconds, millis) = (time.as_secs(), time.as_millis());
    match seconds {
        _ if millis % 1_000 != 0 => format!("{millis}ms"),
        seconds if seconds > 0 && seconds % DAY.as_secs() == 0 => {
            format!("{}d", seconds / DAY.as_secs())
        }
        seconds if seconds > 0 && seconds % 3_600 == 0 => format!("{}h", seconds / 3_600),
        seconds if seconds > 0 && seconds % 60 == 0 => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

/// A time of the command line, as those of the configuration are written.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    Given::Text(text).time(Duration::from_millis(1)..=366 * DAY)
}

fn read_size(text: &str) -> Option<u64> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    let shift = match unit.trim() {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return None,
    };
    number.checked_mul(1 << shift)
}
