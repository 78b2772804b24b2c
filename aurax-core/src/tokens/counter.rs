//! Counts the tokens of texts and requests.

use std::sync::Arc;
#[cfg(test)]
use std::sync::atomic::{AtomicU64, Ordering};

use super::chat::Chat;
use super::count::Count;
use super::encodings::{self, ChatFormat, Encoding, Known};
use super::estimate::{estimate_request, estimate_text};
use super::memo::Memo;
use super::size::text_bytes;
use super::tokenizer;
use crate::chat::Request;

/// Texts longer than this, in bytes, are counted on a thread that may block.
const LONG: u64 = 64 * 1024;
/// Counts of so many messages are remembered: about a megabyte.
const REMEMBERED: usize = 16 * 1024;
/// The format to assume of a model of which only the encoding is known.
const ASSUMED: ChatFormat = ChatFormat {
    reply: 3,
    tools: 5,
    image: None,
};

/// Counts the tokens of texts and requests, for any model.
///
/// With the feature `tiktoken`, text for models with a public vocabulary is counted exactly, and so
/// are requests whose messages are text and nothing else; every other count is an
/// [`Estimate`](crate::CountSource::Estimate) and says so. Text counts as what it reads, never as
/// one of the encoding's special tokens.
///
/// A vocabulary is loaded when it is first needed, which takes some 0.2 seconds and 10 MB, and kept
/// for as long as the process lives. No text stops it or takes it longer than a multiple of its
/// length. Counts of messages are remembered by a hash, so a conversation that grows is counted
/// only where it is new; share one counter to share them.
///
/// ```
/// use aurax_core::TokenCounter;
///
/// let counter = TokenCounter::new();
/// let count = counter.count_text(None, "gpt-oss:20b", "Hello, world!");
/// assert!(count.tokens >= 4);
/// ```
#[derive(Debug)]
pub struct TokenCounter {
    memo: Memo,
    /// How many texts were counted, and not remembered.
    #[cfg(test)]
    texts: AtomicU64,
}

impl TokenCounter {
    /// A counter that remembers the counts of 16,384 messages.
    pub fn new() -> Self {
        Self::remembering(REMEMBERED)
    }

    /// A counter that remembers the counts of so many messages.
    pub fn remembering(messages: usize) -> Self {
        Self {
            memo: Memo::new(messages),
            #[cfg(test)]
            texts: AtomicU64::new(0),
        }
    }

    /// Counts a text by itself, without the frame of a message.
    ///
    /// `provider` is the provider's key in the price book ([`ProviderInfo::prices`]), `None` where
    /// it has none; `model` is the model's name as the provider takes it. It takes the calling
    /// thread: for long texts, and where the vocabulary may not be loaded yet, leave it to a thread
    /// that may block.
    ///
    /// [`ProviderInfo::prices`]: crate::ProviderInfo::prices
    pub fn count_text(&self, provider: Option<&str>, model: &str, text: &str) -> Count {
        encodings::known(provider, model)
            .and_then(|known| self.count_exactly(known.encoding, text))
            .map_or_else(|| Count::estimate(estimate_text(text)), Count::exact)
    }

    /// Counts the input tokens of a request, with what its format adds.
    ///
    /// Names as in [`TokenCounter::count_text`]. It takes the calling thread.
    pub fn count_request(&self, provider: Option<&str>, model: &str, request: &Request) -> Count {
        encodings::known(provider, model)
            .and_then(|known| self.count_chat(known, request))
            .unwrap_or_else(|| Count::estimate(estimate_request(request)))
    }

    /// As [`TokenCounter::count_request`], for use on asynchronous threads: a request of more than
    /// 64 KiB of text, and the first one in an encoding, is copied and counted on a thread that may
    /// block. Without a tokio runtime it takes the calling thread.
    ///
    /// # Cancel safety
    /// Dropping the future is harmless; a count that has begun elsewhere runs to its end.
    pub async fn count_request_aside(
        self: &Arc<Self>,
        provider: Option<&str>,
        model: &str,
        request: &Request,
    ) -> Count {
        let known = encodings::known(provider, model);
        let is_ready = known.is_none_or(|known| tokenizer::is_loaded(known.encoding));
        let runtime = tokio::runtime::Handle::try_current();
        if let (false, Ok(runtime)) = (is_ready && text_bytes(request) <= LONG, runtime) {
            let counter = self.clone();
            let copy = request.clone();
            let (provider, model) = (provider.map(str::to_owned), model.to_owned());
            let count = runtime
                .spawn_blocking(move || counter.count_request(provider.as_deref(), &model, &copy));
            // It fails only when the runtime shuts down.
            if let Ok(count) = count.await {
                return count;
            }
        }
        self.count_request(provider, model, request)
    }

    fn count_chat(&self, known: Known, request: &Request) -> Option<Count> {
        tokenizer::load(known.encoding)?;
        let text = |text: &str| self.count_exactly(known.encoding, text).unwrap_or_default();
        let chat = Chat::new(request, known.chat.unwrap_or(ASSUMED));
        let mut count = chat.frame(&text);
        if known.chat.is_none() {
            count = count + Count::estimate(0);
        }
        let name = format!("{:?}", known.encoding);
        for message in &request.messages {
            let key = chat.key(message, &name);
            let remembered = key.and_then(|key| self.memo.get(&key));
            count = count
                + remembered.unwrap_or_else(|| {
                    let count = chat.message(message, &text);
                    if let Some(key) = key {
                        self.memo.insert(key, count);
                    }
                    count
                });
        }
        Some(count)
    }

    /// `None` where the vocabulary is not in this build.
    fn count_exactly(&self, encoding: Encoding, text: &str) -> Option<u64> {
        #[cfg(test)]
        self.texts.fetch_add(1, Ordering::Relaxed);
        tokenizer::count(encoding, text)
    }
}

impl Default for TokenCounter {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, feature = "tiktoken"))]
mod tests;
