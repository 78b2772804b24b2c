//! Sums and times of many calls.

use std::collections::HashMap;

use aurax_core::{Error, ErrorKind, Money, Result};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{UsageFilter, Usages};
use crate::bounds::refuse;
use crate::catalogue::usage as sql;
use crate::db::{Row, Statement, Value};
use crate::turn::to_json;

/// The most groups there are in an answer.
const GROUPS: u32 = 1_000;
/// The most points of a series.
const POINTS: i64 = 2_000;

/// By what calls are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Grouping {
    /// The provider.
    Provider,
    /// The provider and the model, as `provider/model`.
    Model,
    /// The session.
    Session,
    /// How they ended.
    Status,
    /// The access key.
    AccessKey,
}

impl Grouping {
    /// Every grouping.
    pub const ALL: &[Self] = &[
        Self::Provider,
        Self::Model,
        Self::Session,
        Self::Status,
        Self::AccessKey,
    ];

    const fn statements(self) -> [&'static Statement; 2] {
        match self {
            Self::Provider => [&sql::BY_PROVIDER, &sql::BY_PROVIDER_TIMES],
            Self::Model => [&sql::BY_MODEL, &sql::BY_MODEL_TIMES],
            Self::Session => [&sql::BY_SESSION, &sql::BY_SESSION_TIMES],
            Self::Status => [&sql::BY_STATUS, &sql::BY_STATUS_TIMES],
            Self::AccessKey => [&sql::BY_ACCESS_KEY, &sql::BY_ACCESS_KEY_TIMES],
        }
    }
}

/// How long the steps of a series are, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Bucketing {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A week, from Monday.
    Week,
    /// A month of the calendar.
    Month,
}

impl Bucketing {
    /// Every step.
    pub const ALL: &[Self] = &[Self::Minute, Self::Hour, Self::Day, Self::Week, Self::Month];

    const fn statements(self) -> [&'static Statement; 2] {
        match self {
            Self::Minute => [&sql::BY_MINUTE, &sql::BY_MINUTE_TIMES],
            Self::Hour => [&sql::BY_HOUR, &sql::BY_HOUR_TIMES],
            Self::Day => [&sql::BY_DAY, &sql::BY_DAY_TIMES],
            Self::Week => [&sql::BY_WEEK, &sql::BY_WEEK_TIMES],
            Self::Month => [&sql::BY_MONTH, &sql::BY_MONTH_TIMES],
        }
    }

    /// The least seconds a step has.
    const fn seconds(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
            Self::Week => 7 * 86_400,
            Self::Month => 28 * 86_400,
        }
    }
}

/// The times that half and 95 of 100 calls did not exceed, in milliseconds, by nearest rank;
/// `None` where nobody measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Percentiles {
    /// The median.
    pub p50_ms: Option<u64>,
    /// What 95 of 100 did not exceed.
    pub p95_ms: Option<u64>,
}

/// What many calls used and cost together. Those that are kept as daily sums alone count for the
/// day they were settled in, at its beginning, and have no times.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UsageFigures {
    /// How many there were.
    pub requests: u64,
    /// How many of them failed.
    pub errors: u64,
    /// Input tokens.
    pub request_tokens: u64,
    /// Output tokens.
    pub response_tokens: u64,
    /// All tokens.
    pub total_tokens: u64,
    /// What they cost, as far as that is known.
    pub cost: Money,
    /// How many of them have a cost that is not known.
    pub unpriced: u64,
    /// How long those that succeeded took.
    pub response_time: Percentiles,
    /// How long those that succeeded took until their first content, where that was measured.
    pub ttft: Percentiles,
}

/// What the calls of one group used and cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UsageGroup {
    /// What they share; `None` for those without a session or access key.
    pub key: Option<String>,
    /// What they used and cost.
    pub figures: UsageFigures,
}

/// What the calls of one step of time used and cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UsagePoint {
    /// When the step begins.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// What they used and cost.
    pub figures: UsageFigures,
}

impl UsageGroup {
    fn read(row: &Row) -> Result<Self> {
        let read = || {
            Ok(UsageFigures {
                requests: row.count("requests")?,
                errors: row.count("errors")?,
                request_tokens: row.count("request_tokens")?,
                response_tokens: row.count("response_tokens")?,
                total_tokens: row.count("total_tokens")?,
                cost: row.money_or_null("cost_usd")?.unwrap_or_default(),
                unpriced: row.count("unpriced")?,
                response_time: Percentiles::default(),
                ttft: Percentiles::default(),
            })
        };
        let figures = read().map_err(|error: Error| {
            Error::new(ErrorKind::Internal, "a sum of usage is out of range")
                .with_context("code", "out_of_range")
                .with_source(error)
        })?;
        Ok(Self {
            key: row.text_or_null("grp")?,
            figures,
        })
    }
}

impl Usages {
    /// What the calls used and cost altogether.
    ///
    /// # Errors
    /// `Internal`, with the code `out_of_range`, for a sum beyond what is counted with; `Store`
    /// when they cannot be read.
    pub async fn summary(&self, filter: &UsageFilter) -> Result<UsageFigures> {
        let statements = [&sql::SUMMARY, &sql::SUMMARY_TIMES];
        let groups = self.groups(filter, statements, 1).await?;
        let first = groups.into_iter().next();
        Ok(first.map(|group| group.figures).unwrap_or_default())
    }

    /// What the calls of each group used and cost: the 1,000 groups with the most calls, those
    /// first.
    ///
    /// # Errors
    /// As of [`Usages::summary`].
    pub async fn grouped(&self, filter: &UsageFilter, by: Grouping) -> Result<Vec<UsageGroup>> {
        self.groups(filter, by.statements(), GROUPS).await
    }

    /// What the calls of each step of time used and cost, in order; steps without calls are left
    /// out.
    ///
    /// # Errors
    /// `InvalidRequest` for a filter without `from` and `to`, and for more than 2,000 steps
    /// between them; else as of [`Usages::summary`].
    pub async fn series(&self, filter: &UsageFilter, by: Bucketing) -> Result<Vec<UsagePoint>> {
        let (Some(from), Some(to)) = (filter.from, filter.to) else {
            return Err(refuse("from", "a series is between two times: set both"));
        };
        let seconds = to.unix_timestamp().saturating_sub(from.unix_timestamp());
        if seconds > by.seconds().saturating_mul(POINTS) {
            return Err(refuse(
                "bucket",
                format!(
                    "a series has at most {POINTS} steps: make them longer, or the time shorter"
                ),
            ));
        }
        // Two more, for the beginnings and ends of steps.
        let most = u32::try_from(POINTS).unwrap_or(u32::MAX).saturating_add(2);
        let groups = self.groups(filter, by.statements(), most).await?;
        let mut points = groups
            .into_iter()
            .map(|group| {
                Ok(UsagePoint {
                    at: moment(group.key.as_deref().unwrap_or_default())?,
                    figures: group.figures,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        points.sort_unstable_by_key(|point| point.at);
        Ok(points)
    }

    async fn groups(
        &self,
        filter: &UsageFilter,
        [sums, times]: [&'static Statement; 2],
        most: u32,
    ) -> Result<Vec<UsageGroup>> {
        let mut args = filter.args();
        args.push(("most", Value::from(most)));
        let (mut groups, times) = self
            .0
            .analyse(move |tx| {
                Box::pin(async move {
                    let groups = tx.rows(sums, &args).await?;
                    let groups = groups
                        .iter()
                        .map(UsageGroup::read)
                        .collect::<Result<Vec<_>>>()?;
                    let keys: Vec<&str> = groups.iter().map(key).collect();
                    args.push(("groups", Value::from(to_json(&keys)?)));
                    let times = tx.rows(times, &args).await?;
                    Ok((groups, times))
                })
            })
            .await?;
        let mut known = HashMap::new();
        for row in &times {
            let place = (row.text("grp")?, row.text("kind")? == "first");
            known.insert(place, percentiles(row)?);
        }
        for group in &mut groups {
            let mut take = |is_first| {
                let place = (key(group).to_owned(), is_first);
                known.remove(&place).unwrap_or_default()
            };
            let (whole, first) = (take(false), take(true));
            group.figures.response_time = whole;
            group.figures.ttft = first;
        }
        Ok(groups)
    }
}

fn key(group: &UsageGroup) -> &str {
    group.key.as_deref().unwrap_or_default()
}

fn percentiles(row: &Row) -> Result<Percentiles> {
    let ms = |name| -> Result<Option<u64>> {
        let ms = row.int_or_null(name)?;
        Ok(ms.map(|ms| u64::try_from(ms).unwrap_or(0)))
    };
    Ok(Percentiles {
        p50_ms: ms("p50")?,
        p95_ms: ms("p95")?,
    })
}

/// The moment of a bucket.
fn moment(micros: &str) -> Result<OffsetDateTime> {
    let micros: i64 = micros.parse().map_err(|error| {
        Error::new(ErrorKind::Internal, "a step of time cannot be read").with_source(error)
    })?;
    Ok(OffsetDateTime::UNIX_EPOCH.saturating_add(Duration::microseconds(micros)))
}
