//! What holds of any bytes: the laws that the fuzz targets check.

mod frames;
mod reply;
mod request;
mod signatures;

use aurax_core::ModelId;
use aurax_providers::ModelRules;
use aurax_providers::wire::Target;

pub use frames::frames;
pub use reply::{reply, vectors};
pub use request::request;
pub use signatures::signatures;

fn target(model: ModelId) -> Target {
    Target {
        provider: "fuzz".into(),
        model,
        rules: ModelRules::default(),
        info: None,
    }
}

fn model() -> ModelId {
    ModelId::parse("model").expect("a plain name")
}
