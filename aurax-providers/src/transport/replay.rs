//! A transport that answers from a script: no sockets, no waiting.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use aurax_core::{Error, ErrorKind, Phase, Result, async_trait};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};

use super::{ByteStream, Transport};

/// Requests that are kept for [`Replay::requests`]; the oldest go first.
const MAX_KEPT: usize = 1024;

/// Answers requests from a script and remembers what it was asked.
///
/// Clones share the script, so a test keeps one and gives the other away:
///
/// ```
/// use aurax_providers::transport::{Answer, Replay};
///
/// let replay = Replay::new([
///     Answer::status(429).with_header("retry-after", "1"),
///     Answer::sse(["data: {\"text\":\"Hel", "lo\"}\n\n", "data: [DONE]\n\n"]),
/// ]);
/// let transport = std::sync::Arc::new(replay.clone());
/// # drop(transport);
/// assert_eq!(replay.requests().len(), 0);
/// assert_eq!(replay.answers_left(), 2);
/// ```
#[derive(Clone)]
pub struct Replay(Arc<Shared>);

struct Shared {
    script: Script,
    requests: Mutex<VecDeque<Sent>>,
    open: AtomicUsize,
}

enum Script {
    Queue(Mutex<VecDeque<Answer>>),
    Function(Box<dyn Fn(&Sent) -> Answer + Send + Sync>),
}

impl Replay {
    /// Gives these answers, one a request, in order. A request more is an error of kind
    /// `Internal`.
    pub fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::from_script(Script::Queue(Mutex::new(answers.into_iter().collect())))
    }

    /// Makes each answer from its request.
    pub fn from_fn(answer: impl Fn(&Sent) -> Answer + Send + Sync + 'static) -> Self {
        Self::from_script(Script::Function(Box::new(answer)))
    }

    fn from_script(script: Script) -> Self {
        Self(Arc::new(Shared {
            script,
            requests: Mutex::default(),
            open: AtomicUsize::new(0),
        }))
    }

    /// The requests so far, oldest first; the last 1,024 of them.
    pub fn requests(&self) -> Vec<Sent> {
        lock(&self.0.requests).iter().cloned().collect()
    }

    /// How many bodies are neither read to their end nor dropped.
    pub fn open_bodies(&self) -> usize {
        self.0.open.load(Ordering::SeqCst)
    }

    /// How many answers were not asked for yet; 0 for [`Replay::from_fn`].
    pub fn answers_left(&self) -> usize {
        match &self.0.script {
            Script::Queue(answers) => lock(answers).len(),
            Script::Function(_) => 0,
        }
    }

    fn answer(&self, sent: Sent) -> Option<Answer> {
        let answer = match &self.0.script {
            Script::Queue(answers) => lock(answers).pop_front(),
            Script::Function(answer) => Some(answer(&sent)),
        };
        let mut requests = lock(&self.0.requests);
        if requests.len() == MAX_KEPT {
            requests.pop_front();
        }
        requests.push_back(sent);
        answer
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay")
            .field("requests", &self.requests())
            .field("answers_left", &self.answers_left())
            .field("open_bodies", &self.open_bodies())
            .finish()
    }
}

#[async_trait]
impl Transport for Replay {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<ByteStream>> {
        let Some(answer) = self.answer(request.into()) else {
            return Err(Error::new(
                ErrorKind::Internal,
                "the replay has no answer left",
            ));
        };
        match answer.refusal {
            Some(Refusal::Error(error)) => return Err(error),
            Some(Refusal::Silence) => std::future::pending::<()>().await,
            None => {}
        }
        let body = Body {
            steps: answer.steps,
            open: Open::new(&self.0),
        };
        let mut response = http::Response::new(body.boxed());
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}

/// A request a [`Replay`] got. It prints without the values of sensitive headers.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Sent {
    /// The method.
    pub method: Method,
    /// The whole address.
    pub uri: Uri,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Sent {
    /// A header's text; `None` where it is missing or not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON; null where it is not.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl From<http::Request<Bytes>> for Sent {
    fn from(request: http::Request<Bytes>) -> Self {
        let (parts, body) = request.into_parts();
        Self {
            method: parts.method,
            uri: parts.uri,
            headers: parts.headers,
            body,
        }
    }
}

/// One answer of a script: a status, headers and the steps in which the body arrives.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    steps: VecDeque<Step>,
    refusal: Option<Refusal>,
}

#[derive(Debug)]
enum Step {
    Chunk(Bytes),
    Pause,
    Silence,
    Error(Error),
}

/// Why there is no response at all.
#[derive(Debug)]
enum Refusal {
    Error(Error),
    Silence,
}

impl Answer {
    /// An empty body under a status; 500 for a number that is none.
    pub fn status(status: u16) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            headers: HeaderMap::new(),
            steps: VecDeque::new(),
            refusal: None,
        }
    }

    /// A JSON body in one piece, with status 200.
    pub fn json(body: impl Into<Bytes>) -> Self {
        Self::status(200).with_json(body)
    }

    /// Server-sent events, with status 200; each item is a chunk as it arrives.
    pub fn sse<B: Into<Bytes>>(chunks: impl IntoIterator<Item = B>) -> Self {
        Self::status(200)
            .with_header("content-type", "text/event-stream")
            .with_chunks(chunks)
    }

    /// Lines of JSON, with status 200; each item is a chunk as it arrives.
    pub fn ndjson<B: Into<Bytes>>(chunks: impl IntoIterator<Item = B>) -> Self {
        Self::status(200)
            .with_header("content-type", "application/x-ndjson")
            .with_chunks(chunks)
    }

    /// No response: sending fails with `error`.
    pub fn error(error: Error) -> Self {
        Self {
            refusal: Some(Refusal::Error(error)),
            ..Self::status(200)
        }
    }

    /// No response: the connection is refused.
    pub fn refused() -> Self {
        let error = Error::new(ErrorKind::Network, "cannot connect: the replay refuses");
        Self::error(error.with_phase(Phase::Connect))
    }

    /// No response, ever.
    pub fn never() -> Self {
        Self {
            refusal: Some(Refusal::Silence),
            ..Self::status(200)
        }
    }

    /// Adds a header.
    ///
    /// # Panics
    /// When HTTP does not allow it. For headers from elsewhere there is [`Answer::with_headers`].
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.append(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
        self
    }

    /// Adds headers.
    #[must_use]
    pub fn with_headers(mut self, headers: HeaderMap) -> Self {
        self.headers.extend(headers);
        self
    }

    /// Adds a JSON body in one piece.
    #[must_use]
    pub fn with_json(self, body: impl Into<Bytes>) -> Self {
        self.with_header("content-type", "application/json")
            .with_chunks([body])
    }

    /// Adds chunks to the body. They are ready at once, one after the other.
    #[must_use]
    pub fn with_chunks<B: Into<Bytes>>(mut self, chunks: impl IntoIterator<Item = B>) -> Self {
        self.steps
            .extend(chunks.into_iter().map(|chunk| Step::Chunk(chunk.into())));
        self
    }

    /// Adds a point at which the body is not ready once, as if the network took its time.
    #[must_use]
    pub fn with_pause(self) -> Self {
        self.with_step(Step::Pause)
    }

    /// Adds a point after which nothing ever comes.
    #[must_use]
    pub fn with_silence(self) -> Self {
        self.with_step(Step::Silence)
    }

    /// Adds a point at which the body breaks.
    #[must_use]
    pub fn with_error(self, error: Error) -> Self {
        self.with_step(Step::Error(error))
    }

    /// Cuts the body's chunks into pieces of at most `size` bytes.
    #[must_use]
    pub fn in_pieces_of(mut self, size: usize) -> Self {
        let size = size.max(1);
        let mut steps = VecDeque::new();
        for step in self.steps {
            let Step::Chunk(mut chunk) = step else {
                steps.push_back(step);
                continue;
            };
            while chunk.len() > size {
                steps.push_back(Step::Chunk(chunk.split_to(size)));
            }
            steps.push_back(Step::Chunk(chunk));
        }
        self.steps = steps;
        self
    }

    fn with_step(mut self, step: Step) -> Self {
        self.steps.push_back(step);
        self
    }
}

struct Body {
    steps: VecDeque<Step>,
    open: Open,
}

impl Stream for Body {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.steps.pop_front() {
            Some(Step::Chunk(chunk)) => Poll::Ready(Some(Ok(chunk))),
            Some(Step::Pause) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Step::Silence) => {
                self.steps.push_front(Step::Silence);
                Poll::Pending
            }
            Some(Step::Error(error)) => {
                self.steps.clear();
                self.open.close();
                Poll::Ready(Some(Err(error)))
            }
            None => {
                self.open.close();
                Poll::Ready(None)
            }
        }
    }
}

/// Counts a body as open until it has ended or is dropped.
struct Open(Option<Arc<Shared>>);

impl Open {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.open.fetch_add(1, Ordering::SeqCst);
        Self(Some(shared.clone()))
    }

    fn close(&mut self) {
        if let Some(shared) = self.0.take() {
            shared.open.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.close();
    }
}

/// A test that panicked elsewhere does not hide what was recorded.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
