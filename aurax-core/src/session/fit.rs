//! Makes a conversation fit the model's context window, by a stated policy.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::transcript::exchanges;
use crate::chat::{Message, Request, Warning};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::model::ModelInfo;
use crate::tokens::CountSource;

/// What becomes of a conversation that is longer than the model's context window.
///
/// Left out are whole exchanges, the oldest first: what the person said with everything until
/// they spoke again, so that no tool call goes without its result. Instructions and the last
/// exchange are never left out: where these alone do not fit, the call fails with
/// [`ErrorKind::ContextLength`] before anything is sent. What was left out is said in the
/// warnings of the answer.
///
/// Tokens are counted as by [`Engine::count_tokens`]; an estimate is taken for a tenth more. Room
/// is kept for the output limit, or where there is none, for the model's own, at most 4,096 tokens
/// and a quarter of the window. The window of the model that is asked decides, not that of a
/// fallback. Where the window is not known, everything is sent.
///
/// Of a branch, the last 1,000 turns are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ContextPolicy {
    /// Leave out as many of the oldest exchanges as do not fit.
    #[default]
    DropOldest,
    /// Send at most so many exchanges, the last one included; fewer where they do not fit.
    KeepLast(u32),
    /// Leave nothing out: what does not fit is an error.
    Fail,
}

/// How many turns of a branch are read.
pub(super) const MOST_TURNS: u32 = 1_000;
/// Tokens kept for an answer without a limit.
const USUAL_ANSWER: u64 = 4_096;

/// What is known of a conversation before it is made to fit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fitting<'a> {
    pub(super) engine: &'a Engine,
    pub(super) model: &'a str,
    pub(super) policy: ContextPolicy,
    /// Whether there are turns before the messages.
    pub(super) is_cut: bool,
}

/// How many tokens fit, and of what.
#[derive(Debug, Clone, Copy)]
struct Room {
    tokens: u64,
    window: u64,
}

impl Fitting<'_> {
    /// Puts as much of the conversation behind the request's own messages as the policy says.
    pub(super) async fn fit(
        &self,
        base: &Request,
        messages: Vec<Message>,
    ) -> Result<(Request, Vec<Warning>)> {
        if self.is_cut && self.policy == ContextPolicy::Fail {
            return Err(refuse(format!(
                "the conversation has more than {MOST_TURNS} turns, and nothing is to be left out"
            )));
        }
        let info = self.engine.model_info(self.model)?;
        let room = room(base, info.as_ref());
        let exchanges = exchanges(&messages);
        let all = Conversation {
            base,
            messages: &messages,
            exchanges: &exchanges,
        };
        let last = exchanges.len().saturating_sub(1);
        let least = match self.policy {
            ContextPolicy::KeepLast(most) => {
                let most = usize::try_from(most.max(1)).unwrap_or(usize::MAX);
                exchanges.len().saturating_sub(most)
            }
            ContextPolicy::DropOldest | ContextPolicy::Fail => 0,
        };
        let (dropped, request) = match room {
            Some(room) => self.smallest(&all, least, last, room).await?,
            None => (least, all.without(least)),
        };
        let warning = self.say(&all, dropped, room).await?;
        Ok((request, warning.into_iter().collect()))
    }

    /// The request with as few exchanges left out as makes it fit.
    async fn smallest(
        &self,
        all: &Conversation<'_>,
        least: usize,
        last: usize,
        room: Room,
    ) -> Result<(usize, Request)> {
        let request = all.without(least);
        let Err(over) = self.fits(&request, room).await? else {
            return Ok((least, request));
        };
        let nothing_to_drop = self.policy == ContextPolicy::Fail || least >= last;
        let rest = all.without(last);
        let over = match self.fits(&rest, room).await? {
            _ if nothing_to_drop => over,
            Ok(()) => {
                return self.between(all, least, (last, rest), room).await;
            }
            Err(over) => over,
        };
        Err(refuse(format!(
            "the request is {over} tokens longer than what fits `{}`, whose context window has {} \
             with the answer: shorten it, or ask a model with a larger one",
            self.model, room.window
        ))
        .with_context("over_by", over))
    }

    /// Looks for it between what does not fit and what does.
    async fn between(
        &self,
        all: &Conversation<'_>,
        mut too_few: usize,
        mut enough: (usize, Request),
        room: Room,
    ) -> Result<(usize, Request)> {
        while enough.0.saturating_sub(too_few) > 1 {
            let middle = too_few.midpoint(enough.0);
            let request = all.without(middle);
            match self.fits(&request, room).await? {
                Ok(()) => enough = (middle, request),
                Err(_) => too_few = middle,
            }
        }
        Ok(enough)
    }

    /// `Err` with how many tokens are too many.
    async fn fits(&self, request: &Request, room: Room) -> Result<std::result::Result<(), u64>> {
        let tokens = self.tokens(request).await?;
        Ok(match tokens.saturating_sub(room.tokens) {
            0 => Ok(()),
            over => Err(over),
        })
    }

    /// Counts on the safe side.
    async fn tokens(&self, request: &Request) -> Result<u64> {
        let count = self.engine.count_tokens(self.model, request).await?;
        Ok(match count.source {
            CountSource::Estimate => count.tokens.saturating_add(count.tokens.div_ceil(10)),
            CountSource::Provider | CountSource::Exact => count.tokens,
        })
    }

    /// Says what is left out.
    async fn say(
        &self,
        all: &Conversation<'_>,
        dropped: usize,
        room: Option<Room>,
    ) -> Result<Option<Warning>> {
        let left_out = all.left_out(dropped);
        if left_out.is_empty() {
            let cut = format!("the conversation's turns before the last {MOST_TURNS} are left out");
            return Ok(self.is_cut.then(|| Warning::new("messages", cut)));
        }
        let tokens = self.tokens(&Request::new(left_out.clone())).await?;
        let why = room.map_or_else(String::new, |room| {
            format!(
                ", because {} tokens fit beside the answer in a context window of {}",
                room.tokens, room.window
            )
        });
        let older = if self.is_cut {
            format!(", and all before the last {MOST_TURNS} turns")
        } else {
            String::new()
        };
        Ok(Some(Warning::new(
            "messages",
            format!(
                "left out are the {} oldest of {} messages, about {tokens} tokens{older}{why}",
                left_out.len(),
                all.messages.len(),
            ),
        )))
    }
}

/// A conversation, whole.
struct Conversation<'a> {
    base: &'a Request,
    messages: &'a [Message],
    exchanges: &'a [Range<usize>],
}

impl Conversation<'_> {
    fn is_dropped(&self, at: usize, message: &Message, dropped: usize) -> bool {
        let first = self.exchanges.get(dropped).map_or(0, |kept| kept.start);
        at < first && !message.role.is_instruction()
    }

    /// The request without the oldest exchanges.
    fn without(&self, dropped: usize) -> Request {
        let mut request = self.base.clone();
        let kept = (0..).zip(self.messages);
        let kept = kept.filter(|(at, message)| !self.is_dropped(*at, message, dropped));
        request
            .messages
            .extend(kept.map(|(_, message)| message.clone()));
        request
    }

    fn left_out(&self, dropped: usize) -> Vec<Message> {
        let left_out = (0..).zip(self.messages);
        left_out
            .filter(|(at, message)| self.is_dropped(*at, message, dropped))
            .map(|(_, message)| message.clone())
            .collect()
    }
}

/// What is left of the window for input; `None` where the window is not known.
fn room(base: &Request, info: Option<&ModelInfo>) -> Option<Room> {
    let info = info?;
    let window = info.context_window.or(info.max_input_tokens)?;
    let usual = info.max_output_tokens.unwrap_or(USUAL_ANSWER);
    let answer = base
        .max_output_tokens
        .map_or_else(|| usual.min(USUAL_ANSWER).min(window / 4), u64::from);
    let most = info.max_input_tokens.unwrap_or(window);
    Some(Room {
        tokens: window.saturating_sub(answer).min(most),
        window,
    })
}

fn refuse(message: String) -> Error {
    Error::new(ErrorKind::ContextLength, message).with_phase(Phase::Encode)
}
