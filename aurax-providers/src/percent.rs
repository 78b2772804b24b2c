//! Text inside a URL.

/// A text as one segment of a path or one value of a query: everything but letters, digits and
/// `-._~` is escaped, so it can neither leave its place nor add to the query.
pub(crate) fn encoded(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            write!(out, "%{byte:02X}").ok();
        }
        out
    })
}
