//! The conversation: messages become instructions and alternating turns.
//!
//! Facts: <https://platform.claude.com/docs/en/api/messages> and
//! <https://platform.claude.com/docs/en/agents-and-tools/tool-use/handle-tool-calls>.

use std::borrow::Cow;

use aurax_core::{
    Error, ErrorKind, Json, Message, Native, Origin, Part, Phase, Request, Result, Role as Speaker,
    Signature, Text, ToolResult,
};
use serde_json::{Map, Value};

use super::NAME;
use super::block::{Block, CacheControl, Role, Turn};
use super::calls::{self, Calls};
use super::media;
use super::tools::{self, is_for};
use crate::omissions::Omissions;
use crate::refusals::{misplaced, subject, unsupported};
use crate::wire::Target;

/// What a request says, in the API's order.
#[derive(Debug, Default)]
pub(super) struct Conversation<'a> {
    pub(super) system: Vec<Block<'a>>,
    pub(super) turns: Vec<Turn<'a>>,
    /// Whether there is something only the first version of the API takes.
    pub(super) first_version: bool,
    /// Whether a file is named that was uploaded before.
    pub(super) files: bool,
}

/// Reads a request's messages.
///
/// * Instructions, wherever they stand, go to the top: each run of them up to a cache mark is one
///   block, messages joined by a blank line.
/// * Messages of one role in a row are one turn; tool results come first in theirs.
/// * Empty words are left out, and so are turns with nothing in them.
///
/// # Errors
/// `InvalidRequest` for what no conversation can hold, `Unsupported` for a part that would be
/// lost.
pub(super) fn conversation<'a>(
    request: &'a Request,
    target: &Target,
    takes_prefill: bool,
    omissions: &mut Omissions,
) -> Result<Conversation<'a>> {
    let mut reader = Reader {
        target,
        origin: target.origin(),
        omissions,
        out: Conversation::default(),
        results: 0,
        calls: Calls::default(),
        foreign: Foreign::default(),
    };
    let mut opened = false;
    for (at, message) in request.messages.iter().enumerate() {
        if message.name.is_some() {
            let subject = format!("messages[{at}].name");
            reader
                .omissions
                .note(&subject, "left out: the API knows no speakers' names")?;
        }
        let subject = format!("messages[{at}]");
        let own = reader.own(message.native.as_ref(), &subject)?;
        if message.role.is_instruction() {
            if opened {
                let subject = format!("messages[{at}]");
                reader
                    .omissions
                    .note(&subject, "moved to the top, where the API has instructions")?;
            }
            reader.instructions(at, message)?;
        } else {
            opened = true;
            reader.message(at, message)?;
            // Messages that are one turn share its fields.
            if let (Some(turn), Some(own)) = (reader.out.turns.last_mut(), own) {
                turn.own.extend(own);
            }
        }
    }
    reader.finish(takes_prefill)
}

/// What is left out because another maker signed it.
#[derive(Debug, Default)]
struct Foreign {
    thinking: u32,
    native: u32,
    citations: u32,
}

struct Reader<'a, 'b> {
    target: &'b Target,
    origin: Origin,
    omissions: &'b mut Omissions,
    out: Conversation<'a>,
    /// How many tool results the last turn begins with.
    results: usize,
    calls: Calls<'a>,
    foreign: Foreign,
}

impl<'a> Reader<'a, '_> {
    fn instructions(&mut self, at: usize, message: &'a Message) -> Result<()> {
        let mut joint = "\n\n";
        for (part, number) in message.parts.iter().zip(0..) {
            let Part::Text(text) = part else {
                return Err(misplaced(
                    &subject(at, number),
                    part.kind(),
                    "instructions are words",
                ));
            };
            if text.text.trim().is_empty() {
                continue;
            }
            let mark = text.cache.map(CacheControl::new);
            let own = self.own(part.own_fields(), &subject(at, number))?;
            match self.out.system.last_mut() {
                Some(Block::Text {
                    text: before,
                    cache_control: cache @ None,
                    ..
                }) if own.is_none() => {
                    let before = before.to_mut();
                    before.push_str(joint);
                    before.push_str(&text.text);
                    *cache = mark;
                }
                _ => {
                    let mut block = Block::text(text.text.as_str());
                    set_mark(&mut block, mark);
                    self.out.system.push(block.extended(own));
                }
            }
            joint = "";
        }
        Ok(())
    }

    fn message(&mut self, at: usize, message: &'a Message) -> Result<()> {
        let role = if message.role == Speaker::Assistant {
            Role::Assistant
        } else {
            Role::User
        };
        for (part, number) in message.parts.iter().zip(0..) {
            let subject = subject(at, number);
            let block = match (role, part) {
                (_, Part::Text(text)) => self.words(role, text),
                (_, Part::Native(native)) => {
                    let fits = is_for(native, self.target);
                    self.foreign.native += u32::from(!fits);
                    self.out.first_version |=
                        fits && role == Role::Assistant && native.kind == "document";
                    fits.then(|| Json::parse(native.json.clone()))
                        .transpose()?
                        .map(Block::Native)
                }
                (_, Part::Document(document)) => {
                    self.out.first_version |= role == Role::Assistant;
                    Some(self.file(media::document(&subject, document)?))
                }
                (_, Part::Audio(_)) => {
                    return Err(unsupported(&subject, "the API takes no audio"));
                }
                (Role::User, Part::Image(image)) => Some(self.file(media::image(&subject, image)?)),
                (Role::User, Part::ToolResult(result)) => {
                    let block = self.result(&subject, result)?;
                    let own = self.own(part.own_fields(), &subject)?;
                    self.answer(block.extended(own));
                    None
                }
                (Role::Assistant, Part::Thinking(thinking)) => self
                    .signed(thinking.signature.as_ref())
                    .map(|signature| Block::Thinking {
                        thinking: &thinking.text,
                        signature,
                    }),
                (Role::Assistant, Part::RedactedThinking(thinking)) => self
                    .signed(Some(&thinking.data))
                    .map(|data| Block::RedactedThinking { data }),
                (Role::Assistant, Part::Refusal(refusal)) => {
                    let words = refusal.text.as_str();
                    (!words.trim().is_empty()).then(|| Block::text(words))
                }
                (Role::Assistant, Part::ToolCall(call)) => {
                    Some(self.calls.block(&subject, call, &self.origin)?)
                }
                (Role::User, part) => {
                    return Err(misplaced(
                        &subject,
                        part.kind(),
                        "only the assistant says that",
                    ));
                }
                (Role::Assistant, part) => {
                    return Err(misplaced(
                        &subject,
                        part.kind(),
                        "the assistant does not say that",
                    ));
                }
            };
            if let Some(block) = block {
                let own = self.own(part.own_fields(), &subject)?;
                self.say(role, block.extended(own));
            }
        }
        Ok(())
    }

    /// Adds to the turn of `role`, which begins with it if the last one is another's.
    fn say(&mut self, role: Role, block: Block<'a>) {
        match self.out.turns.last_mut() {
            Some(turn) if turn.role == role => turn.content.push(block),
            _ => {
                self.results = 0;
                self.out.turns.push(Turn {
                    role,
                    content: vec![block],
                    own: Map::new(),
                });
            }
        }
    }

    /// Adds a tool's result, before anything else the user says in the turn.
    fn answer(&mut self, result: Block<'a>) {
        match self.out.turns.last_mut() {
            Some(turn) if turn.role == Role::User => {
                let at = self.results.min(turn.content.len());
                turn.content.insert(at, result);
            }
            _ => {
                self.results = 0;
                self.say(Role::User, result);
            }
        }
        self.results += 1;
    }

    fn words(&mut self, role: Role, text: &'a Text) -> Option<Block<'a>> {
        if text.text.trim().is_empty() {
            return None;
        }
        let mut cited = Vec::new();
        for citation in &text.citations {
            match citation
                .native
                .as_ref()
                .filter(|native| is_for(native, self.target))
            {
                Some(native) => cited.extend(Json::parse(native.json.clone()).ok()),
                None => self.foreign.citations += 1,
            }
        }
        self.out.first_version |= role == Role::User && !cited.is_empty();
        Some(Block::Text {
            text: Cow::Borrowed(&text.text),
            citations: cited,
            cache_control: text.cache.map(CacheControl::new),
        })
    }

    /// The proof, where it is the target's.
    fn signed(&mut self, signature: Option<&'a Signature>) -> Option<&'a str> {
        let signature = signature.filter(|signature| signature.is_for_wire(&self.origin, NAME));
        self.foreign.thinking += u32::from(signature.is_none());
        signature.map(|signature| signature.data.as_str())
    }

    /// Fields of the provider's own; another's are left out.
    fn own(
        &mut self,
        native: Option<&Native>,
        subject: &str,
    ) -> Result<Option<Map<String, Value>>> {
        tools::own(subject, native, self.target, self.omissions)
    }

    fn result(&mut self, subject: &str, result: &'a ToolResult) -> Result<Block<'a>> {
        let mut content = Vec::with_capacity(result.content.len());
        let mut mark = result.cache;
        for (part, number) in result.content.iter().zip(0..) {
            let subject = format!("{subject}.content[{number}]");
            let mut block = match part {
                Part::Text(text) => match self.words(Role::Assistant, text) {
                    Some(block) => block,
                    None => continue,
                },
                Part::Image(image) => self.file(media::image(&subject, image)?),
                Part::Document(document) => self.file(media::document(&subject, document)?),
                Part::Native(native) if is_for(native, self.target) => {
                    Block::Native(Json::parse(native.json.clone())?)
                }
                part => {
                    return Err(misplaced(
                        &subject,
                        part.kind(),
                        "a tool cannot answer that",
                    ));
                }
            };
            // A mark inside the result ends the same prefix as one on it.
            if let Some(inner) = block.cache_control().and_then(Option::take) {
                mark = mark.or(Some(hint(inner)));
            }
            let own = self.own(part.own_fields(), &subject)?;
            content.push(block.extended(own));
        }
        Ok(Block::ToolResult {
            tool_use_id: calls::id(&result.call_id),
            content,
            is_error: result.is_error,
            toolset_name: self.calls.toolset_of(result),
            cache_control: mark.map(CacheControl::new),
        })
    }

    fn file(&mut self, (block, is_file): (Block<'a>, bool)) -> Block<'a> {
        self.out.files |= is_file;
        block
    }

    fn finish(mut self, takes_prefill: bool) -> Result<Conversation<'a>> {
        if self.foreign.thinking > 0 {
            self.omissions.note(
                "messages",
                format!(
                    "{} thinking parts left out: unsigned, or signed for another model",
                    self.foreign.thinking
                ),
            )?;
        }
        if self.foreign.native > 0 {
            self.omissions.note(
                "messages",
                format!(
                    "{} parts left out: only their own provider knows them",
                    self.foreign.native
                ),
            )?;
        }
        if self.foreign.citations > 0 {
            self.omissions.note(
                "messages",
                format!(
                    "{} citations left out: another provider made them",
                    self.foreign.citations
                ),
            )?;
        }
        match self.out.turns.first().map(|turn| turn.role) {
            Some(Role::User) => {}
            Some(Role::Assistant) => {
                self.omissions.note(
                    "messages",
                    "a user's turn of one full stop was put first: the API wants the user to begin",
                )?;
                self.out.turns.insert(
                    0,
                    Turn {
                        role: Role::User,
                        content: vec![Block::text(".")],
                        own: Map::new(),
                    },
                );
            }
            None => {
                return Err(Error::new(
                    ErrorKind::InvalidRequest,
                    "nothing is said besides instructions; add a user's message",
                )
                .with_context("part", "messages")
                .with_phase(Phase::Encode));
            }
        }
        self.prefill(takes_prefill)?;
        Ok(self.out)
    }

    /// Words of the assistant at the end are the beginning of the answer; the API wants no white
    /// space behind them. A paused turn, which has the provider's own blocks, goes back as it came.
    fn prefill(&mut self, is_taken: bool) -> Result<()> {
        let Some(turn) = self.out.turns.last_mut() else {
            return Ok(());
        };
        let paused = turn.content.iter().any(|b| matches!(b, Block::Native(_)));
        if turn.role != Role::Assistant || paused {
            return Ok(());
        }
        if let Some(text) = turn.content.last_mut().and_then(Block::words) {
            if !is_taken {
                return Err(unsupported(
                    "messages",
                    "the model, or one that thinks, does not continue the assistant's words; end with a \
                     user's message",
                ));
            }
            let end = text.trim_end().len();
            match text {
                Cow::Borrowed(words) => *words = words.get(..end).unwrap_or(words),
                Cow::Owned(words) => words.truncate(end),
            }
        }
        Ok(())
    }
}

fn set_mark(block: &mut Block<'_>, mark: Option<CacheControl>) {
    if let Some(slot) = block.cache_control() {
        *slot = mark;
    }
}

fn hint(mark: CacheControl) -> aurax_core::CacheHint {
    let mut hint = aurax_core::CacheHint::new();
    hint.ttl = mark.ttl;
    hint
}
