//! What the server says on a WebSocket besides the frames of an answer.

use bytes::Bytes;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// What the server says besides the frames of an answer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Told {
    /// Whoever said so is there.
    AuthOk {
        /// Until when the token is good; `null` for an access key without an end.
        #[serde(with = "time::serde::rfc3339::option")]
        expires_at: Option<OffsetDateTime>,
    },
    /// The server goes down: what is being answered has a moment to end, and the socket closes.
    GoingAway,
    /// The answer to a `ping`.
    Pong,
}

/// What nobody asked for: an alert fired, or is over.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Rung<'a, T: ToSchema> {
    /// To whoever may see usage; operators hear of alerts of the installation, too.
    Alert {
        /// What webhooks are sent.
        event: &'a T,
    },
}

/// A frame as text.
pub(super) fn write(frame: &impl Serialize) -> Option<Bytes> {
    match serde_json::to_vec(frame) {
        Ok(json) => Some(json.into()),
        Err(error) => {
            tracing::error!(%error, "a frame cannot be written");
            None
        }
    }
}
