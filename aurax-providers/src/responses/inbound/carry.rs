//! What other wires' providers want back, as `encrypted_content` of reasoning items.

use aurax_core::Signature;

use crate::seal::Seal;

/// What a sealed text is for; it stands behind the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The proof of the thoughts beside it.
    Thinking,
    /// Thoughts that are encrypted whole.
    Redacted,
    /// The proof of the item before: words or a call.
    Last,
    /// A block only its provider understands, of this kind.
    Native(String),
}

const REDACTED: &str = "redacted";
const LAST: &str = "last";
const NATIVE: &str = "native-";

/// Seals a signature.
pub(super) fn pack(seal: &Seal, signature: &Signature, purpose: &Purpose) -> String {
    let sealed = seal.wrap(signature);
    match purpose {
        Purpose::Thinking => sealed,
        Purpose::Redacted => format!("{sealed}.{REDACTED}"),
        Purpose::Last => format!("{sealed}.{LAST}"),
        Purpose::Native(kind) => format!("{sealed}.{NATIVE}{kind}"),
    }
}

/// Opens a sealed text; `None` for one that was not sealed here.
pub(super) fn unpack(seal: &Seal, text: &str) -> Option<(Signature, Purpose)> {
    // The first dot is the seal's own.
    let mut dots = text.match_indices('.').map(|(at, _)| at);
    let end = dots.nth(1).unwrap_or(text.len());
    let signature = seal.unwrap(text.get(..end)?)?;
    let purpose = match text.get(end..)? {
        "" => Purpose::Thinking,
        rest => match rest.strip_prefix('.')? {
            REDACTED => Purpose::Redacted,
            LAST => Purpose::Last,
            other => Purpose::Native(other.strip_prefix(NATIVE)?.to_owned()),
        },
    };
    Some((signature, purpose))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aurax_core::Origin;

    #[test]
    fn every_purpose_comes_back() {
        let seal = Seal::new(b"key");
        let signature = Signature::new("Eq", Some(Origin::new("anthropic", "claude-opus-4.8")));
        for purpose in [
            Purpose::Thinking,
            Purpose::Redacted,
            Purpose::Last,
            Purpose::Native("web.search_result".into()),
        ] {
            let text = pack(&seal, &signature, &purpose);
            assert!(Seal::is_sealed(&text));
            assert_eq!(unpack(&seal, &text), Some((signature.clone(), purpose)));
            assert_eq!(unpack(&Seal::default(), &text), None);
        }
        assert_eq!(unpack(&seal, "gAAAAABo.last"), None);
    }
}
