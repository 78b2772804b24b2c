//! Tool calls of the history, and the ids their results name.

use std::borrow::Cow;
use std::collections::HashMap;

use aurax_core::{Error, ErrorKind, Json, Origin, Phase, Result, ToolCall, ToolResult};

use super::NAME;
use super::block::{Block, CacheControl};
use crate::raw::RawObject;

/// The calls that were read, as far as their results depend on them.
#[derive(Debug, Default)]
pub(super) struct Calls<'a> {
    /// The sets called tools are in, by the ids of the calls.
    toolsets: HashMap<&'a str, Json>,
}

impl<'a> Calls<'a> {
    /// A call's block. Its arguments go over as they were written, with what the provider wants
    /// back beside them.
    ///
    /// # Errors
    /// `InvalidRequest`, naming the tool, for arguments that are not a JSON object.
    pub(super) fn block(
        &mut self,
        subject: &str,
        call: &'a ToolCall,
        origin: &Origin,
    ) -> Result<Block<'a>> {
        let arguments = call.arguments_json();
        if RawObject::parse(arguments).is_none() {
            return Err(Error::new(
                ErrorKind::InvalidRequest,
                "a tool call's arguments are not a JSON object; a token limit may have cut them, \
                 leave the call out or ask again",
            )
            .with_context("part", subject)
            .with_context("tool", &call.name)
            .with_phase(Phase::Encode));
        }
        let proof = call.signature.as_ref();
        let proof = proof.filter(|proof| proof.is_for_wire(origin, NAME));
        let beside = proof
            .and_then(|proof| RawObject::parse(&proof.data))
            .unwrap_or_default();
        let toolset_name = beside.get("toolset_name").cloned();
        if let Some(set) = &toolset_name {
            self.toolsets.insert(&call.id, set.clone());
        }
        Ok(Block::ToolUse {
            id: id(&call.id),
            name: &call.name,
            input: Json::parse(arguments)?,
            caller: beside.get("caller").cloned(),
            toolset_name,
            cache_control: call.cache.map(CacheControl::new),
        })
    }

    /// The set of the tool a result is of.
    pub(super) fn toolset_of(&self, result: &ToolResult) -> Option<Json> {
        self.toolsets.get(result.call_id.as_str()).cloned()
    }
}

/// An id as the API takes it: `^[a-zA-Z0-9_-]+$`.
///
/// Another provider's id is rewritten the same way in the call and in its result; the digest keeps
/// apart ids that differ only in what is rewritten.
pub(super) fn id(id: &str) -> Cow<'_, str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !id.is_empty() && id.chars().all(fits) {
        return Cow::Borrowed(id);
    }
    // FNV-1a, 32 bits.
    let digest = id.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let kept: String = id.chars().map(|c| if fits(c) { c } else { '_' }).collect();
    Cow::Owned(format!("{kept}_{digest:08x}"))
}
