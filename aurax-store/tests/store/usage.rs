//! Usage: rows, sums, series.

use std::collections::BTreeMap;

use aurax_core::{Cost, ErrorKind, Money, Page, Principal, new_id};
use aurax_store::{
    Bucketing, Grouping, Percentiles, UsageFigures, UsageFilter, UsageRow, UsageStatus,
};
use time::{Date, Duration, OffsetDateTime, Time};
use uuid::Uuid;

use crate::desk::Desk;
use crate::sessions::{ada, at};

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

/// Calls of forty days, in no order and of every kind.
fn calls() -> Vec<UsageRow> {
    let mut random = fastrand::Rng::with_seed(7);
    let sessions = [None, Some(new_id()), Some(new_id())];
    let keys = [None, Some(new_id())];
    (0..300)
        .map(|_| {
            let second = random.i64(0..40 * 86_400);
            let moment = at(second) + Duration::microseconds(random.i64(0..1_000_000));
            let (provider, model) =
                [("openai", "a"), ("openai", "b"), ("groq", "a")][random.usize(0..3)];
            let mut row = UsageRow::answered(provider, model, moment);
            row.session_id = sessions[random.usize(0..3)];
            row.access_key_id = keys[random.usize(0..2)];
            row.status = [
                UsageStatus::Success,
                UsageStatus::Error,
                UsageStatus::Cancelled,
            ][random.usize(0..3)];
            row.request_tokens = random.u64(0..1_000_000);
            row.response_tokens = random.u64(0..1_000);
            row.total_tokens = row.request_tokens + row.response_tokens;
            row.response_time_ms = random.u64(1..50);
            row.ttft_ms = random.bool().then(|| random.u64(1..20));
            let amount = format!("0.{:018}", random.u64(0..1_000_000_000_000_000_000));
            row.cost = [
                Cost::Unpriced,
                Cost::Free,
                Cost::Exact(money(&amount)),
                Cost::Estimated(money(&amount)),
            ][random.usize(0..4)];
            row
        })
        .collect()
}

async fn add(desk: &Desk, principal: &Principal, rows: &[UsageRow]) {
    let jobs = desk.store.jobs();
    jobs.add_usage(principal, rows).await.unwrap();
}

fn nearest(mut times: Vec<u64>) -> Percentiles {
    times.sort_unstable();
    let rank = |percent: usize| {
        let place = (times.len() * percent).div_ceil(100);
        times.get(place.checked_sub(1)?).copied()
    };
    let mut percentiles = Percentiles::default();
    percentiles.p50_ms = rank(50);
    percentiles.p95_ms = rank(95);
    percentiles
}

/// What the sums of some rows are, by hand.
fn expected(rows: &[&UsageRow]) -> UsageFigures {
    let mut sums = UsageFigures::default();
    for row in rows {
        sums.requests += 1;
        sums.errors += u64::from(row.status == UsageStatus::Error);
        sums.request_tokens += row.request_tokens;
        sums.response_tokens += row.response_tokens;
        sums.total_tokens += row.total_tokens;
        match row.cost.amount() {
            Some(amount) => sums.cost = sums.cost.checked_add(amount).unwrap(),
            None => sums.unpriced += 1,
        }
    }
    let successes = || rows.iter().filter(|row| row.status == UsageStatus::Success);
    sums.response_time = nearest(successes().map(|row| row.response_time_ms).collect());
    sums.ttft = nearest(successes().filter_map(|row| row.ttft_ms).collect());
    sums
}

fn by<K: Ord>(rows: &[UsageRow], key: impl Fn(&UsageRow) -> K) -> BTreeMap<K, UsageFigures> {
    let mut groups: BTreeMap<K, Vec<&UsageRow>> = BTreeMap::new();
    for row in rows {
        groups.entry(key(row)).or_default().push(row);
    }
    groups
        .into_iter()
        .map(|(key, rows)| (key, expected(&rows)))
        .collect()
}

pub(crate) async fn usage_comes_back_as_it_was(desk: Desk) -> Desk {
    let mut rows = calls();
    rows[0].tags = BTreeMap::from([("team".to_owned(), "red".to_owned())]);
    rows[0].error_message = Some("it said \"no\"".to_owned());
    rows[0].error_kind = Some("server".to_owned());
    rows[0].message_id = Some(new_id());
    add(&desk, &ada(), &rows).await;
    add(
        &desk,
        &Principal::new("bob"),
        &[UsageRow::answered("x", "y", at(0))],
    )
    .await;
    let usage = desk.store.user(&ada()).usage();
    let mut seen = Vec::new();
    let mut page = Page::first().with_limit(97);
    loop {
        let found = usage.rows(&UsageFilter::default(), &page).await.unwrap();
        seen.extend(found.data);
        let Some(cursor) = found.next_cursor else {
            break;
        };
        page = page.after(cursor);
    }
    rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.id));
    assert_eq!(seen, rows);
    desk
}

/// Whether a filter should let a row through.
type Lets = Box<dyn Fn(&UsageRow) -> bool + Send>;

pub(crate) async fn a_filter_lets_through_what_it_names(desk: Desk) -> Desk {
    let rows = calls();
    add(&desk, &ada(), &rows).await;
    let usage = desk.store.user(&ada()).usage();
    let (from, to) = (at(5 * 86_400), at(9 * 86_400));
    let mut filters: Vec<(UsageFilter, Lets)> = Vec::new();
    filters.push((
        UsageFilter::between(from, to),
        Box::new(move |row| (from..to).contains(&row.created_at)),
    ));
    let mut filter = UsageFilter::default();
    filter.provider = Some("openai".to_owned());
    filter.model = Some("a".to_owned());
    filters.push((
        filter,
        Box::new(|row| row.provider == "openai" && row.model == "a"),
    ));
    let session = rows.iter().find_map(|row| row.session_id).unwrap();
    let mut filter = UsageFilter::default();
    filter.session_id = Some(session);
    filters.push((filter, Box::new(move |row| row.session_id == Some(session))));
    let key = rows.iter().find_map(|row| row.access_key_id).unwrap();
    let mut filter = UsageFilter::default();
    filter.access_key_id = Some(key);
    filter.status = Some(UsageStatus::Cancelled);
    filters.push((
        filter,
        Box::new(move |row| row.access_key_id == Some(key) && row.status == UsageStatus::Cancelled),
    ));
    for (filter, lets_through) in filters {
        let expected_rows: Vec<&UsageRow> = rows.iter().filter(|row| lets_through(row)).collect();
        assert!(!expected_rows.is_empty() && expected_rows.len() < rows.len());
        let summary = usage.summary(&filter).await.unwrap();
        assert_eq!(summary, expected(&expected_rows), "{filter:?}");
        let found = usage.rows(&filter, &Page::first().with_limit(200)).await;
        assert_eq!(found.unwrap().data.len(), expected_rows.len());
    }
    desk
}

pub(crate) async fn sums_and_times_are_exact_by_every_group(desk: Desk) -> Desk {
    let rows = calls();
    add(&desk, &ada(), &rows).await;
    let usage = desk.store.user(&ada()).usage();
    let filter = UsageFilter::default();
    let all: Vec<&UsageRow> = rows.iter().collect();
    assert_eq!(usage.summary(&filter).await.unwrap(), expected(&all));
    let text = |id: Option<Uuid>| id.map(|id| id.to_string());
    for grouping in Grouping::ALL {
        let expected = by(&rows, |row| match grouping {
            Grouping::Provider => Some(row.provider.clone()),
            Grouping::Model => Some(format!("{}/{}", row.provider, row.model)),
            Grouping::Session => text(row.session_id),
            Grouping::Status => Some(row.status.as_str().to_owned()),
            _ => text(row.access_key_id),
        });
        let groups = usage.grouped(&filter, *grouping).await.unwrap();
        let counts: Vec<u64> = groups.iter().map(|group| group.figures.requests).collect();
        assert!(counts.is_sorted_by(|a, b| a >= b), "{counts:?}");
        let groups: BTreeMap<_, _> = groups
            .into_iter()
            .map(|group| (group.key, group.figures))
            .collect();
        assert_eq!(groups, expected, "{grouping:?}");
    }
    desk
}

/// Where a step of time begins.
fn step(at: OffsetDateTime, by: Bucketing) -> OffsetDateTime {
    let midnight = at.replace_time(Time::MIDNIGHT);
    match by {
        Bucketing::Minute => {
            at - Duration::nanoseconds(
                i64::try_from(at.unix_timestamp_nanos() % 60_000_000_000).unwrap(),
            )
        }
        Bucketing::Hour => midnight + Duration::hours(at.hour().into()),
        Bucketing::Day => midnight,
        Bucketing::Week => midnight - Duration::days(at.weekday().number_days_from_monday().into()),
        _ => midnight.replace_date(Date::from_calendar_date(at.year(), at.month(), 1).unwrap()),
    }
}

pub(crate) async fn a_series_has_a_point_for_every_step(desk: Desk) -> Desk {
    let rows = calls();
    add(&desk, &ada(), &rows).await;
    let usage = desk.store.user(&ada()).usage();
    for by_step in Bucketing::ALL {
        let (from, to) = match by_step {
            Bucketing::Minute => (at(86_400), at(2 * 86_400)),
            _ => (at(0), at(40 * 86_400)),
        };
        let within: Vec<UsageRow> = rows
            .iter()
            .filter(|row| (from..to).contains(&row.created_at))
            .cloned()
            .collect();
        let expected = by(&within, |row| step(row.created_at, *by_step));
        let filter = UsageFilter::between(from, to);
        let points = usage.series(&filter, *by_step).await.unwrap();
        let points: Vec<_> = points
            .into_iter()
            .map(|point| (point.at, point.figures))
            .collect();
        assert_eq!(
            points,
            expected.into_iter().collect::<Vec<_>>(),
            "{by_step:?}"
        );
    }
    let open = usage.series(&UsageFilter::default(), Bucketing::Day).await;
    assert_eq!(open.unwrap_err().kind(), ErrorKind::InvalidRequest);
    let long = UsageFilter::between(at(0), at(40 * 86_400));
    let error = usage.series(&long, Bucketing::Minute).await.unwrap_err();
    assert_eq!(error.context("field"), Some("bucket"));
    desk
}

pub(crate) async fn sums_of_days_that_were_rolled_up_count(desk: Desk) -> Desk {
    let mut row = UsageRow::answered("openai", "a", at(0));
    row.cost = Cost::Exact(money("0.000000000000000001"));
    row.total_tokens = 5;
    add(&desk, &ada(), &[row]).await;
    let day = step(at(-400 * 86_400), Bucketing::Day);
    let mut sums = UsageFigures::default();
    sums.requests = 10;
    sums.total_tokens = 7;
    sums.cost = money("123456.000000000000000002");
    sums.unpriced = 3;
    let jobs = desk.store.jobs();
    let (user, failed) = (ada(), UsageStatus::Error);
    jobs.add_rollup(&user, day, ("openai", "a"), failed, &sums)
        .await
        .unwrap();
    jobs.add_rollup(&Principal::new("bob"), day, ("openai", "a"), failed, &sums)
        .await
        .unwrap();
    let usage = desk.store.user(&user).usage();
    let all = usage.summary(&UsageFilter::default()).await.unwrap();
    assert_eq!((all.requests, all.errors, all.total_tokens), (11, 10, 12));
    assert_eq!(
        (all.cost, all.unpriced),
        (money("123456.000000000000000003"), 3)
    );
    let late = UsageFilter::between(at(-86_400), at(86_400));
    assert_eq!(usage.summary(&late).await.unwrap().requests, 1);
    let filter = UsageFilter::between(day, day + Duration::DAY);
    let months = usage.series(&filter, Bucketing::Month).await.unwrap();
    assert_eq!(months.len(), 1);
    assert_eq!(
        (months[0].at, months[0].figures.requests),
        (step(day, Bucketing::Month), 10)
    );
    let mut of_session = UsageFilter::default();
    of_session.session_id = Some(new_id());
    assert_eq!(usage.summary(&of_session).await.unwrap().requests, 0);
    let groups = usage
        .grouped(&UsageFilter::default(), Grouping::Session)
        .await
        .unwrap();
    assert_eq!(
        (groups.len(), &groups[0].key, groups[0].figures.requests),
        (1, &None, 11)
    );
    desk
}

pub(crate) async fn a_sum_beyond_all_money_is_an_error(desk: Desk) -> Desk {
    let mut row = UsageRow::answered("openai", "a", at(0));
    row.cost = Cost::Exact(money("9000000000.000000000000000001"));
    let rows: Vec<UsageRow> = (0..91)
        .map(|_| {
            let mut row = row.clone();
            row.id = new_id();
            row
        })
        .collect();
    add(&desk, &ada(), &rows).await;
    let usage = desk.store.user(&ada()).usage();
    let error = usage.summary(&UsageFilter::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert_eq!(error.context("code"), Some("out_of_range"), "{error}");
    desk
}
