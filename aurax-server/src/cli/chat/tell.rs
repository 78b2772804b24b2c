//! What is shown of an answer while it comes, and at its end.

use std::time::Duration;

use aurax::{Clock as _, Conversation, Delta, Event, Fold, Response, SessionEvent, SystemClock};
use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use crate::cli::exit::{Done, Failure};
use crate::cli::json::JsonCost;
use crate::cli::print::{Style, cost, count, took};
use crate::cli::shell::Shell;

/// Shows one answer.
pub(super) struct Teller<'a> {
    shell: &'a Shell,
    json: bool,
    session: Option<Uuid>,
    message: Option<Uuid>,
    began: Instant,
    first: Option<Duration>,
    fold: Option<Fold>,
    /// What was said is on a line that has not ended.
    is_open: bool,
    is_thinking: bool,
}

impl<'a> Teller<'a> {
    pub(super) fn new(shell: &'a Shell, json: bool, session: Option<&Conversation>) -> Self {
        Self {
            shell,
            json,
            session: session.map(Conversation::id),
            message: None,
            began: SystemClock.monotonic(),
            first: None,
            fold: None,
            is_open: false,
            is_thinking: false,
        }
    }

    pub(super) fn tell(&mut self, event: &SessionEvent) -> Done {
        match event {
            SessionEvent::Head { answer_id, head } => {
                self.message = Some(*answer_id);
                self.fold = Some(Fold::from_head(head));
            }
            SessionEvent::Batch(batch) => {
                for event in &batch.events {
                    if event.is_content() && self.first.is_none() {
                        self.first = Some(self.so_far());
                    }
                    if let Event::Delta {
                        choice: 0, delta, ..
                    } = event
                    {
                        self.delta(delta)?;
                    }
                    if let Some(fold) = &mut self.fold {
                        fold.push(event);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn delta(&mut self, delta: &Delta) -> Done {
        let (text, is_thinking) = match delta {
            Delta::Text(text) | Delta::Refusal(text) => (text, false),
            Delta::Thinking(text) => (text, true),
            _ => return Ok(()),
        };
        let out = &self.shell.out;
        if self.json {
            let kind = if is_thinking {
                "thinking"
            } else {
                "chat_chunk"
            };
            return out.json(&json!({"type": kind, "message_id": self.message, "delta": text}));
        }
        // Thoughts are no part of the answer: nobody who pipes it wants them.
        if is_thinking && !out.is_terminal() {
            return Ok(());
        }
        if self.is_thinking && !is_thinking {
            out.part("\n\n")?;
        }
        self.is_thinking = is_thinking;
        self.is_open = !text.ends_with('\n');
        out.words(text, is_thinking.then_some(Style::Dim))
    }

    /// The whole answer was told.
    pub(super) fn end(mut self) -> Done {
        let took = self.so_far();
        let answer = self.fold.take().map(Fold::finish).ok_or_else(|| {
            aurax::Error::new(
                aurax::ErrorKind::Truncated,
                "the answer ended before it began",
            )
        })?;
        if self.json {
            return self.result(&answer, took);
        }
        self.end_line()?;
        let out = &self.shell.out;
        out.remark(out.paint_error(Style::Dim, &summary(&answer, took, self.first)));
        for warning in &answer.warnings {
            let text = format!("{}: {}", warning.subject, warning.message);
            out.remark(out.paint_error(Style::Yellow, &text));
        }
        Ok(())
    }

    /// It broke off.
    pub(super) fn failed(mut self, failure: Failure) -> Done {
        let Failure::Error(error, _) = &failure else {
            return Err(failure);
        };
        if !self.json {
            self.end_line()?;
            return Err(failure);
        }
        let shown = json!({
            "type": "error", "session_id": self.session, "message_id": self.message,
            "error": {
                "code": error.kind().as_str(), "message": error.to_string(),
                "retryable": error.retry() == aurax::Retry::Transient,
            },
        });
        self.shell.out.json(&shown)?;
        Err(failure)
    }

    fn end_line(&mut self) -> Done {
        if self.is_open {
            self.is_open = false;
            self.shell.out.line("")?;
        }
        Ok(())
    }

    fn result(&self, answer: &Response, took: Duration) -> Done {
        let receipt = answer.receipt.as_ref();
        let (input, output) = tokens(answer);
        let buckets = receipt.and_then(|receipt| receipt.usage.as_ref());
        let shown = Shown {
            kind: "chat_response",
            message_id: self.message,
            session_id: self.session,
            request_id: receipt.map(|receipt| receipt.request_id.to_string()),
            provider: &answer.provider,
            model: &answer.model,
            content: answer.text(),
            tokens: input.saturating_add(output),
            cost: receipt.map(|receipt| JsonCost::from(&receipt.cost)),
            usage: json!({
                "input_tokens": input, "output_tokens": output,
                "total_tokens": input.saturating_add(output),
                "source": buckets.map(|usage| usage.source),
                "buckets": buckets.map(|usage| usage.buckets.clone()),
            }),
            finish_reason: json!(answer.finish_reason()),
            cached: receipt.is_some_and(|receipt| receipt.cached),
            duration_ms: millis(took),
            ttft_ms: self.first.map(millis),
            warnings: json!(answer.warnings),
        };
        self.shell.out.json(&shown)
    }

    fn so_far(&self) -> Duration {
        SystemClock
            .monotonic()
            .saturating_duration_since(self.began)
    }
}

#[derive(serde::Serialize)]
struct Shown<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    message_id: Option<Uuid>,
    session_id: Option<Uuid>,
    request_id: Option<String>,
    provider: &'a str,
    model: &'a str,
    content: String,
    tokens: u64,
    #[serde(flatten)]
    cost: Option<JsonCost>,
    usage: serde_json::Value,
    finish_reason: serde_json::Value,
    cached: bool,
    duration_ms: u64,
    ttft_ms: Option<u64>,
    warnings: serde_json::Value,
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn tokens(answer: &Response) -> (u64, u64) {
    let usage = answer
        .receipt
        .as_ref()
        .and_then(|receipt| receipt.usage.as_ref());
    usage.map_or((0, 0), |usage| {
        (usage.buckets.input_tokens(), usage.buckets.output_tokens())
    })
}

/// `openai/gpt-4o-mini · 12 input + 30 output tokens · $0.0000198 (exact) · 1.2 s (first word 340 ms)`
fn summary(answer: &Response, time: Duration, first: Option<Duration>) -> String {
    let (input, output) = tokens(answer);
    let price = answer
        .receipt
        .as_ref()
        .map_or("cost unknown".to_owned(), |receipt| {
            let price = cost(&receipt.cost);
            if receipt.cached {
                format!("{price}, from the cache")
            } else {
                price
            }
        });
    let first = first.map_or(String::new(), |first| {
        format!(" (first word {})", took(first))
    });
    format!(
        "{}/{} · {} input + {} output tokens · {price} · {}{first}",
        answer.provider,
        answer.model,
        count(input),
        count(output),
        took(time)
    )
}
