//! Secrets at rest open at the one place they were sealed for, and nowhere else.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::collections::HashSet;

use aurax_core::{Error, ErrorKind, Principal, Retry, Secret};
use aurax_store::{Binding, KeyFile, KeyRing, Origin, Sealed, Vault};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use uuid::Uuid;

const SECRET: &str = "sk-proj-hush-0123456789abcdef";

fn key(byte: u8) -> String {
    STANDARD.encode([byte; 32])
}

/// A vault with these keys, the current one first.
fn vault(keys: &[u8]) -> Vault {
    let keys: Vec<_> = keys.iter().map(|byte| key(*byte)).collect();
    let ring = KeyRing::parse(&Secret::new(keys.join("\n")), "AURAX_MASTER_KEY").unwrap();
    Vault::new(ring)
}

fn origin(url: &str) -> Origin {
    Origin::parse(url).unwrap()
}

fn binding() -> Binding {
    Binding::new(Principal::new("ada"), Uuid::from_u128(1), "openai")
}

#[expect(clippy::disallowed_methods, reason = "the secret is a test's own")]
fn text(secret: &Secret) -> &str {
    secret.expose()
}

fn seal(vault: &Vault) -> Sealed {
    vault.seal(&Secret::new(SECRET), &binding()).unwrap()
}

fn opened(vault: &Vault, sealed: &Sealed) -> Result<String, Error> {
    let secret = vault.open(sealed, &binding())?;
    Ok(text(&secret).to_owned())
}

fn assert_refused(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
    assert_eq!(error.retry(), Retry::Never);
    assert!(error.message().contains("damaged, or moved"), "{error}");
}

proptest! {
    #[test]
    fn what_was_sealed_opens(
        secret in "\\PC{1,300}",
        user in ".{0,20}",
        row in any::<u128>(),
        provider in "[a-z-]{0,20}",
        port in prop::option::of(1..=u16::MAX),
    ) {
        prop_assume!(!secret.trim().is_empty());
        let vault = vault(&[1]);
        let mut binding = Binding::new(Principal::new(user), Uuid::from_u128(row), provider);
        if let Some(port) = port {
            binding = binding.with_origin(origin(&format!("https://h.test:{port}")));
        }
        let sealed = vault.seal(&Secret::new(secret.as_str()), &binding).unwrap();
        let stored = Sealed::from_bytes(sealed.as_bytes()).unwrap();
        let opened = vault.open(&stored, &binding).unwrap();
        prop_assert_eq!(text(&opened), secret);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let vault = vault(&[1]);
        let mut prefixed = vault.current_prefix().to_vec();
        prefixed.extend(&bytes);
        for bytes in [bytes, prefixed] {
            if let Ok(sealed) = Sealed::from_bytes(bytes) {
                prop_assert!(vault.open(&sealed, &binding()).is_err());
            }
        }
    }
}

#[test]
fn a_change_of_any_bit_is_refused() {
    let vault = vault(&[1, 2]);
    let sealed = seal(&vault);
    for bit in 0..sealed.as_bytes().len() * 8 {
        let mut bytes = sealed.as_bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let error = Sealed::from_bytes(bytes)
            .and_then(|sealed| vault.open(&sealed, &binding()))
            .unwrap_err();
        let expected = match bit / 8 {
            0 => ErrorKind::Unsupported,
            1..Sealed::PREFIX => ErrorKind::Config,
            _ => ErrorKind::Internal,
        };
        assert_eq!(error.kind(), expected, "bit {bit}: {error}");
        assert!(!format!("{error:?}").contains("hush"));
    }
}

#[test]
fn a_cut_or_longer_secret_is_refused() {
    let vault = vault(&[1]);
    let sealed = seal(&vault);
    let bytes = sealed.as_bytes();
    let longer = [bytes, &[0]].concat();
    let cut = (0..bytes.len()).map(|end| bytes[..end].to_vec());
    for bytes in cut.chain([longer]) {
        let error = Sealed::from_bytes(bytes)
            .and_then(|sealed| vault.open(&sealed, &binding()))
            .unwrap_err();
        assert_refused(&error);
    }
    let endless = [bytes, &vec![0; Sealed::MAX]].concat();
    assert_refused(&Sealed::from_bytes(endless).unwrap_err());
}

#[test]
fn each_part_of_the_binding_is_bound_by_itself() {
    let vault = vault(&[1, 2]);
    let (user, row) = (Principal::new("ada"), Uuid::from_u128(1));
    let at = |url| Binding::new(user.clone(), row, "openai").with_origin(origin(url));
    let sealed_for = at("https://api.test");
    let sealed = vault.seal(&Secret::new(SECRET), &sealed_for).unwrap();
    let moved = [
        Binding::new(Principal::new("eve"), row, "openai").with_origin(origin("https://api.test")),
        Binding::new(user.clone(), Uuid::from_u128(2), "openai")
            .with_origin(origin("https://api.test")),
        Binding::new(user.clone(), row, "groq").with_origin(origin("https://api.test")),
        Binding::new(user.clone(), row, "openai"),
        at("https://evil.test"),
        at("http://api.test"),
        at("https://api.test:8443"),
    ];
    // The master key of before, too, opens nothing elsewhere on its way to the current one.
    let rotating = self::vault(&[3, 1]);
    for binding in moved {
        assert_refused(&vault.open(&sealed, &binding).unwrap_err());
        assert_refused(&rotating.rotate(&sealed, &binding).unwrap_err());
    }
    // Other paths and spellings of one origin are one place.
    let same = at("HTTPS://API.test:443/v2");
    assert_eq!(text(&vault.open(&sealed, &same).unwrap()), SECRET);
}

#[test]
fn a_key_for_the_configured_address_opens_at_no_other() {
    let vault = vault(&[1]);
    let sealed = seal(&vault);
    let evil = binding().with_origin(origin("https://evil.test"));
    assert_refused(&vault.open(&sealed, &evil).unwrap_err());
}

#[test]
fn swapped_secrets_are_refused_whole_and_in_parts() {
    let vault = vault(&[1]);
    let other = Binding::new(Principal::new("ada"), Uuid::from_u128(2), "openai");
    let one = seal(&vault);
    let two = vault.seal(&Secret::new(SECRET), &other).unwrap();
    assert_refused(&vault.open(&two, &binding()).unwrap_err());
    assert_refused(&vault.open(&one, &other).unwrap_err());
    // The keys of two secrets of the same place.
    let again = seal(&vault);
    for cut in [69, 81] {
        let mixed = [&one.as_bytes()[..cut], &again.as_bytes()[cut..]].concat();
        let mixed = Sealed::from_bytes(mixed).unwrap();
        assert_refused(&vault.open(&mixed, &binding()).unwrap_err());
    }
}

#[test]
fn sealing_twice_gives_other_bytes() {
    let vault = vault(&[1]);
    let sealed: HashSet<_> = (0..100).map(|_| seal(&vault).as_bytes().to_vec()).collect();
    assert_eq!(sealed.len(), 100);
    let parts: HashSet<_> = sealed.iter().map(|bytes| bytes[69..81].to_vec()).collect();
    assert_eq!(parts.len(), 100, "a nonce was used twice");
}

#[test]
fn rotation_seals_the_key_anew_and_not_the_secret() {
    let before = vault(&[1]);
    let sealed = seal(&before);
    assert_eq!(sealed.key_id(), before.keys().current());
    assert!(sealed.as_bytes().starts_with(&before.current_prefix()));
    assert!(before.rotate(&sealed, &binding()).unwrap().is_none());

    let during = vault(&[2, 1]);
    assert_eq!(opened(&during, &sealed).unwrap(), SECRET);
    let rotated = during.rotate(&sealed, &binding()).unwrap().unwrap();
    assert_eq!(rotated.key_id(), during.keys().current());
    assert!(rotated.as_bytes().starts_with(&during.current_prefix()));
    assert_eq!(rotated.as_bytes()[69..], sealed.as_bytes()[69..]);
    assert_ne!(rotated.as_bytes()[9..69], sealed.as_bytes()[9..69]);
    assert!(during.rotate(&rotated, &binding()).unwrap().is_none());
    // A job that died before it wrote its row starts over.
    let again = during.rotate(&sealed, &binding()).unwrap().unwrap();
    for form in [&sealed, &rotated, &again] {
        assert_eq!(opened(&during, form).unwrap(), SECRET);
    }

    let after = vault(&[2]);
    assert_eq!(opened(&after, &rotated).unwrap(), SECRET);
    let error = opened(&after, &sealed).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(error.retry(), Retry::Never);
    let old = before.keys().current().to_string();
    assert_eq!(error.context("key_id"), Some(&*old));
    assert!(error.message().contains(&old), "{error}");
    assert!(error.message().contains("AURAX_MASTER_KEY"), "{error}");
}

#[test]
fn another_key_of_the_same_id_opens_nothing() {
    // As if someone had written the current id over that of an earlier key.
    let vault = vault(&[2, 1]);
    let sealed = seal(&self::vault(&[1]));
    let mut bytes = sealed.as_bytes().to_vec();
    bytes[..Sealed::PREFIX].copy_from_slice(&vault.current_prefix());
    let forged = Sealed::from_bytes(bytes).unwrap();
    assert_refused(&vault.open(&forged, &binding()).unwrap_err());
}

#[test]
fn an_empty_or_endless_secret_is_not_sealed() {
    let vault = vault(&[1]);
    let longest = "x".repeat(Vault::MAX_SECRET);
    let sealed = vault
        .seal(&Secret::new(longest.as_str()), &binding())
        .unwrap();
    assert_eq!(sealed.as_bytes().len(), Sealed::MAX);
    let stored = Sealed::from_bytes(sealed.as_bytes()).unwrap();
    assert_eq!(opened(&vault, &stored).unwrap(), longest);
    for secret in ["", " \n", &format!("{longest}x")] {
        let error = vault.seal(&Secret::new(secret), &binding()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    }
}

#[test]
fn nothing_that_prints_shows_a_secret() {
    let vault = vault(&[1]);
    let sealed = seal(&vault);
    let file = KeyFile::new("/data/master.keys");
    let shown = format!("{vault:?} {sealed:?} {:?} {file:?}", binding());
    assert!(shown.contains(&vault.keys().current().to_string()));
    for hidden in ["hush", &key(1), &STANDARD.encode(sealed.as_bytes())] {
        assert!(!shown.contains(hidden), "{shown}");
    }
}

/// Bytes of the first format, made once by another implementation: what is stored stays readable.
#[test]
fn the_first_format_stays_readable() {
    let sealed = STANDARD
        .decode(include_str!("sealed-v1.txt").trim())
        .unwrap();
    let sealed = Sealed::from_bytes(sealed).unwrap();
    let binding = binding().with_origin(origin("http://[::1]:8080"));
    let opened = vault(&[1]).open(&sealed, &binding).unwrap();
    assert_eq!(text(&opened), SECRET);
}
