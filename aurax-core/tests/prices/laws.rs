//! What holds for every model and any usage.

use std::sync::LazyLock;

use aurax_core::{
    Bill, Bucket, Buckets, Flag, Iteration, Money, PriceBook, Totals, Usage, UsageSource,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::support::at;

const NOON: &str = "2026-11-18T12:00:00Z";

/// Every model with a price at noon.
static MODELS: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let book = PriceBook::builtin();
    let priced = |(provider, model): &(String, String)| {
        let usage = Usage::measured(Buckets::new(), UsageSource::Provider);
        book.bill(provider, model, &usage, at(NOON))
            .is_ok_and(|bill| !bill.free)
    };
    let all = book.providers().flat_map(|provider| {
        let models = book.models(provider).into_iter();
        models.map(|model| (provider.to_owned(), model.id))
    });
    all.filter(priced).collect()
});

fn bill((provider, model): &(String, String), usage: &Usage) -> Bill {
    PriceBook::builtin()
        .bill(provider, model, usage, at(NOON))
        .unwrap()
}

fn measured(buckets: &Buckets) -> Usage {
    Usage::measured(buckets.clone(), UsageSource::Provider)
}

fn any_model() -> impl Strategy<Value = (String, String)> {
    any::<Index>().prop_map(|i| i.get(&MODELS).clone())
}

/// Usage of all kinds that stays in every model's lowest tier.
fn any_buckets() -> impl Strategy<Value = Buckets> {
    let count = prop_oneof![Just(0_u64), 0..1_000_u64];
    proptest::collection::vec(count, Bucket::ALL.len()).prop_map(|counts| {
        Bucket::ALL
            .iter()
            .zip(counts)
            .fold(Buckets::new(), |buckets, (bucket, count)| {
                buckets.with(*bucket, count)
            })
    })
}

/// Inclusive totals whose parts fit their wholes.
fn any_totals() -> impl Strategy<Value = Totals> {
    proptest::array::uniform10(0..1_000_u64).prop_map(
        |[
            text,
            cached,
            short,
            long,
            audio,
            cached_audio,
            out,
            reasoning,
            spoken,
            searches,
        ]| {
            let mut totals = Totals::default();
            totals.input = Some(text + cached + short + long + audio + cached_audio);
            totals.cache_read = Some(cached + cached_audio);
            totals.cache_write = Some(short + long);
            totals.cache_write_1h = Some(long);
            totals.input_audio = Some(audio + cached_audio);
            totals.cache_read_audio = Some(cached_audio);
            totals.output = Some(out + reasoning + spoken);
            totals.reasoning = Some(reasoning);
            totals.output_audio = Some(spoken);
            totals.web_searches = Some(searches);
            totals
        },
    )
}

fn sum(amounts: impl IntoIterator<Item = Money>) -> Money {
    amounts
        .into_iter()
        .fold(Money::ZERO, |sum, amount| sum.checked_add(amount).unwrap())
}

proptest! {
    #[test]
    fn more_of_anything_never_costs_less(
        model in any_model(),
        buckets in any_buckets(),
        bucket in select(Bucket::ALL),
        more in 1..1_000_u64,
    ) {
        let grown = buckets.clone().with(bucket, buckets.get(bucket) + more);
        let (before, after) = (bill(&model, &measured(&buckets)), bill(&model, &measured(&grown)));
        prop_assert!(after.total >= before.total, "{before:?}\n{after:?}");
    }

    #[test]
    fn a_bill_is_the_sum_of_its_lines(model in any_model(), buckets in any_buckets()) {
        let bill = bill(&model, &measured(&buckets));
        prop_assert_eq!(bill.total, sum(bill.lines.iter().map(|line| line.amount)));
        prop_assert!(sum([bill.input, bill.output]) <= bill.total);
    }

    #[test]
    fn every_count_is_in_one_line_or_flagged(model in any_model(), buckets in any_buckets()) {
        // Audio has minimums, and the one request is free of charge at most models.
        let buckets = buckets.with(Bucket::AudioMillis, 0).with(Bucket::InputAudioMillis, 0);
        let bill = bill(&model, &measured(&buckets));
        let lines = bill.lines.iter().filter(|line| line.unit != Bucket::Requests);
        let charged: u64 = lines.map(|line| line.quantity).sum();
        let buckets = buckets.with(Bucket::Requests, 0);
        let used: u64 = buckets.iter().map(|(_, count)| count).sum();
        let flagged: u64 = buckets
            .iter()
            .filter(|(bucket, _)| bill.flags.contains(&Flag::NoRate(*bucket)))
            .map(|(_, count)| count)
            .sum();
        prop_assert!((used - flagged..=used).contains(&charged), "{bill:?}");
    }

    #[test]
    fn runs_cost_what_they_cost_alone(
        call in any_model(),
        runs in proptest::collection::vec((any::<Index>(), any_totals()), 1..4),
    ) {
        let same_provider: Vec<_> = MODELS.iter().filter(|model| model.0 == call.0).collect();
        let mut alone = Vec::new();
        let mut iterations = Vec::new();
        for (i, totals) in runs {
            let model = (*i.get(&same_provider)).clone();
            let run = Iteration::new("message", Some(model.1.clone()), &totals);
            let mut usage = measured(&Buckets::new());
            usage.buckets = run.buckets.clone();
            for fee in Bucket::FEES {
                usage.buckets.set(fee, 0);
            }
            alone.push(bill(&model, &usage).total);
            iterations.push(run);
        }
        let usage = measured(&Buckets::new()).with_iterations(iterations);
        let mut fees = measured(&Buckets::new());
        for fee in Bucket::FEES {
            fees.buckets.set(fee, usage.buckets.get(fee));
        }
        alone.push(bill(&call, &fees).total);
        prop_assert_eq!(bill(&call, &usage).total, sum(alone));
    }

    #[test]
    fn the_cost_is_that_of_the_usage_and_not_of_its_spelling(
        model in any_model(),
        totals in any_totals(),
    ) {
        let expected = bill(&model, &Usage::from_totals(totals.clone()));
        let mut by_age = totals.clone();
        by_age.cache_write_5m = Some(totals.cache_write.unwrap() - totals.cache_write_1h.unwrap());
        by_age.cache_write = None;
        let mut with_total = totals.clone();
        with_total.total = Some(totals.input.unwrap() + totals.output.unwrap());
        let mut without_input = with_total.clone();
        without_input.input = None;
        let mut with_zeros = totals.clone();
        with_zeros.input_image = Some(0);
        with_zeros.citation = Some(0);
        with_zeros.pages = Some(0);
        for spelling in [by_age, with_total, without_input, with_zeros] {
            let bill = bill(&model, &Usage::from_totals(spelling.clone()));
            prop_assert_eq!(&bill, &expected, "{:?}", spelling);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_name_is_known_or_not(name in "\\PC{0,60}", tail in "([-@:.][a-z0-9]{0,8}){0,4}") {
        let book = PriceBook::builtin();
        for (provider, name) in [
            ("openai", name.clone()),
            (&*name, name.clone()),
            ("aws-bedrock", format!("us.anthropic.claude-3-haiku{tail}")),
        ] {
            let known = book.knows(provider, &name);
            prop_assert_eq!(known, book.resolve(provider, &name).is_ok());
        }
    }
}
