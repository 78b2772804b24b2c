//! What a file of prices changes.

use std::collections::BTreeMap;

use aurax::PriceBook;
use serde::Serialize;
use time::OffsetDateTime;

use super::show::{Rate, rates};
use crate::cli::exit::Done;
use crate::cli::shell::Shell;

/// The most changes that are shown.
const MOST: usize = 40;

/// One change: a model, a unit, and the rate before and after.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Change {
    model: String,
    unit: &'static str,
    before: Option<String>,
    after: Option<String>,
}

/// What is not the same in the second book, today.
pub(super) fn changes(before: &PriceBook, after: &PriceBook, at: OffsetDateTime) -> Vec<Change> {
    let (old, new) = (all(before, at), all(after, at));
    let mut changes = Vec::new();
    let models = old
        .keys()
        .chain(new.keys().filter(|model| !old.contains_key(*model)));
    for model in models {
        let none = Vec::new();
        let (was, is) = (
            old.get(model).unwrap_or(&none),
            new.get(model).unwrap_or(&none),
        );
        if was == is {
            continue;
        }
        let find = |rates: &[Rate], unit| {
            rates
                .iter()
                .find(|(known, _)| *known == unit)
                .map(|(_, rate)| rate.clone())
        };
        let added = is.iter().filter(|(unit, _)| find(was, *unit).is_none());
        for (unit, _) in was.iter().chain(added) {
            let (before, after) = (find(was, *unit), find(is, *unit));
            if before != after {
                changes.push(Change {
                    model: model.clone(),
                    unit: unit.as_str(),
                    before,
                    after,
                });
            }
        }
    }
    changes
}

fn all(book: &PriceBook, at: OffsetDateTime) -> BTreeMap<String, Vec<Rate>> {
    let models = |provider: &str| {
        let models = book.models(provider).into_iter();
        let named = models.map(|model| {
            let rates = rates(book, provider, &model.id, at);
            (format!("{provider}/{}", model.id), rates)
        });
        named.collect::<Vec<_>>()
    };
    book.providers().flat_map(models).collect()
}

pub(super) fn show(shell: &Shell, changes: &[Change]) -> Done {
    let dollars = |rate: &Option<String>| match rate {
        Some(rate) => format!("${rate}"),
        None => "no price".to_owned(),
    };
    for change in changes.iter().take(MOST) {
        shell.out.line(format!(
            "  {} {}: {} → {}",
            change.model,
            change.unit,
            dollars(&change.before),
            dollars(&change.after)
        ))?;
    }
    match changes.len().checked_sub(MOST) {
        Some(more) if more > 0 => shell.out.line(format!("  and {more} more")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_has_what_was_and_what_is() {
        let before = PriceBook::builtin();
        let overlay = r#"{"providers": {
            "acme": {"models": [{"id": "new", "prices": [{"usd": {"input": "3"}}]}]},
            "openai": {"models": [{"id": "gpt-4o-mini", "prices": [{"usd": {"input": "9"}}]}]}}}"#;
        let after = before.with_overlay(overlay).unwrap();
        let changes = changes(
            &before,
            &after,
            OffsetDateTime::UNIX_EPOCH + time::Duration::days(20_000),
        );
        let of = |model: &str, unit: &str| {
            let found = changes
                .iter()
                .find(|change| change.model == model && change.unit == unit);
            let found = found.unwrap_or_else(|| panic!("{changes:?}"));
            (found.before.clone(), found.after.clone())
        };
        assert_eq!(of("acme/new", "input"), (None, Some("3".to_owned())));
        assert_eq!(
            of("openai/gpt-4o-mini", "input"),
            (Some("0.15".to_owned()), Some("9".to_owned()))
        );
        assert_eq!(of("openai/gpt-4o-mini", "output").1, None);
        assert!(
            changes
                .iter()
                .all(|change| change.model == "acme/new" || change.model == "openai/gpt-4o-mini")
        );
    }
}
