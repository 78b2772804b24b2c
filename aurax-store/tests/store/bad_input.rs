//! What makes no sense: every time a clear error that names the thing.

use aurax_core::{ErrorKind, Json, Page, Result, SessionStore as _};
use aurax_store::{NewAlert, Store, UsageFilter};

use crate::access_keys::account;
use crate::desk::Desk;
use crate::sessions::{ada, session, turn};

fn message<T: std::fmt::Debug>(opened: Option<Result<T>>) -> Option<String> {
    let error = opened?.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    Some(error.to_string())
}

pub(crate) async fn a_database_newer_than_the_program_is_refused(desk: Desk) -> Desk {
    desk.tamper("INSERT INTO schema_migrations VALUES (999, 'later', 'x')")
        .await;
    if let Some(message) = message::<Store>(desk.reopen().await) {
        assert!(message.contains("newer than this program"), "{message}");
        assert!(message.contains("999"), "{message}");
    }
    desk
}

pub(crate) async fn another_programs_database_is_refused(desk: Desk) -> Desk {
    desk.tamper("INSERT INTO schema_migrations VALUES (0, 'other', 'x')")
        .await;
    if let Some(message) = message::<Store>(desk.reopen().await) {
        assert!(message.contains("unknown migration, 0"), "{message}");
    }
    desk.tamper("DELETE FROM schema_migrations WHERE version = 0")
        .await;
    if let Some(store) = desk.reopen().await {
        store.unwrap().close().await;
    }
    desk.tamper("UPDATE schema_migrations SET checksum = 'x' WHERE version = 1")
        .await;
    if let Some(message) = message::<Store>(desk.reopen().await) {
        assert!(message.contains("another `0001_tables`"), "{message}");
    }
    desk
}

/// Every list, asked with a cursor.
async fn lists(store: &Store, page: &Page) -> Vec<(&'static str, Result<String>)> {
    let (who, admin) = (&ada(), store.admin());
    let scope = store.user(who);
    let id = scope.user_id();
    let mut all = Vec::new();
    macro_rules! ask {
        ($($name:literal: $work:expr;)*) => {
            $(all.push(($name, $work.await.map(|page| format!("{page:?}")))));*
        };
    }
    ask! {
        "users": admin.users(page);
        "sessions": store.sessions(who, page);
        "turns": store.turns(who, id, page);
        "children": scope.children(id, None, page);
        "search": store.search(who, "word", page);
        "provider keys": scope.provider_keys().list(None, page);
        "access keys": scope.access_keys().list(page);
        "logins": scope.logins(page);
        "usage": scope.usage().rows(&UsageFilter::default(), page);
        "history": scope.history(None, page);
        "alerts": scope.alerts().list(page);
        "alert events": scope.alerts().events(page);
    }
    all
}

pub(crate) async fn a_cursor_of_elsewhere_is_refused_by_every_list(desk: Desk) -> Desk {
    // Somebody else's list of the same name.
    let (_, eve) = account(&desk, "eve@x.org").await;
    for name in ["a", "b"] {
        let new = NewAlert::new(name, "m", aurax_core::Decimal::ONE);
        eve.alerts().add(new).await.unwrap();
    }
    let page = Page::first().with_limit(1);
    let foreign = eve.alerts().list(&page).await.unwrap();
    let foreign = foreign.next_cursor.unwrap();
    let torn = &foreign[1..];
    for cursor in [
        foreign.as_str(),
        torn,
        "",
        "x",
        "\0",
        "ä",
        &"x".repeat(10_000),
    ] {
        let page = Page::first().after(cursor);
        for (list, answer) in lists(&desk.store, &page).await {
            let Err(error) = answer else {
                panic!("{list} takes it");
            };
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{list}");
            assert_eq!(error.context("field"), Some("cursor"), "{list}");
        }
    }
    let mine = eve.alerts().list(&Page::first().after(foreign)).await;
    assert_eq!(mine.unwrap().data.len(), 1);
    desk
}

pub(crate) async fn a_cursor_whose_item_is_gone_goes_on(desk: Desk) -> Desk {
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(session(&desk, &ada()).await.id);
    }
    let page = Page::first().with_limit(1);
    let first = desk.store.sessions(&ada(), &page).await.unwrap();
    assert!(desk.store.delete(&ada(), made[2]).await.unwrap());
    let rest = page.after(first.next_cursor.unwrap()).with_limit(9);
    let rest = desk.store.sessions(&ada(), &rest).await.unwrap();
    let ids: Vec<_> = rest.data.iter().map(|session| session.id).collect();
    assert_eq!(ids, [made[1], made[0]]);
    desk
}

pub(crate) async fn a_nul_is_refused_by_the_name_of_its_field(desk: Desk) -> Desk {
    let scope = desk.store.user(&ada());
    let json = Json::parse("{}").unwrap();
    let nul = "a\0b";
    let history = scope.add_to_history("p", nul, &json, None).await;
    let login = scope.begin_login(Some(nul)).await.map(|_| ());
    let mut filter = UsageFilter::default();
    filter.provider = Some(nul.to_owned());
    let usage = scope.usage().summary(&filter).await.map(|_| ());
    let key = scope.provider_keys().resolve("p", Some(nul)).await;
    for (error, field) in [
        (history.unwrap_err(), "model"),
        (login.unwrap_err(), "label"),
        (usage.unwrap_err(), "provider"),
        (key.unwrap_err(), "key_name"),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{field}");
        assert_eq!(error.context("field"), Some(field));
        assert!(error.to_string().contains("NUL"), "{error}");
    }
    // What somebody said is kept all the same, to the byte.
    let session = session(&desk, &ada()).await;
    let said = turn(&session, 1, None, nul);
    scope
        .add_turns(session.id, std::slice::from_ref(&said))
        .await
        .unwrap();
    let turns = desk.store.turns(&ada(), session.id, &Page::first()).await;
    assert_eq!(turns.unwrap().data, [said]);
    desk
}
