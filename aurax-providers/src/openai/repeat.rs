//! Most chunks of a stream are the chunk before with another text in it, and need no parsing.

use aurax_core::{Delta, Event};
use memchr::memmem;

/// Fields that add to what was said before, as the text does.
const STEPS: [&str; 2] = ["\"reasoning_details\":", "\"audio\":"];
/// What stands before the text in a chunk.
const TEXT: &str = "\"content\":";
/// OpenAI pads chunks with random text, so that their length does not tell what is in them.
const PADDING: &str = "\"obfuscation\":";

/// The chunk before, if all it did was to add to a text, without that text.
///
/// Everything else in such a chunk is a state and not a step: read twice, it says what it said
/// once. So a chunk that is the same but for its text does nothing but to add that text.
#[derive(Debug, Default)]
pub(super) struct Repeat(Option<Chunk>);

#[derive(Debug)]
struct Chunk {
    before: String,
    after: String,
    /// What follows the padding, where there is any; `after` ends with it then.
    after_padding: Option<String>,
    choice: u32,
    part: u32,
}

impl Repeat {
    /// Learns from a chunk that was read into `events`.
    pub(super) fn learn(&mut self, data: &str, events: &[Event]) {
        self.0 = match events {
            [
                Event::Delta {
                    choice,
                    part,
                    delta: Delta::Text(text),
                },
            ] => Chunk::of(data, text, *choice, *part),
            _ => None,
        };
    }

    /// What a chunk adds, where it is the chunk before with another text.
    pub(super) fn read(&self, data: &str) -> Option<Event> {
        let chunk = self.0.as_ref()?;
        let (text, rest) = literal(data.strip_prefix(chunk.before.as_str())?)?;
        let rest = rest.strip_prefix(chunk.after.as_str())?;
        let is_same = match &chunk.after_padding {
            None => rest.is_empty(),
            Some(after) => plain(rest).is_some_and(|(_, rest)| rest == after),
        };
        let text: String = match is_same {
            true => serde_json::from_str(text).ok()?,
            false => return None,
        };
        // An empty text is a step of its own when it is the first.
        (!text.is_empty()).then_some(Event::Delta {
            choice: chunk.choice,
            part: chunk.part,
            delta: Delta::Text(text),
        })
    }
}

impl Chunk {
    fn of(data: &str, text: &str, choice: u32, part: u32) -> Option<Self> {
        if STEPS.iter().any(|field| data.contains(field)) {
            return None;
        }
        let start = only(data, TEXT)?;
        let (before, rest) = data.split_at_checked(start)?;
        let (own, after) = literal(rest)?;
        if serde_json::from_str::<String>(own).ok()? != text {
            return None;
        }
        let padding = only(after, PADDING);
        let (after, after_padding) = match padding.and_then(|at| after.split_at_checked(at)) {
            Some((after, padding)) => (after, Some(plain(padding)?.1.to_owned())),
            None => (after, None),
        };
        Some(Self {
            before: before.to_owned(),
            after: after.to_owned(),
            after_padding,
            choice,
            part,
        })
    }
}

/// Where the one place of `name` ends.
fn only(data: &str, name: &str) -> Option<usize> {
    let mut places = memmem::find_iter(data.as_bytes(), name.as_bytes());
    let at = places.next()?.checked_add(name.len())?;
    places.next().is_none().then_some(at)
}

/// The text literal at the start of `json`, quotes included, and what follows.
fn literal(json: &str) -> Option<(&str, &str)> {
    let bytes = json.as_bytes();
    let mut from = 1;
    if bytes.first() != Some(&b'"') {
        return None;
    }
    loop {
        let at = memchr::memchr2(b'"', b'\\', bytes.get(from..)?)?.checked_add(from)?;
        match bytes.get(at) {
            Some(b'"') => return json.split_at_checked(at.checked_add(1)?),
            _ => from = at.checked_add(2)?,
        }
    }
}

/// The same for a literal without escapes.
fn plain(json: &str) -> Option<(&str, &str)> {
    let (text, rest) = literal(json)?;
    let is_plain = |byte: u8| byte != b'\\' && byte >= b' ';
    text.bytes().all(is_plain).then_some((text, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(text: &str, padding: &str) -> String {
        format!(r#"{{"id":"c","delta":{{"content":{text}}},"usage":null{padding}}}"#)
    }

    fn said(text: &str) -> Event {
        Event::Delta {
            choice: 3,
            part: 2,
            delta: Delta::Text(text.to_owned()),
        }
    }

    fn after(chunk: &str, text: &str) -> Repeat {
        let mut repeat = Repeat::default();
        repeat.learn(chunk, &[said(text)]);
        repeat
    }

    #[test]
    fn a_chunk_with_another_text_adds_that_text() {
        for padding in ["", r#","obfuscation":"xY""#] {
            let repeat = after(&chunk(r#""a""#, padding), "a");
            assert_eq!(
                repeat.read(&chunk(r#"" Ü\"\n\\""#, padding)),
                Some(said(" Ü\"\n\\"))
            );
        }
        let repeat = after(&chunk(r#""a""#, r#","obfuscation":"xY""#), "a");
        let other = chunk(r#""b""#, r#","obfuscation":"""#);
        assert_eq!(repeat.read(&other), Some(said("b")));
    }

    #[test]
    fn a_chunk_that_differs_elsewhere_is_read() {
        let repeat = after(&chunk(r#""a""#, ""), "a");
        for other in [
            chunk(r#""b""#, r#","x":1"#),
            chunk(r#""b""#, "").replace("null", "{}"),
            chunk(r#""b""#, "").replace("\"c\"", "\"d\""),
            chunk("null", ""),
            chunk(r#""""#, ""),
            chunk("\"\u{1}\"", ""),
            chunk(r#""\u12""#, ""),
            chunk(r#""b"#, ""),
            String::new(),
        ] {
            assert_eq!(repeat.read(&other), None, "{other}");
        }
    }

    #[test]
    fn a_chunk_that_did_more_is_not_learnt() {
        let data = chunk(r#""a""#, "");
        let mut repeat = Repeat::default();
        repeat.learn(&data, &[said("a"), said("b")]);
        assert_eq!(repeat.read(&data), None);
        repeat.learn(&data, &[said("something else")]);
        assert_eq!(repeat.read(&data), None);
        let thoughts = chunk(r#""a""#, r#","reasoning_details":[{}]"#);
        repeat.learn(&thoughts, &[said("a")]);
        assert_eq!(repeat.read(&thoughts), None);
        let twice = data.replace("\"usage\":null", r#""message":{"content":"a"}"#);
        repeat.learn(&twice, &[said("a")]);
        assert_eq!(repeat.read(&twice), None);
    }
}
