//! The one place a secret may be used at.

use std::sync::Arc;

use aurax_core::Principal;
use uuid::Uuid;

use super::Origin;
use super::sealed::FORMAT;

/// What a sealed secret is bound to: it opens for the same user, row, provider and origin alone.
///
/// All four are compared byte by byte: a provider goes by the name it is stored under, not by an
/// alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    user: Principal,
    row: Uuid,
    provider: Arc<str>,
    origin: Option<Origin>,
}

impl Binding {
    /// A row of `user`'s that holds a key for the configured address of `provider`.
    pub fn new(user: Principal, row: Uuid, provider: impl Into<Arc<str>>) -> Self {
        Self {
            user,
            row,
            provider: provider.into(),
            origin: None,
        }
    }

    /// The key is for the provider at `origin`, which the row's base URL has, and no longer for
    /// the configured address.
    #[must_use]
    pub fn with_origin(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    /// The binding as bytes, which no other binding or purpose has: each part goes after its
    /// length.
    pub(super) fn encode(&self, purpose: &[u8]) -> Vec<u8> {
        let origin = self.origin.as_ref().map(Origin::as_str);
        let parts: [&[u8]; 7] = [
            purpose,
            &[FORMAT],
            self.user.as_str().as_bytes(),
            self.row.as_bytes(),
            self.provider.as_bytes(),
            &[u8::from(origin.is_some())],
            origin.unwrap_or_default().as_bytes(),
        ];
        let mut bytes = Vec::with_capacity(256);
        for part in parts {
            bytes.extend((part.len() as u64).to_be_bytes());
            bytes.extend(part);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts() -> impl Strategy<Value = (String, u8, String, Option<u16>)> {
        (
            "[ab]{0,3}",
            b'a'..=b'b',
            "[ab]{0,3}",
            prop::option::of(1..3_u16),
        )
    }

    fn binding((user, row, provider, port): &(String, u8, String, Option<u16>)) -> Binding {
        let row = Uuid::from_bytes([*row; 16]);
        let binding = Binding::new(Principal::new(user.as_str()), row, provider.as_str());
        match port {
            Some(port) => binding.with_origin(Origin::parse(&format!("http://a:{port}")).unwrap()),
            None => binding,
        }
    }

    proptest! {
        #[test]
        fn bindings_have_the_same_bytes_only_when_they_are_the_same(one in parts(), two in parts()) {
            let same = binding(&one).encode(b"x") == binding(&two).encode(b"x");
            prop_assert_eq!(same, one == two);
        }
    }

    #[test]
    fn no_part_runs_into_the_next() {
        let of = |user: &str, provider: &str, purpose: &[u8]| {
            let row = Uuid::from_bytes([b'b'; 16]);
            Binding::new(Principal::new(user), row, provider).encode(purpose)
        };
        // End to end, the parts of both are the same letters.
        assert_ne!(of("a", "bc", b"x"), of("ab", "c", b"x"));
        assert_ne!(of("\u{1}a", "c", b"x"), of("a", "c", b"x\x01"));
        assert_ne!(of("a", "c", b"x"), of("a", "c", b"y"));
    }
}
