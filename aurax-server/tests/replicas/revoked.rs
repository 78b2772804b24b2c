//! What is taken away at one server is soon gone at all, open streams included.

use std::time::Duration;

use aurax::{Clock as _, SystemClock};
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
    admin: Client,
    ada: Client,
}

impl Watched {
    async fn new() -> Option<Self> {
        let scene = Scene::new().await?;
        let (a, b) = scene
            .pair(|config| config.timeouts.login_cache = BELIEVED)
            .await;
        // The first account is an operator's.
        let (admin, ada) = (a.user().await, a.user().await);
        Some(Self {
            scene,
            a,
            b,
            admin,
            ada,
        })
    }

    /// Takes something away, and waits until the second server has noticed.
    async fn feels(self, there: Client, taken: impl Future<Output = ()>) {
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
    watched.feels(there, logout).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_account() {
    let Some(watched) = Watched::new().await else {
        return;
    };
    let there = at(&watched.b, &watched.ada);
    let (admin, id) = (watched.admin.clone(), watched.ada.id.clone().unwrap());
    let close = async move {
        let change = serde_json::json!({"is_active": false});
        let path = format!("/admin/users/{id}");
        admin.patch(&path, &change).await.expect(200);
    };
    watched.feels(there, close).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_key() {
    let Some(watched) = Watched::new().await else {
        return;
    };
    let ada = watched.ada.clone();
    let new = serde_json::json!({"name": "program"});
    let key = ada.post("/api/access-keys", &new).await.expect(201);
    let there = watched.b.client().with_token(key["key"].as_str().unwrap());
    let delete = async move {
        let path = format!("/api/access-keys/{}", key["id"].as_str().unwrap());
        ada.delete(&path).await.expect(204);
    };
    watched.feels(there, delete).await;
}
