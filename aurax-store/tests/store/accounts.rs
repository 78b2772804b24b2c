//! What becomes of accounts: the first one, what users change of their own, and plans.

use aurax_core::{ErrorKind, Page, Principal, Secret};
use aurax_store::{
    AccountChange, AdminScope, NewUser, Plan, RefreshToken, Renewal, Role, Store, User, UserChange,
};
use futures::future::join_all;
use uuid::Uuid;

use crate::access_keys::{account, text};
use crate::desk::Desk;

async fn goes_on(store: &Store, token: &RefreshToken) -> bool {
    let renewal = store.admin().renew_login(&token.token).await.unwrap();
    matches!(renewal, Renewal::Renewed(..))
}

fn address(email: &str) -> AccountChange {
    let mut change = AccountChange::default();
    change.email = Some(email.to_owned());
    change
}

fn password(hash: &str) -> AccountChange {
    let mut change = AccountChange::default();
    change.hashed_password = Some(hash.into());
    change
}

/// Accounts that are made at once by two processes: the one that was the first.
async fn race(admins: &[AdminScope], round: u32) -> User {
    // Connections are there, so that they begin together.
    let warm = (0..16).zip(admins.iter().cycle());
    let none = join_all(warm.map(|(_, admin)| admin.has_users())).await;
    assert!(none.into_iter().all(|found| !found.unwrap()));
    let new: Vec<NewUser> = (0..16)
        .map(|n| NewUser::new(format!("{round}-{n}@x.org")).with_hashed_password("h"))
        .collect();
    let made = new.iter().zip(admins.iter().cycle());
    let made = join_all(made.map(|(new, admin)| admin.add_first_user(new))).await;
    let first: Vec<_> = made.into_iter().filter_map(Result::unwrap).collect();
    let all = admins[0].users(&Page::first()).await.unwrap().data;
    assert_eq!(first, all);
    let [first] = &first[..] else {
        panic!("one is first: {first:?}");
    };
    assert_eq!((first.role, first.is_active), (Role::Admin, true));
    first.clone()
}

pub(crate) async fn of_many_first_accounts_one_is_the_first(desk: Desk) -> Desk {
    let other = desk.another().await;
    let admins = [&desk.store, other.as_ref().unwrap_or(&desk.store)].map(Store::admin);
    for round in 0..10 {
        let first = race(&admins, round).await;
        let scope = desk.store.user(&Principal::new(first.id.to_string()));
        scope.delete_account().await.unwrap();
    }
    let first = race(&admins, 10).await;
    assert!(admins[1].has_users().await.unwrap());
    // Anybody else is made as anybody is.
    let taken = admins[0].add_user(NewUser::new(&first.email)).await;
    assert_eq!(taken.unwrap_err().kind(), ErrorKind::Conflict);
    let second = admins[0].add_user(NewUser::new("ann@x.org")).await.unwrap();
    assert_eq!(second.role, Role::User);
    if let Some(other) = other {
        other.close().await;
    }
    desk
}

pub(crate) async fn an_account_is_found_by_its_id_closed_or_not(desk: Desk) -> Desk {
    let admin = desk.store.admin();
    let (user, _) = account(&desk, "a@x.org").await;
    assert_eq!(admin.account(user.id).await.unwrap(), Some(user.clone()));
    let mut closed = UserChange::default();
    closed.is_active = Some(false);
    let closed = admin.change_user(user.id, closed).await.unwrap();
    assert_eq!(admin.account(user.id).await.unwrap(), Some(closed));
    assert_eq!(admin.account(Uuid::nil()).await.unwrap(), None);
    desk
}

pub(crate) async fn a_user_changes_their_address(desk: Desk) -> Desk {
    let admin = desk.store.admin();
    let (user, scope) = account(&desk, "a@x.org").await;
    let (other, _) = account(&desk, "b@x.org").await;
    scope.set_hashed_password("hash".into()).await.unwrap();
    let login = scope.begin_login(None).await.unwrap();
    let changed = scope.change_account(address(" Ann@X.org ")).await.unwrap();
    assert_eq!((changed.id, changed.email.as_str()), (user.id, "ann@x.org"));
    assert_eq!(scope.account().await.unwrap(), changed);
    assert!(admin.login("a@x.org").await.unwrap().is_none());
    let hash = scope.hashed_password().await.unwrap().unwrap();
    assert_eq!(text(&hash), "hash");
    assert!(goes_on(&desk.store, &login).await);
    for (wrong, kind) in [
        ("B@x.org", ErrorKind::Conflict),
        (" ", ErrorKind::InvalidRequest),
        ("a\0@x.org", ErrorKind::InvalidRequest),
        (&"a".repeat(255), ErrorKind::InvalidRequest),
    ] {
        let error = scope.change_account(address(wrong)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(error.context("field"), Some("email"), "{error}");
    }
    // Their own address is nobody else's.
    let same = scope.change_account(address("ann@x.org")).await.unwrap();
    assert_eq!(same.email, "ann@x.org");
    assert_eq!(admin.account(other.id).await.unwrap(), Some(other));
    desk
}

pub(crate) async fn another_password_ends_all_logins_but_one(desk: Desk) -> Desk {
    let (_, scope) = account(&desk, "a@x.org").await;
    let (_, other) = account(&desk, "b@x.org").await;
    assert!(scope.hashed_password().await.unwrap().is_none());
    let kept = scope.begin_login(None).await.unwrap();
    let ended = scope.begin_login(None).await.unwrap();
    let others = other.begin_login(None).await.unwrap();
    let mut change = password("second");
    change.keep_login = Some(kept.login_id);
    scope.change_account(change).await.unwrap();
    let hash = scope.hashed_password().await.unwrap().unwrap();
    assert_eq!(text(&hash), "second");
    assert!(goes_on(&desk.store, &kept).await);
    assert!(goes_on(&desk.store, &others).await);
    assert!(!goes_on(&desk.store, &ended).await);
    // A change that fails ends nothing.
    let mut refused = password("third");
    refused.email = Some("b@x.org".to_owned());
    scope.change_account(refused).await.unwrap_err();
    assert!(goes_on(&desk.store, &kept).await);
    assert_eq!(
        text(&scope.hashed_password().await.unwrap().unwrap()),
        "second"
    );
    scope.change_account(password("third")).await.unwrap();
    assert!(!goes_on(&desk.store, &kept).await);
    assert!(goes_on(&desk.store, &others).await);
    assert!(other.hashed_password().await.unwrap().is_none());
    desk
}

pub(crate) async fn who_has_no_account_changes_none(desk: Desk) -> Desk {
    let nobody = desk.store.user(&crate::sessions::ada());
    for error in [
        nobody.change_account(password("h")).await.unwrap_err(),
        nobody.hashed_password().await.unwrap_err(),
        nobody.set_hashed_password("h".into()).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    }
    desk
}

pub(crate) async fn an_operator_resets_a_password(desk: Desk) -> Desk {
    let admin = desk.store.admin();
    let (user, scope) = account(&desk, "a@x.org").await;
    let (_, other) = account(&desk, "b@x.org").await;
    let login = scope.begin_login(None).await.unwrap();
    let others = other.begin_login(None).await.unwrap();
    let hash = Secret::new("another");
    admin.reset_password(user.id, hash).await.unwrap();
    let (_, hash) = admin.login("a@x.org").await.unwrap().unwrap();
    assert_eq!(text(&hash.unwrap()), "another");
    assert!(other.hashed_password().await.unwrap().is_none());
    assert!(!goes_on(&desk.store, &login).await);
    assert!(goes_on(&desk.store, &others).await);
    let error = admin.reset_password(Uuid::nil(), "h".into()).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
    desk
}

pub(crate) async fn plans_are_set_by_their_name(desk: Desk) -> Desk {
    let admin = desk.store.admin();
    let (user, scope) = account(&desk, "a@x.org").await;
    let free = Plan::new("free")
        .with_message_days(30)
        .with_requests_per_minute(60)
        .with_tokens_per_minute(10_000);
    admin.set_plan(&free).await.unwrap();
    assert_eq!(scope.plan().await.unwrap(), free);
    let free = Plan::new("free").with_requests_per_minute(0);
    admin.set_plan(&free).await.unwrap();
    assert_eq!(scope.plan().await.unwrap(), free);
    let team = Plan::new("team").with_tokens_per_minute(7);
    admin.set_plan(&team).await.unwrap();
    let mut change = UserChange::default();
    change.plan_type = Some("team".to_owned());
    admin.change_user(user.id, change).await.unwrap();
    assert_eq!(scope.plan().await.unwrap(), team);
    let all = admin.plans().await.unwrap();
    let names: Vec<&str> = all.iter().map(|plan| plan.name.as_str()).collect();
    assert_eq!(names, ["enterprise", "free", "pro", "team"]);
    desk
}

pub(crate) async fn a_plan_that_cannot_be_kept_is_named(desk: Desk) -> Desk {
    let admin = desk.store.admin();
    let too_many = u32::MAX;
    for (wrong, field) in [
        (Plan::new(" "), "name"),
        (Plan::new("x".repeat(101)), "name"),
        (Plan::new("a\0b"), "name"),
        (Plan::new("a").with_message_days(0), "message_days"),
        (Plan::new("a").with_message_days(too_many), "message_days"),
        (
            Plan::new("a").with_requests_per_minute(too_many),
            "requests_per_minute",
        ),
        (
            Plan::new("a").with_tokens_per_minute(too_many),
            "tokens_per_minute",
        ),
    ] {
        let error = admin.set_plan(&wrong).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
        assert_eq!(error.context("field"), Some(field), "{error}");
    }
    assert_eq!(admin.plans().await.unwrap().len(), 3);
    for number in 0..997 {
        admin
            .set_plan(&Plan::new(format!("{number}")))
            .await
            .unwrap();
    }
    let error = admin.set_plan(&Plan::new("one more")).await.unwrap_err();
    assert_eq!(error.context("field"), Some("name"), "{error}");
    let changed = Plan::new("996").with_message_days(1);
    admin.set_plan(&changed).await.unwrap();
    let plans = admin.plans().await.unwrap();
    assert_eq!(plans.len(), 1_000);
    assert!(plans.contains(&changed));
    desk
}
