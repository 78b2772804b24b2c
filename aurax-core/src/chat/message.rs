//! Messages.

use serde::{Deserialize, Serialize};

use super::part::{Native, Part, Text};
use super::tool::{ToolCall, ToolResult};

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Role {
    /// Whoever built the application: instructions.
    System,
    /// Instructions, in the word newer models of some providers use; elsewhere the same as system.
    Developer,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// The tools' answers.
    Tool,
}

impl Role {
    /// The role in snake case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Developer => "developer",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }

    /// True for instructions, whichever the word.
    pub const fn is_instruction(self) -> bool {
        matches!(self, Self::System | Self::Developer)
    }
}

/// One turn: who speaks, and the parts of what is said.
///
/// ```
/// use aurax_core::{Image, Message};
///
/// let message = Message::user("What is this?").with(Image::from_url("https://example.com/a.png"));
/// assert_eq!(message.parts.len(), 2);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order.
    pub parts: Vec<Part>,
    /// The speaker's name, where several share a role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Fields of the message only its own provider understands, as a JSON object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native: Option<Native>,
}

impl Message {
    /// A message of `role`.
    pub const fn new(role: Role, parts: Vec<Part>) -> Self {
        Self {
            role,
            parts,
            name: None,
            native: None,
        }
    }

    /// Instructions for the model.
    pub fn system(content: impl Into<Part>) -> Self {
        Self::new(Role::System, vec![content.into()])
    }

    /// What the person says.
    pub fn user(content: impl Into<Part>) -> Self {
        Self::new(Role::User, vec![content.into()])
    }

    /// What the model said.
    pub fn assistant(content: impl Into<Part>) -> Self {
        Self::new(Role::Assistant, vec![content.into()])
    }

    /// What tools answered: one result for every call of the turn before.
    pub fn tool(results: impl IntoIterator<Item = ToolResult>) -> Self {
        Self::new(
            Role::Tool,
            results.into_iter().map(Part::ToolResult).collect(),
        )
    }

    /// Adds a part.
    #[must_use]
    pub fn with(mut self, part: impl Into<Part>) -> Self {
        self.parts.push(part.into());
        self
    }

    /// Names the speaker.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// All words, without thoughts and refusals.
    pub fn text(&self) -> String {
        self.parts.iter().filter_map(Part::as_text).collect()
    }

    /// All thoughts.
    pub fn thinking(&self) -> String {
        self.parts
            .iter()
            .filter_map(|part| match part {
                Part::Thinking(thinking) => Some(thinking.text.as_str()),
                _ => None,
            })
            .collect()
    }

    /// The model's words for declining, where it did.
    pub fn refusal(&self) -> Option<String> {
        let words: Vec<&str> = self
            .parts
            .iter()
            .filter_map(|part| match part {
                Part::Refusal(refusal) => Some(refusal.text.as_str()),
                _ => None,
            })
            .collect();
        (!words.is_empty()).then(|| words.concat())
    }

    /// The tools the model asks for, in order.
    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.parts.iter().filter_map(Part::as_tool_call)
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::user(Text::new(text))
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::user(Text::new(text))
    }
}
