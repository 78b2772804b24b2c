//! A whole answer as the deltas it is made of.

use aurax_core::{Delta, Item, Part, Signature, ToolCallStart};

/// The deltas of a part, in the order a stream of this wire brings them.
pub(super) fn deltas(part: &Part) -> Vec<Delta> {
    match part {
        Part::Text(text) => {
            let begin = Delta::Text(String::new());
            let mut all = listed(begin, text.item.as_ref());
            all.push(Delta::Text(text.text.clone()));
            all.extend(text.citations.iter().cloned().map(Delta::Citation));
            signed(all, text.signature.as_ref())
        }
        Part::Refusal(refusal) => {
            let begin = Delta::Refusal(String::new());
            let mut all = listed(begin, refusal.item.as_ref());
            all.push(Delta::Refusal(refusal.text.clone()));
            all
        }
        Part::Thinking(thinking) => {
            let begin = Delta::Thinking(String::new());
            let mut all = listed(begin, thinking.item.as_ref());
            all.push(Delta::Thinking(thinking.text.clone()));
            signed(all, thinking.signature.as_ref())
        }
        Part::RedactedThinking(redacted) => vec![Delta::RedactedThinking(redacted.data.clone())],
        Part::ToolCall(call) => {
            let begin = Delta::ToolCall(ToolCallStart::new(&call.id, &call.name));
            let mut all = listed(begin, call.item.as_ref());
            all.push(Delta::Arguments(call.arguments.clone()));
            signed(all, call.signature.as_ref())
        }
        Part::Image(image) => vec![Delta::Image(image.clone())],
        Part::Audio(audio) => vec![Delta::Audio(audio.clone())],
        Part::Native(native) => vec![Delta::Native(native.clone())],
        _ => Vec::new(),
    }
}

fn listed(begin: Delta, item: Option<&Item>) -> Vec<Delta> {
    let item = item.cloned().map(Delta::Item);
    std::iter::once(begin).chain(item).collect()
}

fn signed(mut deltas: Vec<Delta>, signature: Option<&Signature>) -> Vec<Delta> {
    deltas.extend(signature.cloned().map(Delta::Signature));
    deltas
}
