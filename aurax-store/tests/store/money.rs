//! Sums of very many amounts, to the digit: what the databases add up, what decimals add up of the
//! rows that are read back, and what fractions of any size add up of the digits that went in.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use aurax_core::{Cost, Money, Page, Principal, new_id};
use aurax_store::{Bucketing, Grouping, UsageFigures, UsageFilter, UsageRow, UsageStatus, Usages};
use num_bigint::BigInt;
use time::{Duration, OffsetDateTime, Time};
use uuid::Uuid;

use crate::desk::{Desk, Kind};
use crate::sessions::at;

const ROWS: usize = 100_000;
/// Rows that go in at a time.
const BATCH: usize = 2_000;
/// The most days between the first call and the last: an hour's steps are within a series.
const DAYS: i64 = 60;

/// A sum by the name of what is summed.
type Sums = BTreeMap<String, Money>;

/// What chance begins with: `AURAX_SEED`, or anything. It is printed, to do the same again.
#[expect(clippy::disallowed_methods, reason = "the tests' own configuration")]
fn seed() -> u64 {
    let given = std::env::var("AURAX_SEED");
    let seed = given.map_or_else(|_| fastrand::u64(..1 << 32), |text| text.parse().unwrap());
    println!("AURAX_SEED={seed}");
    seed
}

/// An amount's digits. Together they stay within what SQLite adds up, nine billion dollars, in
/// whatever order and with whatever sign.
fn digits(rng: &mut fastrand::Rng, number: usize) -> String {
    match number {
        0 => return "4000000000.999999999999999999".to_owned(),
        1 => return "-0.000000000000000001".to_owned(),
        2 => return "0.000000000000000001".to_owned(),
        3 => return "-999999999.999999999999999999".to_owned(),
        _ => {}
    }
    let whole = if number.is_multiple_of(5_000) {
        rng.u64(0..100_000_000)
    } else {
        let most = 10_u64.pow(rng.u32(0..5));
        rng.u64(0..most)
    };
    let places = rng.usize(0..=18);
    // Small amounts are those that a float would lose first.
    let zeros = rng.usize(0..=places);
    let fraction: String = (0..places)
        .map(|place| if place < zeros { '0' } else { rng.digit(10) })
        .collect();
    let sign = if rng.u8(0..5) == 0 { "-" } else { "" };
    if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

/// Calls, the latest first.
struct Calls {
    rows: Vec<UsageRow>,
    /// What each cost, in digits; `None` where that is not known.
    digits: Vec<Option<String>>,
    /// What there are sums of.
    names: Vec<String>,
    /// Which of the sums each call is part of.
    parts: Vec<Vec<usize>>,
}

impl Calls {
    /// Calls of every kind; those of a negative amount are corrections.
    fn any(rng: &mut fastrand::Rng) -> Self {
        let sessions: Vec<_> = (0..40).map(|_| new_id()).collect();
        let keys: Vec<_> = (0..5).map(|_| new_id()).collect();
        let mut calls: Vec<_> = (0..ROWS)
            .map(|number| call(rng, number, &sessions, &keys))
            .collect();
        calls.sort_unstable_by_key(|(row, _)| std::cmp::Reverse(row.id));
        let (rows, digits): (Vec<_>, Vec<_>) = calls.into_iter().unzip();
        let mut known = HashMap::new();
        let mut names = Vec::new();
        let parts = rows
            .iter()
            .map(|row| {
                let number = |name: String| {
                    *known.entry(name.clone()).or_insert_with(|| {
                        names.push(name);
                        names.len() - 1
                    })
                };
                groups(row).into_iter().map(number).collect()
            })
            .collect();
        Self {
            rows,
            digits,
            names,
            parts,
        }
    }
}

fn call(
    rng: &mut fastrand::Rng,
    number: usize,
    sessions: &[Uuid],
    keys: &[Uuid],
) -> (UsageRow, Option<String>) {
    let moment = at(0) + Duration::microseconds(rng.i64(0..DAYS * 86_400_000_000));
    let provider = format!("provider {}", rng.u8(0..5));
    let mut row = UsageRow::answered(&provider, &format!("model {}", rng.u8(0..8)), moment);
    row.session_id = rng.choice(sessions).copied().filter(|_| rng.u8(0..4) > 0);
    row.access_key_id = rng.choice(keys).copied().filter(|_| rng.bool());
    row.status = [
        UsageStatus::Success,
        UsageStatus::Error,
        UsageStatus::Cancelled,
    ][rng.usize(0..3)];
    let text = digits(rng, number);
    let amount: Money = text.parse().unwrap();
    if amount.is_negative() {
        row.request_type = "adjust".to_owned();
    }
    row.cost = match rng.u8(0..20) {
        0 if number > 3 => Cost::Unpriced,
        1..=5 => Cost::Reported(amount),
        6..=8 => Cost::Estimated(amount),
        9 => Cost::Partial(amount),
        _ => Cost::Exact(amount),
    };
    let text = row.cost.amount().map(|_| text);
    (row, text)
}

/// The sums that a row is part of.
fn groups(row: &UsageRow) -> Vec<String> {
    let at = row.created_at;
    let day = at.replace_time(Time::MIDNIGHT);
    let week = day - Duration::days(day.weekday().number_days_from_monday().into());
    let month = day.replace_day(1).unwrap();
    let hour = at.replace_time(Time::from_hms(at.hour(), 0, 0).unwrap());
    let minute = at.replace_time(Time::from_hms(at.hour(), at.minute(), 0).unwrap());
    let mut groups = vec![
        "all".to_owned(),
        named("Provider", Some(&row.provider)),
        named("Model", Some(&format!("{}/{}", row.provider, row.model))),
        named("Status", Some(row.status.as_str())),
        named(
            "Session",
            row.session_id.map(|id| id.to_string()).as_deref(),
        ),
        named(
            "AccessKey",
            row.access_key_id.map(|id| id.to_string()).as_deref(),
        ),
        step(Bucketing::Hour, hour),
        step(Bucketing::Day, day),
        step(Bucketing::Week, week),
        step(Bucketing::Month, month),
    ];
    if first_day().from.unwrap() <= at && at < first_day().to.unwrap() {
        groups.push(step(Bucketing::Minute, minute));
    }
    groups
}

fn named(by: &str, key: Option<&str>) -> String {
    format!("{by} {}", key.unwrap_or("-"))
}

fn step(by: Bucketing, at: OffsetDateTime) -> String {
    format!("{by:?} {at}")
}

/// So many minutes as a series has.
fn first_day() -> UsageFilter {
    let from = at(0).replace_time(Time::MIDNIGHT) + Duration::DAY;
    UsageFilter::between(from, from + Duration::DAY)
}

fn all() -> UsageFilter {
    UsageFilter::between(at(-86_400), at((DAYS + 2) * 86_400))
}

/// The sums that the database makes.
async fn in_sql(usage: &Usages) -> (Sums, UsageFigures) {
    let mut sums = Sums::new();
    let figures = usage.summary(&all()).await.unwrap();
    sums.insert("all".to_owned(), figures.cost);
    for by in Grouping::ALL {
        for group in usage.grouped(&all(), *by).await.unwrap() {
            let name = named(&format!("{by:?}"), group.key.as_deref());
            sums.insert(name, group.figures.cost);
        }
    }
    for by in Bucketing::ALL {
        let filter = match by {
            Bucketing::Minute => first_day(),
            _ => all(),
        };
        for point in usage.series(&filter, *by).await.unwrap() {
            sums.insert(step(*by, point.at), point.figures.cost);
        }
    }
    (sums, figures)
}

/// The sums of the rows as they are read back, which are the rows that went in.
async fn in_decimals(usage: &Usages, calls: &Calls) -> Sums {
    let mut sums = vec![Money::ZERO; calls.names.len()];
    let mut page = Page::first().with_limit(Page::MOST);
    let mut sent = calls.rows.iter().zip(&calls.parts);
    loop {
        let found = usage.rows(&UsageFilter::default(), &page).await.unwrap();
        for row in &found.data {
            let (expected, parts) = sent.next().unwrap();
            assert_eq!(row, expected);
            for part in parts {
                if let Some(amount) = row.cost.amount() {
                    sums[*part] = sums[*part].checked_add(amount).unwrap();
                }
            }
        }
        let Some(cursor) = found.next_cursor else {
            break;
        };
        page = page.after(cursor);
    }
    assert!(sent.next().is_none());
    calls.names.iter().cloned().zip(sums).collect()
}

/// The numerator of a decimal over 10¹⁸, which is a denominator of all that is kept.
fn numerator(digits: &str) -> BigInt {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    format!("{whole}{fraction:0<18}").parse().unwrap()
}

/// The sums of the digits that went in.
fn in_fractions(calls: &Calls) -> Vec<BigInt> {
    let mut sums = vec![BigInt::from(0); calls.names.len()];
    for (digits, parts) in calls.digits.iter().zip(&calls.parts) {
        let amount = digits.as_deref().map(numerator).unwrap_or_default();
        for part in parts {
            sums[*part] += &amount;
        }
    }
    sums
}

/// The sums of a store in which the calls are kept, by its database and by decimals.
async fn kept(kind: Kind, calls: &Calls) -> Option<(Sums, UsageFigures)> {
    let desk = Desk::open(kind).await?;
    let began = now();
    let ada = Principal::new("ada");
    let jobs = desk.store.jobs();
    for batch in calls.rows.chunks(BATCH) {
        jobs.add_usage(&ada, batch).await.unwrap();
    }
    let written = now();
    let usage = desk.store.user(&ada).usage();
    let (sums, figures) = in_sql(&usage).await;
    let summed = now();
    let decimals = in_decimals(&usage, calls).await;
    println!(
        "{kind:?}: {ROWS} rows written in {:?}, {} sums in {:?}, read and added in {:?}",
        written - began,
        sums.len(),
        summed - written,
        now() - summed,
    );
    assert_eq!(sums.len(), decimals.len());
    for (name, sum) in &sums {
        assert_eq!(Some(sum), decimals.get(name), "{name} in {kind:?}");
    }
    desk.clear().await;
    Some((sums, figures))
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a test takes is printed"
)]
fn now() -> Instant {
    Instant::now()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sums_of_very_many_amounts_are_exact() {
    let calls = Calls::any(&mut fastrand::Rng::with_seed(seed()));
    let (file, figures) = kept(Kind::File, &calls).await.unwrap();
    let fractions = in_fractions(&calls);
    assert_eq!(file.len(), calls.names.len());
    for (name, sum) in calls.names.iter().zip(&fractions) {
        assert_eq!(&numerator(&file[name].to_string()), sum, "{name}");
    }
    let unpriced = calls.digits.iter().filter(|digits| digits.is_none());
    assert_eq!(figures.unpriced, u64::try_from(unpriced.count()).unwrap());
    if let Some((sums, of_postgres)) = kept(Kind::Postgres, &calls).await {
        assert_eq!(sums, file);
        assert_eq!(of_postgres, figures);
    }
}
