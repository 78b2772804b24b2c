//! Webhooks, signed as <https://www.standardwebhooks.com> says.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use aurax::providers::transport::Transport;
use aurax::{Clock, Retry, Secret};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::{AlertOptions, Notice};

/// Deliveries that wait or go on. What comes on top is not delivered, and a warning says so.
const MOST: usize = 1_024;
/// Deliveries at once.
const AT_ONCE: usize = 16;
/// Of one owner: whose server hangs holds nobody else up.
const AT_ONCE_OF_ONE: usize = 2;

/// Delivers notices to where alerts say, beside everything else.
pub(super) struct Webhooks {
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    key: hmac::Key,
    timeout: Duration,
    tries: u32,
    pause: Duration,
    room: Arc<Semaphore>,
    places: Arc<Semaphore>,
    owners: Mutex<HashMap<Uuid, Weak<Semaphore>>>,
    tasks: TaskTracker,
}

impl fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhooks")
            .field("transport", &self.transport)
            .field("under_way", &self.tasks.len())
            .finish_non_exhaustive()
    }
}

impl Webhooks {
    #[expect(
        clippy::disallowed_methods,
        reason = "the secret becomes the key that alerts' secrets follow from"
    )]
    pub(super) fn new(
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        secret: &Secret,
        options: &AlertOptions,
    ) -> Self {
        Self {
            transport,
            clock,
            key: hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes()),
            timeout: options.webhook_timeout,
            tries: options.webhook_tries,
            pause: options.webhook_pause,
            room: Arc::new(Semaphore::new(MOST)),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            owners: Mutex::default(),
            tasks: TaskTracker::new(),
        }
    }

    /// The key that an alert's deliveries are signed with.
    fn key_of(&self, alert: Uuid) -> hmac::Tag {
        let mut said = b"aurax webhook\0".to_vec();
        said.extend_from_slice(alert.as_bytes());
        hmac::sign(&self.key, &said)
    }

    /// The same for its owner, as the standard writes it.
    pub(super) fn secret(&self, alert: Uuid) -> Secret {
        let key = self.key_of(alert);
        Secret::new(format!("whsec_{}", STANDARD.encode(key.as_ref())))
    }

    /// Delivers a notice, some time; nobody waits for it.
    pub(super) fn send(self: &Arc<Self>, notice: Arc<Notice>) {
        let Some(url) = notice.alert.webhook_url.clone() else {
            return;
        };
        let Ok(room) = self.room.clone().try_acquire_owned() else {
            return failed(&notice, "too many deliveries wait");
        };
        let (webhooks, owner) = (self.clone(), self.owner(notice.user_id()));
        self.tasks.spawn(async move {
            webhooks.deliver(&url, &notice, &owner).await;
            drop(room);
        });
    }

    /// Waits until nothing is under way.
    pub(super) async fn done(&self) {
        self.tasks.close();
        self.tasks.wait().await;
        self.tasks.reopen();
    }

    fn owner(&self, user: Uuid) -> Arc<Semaphore> {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(owner) = owners.get(&user).and_then(Weak::upgrade) {
            return owner;
        }
        // There are as many with something under way as there is room.
        owners.retain(|_, owner| owner.strong_count() > 0);
        let owner = Arc::new(Semaphore::new(AT_ONCE_OF_ONE));
        owners.insert(user, Arc::downgrade(&owner));
        owner
    }

    async fn deliver(&self, url: &str, notice: &Notice, owner: &Semaphore) {
        let body = match serde_json::to_vec(notice) {
            Ok(body) => Bytes::from(body),
            Err(_) => return failed(notice, "it cannot be written as JSON"),
        };
        let mut pause = self.pause;
        let mut tries = 1;
        loop {
            let outcome = {
                let (Ok(_own), Ok(_place)) = (owner.acquire().await, self.places.acquire().await)
                else {
                    return;
                };
                self.attempt(url, notice, body.clone()).await
            };
            match outcome {
                Outcome::Delivered => return,
                Outcome::Refused(why) => return failed(notice, &why),
                Outcome::Missed(why) if tries >= self.tries => return failed(notice, &why),
                Outcome::Missed(_) => {}
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(4);
            tries += 1;
        }
    }

    async fn attempt(&self, url: &str, notice: &Notice, body: Bytes) -> Outcome {
        let Some(request) = self.request(url, notice, body) else {
            return Outcome::Refused("its address cannot be sent to".to_owned());
        };
        match tokio::time::timeout(self.timeout, self.transport.send(request)).await {
            // What it answers besides is nothing to anybody: the connection goes with it.
            Ok(Ok(response)) => judge(response.status()),
            Ok(Err(error)) if error.retry() == Retry::Transient => {
                Outcome::Missed(error.message().to_owned())
            }
            Ok(Err(error)) => Outcome::Refused(error.message().to_owned()),
            Err(_) => Outcome::Missed(format!("no answer within {:?}", self.timeout)),
        }
    }

    fn request(&self, url: &str, notice: &Notice, body: Bytes) -> Option<Request<Bytes>> {
        let id = notice.message_id();
        let timestamp = self.clock.now().unix_timestamp();
        let mut signed = format!("{id}.{timestamp}.").into_bytes();
        signed.extend_from_slice(&body);
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.key_of(notice.alert.id).as_ref());
        let signature = STANDARD.encode(hmac::sign(&key, &signed));
        let request = Request::builder()
            .method(Method::POST)
            .uri(url)
            .header("content-type", "application/json")
            .header("user-agent", concat!("aurax/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", format!("v1,{signature}"));
        request.body(body).ok()
    }
}

/// How a try ended.
enum Outcome {
    Delivered,
    /// Another try may help.
    Missed(String),
    /// No other try will.
    Refused(String),
}

fn judge(status: StatusCode) -> Outcome {
    let said = || format!("it was answered with {}", status.as_u16());
    match status {
        _ if status.is_success() => Outcome::Delivered,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Outcome::Missed(said()),
        _ if status.is_server_error() => Outcome::Missed(said()),
        _ => Outcome::Refused(said()),
    }
}

/// The address is left out: it may hold a token.
fn failed(notice: &Notice, why: &str) {
    tracing::warn!(
        target: "aurax::alerts",
        alert_id = %notice.alert.id,
        event_id = %notice.event.id,
        why,
        "a webhook was not delivered"
    );
}
