//! Tools that the engine runs for the model.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream;

use crate::chat::{Message, Part, Tool, ToolCall, ToolResult};
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Phase, Result};

/// Runs tools for a model.
///
/// A closure that takes the call and returns a future is one too:
///
/// ```
/// # use aurax_core::{Part, Result, ToolCall, ToolRunner};
/// fn runner() -> impl ToolRunner {
///     |call: ToolCall| async move { Ok(format!("{} says hello", call.name)) }
/// }
/// # drop(runner());
/// ```
#[async_trait]
pub trait ToolRunner: Send + Sync + 'static {
    /// Runs one call. `ctx` is the session's: its deadline and cancellation hold for tools too.
    ///
    /// # Errors
    /// Anything: the model is told its message, as a result that says it failed, and goes on.
    ///
    /// # Cancel safety
    /// The future is dropped when the answer is no longer wanted; what it has begun to change
    /// elsewhere is its own to finish.
    async fn run(&self, ctx: &Ctx, call: &ToolCall) -> Result<Vec<Part>>;
}

#[async_trait]
impl<F, Running, Output> ToolRunner for F
where
    F: Fn(ToolCall) -> Running + Send + Sync + 'static,
    Running: Future<Output = Result<Output>> + Send,
    Output: Into<Part>,
{
    async fn run(&self, _: &Ctx, call: &ToolCall) -> Result<Vec<Part>> {
        // Bound first: the arguments of the call are not held across the wait.
        let running = self(call.clone());
        running.await.map(|output| vec![output.into()])
    }
}

/// The tools of a run, and who runs them.
#[derive(Clone, Default)]
pub(super) struct Toolbox {
    pub(super) tools: Vec<Tool>,
    runners: BTreeMap<String, Arc<dyn ToolRunner>>,
}

impl std::fmt::Debug for Toolbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.runners.keys()).finish()
    }
}

impl Toolbox {
    /// Adds tools that `runner` runs.
    pub(super) fn add(
        &mut self,
        tools: impl IntoIterator<Item = Tool>,
        runner: &Arc<dyn ToolRunner>,
    ) {
        for tool in tools {
            if let Some(function) = tool.as_function() {
                self.runners.insert(function.name.clone(), runner.clone());
            }
            self.tools.push(tool);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runners.is_empty()
    }

    /// Whether the calls are the engine's to run: not where one is for a tool that the caller
    /// offered without a runner.
    pub(super) fn takes(&self, calls: &[ToolCall], offered: &[Tool]) -> bool {
        let is_callers = |call: &ToolCall| {
            let mut offered = offered.iter().filter_map(Tool::as_function);
            !self.runners.contains_key(&call.name)
                && offered.any(|function| function.name == call.name)
        };
        !self.is_empty() && !calls.is_empty() && !calls.iter().any(is_callers)
    }

    /// Runs calls, some at a time; the results are in the order of the calls.
    pub(super) async fn run(
        &self,
        ctx: &Ctx,
        calls: Vec<ToolCall>,
        at_a_time: usize,
    ) -> Result<Message> {
        let results = stream::iter(calls)
            .map(|call| async move { self.one(ctx, &call).await })
            .buffered(at_a_time.max(1))
            .collect::<Vec<ToolResult>>();
        let results = async {
            match ctx.deadline() {
                Some(deadline) => tokio::time::timeout_at(deadline, results)
                    .await
                    .map_err(|_| late()),
                None => Ok(results.await),
            }
        };
        let results = ctx.unless_cancelled(results).await.ok_or_else(gave_up)??;
        Ok(Message::tool(results))
    }

    async fn one(&self, ctx: &Ctx, call: &ToolCall) -> ToolResult {
        let Some(runner) = self.runners.get(&call.name) else {
            let known: Vec<&str> = self.runners.keys().map(String::as_str).collect();
            let words = format!(
                "there is no tool `{}`; there are: {}",
                call.name,
                known.join(", ")
            );
            return ToolResult::new(call, words).with_error();
        };
        match runner.run(ctx, call).await {
            Ok(parts) => {
                let mut result = ToolResult::new(call, "");
                result.content = parts;
                result
            }
            Err(error) => ToolResult::new(call, error.to_string()).with_error(),
        }
    }
}

fn late() -> Error {
    Error::new(
        ErrorKind::Timeout,
        "the call's deadline passed while its tools were running",
    )
    .with_phase(Phase::Encode)
}

fn gave_up() -> Error {
    Error::new(
        ErrorKind::Cancelled,
        "the caller cancelled the call while its tools were running",
    )
    .with_phase(Phase::Encode)
}
