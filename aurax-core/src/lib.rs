//! Contracts and policy of AURAX.
//!
//! This crate knows messages, calls, events, usage, money, prices, the ledger and the layers
//! between a caller and a provider. It knows no HTTP client, no database and no vendor.

mod bucket;
mod call;
mod chat;
mod clock;
mod ctx;
mod embed;
mod engine;
mod error;
mod id;
mod json;
mod layer;
mod ledger;
pub mod limits;
mod model;
mod money;
mod pricing;
mod provider;
mod reply;
mod secret;
mod session;
mod tokens;
mod usage;

pub use async_trait::async_trait;
pub use bucket::{Bucket, Buckets};
pub use bytes::Bytes;
pub use call::{Call, Op};
pub use chat::{
    Audio, CacheHint, CacheTtl, Choice, Citation, Delta, Document, Effort, End, Event, Extra,
    Finish, FinishReason, Fold, Function, Image, Item, Logprob, Message, Native, OnUnsupported,
    Origin, OutputFormat, Part, PromptCacheMode, Reasoning, RedactedThinking, Refusal, Request,
    Response, Role, Sampling, ShowThinking, Signature, Source, Start, Text, Thinking, TokenLogprob,
    Tool, ToolCall, ToolCallStart, ToolChoice, ToolResult, Truncation, Warning,
};
pub use clock::{Clock, SystemClock};
pub use ctx::{Cancelled, Credential, Ctx, Principal, RequestId, Timeouts};
pub use embed::{EmbedInput, EmbedRequest, Embedding};
pub use engine::{Engine, EngineBuilder, Fits, Quote};
pub use error::{Error, ErrorKind, Phase, Result, Retry, Upstream};
pub use id::new_id;
pub use json::Json;
pub use layer::{
    BreakerPolicy, CacheKey, CacheMode, CachePolicy, CacheStore, ConcurrencyPolicy, Disconnect,
    Layer, MemoryCache, QuotaLeft, QuotaOf, QuotaPolicy, QuotaState, RatePolicy, RetryPolicy,
};
pub use ledger::{
    Ack, Attempt, CacheHit, Exposure, Failure, Hold, Intent, Ledger, MemoryLedger, Opened, Opening,
    Outcome, Pending, Permit, Receipt, Settlement,
};
pub use model::{Features, Lifecycle, ModelId, ModelInfo};
pub use money::Money;
pub use pricing::{
    Bill, Cost, Flag, Line, Matched, PriceBook, PriceError, Priced, Pricer, Resolved, Sale,
    UnknownModel,
};
pub use provider::{Capability, Catalog, KeyStatus, Provider, ProviderExt, ProviderInfo};
pub use reply::{Batch, Delivery, Head, RateLimit, Reply};
pub use rust_decimal::Decimal;
pub use secret::{Fingerprint, Secret};
pub use session::{
    Answer, ContextPolicy, Conversation, ExportFormat, Found, Lease, Page, Paged, Reach,
    SendRequest, Session, SessionChange, SessionEvent, SessionReply, SessionSettings, SessionStore,
    Sessions, Step, TitleRequest, ToolRunner, Turn, TurnStatus,
};
pub use tokens::{Count, CountSource, TokenCounter, estimate_request, estimate_text};
pub use tokio_util::sync::CancellationToken;
pub use usage::{Anomaly, Iteration, Totals, Usage, UsageSource};
