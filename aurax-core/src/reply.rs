//! What comes back from a call.

mod body;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{BoxStream, Stream, StreamExt};
use serde::{Deserialize, Serialize};

use self::body::Body;
pub(crate) use self::body::Watch;
use crate::chat::{Event, Fold, Response, Warning};
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::layer::QuotaState;
use crate::model::ModelId;

/// Whether an answer comes in one piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// In one body.
    Whole,
    /// As it is generated.
    Streamed,
}

/// What a provider says about its limits on one kind of use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RateLimit {
    /// What is limited: `requests`, `tokens`, `input_tokens`, `output_tokens`.
    pub kind: String,
    /// How much a window allows.
    pub limit: Option<u64>,
    /// How much of it is left.
    pub remaining: Option<u64>,
    /// How long until the window starts again.
    pub reset: Option<Duration>,
}

impl RateLimit {
    /// A limit on `kind`, nothing else known.
    pub fn new(kind: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            limit: None,
            remaining: None,
            reset: None,
        }
    }
}

/// What is known of an answer before it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Head {
    /// The wire it comes over.
    pub wire: &'static str,
    /// The configured provider that answers.
    pub provider: Arc<str>,
    /// The model that was asked, as the provider takes it.
    pub model: ModelId,
    /// The provider's id of the request, for its support.
    pub request_id: Option<String>,
    /// What the provider says about its limits.
    pub rate_limits: Vec<RateLimit>,
    /// Response headers worth keeping; never one that carries a secret.
    pub headers: Vec<(String, String)>,
    /// Whether the answer comes in one piece.
    pub delivery: Delivery,
    /// What was changed or left out when the request was encoded.
    pub warnings: Vec<Warning>,
    /// Whether the answer comes from the cache; nothing is known of a response then.
    pub cached: bool,
    /// What is left of the caller's quotas, where there are any; never what the provider says.
    pub quota: Option<QuotaState>,
}

impl Head {
    /// The head of an answer over `wire`.
    pub fn new(
        wire: &'static str,
        provider: impl Into<Arc<str>>,
        model: ModelId,
        delivery: Delivery,
    ) -> Self {
        Self {
            wire,
            provider: provider.into(),
            model,
            request_id: None,
            rate_limits: Vec::new(),
            headers: Vec::new(),
            delivery,
            warnings: Vec::new(),
            cached: false,
            quota: None,
        }
    }
}

/// All frames of an answer that were ready at once.
///
/// A batch without events is a sign of life.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Batch {
    /// What the frames say.
    pub events: Vec<Event>,
    /// The frames themselves, where [`Ctx::with_raw`](crate::Ctx::with_raw) asked for them.
    pub raw: Option<Bytes>,
}

impl Batch {
    /// Frames that say this.
    pub const fn new(events: Vec<Event>) -> Self {
        Self { events, raw: None }
    }

    /// Whether the answer ends here.
    pub(crate) fn ends(&self) -> bool {
        self.events
            .iter()
            .any(|event| matches!(event, Event::End(_)))
    }

    /// Adds the frames themselves.
    #[must_use]
    pub fn with_raw(mut self, raw: Bytes) -> Self {
        self.raw = Some(raw);
        self
    }
}

/// An answer: its head, and its events as they come.
///
/// It owns the connection. The stream ends after the batch with the [`Event::End`], or with an
/// error; one that stops without either ends with an error of kind `Truncated`.
///
/// # Cancel safety
/// Dropping a reply, at any point, closes the connection and settles the call with what had
/// arrived.
pub struct Reply {
    // Boxed: replies are handed from layer to layer.
    head: Box<Head>,
    body: Body,
}

impl Reply {
    /// An answer with its events still to come.
    pub fn new(
        head: impl Into<Box<Head>>,
        batches: impl Stream<Item = Result<Batch>> + Send + 'static,
    ) -> Self {
        Self {
            head: head.into(),
            body: Body::new(batches.boxed()),
        }
    }

    /// What is known before the answer is read.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// The head, for a layer that adds to it and leaves the stream alone.
    pub(crate) const fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    /// Splits the answer for a layer that wraps the stream.
    pub fn into_parts(self) -> (Box<Head>, BoxStream<'static, Result<Batch>>) {
        (self.head, self.body.into_stream())
    }

    /// Lets `watcher` follow the answer, for a layer that leaves the stream as it is.
    pub(crate) fn watched(mut self, watcher: impl Watch) -> Self {
        self.body = self.body.watched(Box::new(watcher));
        self
    }

    /// Reads on until the first content, or the end, has arrived; nothing is lost.
    ///
    /// Until then another try can replace the answer unseen.
    ///
    /// # Errors
    /// The stream's own error, when it fails before that; `Truncated` when it stops before that.
    ///
    /// # Cancel safety
    /// Dropping the future stops the call, which is settled with what had arrived.
    pub async fn first_content(mut self) -> Result<Self> {
        let mut seen = Vec::new();
        loop {
            let batch = self.body.next().await.ok_or_else(truncated)??;
            let done = batch.ends() || batch.events.iter().any(Event::is_content);
            // Signs of life are not worth replaying, and there may be any number of them.
            if !batch.events.is_empty() || batch.raw.is_some() {
                seen.push(batch);
            }
            if done {
                break;
            }
        }
        self.body.put_back(seen);
        Ok(self)
    }

    /// Reads the whole answer.
    ///
    /// # Errors
    /// The stream's own error, with what had arrived in [`Error::partial`]; `Truncated` when the
    /// stream stops without an end.
    ///
    /// # Cancel safety
    /// Dropping the future stops the call, which is settled with what had arrived.
    pub async fn collect(mut self) -> Result<Response> {
        let mut fold = Fold::from_head(&self.head);
        while let Some(batch) = self.body.next().await {
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => return Err(error.with_partial(fold.finish())),
            };
            for event in batch.events {
                let is_end = matches!(event, Event::End(_));
                fold.take(event);
                if is_end {
                    return Ok(fold.finish());
                }
            }
        }
        Err(truncated().with_partial(fold.finish()))
    }
}

pub(crate) fn truncated() -> Error {
    Error::new(
        ErrorKind::Truncated,
        "the reply stopped before its end; what had arrived may be incomplete",
    )
    .with_phase(Phase::Body)
}

impl Stream for Reply {
    type Item = Result<Batch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.body.poll_next_unpin(cx)
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}
