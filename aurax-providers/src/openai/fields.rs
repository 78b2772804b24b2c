//! Objects whose fields are read straight into their places.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::object::Text;

/// Something whose fields are read straight into their places. Of a field that is there several
/// times the last one stands, as in an [`Object`].
pub(super) trait Fields<'a>: Default {
    /// Reads the value of the field called `name`.
    fn read<A: MapAccess<'a>>(&mut self, name: Text<'a>, map: &mut A) -> Result<(), A::Error>;
}

/// What was read in one pass.
#[derive(Debug)]
pub(super) struct InOnePass<T>(pub(super) T);

impl<'de, T: Fields<'de>> Deserialize<'de> for InOnePass<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Places<T>(PhantomData<T>);

        impl<'de, T: Fields<'de>> Visitor<'de> for Places<T> {
            type Value = InOnePass<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<InOnePass<T>, A::Error> {
                let mut places = T::default();
                while let Some(name) = map.next_key()? {
                    places.read(name, &mut map)?;
                }
                Ok(InOnePass(places))
            }
        }

        deserializer.deserialize_map(Places(PhantomData))
    }
}
