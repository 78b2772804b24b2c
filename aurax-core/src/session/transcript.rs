//! A branch of a session as the messages of a request.

use std::ops::Range;

use super::{Turn, TurnStatus};
use crate::chat::{Message, Part, Role, ToolCall, ToolResult};

/// The messages that providers take: every call has its result, every result its call, and
/// nothing is empty.
///
/// What was cut short keeps its words and loses its calls, which never ran.
pub(super) fn messages<'a>(turns: impl Iterator<Item = &'a Turn>) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    let mut open: Vec<ToolCall> = Vec::new();
    for turn in turns {
        let mut message = turn.message.clone();
        if turn.status != TurnStatus::Complete {
            message
                .parts
                .retain(|part| !matches!(part, Part::ToolCall(_)));
        }
        if message.role == Role::Tool {
            // Results of one answer's calls may come in several turns.
            message.parts.retain(|part| match part {
                Part::ToolResult(result) => {
                    let asked = open.iter().position(|call| call.id == result.call_id);
                    asked.map(|at| open.remove(at)).is_some()
                }
                _ => true,
            });
        } else {
            messages.extend(never_ran(&mut open));
        }
        if message.parts.is_empty() {
            continue;
        }
        if message.role == Role::Assistant {
            open = message.tool_calls().cloned().collect();
        }
        messages.push(message);
    }
    messages.extend(never_ran(&mut open));
    messages
}

/// Results for calls that nobody ran.
fn never_ran(open: &mut Vec<ToolCall>) -> Option<Message> {
    let results: Vec<ToolResult> = open
        .drain(..)
        .map(|call| ToolResult::new(&call, "the tool was not run").with_error())
        .collect();
    (!results.is_empty()).then(|| Message::tool(results))
}

/// The exchanges of a conversation: what the person says, and everything until they speak again.
pub(super) fn exchanges(messages: &[Message]) -> Vec<Range<usize>> {
    let mut exchanges: Vec<Range<usize>> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let end = at.saturating_add(1);
        match exchanges.last_mut() {
            Some(last) if message.role != Role::User => last.end = end,
            _ => exchanges.push(at..end),
        }
    }
    exchanges
}
