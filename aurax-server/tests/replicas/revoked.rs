//! What is taken away at one server is soon gone at all, open streams included.

use std::time::Duration;

use aurax::store::{NewAccessKey, UserChange};
use aurax::{Clock as _, Principal, SystemClock};
use aurax_store::testkit::{Ending, Plan};

use crate::scene::{Scene, at, session, streams};
use crate::support::{Client, Server};

/// For how long what is known of a login is believed here; a server's own value is 30 s, and never
/// more than 60.
const BELIEVED: Duration = Duration::from_secs(1);
/// What it takes besides.
const SLACK: Duration = Duration::from_secs(3);

/// Two servers, and somebody with a stream at the second that has no end.
struct Watched {
    scene: Scene,
    a: Server,
    b: Server,
    ada: Client,
}

impl Watched {
    async fn new() -> Option<Self> {
        let scene = Scene::new().await?;
        let (a, b) = scene
            .pair(|config| config.timeouts.login_cache = BELIEVED)
            .await;
        let ada = a.user().await;
        Some(Self { scene, a, b, ada })
    }

    /// Takes something away, and waits until the second server has noticed.
    async fn is_felt(self, there: Client, taken: impl Future<Output = ()>) {
        let path = session(&there).await;
        let endless = streams(Plan::answer(2).with_ending(Ending::Hang));
        let stream = there.post_stream(&path, &endless).await;
        assert_eq!(stream.status.as_u16(), 200);
        let begun = SystemClock.monotonic();
        taken.await;
        let limit = BELIEVED + SLACK;
        let refused = async {
            loop {
                let answer = there.get("/chat/sessions").await;
                if answer.status.as_u16() != 200 {
                    break answer.error(401);
                }
            }
        };
        let refused = tokio::time::timeout(limit, refused).await.unwrap();
        assert_eq!(refused, "unauthorized");
        let felt = SystemClock.monotonic() - begun;
        let events = tokio::time::timeout(limit, stream.events()).await.unwrap();
        let ended = SystemClock.monotonic() - begun;
        println!("refused after {felt:?}, the stream ended after {ended:?}");
        let (name, last) = events.last().unwrap();
        assert_eq!(
            (&**name, &last["error"]["code"]),
            ("error", &"unauthorized".into())
        );
        self.scene.adds_up(&self.a).await;
        self.scene.end([self.a, self.b]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout() {
    let Some(watched) = Watched::new().await else {
        return;
    };
    let ada = watched.ada.clone();
    let there = at(&watched.b, &ada);
    let logout = async {
        ada.delete("/auth/logout").await.expect(204);
        assert_eq!(ada.get("/auth/me").await.error(401), "unauthorized");
        let body = serde_json::json!({"refresh_token": ada.refresh});
        let renewed = ada.post("/auth/refresh", &body).await;
        assert_eq!(renewed.error(401), "unauthorized");
    };
    watched.is_felt(there, logout).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_account() {
    let Some(watched) = Watched::new().await else {
        return;
    };
    let there = at(&watched.b, &watched.ada);
    let (store, id) = (watched.a.store.clone(), watched.ada.id.clone().unwrap());
    let close = async move {
        let mut change = UserChange::default();
        change.is_active = Some(false);
        let id = id.parse().unwrap();
        store.admin().change_user(id, change).await.unwrap();
    };
    watched.is_felt(there, close).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_key() {
    let Some(watched) = Watched::new().await else {
        return;
    };
    let owner = Principal::new(watched.ada.id.clone().unwrap());
    let keys = watched.a.store.user(&owner).access_keys();
    let (key, secret) = keys.add(NewAccessKey::new("program")).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "it is shown once")]
    let there = watched.b.client().with_token(secret.expose());
    let delete = async move { keys.delete(key.id).await.unwrap() };
    watched.is_felt(there, delete).await;
}
