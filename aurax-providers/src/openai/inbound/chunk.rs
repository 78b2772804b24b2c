//! The JSON of replies.

use aurax_core::{Citation, Finish, FinishReason, Image, Source, TokenLogprob};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::raw::RawObject;

/// Fields of a reply that are written anyway.
const WRITTEN: [&str; 9] = [
    "id",
    "object",
    "created",
    "model",
    "choices",
    "usage",
    "service_tier",
    "error",
    "system_fingerprint",
];

/// A piece of a streamed reply.
#[derive(Serialize)]
pub(super) struct Chunk<'a> {
    pub(super) id: &'a str,
    pub(super) object: &'static str,
    pub(super) created: i64,
    pub(super) model: &'a str,
    pub(super) choices: &'a [ChoicePiece<'a>],
    #[serde(skip_serializing_if = "Counted::is_unasked")]
    pub(super) usage: Counted<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_tier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) system_fingerprint: Option<&'a str>,
    #[serde(flatten)]
    pub(super) extra: Option<Extra<'a>>,
}

/// Usage in a stream: where it was asked for, null until the end.
#[derive(Clone, Copy)]
pub(super) enum Counted<'a> {
    Unasked,
    Later,
    Now(&'a RawObject),
}

#[derive(Serialize)]
pub(super) struct ChoicePiece<'a> {
    pub(super) index: u32,
    pub(super) delta: Delta<'a>,
    pub(super) logprobs: Option<Logprobs<'a>>,
    pub(super) finish_reason: Option<&'a str>,
    #[serde(flatten)]
    pub(super) end: Option<ChoiceEnd<'a>>,
}

/// What a choice has besides its message and reason.
#[derive(Serialize)]
pub(super) struct ChoiceEnd<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stop_reason: Option<&'a str>,
    #[serde(flatten)]
    pub(super) extra: Option<&'a Map<String, Value>>,
}

#[derive(Default, Serialize)]
pub(super) struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<&'static str>,
    #[serde(skip_serializing_if = "Words::is_absent")]
    pub(super) content: Words<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reasoning: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reasoning_details: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_calls: Option<[CallPiece<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) function_call: Option<FunctionPiece<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) annotations: Option<[Annotation<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) images: Option<[Picture; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) audio: Option<Voice<'a>>,
}

/// Words, or null where there is none, or no field.
#[derive(Default)]
pub(super) enum Words<'a> {
    #[default]
    Absent,
    Null,
    Text(&'a str),
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum CallPiece<'a> {
    Start {
        index: usize,
        id: &'a str,
        r#type: &'static str,
        function: FunctionPiece<'a>,
    },
    More {
        index: usize,
        function: FunctionPiece<'a>,
    },
    /// A call of a custom tool, as its provider wrote it.
    Custom {
        index: usize,
        #[serde(flatten)]
        call: Map<String, Value>,
    },
}

#[derive(Serialize)]
pub(super) struct FunctionPiece<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    pub(super) arguments: &'a str,
}

#[derive(Serialize)]
pub(super) struct Logprobs<'a> {
    pub(super) content: Option<&'a [TokenLogprob]>,
    pub(super) refusal: Option<&'a [TokenLogprob]>,
}

/// A source; OpenAI's own annotations have all fields.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Annotation<'a> {
    Own(&'a RawValue),
    Url {
        r#type: &'static str,
        url_citation: UrlCitation<'a>,
    },
}

#[derive(Serialize)]
pub(super) struct UrlCitation<'a> {
    url: &'a str,
    title: &'a str,
    start_index: u64,
    end_index: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
}

/// A picture in OpenRouter's form
/// (<https://openrouter.ai/docs/features/multimodal/image-generation>).
#[derive(Serialize)]
pub(super) struct Picture {
    r#type: &'static str,
    image_url: PictureUrl,
}

#[derive(Serialize)]
struct PictureUrl {
    url: String,
}

#[derive(Default, Serialize)]
pub(super) struct Voice<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) transcript: Option<&'a str>,
}

/// Top-level fields a provider of this wire sent that are written nowhere else.
#[derive(Clone, Copy)]
pub(super) struct Extra<'a>(pub(super) &'a Map<String, Value>);

impl<'a> Extra<'a> {
    pub(super) fn fingerprint(self) -> Option<&'a str> {
        self.0.get("system_fingerprint")?.as_str()
    }
}

impl Serialize for Extra<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = self.0.iter();
        serializer.collect_map(fields.filter(|(name, _)| !WRITTEN.contains(&name.as_str())))
    }
}

impl Serialize for Counted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unasked | Self::Later => serializer.serialize_none(),
            Self::Now(usage) => usage.serialize(serializer),
        }
    }
}

impl Counted<'_> {
    const fn is_unasked(&self) -> bool {
        matches!(self, Self::Unasked)
    }
}

impl Serialize for Words<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Absent | Self::Null => serializer.serialize_none(),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl Words<'_> {
    const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// A source as an annotation; `None` where it has no address.
pub(super) fn annotation(citation: &Citation, is_own: bool) -> Option<Annotation<'_>> {
    let native = citation.native.as_ref();
    let native = native.filter(|native| is_own && native.kind == "annotation");
    if let Some(raw) = native.and_then(|native| serde_json::from_str(&native.json).ok()) {
        return Some(Annotation::Own(raw));
    }
    Some(Annotation::Url {
        r#type: "url_citation",
        url_citation: UrlCitation {
            url: citation.url.as_deref()?,
            title: citation.title.as_deref().unwrap_or_default(),
            start_index: citation.start.unwrap_or_default(),
            end_index: citation.end.unwrap_or_default(),
            content: citation.quote.as_deref(),
        },
    })
}

/// A picture; `None` where only its provider can find it.
pub(super) fn picture(image: &Image) -> Option<Picture> {
    let url = match &image.source {
        Source::Url { url, .. } => url.clone(),
        Source::Inline { media_type, data } => format!("data:{media_type};base64,{data}"),
        _ => return None,
    };
    Some(Picture {
        r#type: "image_url",
        image_url: PictureUrl { url },
    })
}

/// Base64 of a sound that is here.
pub(super) fn sound(source: &Source) -> Option<&str> {
    match source {
        Source::Inline { data, .. } if !data.is_empty() => Some(data),
        _ => None,
    }
}

/// Why a choice ended, in OpenAI's word; words of a vendor's own pass where it speaks this wire.
pub(super) fn reason(finish: &Finish, is_own: bool, one_call: bool) -> &str {
    const KNOWN: [&str; 5] = [
        "stop",
        "length",
        "tool_calls",
        "content_filter",
        "function_call",
    ];
    let own = finish.raw.as_deref().filter(|_| is_own);
    match (finish.reason, own) {
        (FinishReason::ToolCalls, _) if one_call => "function_call",
        (FinishReason::ToolCalls, _) => "tool_calls",
        (_, Some(raw)) if !KNOWN.contains(&raw) => raw,
        (FinishReason::Length | FinishReason::ContextWindow, _) => "length",
        (FinishReason::ContentFilter, _) => "content_filter",
        // Where the model declines in words of its own they are in `refusal`; elsewhere the filter
        // is the nearest there is.
        (FinishReason::Refusal, None) => "content_filter",
        (FinishReason::Error, _) => "error",
        _ => "stop",
    }
}
