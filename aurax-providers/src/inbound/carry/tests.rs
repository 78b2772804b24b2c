use aurax_core::{Origin, ToolCall};

use super::*;

fn proof(data: &str) -> Signature {
    Signature::new(data, Some(Origin::new("gemini", "flash-3.5:x")))
}

fn span(before: &str, words: &str) -> Span {
    let mut run = Run::default();
    run.add(0, before);
    run.add(1, words);
    run.span(1).unwrap()
}

fn signed(words: &str, data: &str) -> Part {
    let mut text = Text::new(words);
    text.signature = Some(proof(data));
    text.into()
}

fn applied(purposes: Vec<(&str, Purpose)>, parts: Vec<Part>) -> Vec<Part> {
    let mut proofs = Proofs::default();
    for (data, purpose) in purposes {
        proofs.take(proof(data), purpose);
    }
    proofs.apply(parts)
}

#[test]
fn every_purpose_comes_back() {
    let seal = Seal::new(b"key");
    for purpose in [
        Purpose::Thinking,
        Purpose::Redacted,
        Purpose::RedactedAt(7),
        Purpose::Last,
        Purpose::Native("web.search:result".into()),
        Purpose::Call("call_1:2".into()),
        Purpose::Words(span("a", "bc")),
        Purpose::Thoughts(span("", "")),
    ] {
        let text = pack(&seal, &proof("Eq"), &purpose);
        assert!(Seal::is_sealed(&text));
        assert_eq!(unpack(&seal, &text), Some((proof("Eq"), purpose)));
        assert_eq!(unpack(&Seal::default(), &text), None);
    }
    assert_eq!(unpack(&seal, "gAAAAABo.last"), None);
}

#[test]
fn a_purpose_cannot_be_changed_from_outside() {
    let seal = Seal::new(b"key");
    let text = pack(&seal, &proof("Eq"), &Purpose::Thinking);
    for added in [".redacted", ".last", ".native-thinking", "A"] {
        assert_eq!(unpack(&seal, &format!("{text}{added}")), None, "{added}");
    }
}

#[test]
fn words_are_cut_where_they_were_signed() {
    let parts = vec!["one two three".into(), ToolCall::new("c", "f", "{}").into()];
    let purposes = vec![
        ("3", Purpose::Words(span("one two three", ""))),
        ("2", Purpose::Words(span("one ", "two "))),
    ];
    let call: Part = ToolCall::new("c", "f", "{}").into();
    assert_eq!(
        applied(purposes, parts),
        [
            "one ".into(),
            signed("two ", "2"),
            "three".into(),
            signed("", "3"),
            call
        ]
    );
}

#[test]
fn words_that_are_other_words_now_are_not_signed() {
    for (before, words) in [
        ("one ", "TWO"),
        ("one two thre", "ee"),
        ("", "one two threefour"),
    ] {
        let parts: Vec<Part> = vec!["one two three".into()];
        let purposes = vec![("x", Purpose::Words(span(before, words)))];
        assert_eq!(applied(purposes, parts.clone()), parts, "{words}");
    }
    // The middle of a letter is no place to cut.
    let parts: Vec<Part> = vec!["é".into()];
    let purposes = vec![("x", Purpose::Words(span("a", "")))];
    assert_eq!(applied(purposes, parts.clone()), parts);
}

#[test]
fn words_of_two_parts_keep_their_own_proofs() {
    let parts = vec!["one".into(), Thinking::new("hm").into(), "two".into()];
    let purposes = vec![
        ("2", Purpose::Words(span("one", "two"))),
        ("1", Purpose::Words(span("", "one"))),
        ("0", Purpose::Thoughts(span("", "hm"))),
    ];
    let thinking = Thinking::new("hm").with_signature(proof("0")).into();
    assert_eq!(
        applied(purposes, parts),
        [signed("one", "1"), thinking, signed("two", "2")]
    );
}

#[test]
fn encrypted_thoughts_stand_where_they_stood() {
    let purposes = vec![
        ("r", Purpose::RedactedAt(2)),
        ("2", Purpose::Thoughts(span("hm", "ah"))),
        ("1", Purpose::Thoughts(span("", "hm"))),
    ];
    let thought = |words: &str, data: &str| Thinking::new(words).with_signature(proof(data)).into();
    let redacted: Part = RedactedThinking::new(proof("r")).into();
    assert_eq!(
        applied(purposes, vec![Thinking::new("hmah").into(), "Hi".into()]),
        [
            thought("hm", "1"),
            redacted.clone(),
            thought("ah", "2"),
            "Hi".into()
        ]
    );
    assert_eq!(
        applied(vec![("r", Purpose::RedactedAt(0))], vec!["Hi".into()]),
        [redacted, "Hi".into()]
    );
}

#[test]
fn a_proof_of_no_words_stands_behind_the_thoughts() {
    let call: Part = ToolCall::new("c", "f", "{}").into();
    let parts = vec![Thinking::new("hm").into(), call.clone()];
    let purposes = vec![("x", Purpose::Words(span("", "")))];
    assert_eq!(
        applied(purposes, parts),
        [Thinking::new("hm").into(), signed("", "x"), call]
    );
}

#[test]
fn a_call_is_known_by_its_id() {
    let call = |id: &str| ToolCall::new(id, "f", "{}");
    let mut second = call("b");
    second.signature = Some(proof("x"));
    let purposes = vec![
        ("x", Purpose::Call("b".into())),
        ("y", Purpose::Call("gone".into())),
    ];
    assert_eq!(
        applied(purposes, vec![call("a").into(), call("b").into()]),
        [call("a").into(), second.into()]
    );
}
