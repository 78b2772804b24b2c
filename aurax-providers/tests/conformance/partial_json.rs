//! JSON that was cut short, read the way the Anthropic SDK reads it.

use serde_json::Value;

/// The value of as much of `text` as is complete: values that were cut are left out, objects and
/// lists that were open are closed.
pub(crate) fn complete(text: &str) -> Option<Value> {
    let ends = text.char_indices().map(|(at, _)| at);
    ends.chain([text.len()]).rev().find_map(|end| {
        let head = text.get(..end)?;
        serde_json::from_str(&format!("{head}{}", closers(head)?)).ok()
    })
}

/// What closes everything open in `text`; `None` inside a string.
fn closers(text: &str) -> Option<String> {
    let mut open = Vec::new();
    let (mut in_string, mut escaped) = (false, false);
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            _ if in_string => {}
            '{' => open.push('}'),
            '[' => open.push(']'),
            '}' | ']' => {
                open.pop();
            }
            _ => {}
        }
    }
    (!in_string).then(|| open.iter().rev().collect())
}
