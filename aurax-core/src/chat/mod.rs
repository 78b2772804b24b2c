//! What is said to a model and what it says: the one vocabulary every wire translates.

mod cache;
mod event;
mod media;
mod message;
mod part;
mod request;
mod response;
mod tool;

pub use cache::{CacheHint, CacheTtl, PromptCacheMode};
pub use event::{
    Delta, End, Event, Finish, FinishReason, Logprob, Start, TokenLogprob, ToolCallStart, Warning,
};
pub use media::{Audio, Document, Image, Source};
pub use message::{Message, Role};
pub use part::{
    Citation, Item, Native, Origin, Part, RedactedThinking, Refusal, Signature, Text, Thinking,
};
pub use request::{
    Effort, Extra, OnUnsupported, OutputFormat, Reasoning, Request, Sampling, ShowThinking,
    Truncation,
};
pub use response::{Choice, Fold, Response};
pub use tool::{Function, Tool, ToolCall, ToolChoice, ToolResult};
