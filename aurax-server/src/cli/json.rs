//! Amounts in JSON: numbers printed from the decimal's own digits.

use aurax::{Cost, Money};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// An amount as a JSON number, exactly.
#[derive(Debug, Clone, Copy)]
pub(super) struct Digits(pub(super) Money);

impl Serialize for Digits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits =
            RawValue::from_string(self.0.to_string()).map_err(serde::ser::Error::custom)?;
        digits.serialize(serializer)
    }
}

/// A cost, as the API shows it: the number, the same in decimals, and where it is from.
#[derive(Debug, Clone, Serialize)]
pub(super) struct JsonCost {
    cost: Option<Digits>,
    cost_decimal: Option<Money>,
    cost_source: &'static str,
}

impl From<&Cost> for JsonCost {
    fn from(cost: &Cost) -> Self {
        Self {
            cost: cost.amount().map(Digits),
            cost_decimal: cost.amount(),
            cost_source: cost.source(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_all_its_digits() {
        let cost = Cost::Exact("1234567890.123456789012345678".parse().unwrap());
        assert_eq!(
            serde_json::to_string(&JsonCost::from(&cost)).unwrap(),
            r#"{"cost":1234567890.123456789012345678,"cost_decimal":"1234567890.123456789012345678","cost_source":"exact"}"#
        );
        let unknown = serde_json::to_string(&JsonCost::from(&Cost::Unpriced)).unwrap();
        assert_eq!(
            unknown,
            r#"{"cost":null,"cost_decimal":null,"cost_source":"unpriced"}"#
        );
    }
}
