//! Why a call has no price.

use std::fmt;

use crate::bucket::Bucket;
use crate::error::{Error, ErrorKind};

/// Why a call has no price. None of these ever counts as a price of zero.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PriceError {
    /// The price book has no such provider.
    UnknownProvider {
        /// The provider as asked for.
        provider: String,
        /// Providers with a similar name, at most five.
        near: Vec<String>,
    },
    /// The provider is in the price book, the model is not.
    UnknownModel {
        /// The provider's key in the book.
        provider: String,
        /// The model as asked for.
        model: String,
        /// Models of the provider with a similar name, at most five.
        near: Vec<String>,
    },
    /// The model is in the price book, without a price for this time.
    Unpriced {
        /// The key of the provider whose model it is.
        provider: String,
        /// The model's id in the book.
        model: String,
    },
    /// The provider reported a part with a rate of its own that is larger than its whole.
    BadUsage {
        /// The part.
        part: Bucket,
        /// The count as reported.
        reported: u64,
        /// What was left of the whole for it.
        available: u64,
    },
    /// The exact amount does not fit 28 digits.
    TooLarge,
}

impl fmt::Display for PriceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownProvider { provider, near } => {
                write!(f, "the price book has no provider `{provider}`")?;
                write_near(f, near)
            }
            Self::UnknownModel {
                provider,
                model,
                near,
            } => {
                write!(f, "the price book has no model `{model}` of `{provider}`")?;
                write_near(f, near)
            }
            Self::Unpriced { provider, model } => {
                write!(
                    f,
                    "the price book has no price for `{model}` of `{provider}`"
                )
            }
            Self::BadUsage {
                part,
                reported,
                available,
            } => write!(
                f,
                "the provider reported {reported} of `{}`, more than the {available} there can be",
                part.as_str(),
            ),
            Self::TooLarge => f.write_str("the amount does not fit 28 decimal digits"),
        }
    }
}

fn write_near(f: &mut fmt::Formatter<'_>, near: &[String]) -> fmt::Result {
    if near.is_empty() {
        return Ok(());
    }
    write!(f, "; similar: {}", near.join(", "))
}

impl std::error::Error for PriceError {}

impl From<PriceError> for Error {
    fn from(error: PriceError) -> Self {
        let kind = match error {
            PriceError::UnknownProvider { .. } | PriceError::UnknownModel { .. } => {
                ErrorKind::ModelNotFound
            }
            PriceError::Unpriced { .. } => ErrorKind::Unpriced,
            PriceError::BadUsage { .. } | PriceError::TooLarge => ErrorKind::InvalidRequest,
        };
        Self::new(kind, error.to_string()).with_source(error)
    }
}
