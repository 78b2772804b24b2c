//! Access keys.

use aurax_core::{ErrorKind, Page, Principal, Secret};
use aurax_store::{AccessKeyChange, Edit, NewAccessKey, NewUser, User, UserChange, UserScope};
use time::Duration;

use crate::desk::{Desk, Hands, Kind};

pub(crate) async fn account(desk: &Desk, email: &str) -> (User, UserScope) {
    let user = desk.store.admin().add_user(NewUser::new(email)).await;
    let user = user.unwrap();
    let scope = desk.store.user(&Principal::new(user.id.to_string()));
    (user, scope)
}

#[expect(clippy::disallowed_methods, reason = "the test looks at the secret")]
pub(crate) fn text(secret: &Secret) -> &str {
    secret.expose()
}

pub(crate) async fn an_access_key_is_known_by_its_secret(desk: Desk) -> Desk {
    let (user, scope) = account(&desk, "a@x.org").await;
    let mut new = NewAccessKey::new("ci");
    new.scopes = vec!["chat".to_owned()];
    new.models = Some(vec!["openai/*".to_owned()]);
    new.requests_per_minute = Some(60);
    let (key, secret) = scope.access_keys().add(new).await.unwrap();
    let shown = text(&secret);
    assert!(
        shown.starts_with("aurax_") && shown.len() == 49,
        "{}",
        shown.len()
    );
    assert!(key.masked_key.ends_with(&shown[45..]));
    assert_eq!((key.scopes.len(), key.requests_per_minute), (1, Some(60)));
    let admin = desk.store.admin();
    let (found, owner) = admin.access_key(&secret).await.unwrap().unwrap();
    assert_eq!((found, owner), (key, user));
    for wrong in ["aurax_x", "", &shown[..48], &"x".repeat(100_000)] {
        let found = admin.access_key(&Secret::new(wrong)).await.unwrap();
        assert!(found.is_none());
    }
    desk
}

pub(crate) async fn a_key_that_is_off_or_old_opens_nothing(desk: Desk) -> Desk {
    let clock = Hands::new();
    let store = desk.store.with_clock(clock.clone());
    let (user, _) = account(&desk, "a@x.org").await;
    let keys = store
        .user(&Principal::new(user.id.to_string()))
        .access_keys();
    let mut new = NewAccessKey::new("short");
    new.expires_at = Some(clock.at() + Duration::HOUR);
    let (key, secret) = keys.add(new).await.unwrap();
    let admin = store.admin();
    let opens = async || admin.access_key(&secret).await.unwrap().is_some();
    assert!(opens().await);
    let mut off = AccessKeyChange::default();
    off.is_active = Some(false);
    keys.change(key.id, off).await.unwrap();
    assert!(!opens().await);
    let mut on = AccessKeyChange::default();
    on.is_active = Some(true);
    keys.change(key.id, on).await.unwrap();
    assert!(opens().await);
    clock.pass(Duration::HOUR);
    assert!(!opens().await);
    let mut forever = AccessKeyChange::default();
    forever.expires_at = Edit::Clear;
    keys.change(key.id, forever).await.unwrap();
    assert!(opens().await);
    let mut closed = UserChange::default();
    closed.is_active = Some(false);
    admin.change_user(user.id, closed).await.unwrap();
    assert!(!opens().await);
    desk
}

pub(crate) async fn a_keys_last_use_is_written_once_a_minute(desk: Desk) -> Desk {
    let clock = Hands::new();
    let store = desk.store.with_clock(clock.clone());
    let (_, scope) = account(&desk, "a@x.org").await;
    let (key, secret) = scope
        .access_keys()
        .add(NewAccessKey::new("k"))
        .await
        .unwrap();
    assert_eq!(key.last_used_at, None);
    let used = async || {
        store.admin().access_key(&secret).await.unwrap().unwrap();
        scope.access_keys().get(key.id).await.unwrap().last_used_at
    };
    let first = clock.at();
    assert_eq!(used().await, Some(first));
    clock.pass(Duration::seconds(59));
    assert_eq!(used().await, Some(first));
    clock.pass(Duration::seconds(2));
    assert_eq!(used().await, Some(first + Duration::seconds(61)));
    desk
}

/// A database that is too busy to note who came lets them in all the same.
pub(crate) async fn a_key_opens_though_its_use_cannot_be_written(desk: Desk) -> Desk {
    let (_, scope) = account(&desk, "a@x.org").await;
    let keys = scope.access_keys();
    let (key, secret) = keys.add(NewAccessKey::new("k")).await.unwrap();
    match desk.kind {
        Kind::Memory => return desk,
        Kind::File => {
            let busy = "CREATE TRIGGER busy BEFORE UPDATE ON access_keys
                        BEGIN SELECT RAISE(ABORT, 'busy'); END";
            desk.tamper(busy).await;
        }
        Kind::Postgres | Kind::PgBouncer => {
            desk.tamper("REVOKE UPDATE ON access_keys FROM aurax_jobs")
                .await;
        }
    }
    let (found, _) = desk
        .store
        .admin()
        .access_key(&secret)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.id, key.id);
    assert_eq!(keys.get(key.id).await.unwrap().last_used_at, None);
    desk
}

pub(crate) async fn a_change_of_a_key_touches_what_it_names(desk: Desk) -> Desk {
    let (_, scope) = account(&desk, "a@x.org").await;
    let keys = scope.access_keys();
    let mut new = NewAccessKey::new("k");
    new.models = Some(vec!["a".to_owned()]);
    new.tokens_per_minute = Some(7);
    let (key, _) = keys.add(new).await.unwrap();
    let mut change = AccessKeyChange::default();
    change.name = Some("other".to_owned());
    change.requests_per_minute = Edit::Set(5);
    let changed = keys.change(key.id, change).await.unwrap();
    assert_eq!(changed.models, key.models);
    assert_eq!(
        (
            changed.name.as_str(),
            changed.requests_per_minute,
            changed.tokens_per_minute
        ),
        ("other", Some(5), Some(7))
    );
    let mut change = AccessKeyChange::default();
    change.models = Edit::Clear;
    change.tokens_per_minute = Edit::Clear;
    change.scopes = Some(vec!["chat".to_owned()]);
    let changed = keys.change(key.id, change).await.unwrap();
    assert_eq!((changed.models, changed.tokens_per_minute), (None, None));
    assert_eq!(changed.requests_per_minute, Some(5));
    assert_eq!(keys.list(&Page::first()).await.unwrap().data.len(), 1);
    keys.delete(key.id).await.unwrap();
    let error = keys.get(key.id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    desk
}

pub(crate) async fn an_access_key_that_cannot_be_kept_is_named(desk: Desk) -> Desk {
    let (_, scope) = account(&desk, "a@x.org").await;
    let mut many = NewAccessKey::new("k");
    many.scopes = vec!["s".to_owned(); 201];
    let mut model = NewAccessKey::new("k");
    model.models = Some(vec!["m".repeat(201)]);
    let mut fast = NewAccessKey::new("k");
    fast.requests_per_minute = Some(u32::MAX);
    for (bad, field) in [
        (NewAccessKey::new(""), "name"),
        (NewAccessKey::new("n".repeat(101)), "name"),
        (NewAccessKey::new("a\0b"), "name"),
        (many, "scopes"),
        (model, "models"),
        (fast, "requests_per_minute"),
    ] {
        let error = scope.access_keys().add(bad).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert_eq!(error.context("field"), Some(field));
    }
    desk
}
