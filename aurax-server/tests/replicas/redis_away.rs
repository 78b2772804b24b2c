//! A Redis that is killed, and one that hangs: nobody is told, and limits go on.

use serde_json::json;

use crate::scene::{Scene, at, says, session};
use crate::support::{Client, Kind, OwnRedis, Place, Server};
use aurax_store::testkit::Plan;

/// Requests of a user in a minute: half of them at each server, while they cannot ask each other.
const LIMIT: u64 = 12;

struct Watched {
    scene: Scene,
    a: Server,
    b: Server,
}

impl Watched {
    async fn over(redis: &OwnRedis) -> Option<Self> {
        let place = Place::open(Kind::Postgres).await?;
        let scene = Scene::of(place, redis.url()).await;
        let (a, b) = scene
            .pair(|config| config.limits.user_requests_per_minute = Some(LIMIT))
            .await;
        Some(Self { scene, a, b })
    }

    /// Everything is answered, and each server gives its share.
    async fn go_on(&self) {
        let ada = self.a.user().await;
        let path = session(&ada).await;
        ada.post(&path, &says(Plan::answer(1))).await.expect(201);
        let there = at(&self.b, &ada);
        there.get("/readyz").await.expect(200);
        // Two of its share are used at the first.
        for (client, left) in [(&ada, LIMIT / 2 - 2), (&there, LIMIT / 2)] {
            let answered = until_refused(client).await;
            assert!(
                (left..=left + 1).contains(&answered),
                "{answered}, not {left}"
            );
        }
    }

    /// What one lets in is missing at the other.
    async fn is_shared(&self) {
        let ada = self.a.user().await;
        let there = at(&self.b, &ada);
        let shared = async {
            let mut taken = 0;
            loop {
                for client in [&ada, &there] {
                    let answer = client.get("/auth/me").await;
                    taken += 1;
                    let left = answer.header("x-ratelimit-remaining").unwrap();
                    let left: u64 = left.parse().unwrap();
                    // A count of its own would have as much left again.
                    if taken >= 4 && left <= LIMIT - taken {
                        return;
                    }
                }
                if taken > 8 {
                    return Box::pin(self.is_shared()).await;
                }
                crate::support::moment().await;
            }
        };
        let limit = std::time::Duration::from_secs(10);
        tokio::time::timeout(limit, shared).await.unwrap();
    }

    async fn end(self) {
        self.scene.adds_up(&self.a).await;
        self.scene.end([self.a, self.b]).await;
    }
}

/// How many requests are answered until one is refused, which is the worst that happens.
async fn until_refused(client: &Client) -> u64 {
    for answered in 0..2 * LIMIT {
        let answer = client.get("/auth/me").await;
        if answer.status.as_u16() == 429 {
            assert_eq!(answer.error(429), "rate_limited");
            assert!(answer.header("retry-after").is_some());
            return answered;
        }
        answer.expect(200);
    }
    panic!("nothing is limited");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_killed() {
    let Some(mut redis) = OwnRedis::start().await else {
        return;
    };
    let Some(watched) = Watched::over(&redis).await else {
        return;
    };
    watched.is_shared().await;
    redis.kill();
    watched.go_on().await;
    let login = json!({"email": "nobody@example.com", "password": "wrong horse battery"});
    let refused = watched.b.client().post("/auth/login", &login).await;
    assert_eq!(refused.error(401), "unauthorized");
    redis.restart().await;
    watched.is_shared().await;
    watched.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_hangs() {
    let Some(redis) = OwnRedis::start().await else {
        return;
    };
    let Some(watched) = Watched::over(&redis).await else {
        return;
    };
    redis.hang();
    watched.go_on().await;
    redis.go_on();
    watched.is_shared().await;
    watched.end().await;
}

/// Servers start without it.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_not_there_yet() {
    let Some(mut redis) = OwnRedis::start().await else {
        return;
    };
    redis.kill();
    let Some(watched) = Watched::over(&redis).await else {
        return;
    };
    watched.go_on().await;
    watched.end().await;
}
