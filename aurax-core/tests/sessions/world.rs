//! Engines over one store, for one person among others.

use std::sync::{Arc, LazyLock};

use aurax_core::{
    Conversation, Engine, EngineBuilder, ModelId, PriceBook, Principal, SessionSettings,
    SessionStore, Sessions, new_id,
};

use crate::model::{Line, Model};

/// Models with prices, and windows of 600 tokens and none.
const PRICES: &str = r#"{"providers": {
    "acme": {"models": [
        {"id": "one", "context": 100000, "max_output": 1000, "prices": [{"usd": {"input": "1", "output": "10"}}]},
        {"id": "two", "prices": [{"usd": {"input": "2", "output": "20"}}]},
        {"id": "small", "context": 600, "max_output": 100, "prices": [{"usd": {"input": "1", "output": "2"}}]}]},
    "beta": {"models": [
        {"id": "one", "context": 100000, "max_output": 1000, "prices": [{"usd": {"input": "1", "output": "10"}}]}]}}}"#;

/// What a case is played in.
pub(crate) struct World {
    /// Begins an engine that keeps everything in the store.
    pub(crate) builder: Box<dyn Fn() -> EngineBuilder + Send + Sync>,
    pub(crate) store: Arc<dyn SessionStore>,
    pub(crate) me: Principal,
    pub(crate) other: Principal,
}

impl World {
    /// A world over a store, for two people it knows nothing of yet.
    pub(crate) fn new(
        builder: impl Fn() -> EngineBuilder + Send + Sync + 'static,
        store: Arc<dyn SessionStore>,
    ) -> Self {
        Self {
            builder: Box::new(builder),
            store,
            me: Principal::new(new_id().to_string()),
            other: Principal::new(new_id().to_string()),
        }
    }

    /// An engine over these models; the first is asked unless another is named.
    pub(crate) fn engine(&self, models: &[&Model]) -> Engine {
        static BOOK: LazyLock<Arc<PriceBook>> =
            LazyLock::new(|| Arc::new(PriceBook::builtin().with_overlay(PRICES).unwrap()));
        let default = ModelId::parse("acme/one").unwrap();
        let mut builder = (self.builder)().prices(BOOK.clone()).default_model(default);
        for model in models {
            builder = builder.provider((*model).clone());
        }
        builder.build().unwrap()
    }

    pub(crate) fn sessions(&self, model: &Model) -> Sessions {
        self.engine(&[model]).sessions(self.me.clone()).unwrap()
    }

    /// A new session with a model that has these lines.
    pub(crate) async fn chat(
        &self,
        lines: impl IntoIterator<Item = Line>,
    ) -> (Conversation, Model) {
        let model = Model::new("acme", lines);
        let sessions = self.sessions(&model);
        let chat = sessions.create(SessionSettings::default()).await.unwrap();
        (chat, model)
    }
}

/// Waits for what a store does by itself once a reply is dropped.
pub(crate) async fn free(world: &World, chat: &Conversation) {
    let id = chat.record().await.unwrap().id;
    for _ in 0..1_000 {
        // Adds nothing, which is refused all the same while a run has the session.
        match world.store.add(&world.me, id, &[]).await {
            Ok(()) => return,
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
        }
    }
    panic!("the session is still held");
}

/// The words of the branch in use.
pub(crate) async fn said(chat: &Conversation) -> Vec<String> {
    let turns = chat.history(1_000).await.unwrap();
    turns.iter().map(|turn| turn.message.text()).collect()
}
