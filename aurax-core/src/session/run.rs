//! One question and everything until its answer: model calls, and tools in between.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::StreamExt as _;
use uuid::Uuid;

use super::fit::{ContextPolicy, Fitting};
use super::lease::{Leased, Running};
use super::tools::Toolbox;
use super::transcript::messages;
use super::{Lease, SessionEvent, Step, Turn};
use crate::call::Call;
use crate::chat::{Fold, Message, Request, Response, Tool, ToolCall};
use crate::ctx::Ctx;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::id::new_id;
use crate::model::ModelId;
use crate::money::Money;
use crate::provider::Provider as _;
use crate::reply::{Reply, truncated};

/// What stays the same through a run.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) engine: Engine,
    pub(super) session_id: Uuid,
    pub(super) model: ModelId,
    /// The request without the conversation.
    pub(super) base: Request,
    pub(super) policy: ContextPolicy,
    pub(super) toolbox: Toolbox,
    /// Tools that the caller runs.
    pub(super) offered: Vec<Tool>,
    pub(super) max_steps: u32,
    pub(super) at_a_time: usize,
}

/// Where a run begins.
#[derive(Debug)]
pub(super) struct Branch {
    /// What was said before, in order.
    pub(super) history: Vec<Turn>,
    /// Whether that is the end of something longer.
    pub(super) is_cut: bool,
    pub(super) parent: Option<Uuid>,
    /// What is said now; nothing where an answer is generated again.
    pub(super) said: Option<Message>,
    /// How many turns the session has.
    pub(super) turns: u64,
}

/// A run. Dropping it at any point settles the call that is open and gives the session up.
pub(super) struct Run {
    // Dropped in this order: the open call settles before the session is given up.
    phase: Phased,
    lease: Option<Arc<Leased>>,
    running: Option<Running>,
    setup: Setup,
    ctx: Ctx,
    id: Uuid,
    /// The conversation, as far as it is known.
    turns: Vec<Turn>,
    is_cut: bool,
    leaf: Option<Uuid>,
    seq: u64,
    steps: u32,
    ready: VecDeque<SessionEvent>,
}

/// What a run is doing.
enum Phased {
    /// Reading an answer.
    Answering(Box<Answering>),
    /// Tools are to be run, for this answer.
    Asked(Box<Response>),
    /// The model is to be told of them.
    Told(Box<Response>, Box<Turn>),
    /// Nothing more.
    Over,
}

struct Answering {
    reply: Reply,
    fold: Fold,
    step: Arc<Step>,
}

impl Run {
    /// Makes the first call.
    pub(super) async fn begin(
        setup: Setup,
        ctx: Ctx,
        running: Running,
        branch: Branch,
    ) -> Result<Self> {
        let id = new_id();
        let lease = (!setup.toolbox.is_empty()).then(|| {
            let lease = Lease::new(ctx.principal().clone(), setup.session_id, id);
            Leased::new(setup.engine.ledger().clone(), lease)
        });
        let mut run = Self {
            phase: Phased::Over,
            lease,
            running: Some(running),
            setup,
            ctx,
            id,
            turns: branch.history,
            is_cut: branch.is_cut,
            leaf: branch.parent,
            seq: branch.turns,
            steps: 0,
            ready: VecDeque::new(),
        };
        let said = branch.said.map(|message| run.turn(message));
        run.call(said).await?;
        Ok(run)
    }

    /// What happens next; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Result<SessionEvent>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            let done = match std::mem::replace(&mut self.phase, Phased::Over) {
                Phased::Over => return None,
                Phased::Answering(answering) => self.read(answering).await,
                Phased::Asked(response) => self.use_tools(response).await,
                Phased::Told(response, results) => self
                    .call(Some(*results))
                    .await
                    .map_err(|error| error.with_partial(*response)),
            };
            if let Err(error) = done {
                self.finish();
                // A model has answered by now, whatever went wrong since.
                return Some(Err(error.with_sent()));
            }
        }
    }

    /// Gives the session up, where the last settlement has not.
    fn finish(&mut self) {
        self.phase = Phased::Over;
        self.lease = None;
        self.running = None;
    }

    /// Makes a call with what is added.
    async fn call(&mut self, added: Option<Turn>) -> Result<()> {
        let is_first = self.steps == 0;
        self.steps = self.steps.saturating_add(1);
        let fitting = Fitting {
            engine: &self.setup.engine,
            model: self.setup.model.as_str(),
            policy: self.setup.policy,
            is_cut: self.is_cut,
        };
        let said = messages(self.turns.iter().chain(&added));
        let (request, warnings) = fitting.fit(&self.setup.base, said).await?;
        let step = Arc::new(self.step(added.iter().cloned().collect(), is_first));
        let ctx = if is_first {
            self.ctx.clone()
        } else {
            self.ctx.again()
        };
        let ctx = ctx.with_step(step.clone(), self.lease.clone());
        let call = Call::chat(self.setup.model.clone(), request);
        let mut reply = self.setup.engine.call(&ctx, &call).await?;
        self.leaf = step.parent_id;
        self.seq = step.answer_seq;
        // What tools said was shown when they had said it.
        let shown = added.as_ref().filter(|_| is_first).cloned();
        self.ready
            .extend(shown.map(Box::new).map(SessionEvent::Turn));
        self.turns.extend(added);
        reply.head_mut().warnings.extend(warnings);
        let head = Box::new(reply.head().clone());
        let answer_id = step.answer_id;
        self.ready.push_back(SessionEvent::Head { answer_id, head });
        self.phase = Phased::Answering(Box::new(Answering {
            fold: Fold::from_head(reply.head()),
            reply,
            step,
        }));
        Ok(())
    }

    /// A turn that follows the last one.
    fn turn(&self, message: Message) -> Turn {
        let (seq, at) = (self.seq.saturating_add(1), self.setup.engine.clock().now());
        let mut turn = Turn::new(new_id(), self.setup.session_id, seq, message, at);
        turn.parent_id = self.leaf;
        turn
    }

    fn step(&self, added: Vec<Turn>, is_first: bool) -> Step {
        let last = added.last().map_or(self.seq, |turn| turn.seq);
        let step = Step::new(
            self.setup.session_id,
            self.id,
            added,
            self.leaf,
            new_id(),
            last.saturating_add(1),
        );
        let may_go_on = self.lease.is_some() && self.steps < self.setup.max_steps;
        let step = if may_go_on { step.keeping() } else { step };
        if is_first { step } else { step.continuing() }
    }

    /// Reads on in the answer.
    async fn read(&mut self, mut answering: Box<Answering>) -> Result<()> {
        let item = answering.reply.next().await;
        let batch = match item.unwrap_or_else(|| Err(truncated())) {
            Ok(batch) => batch,
            Err(error) => return Err(error.with_partial(answering.fold.finish())),
        };
        for event in &batch.events {
            answering.fold.push(event);
        }
        let ends = batch.ends();
        self.ready.push_back(SessionEvent::Batch(batch));
        if ends {
            self.answered(answering.fold.finish(), &answering.step);
        } else {
            self.phase = Phased::Answering(answering);
        }
        Ok(())
    }

    /// The answer is whole, and settled.
    fn answered(&mut self, response: Response, step: &Step) {
        let turn = step.answered(&response, self.setup.engine.clock().now());
        if !step.goes_on(turn.as_ref())
            && let Some(lease) = self.lease.take()
        {
            lease.over();
        }
        if let Some(turn) = turn {
            self.leaf = Some(turn.id);
            self.turns.push(turn.clone());
            self.ready.push_back(SessionEvent::Turn(Box::new(turn)));
        }
        self.spend(&response);
        let calls: Vec<ToolCall> = response.tool_calls().cloned().collect();
        if self.setup.toolbox.takes(&calls, &self.setup.offered) {
            self.phase = Phased::Asked(Box::new(response));
        } else {
            self.finish();
        }
    }

    /// What a call may cost is for all calls of a run together.
    fn spend(&mut self, response: &Response) {
        let cost = response.receipt.as_ref().and_then(|r| r.cost.amount());
        if let (Some(limit), Some(cost)) = (self.ctx.max_cost(), cost) {
            let left = limit.checked_sub(cost).unwrap_or(Money::ZERO);
            self.ctx = self.ctx.clone().with_max_cost(left.max(Money::ZERO));
        }
    }

    async fn use_tools(&mut self, response: Box<Response>) -> Result<()> {
        if self.steps >= self.setup.max_steps {
            let message = format!(
                "the model still asks for tools after {} calls, which is as many as it may make",
                self.steps
            );
            let error = Error::new(ErrorKind::TooManySteps, message).with_phase(Phase::Encode);
            return Err(error.with_partial(*response));
        }
        let calls = response.tool_calls().cloned().collect();
        let toolbox = &self.setup.toolbox;
        match toolbox.run(&self.ctx, calls, self.setup.at_a_time).await {
            Ok(results) => {
                let turn = Box::new(self.turn(results));
                self.ready.push_back(SessionEvent::Turn(turn.clone()));
                self.phase = Phased::Told(response, turn);
                Ok(())
            }
            Err(error) => Err(error.with_partial(*response)),
        }
    }
}
