//! `aurax chat`.

mod model;
mod talk;
mod tell;

use aurax::{Call, Conversation, Ctx, Message, Page, Principal, Provider as _, Request};
use aurax::{SessionEvent, SessionSettings, Sessions};
use clap::Args;
use futures::stream::{BoxStream, StreamExt as _};
use uuid::Uuid;

use super::exit::{Done, Failure};
use super::interrupt::Interrupts;
use super::shell::{Shell, principal};
use super::words;
use crate::boot::Boot;
use model::Asked;
use tell::Teller;

const EXAMPLES: &str = "Examples:
  aurax chat \"Why is the sky blue?\"
  aurax chat -m anthropic/claude-haiku-4-5 \"Hi\"
  aurax chat -s new \"My name is Ada.\"       begin a conversation that is kept
  aurax chat -s last \"What is my name?\"     and go on with it
  aurax chat                                talk; end with Ctrl-D
  git diff | aurax chat \"Review this:\" -    `-` is standard input
  aurax chat --image cat.png \"What is this?\"
  aurax chat --json \"Hi\" | tail -n 1 | jq .cost_decimal

Without -m the model is AURAX_MODEL or `model` of the configuration, else a small one of the first
provider with a key, else one of an Ollama that listens, else the demo. Each call is recorded:
`aurax usage` shows what was spent.

With --json each line is an object, of the shapes that the WebSocket sends: `chat_chunk` with a
`delta`, and last `chat_response` with `content`, `tokens`, `cost`, `cost_decimal`, `usage`, `model`,
`duration_ms`, or `error`.";

/// Ask a model, or talk with it.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Chat {
    /// What to ask; `-` is standard input. Without it, standard input, or a talk on a terminal
    #[arg(value_name = "PROMPT")]
    prompt: Vec<String>,
    /// The model, such as openai/gpt-4o-mini
    #[arg(long, short)]
    model: Option<String>,
    /// Keep the conversation: a session's id, `new`, or `last` for the one last used
    #[arg(long, short, value_name = "SESSION")]
    session: Option<Place>,
    /// Show a picture along with it: a file, or a web address; may be repeated
    #[arg(long, value_name = "FILE|URL")]
    image: Vec<String>,
    /// Instructions that come before the conversation
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// The most tokens to answer with
    #[arg(long, value_name = "N")]
    max_tokens: Option<u32>,
    /// Work for the account of this address
    #[arg(long, value_name = "EMAIL")]
    user: Option<String>,
    /// Print one JSON object a line: what comes, and last the result
    #[arg(long)]
    json: bool,
}

/// Which conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    New,
    Last,
    Id(Uuid),
}

impl std::str::FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "new" => Ok(Self::New),
            "last" => Ok(Self::Last),
            _ => Uuid::parse_str(text)
                .map(Self::Id)
                .map_err(|_| "a session is `new`, `last` or an id".to_owned()),
        }
    }
}

impl Chat {
    pub(super) async fn run(self, shell: &Shell) -> Done {
        let prompt = words::prompt(&self.prompt)?;
        if prompt.is_none() && self.json {
            return Err(Failure::usage(
                "--json goes with a prompt: name one, or pipe it in",
            ));
        }
        let first = prompt
            .map(|text| words::message(&text, &self.image))
            .transpose()?;
        let mut interrupts = Interrupts::new()?;
        let boot = tokio::select! {
            boot = shell.boot(self.model.as_deref()) => boot?,
            () = interrupts.next() => return Err(Failure::interrupted()),
        };
        let mut talk = Talk {
            shell,
            boot: &boot,
            chat: &self,
            principal: Principal::local(),
            conversation: None,
        };
        let done = talk.all(first, &mut interrupts).await;
        let closed = tokio::select! {
            closed = boot.close() => closed,
            () = interrupts.next() => Ok(()),
        };
        done?;
        Ok(closed?)
    }
}

/// A talk as it goes on.
struct Talk<'a> {
    shell: &'a Shell,
    boot: &'a Boot,
    chat: &'a Chat,
    principal: Principal,
    conversation: Option<Conversation>,
}

impl Talk<'_> {
    async fn all(&mut self, first: Option<Message>, interrupts: &mut Interrupts) -> Done {
        self.principal = principal(&self.boot.store, self.chat.user.as_deref()).await?;
        let place = match (self.chat.session, &first) {
            (Some(place), _) => Some(place),
            // A talk has to be kept somewhere; one question has not.
            (None, None) => Some(Place::New),
            (None, Some(_)) => None,
        };
        if let Some(place) = place {
            self.conversation = Some(self.open(place).await?);
        }
        match first {
            Some(message) => self.turn(message, interrupts).await,
            None => talk::converse(self, interrupts).await,
        }
    }

    async fn open(&self, place: Place) -> Done<Conversation> {
        let sessions = self.boot.engine.sessions(self.principal.clone())?;
        let id = match place {
            Place::Id(id) => id,
            Place::Last => {
                let latest = last_used(&sessions).await?;
                latest.ok_or_else(|| {
                    Failure::not_found("there is no session yet").with_hint("`-s new` begins one")
                })?
            }
            Place::New => {
                let mut settings = SessionSettings::default();
                settings.model = Some(model::named(self).await?);
                settings.system.clone_from(&self.chat.system);
                let conversation = sessions.create(settings).await?;
                self.shell
                    .out
                    .remark(format!("session {}", conversation.id()));
                return Ok(conversation);
            }
        };
        let opened = sessions.open(id).await;
        opened.map_err(|error| Failure::from(error).with_hint("`-s new` begins one"))
    }

    /// Asks, and shows the answer as it comes.
    async fn turn(&self, message: Message, interrupts: &mut Interrupts) -> Done {
        let asked = model::asked(self).await?;
        let cancel = aurax::CancellationToken::new();
        let mut teller = Teller::new(self.shell, self.chat.json, self.conversation.as_ref());
        let answered = async {
            let mut events = self.send(message, &asked, cancel.clone()).await?;
            while let Some(event) = events.next().await {
                teller.tell(&event?)?;
            }
            Ok::<(), Failure>(())
        };
        let mut times = 0_u32;
        let done = {
            tokio::pin!(answered);
            loop {
                tokio::select! {
                    done = &mut answered => break done,
                    () = interrupts.next() => {
                        cancel.cancel();
                        times = times.saturating_add(1);
                        // It is settled without us, too.
                        if times > 1 {
                            break Err(Failure::interrupted());
                        }
                    }
                }
            }
        };
        match done {
            Ok(()) => teller.end(),
            Err(failure) => teller.failed(failure),
        }
    }

    async fn send(
        &self,
        message: Message,
        asked: &Asked,
        cancel: aurax::CancellationToken,
    ) -> aurax::Result<BoxStream<'static, aurax::Result<SessionEvent>>> {
        let mut ctx = Ctx::new(self.principal.clone()).with_cancel(cancel);
        if let Some((provider, credential)) = &asked.credential {
            ctx = ctx.with_credential(provider.clone(), credential.clone());
        }
        if let Some(conversation) = &self.conversation {
            let mut send = conversation
                .send(message)
                .model(asked.model.as_str())
                .ctx(ctx);
            if let Some(system) = &self.chat.system {
                send = send.system(system);
            }
            if let Some(tokens) = self.chat.max_tokens {
                send = send.max_output_tokens(tokens);
            }
            return Ok(send.stream().await?.boxed());
        }
        let mut request = Request::default().with_stream(true);
        if let Some(system) = &self.chat.system {
            request = request.with_system(system.as_str());
        }
        if let Some(tokens) = self.chat.max_tokens {
            request = request.with_max_output_tokens(tokens);
        }
        let call = Call::chat(asked.model.clone(), request.with_message(message));
        let reply = self.boot.engine.call(&ctx, &call).await?;
        let answer_id = ctx.request_id().as_uuid();
        let (head, batches) = reply.into_parts();
        let head = SessionEvent::Head { answer_id, head };
        let batches = batches.map(|batch| batch.map(SessionEvent::Batch));
        Ok(futures::stream::once(async { Ok(head) })
            .chain(batches)
            .boxed())
    }
}

/// The session in which something was said or changed last, whenever it was begun.
async fn last_used(sessions: &Sessions) -> aurax::Result<Option<Uuid>> {
    let mut page = Page::first().with_limit(Page::MOST);
    let mut latest = None;
    loop {
        let listed = sessions.list(&page).await?;
        let of_page = listed.data.iter().map(|one| (one.updated_at, one.id));
        latest = latest.into_iter().chain(of_page).max();
        match listed.next_cursor {
            Some(cursor) => page = Page::first().with_limit(Page::MOST).after(cursor),
            None => return Ok(latest.map(|(_, id)| id)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_named_in_three_ways() {
        assert_eq!("new".parse(), Ok(Place::New));
        assert_eq!("last".parse(), Ok(Place::Last));
        let id = Uuid::now_v7();
        assert_eq!(id.to_string().parse(), Ok(Place::Id(id)));
        assert!("latest".parse::<Place>().is_err());
    }
}
