//! What a call used: disjoint buckets for billing, inclusive totals for people.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bucket::{Bucket, Buckets};
use crate::json::Json;
use crate::money::Money;

/// What the provider reported, brought to one convention and otherwise untouched.
///
/// `None` is "not reported", which is not zero. `input` includes cached tokens and every medium,
/// `output` includes reasoning; the other fields are parts of those two, save `total` and the
/// counts of searches. This is what REST, traces and people read; billing reads [`Buckets`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "each field is the bucket or part its name says, in tokens"
)]
pub struct Totals {
    pub input: Option<u64>,
    pub output: Option<u64>,
    pub total: Option<u64>,
    pub cache_read: Option<u64>,
    pub cache_write: Option<u64>,
    pub cache_write_5m: Option<u64>,
    pub cache_write_1h: Option<u64>,
    pub input_text: Option<u64>,
    pub input_audio: Option<u64>,
    pub input_image: Option<u64>,
    pub input_video: Option<u64>,
    pub cache_read_audio: Option<u64>,
    pub cache_read_image: Option<u64>,
    pub cache_read_video: Option<u64>,
    pub tool_use_input: Option<u64>,
    pub output_text: Option<u64>,
    pub output_audio: Option<u64>,
    pub output_image: Option<u64>,
    pub output_video: Option<u64>,
    pub reasoning: Option<u64>,
    pub citation: Option<u64>,
    pub accepted_prediction: Option<u64>,
    pub rejected_prediction: Option<u64>,
    pub input_characters: Option<u64>,
    pub text_messages: Option<u64>,
    /// Milliseconds of audio, any direction.
    pub audio_millis: Option<u64>,
    /// Milliseconds of audio input.
    pub input_audio_millis: Option<u64>,
    pub pages: Option<u64>,
    pub annotated_pages: Option<u64>,
    pub web_searches: Option<u64>,
    pub file_searches: Option<u64>,
}

/// A count that cannot be right, as reported by the provider: a part larger than the whole it
/// belongs to, or more than any call can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Anomaly {
    /// The part, which was cut to fit or left out.
    pub part: Bucket,
    /// The count as reported.
    pub reported: u64,
    /// What was left of the whole for it.
    pub available: u64,
}

/// No call uses more of anything; a count beyond it is an error of the provider's.
const MOST: u64 = 1_000_000_000_000_000;

impl Totals {
    /// Takes out counts that no call can reach, as if they had not been reported.
    fn take_absurd(&mut self) -> Vec<Anomaly> {
        use Bucket::{CacheRead, CacheWrite, Input, Output, Pages, Reasoning, WebSearches};
        let fields = [
            (Input, &mut self.input),
            (Output, &mut self.output),
            (Input, &mut self.total),
            (CacheRead, &mut self.cache_read),
            (CacheWrite, &mut self.cache_write),
            (CacheWrite, &mut self.cache_write_5m),
            (Bucket::CacheWrite1h, &mut self.cache_write_1h),
            (Input, &mut self.input_text),
            (Bucket::InputAudio, &mut self.input_audio),
            (Bucket::InputImage, &mut self.input_image),
            (Bucket::InputVideo, &mut self.input_video),
            (Bucket::CacheReadAudio, &mut self.cache_read_audio),
            (Bucket::CacheReadImage, &mut self.cache_read_image),
            (Bucket::CacheReadVideo, &mut self.cache_read_video),
            (Input, &mut self.tool_use_input),
            (Output, &mut self.output_text),
            (Bucket::OutputAudio, &mut self.output_audio),
            (Bucket::OutputImage, &mut self.output_image),
            (Bucket::OutputVideo, &mut self.output_video),
            (Reasoning, &mut self.reasoning),
            (Bucket::Citation, &mut self.citation),
            (Output, &mut self.accepted_prediction),
            (Output, &mut self.rejected_prediction),
            (Bucket::InputCharacters, &mut self.input_characters),
            (Bucket::TextMessages, &mut self.text_messages),
            (Bucket::AudioMillis, &mut self.audio_millis),
            (Bucket::InputAudioMillis, &mut self.input_audio_millis),
            (Pages, &mut self.pages),
            (Bucket::AnnotatedPages, &mut self.annotated_pages),
            (WebSearches, &mut self.web_searches),
            (Bucket::FileSearches, &mut self.file_searches),
        ];
        let mut absurd = Vec::new();
        for (part, count) in fields {
            if let Some(reported) = count.take_if(|count| *count > MOST) {
                absurd.push(Anomaly {
                    part,
                    reported,
                    available: MOST,
                });
            }
        }
        absurd
    }

    /// Splits the totals into disjoint buckets.
    ///
    /// A part beyond its whole is cut to what is left and listed; whether that makes the cost
    /// unknowable depends on the model's rates, so pricing decides.
    pub fn split(&self) -> (Buckets, Vec<Anomaly>) {
        use Bucket::{
            AnnotatedPages, AudioMillis, CacheRead, CacheReadAudio, CacheReadImage, CacheReadVideo,
            CacheWrite, CacheWrite1h, Citation, FileSearches, Input, InputAudio, InputAudioMillis,
            InputCharacters, InputImage, InputVideo, Output, OutputAudio, OutputImage, OutputVideo,
            Pages, Reasoning, Requests, TextMessages, WebSearches,
        };
        let mut split = Split::default();
        // The part of each medium that came from the cache counts in both of its wholes.
        let (cached_audio, cached_image, cached_video) = (
            self.cache_read_audio,
            self.cache_read_image,
            self.cache_read_video,
        );
        let cached_media = add([cached_audio, cached_image, cached_video]);
        let cache_write = self.cache_write.or_else(|| {
            self.cache_write_5m
                .map(|n| n.saturating_add(self.cache_write_1h.unwrap_or_default()))
        });
        let mut input = vec![
            (CacheReadAudio, cached_audio),
            (CacheReadImage, cached_image),
            (CacheReadVideo, cached_video),
            (CacheRead, less(self.cache_read, cached_media)),
            (CacheWrite1h, self.cache_write_1h),
            (CacheWrite, less(cache_write, self.cache_write_1h)),
        ];
        let cached = add(input.iter().map(|(_, count)| *count));
        let rest = self
            .input
            .map(|n| n.saturating_sub(cached.unwrap_or_default()));
        for (bucket, medium, cached) in [
            (InputAudio, self.input_audio, cached_audio),
            (InputImage, self.input_image, cached_image),
            (InputVideo, self.input_video, cached_video),
        ] {
            // Providers that do not say which medium was cached count the overlap twice: it is
            // in the cache's bucket, so only what is left can be uncached.
            let fits = medium <= self.input || self.input.is_none();
            let uncached = less(medium, cached);
            let overlap = fits && cached.is_none();
            input.push((
                bucket,
                if overlap {
                    at_most(uncached, rest)
                } else {
                    uncached
                },
            ));
        }
        let output = [
            (Reasoning, self.reasoning),
            (Citation, self.citation),
            (OutputAudio, self.output_audio),
            (OutputImage, self.output_image),
            (OutputVideo, self.output_video),
        ];
        let side = |known: Option<u64>, other: Option<u64>, parts: &[(Bucket, Option<u64>)]| {
            known
                .or_else(|| Some(self.total?.saturating_sub(other?)))
                .or_else(|| add(parts.iter().map(|(_, count)| *count)))
        };
        split.whole((Input, side(self.input, self.output, &input)), &input);
        split.whole((Output, side(self.output, self.input, &output)), &output);
        split.whole(
            (AudioMillis, self.audio_millis.max(self.input_audio_millis)),
            &[(InputAudioMillis, self.input_audio_millis)],
        );
        split.whole(
            (Pages, self.pages.max(self.annotated_pages)),
            &[(AnnotatedPages, self.annotated_pages)],
        );
        for (bucket, count) in [
            (InputCharacters, self.input_characters),
            (TextMessages, self.text_messages),
            (WebSearches, self.web_searches),
            (FileSearches, self.file_searches),
            (Requests, Some(1)),
        ] {
            split.buckets.set(bucket, count.unwrap_or_default());
        }
        (split.buckets, split.anomalies)
    }
}

/// The sum of what is known; `None` when nothing is.
fn add(counts: impl IntoIterator<Item = Option<u64>>) -> Option<u64> {
    counts.into_iter().flatten().reduce(u64::saturating_add)
}

fn at_most(count: Option<u64>, limit: Option<u64>) -> Option<u64> {
    count.map(|n| limit.map_or(n, |limit| n.min(limit)))
}

fn less(whole: Option<u64>, part: Option<u64>) -> Option<u64> {
    whole.map(|n| n.saturating_sub(part.unwrap_or_default()))
}

#[derive(Default)]
struct Split {
    buckets: Buckets,
    anomalies: Vec<Anomaly>,
}

impl Split {
    fn whole(&mut self, (rest, whole): (Bucket, Option<u64>), parts: &[(Bucket, Option<u64>)]) {
        let mut left = whole.unwrap_or_default();
        for (part, reported) in parts {
            let reported = reported.unwrap_or_default();
            if reported > left {
                self.anomalies.push(Anomaly {
                    part: *part,
                    reported,
                    available: left,
                });
            }
            self.buckets.set(*part, reported.min(left));
            left = left.saturating_sub(reported);
        }
        self.buckets.set(rest, left);
    }
}

/// Who says how much was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageSource {
    /// The provider reported it.
    Provider,
    /// Counted here with the model's own tokenizer.
    Counted,
    /// Estimated here.
    Estimated,
}

/// One of several model runs inside a call that are billed apart, such as a compaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Iteration {
    /// The provider's word for the run.
    pub kind: String,
    /// The model that ran, when it is not the call's.
    pub model: Option<String>,
    /// What the run used.
    pub buckets: Buckets,
    /// Parts the provider reported beyond their wholes.
    pub anomalies: Vec<Anomaly>,
}

impl Iteration {
    /// A run of `kind` at `model` (`None`: the call's own) with the provider's `totals`.
    ///
    /// Fees for the request and for searches belong to the call, so an iteration carries none.
    pub fn new(kind: impl Into<String>, model: Option<String>, totals: &Totals) -> Self {
        let mut totals = totals.clone();
        let mut anomalies = totals.take_absurd();
        let (buckets, beyond) = totals.split();
        anomalies.extend(beyond);
        Self {
            kind: kind.into(),
            model,
            buckets: Bucket::FEES
                .iter()
                .fold(buckets, |buckets, fee| buckets.with(*fee, 0)),
            anomalies,
        }
    }
}

/// Everything billing needs to know of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Usage {
    /// Disjoint counts; the only thing a cost is computed from.
    pub buckets: Buckets,
    /// What the provider said, in one convention.
    pub reported: Totals,
    /// Who says so.
    pub source: UsageSource,
    /// Runs billed apart, each at its model. When there are any, what is billed is the runs and,
    /// once, the fees ([`Bucket::FEES`]) in `buckets`; `buckets` holds the sum of both.
    pub iterations: Vec<Iteration>,
    /// Parts the provider reported beyond their wholes.
    pub anomalies: Vec<Anomaly>,
    /// Facts that select a price variant, such as `service_tier`, in lower case.
    pub price_context: BTreeMap<String, String>,
    /// What the provider itself says the call cost.
    pub reported_cost: Option<Money>,
    /// The provider's own usage object, byte for byte.
    pub raw: Option<Json>,
}

impl Usage {
    /// Usage as the provider reported it. Counts beyond a million billions are listed as anomalies and
    /// otherwise treated as if they had not been reported.
    pub fn from_totals(mut totals: Totals) -> Self {
        let mut anomalies = totals.take_absurd();
        let (buckets, beyond) = totals.split();
        anomalies.extend(beyond);
        Self {
            buckets,
            reported: totals,
            source: UsageSource::Provider,
            iterations: Vec::new(),
            anomalies,
            price_context: BTreeMap::new(),
            reported_cost: None,
            raw: None,
        }
    }

    /// Usage nobody reported: `source` counted or estimated it.
    pub fn measured(buckets: Buckets, source: UsageSource) -> Self {
        Self {
            buckets: buckets.with(Bucket::Requests, 1),
            source,
            ..Self::from_totals(Totals::default())
        }
    }

    /// Adds runs that are billed apart; their sum becomes the buckets.
    #[must_use]
    pub fn with_iterations(mut self, iterations: Vec<Iteration>) -> Self {
        if !iterations.is_empty() {
            let mut sum = Bucket::FEES.iter().fold(Buckets::new(), |sum, fee| {
                sum.with(*fee, self.buckets.get(*fee))
            });
            for iteration in &iterations {
                sum.add(&iteration.buckets);
            }
            self.buckets = sum;
            self.anomalies.clear();
            self.iterations = iterations;
        }
        self
    }
}
