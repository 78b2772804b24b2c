//! What is said to a model and what it says: the one vocabulary every wire translates.

mod event;
mod message;
mod part;
mod request;
mod response;
mod tool;

pub use event::{
    Delta, End, Event, Finish, FinishReason, Logprob, Start, TokenLogprob, ToolCallStart, Warning,
};
pub use message::{Message, Role};
pub use part::{
    Audio, CacheHint, CacheTtl, Citation, Document, Image, Item, Native, Origin, Part,
    RedactedThinking, Refusal, Signature, Source, Text, Thinking,
};
pub use request::{
    Effort, Extra, OnUnsupported, OutputFormat, Reasoning, Request, Sampling, ShowThinking,
};
pub use response::{Choice, Fold, Response};
pub use tool::{Function, Tool, ToolCall, ToolChoice, ToolResult};
