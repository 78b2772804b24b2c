//! The list of models (<https://platform.openai.com/docs/api-reference/models>).

use aurax_core::ModelInfo;
use bytes::Bytes;
use serde::Serialize;

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Model<'a>>,
}

#[derive(Serialize)]
struct Model<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    owned_by: &'a str,
}

impl<'a> From<&'a ModelInfo> for Model<'a> {
    fn from(info: &'a ModelInfo) -> Self {
        Self {
            id: &info.id,
            object: "model",
            created: info.created.unwrap_or_default(),
            owned_by: info.owned_by.as_deref().unwrap_or("system"),
        }
    }
}

/// The body of `GET /v1/models`; the list has no pages.
pub fn write_models(models: &[ModelInfo]) -> Bytes {
    json(&List {
        object: "list",
        data: models.iter().map(Model::from).collect(),
    })
}

/// The body of `GET /v1/models/{id}`.
pub fn write_model(model: &ModelInfo) -> Bytes {
    json(&Model::from(model))
}

fn json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}
