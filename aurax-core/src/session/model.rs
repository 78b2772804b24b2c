//! Which model a session asks.

use super::SessionSettings;
use crate::engine::Engine;
use crate::error::Result;
use crate::model::ModelId;

/// The model to ask for a send's own settings in a session of these.
pub(crate) fn model_for(
    engine: &Engine,
    own: &SessionSettings,
    session: &SessionSettings,
) -> Result<ModelId> {
    let under = |provider: Option<&String>, model: &str| match provider {
        Some(provider) => ModelId::parse(&format!("{provider}/{model}")),
        None => ModelId::parse(model),
    };
    let bare = |provider: &str, model: &str| {
        let stem = model.strip_prefix(provider);
        let stem = stem.and_then(|rest| rest.strip_prefix('/'));
        stem.unwrap_or(model).to_owned()
    };
    match (&own.provider, &own.model) {
        (Some(provider), model) => {
            let model = model.as_ref().or(session.model.as_ref());
            let model = model.map_or_else(|| engine.default_model(), |model| Ok(model))?;
            under(Some(provider), &bare(provider, model))
        }
        // Another model may be another provider's: that is for its name to say.
        (None, Some(model)) => {
            let names_one = model
                .split_once('/')
                .is_some_and(|(first, _)| engine.provider(first).is_ok());
            let provider = session.provider.as_ref().filter(|_| !names_one);
            under(provider, model)
        }
        (None, None) => match (&session.provider, &session.model) {
            (Some(provider), Some(model)) => under(Some(provider), &bare(provider, model)),
            (Some(provider), None) => {
                under(Some(provider), &bare(provider, engine.default_model()?))
            }
            (None, Some(model)) => under(None, model),
            (None, None) => under(None, engine.default_model()?),
        },
    }
}
