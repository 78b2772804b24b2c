//! Ids made of what they stand for: the same wherever and however often they are made.

/// FNV-1a over the texts and the borders between them: the same on every machine and in every
/// version, which ids must be for prompt caches to keep hitting.
pub(crate) fn hash(texts: &[&str]) -> u64 {
    let bytes = texts
        .iter()
        .flat_map(|text| text.bytes().chain(std::iter::once(0xff)));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Nine letters and digits.
pub(crate) fn base62(mut number: u64) -> String {
    let digits = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = String::with_capacity(9);
    for _ in 0..9 {
        let digit = usize::try_from(number % 62).unwrap_or_default();
        text.push(char::from(digits.get(digit).copied().unwrap_or(b'0')));
        number /= 62;
    }
    text
}

/// An id for a tool call the provider gave none: `call_` and eighteen letters and digits, of which
/// the second half follows from the first, so that it is known again, whoever kept it.
pub(crate) fn call_id(seed: &[&str]) -> String {
    let first = base62(hash(seed));
    let second = proof(&first);
    format!("call_{first}{second}")
}

/// Whether an id was made by [`call_id`].
pub(crate) fn is_made_up(id: &str) -> bool {
    id.strip_prefix("call_")
        .and_then(|rest| rest.split_at_checked(9))
        .is_some_and(|(first, second)| proof(first) == second)
}

/// The calls of tools there are in the conversation so far; ids of one turn differ by it from those
/// of another.
pub(crate) fn calls_before(call: &aurax_core::Call) -> usize {
    let aurax_core::Op::Chat(request) = &call.op else {
        return 0;
    };
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    parts.filter(|part| part.as_tool_call().is_some()).count()
}

fn proof(first: &str) -> String {
    base62(hash(&["made up", first]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_was_made_up_is_known_again() {
        let id = call_id(&["reply", "0"]);
        assert_eq!(id, call_id(&["reply", "0"]));
        assert_ne!(id, call_id(&["reply", "1"]));
        assert_ne!(call_id(&["ab", "c"]), call_id(&["a", "bc"]));
        assert!(is_made_up(&id), "{id}");
        for other in [
            "call_195851",
            "call_abcdefghijklmnopqrstuvwx",
            "toolu_01",
            "",
            "call_",
            "call_é",
        ] {
            assert!(!is_made_up(other), "{other}");
        }
    }
}
