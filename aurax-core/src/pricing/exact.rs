//! Decimal arithmetic that is exact or nothing, save for quotients.

use rust_decimal::{Decimal, RoundingStrategy};

/// Decimal places kept of a quotient: enough to round an amount to
/// [`Money::SCALE`](crate::Money::SCALE) places, few enough to leave room for its dollars.
const QUOTIENT_PLACES: u32 = 24;

/// How many counts of a bucket one rate pays for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Per {
    /// Ten to this power: to divide by it is to move the decimal point.
    PowerOfTen(u32),
    /// Any other count.
    Count(Decimal),
}

impl Per {
    /// One rate for `count` counts; `None` for a rate for nothing.
    pub(super) fn new(count: u64) -> Option<Self> {
        let exponent = count.checked_ilog10()?;
        Some(if 10_u64.checked_pow(exponent) == Some(count) {
            Self::PowerOfTen(exponent)
        } else {
            Self::Count(count.into())
        })
    }
}

/// `a * b`, or `None` when the product has more digits than a decimal holds.
///
/// `Decimal::checked_mul` rounds such a product to fewer places; that is how it is found out.
pub(super) fn product(a: Decimal, b: Decimal) -> Option<Decimal> {
    if a.is_zero() || b.is_zero() {
        return Some(Decimal::ZERO);
    }
    let (a, b) = (a.normalize(), b.normalize());
    let product = a.checked_mul(b)?;
    (Some(product.scale()) == a.scale().checked_add(b.scale())).then_some(product)
}

/// What `quantity` counts cost at `rate` dollars `per` so many; `None` beyond 28 digits.
pub(super) fn amount(rate: Decimal, quantity: u64, per: Per) -> Option<Decimal> {
    let mut amount = product(rate, quantity.into())?;
    match per {
        Per::PowerOfTen(exponent) => {
            amount
                .set_scale(amount.scale().checked_add(exponent)?)
                .ok()?;
        }
        Per::Count(count) => {
            amount = amount
                .checked_div(count)?
                .round_dp_with_strategy(QUOTIENT_PLACES, RoundingStrategy::MidpointNearestEven);
        }
    }
    Some(amount.normalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn a_power_of_ten_moves_the_point() {
        let per_million = Per::new(1_000_000).unwrap();
        assert_eq!(per_million, Per::PowerOfTen(6));
        let rate = decimal("0.899999999999999911");
        assert_eq!(
            amount(rate, 7, per_million),
            Some(decimal("0.000006299999999999999377"))
        );
        assert_eq!(
            amount(decimal("30"), 1_000_000, per_million),
            Some(decimal("30"))
        );
    }

    #[test]
    fn a_quotient_keeps_24_places() {
        let per_hour = Per::new(3_600_000).unwrap();
        let third = amount(decimal("1"), 1_200_000, per_hour);
        assert_eq!(third, Some(decimal("0.333333333333333333333333")));
    }

    #[test]
    fn a_product_that_would_lose_digits_is_nothing() {
        let rate = decimal("0.899999999999999911");
        assert_eq!(amount(rate, u64::MAX, Per::PowerOfTen(6)), None);
        assert_eq!(
            product(decimal("0.0000000000000001"), decimal("0.00000000000001")),
            None
        );
        assert_eq!(product(rate, Decimal::ZERO), Some(Decimal::ZERO));
    }

    #[test]
    fn a_rate_for_nothing_is_refused() {
        assert_eq!(Per::new(0), None);
    }
}
