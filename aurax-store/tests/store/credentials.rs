//! Provider keys through the vault.

use aurax_core::{ErrorKind, Principal, Secret};
use aurax_store::{KeyRing, SealedKey, UserScope, Vault};
use uuid::Uuid;

use crate::desk::Desk;

fn user(desk: &Desk, name: &str) -> UserScope {
    desk.store.user(&Principal::new(name.to_owned()))
}

#[expect(clippy::disallowed_methods, reason = "a test compares what came back")]
async fn open(scope: &UserScope, vault: &Vault, name: &str) -> aurax_core::Result<String> {
    let found = scope
        .provider_keys()
        .credential(vault, "openai", Some(name))
        .await?;
    Ok(found.unwrap().key.expose().to_owned())
}

/// The sealed bytes of one row put into another.
async fn swap(from: (&UserScope, Uuid), to: (&UserScope, Uuid), base_url: Option<&str>) {
    let stored = from.0.provider_keys().sealed(from.1).await.unwrap();
    let key = SealedKey::new(stored.key.sealed, stored.key.kek_id, "wxyz");
    let url = base_url.map(str::to_owned);
    to.0.provider_keys().replace(to.1, url, key).await.unwrap();
}

pub(crate) async fn a_key_comes_back_to_calls_alone(desk: Desk) -> Desk {
    let vault = Vault::new(KeyRing::generate().unwrap());
    let ada = user(&desk, "ada");
    let secret = Secret::new("sk-aaaaaaaaaaaaaaaaaaaaaaaawxyz");
    let keys = ada.provider_keys();
    let shown = keys
        .seal(&vault, "openai", "default", None, &secret)
        .await
        .unwrap();
    assert_eq!(shown.masked_key, "…wxyz");
    assert!(!format!("{shown:?}").contains("aaaa"));
    assert_eq!(
        open(&ada, &vault, "default").await.unwrap(),
        "sk-aaaaaaaaaaaaaaaaaaaaaaaawxyz"
    );
    let nobody = user(&desk, "bob").provider_keys();
    assert!(
        nobody
            .credential(&vault, "openai", None)
            .await
            .unwrap()
            .is_none()
    );
    let other = Vault::new(KeyRing::generate().unwrap());
    let error = open(&ada, &other, "default").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    desk
}

pub(crate) async fn a_key_opens_where_it_was_sealed_for_alone(desk: Desk) -> Desk {
    let vault = Vault::new(KeyRing::generate().unwrap());
    let (ada, bob) = (user(&desk, "ada"), user(&desk, "bob"));
    let secret = Secret::new("sk-aaaaaaaaaaaaaaaaaaaaaaaawxyz");
    let url = Some("https://llm.example.com/v1");
    let mut rows = Vec::new();
    for (scope, name, url) in [
        (&ada, "one", None),
        (&ada, "two", None),
        (&bob, "one", None),
        (&ada, "three", url),
    ] {
        let key = scope
            .provider_keys()
            .seal(&vault, "openai", name, url, &secret)
            .await
            .unwrap();
        rows.push(key.id);
    }
    let refused = async |scope: &UserScope, name: &str| {
        let error = open(scope, &vault, name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
        assert!(!error.to_string().contains("sk-"));
    };
    // Into another row of the same user, and of another.
    swap((&ada, rows[0]), (&ada, rows[1]), None).await;
    refused(&ada, "two").await;
    swap((&ada, rows[0]), (&bob, rows[2]), None).await;
    refused(&bob, "one").await;
    // To another address than it was sealed for; another path of the same one is fine.
    swap(
        (&ada, rows[3]),
        (&ada, rows[3]),
        Some("https://evil.example.com/v1"),
    )
    .await;
    refused(&ada, "three").await;
    swap((&ada, rows[3]), (&ada, rows[3]), None).await;
    refused(&ada, "three").await;
    swap(
        (&ada, rows[3]),
        (&ada, rows[3]),
        Some("https://llm.example.com/v2"),
    )
    .await;
    open(&ada, &vault, "three").await.unwrap();
    open(&ada, &vault, "one").await.unwrap();
    desk
}

pub(crate) async fn a_rotation_that_stops_anywhere_leaves_every_key_readable(desk: Desk) -> Desk {
    // 32 bytes of zero, and of 0x01 0x04 0x10 ….
    let (old, new) = (
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "AQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ=",
    );
    let ring = |keys: &str| Vault::new(KeyRing::parse(&Secret::new(keys), "KEYS").unwrap());
    let before = ring(old);
    let count = 230;
    for number in 0..count {
        let scope = user(&desk, &format!("user {}", number % 7));
        let secret = Secret::new(format!("sk-{number:04}-aaaaaaaaaaaaaaaaaaaaaaaa"));
        let keys = scope.provider_keys();
        keys.seal(&before, "openai", &format!("{number}"), None, &secret)
            .await
            .unwrap();
    }
    let after = ring(&format!("{new} {old}"));
    let all_open = async |every: usize| {
        for number in (0..count).step_by(every) {
            let scope = user(&desk, &format!("user {}", number % 7));
            let key = open(&scope, &after, &number.to_string()).await.unwrap();
            assert_eq!(key, format!("sk-{number:04}-aaaaaaaaaaaaaaaaaaaaaaaa"));
        }
    };
    let jobs = desk.store.jobs();
    // Dropped after so many of its steps, ten times.
    for stop in 0..10 {
        let mut rotation = Box::pin(jobs.rotate_keys(&after, |_| {}));
        for _ in 0..stop * 3 {
            if futures::poll!(&mut rotation).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(rotation);
        all_open(10).await;
    }
    let rest = jobs.rotate_keys(&after, |_| {}).await.unwrap();
    assert_eq!(rest.failed, [] as [Uuid; 0]);
    all_open(1).await;
    let again = jobs.rotate_keys(&after, |_| {}).await.unwrap();
    assert_eq!(again.keys, 0);
    desk
}
