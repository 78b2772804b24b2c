//! Whether an Ollama listens, and with what.

use std::time::Duration;

use aurax::providers::HttpProvider;
use aurax::{Ctx, Provider as _};

/// How long it may take to say what it has: it is on this machine, or near.
const PATIENCE: Duration = Duration::from_millis(300);

/// Parts of the names of models that give vectors and not words.
const NO_CHAT: [&str; 5] = ["embed", "bge-", "minilm", "paraphrase", "rerank"];

/// The first model for chats that an Ollama has; `None` where none listens.
pub(super) async fn first_model(ollama: &HttpProvider) -> Option<String> {
    let ctx = Ctx::local();
    let asked = tokio::time::timeout(PATIENCE, ollama.catalog().models(&ctx));
    match asked.await {
        Ok(Ok(models)) => {
            let mut names = models.into_iter().map(|model| model.id);
            names.find(|name| !NO_CHAT.iter().any(|part| name.contains(part)))
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, "no Ollama");
            None
        }
        Err(_) => {
            tracing::debug!("no Ollama answers in time");
            None
        }
    }
}
