//! Logins and their refresh tokens.

use aurax_core::{ErrorKind, Page, Principal, Secret};
use aurax_store::{NewUser, RefreshToken, Renewal, Store, UserChange, UserScope};
use futures::future::join_all;
use time::Duration;
use uuid::Uuid;

use crate::access_keys::text;
use crate::desk::{Desk, Hands};

/// A store by hand, and somebody in it.
async fn somebody(desk: &Desk) -> (Store, std::sync::Arc<Hands>, UserScope) {
    let clock = Hands::new();
    let store = desk.store.with_clock(clock.clone());
    let user = store.admin().add_user(NewUser::new("a@x.org")).await;
    let scope = store.user(&Principal::new(user.unwrap().id.to_string()));
    (store, clock, scope)
}

async fn renew(store: &Store, token: &RefreshToken) -> Option<RefreshToken> {
    match store.admin().renew_login(&token.token).await.unwrap() {
        Renewal::Renewed(next, _) => Some(next),
        _ => None,
    }
}

pub(crate) async fn a_refresh_token_is_exchanged_for_the_next(desk: Desk) -> Desk {
    let (store, clock, scope) = somebody(&desk).await;
    let first = scope.begin_login(Some("Firefox")).await.unwrap();
    assert_eq!(text(&first.token).len(), 43);
    assert_eq!(first.expires_at, clock.at() + Duration::days(30));
    clock.pass(Duration::days(1));
    let renewal = store.admin().renew_login(&first.token).await.unwrap();
    let Renewal::Renewed(second, user) = renewal else {
        panic!("{renewal:?}");
    };
    assert_eq!(
        (user.id, second.login_id),
        (scope.user_id(), first.login_id)
    );
    assert_ne!(text(&first.token), text(&second.token));
    assert_eq!(second.expires_at, clock.at() + Duration::days(30));
    let logins = scope.logins(&Page::first()).await.unwrap().data;
    assert_eq!(logins.len(), 1);
    assert_eq!(logins[0].label.as_deref(), Some("Firefox"));
    assert_eq!(
        (logins[0].id, logins[0].used_at),
        (first.login_id, clock.at())
    );
    let unknown = store.admin().renew_login(&Secret::new("x")).await.unwrap();
    assert!(matches!(unknown, Renewal::Refused));
    desk
}

pub(crate) async fn a_token_used_twice_ends_the_login(desk: Desk) -> Desk {
    let (store, clock, scope) = somebody(&desk).await;
    let first = scope.begin_login(None).await.unwrap();
    let second = renew(&store, &first).await.unwrap();
    clock.pass(Duration::seconds(10));
    // Within ten seconds it is another tab, or an answer that got lost.
    let third = renew(&store, &first).await.unwrap();
    clock.pass(Duration::seconds(11));
    let renewal = store.admin().renew_login(&first.token).await.unwrap();
    assert!(matches!(renewal, Renewal::Reused(id) if id == first.login_id));
    for token in [&first, &second, &third] {
        assert!(renew(&store, token).await.is_none());
    }
    assert!(scope.logins(&Page::first()).await.unwrap().data.is_empty());
    desk
}

pub(crate) async fn many_exchanges_at_once_leave_one_login(desk: Desk) -> Desk {
    let (store, clock, scope) = somebody(&desk).await;
    let first = scope.begin_login(None).await.unwrap();
    let admin = store.admin();
    let renewals = (0..8).map(|_| admin.renew_login(&first.token));
    let renewals = join_all(renewals).await;
    assert!(
        renewals
            .iter()
            .all(|renewal| matches!(renewal, Ok(Renewal::Renewed(..))))
    );
    clock.pass(Duration::minutes(1));
    let renewals = (0..8).map(|_| admin.renew_login(&first.token));
    let reused = join_all(renewals).await;
    let reused = reused
        .iter()
        .filter(|r| matches!(r, Ok(Renewal::Reused(_))));
    assert_eq!(reused.count(), 1);
    desk
}

pub(crate) async fn of_tokens_of_one_exchange_one_goes_on(desk: Desk) -> Desk {
    let (store, clock, scope) = somebody(&desk).await;
    let first = scope.begin_login(None).await.unwrap();
    let one = renew(&store, &first).await.unwrap();
    let other = renew(&store, &first).await.unwrap();
    let late = renew(&store, &first).await.unwrap();
    clock.pass(Duration::minutes(1));
    let next = renew(&store, &one).await.unwrap();
    // The other tab is not logged out while both renew at once.
    assert!(renew(&store, &other).await.is_some());
    clock.pass(Duration::seconds(11));
    let next = renew(&store, &next).await.unwrap();
    let renewal = store.admin().renew_login(&late.token).await.unwrap();
    assert!(matches!(renewal, Renewal::Reused(id) if id == first.login_id));
    assert!(renew(&store, &next).await.is_none());
    desk
}

pub(crate) async fn a_login_ends_after_thirty_idle_and_ninety_days(desk: Desk) -> Desk {
    let (store, clock, scope) = somebody(&desk).await;
    let idle = scope.begin_login(None).await.unwrap();
    let mut busy = scope.begin_login(None).await.unwrap();
    let began = clock.at();
    for _ in 0..4 {
        clock.pass(Duration::days(20));
        busy = renew(&store, &busy).await.unwrap();
    }
    assert_eq!(busy.expires_at, began + Duration::days(90));
    assert!(renew(&store, &idle).await.is_none());
    assert_eq!(scope.logins(&Page::first()).await.unwrap().data.len(), 1);
    clock.pass(Duration::days(10));
    assert!(renew(&store, &busy).await.is_none());
    assert!(scope.logins(&Page::first()).await.unwrap().data.is_empty());
    desk
}

pub(crate) async fn a_user_ends_one_login_or_all(desk: Desk) -> Desk {
    let (store, _, scope) = somebody(&desk).await;
    let mut tokens = Vec::new();
    for _ in 0..3 {
        let token = scope.begin_login(None).await.unwrap();
        tokens.push(renew(&store, &token).await.unwrap());
    }
    scope.end_login(tokens[0].login_id).await.unwrap();
    assert!(renew(&store, &tokens[0]).await.is_none());
    assert!(renew(&store, &tokens[1]).await.is_some());
    for absent in [tokens[0].login_id, Uuid::nil()] {
        let error = scope.end_login(absent).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
    assert_eq!(scope.end_logins().await.unwrap(), 2);
    assert!(renew(&store, &tokens[2]).await.is_none());
    let error = scope.begin_login(Some(&"x".repeat(301))).await.unwrap_err();
    assert_eq!(error.context("field"), Some("label"));
    desk
}

pub(crate) async fn a_closed_account_renews_nothing(desk: Desk) -> Desk {
    let (store, _, scope) = somebody(&desk).await;
    let token = scope.begin_login(None).await.unwrap();
    let mut closed = UserChange::default();
    closed.is_active = Some(false);
    let admin = store.admin();
    admin.change_user(scope.user_id(), closed).await.unwrap();
    assert!(renew(&store, &token).await.is_none());
    desk
}

pub(crate) async fn a_logins_account_is_known_while_it_goes_on(desk: Desk) -> Desk {
    let (store, clock, scope) = somebody(&desk).await;
    let admin = store.admin();
    let whose = async |id: Uuid| admin.login_account(id).await.unwrap();
    let (idle, busy) = (
        scope.begin_login(None).await.unwrap(),
        scope.begin_login(None).await,
    );
    let busy = busy.unwrap();
    let user = scope.account().await.unwrap();
    assert_eq!(whose(idle.login_id).await, Some(user.clone()));
    clock.pass(Duration::days(20));
    let next = renew(&store, &busy).await.unwrap();
    assert_eq!(next.login_id, busy.login_id);
    clock.pass(Duration::days(10));
    assert_eq!(whose(idle.login_id).await, None, "nobody renewed it");
    assert_eq!(whose(busy.login_id).await, Some(user.clone()));
    for ended in [true, false] {
        let login = scope.begin_login(None).await.unwrap();
        let token = renew(&store, &login).await.unwrap();
        if ended {
            scope.end_login(login.login_id).await.unwrap();
        } else {
            clock.pass(Duration::minutes(1));
            assert!(renew(&store, &login).await.is_none(), "it was used twice");
        }
        assert_eq!(whose(login.login_id).await, None);
        assert!(renew(&store, &token).await.is_none());
    }
    let mut change = UserChange::default();
    for is_active in [false, true] {
        change.is_active = Some(is_active);
        admin.change_user(user.id, change.clone()).await.unwrap();
        let known = whose(busy.login_id).await;
        assert_eq!(known, None, "a closed account's logins have ended for good");
    }
    let again = scope.begin_login(None).await.unwrap();
    assert!(whose(again.login_id).await.is_some());
    assert_eq!(whose(Uuid::nil()).await, None);
    scope.delete_account().await.unwrap();
    assert_eq!(whose(again.login_id).await, None);
    desk
}

pub(crate) async fn logins_that_ended_are_forgotten_in_batches(desk: Desk) -> Desk {
    let (store, clock, scope) = somebody(&desk).await;
    let old = scope.begin_login(None).await.unwrap();
    renew(&store, &old).await.unwrap();
    clock.pass(Duration::days(60));
    let young = scope.begin_login(None).await.unwrap();
    clock.pass(Duration::days(31));
    let jobs = store.jobs();
    assert_eq!(jobs.purge_logins(1).await.unwrap(), 1);
    assert_eq!(jobs.purge_logins(500).await.unwrap(), 1);
    assert_eq!(jobs.purge_logins(500).await.unwrap(), 0);
    // Its ninety days are not over.
    assert!(renew(&store, &young).await.is_none());
    clock.pass(Duration::days(60));
    assert_eq!(jobs.purge_logins(500).await.unwrap(), 1);
    desk
}
