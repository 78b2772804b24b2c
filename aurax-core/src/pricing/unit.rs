//! Which rates may be charged for which bucket.

use crate::bucket::Bucket;

/// The rates that cover `bucket`, the most specific first; the first one a model has is charged.
///
/// A rate covers a bucket when all it says about its usage is true of the bucket. Cache and
/// medium are two cuts through the same tokens: for cached audio a rate for audio and one for
/// cache reads are equally specific. The medium's rate is charged then, and once: a discount that
/// is not listed is not assumed.
pub(super) const fn covering(bucket: Bucket) -> &'static [Bucket] {
    use Bucket::{
        AnnotatedPages, AudioMillis, CacheRead, CacheReadAudio, CacheReadImage, CacheReadVideo,
        CacheWrite, CacheWrite1h, Citation, FileSearches, Input, InputAudio, InputAudioMillis,
        InputCharacters, InputImage, InputVideo, Output, OutputAudio, OutputImage, OutputVideo,
        Pages, Reasoning, Requests, TextMessages, WebSearches,
    };
    match bucket {
        Input => &[Input],
        CacheRead => &[CacheRead, Input],
        CacheWrite => &[CacheWrite, Input],
        CacheWrite1h => &[CacheWrite1h, CacheWrite, Input],
        InputAudio => &[InputAudio, Input],
        CacheReadAudio => &[CacheReadAudio, InputAudio, CacheRead, Input],
        InputImage => &[InputImage, Input],
        CacheReadImage => &[CacheReadImage, InputImage, CacheRead, Input],
        InputVideo => &[InputVideo, Input],
        CacheReadVideo => &[CacheReadVideo, InputVideo, CacheRead, Input],
        Output => &[Output],
        Reasoning => &[Reasoning, Output],
        OutputAudio => &[OutputAudio, Output],
        OutputImage => &[OutputImage, Output],
        OutputVideo => &[OutputVideo, Output],
        Citation => &[Citation, Output],
        InputCharacters => &[InputCharacters],
        TextMessages => &[TextMessages],
        AudioMillis => &[AudioMillis],
        InputAudioMillis => &[InputAudioMillis, AudioMillis],
        Pages => &[Pages],
        AnnotatedPages => &[AnnotatedPages, Pages],
        WebSearches => &[WebSearches],
        FileSearches => &[FileSearches],
        Requests => &[Requests],
    }
}

/// The side of a call a rate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Input,
    Output,
    /// Fees, and audio of no stated direction.
    Neither,
}

/// The side of a call the rate of `unit` is for.
pub(super) const fn side(unit: Bucket) -> Side {
    match unit {
        Bucket::Output
        | Bucket::Reasoning
        | Bucket::OutputAudio
        | Bucket::OutputImage
        | Bucket::OutputVideo
        | Bucket::Citation => Side::Output,
        Bucket::AudioMillis | Bucket::WebSearches | Bucket::FileSearches | Bucket::Requests => {
            Side::Neither
        }
        _ => Side::Input,
    }
}

/// True where the counts of `unit` are tokens.
pub(super) fn in_tokens(unit: Bucket) -> bool {
    matches!(covering(unit).last(), Some(Bucket::Input | Bucket::Output))
}

/// True where the counts of `unit` are milliseconds; the price book counts seconds.
pub(super) const fn in_millis(unit: Bucket) -> bool {
    matches!(unit, Bucket::AudioMillis | Bucket::InputAudioMillis)
}
