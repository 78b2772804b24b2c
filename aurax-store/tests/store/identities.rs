//! Who logs in elsewhere.

use aurax_core::{ErrorKind, Principal};
use aurax_store::{Identity, NewUser, Role};
use futures::future::join_all;

use crate::desk::Desk;

fn identity(subject: &str) -> Identity {
    Identity::new("https://id.example.com", subject).unwrap()
}

pub(crate) async fn an_identity_has_one_account_for_ever(desk: Desk) -> Desk {
    let admin = desk.store.admin();
    let ada = identity("ada");
    assert_eq!(admin.identified(&ada).await.unwrap(), None);
    let user = admin
        .add_identified_user(&ada, " Ada@X.org ")
        .await
        .unwrap();
    assert_eq!((user.email.as_str(), user.role), ("ada@x.org", Role::User));
    assert_eq!(admin.identified(&ada).await.unwrap(), Some(user.clone()));
    for other in [
        identity("Ada"),
        Identity::new("https://id.example.com/", "ada").unwrap(),
    ] {
        assert_eq!(admin.identified(&other).await.unwrap(), None);
    }
    // Neither the identity nor the address has another.
    for (who, email) in [(&ada, "b@x.org"), (&identity("bob"), "ada@x.org")] {
        let error = admin.add_identified_user(who, email).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    }
    assert!(admin.login("b@x.org").await.unwrap().is_none());
    // It goes with the account.
    let scope = desk.store.user(&Principal::new(user.id.to_string()));
    scope.delete_account().await.unwrap();
    assert_eq!(admin.identified(&ada).await.unwrap(), None);
    desk
}

pub(crate) async fn an_account_somebody_has_is_given_to_no_identity(desk: Desk) -> Desk {
    let admin = desk.store.admin();
    let (ada, eve) = (identity("ada"), identity("eve"));
    assert_eq!(admin.link_identity(&ada, "a@x.org").await.unwrap(), None);
    let secured = NewUser::new("p@x.org").with_hashed_password("h");
    admin.add_user(secured).await.unwrap();
    assert_eq!(admin.link_identity(&ada, "p@x.org").await.unwrap(), None);
    let open = admin.add_user(NewUser::new("a@x.org")).await.unwrap();
    let linked = admin.link_identity(&ada, "A@x.org").await.unwrap();
    assert_eq!(linked, Some(open.clone()));
    assert_eq!(admin.identified(&ada).await.unwrap(), Some(open));
    assert_eq!(admin.link_identity(&eve, "a@x.org").await.unwrap(), None);
    assert_eq!(admin.identified(&eve).await.unwrap(), None);
    admin.add_user(NewUser::new("b@x.org")).await.unwrap();
    let error = admin.link_identity(&ada, "b@x.org").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    desk
}

pub(crate) async fn of_many_identities_at_once_one_gets_the_account(desk: Desk) -> Desk {
    let admin = desk.store.admin();
    for round in 0..5 {
        let email = format!("{round}@x.org");
        admin.add_user(NewUser::new(&email)).await.unwrap();
        let all: Vec<_> = (0..8).map(|n| identity(&format!("{round}-{n}"))).collect();
        let linked = join_all(all.iter().map(|one| admin.link_identity(one, &email))).await;
        let linked = linked
            .into_iter()
            .filter(|one| one.as_ref().unwrap().is_some());
        assert_eq!(linked.count(), 1);
    }
    desk
}

pub(crate) async fn an_identity_that_cannot_be_kept_is_named(desk: Desk) -> Desk {
    for (issuer, subject, field) in [
        ("", "a", "issuer"),
        ("i", "", "subject"),
        ("i", "a\0b", "subject"),
        (&"i".repeat(501), "a", "issuer"),
        ("i", &"a".repeat(256), "subject"),
    ] {
        let error = Identity::new(issuer, subject).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
        assert_eq!(error.context("field"), Some(field), "{error}");
    }
    desk
}
