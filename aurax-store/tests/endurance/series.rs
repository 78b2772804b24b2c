//! What very many calls add up to, counted apart from every store: `UsageSeries` says what each is.

use std::collections::BTreeMap;
use std::ops::Range;

use aurax_core::{Clock, Decimal, Money, Principal};
use aurax_store::testkit::{RollupRow, UsageSeries};
use aurax_store::{Bucketing, Grouping, Store, UsageFigures, UsageFilter};
use time::{Duration, OffsetDateTime, Time};
use uuid::Uuid;

/// Calls of some tenants over some days.
pub(crate) struct Calls {
    pub(crate) tenants: Vec<Principal>,
    pub(crate) start: OffsetDateTime,
    pub(crate) step: Duration,
    pub(crate) numbers: Range<u64>,
}

/// Tenant, day, provider, model, status.
pub(crate) type Key = (Uuid, OffsetDateTime, String, String, String);

/// The sums of some calls; money in units of 1e-18 dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sums {
    requests: u64,
    request_tokens: u64,
    response_tokens: u64,
    total_tokens: u64,
    cost: i128,
    unpriced: u64,
}

/// A clock that stands still.
#[derive(Debug)]
struct Stopped(OffsetDateTime);

impl Clock for Stopped {
    fn now(&self) -> OffsetDateTime {
        self.0
    }

    fn monotonic(&self) -> tokio::time::Instant {
        aurax_core::SystemClock.monotonic()
    }
}

impl Calls {
    /// So many calls of a number of tenants, from a day's beginning `ago` on, over so many days.
    pub(crate) fn long_ago(count: u64, tenants: u64, ago: Duration, days: i64) -> Self {
        let midnight = aurax_core::SystemClock.now().replace_time(Time::MIDNIGHT);
        let span = i64::try_from(count).unwrap();
        Self {
            tenants: (0..tenants)
                .map(|tenant| Principal::new(format!("tenant {tenant}")))
                .collect(),
            start: midnight - ago,
            step: Duration::microseconds(days * 86_400_000_000 / span),
            numbers: 0..count,
        }
    }

    /// Puts them in, each into the partition that was made for its week.
    pub(crate) async fn fill(&self, store: &Store) {
        let count = i32::try_from(self.numbers.end).unwrap();
        let mut at = self.start;
        while at < self.start + self.step * count {
            let then = store.with_clock(std::sync::Arc::new(Stopped(at)));
            then.jobs().partitions(Uuid::nil()).await.unwrap();
            at += Duration::weeks(4);
        }
        let series = UsageSeries::new(&self.tenants, self.start, self.step);
        let jobs = store.jobs();
        series.fill(&jobs, self.numbers.clone()).await.unwrap();
    }

    /// What they add up to.
    pub(crate) fn sums(&self, store: &Store) -> BTreeMap<Key, Sums> {
        let ids: Vec<Uuid> = self
            .tenants
            .iter()
            .map(|tenant| store.user(tenant).user_id())
            .collect();
        let mut sums: BTreeMap<Key, Sums> = BTreeMap::new();
        for number in self.numbers.clone() {
            let (key, call) = self.call(&ids, number);
            sums.entry(key).or_default().add(&call);
        }
        sums
    }

    fn call(&self, ids: &[Uuid], n: u64) -> (Key, Sums) {
        let a = (n * 48_271 + 11) % 2_147_483_647;
        let b = (n * 69_621 + 7) % 2_147_483_647;
        let c = (a * 16_807 + b) % 2_147_483_647;
        let at = self.start + self.step * i32::try_from(n).unwrap();
        let status = match a % 10 {
            0 => "error",
            1 => "cancelled",
            _ => "success",
        };
        let key = (
            ids[usize::try_from(n).unwrap() % ids.len()],
            at.replace_time(Time::MIDNIGHT),
            format!("provider-{}", a % 3),
            format!("model-{}", b % 4),
            status.to_owned(),
        );
        let nano = match n {
            _ if n.is_multiple_of(50) => -i128::from(c % 1_000_000_000),
            _ if n % 1_000 == 3 => i128::from(c) * 1_000,
            _ => i128::from(c % 1_000_000_000),
        };
        let is_priced = n % 20 != 7;
        let cost = nano * 1_000_000_000 + i128::from(b % 1_000_000_000);
        let call = Sums {
            requests: u64::from(!n.is_multiple_of(50)),
            request_tokens: a % 5_000,
            response_tokens: b % 800,
            total_tokens: a % 5_000 + b % 800,
            cost: if is_priced { cost } else { 0 },
            unpriced: u64::from(!is_priced),
        };
        (key, call)
    }

    /// What the store says of them by every way of grouping, beside what it should say: a line for
    /// each that differs.
    pub(crate) async fn differences(
        &self,
        store: &Store,
        expected: &BTreeMap<Key, Sums>,
    ) -> Vec<String> {
        let mut differences = Vec::new();
        let filter = UsageFilter::between(self.start, aurax_core::SystemClock.now());
        for tenant in &self.tenants {
            let scope = store.user(tenant);
            let usage = scope.usage();
            let mut found = BTreeMap::new();
            let all = usage.summary(&filter).await.unwrap();
            found.insert("all".to_owned(), read(&all));
            for by in [Grouping::Provider, Grouping::Model, Grouping::Status] {
                for group in usage.grouped(&filter, by).await.unwrap() {
                    let name = format!("{by:?} {}", group.key.unwrap_or_default());
                    found.insert(name, read(&group.figures));
                }
            }
            for point in usage.series(&filter, Bucketing::Day).await.unwrap() {
                found.insert(format!("Day {}", point.at), read(&point.figures));
            }
            let mut wanted: BTreeMap<String, Sums> = BTreeMap::new();
            let own = expected.iter().filter(|(key, _)| key.0 == scope.user_id());
            for ((_, day, provider, model, status), sums) in own {
                for name in [
                    "all".to_owned(),
                    format!("Provider {provider}"),
                    format!("Model {provider}/{model}"),
                    format!("Status {status}"),
                    format!("Day {day}"),
                ] {
                    wanted.entry(name).or_default().add(sums);
                }
            }
            for name in wanted.keys().chain(found.keys()) {
                let (found, wanted) = (found.get(name), wanted.get(name));
                if found != wanted {
                    let tenant = tenant.as_str();
                    differences.push(format!("{tenant}, {name}: {found:?}, not {wanted:?}"));
                }
            }
        }
        differences
    }
}

/// The roll-up of a store, in the same form.
pub(crate) async fn rolled_up(store: &Store) -> BTreeMap<Key, Sums> {
    let rows = RollupRow::all(store).await.unwrap();
    rows.into_iter()
        .map(|row| {
            let key = (row.user_id, row.day, row.provider, row.model, row.status);
            let sums = Sums {
                requests: row.requests,
                request_tokens: row.request_tokens,
                response_tokens: row.response_tokens,
                total_tokens: row.total_tokens,
                cost: attodollars(row.cost),
                unpriced: row.unpriced,
            };
            (key, sums)
        })
        .collect()
}

fn read(figures: &UsageFigures) -> Sums {
    Sums {
        requests: figures.requests,
        request_tokens: figures.request_tokens,
        response_tokens: figures.response_tokens,
        total_tokens: figures.total_tokens,
        cost: attodollars(figures.cost),
        unpriced: figures.unpriced,
    }
}

/// An amount in units of 1e-18 dollars.
fn attodollars(amount: Money) -> i128 {
    let usd: Decimal = amount.usd();
    let places = Money::SCALE.checked_sub(usd.scale()).unwrap();
    usd.mantissa() * 10_i128.pow(places)
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.request_tokens += other.request_tokens;
        self.response_tokens += other.response_tokens;
        self.total_tokens += other.total_tokens;
        self.cost += other.cost;
        self.unpriced += other.unpriced;
    }
}
