//! One principal's sessions.

use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use uuid::Uuid;

use super::import::{import_document, import_lines};
use super::lease::no_session;
use super::{Conversation, Found, Page, Paged, Session, SessionSettings, SessionStore};
use crate::ctx::Principal;
use crate::engine::Engine;
use crate::error::Result;
use crate::id::new_id;

/// One principal's sessions: nobody else's are found here. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sessions {
    engine: Engine,
    store: Arc<dyn SessionStore>,
    principal: Principal,
}

impl Sessions {
    pub(crate) fn new(engine: Engine, store: Arc<dyn SessionStore>, principal: Principal) -> Self {
        Self {
            engine,
            store,
            principal,
        }
    }

    /// Begins a session.
    ///
    /// # Errors
    /// `Store` when it cannot be kept.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have begun it.
    pub async fn create(&self, settings: SessionSettings) -> Result<Conversation> {
        let mut session = Session::new(new_id(), self.engine.clock().now());
        session.settings = settings;
        self.keep(&session).await
    }

    pub(super) async fn keep(&self, session: &Session) -> Result<Conversation> {
        self.store.create(&self.principal, session).await?;
        Ok(self.at(session.id))
    }

    /// Opens a session.
    ///
    /// # Errors
    /// `NotFound` where there is none; `Store` when it cannot be read.
    ///
    /// # Cancel safety
    /// Dropping the future is harmless.
    pub async fn open(&self, id: Uuid) -> Result<Conversation> {
        let session = self.store.session(&self.principal, id).await?;
        session.map(|_| self.at(id)).ok_or_else(|| no_session(id))
    }

    fn at(&self, id: Uuid) -> Conversation {
        Conversation {
            engine: self.engine.clone(),
            store: self.store.clone(),
            principal: self.principal.clone(),
            id,
        }
    }

    /// The sessions, the latest made first.
    ///
    /// # Errors
    /// `Store` when they cannot be read; `InvalidRequest` for a cursor of another list.
    ///
    /// # Cancel safety
    /// Dropping the future is harmless.
    pub async fn list(&self, page: &Page) -> Result<Paged<Session>> {
        self.store.sessions(&self.principal, page).await
    }

    /// Turns of any session that say all words of `query`, the latest first.
    ///
    /// # Errors
    /// As [`Sessions::list`].
    ///
    /// # Cancel safety
    /// Dropping the future is harmless.
    pub async fn search(&self, query: &str, page: &Page) -> Result<Paged<Found>> {
        self.store.search(&self.principal, query, page).await
    }

    /// Deletes a session with all that was said in it. What it cost stays recorded; an answer that
    /// is on its way is paid for and not kept.
    ///
    /// # Errors
    /// `NotFound` where there is none; `Store` when it cannot be deleted.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have deleted it.
    pub async fn delete(&self, id: Uuid) -> Result<()> {
        let deleted = self.store.delete(&self.principal, id).await?;
        deleted.then_some(()).ok_or_else(|| no_session(id))
    }

    /// Makes a session of what [`Conversation::export`] wrote as one JSON document, at most
    /// 64 MiB: with new ids, and otherwise the same.
    ///
    /// # Errors
    /// `InvalidRequest` for something else; `Store` when it cannot be kept. What was kept until then
    /// is deleted again.
    ///
    /// # Cancel safety
    /// A dropped future may leave a part of it.
    pub async fn import(&self, document: impl AsRef<[u8]> + Send) -> Result<Conversation> {
        import_document(self, document.as_ref()).await
    }

    /// The same for JSON Lines, read as they come: at most a page of turns is held at a time, of
    /// lines of at most 64 MiB.
    ///
    /// # Errors
    /// As [`Sessions::import`], and what the stream fails with.
    ///
    /// # Cancel safety
    /// A dropped future may leave a part of it.
    pub async fn import_lines(
        &self,
        lines: impl Stream<Item = Result<Bytes>> + Send,
    ) -> Result<Conversation> {
        import_lines(self, lines).await
    }
}
