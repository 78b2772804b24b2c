//! Titles of sessions.

use std::future::IntoFuture;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::branch::refuse;
use super::words::cut;
use super::{Conversation, Page, SessionChange};
use crate::call::Call;
use crate::chat::{Message, Request, Role};
use crate::ctx::Ctx;
use crate::error::Result;
use crate::model::ModelId;
use crate::provider::Provider as _;

/// The most characters of a title that nobody set by hand.
const LONGEST: usize = 80;
/// How much of what was said a model is shown for a title.
const SHOWN: usize = 2_000;
/// Models that think need some room before they answer.
const LIMIT: u32 = 512;
const ASK: &str = "Name this conversation in at most six words, in its own language. Answer with \
                   the name alone: no quotes, no full stop.";

/// Gives a session a title where it has none; awaiting it gives the title, `None` where nothing was
/// said yet.
///
/// A title is made once: by the model of [`EngineBuilder::title_model`] or one set here, else of
/// the first words of the first message, at most 80 characters. Where the model fails, the first
/// words are taken. A title set by hand is never replaced.
///
/// The model's call is metered like any other, with the tag `purpose` = `title`.
///
/// [`EngineBuilder::title_model`]: crate::EngineBuilder::title_model
#[derive(Debug)]
#[must_use = "nothing happens until this is awaited"]
pub struct TitleRequest {
    conversation: Conversation,
    model: Option<String>,
    ctx: Option<Ctx>,
}

impl TitleRequest {
    pub(super) const fn new(conversation: Conversation) -> Self {
        Self {
            conversation,
            model: None,
            ctx: None,
        }
    }

    /// Asks this model, a cheap one.
    pub fn model(mut self, name: impl Into<String>) -> Self {
        self.model = Some(name.into());
        self
    }

    /// Makes the call with this; it is for the session's principal.
    pub fn ctx(mut self, ctx: Ctx) -> Self {
        self.ctx = Some(ctx);
        self
    }

    async fn make(self) -> Result<Option<String>> {
        let chat = &self.conversation;
        if let Some(ctx) = &self.ctx
            && *ctx.principal() != chat.principal
        {
            return Err(refuse(
                "the call's context is for another principal than the session's",
            ));
        }
        if let Some(title) = chat.record().await?.title {
            return Ok(Some(title));
        }
        let Some((question, answer)) = chat.beginning().await? else {
            return Ok(None);
        };
        let model = match &self.model {
            Some(name) => Some(ModelId::parse(name)?),
            None => chat.engine.title_model().cloned(),
        };
        let named = match model {
            Some(model) => self.ask(model, &question, &answer).await,
            None => None,
        };
        let Some(title) = named.or_else(|| plain(&question)) else {
            return Ok(None);
        };
        let session = chat.change(&SessionChange::first_title(title)).await?;
        Ok(session.title)
    }

    /// The model's title; `None` where it has none.
    async fn ask(&self, model: ModelId, question: &str, answer: &str) -> Option<String> {
        let chat = &self.conversation;
        let ctx = self.ctx.clone();
        let ctx = ctx.unwrap_or_else(|| Ctx::new(chat.principal.clone()));
        let ctx = ctx.with_tag("purpose", "title");
        let said = format!("{}\n\n{}", cut(question, SHOWN), cut(answer, SHOWN));
        let request =
            Request::new([Message::system(ASK), Message::user(said)]).with_max_output_tokens(LIMIT);
        let answered = async {
            let reply = chat.engine.call(&ctx, &Call::chat(model, request)).await?;
            reply.collect().await
        };
        match answered.await {
            Ok(response) => plain(
                response
                    .text()
                    .trim()
                    .trim_matches(['"', '\'', '“', '”', '*']),
            ),
            Err(error) => {
                tracing::debug!(%error, "no title was made; the first words are taken");
                None
            }
        }
    }
}

impl IntoFuture for TitleRequest {
    type Output = Result<Option<String>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    /// # Cancel safety
    /// Dropping the future stops the call, which is settled; the session may or may not have got
    /// its title.
    fn into_future(self) -> Self::IntoFuture {
        self.make().boxed()
    }
}

impl Conversation {
    /// The words of the first message, and of its answer.
    async fn beginning(&self) -> Result<Option<(String, String)>> {
        let first = self.turns(&Page::first().with_limit(20)).await?.data;
        let mut said = first.iter().filter_map(|turn| {
            let text = turn.message.text();
            (!text.trim().is_empty()).then_some((turn.message.role, text))
        });
        let question = said.find(|(role, _)| *role == Role::User);
        let answer = said.find(|(role, _)| *role == Role::Assistant);
        Ok(question.map(|(_, question)| {
            let answer = answer.map(|(_, answer)| answer).unwrap_or_default();
            (question, answer)
        }))
    }
}

/// The first words of a text, on one line; `None` where it has none.
fn plain(text: &str) -> Option<String> {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .take(LONGEST)
        .collect();
    let line = words.join(" ");
    Some(cut(&line, LONGEST).to_owned()).filter(|title| !title.is_empty())
}
