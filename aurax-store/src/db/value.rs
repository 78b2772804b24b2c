//! Values on their way into a database, and rows on their way out, in terms of the domain.

use std::sync::Arc;

use aurax_core::{Decimal, Error, ErrorKind, Money, Result};
use time::OffsetDateTime;
use uuid::Uuid;

/// A value to bind. Each knows its type when it is absent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Uuid(Option<Uuid>),
    /// Shared with what it is taken from, and with what it is bound to.
    Text(Option<Arc<str>>),
    Int(Option<i64>),
    Bool(Option<bool>),
    Time(Option<OffsetDateTime>),
    Money(Option<Money>),
    Bytes(Option<Vec<u8>>),
    Uuids(Vec<Uuid>),
}

macro_rules! value_from {
    ($($variant:ident($type:ty)),* $(,)?) => {
        $(
            impl From<$type> for Value {
                fn from(value: $type) -> Self {
                    Self::$variant(Some(value))
                }
            }

            impl From<Option<$type>> for Value {
                fn from(value: Option<$type>) -> Self {
                    Self::$variant(value)
                }
            }
        )*
    };
}
value_from! {
    Uuid(Uuid), Text(Arc<str>), Int(i64), Bool(bool), Time(OffsetDateTime), Money(Money),
    Bytes(Vec<u8>),
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(Some(value.into()))
    }
}

impl From<Option<&str>> for Value {
    fn from(value: Option<&str>) -> Self {
        Self::Text(value.map(Arc::from))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(Some(value.into()))
    }
}

impl From<Option<String>> for Value {
    fn from(value: Option<String>) -> Self {
        Self::Text(value.map(Arc::from))
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(Some(i64::from(value)))
    }
}

impl From<Option<u32>> for Value {
    fn from(value: Option<u32>) -> Self {
        Self::Int(value.map(i64::from))
    }
}

impl From<Vec<Uuid>> for Value {
    fn from(value: Vec<Uuid>) -> Self {
        Self::Uuids(value)
    }
}

/// A value by the name that the statement gives it.
pub(crate) type Arg = (&'static str, Value);

/// The value that a statement calls `name`.
pub(super) fn find<'a>(args: &'a [Arg], name: &str) -> Result<&'a Value> {
    args.iter()
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value)
        .ok_or_else(|| {
            Error::new(
                ErrorKind::Internal,
                format!("a statement lacks the value `{name}`"),
            )
        })
}

/// Names values for a statement: `args! { id, at: now }`.
macro_rules! args {
    ($($name:ident $(: $value:expr)?),* $(,)?) => {
        [$($crate::db::args!(@one $name $(: $value)?)),*]
    };
    (@one $name:ident) => {
        (stringify!($name), $crate::db::Value::from($name))
    };
    (@one $name:ident : $value:expr) => {
        (stringify!($name), $crate::db::Value::from($value))
    };
}
pub(crate) use args;

/// A value as a database gave it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
    #[cfg(feature = "postgres")]
    Bool(bool),
    #[cfg(feature = "postgres")]
    Uuid(Uuid),
    #[cfg(feature = "postgres")]
    Time(OffsetDateTime),
    #[cfg(feature = "postgres")]
    Decimal(Decimal),
}

/// One row of an answer.
#[derive(Debug)]
pub(crate) struct Row {
    names: Arc<[String]>,
    cells: Vec<Cell>,
}

/// Atto-dollars in a nano-dollar.
const ATTO: i128 = 1_000_000_000;

impl Row {
    pub(super) const fn new(names: Arc<[String]>, cells: Vec<Cell>) -> Self {
        Self { names, cells }
    }

    fn find(&self, name: &str) -> Option<&Cell> {
        let at = self.names.iter().position(|known| known == name)?;
        self.cells.get(at)
    }

    fn cell(&self, name: &str) -> Result<&Cell> {
        self.find(name)
            .ok_or_else(|| unreadable(name, "it is not part of the answer"))
    }

    /// A column that may be null, as `read` understands it.
    fn optional<T>(&self, name: &str, read: impl FnOnce(&Cell) -> Option<T>) -> Result<Option<T>> {
        match self.cell(name)? {
            Cell::Null => Ok(None),
            cell => read(cell)
                .map(Some)
                .ok_or_else(|| unreadable(name, "it has an unexpected type or value")),
        }
    }

    pub(crate) fn uuid_or_null(&self, name: &str) -> Result<Option<Uuid>> {
        self.optional(name, |cell| match cell {
            Cell::Text(text) => text.parse().ok(),
            #[cfg(feature = "postgres")]
            Cell::Uuid(id) => Some(*id),
            _ => None,
        })
    }

    pub(crate) fn text_or_null(&self, name: &str) -> Result<Option<String>> {
        self.optional(name, |cell| match cell {
            Cell::Text(text) => Some(text.clone()),
            _ => None,
        })
    }

    pub(crate) fn int_or_null(&self, name: &str) -> Result<Option<i64>> {
        self.optional(name, |cell| match cell {
            Cell::Int(int) => Some(*int),
            // Sums of integers are decimals in PostgreSQL.
            #[cfg(feature = "postgres")]
            Cell::Decimal(decimal) => {
                use rust_decimal::prelude::ToPrimitive as _;
                decimal.fract().is_zero().then(|| decimal.to_i64())?
            }
            _ => None,
        })
    }

    pub(crate) fn bool(&self, name: &str) -> Result<bool> {
        required(
            name,
            self.optional(name, |cell| match cell {
                Cell::Int(int) => Some(*int != 0),
                #[cfg(feature = "postgres")]
                Cell::Bool(bool) => Some(*bool),
                _ => None,
            }),
        )
    }

    pub(crate) fn time_or_null(&self, name: &str) -> Result<Option<OffsetDateTime>> {
        self.optional(name, |cell| match cell {
            Cell::Int(micros) => from_micros(*micros),
            #[cfg(feature = "postgres")]
            Cell::Time(at) => Some(*at),
            _ => None,
        })
    }

    pub(crate) fn bytes(&self, name: &str) -> Result<Vec<u8>> {
        required(
            name,
            self.optional(name, |cell| match cell {
                Cell::Bytes(bytes) => Some(bytes.clone()),
                _ => None,
            }),
        )
    }

    /// An amount: a decimal, or two integers named after it.
    pub(crate) fn money_or_null(&self, name: &str) -> Result<Option<Money>> {
        #[cfg(feature = "postgres")]
        if let Some(cell) = self.find(name) {
            return match cell {
                Cell::Null => Ok(None),
                Cell::Decimal(decimal) => Ok(Some(Money::new(decimal.normalize()))),
                _ => Err(unreadable(name, "it is no amount")),
            };
        }
        let nano = self.int_or_null(&format!("{name}_nano"))?;
        let atto = self.int_or_null(&format!("{name}_atto"))?;
        match (nano, atto) {
            (None, None) => Ok(None),
            (Some(nano), Some(atto)) => money(nano, atto)
                .map(Some)
                .ok_or_else(|| unreadable(name, "the amount has more than 28 digits")),
            _ => Err(unreadable(name, "half of the amount is missing")),
        }
    }

    pub(crate) fn uuid(&self, name: &str) -> Result<Uuid> {
        required(name, self.uuid_or_null(name))
    }

    pub(crate) fn text(&self, name: &str) -> Result<String> {
        required(name, self.text_or_null(name))
    }

    pub(crate) fn int(&self, name: &str) -> Result<i64> {
        required(name, self.int_or_null(name))
    }

    /// A count.
    pub(crate) fn count(&self, name: &str) -> Result<u64> {
        u64::try_from(self.int(name)?).map_err(|_| unreadable(name, "it is negative"))
    }

    pub(crate) fn time(&self, name: &str) -> Result<OffsetDateTime> {
        required(name, self.time_or_null(name))
    }

    pub(crate) fn money(&self, name: &str) -> Result<Money> {
        required(name, self.money_or_null(name))
    }
}

fn required<T>(name: &str, value: Result<Option<T>>) -> Result<T> {
    value?.ok_or_else(|| unreadable(name, "it is null"))
}

fn unreadable(name: &str, why: &str) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("the column `{name}` cannot be read: {why}"),
    )
}

/// Microseconds since 1970, the precision both stores keep.
pub(crate) fn to_micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000)).unwrap_or(i64::MAX)
}

fn from_micros(micros: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros).checked_mul(1_000)?).ok()
}

/// An amount as nanodollars and the rest in units of 1e-18, which is never negative; `None` for
/// an amount beyond nine billion dollars.
pub(crate) fn split(amount: Money) -> Option<(i64, i64)> {
    let mut exact = amount.rounded().usd();
    exact.rescale(Money::SCALE);
    if exact.scale() != Money::SCALE {
        return None;
    }
    let atto = exact.mantissa();
    let nano = i64::try_from(atto.div_euclid(ATTO)).ok()?;
    let rest = i64::try_from(atto.rem_euclid(ATTO)).ok()?;
    Some((nano, rest))
}

/// The amount that two sums of such parts make.
fn money(nano: i64, atto: i64) -> Option<Money> {
    let atto = i128::from(nano)
        .checked_mul(ATTO)?
        .checked_add(i128::from(atto))?;
    let decimal = Decimal::try_from_i128_with_scale(atto, Money::SCALE).ok()?;
    Some(Money::new(decimal.normalize()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_amount_comes_back_from_its_parts(atto in -9_000_000_000_000_000_000_000_000_000_i128..9_000_000_000_000_000_000_000_000_000) {
            let amount = Money::new(Decimal::from_i128_with_scale(atto, 18).normalize());
            let (nano, rest) = split(amount).unwrap();
            prop_assert!((0..1_000_000_000).contains(&rest));
            prop_assert_eq!(money(nano, rest), Some(amount));
        }
    }

    #[test]
    fn an_amount_that_does_not_fit_is_refused() {
        let large: Money = "9300000000".parse().unwrap();
        assert_eq!(split(large), None);
        assert_eq!(split("79228162515".parse().unwrap()), None);
    }

    #[test]
    fn parts_add_up() {
        let [a, b]: [Money; 2] =
            ["-0.000000000999999999", "0.000000001000000001"].map(|text| text.parse().unwrap());
        let ((a1, a2), (b1, b2)) = (split(a).unwrap(), split(b).unwrap());
        let sum = money(a1 + b1, a2 + b2).unwrap();
        assert_eq!(sum, a.checked_add(b).unwrap());
    }
}
