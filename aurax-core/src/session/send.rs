//! What is said in a session, before it is sent.

use std::future::IntoFuture;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::branch::{Reader, Wish, refuse};
use super::fit::ContextPolicy;
use super::lease::no_session;
use super::reply::{Answer, SessionReply};
use super::run::{Run, Setup};
use super::tools::{ToolRunner, Toolbox};
use super::{Conversation, SessionSettings};
use crate::chat::{Message, Request, Tool};
use crate::ctx::Ctx;
use crate::error::Result;
use crate::reply::Delivery;

/// Something to be said in a session, or answered once more.
///
/// Awaiting it gives the whole [`Answer`]; [`SendRequest::stream`] gives it as it comes. Nothing
/// happens before. What is not set here is as the session's settings say.
///
/// The person's message is durable once the call is announced, before the provider hears of it;
/// the model's before the end of the answer is seen. While this runs, another send to the session
/// fails with `SessionBusy`. A call that fails without an answer leaves the session with the
/// person's message as its end; [`Conversation::regenerate`] tries again.
///
/// Answers of a session never come from the response cache.
#[derive(Debug)]
#[must_use = "nothing is sent until this is awaited"]
pub struct SendRequest {
    conversation: Conversation,
    wish: Wish,
    settings: SessionSettings,
    base: Request,
    ctx: Option<Ctx>,
    policy: ContextPolicy,
    toolbox: Toolbox,
    max_steps: u32,
    at_a_time: usize,
}

impl SendRequest {
    pub(super) fn new(conversation: Conversation, wish: Wish) -> Self {
        Self {
            conversation,
            wish,
            settings: SessionSettings::default(),
            base: Request::default(),
            ctx: None,
            policy: ContextPolicy::default(),
            toolbox: Toolbox::default(),
            max_steps: 8,
            at_a_time: 8,
        }
    }

    /// Asks this provider, for the model that is named without one.
    pub fn provider(mut self, name: impl Into<String>) -> Self {
        self.settings.provider = Some(name.into());
        self
    }

    /// Asks this model.
    pub fn model(mut self, name: impl Into<String>) -> Self {
        self.settings.model = Some(name.into());
        self
    }

    /// Puts these instructions before the conversation in place of the session's.
    pub fn system(mut self, words: impl Into<String>) -> Self {
        self.settings.system = Some(words.into());
        self
    }

    /// Sets the randomness.
    pub const fn temperature(mut self, temperature: f64) -> Self {
        self.settings.temperature = Some(temperature);
        self
    }

    /// Limits the tokens to generate, for each call.
    pub const fn max_output_tokens(mut self, tokens: u32) -> Self {
        self.settings.max_output_tokens = Some(tokens);
        self
    }

    /// Takes all settings from here; those that are `None` stay the session's.
    pub fn settings(mut self, settings: SessionSettings) -> Self {
        self.settings = settings;
        self
    }

    /// Takes everything but the conversation from here: format, thinking, sampling, tools that the
    /// caller runs, fields of the provider's own. It has no messages.
    pub fn request(mut self, request: Request) -> Self {
        self.base = request;
        self
    }

    /// Makes the call with this: a deadline, a key, tags, fallback models, the most it may cost. It
    /// is for the session's principal.
    ///
    /// [`Ctx::with_max_cost`] is for all calls together where tools are run. The calls after the
    /// first have request ids of their own and no idempotency key.
    pub fn ctx(mut self, ctx: Ctx) -> Self {
        self.ctx = Some(ctx);
        self
    }

    /// Says what becomes of a conversation that is too long; [`ContextPolicy::DropOldest`] unless
    /// set.
    pub const fn context(mut self, policy: ContextPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Offers a tool, and runs it when the model asks for it.
    pub fn tool(self, tool: impl Into<Tool>, runner: impl ToolRunner) -> Self {
        self.tools([tool.into()], runner)
    }

    /// Offers tools, and runs them when the model asks for them: those of one answer at the same
    /// time. The model is told the results in the order of its calls, failures too, and asked to
    /// go on.
    pub fn tools<T: Into<Tool>>(
        mut self,
        tools: impl IntoIterator<Item = T>,
        runner: impl ToolRunner,
    ) -> Self {
        let runner: Arc<dyn ToolRunner> = Arc::new(runner);
        self.toolbox.add(tools.into_iter().map(Into::into), &runner);
        self
    }

    /// How many calls of the model the answer may take where tools are run; 8 unless set, and
    /// never none. When the last of them asks for tools again, the answer fails with `TooManySteps`, and
    /// what was said is kept.
    pub const fn max_steps(mut self, calls: u32) -> Self {
        self.max_steps = if calls == 0 { 1 } else { calls };
        self
    }

    /// How many tools of one answer run at a time; 8 unless set.
    pub const fn parallel_tools(mut self, tools: usize) -> Self {
        self.at_a_time = tools;
        self
    }

    /// Sends it and gives the answer as it comes.
    ///
    /// # Errors
    /// What the first call fails with before it answers. Before anything is sent: `SessionBusy`
    /// while the session answers something else, `NotFound` for a session or turn that is not
    /// there, `ContextLength` for a conversation that does not fit, `InvalidRequest` for something
    /// that cannot be said here, `Budget` where it may cost too much.
    ///
    /// # Cancel safety
    /// Dropping the future or the reply stops the call. Once it was announced the person's message
    /// stays, with what had arrived of the answer; the session is free again.
    pub async fn stream(self) -> Result<SessionReply> {
        Ok(SessionReply::new(self.begin(Delivery::Streamed).await?))
    }

    async fn begin(self, delivery: Delivery) -> Result<Run> {
        let Conversation {
            engine,
            store,
            principal,
            id,
        } = self.conversation;
        let ctx = self.ctx.unwrap_or_else(|| Ctx::new(principal.clone()));
        if *ctx.principal() != principal {
            return Err(refuse(
                "the call's context is for another principal than the session's",
            ));
        }
        if !self.base.messages.is_empty() {
            return Err(refuse(
                "the request has messages, which are the session's to add",
            ));
        }
        let running = engine.runs().enter(&principal, id)?;
        let session = store.session(&principal, id).await?;
        let session = session.ok_or_else(|| no_session(id))?;
        let model = engine.model_for(&self.settings, &session.settings)?;
        let reader = Reader {
            store: &*store,
            principal: &principal,
            id,
        };
        let branch = reader.branch(&session, self.wish).await?;
        let offered = self.base.tools.clone();
        let mut base = settle(self.base, self.settings, session.settings)
            .with_stream(delivery == Delivery::Streamed);
        base.tools.extend(self.toolbox.tools.iter().cloned());
        let setup = Setup {
            engine,
            session_id: id,
            model,
            base,
            policy: self.policy,
            toolbox: self.toolbox,
            offered,
            max_steps: self.max_steps,
            at_a_time: self.at_a_time,
        };
        Run::begin(setup, ctx, running, branch).await
    }
}

impl IntoFuture for SendRequest {
    type Output = Result<Answer>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        async move {
            SessionReply::new(self.begin(Delivery::Whole).await?)
                .collect()
                .await
        }
        .boxed()
    }
}

/// The request's own settings, else the send's, else the session's.
fn settle(mut base: Request, own: SessionSettings, session: SessionSettings) -> Request {
    let sampling = &mut base.sampling;
    sampling.temperature = own
        .temperature
        .or(sampling.temperature)
        .or(session.temperature);
    base.max_output_tokens = own
        .max_output_tokens
        .or(base.max_output_tokens)
        .or(session.max_output_tokens);
    match own.system.or(session.system) {
        Some(system) if !system.trim().is_empty() => base.with_message(Message::system(system)),
        _ => base,
    }
}
