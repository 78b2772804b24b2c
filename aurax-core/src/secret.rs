//! Values that never print.

use std::fmt;

use zeroize::Zeroizing;

/// An API key or another secret.
///
/// It prints as `Secret(…)`, cannot be serialised or cloned (share it behind an `Arc`) and is
/// wiped from memory when dropped. Only code that hands it to a provider may call
/// [`Secret::expose`]; a lint keeps other callers out.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a secret in.
    pub fn new(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// True for an empty or blank value, which no provider accepts.
    pub fn is_blank(&self) -> bool {
        self.0.trim().is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self::new(value)
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self::new(value)
    }
}
