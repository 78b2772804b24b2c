//! Amounts of money in JSON: a number of the decimal's own digits, and the same as text.

use aurax::{Cost, Money};
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// US dollars, as a JSON number with every digit; `null` for an amount that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Amount(pub(crate) Option<Money>);

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits = self
            .0
            .map(|amount| RawValue::from_string(amount.to_string()));
        digits
            .transpose()
            .map_err(S::Error::custom)?
            .serialize(serializer)
    }
}

impl PartialSchema for Amount {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::Number, Type::Null]))
            .description(Some("US dollars; `null` where they are not known."))
            .into()
    }
}

impl ToSchema for Amount {
    fn name() -> std::borrow::Cow<'static, str> {
        "Amount".into()
    }
}

/// What something cost: the number, the same as text, and where it is from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Priced(pub(crate) Option<Cost>);

impl Priced {
    pub(crate) fn amount(self) -> Amount {
        Amount(self.0.and_then(|cost| cost.amount()))
    }

    pub(crate) fn text(self) -> Option<String> {
        Some(self.0?.amount()?.to_string())
    }

    pub(crate) fn source(self) -> Option<&'static str> {
        Some(self.0.as_ref()?.source())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_keeps_every_digit() {
        let cost: Money = "1234567890.123456789012345678".parse().unwrap();
        let json = serde_json::to_string(&Amount(Some(cost))).unwrap();
        assert_eq!(json, "1234567890.123456789012345678");
        assert_eq!(serde_json::to_string(&Amount(None)).unwrap(), "null");
        let tiny: Money = "0.000000000000000001".parse().unwrap();
        let json = serde_json::to_string(&Amount(Some(tiny))).unwrap();
        assert_eq!(json, "0.000000000000000001");
    }
}
