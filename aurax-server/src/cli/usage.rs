//! `aurax usage`.

use aurax::Result;
use aurax::store::{Bucketing, Grouping, UsageFigures, UsageFilter, UsageRow, UsageStatus, Usages};
use clap::{Args, ValueEnum};
use serde::Serialize;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use super::exit::Done;
use super::json::Digits;
use super::print::{Style, at, cost, count, money};
use super::shell::{Opened, Shell, all, principal};
use super::table::{Side, Table};
use super::unless_interrupted;

const EXAMPLES: &str = "Examples:
  aurax usage                               all of it, and by model
  aurax usage --by provider --from 2026-11-01
  aurax usage --by day --from 2026-11-01 --to 2026-12-01 --csv > november.csv
  aurax usage --rows --model gpt-4o-mini    call by call, the latest first
  aurax usage --user ada@example.com --json

Times are in UTC: a day, or RFC 3339 such as 2026-11-22T13:38:00Z; --to is not part of it. Without
--from, hours go back 2 days, days 30, weeks 12 and months a year.";

/// Show what was used and what it cost.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Usage {
    /// Group by this
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "model",
        conflicts_with = "rows"
    )]
    by: By,
    /// Show each call instead, the latest first
    #[arg(long)]
    rows: bool,
    /// The most rows
    #[arg(long, value_name = "N", default_value_t = 50, requires = "rows")]
    most: u16,
    /// From then on
    #[arg(long, value_name = "TIME", value_parser = time_of)]
    from: Option<OffsetDateTime>,
    /// Until then
    #[arg(long, value_name = "TIME", value_parser = time_of)]
    to: Option<OffsetDateTime>,
    /// Only of this provider
    #[arg(long)]
    provider: Option<String>,
    /// Only of this model
    #[arg(long)]
    model: Option<String>,
    /// Of the account of this address
    #[arg(long, value_name = "EMAIL")]
    user: Option<String>,
    /// Print one JSON object a line
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print CSV, with a heading
    #[arg(long)]
    csv: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum By {
    Provider,
    Model,
    Session,
    Status,
    AccessKey,
    Hour,
    Day,
    Week,
    Month,
}

impl By {
    /// By what they share, or by the time.
    const fn split(self) -> std::result::Result<Grouping, Bucketing> {
        match self {
            Self::Provider => Ok(Grouping::Provider),
            Self::Model => Ok(Grouping::Model),
            Self::Session => Ok(Grouping::Session),
            Self::Status => Ok(Grouping::Status),
            Self::AccessKey => Ok(Grouping::AccessKey),
            Self::Hour => Err(Bucketing::Hour),
            Self::Day => Err(Bucketing::Day),
            Self::Week => Err(Bucketing::Week),
            Self::Month => Err(Bucketing::Month),
        }
    }

    const fn heading(self) -> &'static str {
        match self {
            Self::Provider => "PROVIDER",
            Self::Model => "MODEL",
            Self::Session => "SESSION",
            Self::Status => "STATUS",
            Self::AccessKey => "ACCESS KEY",
            Self::Hour => "HOUR",
            Self::Day => "DAY",
            Self::Week => "WEEK FROM",
            Self::Month => "MONTH FROM",
        }
    }
}

/// How far back a series goes, where nobody says.
const fn usual_span(step: Bucketing) -> time::Duration {
    match step {
        Bucketing::Day => time::Duration::days(30),
        Bucketing::Week => time::Duration::weeks(12),
        Bucketing::Month => time::Duration::days(366),
        _ => time::Duration::days(2),
    }
}

/// A day, or a moment.
fn time_of(text: &str) -> std::result::Result<OffsetDateTime, String> {
    if let Ok(day) = Date::parse(text, format_description!("[year]-[month]-[day]")) {
        return Ok(day.midnight().assume_utc());
    }
    OffsetDateTime::parse(text, &Rfc3339).map_err(|_| {
        "write a day such as 2026-11-22, or RFC 3339 such as 2026-11-22T13:38:00Z".to_owned()
    })
}

/// One line of figures.
#[derive(Serialize)]
struct Group {
    key: Option<String>,
    requests: u64,
    errors: u64,
    request_tokens: u64,
    response_tokens: u64,
    total_tokens: u64,
    cost_usd: Digits,
    cost_decimal: aurax::Money,
    unpriced: u64,
    response_time_p50_ms: Option<u64>,
    response_time_p95_ms: Option<u64>,
}

impl Group {
    fn new(key: Option<String>, figures: &UsageFigures) -> Self {
        Self {
            key,
            requests: figures.requests,
            errors: figures.errors,
            request_tokens: figures.request_tokens,
            response_tokens: figures.response_tokens,
            total_tokens: figures.total_tokens,
            cost_usd: Digits(figures.cost),
            cost_decimal: figures.cost,
            unpriced: figures.unpriced,
            response_time_p50_ms: figures.response_time.p50_ms,
            response_time_p95_ms: figures.response_time.p95_ms,
        }
    }
}

impl Usage {
    pub(super) async fn run(self, shell: &Shell) -> Done {
        let opened = shell.open().await?;
        let done = unless_interrupted(self.show(shell, &opened)).await;
        opened.close(done).await
    }

    async fn show(&self, shell: &Shell, opened: &Opened) -> Done {
        let principal = principal(&opened.store, self.user.as_deref()).await?;
        let usages = opened.store.user(&principal).usage();
        let mut filter = UsageFilter::default();
        (filter.from, filter.to) = (self.from, self.to);
        filter.provider.clone_from(&self.provider);
        filter.model.clone_from(&self.model);
        if self.rows {
            let rows = all(usize::from(self.most), |page| {
                let (usages, filter) = (usages.clone(), filter.clone());
                async move { usages.rows(&filter, &page).await }
            })
            .await?;
            return self.each(shell, &rows);
        }
        let groups = self.groups(&usages, &filter, shell.now()).await?;
        if self.json || self.csv {
            return self.machine(shell, &groups);
        }
        let all = usages.summary(&filter).await?;
        self.table(shell, &all, &groups)
    }

    async fn groups(
        &self,
        usages: &Usages,
        filter: &UsageFilter,
        now: OffsetDateTime,
    ) -> Result<Vec<(Option<String>, UsageFigures)>> {
        let step = match self.by.split() {
            Ok(grouping) => {
                let groups = usages.grouped(filter, grouping).await?;
                return Ok(groups
                    .into_iter()
                    .map(|group| (group.key, group.figures))
                    .collect());
            }
            Err(step) => step,
        };
        // A series has two ends.
        let mut filter = filter.clone();
        let to = *filter.to.get_or_insert(now);
        filter
            .from
            .get_or_insert(to.saturating_sub(usual_span(step)));
        let points = usages.series(&filter, step).await?;
        let named = |time: OffsetDateTime| match step {
            Bucketing::Hour => at(time),
            _ => at(time).chars().take(10).collect(),
        };
        Ok(points
            .into_iter()
            .map(|point| (Some(named(point.at)), point.figures))
            .collect())
    }

    fn machine(&self, shell: &Shell, groups: &[(Option<String>, UsageFigures)]) -> Done {
        if self.csv {
            shell.out.line(format!(
                "{},requests,errors,request_tokens,response_tokens,total_tokens,cost_usd,unpriced",
                self.by.heading().to_ascii_lowercase().replace(' ', "_")
            ))?;
        }
        for (key, figures) in groups {
            if self.json {
                shell.out.json(&Group::new(key.clone(), figures))?;
                continue;
            }
            shell.out.line(format!(
                "{},{},{},{},{},{},{},{}",
                field(key.as_deref().unwrap_or_default()),
                figures.requests,
                figures.errors,
                figures.request_tokens,
                figures.response_tokens,
                figures.total_tokens,
                figures.cost,
                figures.unpriced
            ))?;
        }
        Ok(())
    }

    fn table(
        &self,
        shell: &Shell,
        all: &UsageFigures,
        groups: &[(Option<String>, UsageFigures)],
    ) -> Done {
        let out = &shell.out;
        if all.requests == 0 {
            return out.line("nothing was used");
        }
        let mut table = Table::new([
            (self.by.heading(), Side::Left),
            ("CALLS", Side::Right),
            ("FAILED", Side::Right),
            ("INPUT", Side::Right),
            ("OUTPUT", Side::Right),
            ("COST", Side::Right),
            ("MEDIAN", Side::Right),
        ]);
        for (key, figures) in groups {
            table.row(cells(
                key.clone().unwrap_or_else(|| "-".to_owned()),
                figures,
            ));
        }
        table.row(cells("all".to_owned(), all));
        table.print(out)?;
        if all.unpriced > 0 {
            let text = format!(
                "{} calls have a cost that is not known",
                count(all.unpriced)
            );
            out.remark(out.paint_error(Style::Yellow, &text));
        }
        Ok(())
    }

    fn each(&self, shell: &Shell, rows: &[UsageRow]) -> Done {
        let out = &shell.out;
        if self.csv {
            out.line("created_at,provider,model,request_tokens,response_tokens,cost_usd,cost_source,response_time_ms,status,id")?;
        }
        let mut table = Table::new([
            ("WHEN (UTC)", Side::Left),
            ("MODEL", Side::Left),
            ("INPUT", Side::Right),
            ("OUTPUT", Side::Right),
            ("COST", Side::Right),
            ("TIME", Side::Right),
            ("STATUS", Side::Left),
        ]);
        for row in rows {
            if self.json {
                out.json(&Row::new(row)?)?;
            } else if self.csv {
                out.line(csv(row))?;
            } else {
                table.row([
                    at(row.created_at),
                    format!("{}/{}", row.provider, row.model),
                    count(row.request_tokens),
                    count(row.response_tokens),
                    cost(&row.cost),
                    super::print::took(std::time::Duration::from_millis(row.response_time_ms)),
                    status(row),
                ]);
            }
        }
        if self.json || self.csv {
            return Ok(());
        }
        match rows.is_empty() {
            true => out.line("nothing was used"),
            false => table.print(out),
        }
    }
}

/// A row as the API shows it: the cost as a number, and the same in decimals.
#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    row: serde_json::Map<String, serde_json::Value>,
    cost_usd: Option<Digits>,
    cost_decimal: Option<aurax::Money>,
    cost_source: &'static str,
}

impl Row {
    fn new(row: &UsageRow) -> Done<Self> {
        let amount = row.cost.amount();
        let value = serde_json::to_value(row).map_err(|error| {
            aurax::Error::new(aurax::ErrorKind::Internal, format!("no JSON: {error}"))
        })?;
        let mut fields = match value {
            serde_json::Value::Object(fields) => fields,
            _ => serde_json::Map::new(),
        };
        fields.shift_remove("cost");
        Ok(Self {
            row: fields,
            cost_usd: amount.map(Digits),
            cost_decimal: amount,
            cost_source: row.cost.source(),
        })
    }
}

fn cells(name: String, figures: &UsageFigures) -> [String; 7] {
    let median = figures
        .response_time
        .p50_ms
        .map(std::time::Duration::from_millis);
    [
        name,
        count(figures.requests),
        count(figures.errors),
        count(figures.request_tokens),
        count(figures.response_tokens),
        money(figures.cost),
        median.map_or_else(|| "-".to_owned(), super::print::took),
    ]
}

fn status(row: &UsageRow) -> String {
    match (row.status, &row.error_kind) {
        (UsageStatus::Error, Some(kind)) => format!("error: {kind}"),
        (status, _) => status.as_str().to_owned(),
    }
}

fn csv(row: &UsageRow) -> String {
    let amount = row
        .cost
        .amount()
        .map_or_else(String::new, |amount| amount.to_string());
    format!(
        "{},{},{},{},{},{amount},{},{},{},{}",
        row.created_at.format(&Rfc3339).unwrap_or_default(),
        field(&row.provider),
        field(&row.model),
        row.request_tokens,
        row.response_tokens,
        row.cost.source(),
        row.response_time_ms,
        row.status.as_str(),
        row.id
    )
}

/// A field of CSV (RFC 4180). What a spreadsheet would take for a formula is a text.
fn field(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_day_or_a_moment() {
        let day = time_of("2026-11-22").unwrap();
        assert_eq!(at(day), "2026-11-22 00:00");
        assert_eq!(
            at(time_of("2026-11-22T13:38:00+01:00").unwrap()),
            "2026-11-22 12:38"
        );
        assert!(time_of("yesterday").is_err() && time_of("2026-13-01").is_err());
    }

    #[test]
    fn a_field_of_csv_is_one_field_and_no_formula() {
        assert_eq!(
            [field("a"), field("a,b"), field("a\"b")],
            ["a", "\"a,b\"", "\"a\"\"b\""]
        );
        assert_eq!(field("=cmd()"), "'=cmd()");
    }
}
