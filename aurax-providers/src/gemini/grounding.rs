//! Sources: what the answer rests on, and where it repeats others.
//!
//! Facts: <https://ai.google.dev/gemini-api/docs/google-search> and
//! <https://ai.google.dev/api/generate-content#citationmetadata>.

use aurax_core::{Citation, Json, Native, Origin};

use crate::raw::RawObject;

/// The most sources that are listed of one answer.
const MOST: usize = 1024;

/// Bytes from which words are not repeated for every source.
const LONG: usize = 4096;

/// The sources a candidate names, and the searches it made.
///
/// A piece of the answer that rests on several sources is named once for each. Places are given in
/// bytes, so they are left to the provider's own words.
pub(super) fn citations(candidate: &RawObject, origin: &Origin) -> Vec<Citation> {
    let mut found = Vec::new();
    let grounding = candidate.object("groundingMetadata").unwrap_or_default();
    let chunks = objects(&grounding, "groundingChunks");
    let supports = objects(&grounding, "groundingSupports");
    for (support, json) in &supports {
        let quote = support
            .object("segment")
            .and_then(|segment| segment.text("text"));
        let places = support.get("groundingChunkIndices");
        let places: Vec<usize> = places.and_then(|list| list.to().ok()).unwrap_or_default();
        let places = places.iter().filter_map(|place| chunks.get(*place));
        let left = MOST.saturating_sub(found.len());
        for (number, (chunk, _)) in places.take(left).enumerate() {
            let mut citation = of_chunk(chunk);
            // However many sources there are, what is long stands once.
            let is_short = quote.as_ref().is_none_or(|quote| quote.len() <= LONG);
            if number == 0 || is_short {
                citation.quote.clone_from(&quote);
            }
            if number == 0 || json.as_str().len() <= LONG {
                citation.native = Some(native(origin, "groundingSupport", json));
            }
            found.push(citation);
        }
    }
    if supports.is_empty() {
        for (chunk, json) in &chunks {
            let mut citation = of_chunk(chunk);
            citation.native = Some(native(origin, "groundingChunk", json));
            found.push(citation);
        }
    }
    let repeated = candidate.object("citationMetadata").unwrap_or_default();
    for name in ["citationSources", "citations"] {
        for (source, json) in objects(&repeated, name) {
            let mut citation = Citation::default();
            citation.url = source.text("uri");
            citation.title = source.text("title");
            citation.native = Some(native(origin, "citationSource", &json));
            found.push(citation);
        }
    }
    found.truncate(MOST);
    found
}

/// How many searches of the web a candidate made; `None` where it made none.
pub(super) fn searches(candidate: &RawObject) -> Option<u64> {
    let grounding = candidate.object("groundingMetadata")?;
    let queries = grounding.list("webSearchQueries")?;
    u64::try_from(queries.len()).ok().filter(|count| *count > 0)
}

/// A source: of the web, of a map, or of the caller's own documents.
fn of_chunk(chunk: &RawObject) -> Citation {
    let source = ["web", "retrievedContext", "maps"]
        .iter()
        .find_map(|kind| chunk.object(kind))
        .unwrap_or_default();
    let mut citation = Citation::default();
    citation.url = source.text("uri");
    citation.title = source.text("title");
    citation
}

fn native(origin: &Origin, kind: &str, json: &Json) -> Native {
    Native::new(Some(origin.clone()), kind, json.as_str())
}

fn objects(object: &RawObject, list: &str) -> Vec<(RawObject, Json)> {
    let list = object.list(list).unwrap_or_default();
    list.into_iter()
        .filter_map(|json| Some((RawObject::parse(json.as_str())?, json)))
        .collect()
}
