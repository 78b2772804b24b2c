//! Whether a model takes a setting, on both wires of OpenAI's.

use aurax_core::{Effort, Request, Result};

use crate::omissions::Omissions;
use crate::rules::Setting;
use crate::wire::Target;

/// The target with what the provider's own list says of the model among its rules.
pub(crate) fn informed(target: &Target) -> Target {
    let mut target = target.clone();
    if let Some(info) = &target.info {
        target.rules = target.rules.informed_by(info);
    }
    target
}

/// Whether the model is to think, which decides what it takes besides.
pub(crate) fn thinks(request: &Request, target: &Target) -> bool {
    let reasoning = &request.reasoning;
    match (reasoning.effort, reasoning.budget_tokens) {
        (Some(effort), _) => {
            effort != Effort::Off || target.rules.refuses(Setting::ThinkingOff, true)
        }
        (None, Some(tokens)) => tokens > 0,
        (None, None) => target.rules.thinks_by_default,
    }
}

/// A setting, unless the model refuses it.
pub(crate) fn takes<T>(
    value: Option<T>,
    setting: Setting,
    subject: &str,
    target: &Target,
    thinks: bool,
    omissions: &mut Omissions,
) -> Result<Option<T>> {
    if value.is_some() && target.rules.refuses(setting, thinks) {
        let why = if target.rules.refuses(setting, false) {
            format!("left out: {} refuses it", target.model)
        } else {
            format!("left out: {} refuses it while it thinks", target.model)
        };
        omissions.note(subject, why)?;
        return Ok(None);
    }
    Ok(value)
}
