//! What runs by itself, by a clock that the test moves.

use std::sync::Arc;

use aurax::providers::Demo;
use aurax::store::{
    LedgerOptions, NewUser, PublicKey, Store, UsageFilter, UsageRow, UsedInvitation,
};
use aurax::{Clock as _, Engine, Message, Principal, Session, SessionStore as _, Turn};
use aurax_server::Job;
use aurax_store::testkit::Books;
use time::Duration;

use crate::clock::Moved;
use crate::over_kinds;
use crate::support::{Kind, Place};

over_kinds!(
    what_a_dead_process_left_open_is_settled,
    what_is_too_old_goes,
    what_is_over_is_forgotten,
    partitions_are_made_and_go,
    one_process_has_the_turn
);

struct Scene {
    place: Place,
    store: Store,
    clock: Arc<Moved>,
}

impl Scene {
    async fn new(kind: Kind) -> Option<Self> {
        let place = Place::open(kind).await?;
        let clock = Moved::new();
        let store = place.store().await.with_clock(clock.clone());
        Some(Self {
            place,
            store,
            clock,
        })
    }

    async fn run(&self, job: Job) {
        assert!(job.run(&self.store, &*self.clock).await.unwrap(), "{job}");
        let state = self.store.jobs().job(job.as_str()).await.unwrap();
        assert!(!state.is_held && state.finished_at.is_some(), "{state:?}");
    }

    async fn books(&self) -> Books {
        Books::read(&self.store).await.unwrap()
    }

    async fn end(self) {
        self.place.clear(&self.store).await;
    }
}

async fn what_a_dead_process_left_open_is_settled(kind: Kind) {
    let Some(scene) = Scene::new(kind).await else {
        return;
    };
    let dead = scene.store.with_replica(aurax::new_id());
    let ledger = dead.ledger(LedgerOptions::default()).unwrap();
    let engine = Engine::builder().provider(Demo::new()).store(dead.clone());
    let engine = engine.build().unwrap();
    let reply = engine.stream("demo/echo", "Hi").await.unwrap();
    scene.run(Job::Orphans).await;
    assert_eq!(scene.books().await.settlements.len(), 0, "it lives");
    scene.clock.pass(Duration::minutes(5));
    scene.run(Job::Orphans).await;
    let books = scene.books().await;
    assert_eq!((books.settlements.len(), books.charges.len()), (1, 1));
    assert_eq!(books.settlements[0].reason.as_deref(), Some("orphan"));
    drop((reply, ledger));
    engine.drained().await;
    scene.end().await;
}

/// Somebody on the free plan, who said something now.
async fn somebody(scene: &Scene) -> Principal {
    let user = scene
        .store
        .admin()
        .add_user(NewUser::new("ada@example.com"))
        .await;
    let principal = Principal::new(user.unwrap().id.to_string());
    let now = scene.clock.now();
    let session = Session::new(aurax::new_id(), now);
    scene.store.create(&principal, &session).await.unwrap();
    let turn = Turn::new(aurax::new_id(), session.id, 1, Message::user("Hi"), now);
    let scope = scene.store.user(&principal);
    scope.add_turns(session.id, &[turn]).await.unwrap();
    let used = UsageRow::answered("demo", "echo", now);
    scene
        .store
        .jobs()
        .add_usage(&principal, &[used])
        .await
        .unwrap();
    principal
}

async fn what_is_too_old_goes(kind: Kind) {
    let Some(scene) = Scene::new(kind).await else {
        return;
    };
    let ada = somebody(&scene).await;
    let from = scene.clock.now() - Duration::days(1);
    scene.clock.pass(Duration::days(89));
    scene.run(Job::Retention).await;
    assert_eq!(scene.books().await.messages.len(), 1);
    scene.clock.pass(Duration::days(2));
    scene.run(Job::Retention).await;
    let books = scene.books().await;
    assert_eq!((books.messages.len(), books.charges.len()), (0, 1));
    scene.clock.pass(Duration::days(365));
    scene.run(Job::Retention).await;
    assert_eq!(scene.books().await.charges.len(), 0);
    // What it added up to stays.
    let from = from.replace_time(time::Time::MIDNIGHT);
    let all = UsageFilter::between(from, scene.clock.now());
    let usage = scene.store.user(&ada).usage();
    assert_eq!(usage.summary(&all).await.unwrap().requests, 1);
    scene.end().await;
}

async fn what_is_over_is_forgotten(kind: Kind) {
    let Some(scene) = Scene::new(kind).await else {
        return;
    };
    let user = scene
        .store
        .admin()
        .add_user(NewUser::new("ada@example.com"))
        .await;
    let scope = scene
        .store
        .user(&Principal::new(user.unwrap().id.to_string()));
    let jobs = scene.store.jobs();
    let now = scene.clock.now();
    let key = aurax::store::IdempotencyKey::new("r", "k", vec![1; 32]).unwrap();
    scope.begin_login(None).await.unwrap();
    scope.claim(key).await.unwrap();
    let soon = now + Duration::days(7);
    let key = PublicKey::new("1", "{}");
    jobs.share_signing_keys(&[key], soon).await.unwrap();
    let invitation = UsedInvitation::new(aurax::new_id(), soon);
    let invited = NewUser::new("eve@example.com").with_invitation(invitation);
    scene.store.admin().add_user(invited).await.unwrap();
    scene.run(Job::Leftovers).await;
    assert_eq!(jobs.signing_keys().await.unwrap().len(), 1);
    scene.clock.pass(Duration::days(100));
    scene.run(Job::Leftovers).await;
    // There is nothing left to be forgotten.
    let left = [
        jobs.purge_logins(500).await.unwrap(),
        jobs.purge_claims(500).await.unwrap(),
        jobs.purge_invitations(500).await.unwrap(),
        jobs.purge_signing_keys().await.unwrap(),
    ];
    assert_eq!(left, [0; 4]);
    scene.end().await;
}

async fn partitions_are_made_and_go(kind: Kind) {
    let Some(scene) = Scene::new(kind).await else {
        return;
    };
    scene.run(Job::Partitions).await;
    if kind == Kind::Postgres {
        let jobs = scene.store.jobs();
        let by = async |before: uuid::Uuid| {
            let done = jobs.partitions(before).await.unwrap();
            (done.made > 0, !done.dropped.is_empty())
        };
        assert_eq!(by(uuid::Uuid::nil()).await, (false, false), "they are made");
        scene.clock.pass(Duration::days(400));
        let old = id_at(scene.clock.now() - Duration::days(63));
        scene.run(Job::Partitions).await;
        assert_eq!(
            by(old).await,
            (false, false),
            "they are made, and old ones gone"
        );
        // By hand there would have been something to do.
        scene.clock.pass(Duration::days(400));
        let old = id_at(scene.clock.now() - Duration::days(63));
        assert_eq!(by(old).await, (true, true));
    }
    scene.end().await;
}

/// The least id of a moment.
fn id_at(at: time::OffsetDateTime) -> uuid::Uuid {
    let millis = u64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap();
    uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}

async fn one_process_has_the_turn(kind: Kind) {
    let Some(scene) = Scene::new(kind).await else {
        return;
    };
    let jobs = scene.store.jobs();
    for job in Job::ALL {
        let lease = jobs.lease(job.as_str(), Duration::MINUTE).await.unwrap();
        let lease = lease.unwrap();
        assert!(
            !job.run(&scene.store, &*scene.clock).await.unwrap(),
            "{job}"
        );
        lease.finish().await.unwrap();
        scene.run(job).await;
    }
    scene.end().await;
}
