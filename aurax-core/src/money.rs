//! Exact US dollar amounts.
#![deny(clippy::arithmetic_side_effects, clippy::float_arithmetic)]

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, ErrorKind, Result};

/// An exact amount of US dollars.
///
/// Arithmetic is checked: an overflow is an error, never a wrong amount and never a panic. There
/// is no conversion from or to a float. As JSON it is a decimal string.
///
/// ```
/// use aurax_core::Money;
///
/// let a: Money = "0.0000015".parse()?;
/// assert_eq!(a.checked_add(a)?.to_string(), "0.000003");
/// # Ok::<(), aurax_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(Decimal);

impl Money {
    /// Decimal places a stored or reported amount carries.
    pub const SCALE: u32 = 18;

    /// No money at all.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// More than anybody has.
    pub const MAX: Self = Self(Decimal::MAX);

    /// Takes a decimal amount of dollars as it is.
    pub const fn new(usd: Decimal) -> Self {
        Self(usd)
    }

    /// The amount in dollars.
    pub const fn usd(self) -> Decimal {
        self.0
    }

    /// Rounds half-even to [`Money::SCALE`] places and drops trailing zeros.
    #[must_use]
    pub fn rounded(self) -> Self {
        Self(
            self.0
                .round_dp_with_strategy(Self::SCALE, RoundingStrategy::MidpointNearestEven)
                .normalize(),
        )
    }

    /// True below zero.
    pub const fn is_negative(self) -> bool {
        self.0.is_sign_negative() && !self.0.is_zero()
    }

    /// The sum of two amounts.
    ///
    /// # Errors
    /// `Internal` when the sum does not fit 28 digits.
    pub fn checked_add(self, other: Self) -> Result<Self> {
        exact_sum(self.0, other.0).map(Self).ok_or_else(overflow)
    }

    /// The difference of two amounts.
    ///
    /// # Errors
    /// `Internal` when the difference does not fit 28 digits.
    pub fn checked_sub(self, other: Self) -> Result<Self> {
        let mut opposite = other.0;
        opposite.set_sign_positive(opposite.is_sign_negative());
        exact_sum(self.0, opposite).map(Self).ok_or_else(overflow)
    }
}

/// `a + b`, or `None` when the sum has more digits than a decimal holds.
///
/// `Decimal::checked_add` rounds such a sum to fewer places; that is how it is found out.
pub(crate) fn exact_sum(a: Decimal, b: Decimal) -> Option<Decimal> {
    let (a, b) = (a.normalize(), b.normalize());
    let sum = a.checked_add(b)?;
    let exact = a.is_zero() || b.is_zero() || sum.scale() == a.scale().max(b.scale());
    exact.then_some(sum)
}

fn overflow() -> Error {
    Error::new(ErrorKind::Internal, "amount does not fit 28 decimal digits")
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.normalize(), f)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${self}")
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads a decimal string; a JSON number is refused, because it would pass through a float.
impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl FromStr for Money {
    type Err = Error;

    /// Reads plain (`0.25`) and scientific (`1.8e-7`) notation, exactly: more than 28 digits are
    /// an error, not a rounded amount.
    fn from_str(text: &str) -> Result<Self> {
        let refuse = || {
            Error::new(ErrorKind::InvalidRequest, "not an amount of money")
                .with_context("amount", text)
        };
        let (digits, exponent) = match text.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, exponent.parse::<i32>().map_err(|_| refuse())?),
            None => (text, 0),
        };
        let mut amount = Decimal::from_str_exact(digits).map_err(|e| refuse().with_source(e))?;
        let scale = i64::from(amount.scale()).saturating_sub(i64::from(exponent));
        if let Ok(scale) = u32::try_from(scale) {
            amount
                .set_scale(scale)
                .map_err(|e| refuse().with_source(e))?;
        } else {
            let zeros = u32::try_from(scale.unsigned_abs()).map_err(|_| refuse())?;
            let factor = 10_u64.checked_pow(zeros).ok_or_else(refuse)?;
            amount.set_scale(0).map_err(|e| refuse().with_source(e))?;
            amount = amount.checked_mul(factor.into()).ok_or_else(refuse)?;
        }
        Ok(Self(amount))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_that_would_lose_digits_is_an_error() -> Result<()> {
        let large: Money = "79228162514.264337593543950334".parse()?;
        let small: Money = "0.000000000000000001".parse()?;
        assert!(large.checked_add(small).is_ok());
        let larger: Money = "792281625142.64337593543950335".parse()?;
        assert_eq!(
            larger.checked_add(small).map_err(|e| e.kind()),
            Err(ErrorKind::Internal)
        );
        assert_eq!(
            larger.checked_sub(small).map_err(|e| e.kind()),
            Err(ErrorKind::Internal)
        );
        Ok(())
    }

    #[test]
    fn zero_of_any_scale_changes_nothing() -> Result<()> {
        let zero: Money = "0.000000000000000000000000".parse()?;
        let large: Money = "79228162514264337593543950335".parse()?;
        assert_eq!(large.checked_add(zero)?, large);
        assert_eq!(zero.checked_sub(zero)?, Money::ZERO);
        Ok(())
    }
}
