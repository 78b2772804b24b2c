//! What a message is checked for is what is asked.

use std::net::Ipv4Addr;
use std::sync::Arc;

use aurax::providers::Demo;
use aurax::store::{KeyRing, LedgerOptions, NewAccessKey, NewUser, Store, Vault};
use aurax::{Engine, ModelId, RequestId};

use super::*;
use crate::StateParts;
use crate::auth::{SigningKeys, Via};
use crate::config::Config;

async fn state() -> State {
    let store = Store::in_memory().await.unwrap();
    store.ledger(LedgerOptions::default()).unwrap();
    let engine = Engine::builder()
        .provider(Demo::new())
        .default_model(ModelId::parse("demo/echo").unwrap())
        .store(store.clone())
        .build()
        .unwrap();
    let vault = Vault::new(KeyRing::generate().unwrap());
    let keys = SigningKeys::generate().unwrap();
    State::new(StateParts::new(Config::new(), engine, store, vault, keys)).unwrap()
}

/// Whoever comes with an access key for these models.
async fn caller(state: &State, models: &[&str]) -> Caller {
    let user = NewUser::new("ada@example.com");
    let user = state.store().admin().add_user(user).await.unwrap();
    let scope = state
        .store()
        .user(&aurax::Principal::new(user.id.to_string()));
    let mut key = NewAccessKey::new("program");
    key.models = Some(models.iter().map(|model| (*model).to_owned()).collect());
    let (key, secret) = scope.access_keys().add(key).await.unwrap();
    let plan = Arc::new(scope.plan().await.unwrap());
    let (key, secret) = (Arc::new(key), Arc::new(secret));
    Caller::new(Arc::new(user), plan, Via::AccessKey { key, secret })
}

fn message(own: &serde_json::Value) -> NewMessage {
    let mut message = serde_json::json!({"content": "Hi"});
    for (name, value) in own.as_object().unwrap() {
        message[name] = value.clone();
    }
    serde_json::from_value(message).unwrap()
}

/// Who names the model and who checks it see one session; who asks it sees another, where somebody
/// changes its settings in between.
#[tokio::test]
async fn a_session_that_changes_meanwhile_asks_no_other_model() {
    let state = state().await;
    let caller = caller(&state, &["demo/echo"]).await;
    let id = RequestId::new();
    let seen = Seen {
        request_id: id,
        shown_id: id.to_string(),
        ip: Ipv4Addr::LOCALHOST.into(),
        cut: aurax::CancellationToken::new(),
    };
    let settings = |provider: Option<&str>, model: &str| {
        let mut settings = SessionSettings::default();
        settings.provider = provider.map(str::to_owned);
        settings.model = Some(model.to_owned());
        settings
    };
    for (first, then, own) in [
        (
            settings(None, "demo/echo"),
            settings(None, "demo/other"),
            serde_json::json!({}),
        ),
        (
            settings(Some("demo"), "echo"),
            settings(Some("nobody"), "other"),
            serde_json::json!({}),
        ),
        (
            settings(Some("demo"), "other"),
            settings(Some("nobody"), "other"),
            serde_json::json!({"model": "echo"}),
        ),
        (
            settings(None, "other"),
            settings(Some("nobody"), "other"),
            serde_json::json!({"provider": "demo", "model": "echo"}),
        ),
    ] {
        let chat = sessions(&state, &caller)
            .unwrap()
            .create(first.clone())
            .await
            .unwrap();
        let said = say(&state, &caller, &seen, chat.id(), message(&own)).await;
        let exchange = said.unwrap();
        chat.set(then.clone()).await.unwrap();
        let answer = exchange.send.await.unwrap();
        let asked = answer.turns.last().unwrap();
        assert_eq!(
            (asked.provider.as_deref(), asked.model.as_deref()),
            (Some("demo"), Some("echo")),
            "{first:?} {then:?} {own}"
        );
        // What the key may not use is refused, not asked: as the session is from now on.
        let refused = say(
            &state,
            &caller,
            &seen,
            chat.id(),
            message(&serde_json::json!({})),
        );
        assert!(refused.await.is_err(), "{then:?}");
        // The session's own settings are what they were set to.
        assert_eq!(chat.record().await.unwrap().settings, then);
    }
    state.store().close().await;
}
