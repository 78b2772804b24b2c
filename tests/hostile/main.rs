//! Every way an upstream can go wrong, over real sockets, through the whole engine: the same words
//! or the right error, one attempt, one settlement, and nothing in between.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod expect;
mod leaving;
mod memory;
mod table;
mod world;

use aurax::providers::hostile::Dialect;

macro_rules! wires {
    ($($name:ident: $dialect:ident,)*) => {
        $(mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread")]
            async fn whole() {
                table::run(Dialect::$dialect, false).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn streamed() {
                table::run(Dialect::$dialect, true).await;
            }
        })*
    };
}

wires! {
    chat: Chat,
    responses: Responses,
    messages: Messages,
    gemini: Gemini,
    ollama: Ollama,
}
