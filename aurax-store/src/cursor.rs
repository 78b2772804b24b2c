//! Cursors: where a list goes on, signed so that nobody can point them elsewhere.

use aurax_core::{Error, ErrorKind, Page, Paged, Result};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::catalogue::settings;
use crate::db::{Access, Db, Row, args};

/// The bytes of a cursor: the id it stands at, and half of its signature.
const LENGTH: usize = 32;

/// What a database signs its cursors with.
#[derive(Clone)]
pub(crate) struct CursorKey(hmac::Key);

impl std::fmt::Debug for CursorKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CursorKey(…)")
    }
}

impl CursorKey {
    /// The key of a database, which is made the first time.
    pub(crate) async fn of(db: &Db) -> Result<Self> {
        let mut fresh = [0; 32];
        aws_lc_rs::rand::fill(&mut fresh)
            .map_err(|_| Error::new(ErrorKind::Internal, "the system gives no random bytes"))?;
        let bytes = db
            .write(Access::Jobs, move |tx| {
                Box::pin(async move {
                    let named = "cursor_key";
                    let args = args! { name: named, value: fresh.to_vec() };
                    tx.run(&settings::ADD, &args).await?;
                    let row = tx.row(&settings::GET, &args! { name: named }).await?;
                    row.map_or_else(|| Ok(fresh.to_vec()), |row| row.bytes("value"))
                })
            })
            .await?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// Where a list named `list`, which only one tenant can go on with, goes on after `id`.
    pub(crate) fn sign(&self, list: &str, user: Uuid, id: Uuid) -> String {
        let mut bytes = id.as_bytes().to_vec();
        let tag = hmac::sign(&self.0, &signed(list, user, id));
        bytes.extend_from_slice(tag.as_ref().get(..LENGTH - bytes.len()).unwrap_or_default());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// A key of its own for something else. No list's name begins as what is signed here does.
    pub(crate) fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        let mut message = vec![0xff];
        message.extend_from_slice(purpose.as_bytes());
        let tag = hmac::sign(&self.0, &message);
        let mut key = Zeroizing::new([0; 32]);
        key.iter_mut()
            .zip(tag.as_ref())
            .for_each(|(to, from)| *to = *from);
        key
    }

    /// Where a list goes on; `None` at its beginning.
    pub(crate) fn read(&self, list: &str, user: Uuid, page: &Page) -> Result<Option<Uuid>> {
        let Some(cursor) = &page.cursor else {
            return Ok(None);
        };
        let refuse = || {
            Error::new(
                ErrorKind::InvalidRequest,
                "the cursor is not one of this list: begin again without it",
            )
            .with_context("field", "cursor")
        };
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| refuse())?;
        let (id, _) = bytes.split_first_chunk::<16>().ok_or_else(refuse)?;
        let id = Uuid::from_bytes(*id);
        let expected = self.sign(list, user, id);
        // Compared as texts of equal length; a cursor is no secret, it only must not be made up.
        if expected == *cursor {
            Ok(Some(id))
        } else {
            Err(refuse())
        }
    }

    /// A page of `items`, of which one more than the page holds was asked for.
    pub(crate) fn page<T>(
        &self,
        list: &str,
        user: Uuid,
        page: &Page,
        items: Vec<T>,
        id: impl Fn(&T) -> Uuid,
    ) -> Paged<T> {
        let found = items.len();
        self.part(list, user, page, (items, found), id)
    }

    /// A page of `items`, which may be fewer than the `found` that were asked for.
    pub(crate) fn part<T>(
        &self,
        list: &str,
        user: Uuid,
        page: &Page,
        (mut items, found): (Vec<T>, usize),
        id: impl Fn(&T) -> Uuid,
    ) -> Paged<T> {
        let limit = usize::try_from(limit(page)).unwrap_or(usize::MAX);
        items.truncate(limit);
        let more = found > items.len();
        let next = items
            .last()
            .filter(|_| more)
            .map(|item| self.sign(list, user, id(item)));
        Paged::new(items, next)
    }
}

/// How many rows there were for a page, of which those that are too large together were left out.
pub(crate) fn found(rows: &[Row]) -> Result<usize> {
    let found = rows.first().map_or(Ok(0), |row| row.count("found"))?;
    Ok(usize::try_from(found).unwrap_or(usize::MAX))
}

/// How many bytes a page has at most.
pub(crate) fn most_bytes() -> i64 {
    i64::try_from(Page::BYTES).unwrap_or(i64::MAX)
}

/// How many items a page has at most, whatever it asks for.
fn limit(page: &Page) -> u32 {
    page.limit.clamp(1, Page::MOST)
}

/// How many items to ask for: one more than the page has says whether there is another page.
pub(crate) fn one_more(page: &Page) -> u32 {
    limit(page).saturating_add(1)
}

fn signed(list: &str, user: Uuid, id: Uuid) -> Vec<u8> {
    let mut message = list.as_bytes().to_vec();
    message.push(0);
    message.extend_from_slice(user.as_bytes());
    message.extend_from_slice(id.as_bytes());
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    #[test]
    fn a_cursor_is_good_for_its_list_and_tenant_alone() {
        let key = CursorKey(hmac::Key::new(hmac::HMAC_SHA256, b"k"));
        let cursor = key.sign("sessions", id(1), id(2));
        let page = Page::first().after(&cursor);
        assert_eq!(key.read("sessions", id(1), &page).unwrap(), Some(id(2)));
        assert_eq!(key.read("sessions", id(1), &Page::first()).unwrap(), None);
        for (list, user) in [("messages", id(1)), ("sessions", id(3))] {
            let error = key.read(list, user, &page).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        }
        for bad in ["", "x", "!!!!", &cursor[1..], &format!("{cursor}A")] {
            assert!(
                key.read("sessions", id(1), &Page::first().after(bad))
                    .is_err()
            );
        }
        let other = CursorKey(hmac::Key::new(hmac::HMAC_SHA256, b"l"));
        assert!(other.read("sessions", id(1), &page).is_err());
    }

    #[test]
    fn keys_for_other_purposes_differ_by_purpose_and_installation() {
        let key = CursorKey(hmac::Key::new(hmac::HMAC_SHA256, b"k"));
        let other = CursorKey(hmac::Key::new(hmac::HMAC_SHA256, b"l"));
        assert_eq!(key.derive("a"), key.derive("a"));
        assert_ne!(key.derive("a"), key.derive("b"));
        assert_ne!(key.derive("a"), other.derive("a"));
    }

    #[test]
    fn a_page_ends_where_the_next_begins() {
        let key = CursorKey(hmac::Key::new(hmac::HMAC_SHA256, b"k"));
        let page = Page::first().with_limit(2);
        let items = |count: u128| (1..=count).map(id).collect::<Vec<_>>();
        let full = key.page("l", id(9), &page, items(3), |id| *id);
        assert_eq!(full.data, items(2));
        let next = Page::first().after(full.next_cursor.unwrap());
        assert_eq!(key.read("l", id(9), &next).unwrap(), Some(id(2)));
        assert_eq!(
            key.page("l", id(9), &page, items(2), |id| *id).next_cursor,
            None
        );
    }
}
