//! A client's request.

use aurax_core::{Call, Extra, Message, ModelId, Request, Result};
use serde_json::Value;

use super::super::NAME;
use super::messages::{self, Reader};
use super::{settings, tools};
use crate::Seal;
use crate::inbound::Incoming;
use crate::inbound::fields::{self, Places};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Chat,
    /// A count of its tokens.
    Count,
}

pub(super) fn read(body: &[u8], seal: &Seal, betas: &[String], form: Form) -> Result<Incoming> {
    let mut fields = fields::body(body, Places::Dots)?;
    let model = fields.require("model")?;
    let model = ModelId::parse(&model.string()?).map_err(|e| model.invalid(e.message()))?;
    let limit = fields.count("max_tokens")?;
    if form == Form::Chat && limit.is_none() {
        return Err(fields.invalid("max_tokens", "Field required"));
    }
    let mut said: Vec<Message> = Vec::new();
    if let Some(system) = fields.take("system") {
        said.extend(messages::system(&system)?);
    }
    said.extend(Reader::new(seal).read(&fields.require("messages")?)?);
    let mut request = Request::new(said);
    request.max_output_tokens = limit;
    tools::read(&mut fields, &mut request)?;
    let inside = settings::read(&mut fields, &mut request)?;
    let mut rest = fields.rest()?;
    rest.extend(inside);
    if !betas.is_empty() {
        let known = rest.entry("betas").or_insert(Value::Array(Vec::new()));
        if let Value::Array(known) = known {
            known.extend(betas.iter().map(|name| Value::from(name.as_str())));
        }
    }
    request.extra = Extra::new(Some(NAME.to_owned()), rest);
    Ok(Incoming::new(Call::chat(model, request)))
}
