//! What is too long, or empty, to be kept.

use aurax_core::{Error, ErrorKind, Result};

/// A name: of a key, a budget, an alert, a provider.
pub(crate) const NAME: usize = 100;
/// The name of a model.
pub(crate) const MODEL: usize = 200;
/// An address.
pub(crate) const URL: usize = 2_048;

/// Refuses a text of more than `most` characters, by the name of its field.
pub(crate) fn at_most(field: &'static str, text: &str, most: usize) -> Result<()> {
    if text.chars().nth(most).is_some() {
        return Err(refuse(
            field,
            format!("`{field}` is too long: it has at most {most} characters"),
        ));
    }
    Ok(())
}

/// Refuses a text that is blank or of more than `most` characters.
pub(crate) fn named(field: &'static str, text: &str, most: usize) -> Result<()> {
    if text.trim().is_empty() {
        return Err(refuse(field, format!("`{field}` is empty")));
    }
    at_most(field, text, most)
}

/// An error about one field of what was asked.
pub(crate) fn refuse(field: &'static str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidRequest, message.into()).with_context("field", field)
}
