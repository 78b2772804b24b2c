//! Reads parts from JSON.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::Part;

/// Whether JSON nests deeper than serde_json reads: text that is read part by part is not checked
/// by it as a whole.
fn is_deep(json: &str) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_u32, false, false);
    json.bytes().any(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'{' | b'[' => depth = depth.saturating_add(1),
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > 128
    })
}

/// Reads the kind first, and then the text once more as that: what serde derives for a tag inside
/// an object cannot keep JSON as text ([`Item::extra`](super::Item::extra)).
impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Kind {
            Text,
            Image,
            Document,
            Audio,
            Thinking,
            RedactedThinking,
            Refusal,
            ToolCall,
            ToolResult,
            Native,
        }
        #[derive(Deserialize)]
        struct Tagged {
            #[serde(rename = "type")]
            kind: Kind,
        }
        fn read<'a, T, E>(json: &'a RawValue) -> Result<T, E>
        where
            T: Deserialize<'a>,
            E: serde::de::Error,
        {
            serde_json::from_str(json.get()).map_err(E::custom)
        }
        let json = Box::<RawValue>::deserialize(deserializer)?;
        let json = &*json;
        if is_deep(json.get()) {
            return Err(serde::de::Error::custom(
                "a part has objects or lists more than 128 deep",
            ));
        }
        Ok(match read::<Tagged, D::Error>(json)?.kind {
            Kind::Text => Self::Text(read(json)?),
            Kind::Image => Self::Image(read(json)?),
            Kind::Document => Self::Document(read(json)?),
            Kind::Audio => Self::Audio(read(json)?),
            Kind::Thinking => Self::Thinking(read(json)?),
            Kind::RedactedThinking => Self::RedactedThinking(read(json)?),
            Kind::Refusal => Self::Refusal(read(json)?),
            Kind::ToolCall => Self::ToolCall(read(json)?),
            Kind::ToolResult => Self::ToolResult(read(json)?),
            Kind::Native => Self::Native(read(json)?),
        })
    }
}
