//! Writes replies: pieces of a stream, in the order the official SDKs expect.

use std::sync::Arc;

use std::mem;

use aurax_core::{
    Delta as Said, End, Error, Event, FinishReason, Head, Response, Start, TokenLogprob, Usage,
};
use bytes::{Bytes, BytesMut};
use serde::Serialize;
use serde_json::value::RawValue;

use super::super::{NAME, details};
use super::chunk::{
    CallPiece, ChoiceEnd, ChoicePiece, Chunk, Counted, Delta, Extra, FunctionPiece, Logprobs,
    Voice, Words, annotation, picture, reason, sound,
};
use super::proofs::Sealed;
use super::{ThoughtFields, usage, whole};
use crate::Seal;
use crate::inbound::order::{Order, Piece};
use crate::inbound::{Stamp, Wishes, WriteReply, failure};

/// The most choices a reply may have.
const MAX_CHOICES: u32 = 128;

/// Writes one reply.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) about: About,
    wants_usage: bool,
    choices: Vec<Choice>,
    usage: Option<Arc<Usage>>,
}

/// What every piece of a reply says.
#[derive(Debug)]
pub(super) struct About {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) model: String,
    pub(super) thoughts: ThoughtFields,
    pub(super) seal: Seal,
    /// The provider speaks this wire too.
    pub(super) is_own: bool,
    pub(super) one_call: bool,
}

#[derive(Debug, Default)]
struct Choice {
    has_begun: bool,
    declines: bool,
    calls: Order,
    sealed: Sealed,
}

impl Writer {
    pub(super) fn new(
        thoughts: ThoughtFields,
        seal: Seal,
        wishes: &Wishes,
        head: &Head,
        stamp: Stamp,
    ) -> Self {
        let Stamp { request_id, now } = stamp;
        Self {
            about: About {
                id: "chatcmpl-".to_owned() + &request_id,
                created: now,
                model: head.model.as_str().to_owned(),
                thoughts,
                seal,
                is_own: head.wire == NAME,
                one_call: wishes.one_call,
            },
            wants_usage: wishes.usage,
            choices: Vec::new(),
            usage: None,
        }
    }

    fn begin(&mut self, start: &Start) {
        self.about
            .begin(start.id.as_deref(), start.model.as_deref(), start.created);
    }

    fn said(&mut self, number: u32, part: u32, said: &Said, out: &mut BytesMut) {
        let Some(choice) = choice(&mut self.choices, number) else {
            return;
        };
        let mut write = Out {
            about: &self.about,
            usage: later(self.wants_usage),
            number,
            out,
        };
        let begins = !mem::replace(&mut choice.has_begun, true);
        if begins {
            let is_text = matches!(said, Said::Text(_));
            write.piece(Delta {
                role: Some("assistant"),
                content: if is_text {
                    Words::Text("")
                } else {
                    Words::Null
                },
                ..Delta::default()
            });
        }
        choice.declines = matches!(said, Said::Refusal(_));
        if !write.about.is_own {
            let by = (&write.about.seal, write.about.thoughts);
            choice.sealed.said(part, said, choice.calls.call(part), by);
        }
        match said {
            Said::Text(text) if text.is_empty() && begins => {}
            Said::Text(text) => write.piece(Delta {
                content: Words::Text(text),
                ..Delta::default()
            }),
            Said::Thinking(text) if text.is_empty() => {}
            Said::Thinking(_) if write.about.thoughts == ThoughtFields::None => {}
            Said::Thinking(text) => {
                let (reasoning_content, reasoning) = write.about.thoughts.named(text.as_str());
                write.piece(Delta {
                    reasoning_content,
                    reasoning,
                    ..Delta::default()
                });
            }
            Said::Refusal(text) => write.piece(Delta {
                refusal: Some(text),
                ..Delta::default()
            }),
            Said::ToolCall(start) => {
                choice
                    .calls
                    .start(part, start, &mut |piece| write.call(&piece));
            }
            Said::Arguments(text) => {
                choice
                    .calls
                    .arguments(part, text, &mut |piece| write.call(&piece));
            }
            Said::Citation(citation) => {
                if let Some(source) = annotation(citation, write.about.is_own) {
                    write.piece(Delta {
                        annotations: Some([source]),
                        ..Delta::default()
                    });
                }
            }
            Said::Image(image) => {
                if let Some(picture) = picture(image) {
                    write.piece(Delta {
                        images: Some([picture]),
                        ..Delta::default()
                    });
                }
            }
            Said::Audio(audio) => write.piece(Delta {
                audio: Some(Voice {
                    id: None,
                    data: sound(&audio.source),
                    transcript: audio.transcript.as_deref(),
                }),
                ..Delta::default()
            }),
            Said::Native(native) if write.about.is_own => {
                choice.native(&native.kind, &native.json, &mut write);
            }
            _ => {}
        }
    }

    fn logprobs(&mut self, number: u32, tokens: &[TokenLogprob], out: &mut BytesMut) {
        let Some(choice) = choice(&mut self.choices, number) else {
            return;
        };
        let (content, refusal) = match choice.declines {
            true => (None, Some(tokens)),
            false => (Some(tokens), None),
        };
        let mut write = Out {
            about: &self.about,
            usage: later(self.wants_usage),
            number,
            out,
        };
        let mut piece = piece(number, Delta::default());
        if !choice.has_begun {
            choice.has_begun = true;
            piece.delta.role = Some("assistant");
            piece.delta.content = Words::Null;
        }
        piece.logprobs = Some(Logprobs { content, refusal });
        write.chunk(&[piece], None, None);
    }

    fn end(&mut self, end: &End, out: &mut BytesMut) {
        let extra = self.about.is_own.then_some(Extra(&end.extra));
        let tier = end.service_tier.as_deref();
        for (number, finish) in (0..MAX_CHOICES).zip(&end.finish) {
            let Some(choice) = choice(&mut self.choices, number) else {
                continue;
            };
            let mut write = Out {
                about: &self.about,
                usage: later(self.wants_usage),
                number,
                out,
            };
            // What a limit cut off is not complete: its arguments are none, not empty.
            if finish.reason == FinishReason::ToolCalls {
                let calls = &mut choice.calls;
                calls.finish_complete(&mut |piece| write.call(&piece));
            }
            choice.calls.finish(&mut |piece| write.call(&piece));
            if let Some(list) = choice.sealed.take() {
                write.piece(Delta {
                    reasoning_details: Some(&list),
                    ..Delta::default()
                });
            }
            let mut delta = Delta::default();
            if !choice.has_begun {
                delta.role = Some("assistant");
                delta.content = Words::Null;
            }
            let mut piece = piece(number, delta);
            let reason = reason(finish, self.about.is_own, self.about.one_call);
            piece.finish_reason = Some(reason);
            piece.end = Some(ChoiceEnd {
                stop_reason: finish.stop_sequence.as_deref(),
                extra: self.about.is_own.then_some(&finish.extra),
            });
            write.chunk(&[piece], tier, extra);
        }
        let usage = end.usage.as_ref().or(self.usage.as_ref());
        if let Some(usage) = usage.filter(|_| self.wants_usage) {
            let usage = usage::write(usage, self.about.is_own);
            let mut write = Out {
                about: &self.about,
                usage: Counted::Now(&usage),
                number: 0,
                out,
            };
            write.chunk(&[], tier, None);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

impl WriteReply for Writer {
    fn whole(&mut self, response: &Response) -> Bytes {
        self.about.begin(
            response.id.as_deref(),
            Some(&response.model),
            response.created,
        );
        whole::write(&self.about, response)
    }

    fn event(&mut self, event: &Event, out: &mut BytesMut) {
        match event {
            Event::Start(start) => self.begin(start),
            Event::Delta {
                choice,
                part,
                delta,
            } => self.said(*choice, *part, delta, out),
            Event::Logprobs { choice, tokens } => self.logprobs(*choice, tokens, out),
            Event::Usage(usage) => self.usage = Some(usage.clone()),
            Event::End(end) => self.end(end, out),
            _ => {}
        }
    }

    fn error(&mut self, error: &Error, out: &mut BytesMut) {
        frame(&failure::openai::body(error), out);
    }

    fn ping(&mut self, out: &mut BytesMut) {
        out.extend_from_slice(b": keepalive\n\n");
    }
}

impl About {
    fn begin(&mut self, id: Option<&str>, model: Option<&str>, created: Option<i64>) {
        if let Some(id) = id {
            id.clone_into(&mut self.id);
        }
        if let Some(model) = model {
            model.clone_into(&mut self.model);
        }
        self.created = created.unwrap_or(self.created);
    }
}

impl ThoughtFields {
    /// The same thoughts as `reasoning_content` and as `reasoning`.
    pub(super) fn named<T: Copy>(self, thoughts: T) -> (Option<T>, Option<T>) {
        match self {
            Self::None => (None, None),
            Self::ReasoningContent => (Some(thoughts), None),
            Self::Reasoning => (None, Some(thoughts)),
            Self::Both => (Some(thoughts), Some(thoughts)),
        }
    }
}

impl Choice {
    /// Blocks of providers that speak this wire.
    fn native(&mut self, kind: &str, json: &str, write: &mut Out<'_>) {
        match kind {
            details::KIND if write.about.thoughts != ThoughtFields::None => {
                let reasoning_details: Option<&RawValue> = serde_json::from_str(json).ok();
                write.piece(Delta {
                    reasoning_details,
                    ..Delta::default()
                });
            }
            "audio" => write.piece(Delta {
                audio: Some(Voice {
                    id: whole::voice_id(json),
                    ..Voice::default()
                }),
                ..Delta::default()
            }),
            "custom_tool_call" => {
                self.calls.finish(&mut |piece| write.call(&piece));
                if let Ok(call) = serde_json::from_str(json) {
                    let index = self.calls.len();
                    write.piece(Delta {
                        tool_calls: Some([CallPiece::Custom { index, call }]),
                        ..Delta::default()
                    });
                }
            }
            _ => {}
        }
    }
}

const fn later<'a>(wants_usage: bool) -> Counted<'a> {
    if wants_usage {
        Counted::Later
    } else {
        Counted::Unasked
    }
}

fn choice(choices: &mut Vec<Choice>, number: u32) -> Option<&mut Choice> {
    let at = usize::try_from(number)
        .ok()
        .filter(|_| number < MAX_CHOICES)?;
    if choices.len() <= at {
        choices.resize_with(at.saturating_add(1), Choice::default);
    }
    choices.get_mut(at)
}

/// Where pieces of one choice go.
struct Out<'a> {
    about: &'a About,
    usage: Counted<'a>,
    number: u32,
    out: &'a mut BytesMut,
}

const fn piece(number: u32, delta: Delta<'_>) -> ChoicePiece<'_> {
    ChoicePiece {
        index: number,
        delta,
        logprobs: None,
        finish_reason: None,
        end: None,
    }
}

impl Out<'_> {
    fn piece(&mut self, delta: Delta<'_>) {
        let piece = piece(self.number, delta);
        self.chunk(&[piece], None, None);
    }

    fn call(&mut self, piece: &Piece<'_>) {
        let one_call = self.about.one_call;
        let mut delta = Delta::default();
        match *piece {
            Piece::Start { index: 0, start } if one_call => {
                delta.function_call = Some(FunctionPiece {
                    name: Some(&start.name),
                    arguments: "",
                });
            }
            Piece::Arguments { index: 0, text } if one_call => {
                delta.function_call = Some(FunctionPiece {
                    name: None,
                    arguments: text,
                });
            }
            // The older form has one call.
            _ if one_call => return,
            Piece::Start { index, start } => {
                delta.tool_calls = Some([CallPiece::Start {
                    index,
                    id: &start.id,
                    r#type: "function",
                    function: FunctionPiece {
                        name: Some(&start.name),
                        arguments: "",
                    },
                }]);
            }
            Piece::Arguments { index, text } => {
                delta.tool_calls = Some([CallPiece::More {
                    index,
                    function: FunctionPiece {
                        name: None,
                        arguments: text,
                    },
                }]);
            }
        }
        self.piece(delta);
    }

    fn chunk(&mut self, choices: &[ChoicePiece<'_>], tier: Option<&str>, extra: Option<Extra<'_>>) {
        let chunk = Chunk {
            id: &self.about.id,
            object: "chat.completion.chunk",
            created: self.about.created,
            model: &self.about.model,
            choices,
            usage: self.usage,
            service_tier: tier,
            system_fingerprint: extra.and_then(Extra::fingerprint),
            extra,
        };
        frame(&chunk, self.out);
    }
}

/// Appends a frame; what has no JSON form, which nothing here lacks, is left out.
fn frame(data: &impl Serialize, out: &mut BytesMut) {
    if let Ok(json) = serde_json::to_vec(data) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&json);
        out.extend_from_slice(b"\n\n");
    }
}
