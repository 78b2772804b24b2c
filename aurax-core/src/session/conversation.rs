//! One session, open for sending.

use std::sync::Arc;

use uuid::Uuid;

use super::branch::{Reader, Wish, refuse};
use super::lease::no_session;
use super::title::TitleRequest;
use super::{
    Page, Paged, Reach, SendRequest, Session, SessionChange, SessionSettings, SessionStore, Turn,
};
use crate::chat::Message;
use crate::ctx::Principal;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};

/// The most characters of a title.
const LONGEST_TITLE: usize = 200;
/// How often a change is made anew because somebody else was faster.
const UPDATES: u32 = 16;

/// One session, open for sending. Cheap to clone; it holds nothing of what was said.
///
/// ```
/// # use aurax_core::{Engine, Principal, Result, SessionSettings};
/// # async fn demo(engine: Engine) -> Result<()> {
/// let sessions = engine.sessions(Principal::local())?;
/// let chat = sessions.create(SessionSettings::default()).await?;
/// let answer = chat.send("Why is the sky blue?").model("one/small").await?;
/// println!("{}", answer.text());
/// let answer = chat.send("And at night?").model("other/large").await?;
/// println!("{}", answer.text());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Conversation {
    pub(super) engine: Engine,
    pub(super) store: Arc<dyn SessionStore>,
    pub(super) principal: Principal,
    pub(super) id: Uuid,
}

impl Conversation {
    /// The session's id.
    pub const fn id(&self) -> Uuid {
        self.id
    }

    /// Says something after the last turn: the person's message, or the results of tools that the
    /// last answer asks for.
    pub fn send(&self, message: impl Into<Message>) -> SendRequest {
        SendRequest::new(self.clone(), Wish::Say(message.into()))
    }

    /// Answers once more: a model's turn gets a sibling, any other turn another answer. The branch
    /// in use ends with the answer, once there is one.
    pub fn regenerate(&self, turn: Uuid) -> SendRequest {
        SendRequest::new(self.clone(), Wish::Again(turn))
    }

    /// Says something in place of what the person said: a sibling of that turn, and its answer.
    pub fn edit(&self, turn: Uuid, message: impl Into<Message>) -> SendRequest {
        SendRequest::new(self.clone(), Wish::Edit(turn, message.into()))
    }

    /// What is kept of the session besides its turns.
    ///
    /// # Errors
    /// `NotFound` when it was deleted; `Store` when it cannot be read.
    ///
    /// # Cancel safety
    /// Dropping the future is harmless.
    pub async fn record(&self) -> Result<Session> {
        let session = self.store.session(&self.principal, self.id).await?;
        session.ok_or_else(|| no_session(self.id))
    }

    /// The branch in use, in order; of a longer one, the last turns, as many as `reach` says.
    ///
    /// # Errors
    /// As [`Conversation::record`].
    ///
    /// # Cancel safety
    /// Dropping the future is harmless.
    pub async fn history(&self, reach: impl Into<Reach>) -> Result<Vec<Turn>> {
        let reach = reach.into();
        match self.record().await?.leaf {
            Some(leaf) => {
                let turns = self.store.branch(&self.principal, self.id, leaf, reach);
                turns.await
            }
            None => Ok(Vec::new()),
        }
    }

    /// All turns, of every branch, in the order they were made.
    ///
    /// # Errors
    /// `Store` when they cannot be read; `InvalidRequest` for a cursor of another list.
    ///
    /// # Cancel safety
    /// Dropping the future is harmless.
    pub async fn turns(&self, page: &Page) -> Result<Paged<Turn>> {
        self.store.turns(&self.principal, self.id, page).await
    }

    /// A turn and what stands in its place on other branches, in the order they were made.
    ///
    /// # Errors
    /// `NotFound` for a turn that is not there; as [`Conversation::turns`].
    ///
    /// # Cancel safety
    /// Dropping the future is harmless.
    pub async fn siblings(&self, turn: Uuid, page: &Page) -> Result<Paged<Turn>> {
        let parent = self.reader().turn(turn).await?.parent_id;
        let children = self.store.children(&self.principal, self.id, parent, page);
        children.await
    }

    /// Goes on from another turn.
    ///
    /// # Errors
    /// `NotFound` for a turn that is not there, `SessionBusy` while the session answers; as
    /// [`Conversation::record`].
    ///
    /// # Cancel safety
    /// A dropped future may or may not have changed it.
    pub async fn switch(&self, leaf: Uuid) -> Result<Session> {
        self.change(&SessionChange::leaf(leaf)).await
    }

    /// Replaces the settings.
    ///
    /// # Errors
    /// As [`Conversation::record`].
    ///
    /// # Cancel safety
    /// A dropped future may or may not have changed them.
    pub async fn set(&self, settings: SessionSettings) -> Result<Session> {
        self.change(&SessionChange::settings(settings)).await
    }

    /// Sets the title: 1 to 200 characters, none of them control characters. It wins over one that
    /// is generated.
    ///
    /// # Errors
    /// `InvalidRequest` for another title; as [`Conversation::record`].
    ///
    /// # Cancel safety
    /// A dropped future may or may not have changed it.
    pub async fn rename(&self, title: &str) -> Result<Session> {
        self.change(&SessionChange::title(checked(title)?)).await
    }

    /// Changes several things at once, as `change` says for what the session is at that moment: all
    /// of them, or none. Where somebody else changed the settings in between, it is asked again.
    ///
    /// # Errors
    /// What `change` fails with; `Conflict` where others change the settings all the time;
    /// `InvalidRequest` for a title that [`Conversation::rename`] refuses; as
    /// [`Conversation::switch`].
    ///
    /// # Cancel safety
    /// A dropped future may or may not have changed it.
    pub async fn update<E: From<Error> + Send>(
        &self,
        change: impl Fn(&Session) -> Result<SessionChange, E> + Send + Sync,
    ) -> Result<Session, E> {
        let mut tries = UPDATES;
        loop {
            let session = self.record().await?;
            let mut wanted = change(&session)?;
            if wanted.settings.is_some() {
                wanted.expected = Some(session.settings);
            }
            if let Some(title) = &wanted.title {
                wanted.title = Some(checked(title)?.to_owned());
            }
            tries = tries.saturating_sub(1);
            match self.change(&wanted).await {
                Err(error) if error.kind() == ErrorKind::Conflict && tries > 0 => {}
                changed => return Ok(changed?),
            }
        }
    }

    /// Gives the session a title where it has none. Nothing happens until this is awaited.
    pub fn title(&self) -> TitleRequest {
        TitleRequest::new(self.clone())
    }

    pub(super) async fn change(&self, change: &SessionChange) -> Result<Session> {
        let now = self.engine.clock().now();
        let session = self
            .store
            .change(&self.principal, self.id, change, now)
            .await?;
        session.ok_or_else(|| no_session(self.id))
    }

    fn reader(&self) -> Reader<'_> {
        Reader {
            store: &*self.store,
            principal: &self.principal,
            id: self.id,
        }
    }
}

/// A title as it is kept.
pub(super) fn checked(title: &str) -> Result<&str> {
    let title = title.trim();
    if title.is_empty()
        || title.chars().count() > LONGEST_TITLE
        || title.chars().any(char::is_control)
    {
        return Err(refuse(
            "a title has 1 to 200 characters and no control characters",
        ));
    }
    Ok(title)
}
