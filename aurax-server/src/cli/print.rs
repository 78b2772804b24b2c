//! What is printed, and how figures read.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use aurax::{Cost, Money};
use serde::Serialize;
use time::OffsetDateTime;
use time::macros::format_description;

use super::exit::Done;

/// The standard streams. Answers go to standard output, everything else to standard error.
#[derive(Debug)]
pub(super) struct Printer {
    quiet: bool,
    paints: bool,
    paints_errors: bool,
    is_terminal: bool,
}

/// How a text looks on a terminal.
#[derive(Debug, Clone, Copy)]
pub(super) enum Style {
    Bold,
    Dim,
    Yellow,
}

impl Style {
    const fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Yellow => "33",
        }
    }
}

impl Printer {
    pub(super) fn new(quiet: bool, plain: bool) -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        Self {
            quiet,
            paints: is_terminal && !plain,
            paints_errors: std::io::stderr().is_terminal() && !plain,
            is_terminal,
        }
    }

    pub(super) const fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether somebody looks at what is printed as it comes.
    pub(super) const fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    pub(super) fn line(&self, text: impl AsRef<str>) -> Done {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_ref().as_bytes())?;
        out.write_all(b"\n")?;
        Ok(out.flush()?)
    }

    /// A part of a line, at once.
    pub(super) fn part(&self, text: &str) -> Done {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }

    /// Words of a model: on a terminal without what would steer it.
    pub(super) fn words(&self, text: &str, style: Option<Style>) -> Done {
        if !self.is_terminal {
            return self.part(text);
        }
        let clean = harmless(text);
        match style {
            Some(style) => self.part(&self.paint(style, &clean)),
            None => self.part(&clean),
        }
    }

    /// One line of JSON.
    pub(super) fn json(&self, value: &impl Serialize) -> Done {
        let text = serde_json::to_string(value).map_err(|error| {
            aurax::Error::new(aurax::ErrorKind::Internal, format!("no JSON: {error}"))
        })?;
        self.line(text)
    }

    /// A remark beside what was asked for.
    pub(super) fn remark(&self, text: impl AsRef<str>) {
        if !self.quiet {
            self.error(text);
        }
    }

    /// What has to be said even where it is quiet.
    pub(super) fn error(&self, text: impl AsRef<str>) {
        let text = format!("{}\n", text.as_ref());
        // Where standard error is gone there is nobody to tell.
        drop(std::io::stderr().write_all(text.as_bytes()));
    }

    pub(super) fn paint(&self, style: Style, text: &str) -> String {
        painted(self.paints, style, text)
    }

    pub(super) fn paint_error(&self, style: Style, text: &str) -> String {
        painted(self.paints_errors, style, text)
    }
}

fn painted(paints: bool, style: Style, text: &str) -> String {
    match paints && !text.is_empty() {
        true => format!("\x1b[{}m{text}\x1b[0m", style.code()),
        false => text.to_owned(),
    }
}

/// A text without characters that steer a terminal.
pub(super) fn harmless(text: &str) -> String {
    let steers = |c: &char| c.is_control() && !matches!(c, '\n' | '\t');
    text.chars().filter(|c| !steers(c)).collect()
}

/// `1,234,567`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len().saturating_add(digits.len() / 3));
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && digits.len().saturating_sub(i) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `$0.0000198`, to the last digit.
pub(super) fn money(amount: Money) -> String {
    match amount.is_negative() {
        true => format!("-${}", amount.to_string().trim_start_matches('-')),
        false => format!("${amount}"),
    }
}

/// `$0.0000198 (exact)`.
pub(super) fn cost(cost: &Cost) -> String {
    match cost {
        Cost::Free => "free".to_owned(),
        _ => match cost.amount() {
            Some(amount) => format!("{} ({})", money(amount), cost.source()),
            None => "cost unknown".to_owned(),
        },
    }
}

/// `340 ms`, `1.2 s`, `2 min 5 s`.
pub(super) fn took(time: Duration) -> String {
    let (seconds, millis) = (time.as_secs(), time.as_millis());
    match seconds {
        0 => format!("{millis} ms"),
        1..60 => format!("{}.{} s", seconds, time.subsec_millis() / 100),
        _ => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

/// `2026-11-22 13:38`, in UTC.
pub(super) fn at(time: OffsetDateTime) -> String {
    let form = format_description!("[year]-[month]-[day] [hour]:[minute]");
    time.to_offset(time::UtcOffset::UTC)
        .format(form)
        .unwrap_or_default()
}

/// `1.5 GiB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u32); 3] = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let unit = UNITS.iter().find(|(_, shift)| bytes >> shift > 0);
    let Some((name, shift)) = unit else {
        return format!("{bytes} B");
    };
    let tenths = (u128::from(bytes) * 10) >> shift;
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!(
            [count(0), count(999), count(1_000), count(1_234_567)],
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(took(Duration::from_millis(340)), "340 ms");
        assert_eq!(took(Duration::from_millis(1_290)), "1.2 s");
        assert_eq!(took(Duration::from_secs(125)), "2 min 5 s");
        assert_eq!(
            [size(0), size(1_536), size(3 << 30)],
            ["0 B", "1.5 KiB", "3.0 GiB"]
        );
        assert_eq!(at(OffsetDateTime::UNIX_EPOCH), "1970-01-01 00:00");
    }

    #[test]
    fn money_is_exact() {
        let amount = |text: &str| text.parse::<Money>().unwrap();
        assert_eq!(
            cost(&Cost::Exact(amount("0.000000000000000001"))),
            "$0.000000000000000001 (exact)"
        );
        assert_eq!(money(amount("-1.50")), "-$1.5");
        assert_eq!(
            [cost(&Cost::Free), cost(&Cost::Unpriced)],
            ["free", "cost unknown"]
        );
    }

    #[test]
    fn a_model_does_not_steer_the_terminal() {
        assert_eq!(harmless("a\x1b[31mb\u{9b}c\r\n\td\x07"), "a[31mbc\n\td");
    }
}
