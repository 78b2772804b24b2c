//! Requests that are answered once.

use aurax_core::{ErrorKind, SessionStore as _, new_id};
use aurax_store::{Claim, Claimed, IdempotencyKey, StoredReply, UserScope};
use futures::future::join_all;
use time::Duration;

use crate::desk::{Desk, Hands};
use crate::sessions::{ada, bob, session};

fn key(key: &str, body: u8) -> IdempotencyKey {
    IdempotencyKey::new("POST /api/chat/completions", key, vec![body; 32]).unwrap()
}

async fn claim(scope: &UserScope) -> Claim {
    scope.claim(key("k", 1)).await.unwrap()
}

async fn begun(scope: &UserScope) -> Claimed {
    match claim(scope).await {
        Claim::Begun(claimed) => claimed,
        other => panic!("{other:?}"),
    }
}

fn reply() -> StoredReply {
    let headers = vec![("content-type".to_owned(), "text/event-stream".to_owned())];
    StoredReply::new(503, headers, vec![0, 255, 10])
}

pub(crate) async fn a_request_is_answered_once(desk: Desk) -> Desk {
    let scope = desk.store.user(&ada());
    let claims = join_all((0..6).map(|_| claim(&scope))).await;
    let mut begun = claims.iter().filter_map(|claim| match claim {
        Claim::Begun(claimed) => Some(claimed),
        _ => None,
    });
    let claimed = begun.next().unwrap();
    assert!(begun.next().is_none());
    assert!(
        claims
            .iter()
            .filter(|claim| **claim == Claim::Running)
            .count()
            == 5
    );
    assert_eq!(scope.claim(key("k", 2)).await.unwrap(), Claim::Mismatch);
    assert!(scope.finish_claim(claimed, reply()).await.unwrap());
    assert!(!scope.finish_claim(claimed, reply()).await.unwrap());
    assert_eq!(claim(&scope).await, Claim::Answered(reply()));
    assert_eq!(scope.claim(key("k", 2)).await.unwrap(), Claim::Mismatch);
    // Another route, another key: another request.
    let other = IdempotencyKey::new("POST /v1/messages", "k", vec![1; 32]).unwrap();
    assert!(matches!(scope.claim(other).await.unwrap(), Claim::Begun(_)));
    desk
}

pub(crate) async fn a_claim_that_is_released_is_free(desk: Desk) -> Desk {
    let scope = desk.store.user(&ada());
    let claimed = begun(&scope).await;
    assert!(scope.release_claim(&claimed).await.unwrap());
    assert!(!scope.release_claim(&claimed).await.unwrap());
    let again = begun(&scope).await;
    scope.finish_claim(&again, reply()).await.unwrap();
    // What is answered stays.
    assert!(!scope.release_claim(&again).await.unwrap());
    assert_eq!(claim(&scope).await, Claim::Answered(reply()));
    desk
}

pub(crate) async fn a_dead_processes_claim_is_taken_over(desk: Desk) -> Desk {
    let clock = Hands::new();
    let (one, two) = (new_id(), new_id());
    let store = desk.store.with_clock(clock.clone());
    let first = store.with_replica(one).user(&ada());
    let second = store.with_replica(two).user(&ada());
    let jobs = store.jobs();
    let claimed = begun(&first).await;
    assert_eq!(claim(&second).await, Claim::Running);
    // Its process lives and takes its time.
    for _ in 0..4 {
        clock.pass(Duration::seconds(50));
        jobs.beat(one).await.unwrap();
        assert_eq!(claim(&second).await, Claim::Running);
    }
    clock.pass(Duration::seconds(61));
    let taken = begun(&second).await;
    assert!(!first.finish_claim(&claimed, reply()).await.unwrap());
    assert!(!first.release_claim(&claimed).await.unwrap());
    assert_eq!(claim(&first).await, Claim::Running);
    assert!(second.finish_claim(&taken, reply()).await.unwrap());
    assert_eq!(claim(&first).await, Claim::Answered(reply()));
    desk
}

pub(crate) async fn an_answer_is_kept_for_a_day(desk: Desk) -> Desk {
    let clock = Hands::new();
    let store = desk.store.with_clock(clock.clone());
    let scope = store.user(&ada());
    let claimed = begun(&scope).await;
    scope.finish_claim(&claimed, reply()).await.unwrap();
    clock.pass(Duration::hours(24) - Duration::SECOND);
    assert_eq!(claim(&scope).await, Claim::Answered(reply()));
    let jobs = store.jobs();
    assert_eq!(jobs.purge_claims(500).await.unwrap(), 0);
    clock.pass(Duration::SECOND);
    let again = begun(&scope).await;
    assert_ne!(again, claimed);
    clock.pass(Duration::hours(25));
    assert_eq!(jobs.purge_claims(500).await.unwrap(), 1);
    desk
}

pub(crate) async fn an_answer_goes_with_its_session(desk: Desk) -> Desk {
    let (gone, other) = (session(&desk, &ada()).await, session(&desk, &ada()).await);
    let scope = desk.store.user(&ada());
    let claims = [
        ("answered", Some(&gone)),
        ("running", Some(&gone)),
        ("another's", Some(&other)),
        ("nobody's", None),
    ];
    let of = |name: &str, of: Option<&aurax_core::Session>| {
        let key = key(name, 1);
        match of {
            Some(session) => key.with_session(session.id),
            None => key,
        }
    };
    let mut running = None;
    for (name, session) in claims {
        let claim = scope.claim(of(name, session)).await.unwrap();
        let Claim::Begun(claimed) = claim else {
            panic!("{claim:?}");
        };
        if name == "running" {
            running = Some(claimed);
        } else {
            assert!(scope.finish_claim(&claimed, reply()).await.unwrap());
        }
    }
    assert!(!desk.store.delete(&bob(), gone.id).await.unwrap());
    for (name, session) in claims {
        let expected = match name {
            "running" => Claim::Running,
            _ => Claim::Answered(reply()),
        };
        let found = scope.claim(of(name, session)).await.unwrap();
        assert_eq!(found, expected, "{name}");
    }
    assert!(desk.store.delete(&ada(), gone.id).await.unwrap());
    // What comes when its session has gone is kept nowhere.
    let late = scope.finish_claim(&running.unwrap(), reply()).await;
    assert!(!late.unwrap());
    for (name, session) in claims {
        let found = scope.claim(of(name, session)).await.unwrap();
        match session {
            Some(session) if session.id == gone.id => {
                assert!(matches!(found, Claim::Begun(_)), "{name}: {found:?}");
            }
            _ => assert_eq!(found, Claim::Answered(reply()), "{name}"),
        }
    }
    desk
}

pub(crate) async fn a_key_is_of_visible_ascii(desk: Desk) -> Desk {
    for bad in ["", " ", "a b", "ä", "a\n", "a\0", &"x".repeat(256)] {
        let error = IdempotencyKey::new("r", bad, vec![]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert_eq!(error.context("field"), Some("idempotency_key"));
    }
    assert!(IdempotencyKey::new("r", "x".repeat(255), vec![]).is_ok());
    desk
}
