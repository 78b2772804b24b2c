//! The kinds of usage that are billed by themselves.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! buckets {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A kind of usage that is billed by itself; each unit of use is in exactly one bucket.
        ///
        /// The names are those of the price book's units.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Bucket {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl Bucket {
            /// Every bucket, in the order of the declaration.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The bucket's name in the price book.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The bucket of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

buckets! {
    /// Input tokens read at the full rate: not cached, text or a medium without a rate of its own.
    Input = "input",
    /// Input tokens served from the provider's prompt cache.
    CacheRead = "cache_read",
    /// Input tokens written to the prompt cache with the default time to live.
    CacheWrite = "cache_write",
    /// Input tokens written to the prompt cache for an hour.
    CacheWrite1h = "cache_write_1h",
    /// Audio input tokens, not cached.
    InputAudio = "input_audio",
    /// Audio input tokens served from the prompt cache.
    CacheReadAudio = "cache_read_audio",
    /// Image input tokens, not cached.
    InputImage = "input_image",
    /// Image input tokens served from the prompt cache.
    CacheReadImage = "cache_read_image",
    /// Video input tokens, not cached.
    InputVideo = "input_video",
    /// Video input tokens served from the prompt cache.
    CacheReadVideo = "cache_read_video",
    /// Output tokens that are neither reasoning nor another bucket below.
    Output = "output",
    /// Output tokens the model spent thinking.
    Reasoning = "reasoning",
    /// Audio output tokens.
    OutputAudio = "output_audio",
    /// Image output tokens.
    OutputImage = "output_image",
    /// Video output tokens.
    OutputVideo = "output_video",
    /// Output tokens spent on citations.
    Citation = "citation",
    /// Input characters, where a model bills text by the character.
    InputCharacters = "input_chars",
    /// Text messages, where a model bills by the message.
    TextMessages = "text_message",
    /// Milliseconds of audio of no stated direction.
    AudioMillis = "audio",
    /// Milliseconds of audio input.
    InputAudioMillis = "input_audio_time",
    /// Document pages without annotations.
    Pages = "page",
    /// Document pages with annotations.
    AnnotatedPages = "annotated_page",
    /// Web searches the provider ran.
    WebSearches = "web_search",
    /// Searches in stored files the provider ran.
    FileSearches = "file_search",
    /// Requests; one for every call.
    Requests = "request",
}

impl Bucket {
    /// Buckets that are charged by the call, not by the model run.
    pub const FEES: [Self; 3] = [Self::Requests, Self::WebSearches, Self::FileSearches];

    const COUNT: usize = Self::ALL.len();

    const fn index(self) -> usize {
        self as usize
    }
}

/// A count for every [`Bucket`].
///
/// Counts add up to what the provider bills and never overlap. As JSON, an object of the counts
/// that are not zero.
#[derive(Clone, PartialEq, Eq)]
pub struct Buckets([u64; Bucket::COUNT]);

impl Buckets {
    /// No use at all.
    pub const fn new() -> Self {
        Self([0; Bucket::COUNT])
    }

    /// The count of one bucket.
    pub fn get(&self, bucket: Bucket) -> u64 {
        self.0.get(bucket.index()).copied().unwrap_or_default()
    }

    /// Sets the count of one bucket.
    pub fn set(&mut self, bucket: Bucket, count: u64) {
        if let Some(slot) = self.0.get_mut(bucket.index()) {
            *slot = count;
        }
    }

    /// Sets the count of one bucket.
    #[must_use]
    pub fn with(mut self, bucket: Bucket, count: u64) -> Self {
        self.set(bucket, count);
        self
    }

    /// The counts that are not zero.
    pub fn iter(&self) -> impl Iterator<Item = (Bucket, u64)> + '_ {
        Bucket::ALL
            .iter()
            .map(|bucket| (*bucket, self.get(*bucket)))
            .filter(|(_, count)| *count > 0)
    }

    /// Adds the counts of `other`; a sum beyond `u64` stays at its maximum.
    pub fn add(&mut self, other: &Self) {
        for (bucket, count) in other.iter() {
            self.set(bucket, self.get(bucket).saturating_add(count));
        }
    }

    /// All input tokens, cached or not, of any medium: the number that selects a price tier.
    pub fn input_tokens(&self) -> u64 {
        use Bucket::{
            CacheRead, CacheReadAudio, CacheReadImage, CacheReadVideo, CacheWrite, CacheWrite1h,
            Input, InputAudio, InputImage, InputVideo,
        };
        self.sum(&[
            Input,
            CacheRead,
            CacheWrite,
            CacheWrite1h,
            InputAudio,
            CacheReadAudio,
            InputImage,
            CacheReadImage,
            InputVideo,
            CacheReadVideo,
        ])
    }

    /// All output tokens, reasoning and every medium included.
    pub fn output_tokens(&self) -> u64 {
        use Bucket::{Citation, Output, OutputAudio, OutputImage, OutputVideo, Reasoning};
        self.sum(&[
            Output,
            Reasoning,
            OutputAudio,
            OutputImage,
            OutputVideo,
            Citation,
        ])
    }

    fn sum(&self, buckets: &[Bucket]) -> u64 {
        buckets
            .iter()
            .fold(0, |sum, bucket| sum.saturating_add(self.get(*bucket)))
    }
}

impl Default for Buckets {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Buckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(b, n)| (b.as_str(), n)))
            .finish()
    }
}

impl Serialize for Buckets {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Buckets {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A bucket this version does not know was written by a later one; it is passed over so
        // that its row can still be read.
        let counts = BTreeMap::<String, u64>::deserialize(deserializer)?;
        let mut out = Self::new();
        for (name, count) in counts {
            if let Some(bucket) = Bucket::from_name(&name) {
                out.set(bucket, count);
            }
        }
        Ok(out)
    }
}
