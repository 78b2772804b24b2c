//! The law of the decoder: a stream folds to what the whole reply folds to.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{asked, chunk, last, reply};

#[derive(Debug, Clone)]
struct Answer {
    thoughts: String,
    words: Option<String>,
    refusal: String,
    calls: Vec<(String, String)>,
}

fn answer() -> impl Strategy<Value = Answer> {
    let text = "[a-zé\"\\\\ 😀]{0,12}";
    let call = ("[a-z_]{1,8}", "[{}\":a-z0-9]{0,12}");
    (text, proptest::option::of(text), text, vec(call, 0..4)).prop_map(
        |(thoughts, words, refusal, calls)| Answer {
            thoughts,
            words,
            refusal,
            calls,
        },
    )
}

fn whole(answer: &Answer) -> Value {
    let calls: Vec<Value> = answer
        .calls
        .iter()
        .enumerate()
        .map(|(at, (name, arguments))| {
            json!({"id": format!("call_{at}"), "type": "function",
                "function": {"name": name, "arguments": arguments}})
        })
        .collect();
    reply(
        json!({"role": "assistant", "content": answer.words, "reasoning_content": answer.thoughts,
            "refusal": answer.refusal, "tool_calls": calls}),
        "stop",
    )
}

/// Cuts a text into pieces of `size` characters.
fn cut(text: &str, size: usize) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    chars
        .chunks(size)
        .map(|piece| piece.iter().collect())
        .collect()
}

fn streamed(answer: &Answer, size: usize) -> Vec<Value> {
    let mut deltas = vec![json!({"role": "assistant"})];
    let thoughts = cut(&answer.thoughts, size);
    deltas.extend(
        thoughts
            .iter()
            .map(|text| json!({"content": null, "reasoning_content": text})),
    );
    if let Some(words) = &answer.words {
        deltas.push(json!({"content": ""}));
        deltas.extend(cut(words, size).iter().map(|text| json!({"content": text})));
    }
    let refusal = cut(&answer.refusal, size);
    deltas.extend(refusal.iter().map(|text| json!({"refusal": text})));
    for (at, (name, arguments)) in answer.calls.iter().enumerate() {
        deltas.push(
            json!({"tool_calls": [{"index": at, "id": format!("call_{at}"),
            "type": "function", "function": {"name": name, "arguments": ""}}]}),
        );
        for piece in cut(arguments, size) {
            deltas.push(json!({"tool_calls": [{"index": at, "function": {"arguments": piece}}]}));
        }
    }
    let mut chunks: Vec<Value> = deltas.into_iter().map(chunk).collect();
    chunks.push(last("stop"));
    chunks
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_stream_folds_to_what_the_whole_reply_folds_to(answer in answer(), size in 1_usize..6) {
        asked("openai").both(&whole(&answer), &streamed(&answer, size));
    }
}
