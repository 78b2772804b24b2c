//! How to draw tokens, and what ends the answer.
//!
//! Facts: <https://platform.claude.com/docs/en/api/messages> and, with thinking,
//! <https://platform.claude.com/docs/en/build-with-claude/extended-thinking>.

use aurax_core::{Request, Result};
use serde::Serialize;

use super::reasoning::Plan;
use crate::omissions::Omissions;
use crate::rules::{ModelRules, Setting};

/// The sampling parameters, on the wire; only the first version of the API has them.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub(super) struct Sampling {
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u32>,
}

/// How to draw tokens, as far as the model takes it: most newer ones take nothing of it, and none
/// while it thinks.
pub(super) fn sampling(
    request: &Request,
    rules: &ModelRules,
    plan: Plan,
    omissions: &mut Omissions,
) -> Result<Sampling> {
    let asked = &request.sampling;
    let thinks = plan.thinks;
    let unit = |value: f64| (0.0..=1.0).contains(&value);
    let mut kept = Sampling::default();
    let refused = "left out: the model takes no sampling settings";
    let range = "left out: the API takes 0 to 1";
    let thinking = "left out: not together with thinking";
    if let Some(temperature) = asked.temperature {
        let why = if rules.refuses(Setting::Temperature, thinks) {
            Some(refused)
        } else if !unit(temperature) {
            Some(range)
        } else {
            (thinks && temperature < 1.0).then_some(thinking)
        };
        match why {
            Some(why) => omissions.note("sampling.temperature", why)?,
            None => kept.temperature = Some(temperature),
        }
    }
    if let Some(top_p) = asked.top_p {
        let why = if rules.refuses(Setting::TopP, thinks) {
            Some(refused)
        } else if !unit(top_p) {
            Some(range)
        } else if kept.temperature.is_some() && rules.refuses(Setting::TemperatureWithTopP, thinks)
        {
            Some("left out: the model takes either temperature or top_p")
        } else {
            (thinks && top_p < 0.95).then_some(thinking)
        };
        match why {
            Some(why) => omissions.note("sampling.top_p", why)?,
            None => kept.top_p = Some(top_p),
        }
    }
    if let Some(top_k) = asked.top_k {
        let why = if rules.refuses(Setting::TopK, thinks) {
            Some(refused)
        } else {
            thinks.then_some(thinking)
        };
        match why {
            Some(why) => omissions.note("sampling.top_k", why)?,
            None => kept.top_k = Some(top_k),
        }
    }
    Ok(kept)
}

/// Stop texts; the API refuses those of white space.
pub(super) fn stop<'a>(request: &'a Request, omissions: &mut Omissions) -> Result<Vec<&'a str>> {
    let (kept, blank): (Vec<&str>, Vec<&str>) = request
        .stop
        .iter()
        .map(String::as_str)
        .partition(|text| !text.trim().is_empty());
    if !blank.is_empty() {
        omissions.note(
            "stop",
            "texts of white space left out: the API refuses them",
        )?;
    }
    Ok(kept)
}
