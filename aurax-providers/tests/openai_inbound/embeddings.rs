//! Embeddings and the list of models.

use aurax_core::{
    Delivery, EmbedInput, EmbedRequest, Embedding, End, ErrorKind, Event, Fold, Head, ModelId,
    ModelInfo, Op, Result, Totals, Usage,
};
use aurax_providers::inbound::{Inbound, Incoming, Stamp};
use aurax_providers::openai::{EmbeddingsInbound, write_model, write_models};
use serde_json::{Value, json};

fn read(body: &Value) -> Result<Incoming> {
    EmbeddingsInbound::new().read(body.to_string().as_bytes())
}

fn request(body: &Value) -> EmbedRequest {
    match read(body).unwrap().call.op {
        Op::Embed(request) => (*request).clone(),
        _ => panic!("not an embedding"),
    }
}

#[test]
fn texts_and_tokens_come_one_or_many() {
    for (input, expected) in [
        (json!("a"), vec![EmbedInput::from("a")]),
        (json!(["a", "b"]), vec!["a".into(), "b".into()]),
        (json!([1, 2]), vec![EmbedInput::Tokens(vec![1, 2])]),
        (
            json!([[1], [2, 3]]),
            vec![EmbedInput::Tokens(vec![1]), EmbedInput::Tokens(vec![2, 3])],
        ),
    ] {
        let body = json!({"model": "m", "input": input, "dimensions": 3, "user": "u", "x": 1});
        let read = request(&body);
        assert_eq!(read.input, expected);
        assert_eq!(
            (read.dimensions, read.user.as_deref()),
            (Some(3), Some("u"))
        );
        assert_eq!(read.extra.wire.as_deref(), Some(super::OWN));
        assert_eq!(Value::Object(read.extra.fields), json!({"x": 1}));
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (body, param) in [
        (json!({"model": "m"}), "input"),
        (json!({"model": "m", "input": []}), "input"),
        (json!({"model": "m", "input": [1, "a"]}), "input"),
        (json!({"model": "m", "input": [[-1]]}), "input"),
        (json!({"model": "m", "input": vec!["a"; 2049]}), "input"),
        (
            json!({"model": "m", "input": "a", "encoding_format": "hex"}),
            "encoding_format",
        ),
        (json!({"input": "a"}), "model"),
    ] {
        let error = read(&body).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert_eq!(error.context("param"), Some(param), "{body}");
    }
}

fn answer(body: &Value) -> Value {
    let head = Head::new("x", "p", ModelId::parse("m").unwrap(), Delivery::Whole);
    let mut fold = Fold::from_head(&head);
    fold.push(&Event::Embedding(Embedding::new(0, vec![1.5, -2.0])));
    let mut totals = Totals::default();
    totals.input = Some(3);
    let usage = Usage::from_totals(totals);
    fold.push(&Event::End(Box::new(End::new(Vec::new(), Some(usage)))));
    let codec = EmbeddingsInbound::new();
    let mut writer = codec.writer(&read(body).unwrap(), &head, Stamp::new("r", 1));
    serde_json::from_slice(&writer.whole(&fold.finish())).unwrap()
}

#[test]
fn vectors_go_back_as_numbers_or_base64() {
    let reply = |embedding: Value| {
        json!({"object": "list",
            "data": [{"object": "embedding", "index": 0, "embedding": embedding}],
            "model": "m", "usage": {"prompt_tokens": 3, "total_tokens": 3}})
    };
    let plain = json!({"model": "m", "input": "a"});
    assert_eq!(answer(&plain), reply(json!([1.5, -2.0])));
    // 1.5 and -2.0 as little-endian floats: 00 00 c0 3f 00 00 00 c0.
    let base64 = json!({"model": "m", "input": "a", "encoding_format": "base64"});
    assert_eq!(answer(&base64), reply(json!("AADAPwAAAMA=")));
}

#[test]
fn models_are_listed() {
    let mut model = ModelInfo::new("a/b");
    model.created = Some(7);
    model.owned_by = Some("ann".into());
    let one = json!({"id": "a/b", "object": "model", "created": 7, "owned_by": "ann"});
    let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
    assert_eq!(read(&write_model(&model)), one);
    assert_eq!(
        read(&write_models(&[model])),
        json!({"object": "list", "data": [one]})
    );
}
