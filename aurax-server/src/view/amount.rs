//! Amounts of money in JSON: a number of the decimal's own digits, and the same as text.

use aurax::{Cost, Money};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// The largest number that is kept.
const LARGEST: u32 = 1_000_000_000;

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

/// A number that is not negative as clients send it, a JSON number or a text of one, read from its
/// digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exact(pub(crate) Money);

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;

        let wrong = || {
            D::Error::custom(format!(
                "expected a number from 0 to {LARGEST}, or a text of one, with at most {} places",
                Money::SCALE
            ))
        };
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get();
        let text = if text.starts_with('"') {
            serde_json::from_str::<String>(text).map_err(|_| wrong())?
        } else {
            text.to_owned()
        };
        let number: Money = text.parse().map_err(|_| wrong())?;
        let fits = number.rounded() == number && number <= Money::new(LARGEST.into());
        if number.is_negative() || !fits {
            return Err(wrong());
        }
        Ok(Self(number))
    }
}

impl PartialSchema for Exact {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::Number, Type::String]))
            .minimum(Some(0))
            .maximum(Some(LARGEST))
            .pattern(Some(r"^[0-9]{1,9}(\.[0-9]{1,18})?$"))
            .description(Some("A number, or the same as text; every digit counts."))
            .into()
    }
}

impl ToSchema for Exact {
    fn name() -> std::borrow::Cow<'static, str> {
        "Exact".into()
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

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wanted {
        limit: Exact,
        #[serde(default)]
        other: Option<Exact>,
    }

    #[test]
    fn a_number_is_read_from_its_digits() {
        for (json, expected) in [
            ("0.1", "0.1"),
            ("0.10", "0.1"),
            ("\"0.1\"", "0.1"),
            ("1e-18", "0.000000000000000001"),
            (
                "123456789.123456789012345678",
                "123456789.123456789012345678",
            ),
            ("1000000000", "1000000000"),
            ("-0", "0"),
        ] {
            let body = format!("{{\"limit\": {json}, \"other\": {json}}}");
            let wanted: Wanted = crate::extract::parse_json(body.as_bytes()).unwrap();
            assert_eq!(wanted.limit.0.to_string(), expected, "{json}");
            assert_eq!(wanted.other, Some(wanted.limit));
        }
    }

    #[test]
    fn what_is_no_number_of_the_range_is_refused_by_its_field() {
        for json in [
            "null",
            "true",
            "[]",
            "{}",
            "\"\"",
            "\"a\"",
            "\"1,5\"",
            "-1",
            "\"-0.1\"",
            "1000000000.01",
            "1e10",
            "1e-19",
            "1e999999999",
            "\"NaN\"",
            "\"0x1\"",
            "\" 1\"",
        ] {
            let body = format!("{{\"limit\": {json}}}");
            let failure = crate::extract::parse_json::<Wanted>(body.as_bytes()).unwrap_err();
            let body = failure.body("r", time::OffsetDateTime::UNIX_EPOCH);
            let details = body.error.details.unwrap();
            assert_eq!(details["field"], "limit", "{json}: {}", body.error.message);
        }
    }
}
