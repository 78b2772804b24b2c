//! Accounts.

use aurax_core::{ErrorKind, Page, Principal};
use aurax_store::{NewUser, Role, UserChange};

use crate::desk::Desk;

pub(crate) async fn an_account_is_found_by_its_address_in_any_case(desk: Desk) -> Desk {
    let admin = desk.store.admin();
    let new = NewUser::new(" Ada@Example.com ").with_hashed_password("$argon2id$x");
    let user = admin.add_user(new).await.unwrap();
    assert_eq!(
        (user.email.as_str(), user.role),
        ("ada@example.com", Role::User)
    );
    assert_eq!((user.plan_type.as_str(), user.is_active), ("free", true));
    assert_eq!(user.id.get_version_num(), 7);
    let (found, hash) = admin.login("ADA@example.COM").await.unwrap().unwrap();
    assert_eq!(found, user);
    assert!(hash.is_some());
    assert!(admin.login("bob@example.com").await.unwrap().is_none());
    desk
}

pub(crate) async fn an_address_has_one_account(desk: Desk) -> Desk {
    let admin = desk.store.admin();
    admin.add_user(NewUser::new("a@x.org")).await.unwrap();
    let error = admin.add_user(NewUser::new("A@x.org")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("a@x.org"), "{error}");
    desk
}

pub(crate) async fn a_user_sees_their_own_account(desk: Desk) -> Desk {
    let admin = desk.store.admin();
    let user = admin.add_user(NewUser::new("a@x.org")).await.unwrap();
    let other = admin.add_user(NewUser::new("b@x.org")).await.unwrap();
    let scope = desk.store.user(&Principal::new(user.id.to_string()));
    assert_eq!(scope.account().await.unwrap(), user);
    scope.set_hashed_password("new".into()).await.unwrap();
    let (_, hash) = admin.login("b@x.org").await.unwrap().unwrap();
    assert!(hash.is_none(), "{}", other.id);
    let nobody = desk.store.user(&Principal::local());
    let error = nobody.account().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    desk
}

pub(crate) async fn an_operator_changes_what_is_named(desk: Desk) -> Desk {
    let admin = desk.store.admin();
    let user = admin.add_user(NewUser::new("a@x.org")).await.unwrap();
    let mut change = UserChange::default();
    change.plan_type = Some("pro".to_owned());
    let changed = admin.change_user(user.id, change).await.unwrap();
    assert_eq!(
        (changed.plan_type.as_str(), changed.is_active),
        ("pro", true)
    );
    let mut change = UserChange::default();
    change.is_active = Some(false);
    change.role = Some(Role::Admin);
    let changed = admin.change_user(user.id, change).await.unwrap();
    assert_eq!((changed.role, changed.is_active), (Role::Admin, false));
    assert_eq!(changed.plan_type, "pro");
    let mut change = UserChange::default();
    change.plan_type = Some("platinum".to_owned());
    let error = admin.change_user(user.id, change).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    desk
}

pub(crate) async fn accounts_are_listed_page_by_page(desk: Desk) -> Desk {
    let admin = desk.store.admin();
    for number in 0..5 {
        let new = NewUser::new(format!("{number}@x.org"));
        admin.add_user(new).await.unwrap();
    }
    let mut seen = Vec::new();
    let mut page = Page::first().with_limit(2);
    loop {
        let users = admin.users(&page).await.unwrap();
        assert!(users.data.len() <= 2);
        seen.extend(users.data.into_iter().map(|user| user.email));
        let Some(cursor) = users.next_cursor else {
            break;
        };
        page = page.after(cursor);
    }
    assert_eq!(
        seen,
        ["4@x.org", "3@x.org", "2@x.org", "1@x.org", "0@x.org"]
    );
    desk
}

pub(crate) async fn text_with_a_nul_is_refused_by_name(desk: Desk) -> Desk {
    let admin = desk.store.admin();
    let error = admin
        .add_user(NewUser::new("a\0b@x.org"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(error.context("field"), Some("email"));
    desk
}
