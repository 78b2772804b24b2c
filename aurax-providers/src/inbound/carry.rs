//! What providers want back beside what they said, sealed, for clients that know nothing of it.
//!
//! Some protocols keep the parts of an answer in their order, others gather them: all words in one
//! text, calls beside it. So a proof says in its seal what it proves: the call of an id, or some of
//! the words, and finds them again wherever the client puts them.

use std::collections::HashMap;
use std::iter::Peekable;
use std::vec::IntoIter;

use aurax_core::{Part, RedactedThinking, Signature, Text, Thinking};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::seal::{Seal, THOUGHTS};

/// What a sealed text is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The proof of the thoughts beside it.
    Thinking,
    /// Thoughts that are encrypted whole.
    Redacted,
    /// The same, behind so many bytes of the other thoughts.
    RedactedAt(usize),
    /// The proof of the item before: words or a call.
    Last,
    /// A block only its provider understands, of this kind.
    Native(String),
    /// The proof of the call of this id.
    Call(String),
    /// The proof of some of the words.
    Words(Span),
    /// The proof of some of the thoughts.
    Thoughts(Span),
}

/// Where words stand in all the words of their kind, in bytes, and which they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    start: usize,
    end: usize,
    digest: String,
}

impl Span {
    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split(':');
        let span = Self {
            start: fields.next()?.parse().ok()?,
            end: fields.next()?.parse().ok()?,
            digest: fields.next()?.to_owned(),
        };
        (span.start <= span.end).then_some(span)
    }

    fn to_text(&self) -> String {
        format!("{}:{}:{}", self.start, self.end, self.digest)
    }
}

impl Purpose {
    fn to_text(&self) -> String {
        match self {
            Self::Thinking => THOUGHTS.to_owned(),
            Self::Redacted => "redacted".to_owned(),
            Self::RedactedAt(at) => format!("redacted:{at}"),
            Self::Last => "last".to_owned(),
            Self::Native(kind) => format!("native:{kind}"),
            Self::Call(id) => format!("call:{id}"),
            Self::Words(span) => format!("words:{}", span.to_text()),
            Self::Thoughts(span) => format!("thoughts:{}", span.to_text()),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Some(match text.split_once(':') {
            None => match text {
                THOUGHTS => Self::Thinking,
                "redacted" => Self::Redacted,
                "last" => Self::Last,
                _ => return None,
            },
            Some(("redacted", at)) => Self::RedactedAt(at.parse().ok()?),
            Some(("native", kind)) => Self::Native(kind.to_owned()),
            Some(("call", id)) => Self::Call(id.to_owned()),
            Some(("words", span)) => Self::Words(Span::parse(span)?),
            Some(("thoughts", span)) => Self::Thoughts(Span::parse(span)?),
            Some(_) => return None,
        })
    }
}

/// Seals a signature.
pub(crate) fn pack(seal: &Seal, signature: &Signature, purpose: &Purpose) -> String {
    seal.wrap_for(signature, &purpose.to_text())
}

/// What stands for the proof of thoughts nobody signed: it tells that they are another wire's.
pub(crate) fn pack_nothing(seal: &Seal) -> String {
    pack(seal, &Signature::new("", None), &Purpose::Thinking)
}

/// Opens a sealed text; `None` for one that was not sealed here.
pub(crate) fn unpack(seal: &Seal, text: &str) -> Option<(Signature, Purpose)> {
    let (signature, purpose) = seal.open(text)?;
    Some((signature, Purpose::parse(&purpose)?))
}

/// All the words of a kind while they are written, and which of them are the last part's.
#[derive(Debug, Default)]
pub(crate) struct Run {
    part: Option<u32>,
    start: usize,
    end: usize,
    digest: Sha256,
}

impl Run {
    /// Counts words of a part.
    pub(crate) fn add(&mut self, part: u32, words: &str) {
        if self.part != Some(part) {
            self.part = Some(part);
            self.start = self.end;
            self.digest = Sha256::new();
        }
        self.end = self.end.saturating_add(words.len());
        self.digest.update(words);
    }

    /// How many bytes there are.
    pub(crate) const fn len(&self) -> usize {
        self.end
    }

    /// The words of a part; `None` where it is not the last one.
    pub(crate) fn span(&self, part: u32) -> Option<Span> {
        (self.part == Some(part)).then(|| Span {
            start: self.start,
            end: self.end,
            digest: digest(self.digest.clone()),
        })
    }
}

fn digest(hash: Sha256) -> String {
    let bytes = hash.finalize();
    URL_SAFE_NO_PAD.encode(bytes.get(..16).unwrap_or_default())
}

/// The proofs a client sent back with a turn.
#[derive(Debug, Default)]
pub(crate) struct Proofs {
    calls: HashMap<String, Signature>,
    words: Vec<(Span, Mark)>,
    thoughts: Vec<(Span, Mark)>,
}

/// What is done at a span.
#[derive(Debug)]
enum Mark {
    /// The words there are signed.
    Proof(Signature),
    /// Encrypted thoughts stand there.
    Redacted(Signature),
}

/// Which parts' words are gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Words,
    Thoughts,
}

impl Proofs {
    /// Takes what a sealed text was for; what says itself where it belongs is passed over.
    pub(crate) fn take(&mut self, signature: Signature, purpose: Purpose) {
        match purpose {
            Purpose::Call(id) => {
                self.calls.insert(id, signature);
            }
            Purpose::Words(span) => self.words.push((span, Mark::Proof(signature))),
            Purpose::Thoughts(span) => self.thoughts.push((span, Mark::Proof(signature))),
            Purpose::RedactedAt(at) => {
                let span = Span {
                    start: at,
                    end: at,
                    digest: String::new(),
                };
                self.thoughts.push((span, Mark::Redacted(signature)));
            }
            Purpose::Thinking | Purpose::Redacted | Purpose::Last | Purpose::Native(_) => {}
        }
    }

    /// The turn's parts with their proofs. What was signed and is not there any more as it was said
    /// stays unsigned.
    pub(crate) fn apply(mut self, mut parts: Vec<Part>) -> Vec<Part> {
        if !self.calls.is_empty() {
            for part in &mut parts {
                if let Part::ToolCall(call) = part
                    && call.signature.is_none()
                {
                    call.signature = self.calls.remove(&call.id);
                }
            }
        }
        let parts = place(parts, self.thoughts, Kind::Thoughts);
        place(parts, self.words, Kind::Words)
    }
}

/// Goes once through the parts, and through the spans in their order.
fn place(parts: Vec<Part>, mut spans: Vec<(Span, Mark)>, kind: Kind) -> Vec<Part> {
    if spans.is_empty() {
        return parts;
    }
    spans.sort_by_key(|(span, _)| span.start);
    let mut spans = spans.into_iter().peekable();
    let mut out = Vec::with_capacity(parts.len());
    let mut offset = 0_usize;
    for part in parts {
        match said(&part, kind).map(str::len) {
            None => out.push(part),
            Some(length) => {
                cut(part, offset, kind, &mut spans, &mut out);
                offset = offset.saturating_add(length);
            }
        }
    }
    // Words that are none, in a turn without any: behind the thoughts, or before everything.
    if offset == 0 {
        let is_thought =
            |part: &Part| matches!(part, Part::Thinking(_) | Part::RedactedThinking(_));
        let thoughts = out.iter().take_while(|part| is_thought(part)).count();
        let at = if kind == Kind::Words { thoughts } else { 0 };
        let rest: Vec<Part> = spans
            .filter(|(span, mark)| span.end == 0 && fits(span, mark, ""))
            .map(|(_, mark)| marked(empty(kind), mark))
            .collect();
        out.splice(at..at, rest);
    }
    out
}

/// Cuts a part, whose words begin at `offset`, where the spans in it begin and end.
fn cut(
    part: Part,
    offset: usize,
    kind: Kind,
    spans: &mut Peekable<IntoIter<(Span, Mark)>>,
    out: &mut Vec<Part>,
) {
    let text = said(&part, kind).unwrap_or_default().to_owned();
    let end = offset.saturating_add(text.len());
    let mut from = 0;
    let mut is_cut = false;
    let is_inside = |span: &Span| span.start < end || span.start == end && span.end == end;
    while let Some((span, mark)) = spans.next_if(|(span, _)| is_inside(span)) {
        let range = span
            .start
            .checked_sub(offset)
            .zip(span.end.checked_sub(offset));
        let Some((start, stop)) = range.filter(|(start, _)| *start >= from) else {
            continue;
        };
        let words = text
            .get(start..stop)
            .filter(|words| fits(&span, &mark, words));
        let (Some(words), Some(before)) = (words, text.get(from..start)) else {
            continue;
        };
        if words.len() == text.len() && !is_cut && matches!(mark, Mark::Proof(_)) {
            return out.push(marked(part, mark));
        }
        if !before.is_empty() {
            out.push(with_text(empty(kind), before));
        }
        out.push(marked(with_text(empty(kind), words), mark));
        (from, is_cut) = (stop, true);
    }
    match text.get(from..) {
        Some(rest) if is_cut && rest.is_empty() => {}
        Some(rest) if is_cut => out.push(with_text(part, rest)),
        _ => out.push(part),
    }
}

/// The words of a part of that kind which nobody has signed yet.
fn said(part: &Part, kind: Kind) -> Option<&str> {
    match (part, kind) {
        (Part::Text(text), Kind::Words) => Some(&text.text),
        (Part::Thinking(thinking), Kind::Thoughts) => Some(&thinking.text),
        _ => None,
    }
}

fn empty(kind: Kind) -> Part {
    match kind {
        Kind::Words => Text::default().into(),
        Kind::Thoughts => Thinking::default().into(),
    }
}

fn with_text(mut part: Part, words: &str) -> Part {
    match &mut part {
        Part::Text(text) => words.clone_into(&mut text.text),
        Part::Thinking(thinking) => words.clone_into(&mut thinking.text),
        _ => {}
    }
    part
}

fn fits(span: &Span, mark: &Mark, words: &str) -> bool {
    match mark {
        Mark::Proof(_) => span.digest == digest(Sha256::new_with_prefix(words)),
        Mark::Redacted(_) => words.is_empty(),
    }
}

fn marked(mut part: Part, mark: Mark) -> Part {
    match (&mut part, mark) {
        (_, Mark::Redacted(data)) => return RedactedThinking::new(data).into(),
        (Part::Text(text), Mark::Proof(proof)) => text.signature = Some(proof),
        (Part::Thinking(thinking), Mark::Proof(proof)) => thinking.signature = Some(proof),
        _ => {}
    }
    part
}

#[cfg(test)]
mod tests;
