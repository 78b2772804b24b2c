//! Which model is asked, and with whose key.

use std::sync::Arc;

use aurax::providers::presets;
use aurax::{Credential, ModelId, SessionSettings};

use super::Talk;
use crate::cli::exit::Done;
use crate::cli::shell::all;
use crate::config::is_demo;

/// Whom a turn asks.
pub(super) struct Asked {
    /// The model, as it is asked for.
    pub(super) model: ModelId,
    /// The principal's own key, and for whom.
    pub(super) credential: Option<(Arc<str>, Credential)>,
}

pub(super) async fn asked(talk: &Talk<'_>) -> Done<Asked> {
    let session = match &talk.conversation {
        Some(conversation) => conversation.record().await?.settings,
        None => SessionSettings::default(),
    };
    let mut own = SessionSettings::default();
    own.model.clone_from(&talk.chat.model);
    if own.model.is_none() && session.model.is_none() && session.provider.is_none() {
        own.model = Some(named(talk).await?);
    }
    let model = talk.boot.engine.model_for(&own, &session)?;
    let (provider, _) = talk.boot.engine.resolve(model.as_str())?;
    let keys = talk.boot.store.user(&talk.principal).provider_keys();
    let key_name = session.key_name.as_deref();
    let credential = keys
        .credential(&talk.boot.vault, &provider.name, key_name)
        .await?;
    let credential = credential.map(|credential| (provider.name, credential));
    Ok(Asked { model, credential })
}

/// The model that is named, else the default.
pub(super) async fn named(talk: &Talk<'_>) -> Done<String> {
    if let Some(model) = &talk.chat.model {
        return Ok(model.clone());
    }
    let default = talk.boot.engine.default_model().map(str::to_owned);
    let is_chosen = default.as_ref().is_ok_and(|model| !is_demo(model));
    if !is_chosen
        && talk.boot.config.model.is_none()
        && let Some(model) = of_stored_keys(talk).await?
    {
        return Ok(model);
    }
    Ok(default?)
}

/// A small model of the first provider that the principal has a key of.
async fn of_stored_keys(talk: &Talk<'_>) -> Done<Option<String>> {
    let keys = talk.boot.store.user(&talk.principal).provider_keys();
    let keys = all(1_000, |page| {
        let keys = keys.clone();
        async move { keys.list(None, &page).await }
    })
    .await?;
    let has = |name: &str| keys.iter().any(|key| key.is_active && key.provider == name);
    let preset = presets::all()
        .iter()
        .find(|preset| preset.default_model.is_some() && has(preset.name));
    Ok(preset.and_then(|preset| {
        let model = preset.default_model?;
        Some(format!("{}/{model}", preset.name))
    }))
}
