//! What alerts measure.

use aurax_core::{Cost, Money, Principal, new_id};
use aurax_store::{BudgetLimit, BudgetPeriod, BudgetScope, UsageRow, UsageStatus, WindowFigures};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::access_keys::account;
use crate::desk::{Desk, Hands};

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

/// Calls one a second before `end`: the numbers from 1 on are their times, in tens of milliseconds.
fn calls(end: OffsetDateTime, count: u64) -> Vec<UsageRow> {
    (1..=count)
        .map(|number| {
            let at = end - Duration::seconds(i64::try_from(number).unwrap());
            let mut row = UsageRow::answered("openai", "a", at);
            row.response_time_ms = number * 10;
            row.ttft_ms = (number % 2 == 0).then_some(number);
            row.total_tokens = 3;
            row.cost = Cost::Exact(money("0.000000000000000001"));
            if number % 4 == 1 {
                row.status = UsageStatus::Error;
            }
            row
        })
        .collect()
}

/// By nearest rank.
fn p95(mut times: Vec<u64>) -> Option<u64> {
    times.sort_unstable();
    let rank = (times.len() * 19).div_ceil(20);
    times.get(rank.checked_sub(1)?).copied()
}

pub(crate) async fn figures_of_a_time_are_those_of_its_calls(desk: Desk) -> Desk {
    let now = Hands::new().at();
    let jobs = desk.store.jobs();
    let (ada, eve) = (new_id(), new_id());
    let mut rows = calls(now, 120);
    // A correction is no call, and its amount counts.
    let mut correction = UsageRow::answered("openai", "a", now);
    correction.request_type = "adjust".to_owned();
    correction.cost = Cost::Exact(money("-0.5"));
    correction.response_time_ms = 1_000_000;
    let mut unknown = UsageRow::answered("openai", "a", now);
    (unknown.cost, unknown.response_time_ms) = (Cost::Unpriced, 1);
    rows.extend([correction, unknown]);
    let who = |id: Uuid| Principal::new(id.to_string());
    jobs.add_usage(&who(ada), &rows).await.unwrap();
    jobs.add_usage(&who(eve), &calls(now, 7)).await.unwrap();

    let minute = now - Duration::MINUTE;
    let hour = now - Duration::HOUR;
    let windows = [(ada, minute), (eve, minute), (new_id(), hour), (ada, hour)];
    let of = jobs.figures_of(&windows, now).await.unwrap();
    // After its beginning, and until its end.
    let [within, all] = [59_u64, 120].map(|last| {
        let answered: Vec<u64> = (1..=last).filter(|number| number % 4 != 1).collect();
        let mut whole: Vec<u64> = answered.iter().map(|number| number * 10).collect();
        let streams: Vec<u64> = answered.iter().copied().filter(|n| n % 2 == 0).collect();
        let felt = answered
            .iter()
            .map(|n| if n % 2 == 0 { *n } else { n * 10 });
        let mut felt: Vec<u64> = felt.collect();
        whole.push(1);
        felt.push(1);
        [whole, streams, felt]
    });
    for (figures, times) in [(of[0], within), (of[3], all)] {
        let found = [figures.response_time, figures.ttft, figures.latency];
        for (found, times) in found.into_iter().zip(times) {
            assert_eq!(found.calls, u64::try_from(times.len()).unwrap());
            assert_eq!(found.p95_ms, p95(times));
        }
    }
    assert_eq!(
        (of[0].requests, of[0].errors, of[0].total_tokens),
        (60, 15, 177)
    );
    assert_eq!(of[0].cost, money("-0.499999999999999941"));
    assert_eq!((of[1].requests, of[1].errors, of[1].ttft.calls), (7, 2, 3));
    assert_eq!(of[2], WindowFigures::default());
    // Everybody's are those of all, and none before or after.
    let everybody = jobs.figures(minute, now).await.unwrap();
    assert_eq!((everybody.requests, everybody.errors), (67, 17));
    assert_eq!(everybody.response_time.calls, 45 + 5);
    let before = jobs.figures(now, now + Duration::MINUTE).await.unwrap();
    assert_eq!(before, WindowFigures::default());
    desk
}

pub(crate) async fn calls_are_counted_in_each_of_several_times(desk: Desk) -> Desk {
    let now = Hands::new().at();
    let jobs = desk.store.jobs();
    assert_eq!(
        jobs.first_call(now - Duration::days(9)).await.unwrap(),
        None
    );
    let day = Duration::DAY;
    for (days, count) in [(0, 5), (1, 3), (3, 4)] {
        let rows = calls(now - day * days, count);
        jobs.add_usage(&Principal::new("ada"), &rows).await.unwrap();
    }
    let hour = Duration::HOUR;
    let spans = (0..5).map(|days| (now - day * days - hour, now - day * days));
    let spans = spans.collect::<Vec<_>>();
    assert_eq!(jobs.calls(&spans).await.unwrap(), [5, 3, 0, 4, 0]);
    assert_eq!(jobs.calls(&[]).await.unwrap(), [0; 0]);
    let first = jobs.first_call(now - Duration::days(9)).await.unwrap();
    assert_eq!(first, Some(now - day * 3 - Duration::seconds(4)));
    let first = jobs.first_call(now - Duration::days(2)).await.unwrap();
    assert_eq!(first, Some(now - day - Duration::seconds(3)));
    desk
}

pub(crate) async fn budgets_are_read_of_many_tenants(desk: Desk) -> Desk {
    let (ada, scope) = account(&desk, "ada@x.org").await;
    let (eve, hers) = account(&desk, "eve@x.org").await;
    let (soft, ten) = (BudgetLimit::Soft, money("10"));
    let (user, day) = (BudgetScope::User, BudgetPeriod::Day);
    let budget = scope
        .set_budget(user.clone(), day, ten, soft)
        .await
        .unwrap();
    hers.set_budget(user, day, ten, soft).await.unwrap();
    let jobs = desk.store.jobs();
    jobs.spend(budget.id, money("8"), Money::ZERO)
        .await
        .unwrap();
    let mine = jobs.budgets_of(&[ada.id, new_id()]).await.unwrap();
    assert_eq!(mine.len(), 1);
    assert_eq!((mine[0].0, mine[0].1.spent), (ada.id, money("8")));
    let all = jobs.budgets_of(&[ada.id, eve.id]).await.unwrap();
    assert_eq!(all.len(), 2);
    desk
}
