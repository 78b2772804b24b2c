//! Calls as comma-separated values (RFC 4180).

use std::fmt::{Display, Write as _};

use aurax::store::UsageRow;
use aurax::{Bucket, UsageSource};
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// The columns before those of the buckets.
const COLUMNS: [&str; 25] = [
    "id",
    "user_id",
    "request_id",
    "created_at",
    "provider",
    "model",
    "request_type",
    "status",
    "request_tokens",
    "response_tokens",
    "total_tokens",
    "usage_source",
    "cost_usd",
    "cost_source",
    "price_version",
    "response_time_ms",
    "ttft_ms",
    "attempts",
    "is_cached",
    "session_id",
    "message_id",
    "access_key_id",
    "error_kind",
    "error_message",
    "tags",
];

/// The line of names.
pub(super) fn names() -> String {
    let mut names: Vec<&str> = COLUMNS.into();
    names.extend(Bucket::ALL.iter().map(|bucket| bucket.as_str()));
    names.join(",") + "\r\n"
}

/// The line of a call.
pub(super) fn line(user_id: Uuid, row: &UsageRow, out: &mut String) {
    let mut line = Line::new(out);
    line.plain(row.id);
    line.plain(user_id);
    line.plain(row.request_id);
    line.plain(row.created_at.format(&Rfc3339).unwrap_or_default());
    line.text(&row.provider);
    line.text(&row.model);
    line.text(&row.request_type);
    line.plain(row.status.as_str());
    line.plain(row.request_tokens);
    line.plain(row.response_tokens);
    line.plain(row.total_tokens);
    line.plain(row.usage_source.map_or("", |source| match source {
        UsageSource::Provider => "provider",
        UsageSource::Counted => "counted",
        UsageSource::Estimated => "estimated",
    }));
    line.known(row.cost.amount());
    line.plain(row.cost.source());
    line.text(&row.price_version);
    line.plain(row.response_time_ms);
    line.known(row.ttft_ms);
    line.plain(row.attempts);
    line.plain(row.is_cached);
    line.known(row.session_id);
    line.known(row.message_id);
    line.known(row.access_key_id);
    line.text(row.error_kind.as_deref().unwrap_or_default());
    line.text(row.error_message.as_deref().unwrap_or_default());
    let tags = serde_json::to_string(&row.tags).unwrap_or_default();
    line.text(if row.tags.is_empty() { "" } else { &tags });
    for bucket in Bucket::ALL {
        line.plain(row.buckets.get(*bucket));
    }
    line.end();
}

/// A line that is being written.
struct Line<'a> {
    out: &'a mut String,
    is_first: bool,
}

impl<'a> Line<'a> {
    const fn new(out: &'a mut String) -> Self {
        Self {
            out,
            is_first: true,
        }
    }

    fn begin(&mut self) {
        if !std::mem::replace(&mut self.is_first, false) {
            self.out.push(',');
        }
    }

    /// A cell of letters, digits and dots of our own.
    #[expect(clippy::let_underscore_must_use, reason = "a String takes everything")]
    fn plain(&mut self, cell: impl Display) {
        self.begin();
        let _ = write!(self.out, "{cell}");
    }

    fn known(&mut self, cell: Option<impl Display>) {
        match cell {
            Some(cell) => self.plain(cell),
            None => self.plain(""),
        }
    }

    /// A cell of anybody's text. What a spreadsheet would take for a formula begins with an
    /// apostrophe, which makes it text there.
    fn text(&mut self, cell: &str) {
        self.begin();
        let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
        let is_quoted = cell.contains([',', '"', '\r', '\n']);
        if is_quoted {
            self.out.push('"');
        }
        if is_formula {
            self.out.push('\'');
        }
        if is_quoted {
            self.out.push_str(&cell.replace('"', "\"\""));
            self.out.push('"');
        } else {
            self.out.push_str(cell);
        }
    }

    fn end(self) {
        self.out.push_str("\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(texts: &[&str]) -> String {
        let mut out = String::new();
        let mut line = Line::new(&mut out);
        texts.iter().for_each(|text| line.text(text));
        line.end();
        out
    }

    #[test]
    fn a_cell_stays_one_cell() {
        assert_eq!(cells(&["a", "", "b c"]), "a,,b c\r\n");
        assert_eq!(
            cells(&["a,b", "say \"hi\""]),
            "\"a,b\",\"say \"\"hi\"\"\"\r\n"
        );
        assert_eq!(cells(&["a\r\nb"]), "\"a\r\nb\"\r\n");
    }

    #[test]
    fn no_cell_is_a_formula() {
        assert_eq!(cells(&["=1+1", "+1", "-1", "@a"]), "'=1+1,'+1,'-1,'@a\r\n");
        assert_eq!(cells(&["=a,b", "\t=1"]), "\"'=a,b\",'\t=1\r\n");
        assert_eq!(cells(&["\r=1"]), "\"'\r=1\"\r\n");
        assert_eq!(cells(&["1=1", "a@b"]), "1=1,a@b\r\n");
    }

    #[test]
    fn names_and_columns_are_as_many() {
        let columns = names().trim_end().split(',').count();
        assert_eq!(columns, COLUMNS.len() + Bucket::ALL.len());
    }
}
