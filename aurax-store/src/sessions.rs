//! Conversations: core's [`SessionStore`], and what a program adds to one that was said elsewhere.

use async_trait::async_trait;
use aurax_core::{
    Error, ErrorKind, Found, Page, Paged, Principal, Reach, Result, Session, SessionChange,
    SessionStore, Turn,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::bounds::{at_most, refuse};
use crate::catalogue::{idempotency as claims, sessions as sql};
use crate::cursor::{found, most_bytes, one_more};
use crate::db::{Row, args};
use crate::scope::UserScope;
use crate::store::{Store, not_found};
use crate::{turn, words};

/// The most characters of a title.
const TITLE: usize = 500;
/// The most bytes of a session's settings.
const SETTINGS: usize = 256 * 1024;
/// How many messages one statement deletes.
const BATCH: u32 = 500;
/// The most turns of a branch that is read at once.
const BRANCH: u32 = 100_000;
/// The most words of a search.
const WORDS: usize = 32;

fn read(row: &Row) -> Result<Session> {
    let mut session = Session::new(row.uuid("id")?, row.time("created_at")?);
    session.title = row.text_or_null("title")?;
    session.settings = turn::from_json(&row.text("settings")?)?;
    session.leaf = row.uuid_or_null("leaf")?;
    session.turns = row.count("turns")?;
    session.updated_at = row.time("updated_at")?;
    Ok(session)
}

fn read_turns(rows: &[Row]) -> Result<Vec<Turn>> {
    rows.iter().map(turn::read).collect()
}

fn settings(settings: &aurax_core::SessionSettings) -> Result<String> {
    let json = turn::to_json(settings)?;
    at_most("settings", &json, SETTINGS)?;
    Ok(json)
}

fn check_title(title: Option<&str>) -> Result<()> {
    title.map_or(Ok(()), |title| at_most("title", title, TITLE))
}

/// A place in the order of creation, as cursors hold it.
const fn place(seq: u64) -> Uuid {
    Uuid::from_u64_pair(0, seq)
}

impl UserScope {
    /// Adds turns that were said elsewhere to a session, at most [`Page::MOST`] of them, in order;
    /// those that are there already are left alone. The session's leaf stays.
    ///
    /// # Errors
    /// `NotFound` without the session; `SessionBusy` while it answers something; `InvalidRequest`
    /// for more turns, and for turns of another session; `Store` when they cannot be kept.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have added them; all or none.
    pub async fn add_turns(&self, session: Uuid, turns: &[Turn]) -> Result<()> {
        let most = usize::try_from(Page::MOST).unwrap_or(usize::MAX);
        if turns.len() > most {
            let message = format!("at most {most} turns are added at a time");
            return Err(refuse("turns", message));
        }
        if turns.iter().any(|turn| turn.session_id != session) {
            return Err(refuse("session_id", "a turn is of another session"));
        }
        let user = self.user_id();
        let columns: Vec<_> = turns
            .iter()
            .map(|turn| turn::columns(turn, user, None))
            .collect::<Result<_>>()?;
        let latest = turns.iter().map(|turn| turn.seq).max().unwrap_or_default();
        let latest = i64::try_from(latest).unwrap_or(i64::MAX);
        let turns = turn::to_json(&columns)?;
        self.write(move |tx| {
            Box::pin(async move {
                let held = tx.row(&sql::HOLD, &args! { id: session }).await?;
                idle(&held.ok_or_else(|| not_found("session"))?)?;
                tx.run(&sql::IMPORT, &args! { id: session, turns }).await?;
                tx.run(&sql::RECOUNT, &args! { id: session, turns: latest })
                    .await?;
                Ok(())
            })
        })
        .await
    }

    /// The turns that follow `parent`, or the first ones of a session, in the order they were
    /// made: one, and its siblings.
    ///
    /// # Errors
    /// `Store` when they cannot be read; `InvalidRequest` for a cursor of another list.
    ///
    /// # Cancel safety
    /// Dropping the future is harmless.
    pub async fn children(
        &self,
        session: Uuid,
        parent: Option<Uuid>,
        page: &Page,
    ) -> Result<Paged<Turn>> {
        let list = format!("children {session} {}", parent.unwrap_or_default());
        let after = self.after(&list, page)?;
        let most = one_more(page);
        let rows = self
            .read(move |tx| {
                let args = args! { id: session, parent, after, most, bytes: most_bytes() };
                Box::pin(async move { tx.rows(&sql::CHILDREN, &args).await })
            })
            .await?;
        self.by_seq(&list, page, &rows)
    }

    /// After which place a list of turns goes on.
    fn after(&self, list: &str, page: &Page) -> Result<i64> {
        let id = self.store().cursors().read(list, self.user_id(), page)?;
        let (_, seq) = id.unwrap_or_default().as_u64_pair();
        Ok(i64::try_from(seq).unwrap_or(i64::MAX))
    }

    fn by_seq(&self, list: &str, page: &Page, rows: &[Row]) -> Result<Paged<Turn>> {
        let turns = (read_turns(rows)?, found(rows)?);
        let cursors = self.store().cursors();
        Ok(cursors.part(list, self.user_id(), page, turns, |turn| place(turn.seq)))
    }
}

/// Refuses a session that answers something.
fn idle(held: &Row) -> Result<()> {
    if held.uuid_or_null("running")?.is_some() {
        return Err(Error::new(
            ErrorKind::SessionBusy,
            "the session is answering something else: wait for it, or cancel it",
        ));
    }
    Ok(())
}

/// Refuses a session whose settings somebody else has changed meanwhile.
fn as_expected(found: &Session, expected: &aurax_core::SessionSettings) -> Result<()> {
    if found.settings == *expected {
        return Ok(());
    }
    let message = "the session's settings changed meanwhile: read them again";
    Err(Error::new(ErrorKind::Conflict, message))
}

/// A foreign session and one that does not exist are the same: there is none.
#[async_trait]
impl SessionStore for Store {
    async fn create(&self, principal: &Principal, session: &Session) -> Result<()> {
        check_title(session.title.as_deref())?;
        let settings = settings(&session.settings)?;
        let args = args! {
            id: session.id, title: session.title.clone(), settings, leaf: session.leaf,
            turns: i64::try_from(session.turns).unwrap_or(i64::MAX),
            created_at: session.created_at, updated_at: session.updated_at,
        };
        self.user(principal).run(&sql::ADD, args).await?;
        Ok(())
    }

    async fn session(&self, principal: &Principal, id: Uuid) -> Result<Option<Session>> {
        let row = self.user(principal).row(&sql::GET, args! { id }).await?;
        row.as_ref().map(read).transpose()
    }

    async fn change(
        &self,
        principal: &Principal,
        id: Uuid,
        change: &SessionChange,
        at: OffsetDateTime,
    ) -> Result<Option<Session>> {
        check_title(change.title.as_deref())?;
        check_title(change.first_title.as_deref())?;
        let leaf = change.leaf;
        let settings = change.settings.as_ref().map(settings).transpose()?;
        let (title, first_title) = (change.title.clone(), change.first_title.clone());
        let expected = change.expected.clone();
        let args = args! { id, title, first_title, settings, leaf, at };
        let row = self
            .user(principal)
            .write(move |tx| {
                Box::pin(async move {
                    let Some(held) = tx.row(&sql::HOLD, &args! { id }).await? else {
                        return Ok(None);
                    };
                    if let Some(expected) = expected {
                        let row = tx.row(&sql::GET, &args! { id }).await?;
                        let found = read(&row.ok_or_else(|| not_found("session"))?)?;
                        as_expected(&found, &expected)?;
                    }
                    if leaf.is_some() {
                        idle(&held)?;
                        let turn = tx.row(&sql::HAS_TURN, &args! { id, leaf }).await?;
                        turn.ok_or_else(|| not_found("turn"))?;
                    }
                    tx.row(&sql::CHANGE, &args).await
                })
            })
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// What was said goes first, at most 500 turns in a transaction, and the session with the
    /// last of them: of a large one that is interrupted, the rest is there to be deleted again.
    async fn delete(&self, principal: &Principal, id: Uuid) -> Result<bool> {
        let scope = self.user(principal);
        loop {
            let (is_over, deleted) = scope
                .write(move |tx| {
                    Box::pin(async move {
                        let held = tx.row(&sql::HOLD, &args! { id }).await?;
                        if held.is_none() {
                            return Ok((true, false));
                        }
                        // Answers that were kept to be given again say what was said, too.
                        tx.run(&claims::FORGET, &args! { id }).await?;
                        let erased = tx.run(&sql::ERASE, &args! { id, most: BATCH }).await?;
                        if erased == u64::from(BATCH) {
                            return Ok((false, false));
                        }
                        let deleted = tx.run(&sql::DELETE, &args! { id }).await?;
                        Ok((true, deleted > 0))
                    })
                })
                .await?;
            if is_over {
                return Ok(deleted);
            }
        }
    }

    async fn sessions(&self, principal: &Principal, page: &Page) -> Result<Paged<Session>> {
        let list = (&sql::LIST, args! {});
        self.user(principal)
            .page("sessions", list, page, read, |session| session.id)
            .await
    }

    async fn branch(
        &self,
        principal: &Principal,
        id: Uuid,
        leaf: Uuid,
        reach: Reach,
    ) -> Result<Vec<Turn>> {
        if reach.turns == 0 {
            return Ok(Vec::new());
        }
        let most = reach.turns.min(BRANCH);
        let bytes = reach.bytes.and_then(|bytes| i64::try_from(bytes).ok());
        let bytes = bytes.unwrap_or(i64::MAX);
        let rows = self
            .user(principal)
            .rows(&sql::BRANCH, args! { id, leaf, most, bytes })
            .await?;
        read_turns(&rows)
    }

    async fn turns(&self, principal: &Principal, id: Uuid, page: &Page) -> Result<Paged<Turn>> {
        let scope = self.user(principal);
        let list = format!("turns {id}");
        let after = scope.after(&list, page)?;
        let most = one_more(page);
        let args = args! { id, after, most, bytes: most_bytes() };
        let rows = scope.rows(&sql::TURNS, args).await?;
        scope.by_seq(&list, page, &rows)
    }

    async fn children(
        &self,
        principal: &Principal,
        id: Uuid,
        parent: Option<Uuid>,
        page: &Page,
    ) -> Result<Paged<Turn>> {
        self.user(principal).children(id, parent, page).await
    }

    async fn add(&self, principal: &Principal, id: Uuid, turns: &[Turn]) -> Result<()> {
        self.user(principal).add_turns(id, turns).await
    }

    /// Words are runs of letters and digits, of which a message's first 100 kB are known; capitals
    /// make no difference. A query without a word finds nothing, and one of more than 32 is an
    /// `InvalidRequest`.
    async fn search(
        &self,
        principal: &Principal,
        query: &str,
        page: &Page,
    ) -> Result<Paged<Found>> {
        let wanted = words::wanted(query);
        if wanted.is_empty() {
            return Ok(Paged::new(Vec::new(), None));
        }
        if wanted.len() > WORDS {
            let message = format!("at most {WORDS} words are looked for at once");
            return Err(refuse("q", message));
        }
        let words = wanted.iter().cloned().collect::<Vec<_>>().join(" ");
        let list = (&sql::SEARCH, args! { words });
        let found = |row: &Row| {
            let snippet = words::snippet(&row.text("content")?, &wanted);
            Ok(Found::new(turn::read(row)?, snippet))
        };
        self.user(principal)
            .part("search", list, page, found, |found| found.turn.id)
            .await
    }
}
