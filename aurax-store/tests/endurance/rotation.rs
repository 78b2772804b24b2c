//! Master keys are changed by a process that dies in the middle of it: every provider key stays
//! readable with the master keys that the key file holds at that moment.

use std::time::Duration;

use aurax_core::{Clock as _, Principal, Secret, SystemClock};
use aurax_store::testkit::{CrashPoint, Sabotage};
use aurax_store::{Binding, KeyFile, Sealed, Store, Vault};

use crate::chore::{Chore, Task};
use crate::place::{Place, seed};

const KEYS: usize = 300;
const USERS: usize = 7;

struct Scene {
    place: Place,
    store: Store,
    file: KeyFile,
}

fn secret(name: &str) -> Secret {
    Secret::new(format!("sk-{name}-aaaaaaaaaaaaaaaaaaaaaaaa"))
}

impl Scene {
    /// A store with keys that the one master key of a file seals.
    async fn new(place: Place) -> Self {
        let store = place.open().await;
        let file = KeyFile::new(place.folder.join("keys"));
        let vault = Vault::new(file.create(SystemClock.now()).unwrap());
        for number in 0..KEYS {
            let user = store.user(&Principal::new(format!("user {}", number % USERS)));
            let name = number.to_string();
            let keys = user.provider_keys();
            keys.seal(&vault, "openai", &name, None, &secret(&name))
                .await
                .unwrap();
        }
        Self { place, store, file }
    }

    fn add_master_key(&self) {
        self.file.add(SystemClock.now()).unwrap();
    }

    /// How many keys another master key than the current one seals.
    async fn remaining(&self) -> usize {
        let current = self.file.read().unwrap().current().to_string();
        let jobs = self.store.jobs();
        let page = jobs.keys_to_reseal(&current, None, 500).await.unwrap();
        page.len()
    }

    /// The names of keys that the key file does not open, or that are not what they were.
    #[expect(clippy::disallowed_methods, reason = "a test compares what came back")]
    async fn unreadable(&self) -> Vec<String> {
        let vault = Vault::new(self.file.read().unwrap());
        // Nothing is sealed by a key without a name, so these are all.
        let all = self.store.jobs().keys_to_reseal("", None, 500).await;
        let all = all.unwrap();
        assert_eq!(all.len(), KEYS);
        let mut unreadable = Vec::new();
        for stored in all {
            let whose = Principal::new(stored.user_id.to_string());
            let binding = Binding::new(whose, stored.shown.id, "openai");
            let sealed = Sealed::from_bytes(stored.key.sealed).unwrap();
            let name = stored.shown.key_name;
            match vault.open(&sealed, &binding) {
                Ok(key) if key.expose() == secret(&name).expose() => {}
                _ => unreadable.push(name),
            }
        }
        unreadable
    }

    /// Comes to the end, with one master key that opens everything.
    async fn completes(&self) {
        let done = Chore::new(&self.place, Task::Rotate).finish();
        assert_eq!((self.remaining().await, done.failed), (0, 0));
        let ring = self.file.read().unwrap();
        assert_eq!(ring.ids().collect::<Vec<_>>(), [ring.current()]);
        let jobs = self.store.jobs();
        assert_eq!(jobs.master_keys_in_use().await.unwrap(), [ring.current()]);
        assert_eq!(self.unreadable().await, [] as [&str; 0]);
    }

    async fn clear(self) {
        self.place.clear(&self.store).await;
    }
}

async fn a_rotation_that_is_killed_leaves_every_key_readable(place: Place) {
    let mut rng = fastrand::Rng::with_seed(seed());
    let scene = Scene::new(place).await;
    let (mut within, mut most) = (0, 1);
    for kill in 0..10 {
        // Now to another master key, now on with what the one before left.
        if scene.remaining().await < KEYS / 3 || rng.bool() {
            scene.add_master_key();
        }
        most = most.max(scene.file.read().unwrap().ids().count());
        let before = scene.remaining().await;
        let program = Chore::new(&scene.place, Task::Rotate).start();
        let goal = rng.usize(1..before);
        let waited = tokio::time::timeout(Duration::from_secs(30), async {
            while scene.remaining().await > goal {
                tokio::task::yield_now().await;
            }
        });
        assert!(waited.await.is_ok(), "kill {kill} waits for {goal}");
        tokio::time::sleep(Duration::from_micros(rng.u64(0..2_000))).await;
        program.kill();
        let after = scene.remaining().await;
        within += usize::from(after > 0);
        assert_eq!(scene.unreadable().await, [] as [&str; 0], "kill {kill}");
    }
    println!("10 kills, {within} of them before the last key, up to {most} master keys");
    assert!(within >= 5 && most > 1);
    scene.completes().await;
    scene.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_survives_kills_in_a_file() {
    a_rotation_that_is_killed_leaves_every_key_readable(Place::file()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_survives_kills_in_postgres() {
    if let Some(place) = Place::postgres().await {
        a_rotation_that_is_killed_leaves_every_key_readable(place).await;
    }
}

async fn a_rotation_that_crashes_leaves_every_key_readable(place: Place) {
    let scene = Scene::new(place).await;
    scene.add_master_key();
    for (point, passes, left) in [
        (CrashPoint::MidRotation, 0, KEYS),
        (CrashPoint::AfterRotation, 0, KEYS - 1),
        // Within the second page of them.
        (CrashPoint::MidRotation, 120, KEYS - 121),
        (CrashPoint::AfterRotation, 99, KEYS - 221),
    ] {
        let chore = Chore::new(&scene.place, Task::Rotate).with_crash(point, passes);
        chore.start().dies(&format!("{point:?} {passes}")).await;
        assert_eq!(scene.remaining().await, left, "{point:?} {passes}");
        assert_eq!(scene.unreadable().await, [] as [&str; 0], "{point:?}");
    }
    scene.completes().await;
    scene.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_survives_crashes_in_a_file() {
    a_rotation_that_crashes_leaves_every_key_readable(Place::file()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_survives_crashes_in_postgres() {
    if let Some(place) = Place::postgres().await {
        a_rotation_that_crashes_leaves_every_key_readable(place).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_said_to_be_rotated_and_is_not_is_found() {
    let scene = Scene::new(Place::file()).await;
    scene.add_master_key();
    let chore = Chore::new(&scene.place, Task::Rotate);
    chore.with_sabotage(Sabotage::ClaimRotated).finish();
    assert_eq!(scene.remaining().await, 0);
    assert_eq!(scene.unreadable().await.len(), KEYS);
    scene.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_key_that_is_retired_too_early_is_found() {
    let scene = Scene::new(Place::file()).await;
    scene.add_master_key();
    let chore = Chore::new(&scene.place, Task::Rotate);
    let done = chore.with_sabotage(Sabotage::RetireKeyEarly).finish();
    assert_eq!((done.rotated, done.failed), (0, KEYS));
    assert_eq!(scene.unreadable().await.len(), KEYS);
    scene.clear().await;
}
