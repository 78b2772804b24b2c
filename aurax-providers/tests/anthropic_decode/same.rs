//! Whole and streamed, an answer is the same.

use super::*;

/// Pieces of a text, cut between characters.
fn pieces(text: &str, size: usize) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters
        .chunks(size.max(1))
        .map(|piece| piece.iter().collect())
        .collect()
}

/// A block as it stands in a whole answer, and the frames it is streamed in.
fn block() -> impl Strategy<Value = (Value, Vec<Value>)> {
    let words = "[a-zß🌊\"\\\\ \n]{0,12}";
    let start = |frame: Value, deltas: Vec<Value>| {
        let deltas = deltas.iter().map(|d| delta(0, d));
        let frames = std::iter::once(open(0, &frame)).chain(deltas);
        frames.chain([close(0)]).collect::<Vec<Value>>()
    };
    prop_oneof![
        (words, 1_usize..4).prop_map(move |(text, size)| {
            let deltas = pieces(&text, size);
            let deltas = deltas.iter().map(|t| json!({"type": "text_delta", "text": t}));
            let frames = start(json!({"type": "text", "text": ""}), deltas.collect());
            (json!({"type": "text", "text": text}), frames)
        }),
        (words, "[A-Za-z]{1,6}", 1_usize..4).prop_map(move |(text, proof, size)| {
            let block = |text: &str, proof: &str| {
                json!({"type": "thinking", "thinking": text, "signature": proof})
            };
            let deltas = pieces(&text, size);
            let deltas = deltas.iter().map(|t| json!({"type": "thinking_delta", "thinking": t}));
            let proof_delta = json!({"type": "signature_delta", "signature": proof});
            let frames = start(block("", ""), deltas.chain([proof_delta]).collect());
            (block(&text, &proof), frames)
        }),
        (words, 1_usize..4, any::<bool>()).prop_map(move |(text, size, server)| {
            let kind = if server { "server_tool_use" } else { "tool_use" };
            let input = json!({"w": text, "n": [1, null]});
            let block = |input: &Value| json!({"type": kind, "id": "t", "name": "now", "input": input});
            let deltas = pieces(&input.to_string(), size);
            let deltas = deltas.iter().map(|t| json!({"type": "input_json_delta", "partial_json": t}));
            let frames = start(block(&json!({})), deltas.collect());
            (block(&input), frames)
        }),
        words.prop_map(move |data| {
            let block = json!({"type": "redacted_thinking", "data": data});
            (block.clone(), start(block, vec![]))
        }),
    ]
}

proptest! {
    /// A streamed answer folds to what the same answer in one body folds to.
    #[test]
    fn streamed_or_whole_the_answer_is_the_same(
        blocks in prop::collection::vec(block(), 0..5),
        chunk in 1_usize..64,
    ) {
        let mut content = Vec::new();
        let mut frames = Vec::new();
        for (index, (block, streamed)) in blocks.into_iter().enumerate() {
            content.push(block);
            frames.extend(streamed.into_iter().map(|mut frame| {
                frame["index"] = json!(index);
                frame
            }));
        }
        let expected = whole(&message(&json!(content), "end_turn", &usage())).complete();
        let streamed = sse(&framed(&frames, "end_turn"));
        prop_assert_eq!(bytes(streamed.as_bytes(), chunk).complete(), expected);
    }
}
