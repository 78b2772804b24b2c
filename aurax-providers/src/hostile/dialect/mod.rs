//! The protocols the upstream speaks.

mod chat;
mod gemini;
mod messages;
mod ollama;
mod responses;

use serde_json::{Value, json};

use super::script::{Answer, Frame, Script};

/// A protocol the upstream speaks, told by the path of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// OpenAI chat completions.
    Chat,
    /// OpenAI responses.
    Responses,
    /// Anthropic messages.
    Messages,
    /// Gemini `generateContent`.
    Gemini,
    /// Ollama's own chat.
    Ollama,
}

impl Dialect {
    /// Every protocol.
    pub const ALL: [Self; 5] = [
        Self::Chat,
        Self::Responses,
        Self::Messages,
        Self::Gemini,
        Self::Ollama,
    ];

    /// The path a provider of this protocol has as its base URL, below the upstream's origin.
    pub const fn base_path(self) -> &'static str {
        match self {
            Self::Chat | Self::Responses => "/v1",
            Self::Messages | Self::Ollama | Self::Gemini => "",
        }
    }

    /// The protocol, the model and whether a stream is asked for.
    pub(super) fn of(path: &str, body: &Value) -> Option<(Self, String, bool)> {
        let path = path.split('?').next().unwrap_or_default();
        let field = |name| body.get(name);
        let model = || {
            let model = field("model").and_then(Value::as_str);
            model.unwrap_or_default().to_owned()
        };
        let streams = |default| field("stream").and_then(Value::as_bool).unwrap_or(default);
        if path.ends_with("/chat/completions") {
            return Some((Self::Chat, model(), streams(false)));
        }
        if path.ends_with("/responses") {
            return Some((Self::Responses, model(), streams(false)));
        }
        if path.ends_with("/messages") {
            return Some((Self::Messages, model(), streams(false)));
        }
        if path.ends_with("/api/chat") {
            return Some((Self::Ollama, model(), streams(true)));
        }
        let (model, verb) = path.rsplit('/').next()?.split_once(':')?;
        match verb {
            "generateContent" => Some((Self::Gemini, model.to_owned(), false)),
            "streamGenerateContent" => Some((Self::Gemini, model.to_owned(), true)),
            _ => None,
        }
    }

    pub(super) fn script(self, answer: &Answer<'_>) -> Script {
        match self {
            Self::Chat => chat::script(answer),
            Self::Responses => responses::script(answer),
            Self::Messages => messages::script(answer),
            Self::Gemini => gemini::script(answer),
            Self::Ollama => ollama::script(answer),
        }
    }

    /// The frame with which the protocol's provider gives up because it is too busy.
    pub(super) fn error_frame(self) -> Frame {
        let message = "The engine is currently overloaded";
        match self {
            Self::Chat => Frame::new(&json!({"error": {
                "message": message, "type": "server_error", "param": null, "code": "overloaded",
            }})),
            Self::Responses => Frame::named(
                "error",
                &json!({
                    "type": "error", "sequence_number": 1, "code": "server_error",
                    "message": message, "param": null,
                }),
            ),
            Self::Messages => Frame::named(
                "error",
                &json!({
                    "type": "error",
                    "error": {"type": "overloaded_error", "message": message},
                }),
            ),
            Self::Gemini => Frame::new(&json!({"error": {
                "code": 503, "message": message, "status": "UNAVAILABLE",
            }})),
            Self::Ollama => Frame::new(&json!({"error": message})),
        }
    }

    /// Whether frames are lines of JSON rather than events.
    pub(super) const fn is_lines(self) -> bool {
        matches!(self, Self::Ollama)
    }
}
