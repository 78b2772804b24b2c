//! Sessions in memory, beside the ledger of engines without a store.

mod shelf;

use async_trait::async_trait;
use time::OffsetDateTime;
use uuid::Uuid;

use super::lease::{busy, no_session, no_turn};
use super::words;
use super::{Found, Page, Paged, Reach, Session, SessionChange, SessionStore, Turn};
use crate::ctx::Principal;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::MemoryLedger;
pub(crate) use shelf::Shelf;
use shelf::weight;

/// A cursor is what the last item of the page before is known by.
fn read<T: std::str::FromStr>(page: &Page) -> Result<Option<T>> {
    let Some(cursor) = &page.cursor else {
        return Ok(None);
    };
    cursor.parse().map(Some).map_err(|_| {
        Error::new(
            ErrorKind::InvalidRequest,
            "the cursor is not one of this list: take it from the page before",
        )
    })
}

/// The page that `items` begin with.
fn paged<T>(
    page: &Page,
    items: impl Iterator<Item = T>,
    cursor: impl Fn(&T) -> String,
) -> Paged<T> {
    let most = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let mut data: Vec<T> = items.take(most.saturating_add(1)).collect();
    let is_more = data.len() > most;
    data.truncate(most);
    let next = data.last().filter(|_| is_more).map(cursor);
    Paged::new(data, next)
}

fn by_seq(page: &Page, turns: Vec<&Turn>) -> Result<Paged<Turn>> {
    let after: u64 = read(page)?.unwrap_or_default();
    let rest = turns.into_iter().filter(|turn| turn.seq > after);
    let page = bounded(page, rest, |turn| turn, |turn| turn.seq.to_string());
    Ok(page.map(Clone::clone))
}

/// The same for what turns say, of which there may be much.
fn bounded<T>(
    page: &Page,
    items: impl Iterator<Item = T>,
    turn: impl Fn(&T) -> &Turn,
    cursor: impl Fn(&T) -> String,
) -> Paged<T> {
    let mut page = paged(page, items, &cursor);
    let fitting = fitting(&page.data, turn, Page::BYTES);
    if fitting < page.data.len() {
        page.data.truncate(fitting);
        page.next_cursor = page.data.last().map(cursor);
    }
    page
}

/// How many of the first ones say so many bytes at most: one at least.
fn fitting<T>(items: &[T], turn: impl Fn(&T) -> &Turn, bytes: u64) -> usize {
    let mut said = 0_u64;
    let beyond = items.iter().skip_while(|item| {
        let weight = u64::try_from(weight(turn(item))).unwrap_or(u64::MAX);
        said = said.saturating_add(weight);
        said <= bytes
    });
    items.len().saturating_sub(beyond.count()).max(1)
}

/// Sessions are kept as long as there is room: at most [`MemoryLedger::SESSIONS`], of
/// [`MemoryLedger::SESSION_BYTES`] altogether ([`MemoryLedger::with_session_bytes`]). Where there is none, those that were idle for
/// longest are forgotten; when all are in use, another one fails with `Store`.
#[async_trait]
impl SessionStore for MemoryLedger {
    async fn create(&self, principal: &Principal, session: &Session) -> Result<()> {
        self.shelf().create(principal, session)
    }

    async fn session(&self, principal: &Principal, id: Uuid) -> Result<Option<Session>> {
        let shelf = self.shelf();
        let book = shelf.book(principal, id);
        Ok(book.map(|book| book.session.clone()))
    }

    async fn change(
        &self,
        principal: &Principal,
        id: Uuid,
        change: &SessionChange,
        at: OffsetDateTime,
    ) -> Result<Option<Session>> {
        let mut shelf = self.shelf();
        let Some(book) = shelf.book_mut(principal, id) else {
            return Ok(None);
        };
        let settings = &book.session.settings;
        if change.expected.as_ref().is_some_and(|own| own != settings) {
            return Err(Error::new(
                ErrorKind::Conflict,
                "the session's settings changed meanwhile: read them again",
            ));
        }
        if let Some(leaf) = change.leaf {
            if book.run.is_some() {
                return Err(busy());
            }
            if book.turn(leaf).is_none() {
                return Err(no_turn(leaf));
            }
            book.session.leaf = Some(leaf);
        }
        let session = &mut book.session;
        if let Some(title) = &change.first_title {
            session.title.get_or_insert_with(|| title.clone());
        }
        if let Some(title) = &change.title {
            session.title = Some(title.clone());
        }
        if let Some(settings) = &change.settings {
            session.settings = settings.clone();
        }
        session.updated_at = at;
        Ok(Some(session.clone()))
    }

    async fn delete(&self, principal: &Principal, id: Uuid) -> Result<bool> {
        Ok(self.shelf().delete(principal, id))
    }

    async fn sessions(&self, principal: &Principal, page: &Page) -> Result<Paged<Session>> {
        let before: Option<Uuid> = read(page)?;
        let shelf = self.shelf();
        let mut all: Vec<&Session> = shelf
            .books(principal)
            .map(|book| &book.session)
            .filter(|session| before.is_none_or(|before| session.id < before))
            .collect();
        all.sort_unstable_by_key(|session| std::cmp::Reverse(session.id));
        let page = paged(page, all.into_iter(), |session| session.id.to_string());
        Ok(page.map(Clone::clone))
    }

    async fn branch(
        &self,
        principal: &Principal,
        id: Uuid,
        leaf: Uuid,
        reach: Reach,
    ) -> Result<Vec<Turn>> {
        let shelf = self.shelf();
        let Some(book) = shelf.book(principal, id) else {
            return Ok(Vec::new());
        };
        let most = usize::try_from(reach.turns).unwrap_or(usize::MAX);
        let back = std::iter::successors(book.turn(leaf), |turn| book.turn(turn.parent_id?));
        let mut turns: Vec<&Turn> = back.take(most).collect();
        turns.truncate(fitting(
            &turns,
            |turn| turn,
            reach.bytes.unwrap_or(u64::MAX),
        ));
        let mut turns: Vec<Turn> = turns.into_iter().cloned().collect();
        turns.reverse();
        Ok(turns)
    }

    async fn turns(&self, principal: &Principal, id: Uuid, page: &Page) -> Result<Paged<Turn>> {
        let shelf = self.shelf();
        let turns = shelf.book(principal, id).map(|book| book.turns());
        by_seq(page, turns.into_iter().flatten().collect())
    }

    async fn children(
        &self,
        principal: &Principal,
        id: Uuid,
        parent: Option<Uuid>,
        page: &Page,
    ) -> Result<Paged<Turn>> {
        let shelf = self.shelf();
        let turns = shelf.book(principal, id).map(|book| book.turns());
        let children = turns.into_iter().flatten();
        by_seq(
            page,
            children.filter(|turn| turn.parent_id == parent).collect(),
        )
    }

    async fn add(&self, principal: &Principal, id: Uuid, turns: &[Turn]) -> Result<()> {
        let mut shelf = self.shelf();
        let book = shelf.book(principal, id).ok_or_else(|| no_session(id))?;
        if book.run.is_some() {
            return Err(busy());
        }
        shelf.add(id, turns)
    }

    async fn search(
        &self,
        principal: &Principal,
        query: &str,
        page: &Page,
    ) -> Result<Paged<Found>> {
        let before: Option<Uuid> = read(page)?;
        let wanted = words::words(query).collect();
        let shelf = self.shelf();
        let mut found: Vec<Found> = shelf
            .books(principal)
            .flat_map(|book| book.turns())
            .filter(|turn| before.is_none_or(|before| turn.id < before))
            .filter_map(|turn| {
                let snippet = words::find(&turn.message.text(), &wanted)?;
                Some(Found::new(turn.clone(), snippet))
            })
            .collect();
        found.sort_unstable_by_key(|found| std::cmp::Reverse(found.turn.id));
        let cursor = |found: &Found| found.turn.id.to_string();
        Ok(bounded(
            page,
            found.into_iter(),
            |found| &found.turn,
            cursor,
        ))
    }
}
