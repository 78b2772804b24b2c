//! Every way an upstream can go wrong, through the whole server: whole, as events and over
//! WebSocket. The client learns what happened, the books say it once, and nothing is held.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "../support/mod.rs"]
mod support;

mod books;
mod expect;
mod table;
mod world;

use aurax::providers::hostile::Dialect;
use table::Door;

macro_rules! doors {
    ($($name:ident: $dialect:ident,)*) => {
        $(mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread")]
            async fn whole() {
                table::run(Dialect::$dialect, Door::Whole).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn events() {
                table::run(Dialect::$dialect, Door::Events).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn socket() {
                table::run(Dialect::$dialect, Door::Socket).await;
            }
        })*
    };
}

doors! {
    chat: Chat,
    responses: Responses,
    messages: Messages,
    gemini: Gemini,
    ollama: Ollama,
}

mod giants {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn whole() {
        table::giants(Dialect::Chat, Door::Whole).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn events() {
        table::giants(Dialect::Chat, Door::Events).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn socket() {
        table::giants(Dialect::Chat, Door::Socket).await;
    }
}
