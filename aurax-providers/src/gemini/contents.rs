//! The conversation: messages become instructions and alternating turns.
//!
//! Facts: <https://ai.google.dev/api/caching#Content>,
//! <https://ai.google.dev/gemini-api/docs/function-calling> and, for the proofs,
//! <https://ai.google.dev/gemini-api/docs/thought-signatures>.

use std::borrow::Cow;
use std::collections::HashMap;

use aurax_core::{
    Json, Message, Native, Origin, Part as Said, Request, Result, Role as Speaker, Signature,
    ToolCall, ToolResult,
};

use super::NAME;
use super::media;
use super::part::{Answer, Content, FunctionCall, FunctionResponse, Part, Piece, Role};
use crate::check::LONGEST_NAME;
use crate::digest::is_made_up;
use crate::omissions::Omissions;
use crate::raw::RawObject;
use crate::refusals::{invalid, misplaced, subject};
use crate::rules::ModelRules;
use crate::wire::Target;

/// Stands in for the proof of a call that another model made.
const STAND_IN: &str = "skip_thought_signature_validator";

/// The kind of a native part that is nothing but the proof of the part before it: pictures have
/// no place for one.
pub(super) const PROOF: &str = "thoughtSignature";

/// What a request says, in the API's order.
#[derive(Debug)]
pub(super) struct Conversation<'a> {
    pub(super) system: Option<Content<'a>>,
    pub(super) contents: Vec<Content<'a>>,
}

/// Reads a request's messages.
///
/// * Instructions, wherever they stand, go to the top, joined by blank lines.
/// * Messages of one role in a row are one turn. Results of tools come first in theirs, in the
///   order of the calls; media in them follow as the user's.
/// * Thoughts go back only where the model signed them; empty words are left out, and so are turns
///   with nothing in them.
///
/// # Errors
/// `InvalidRequest` for what no conversation can hold, `Unsupported` for a part that would be
/// lost.
pub(super) fn conversation<'a>(
    request: &'a Request,
    target: &Target,
    rules: &ModelRules,
    omissions: &mut Omissions,
) -> Result<Conversation<'a>> {
    let mut reader = Reader {
        origin: target.origin(),
        signs_calls: rules.signs_calls,
        omissions,
        system: String::new(),
        turns: Vec::new(),
        calls: HashMap::new(),
        foreign: Foreign::default(),
    };
    for (at, message) in request.messages.iter().enumerate() {
        if message.name.is_some() {
            let subject = format!("messages[{at}].name");
            reader
                .omissions
                .note(&subject, "left out: the API knows no speakers' names")?;
        }
        if message.role.is_instruction() {
            reader.instructions(at, message)?;
        } else {
            reader.message(at, message)?;
        }
    }
    reader.finish()
}

/// What is left out because another maker signed it.
#[derive(Debug, Default)]
struct Foreign {
    proofs: u32,
    thoughts: u32,
    native: u32,
    media: u32,
}

/// A call of the history, as its result needs it.
#[derive(Debug, Clone, Copy)]
struct Called<'a> {
    order: usize,
    name: &'a str,
    id: Option<&'a str>,
}

/// A turn while it grows: results of tools stand before everything else in it.
struct Turn<'a> {
    role: Role,
    results: Vec<(usize, Piece<'a>)>,
    parts: Vec<Piece<'a>>,
    has_call: bool,
}

struct Reader<'a, 'b> {
    origin: Origin,
    signs_calls: bool,
    omissions: &'b mut Omissions,
    system: String,
    turns: Vec<Turn<'a>>,
    calls: HashMap<&'a str, Called<'a>>,
    foreign: Foreign,
}

impl<'a> Reader<'a, '_> {
    fn instructions(&mut self, at: usize, message: &'a Message) -> Result<()> {
        if !self.turns.is_empty() {
            let subject = format!("messages[{at}]");
            self.omissions
                .note(&subject, "moved to the top, where the API has instructions")?;
        }
        let mut joint = "\n\n";
        for (part, number) in message.parts.iter().zip(0..) {
            let Said::Text(text) = part else {
                return Err(misplaced(
                    &subject(at, number),
                    part.kind(),
                    "instructions are words",
                ));
            };
            if text.text.trim().is_empty() {
                continue;
            }
            if !self.system.is_empty() {
                self.system.push_str(joint);
            }
            self.system.push_str(&text.text);
            joint = "";
        }
        Ok(())
    }

    fn message(&mut self, at: usize, message: &'a Message) -> Result<()> {
        let is_model = message.role == Speaker::Assistant;
        let role = if is_model { Role::Model } else { Role::User };
        let is_own = is_model && message.parts.iter().any(|part| self.is_signed_here(part));
        for (part, number) in message.parts.iter().zip(0..) {
            let subject = subject(at, number);
            match part {
                Said::Text(text) => self.words(role, &text.text, text.signature.as_ref()),
                Said::Image(image) => {
                    let part = media::image(&subject, image, self.omissions)?;
                    self.say(role, part);
                }
                Said::Document(document) => {
                    for part in media::document(&subject, document, self.omissions)? {
                        self.say(role, part);
                    }
                }
                Said::Audio(audio) => self.say(role, media::source(&subject, &audio.source)?),
                Said::Native(native) => self.native(role, native)?,
                Said::ToolResult(result) if !is_model => self.result(&subject, result)?,
                Said::Thinking(thinking) if is_model => {
                    if let Some(proof) = self.proof(thinking.signature.as_ref()) {
                        let mut part = Part::text(thinking.text.as_str()).signed(Some(proof));
                        part.thought = Some(true);
                        self.say(role, part);
                    } else if thinking.signature.is_none() {
                        self.foreign.thoughts += 1;
                    }
                }
                Said::RedactedThinking(_) if is_model => self.foreign.proofs += 1,
                Said::Refusal(refusal) if is_model => self.words(role, &refusal.text, None),
                Said::ToolCall(call) if is_model => self.call(&subject, call, is_own)?,
                part if is_model => {
                    return Err(misplaced(
                        &subject,
                        part.kind(),
                        "the model does not say that",
                    ));
                }
                part => return Err(misplaced(&subject, part.kind(), "only the model says that")),
            }
        }
        Ok(())
    }

    /// Whether the provider signed a part: then the ids beside it are its own too.
    fn is_signed_here(&self, part: &Said) -> bool {
        let signature = match part {
            Said::Text(text) => text.signature.as_ref(),
            Said::Thinking(thinking) => thinking.signature.as_ref(),
            Said::ToolCall(call) => call.signature.as_ref(),
            _ => None,
        };
        signature.is_some_and(|signature| {
            let origin = signature.origin.as_ref();
            let by_provider = origin.is_some_and(|by| by.provider == self.origin.provider);
            by_provider || signature.is_for_wire(&self.origin, NAME)
        })
    }

    /// Adds to the turn of `role`, which begins here if the last one is another's.
    fn add(&mut self, role: Role, to: impl FnOnce(&mut Turn<'a>)) {
        match self.turns.last_mut() {
            Some(turn) if turn.role == role => to(turn),
            _ => {
                let mut turn = Turn {
                    role,
                    results: Vec::new(),
                    parts: Vec::new(),
                    has_call: false,
                };
                to(&mut turn);
                self.turns.push(turn);
            }
        }
    }

    fn say(&mut self, role: Role, piece: impl Into<Piece<'a>>) {
        self.add(role, |turn| turn.parts.push(piece.into()));
    }

    fn words(&mut self, role: Role, text: &'a str, signature: Option<&'a Signature>) {
        let proof = self.proof(signature).filter(|_| role == Role::Model);
        if proof.is_some() || !text.is_empty() {
            self.say(role, Part::text(text).signed(proof));
        }
    }

    /// The proof, where the target made it.
    fn proof(&mut self, signature: Option<&'a Signature>) -> Option<&'a str> {
        let signature = signature?;
        let is_own = signature.is_for_wire(&self.origin, NAME);
        self.foreign.proofs += u32::from(!is_own);
        is_own.then_some(signature.data.as_str())
    }

    fn native(&mut self, role: Role, native: &'a Native) -> Result<()> {
        let by_model = native.origin.as_ref() == Some(&self.origin);
        let fits = match (native.kind.as_str(), &native.origin) {
            (PROOF, Some(_)) => by_model,
            _ => native.is_for(&self.origin.provider, NAME),
        };
        if !fits {
            self.foreign.native += 1;
            return Ok(());
        }
        if native.kind != PROOF {
            self.say(role, Piece::Native(Json::parse(native.json.clone())?));
            return Ok(());
        }
        let proof = RawObject::parse(&native.json).and_then(|json| json.text(PROOF));
        self.add(role, |turn| {
            if let Some(Piece::Part(part)) = turn.parts.last_mut() {
                part.thought_signature = proof.map(Cow::Owned);
            }
        });
        Ok(())
    }

    /// A call of a tool.
    ///
    /// Only the first call of a step carries a proof. A model that insists on it takes a stand-in,
    /// which is put also into steps long past, so that the conversation keeps its bytes.
    fn call(&mut self, subject: &str, call: &'a ToolCall, is_own: bool) -> Result<()> {
        let arguments = call.arguments_json();
        if RawObject::parse(arguments).is_none() {
            return Err(invalid(
                subject,
                "a tool call's arguments are not a JSON object; a token limit may have cut them, \
                 leave the call out or ask again",
            )
            .with_context("tool", &call.name));
        }
        let id = Some(call.id.as_str()).filter(|id| is_own && !id.is_empty() && !is_made_up(id));
        let called = Called {
            order: self.calls.len(),
            name: &call.name,
            id,
        };
        self.calls.insert(&call.id, called);
        let proof = self.proof(call.signature.as_ref());
        let signs_calls = self.signs_calls;
        let function_call = FunctionCall {
            id,
            name: &call.name,
            args: Json::parse(arguments)?,
        };
        self.add(Role::Model, |turn| {
            let is_first = !std::mem::replace(&mut turn.has_call, true);
            let stand_in = (is_first && signs_calls).then_some(STAND_IN);
            let mut part = Part::default().signed(proof.or(stand_in));
            part.function_call = Some(function_call);
            turn.parts.push(part.into());
        });
        Ok(())
    }

    /// A tool's result, at the place its call has among the calls.
    fn result(&mut self, subject: &str, result: &'a ToolResult) -> Result<()> {
        let mut words = String::new();
        let mut media = Vec::new();
        for (part, number) in result.content.iter().zip(0..) {
            let subject = format!("{subject}.content[{number}]");
            match part {
                Said::Text(text) => words.push_str(&text.text),
                Said::Image(image) => media.push(media::image(&subject, image, self.omissions)?),
                Said::Document(document) => {
                    media.extend(media::document(&subject, document, self.omissions)?);
                }
                Said::Audio(audio) => media.push(media::source(&subject, &audio.source)?),
                part => {
                    return Err(misplaced(
                        &subject,
                        part.kind(),
                        "a tool cannot answer that",
                    ));
                }
            }
        }
        let called = self.calls.get(result.call_id.as_str()).copied();
        let name = called
            .map(|called| called.name)
            .or(result.name.as_deref())
            .ok_or_else(|| invalid(subject, "a tool's result needs the tool's name"))?;
        if name.len() > LONGEST_NAME {
            return Err(invalid(subject, "the tool's name is too long"));
        }
        let part = Part {
            function_response: Some(FunctionResponse {
                id: called.and_then(|called| called.id),
                name,
                response: match result.is_error {
                    Some(true) => Answer::Error(words),
                    _ => Answer::Output(words),
                },
            }),
            ..Part::default()
        };
        let order = called.map_or(usize::MAX, |called| called.order);
        self.foreign.media += u32::from(!media.is_empty());
        self.add(Role::User, |turn| {
            let at = turn.results.partition_point(|(known, _)| *known <= order);
            turn.results.insert(at, (order, part.into()));
            turn.parts.extend(media.into_iter().map(Piece::from));
        });
        Ok(())
    }

    fn finish(self) -> Result<Conversation<'a>> {
        for (count, what) in [
            (
                self.foreign.proofs,
                "proofs of thoughts left out: another model made them",
            ),
            (
                self.foreign.thoughts,
                "thoughts left out: they carry no signature",
            ),
            (
                self.foreign.native,
                "parts left out: only their own maker knows them",
            ),
            (
                self.foreign.media,
                "results of tools have media, which follow them as the user's",
            ),
        ] {
            if count > 0 {
                self.omissions.note("messages", format!("{count} {what}"))?;
            }
        }
        let contents: Vec<Content<'a>> = self
            .turns
            .into_iter()
            .map(|turn| {
                let results = turn.results.into_iter().map(|(_, piece)| piece);
                Content {
                    role: Some(turn.role),
                    parts: results.chain(turn.parts).collect(),
                }
            })
            .filter(|content| !content.parts.is_empty())
            .collect();
        if contents.is_empty() {
            return Err(invalid(
                "messages",
                "nothing is said besides instructions; add a user's message",
            ));
        }
        let system = (!self.system.is_empty()).then(|| Content {
            role: None,
            parts: vec![Part::text(self.system).into()],
        });
        Ok(Conversation { system, contents })
    }
}
