use super::kinds::Seen;
use serde_json::{Map, Value};
pub(crate) fn canonical_messages(_: &mut Map<String, Value>, _: &mut Seen) {}
pub(crate) fn canonical_chat(_: &mut Map<String, Value>, _: &str, _: &mut Seen) {}
