//! The list of models, and counts.

use aurax_core::ModelInfo;
use aurax_providers::anthropic::{ModelPage, write_count, write_model, write_models};
use serde_json::{Value, json};

fn list(page: ModelPage<'_>) -> Value {
    let models: Vec<ModelInfo> = ["a", "b", "c"].map(ModelInfo::new).to_vec();
    serde_json::from_slice(&write_models(&models, page)).unwrap()
}

fn ids(list: &Value) -> Vec<&str> {
    let data = list["data"].as_array().unwrap();
    data.iter()
        .map(|model| model["id"].as_str().unwrap())
        .collect()
}

#[test]
fn a_model_has_its_fields() {
    let mut info = ModelInfo::new("a");
    info.created = Some(1_700_000_000);
    info.display_name = Some("A".into());
    let model: Value = serde_json::from_slice(&write_model(&info)).unwrap();
    assert_eq!(
        model,
        json!({"type": "model", "id": "a", "display_name": "A",
            "created_at": "2023-11-14T22:13:20Z"})
    );
}

#[test]
fn pages_end_and_say_so() {
    let all = list(ModelPage::default());
    assert_eq!(ids(&all), ["a", "b", "c"]);
    assert_eq!(all["has_more"], false);
    assert_eq!(
        (&all["first_id"], &all["last_id"]),
        (&json!("a"), &json!("c"))
    );

    let first = list(ModelPage::new(Some(2)));
    assert_eq!(
        (ids(&first), &first["has_more"]),
        (vec!["a", "b"], &json!(true))
    );
    let second = list(ModelPage::new(Some(2)).with_after(Some("b")));
    assert_eq!(
        (ids(&second), &second["has_more"]),
        (vec!["c"], &json!(false))
    );
    let back = list(ModelPage::new(Some(1)).with_before(Some("c")));
    assert_eq!((ids(&back), &back["has_more"]), (vec!["b"], &json!(true)));
    let none = list(ModelPage::new(Some(2)).with_after(Some("c")));
    assert_eq!(
        (&none["has_more"], &none["last_id"]),
        (&json!(false), &Value::Null)
    );
}

#[test]
fn a_count_is_a_number() {
    assert_eq!(&write_count(7)[..], br#"{"input_tokens":7}"#);
}
