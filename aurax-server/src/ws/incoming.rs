//! What clients say on a WebSocket, read as strictly as a body.

use std::fmt;

use aurax::Part;
use serde::Deserialize;
use serde::de::IgnoredAny;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::Failure;
use crate::extract::{optional_object, parse_json};
use crate::routes::sessions::NewMessage;
use crate::view::Settings;

/// The longest name a client gives a message of its own.
const CLIENT_ID: usize = 128;

/// What a client says.
#[derive(Debug)]
pub(super) enum Said {
    Message(Box<ChatMessage>),
    Cancel(Cancel),
    Auth(Token),
    Ping,
}

/// Something to say in a session.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChatMessage {
    /// `chat_message`.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    _kind: IgnoredAny,
    /// The session.
    pub(super) session_id: Uuid,
    /// The words.
    content: String,
    /// The provider, instead of the session's.
    #[serde(default)]
    #[schema(max_length = 100)]
    provider: Option<String>,
    /// The model, instead of the session's.
    #[serde(default)]
    #[schema(max_length = 200)]
    model: Option<String>,
    /// More than words: `image`, `document`, `audio`, or `tool_result` alone.
    #[serde(default)]
    #[schema(value_type = Option<Vec<std::collections::HashMap<String, serde_json::Value>>>)]
    parts: Option<Vec<Part>>,
    /// Settings instead of the session's, for this message.
    #[serde(default, deserialize_with = "optional_object")]
    settings: Option<Settings>,
    /// What the client calls the message; its answer says it again.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 128)]
    pub(super) client_id: Option<String>,
}

impl ChatMessage {
    /// The message as REST takes it.
    pub(super) fn into_new(self) -> NewMessage {
        NewMessage {
            content: self.content,
            provider: self.provider,
            model: self.model,
            parts: self.parts,
            settings: self.settings,
            stream: true,
        }
    }
}

/// Stops an answer, by its id or by what the client called its message: before the first
/// `chat_chunk` nobody knows the id.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Cancel {
    /// `cancel`.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    _kind: IgnoredAny,
    /// The answer.
    #[serde(default)]
    pub(super) message_id: Option<Uuid>,
    /// What the client called its message.
    #[serde(default)]
    #[schema(max_length = 128)]
    pub(super) client_id: Option<String>,
}

/// Says who is there: first of all, and again before the token is over.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Auth {
    /// `auth`.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    _kind: IgnoredAny,
    /// An access token of `/auth/login`, or an access key.
    #[schema(value_type = String)]
    token: Token,
}

/// A sign of life, for clients that cannot send the protocol's own.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ping {
    /// `ping`.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    _kind: IgnoredAny,
}

/// A token as it arrives.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: String,
}

/// Reads a frame.
pub(super) fn read(text: &str) -> Result<Said, Failure> {
    let text = text.as_bytes();
    let Kind { kind } = parse_json(text)?;
    Ok(match kind.as_str() {
        "chat_message" => {
            let message: ChatMessage = parse_json(text)?;
            check_client_id(message.client_id.as_deref())?;
            Said::Message(Box::new(message))
        }
        "cancel" => {
            let cancel: Cancel = parse_json(text)?;
            if cancel.message_id.is_some() == cancel.client_id.is_some() {
                let message = "say which answer: its `message_id`, or your `client_id`";
                return Err(Failure::invalid("message_id", message));
            }
            Said::Cancel(cancel)
        }
        "auth" => Said::Auth(parse_json::<Auth>(text)?.token),
        "ping" => {
            parse_json::<Ping>(text)?;
            Said::Ping
        }
        _ => {
            let message = "there is no such type: `chat_message`, `cancel`, `auth` and `ping` are";
            return Err(Failure::invalid("type", message));
        }
    })
}

fn check_client_id(id: Option<&str>) -> Result<(), Failure> {
    let is_fine = |id: &str| {
        !id.is_empty() && id.chars().count() <= CLIENT_ID && !id.chars().any(char::is_control)
    };
    if id.is_none_or(is_fine) {
        return Ok(());
    }
    let message = "a `client_id` has 1 to 128 characters and no control characters";
    Err(Failure::invalid("client_id", message))
}
