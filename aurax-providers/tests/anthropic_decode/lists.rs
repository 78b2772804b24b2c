//! Lists of models and checks of keys.

use super::errors::refused;
use super::*;

#[test]
fn a_list_of_models_tells_what_they_take() {
    let wire = Anthropic::new();
    let yes = json!({"supported": true});
    let no = json!({"supported": false});
    let page = json!({"has_more": true, "first_id": "claude-a", "last_id": "claude-b", "data": [
        {"type": "model", "id": "claude-a", "display_name": "Claude A",
         "created_at": "2026-09-22T00:00:00Z", "max_input_tokens": 1_000_000, "max_tokens": 128_000,
         "lifecycle": "deprecated", "retires_at": "2027-01-31T00:00:00Z",
         "capabilities": {
            "image_input": yes, "pdf_input": no, "structured_outputs": yes,
            "effort": {"supported": true, "low": yes, "high": yes, "max": no},
            "thinking": {"supported": true, "types": {
                "adaptive": yes, "enabled": no, "disabled": no, "between_tools": yes}},
            "server_tools": {"supported": true, "web_search": yes, "code_execution": no}}},
        {"type": "model", "id": "claude-b", "created_at": "1970-01-01T00:00:00Z"},
    ]});
    let (models, next) = wire.read_models(page.to_string().as_bytes()).unwrap();
    assert_eq!(next.as_deref(), Some("claude-b"));
    let a = &models[0];
    assert_eq!(a.display_name.as_deref(), Some("Claude A"));
    assert_eq!(
        (a.context_window, a.max_output_tokens),
        (Some(1_000_000), Some(128_000))
    );
    assert_eq!(a.lifecycle, Lifecycle::Deprecated);
    assert_eq!(a.retires.as_deref(), Some("2027-01-31"));
    assert_eq!(a.created, Some(1_790_035_200));
    assert_eq!(
        (a.features.vision, a.features.pdf),
        (Some(true), Some(false))
    );
    assert_eq!(a.features.reasoning, Some(true));
    assert_eq!(a.features.web_search, Some(true));
    assert_eq!(
        (models[1].created, models[1].lifecycle),
        (None, Lifecycle::Active)
    );
    assert_eq!(models[1].features.vision, None);

    let rules = ModelRules::default().informed_by(a);
    assert!(rules.thinks_between_tools);
    assert_eq!(rules.efforts, [Effort::Low, Effort::High]);
    assert_eq!(rules.max_output_tokens, Some(128_000));

    // A page that does not say whether there is more is the last.
    for end in [
        json!({"data": [], "has_more": true, "last_id": "x"}),
        json!({"data": []}),
    ] {
        let (_, next) = wire.read_models(end.to_string().as_bytes()).unwrap();
        assert_eq!(next, None, "{end}");
    }
    assert_eq!(
        wire.read_models(b"{}").unwrap_err().kind(),
        ErrorKind::Decode
    );
}

#[test]
fn the_free_verbs_ask_for_the_current_version() {
    let wire = Anthropic::new();
    for (encoded, path) in [
        (wire.list_models(None), "/v1/models?limit=1000"),
        (
            wire.list_models(Some("claude b")),
            "/v1/models?limit=1000&after_id=claude%20b",
        ),
        (wire.verify_key(), "/v1/models?limit=1"),
    ] {
        let encoded = encoded.unwrap();
        assert_eq!(encoded.path, path);
        assert_eq!(encoded.headers[0].1, "2026-10-21");
        assert!(encoded.body.is_empty());
    }
    assert_eq!(wire.read_count(br#"{"input_tokens":42}"#).unwrap(), 42);
    assert_eq!(
        wire.read_count(b"{}").unwrap_err().kind(),
        ErrorKind::Decode
    );
    let error = refused(401, "authentication_error", "API key is invalid.", None);
    assert_eq!(wire.read_key_status(Err(&error)), KeyStatus::Invalid);
    assert_eq!(wire.read_key_status(Ok(b"{}")), KeyStatus::Valid);
}
