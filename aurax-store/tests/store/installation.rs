//! What the processes of an installation agree on.

use aurax_core::{ErrorKind, Principal, Secret, new_id};
use aurax_store::{KeyId, KeyRing, NewUser, PublicKey, UsedInvitation, Vault};
use futures::future::join_all;
use time::Duration;

use crate::desk::{Desk, Hands};

fn key_id(number: u64) -> KeyId {
    KeyId::from_bytes(number.to_be_bytes())
}

pub(crate) async fn of_many_master_keys_all_agree_on_one(desk: Desk) -> Desk {
    let jobs = desk.store.jobs();
    assert_eq!(jobs.master_key().await.unwrap(), None);
    let agreed = join_all((0..8).map(|number| jobs.agree_on_master_key(key_id(number)))).await;
    let agreed: Vec<_> = agreed.into_iter().map(Result::unwrap).collect();
    assert!(agreed.iter().all(|id| *id == agreed[0]), "{agreed:?}");
    assert_eq!(jobs.master_key().await.unwrap(), Some(agreed[0]));
    jobs.set_master_key(key_id(99)).await.unwrap();
    let own = jobs.agree_on_master_key(key_id(1)).await.unwrap();
    assert_eq!(own, key_id(99));
    desk
}

/// Who still has the earlier key alone could read nothing that is sealed from now on.
pub(crate) async fn a_rotation_changes_the_master_key_of_the_installation(desk: Desk) -> Desk {
    let jobs = desk.store.jobs();
    let (first, second) = (KeyRing::generate().unwrap(), KeyRing::generate().unwrap());
    jobs.agree_on_master_key(first.current()).await.unwrap();
    let keys = desk.store.user(&Principal::new("ada")).provider_keys();
    let secret = Secret::new("sk-hush");
    let vault = Vault::new(first.clone());
    let sealed = keys.seal(&vault, "openai", "default", None, &secret).await;
    let id = sealed.unwrap().id;
    let stranger = Vault::new(second.clone());
    let rotated = jobs.rotate_keys(&stranger, |_| {}).await.unwrap();
    assert_eq!(rotated.failed, [id]);
    assert_eq!(jobs.master_key().await.unwrap(), Some(first.current()));
    keys.delete(id).await.unwrap();
    jobs.rotate_keys(&stranger, |_| {}).await.unwrap();
    assert_eq!(jobs.master_key().await.unwrap(), Some(second.current()));
    desk
}

pub(crate) async fn signing_keys_are_shared_for_a_time(desk: Desk) -> Desk {
    let clock = Hands::new();
    let jobs = desk.store.with_clock(clock.clone()).jobs();
    let (one, two) = (PublicKey::new("1", "{}"), PublicKey::new("2", "{\"n\":2}"));
    let soon = clock.at() + Duration::minutes(10);
    let later = clock.at() + Duration::hours(1);
    let share = |keys: &[PublicKey], until| {
        let (jobs, keys) = (jobs.clone(), keys.to_vec());
        async move { jobs.share_signing_keys(&keys, until).await.unwrap() }
    };
    share(&[two.clone(), one.clone()], later).await;
    // Whoever has a key for longer is not overruled by who has it for less.
    share(std::slice::from_ref(&two), soon).await;
    share(std::slice::from_ref(&one), later + Duration::hours(1)).await;
    let known = || async { jobs.signing_keys().await.unwrap() };
    assert_eq!(known().await, [one.clone(), two.clone()]);
    clock.pass(Duration::minutes(30));
    assert_eq!(known().await, [one.clone(), two.clone()]);
    clock.pass(Duration::minutes(30));
    assert_eq!(known().await, std::slice::from_ref(&one));
    share(std::slice::from_ref(&two), clock.at() + Duration::hours(9)).await;
    assert!(jobs.forget_signing_key("2").await.unwrap());
    assert!(!jobs.forget_signing_key("2").await.unwrap());
    assert_eq!(known().await, [one]);
    share(std::slice::from_ref(&two), clock.at()).await;
    assert_eq!(jobs.purge_signing_keys().await.unwrap(), 1);
    clock.pass(Duration::hours(1));
    assert_eq!(known().await, []);
    assert_eq!(jobs.purge_signing_keys().await.unwrap(), 1);
    for bad in [
        PublicKey::new("", "{}"),
        PublicKey::new("1", "x".repeat(8_193)),
    ] {
        let error = jobs.share_signing_keys(&[bad], later).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    }
    desk
}

pub(crate) async fn an_invitation_makes_one_account(desk: Desk) -> Desk {
    let clock = Hands::new();
    let store = desk.store.with_clock(clock.clone());
    let (admin, jobs) = (store.admin(), store.jobs());
    let invitation = UsedInvitation::new(new_id(), clock.at() + Duration::days(7));
    let invited = |email: &str| NewUser::new(email).with_invitation(invitation);
    admin.add_user(NewUser::new("bob@x.org")).await.unwrap();
    // One that makes no account is not used up.
    let taken = admin.add_user(invited("bob@x.org")).await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::Conflict);
    let many = join_all((0..6).map(|number| {
        let new = invited(&format!("{number}@x.org"));
        let admin = admin.clone();
        async move { admin.add_user(new).await }
    }));
    let (made, refused): (Vec<_>, Vec<_>) = many.await.into_iter().partition(Result::is_ok);
    assert_eq!((made.len(), refused.len()), (1, 5));
    for error in refused.into_iter().map(Result::unwrap_err) {
        assert_eq!(error.kind(), ErrorKind::Permission, "{error}");
    }
    let user = made.into_iter().next().unwrap().unwrap();
    let scope = store.user(&Principal::new(user.id.to_string()));
    scope.delete_account().await.unwrap();
    let again = admin.add_user(invited("0@x.org")).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Permission);
    // It is remembered for as long as it would be good.
    clock.pass(Duration::days(7));
    assert_eq!(jobs.purge_invitations(500).await.unwrap(), 0);
    clock.pass(Duration::hours(2));
    assert_eq!(jobs.purge_invitations(500).await.unwrap(), 1);
    desk
}
