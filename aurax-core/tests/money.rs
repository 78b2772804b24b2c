//! Money is exact, checked and never a float.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use aurax_core::{Cost, Money};
use proptest::prelude::*;

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

#[test]
fn plain_and_scientific_notation_are_read_to_the_digit() {
    for (text, plain) in [
        ("0", "0"),
        ("0.10", "0.1"),
        ("1.8e-7", "0.00000018"),
        ("1.8E-7", "0.00000018"),
        ("5e3", "5000"),
        ("1.25e1", "12.5"),
        ("-3", "-3"),
        ("0.000000000000000000000001", "0.000000000000000000000001"),
        (
            "12345678901234567890.12345678",
            "12345678901234567890.12345678",
        ),
    ] {
        assert_eq!(money(text).to_string(), plain, "{text}");
    }
}

#[test]
fn what_is_not_an_exact_amount_is_refused() {
    let too_fine = format!("0.{}1", "0".repeat(40));
    for text in [
        "", "abc", "1,5", "NaN", "inf", "1e", "1e99", "1e-99", &too_fine,
    ] {
        text.parse::<Money>().expect_err(text);
    }
}

#[test]
fn rounding_is_half_even_at_eighteen_places() {
    for (text, rounded) in [
        ("0.0000000000000000005", "0"),
        ("0.0000000000000000015", "0.000000000000000002"),
        ("0.0000000000000000025", "0.000000000000000002"),
        ("0.00000000000000000250001", "0.000000000000000003"),
        ("1.10", "1.1"),
    ] {
        assert_eq!(money(text).rounded().to_string(), rounded, "{text}");
    }
}

#[test]
fn a_sum_that_does_not_fit_is_an_error() {
    let most = money("79228162514264337593543950335");
    most.checked_add(money("1")).unwrap_err();
    most.checked_add(money("0.5")).unwrap_err();
}

#[test]
fn json_is_a_string_and_a_number_is_refused() {
    let cost = Cost::Exact(money("0.00000018"));
    let json = serde_json::to_string(&cost).unwrap();
    assert_eq!(json, r#"{"source":"exact","usd":"0.00000018"}"#);
    assert_eq!(serde_json::from_str::<Cost>(&json).unwrap(), cost);
    assert_eq!(
        serde_json::to_string(&Cost::Unpriced).unwrap(),
        r#"{"source":"unpriced"}"#
    );
    serde_json::from_str::<Money>("0.1").unwrap_err();
}

#[test]
fn unpriced_is_not_free() {
    assert_eq!(Cost::Unpriced.amount(), None);
    assert_eq!(Cost::Free.amount(), Some(Money::ZERO));
}

proptest! {
    #[test]
    fn text_round_trips(nanos in any::<i64>(), scale in 0_u32..18) {
        let amount = Money::new(aurax_core::Decimal::new(nanos, scale));
        prop_assert_eq!(money(&amount.to_string()), amount);
        let json = serde_json::to_string(&amount).unwrap();
        prop_assert_eq!(serde_json::from_str::<Money>(&json).unwrap(), amount);
    }

    #[test]
    fn adding_and_taking_away_is_nothing(a in any::<i32>(), b in any::<i32>()) {
        let (a, b) = (Money::new(a.into()), Money::new(b.into()));
        prop_assert_eq!(a.checked_add(b).unwrap().checked_sub(b).unwrap(), a);
    }
}
