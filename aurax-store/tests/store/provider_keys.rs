//! Provider keys.

use aurax_core::{ErrorKind, Page};
use aurax_store::{NewProviderKey, ProviderKeyChange, SealedKey};

use crate::desk::Desk;
use crate::sessions::{ada, at};

pub(crate) fn sealed(kek: &str, byte: u8) -> SealedKey {
    SealedKey::new(vec![byte, 0, 255], kek, "wxyz").with_fingerprint("f00d")
}

fn new(provider: &str, name: &str) -> NewProviderKey {
    NewProviderKey::new(NewProviderKey::new_id(), provider, sealed("one", 1)).with_key_name(name)
}

pub(crate) async fn a_provider_key_is_shown_masked(desk: Desk) -> Desk {
    let keys = desk.store.user(&ada()).provider_keys();
    let new = new("openai", "work").with_base_url("https://example.com/v1");
    let id = new.id;
    let shown = keys.add(new).await.unwrap();
    assert_eq!((shown.id, shown.masked_key.as_str()), (id, "…wxyz"));
    assert_eq!(shown.base_url.as_deref(), Some("https://example.com/v1"));
    assert!(shown.is_active && shown.last_validated.is_none());
    let json = serde_json::to_string(&shown).unwrap();
    assert!(!json.contains("sealed") && !json.contains("kek"), "{json}");
    let stored = keys.sealed(id).await.unwrap();
    assert_eq!(
        (stored.key, stored.shown),
        (sealed("one", 1), shown.clone())
    );
    assert_eq!(keys.get(id).await.unwrap(), shown);
    desk
}

pub(crate) async fn a_provider_has_one_key_of_a_name(desk: Desk) -> Desk {
    let keys = desk.store.user(&ada()).provider_keys();
    keys.add(new("openai", "a")).await.unwrap();
    keys.add(new("mistral", "a")).await.unwrap();
    let other = keys.add(new("openai", "b")).await.unwrap();
    let error = keys.add(new("openai", "a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("`a`"), "{error}");
    let mut change = ProviderKeyChange::default();
    change.key_name = Some("a".to_owned());
    let error = keys.change(other.id, change).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    desk
}

pub(crate) async fn a_call_gets_the_named_else_the_default_else_the_newest_key(desk: Desk) -> Desk {
    let keys = desk.store.user(&ada()).provider_keys();
    let resolve = async |name| {
        let key = keys.resolve("openai", name).await.unwrap();
        key.map(|key| key.shown.key_name)
    };
    assert_eq!(resolve(None).await, None);
    keys.add(new("openai", "old")).await.unwrap();
    let newest = keys.add(new("openai", "new")).await.unwrap();
    keys.add(new("mistral", "default")).await.unwrap();
    assert_eq!(resolve(None).await.as_deref(), Some("new"));
    let mut off = ProviderKeyChange::default();
    off.is_active = Some(false);
    assert!(!keys.change(newest.id, off).await.unwrap().is_active);
    assert_eq!(resolve(None).await.as_deref(), Some("old"));
    assert_eq!(resolve(Some("new")).await, None);
    let mut on = ProviderKeyChange::default();
    on.is_active = Some(true);
    keys.change(newest.id, on).await.unwrap();
    keys.add(new("openai", "default")).await.unwrap();
    assert_eq!(resolve(None).await.as_deref(), Some("default"));
    assert_eq!(resolve(Some("new")).await.as_deref(), Some("new"));
    assert_eq!(resolve(Some("absent")).await, None);
    desk
}

pub(crate) async fn a_replaced_key_has_yet_to_be_validated(desk: Desk) -> Desk {
    let keys = desk.store.user(&ada()).provider_keys();
    let key = keys.add(new("openai", "a")).await.unwrap();
    let mut validated = ProviderKeyChange::default();
    validated.last_validated = Some(at(7));
    validated.is_active = Some(false);
    let changed = keys.change(key.id, validated).await.unwrap();
    assert_eq!(changed.last_validated, Some(at(7)));
    let replaced = keys.replace(key.id, None, sealed("two", 2)).await.unwrap();
    assert!(replaced.is_active && replaced.last_validated.is_none());
    assert_eq!(keys.sealed(key.id).await.unwrap().key, sealed("two", 2));
    desk
}

pub(crate) async fn provider_keys_are_listed_and_deleted(desk: Desk) -> Desk {
    let keys = desk.store.user(&ada()).provider_keys();
    for name in ["a", "b", "c"] {
        keys.add(new("openai", name)).await.unwrap();
    }
    let mistral = keys.add(new("mistral", "a")).await.unwrap();
    let page = Page::first().with_limit(2);
    let names = |keys: Vec<aurax_store::ProviderKey>| -> Vec<String> {
        keys.into_iter().map(|key| key.key_name).collect()
    };
    let first = keys.list(Some("openai"), &page).await.unwrap();
    let rest = page.clone().after(first.next_cursor.clone().unwrap());
    assert_eq!(names(first.data), ["c", "b"]);
    let second = keys.list(Some("openai"), &rest).await.unwrap();
    assert_eq!(
        (names(second.data), second.next_cursor),
        (vec!["a".to_owned()], None)
    );
    let error = keys.list(None, &rest).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(keys.delete_all("openai").await.unwrap(), 3);
    keys.delete(mistral.id).await.unwrap();
    let error = keys.delete(mistral.id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        keys.list(None, &Page::first())
            .await
            .unwrap()
            .data
            .is_empty()
    );
    desk
}

pub(crate) async fn keys_are_sealed_anew_unless_they_changed(desk: Desk) -> Desk {
    let keys = desk.store.user(&ada()).provider_keys();
    for name in ["a", "b", "c"] {
        keys.add(new("openai", name)).await.unwrap();
    }
    let jobs = desk.store.jobs();
    let batch = jobs.keys_to_reseal("two", None, 2).await.unwrap();
    assert_eq!(batch.len(), 2);
    assert_eq!(batch[0].user_id, desk.store.user(&ada()).user_id());
    let (first, second) = (&batch[0], &batch[1]);
    let from = first.key.sealed.clone();
    assert!(
        jobs.reseal(first.shown.id, from.clone(), vec![9], "two")
            .await
            .unwrap()
    );
    // It was replaced meanwhile: the job has nothing to say about the new one.
    keys.replace(second.shown.id, None, sealed("one", 3))
        .await
        .unwrap();
    assert!(
        !jobs
            .reseal(second.shown.id, from, vec![9], "two")
            .await
            .unwrap()
    );
    assert_eq!(
        keys.sealed(second.shown.id).await.unwrap().key,
        sealed("one", 3)
    );
    let after = Some(first.shown.id);
    let rest = jobs.keys_to_reseal("two", after, 500).await.unwrap();
    assert_eq!(rest.len(), 2);
    assert_eq!(
        jobs.keys_to_reseal("two", None, 500).await.unwrap().len(),
        2
    );
    desk
}

pub(crate) async fn a_provider_key_that_cannot_be_kept_is_named(desk: Desk) -> Desk {
    let keys = desk.store.user(&ada()).provider_keys();
    let long = "x".repeat(101);
    let mut unsealed = new("openai", "a");
    unsealed.key.sealed.clear();
    for (bad, field) in [
        (new(&long, "a"), "provider"),
        (new(" ", "a"), "provider"),
        (new("openai", &long), "key_name"),
        (new("openai", "a\0b"), "key_name"),
        (
            new("openai", "a").with_base_url("x".repeat(2_049)),
            "base_url",
        ),
        (unsealed, "key"),
    ] {
        let error = keys.add(bad).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert_eq!(error.context("field"), Some(field));
    }
    desk
}
