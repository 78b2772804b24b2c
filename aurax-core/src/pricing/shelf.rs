//! Lays the files of the price book over each other and makes providers of their rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::exact::Per;
use super::file::{BilledAt, CURRENCY, Cap, File, ModelRow, ProviderRow, RowId, SCHEMA, Unit};
use super::listing::{Listing, Provider, Stock};
use super::pattern::Routes;
use super::schedule::Calendar;
use super::unit;
use crate::bucket::Bucket;
use crate::error::{Error, ErrorKind, Result};

/// What the whole book shares.
#[derive(Default)]
pub(super) struct Tables {
    /// How many counts of a unit its rates are for.
    pub(super) pers: BTreeMap<Bucket, Per>,
    pub(super) calendars: BTreeMap<String, Arc<Calendar>>,
    pub(super) routes: Routes,
    /// For facts about a call, the values under which the standard price applies anyway.
    pub(super) ordinary: BTreeMap<String, Vec<String>>,
}

/// Files of the price book, read and merged.
#[derive(Default)]
pub(super) struct Shelf<'a> {
    /// The latest day any of the files was made.
    pub(super) date: String,
    tables: Tables,
    providers: BTreeMap<String, Rows<'a>>,
}

impl<'a> Shelf<'a> {
    /// Lays a file over what is there.
    ///
    /// # Errors
    /// `Config`, with the place in the file.
    pub(super) fn put(&mut self, text: &'a str) -> Result<()> {
        let file: File<'a> = read(text)?;
        if let Some(schema) = file.schema.filter(|schema| *schema != SCHEMA) {
            return Err(Fault::new("schema", format!("{schema} is not {SCHEMA}")).into());
        }
        if let Some(currency) = file.currency.filter(|currency| currency != CURRENCY) {
            return Err(Fault::new("currency", format!("{currency} is not {CURRENCY}")).into());
        }
        if let Some(date) = file.date.filter(|date| *date > self.date) {
            self.date = date;
        }
        for (Unit(unit), row) in file.units.unwrap_or_default() {
            let counts = if unit::in_millis(unit) { 1000 } else { 1 };
            let per = row.per.checked_mul(counts).and_then(Per::new);
            let per = per.ok_or_else(|| Fault::new("units", "`per` is at least 1"))?;
            self.tables.pers.insert(unit, per);
        }
        self.tables
            .ordinary
            .extend(file.ordinary.unwrap_or_default());
        self.tables.routes = file
            .routing
            .unwrap_or(std::mem::take(&mut self.tables.routes));
        for (name, calendar) in file.calendars {
            self.tables.calendars.insert(name, Arc::new(calendar));
        }
        for (key, row) in file.providers {
            let key = key.trim().to_lowercase();
            let rows = self.providers.entry(key.clone()).or_default();
            rows.put(row);
        }
        Ok(())
    }

    /// Makes the providers, in the order of their keys, with all their models.
    ///
    /// # Errors
    /// `Config`, with the provider, the model and the field that do not fit.
    pub(super) fn into_providers(self) -> Result<(Arc<Tables>, Vec<Provider>)> {
        self.providers(|rows, tables| {
            let layers = rows.models.iter().map(Vec::as_slice);
            listings(model_rows(layers)?, tables).map(Stock::read)
        })
    }

    fn providers(
        self,
        stock: impl Fn(&Rows<'a>, &Arc<Tables>) -> Result<Stock, Fault>,
    ) -> Result<(Arc<Tables>, Vec<Provider>)> {
        let Self {
            tables, providers, ..
        } = self;
        let tables = Arc::new(tables);
        let keys: Vec<String> = providers.keys().cloned().collect();
        let providers = providers
            .into_iter()
            .map(|(key, rows)| {
                stock(&rows, &tables)
                    .and_then(|stock| rows.into_provider(&key, &keys, stock))
                    .map_err(|fault| fault.at_provider(&key).into())
            })
            .collect::<Result<_>>()?;
        Ok((tables, providers))
    }
}

impl Shelf<'static> {
    /// Makes the providers of the built-in book, whose models are read when they are asked for.
    ///
    /// # Errors
    /// As for [`Shelf::into_providers`].
    pub(super) fn into_unread_providers(self) -> Result<(Arc<Tables>, Vec<Provider>)> {
        self.providers(|rows, tables| match rows.models.as_slice() {
            [] => Ok(Stock::read(Vec::new())),
            [one] => Ok(Stock::unread(one.clone(), tables.clone())),
            several => {
                let layers = several.iter().map(Vec::as_slice);
                listings(model_rows(layers)?, tables).map(Stock::read)
            }
        })
    }
}

/// The rows of a provider.
#[derive(Default)]
struct Rows<'a> {
    aliases: Vec<String>,
    fallbacks: Vec<String>,
    billed_at: BilledAt,
    at_parent_rate: Vec<Bucket>,
    complete_caps: Vec<Cap>,
    /// The models of each file, the lowest file first.
    models: Vec<Vec<&'a RawValue>>,
}

impl<'a> Rows<'a> {
    /// Lays a provider over what is there.
    fn put(&mut self, row: ProviderRow<'a>) {
        self.aliases
            .extend(row.aliases.iter().map(|alias| alias.trim().to_lowercase()));
        replace(&mut self.fallbacks, row.fallback);
        replace(&mut self.billed_at, row.billed_at);
        let at_parent_rate = row
            .at_parent_rate
            .map(|units| units.into_iter().map(|unit| unit.0));
        replace(
            &mut self.at_parent_rate,
            at_parent_rate.map(Iterator::collect),
        );
        replace(&mut self.complete_caps, row.complete_caps);
        self.models.push(row.models);
    }

    fn into_provider(self, key: &str, keys: &[String], stock: Stock) -> Result<Provider, Fault> {
        let mut provider = Provider::new(key, stock);
        for name in self.fallbacks {
            let i = keys.iter().position(|key| *key == name).ok_or_else(|| {
                Fault::new("fallback", format!("the book has no provider {name:?}"))
            })?;
            provider.fallbacks.push(i);
        }
        provider.aliases = self.aliases;
        provider.billed_at = self.billed_at;
        provider.at_parent_rate = self.at_parent_rate;
        provider.complete_caps = self.complete_caps;
        Ok(provider)
    }
}

/// Reads models, each file over the one before. The models of the upper file come first: where two
/// claim a name, the first has it.
pub(super) fn model_rows<'a>(
    layers: impl Iterator<Item = &'a [&'a RawValue]>,
) -> Result<Vec<ModelRow>, Fault> {
    let mut models: Vec<ModelRow> = Vec::new();
    for layer in layers {
        let mut below: Vec<_> = models.drain(..).map(Some).collect();
        for (i, text) in layer.iter().enumerate() {
            let row: ModelRow =
                read(text.get()).map_err(|fault: Fault| match read(text.get()) {
                    Ok(RowId { id }) => fault.at_model(&id),
                    Err(fault) => Fault::new(format!("models[{i}].id"), fault.reason),
                })?;
            let same = |slot: &&mut Option<ModelRow>| slot.as_ref().is_some_and(|b| b.id == row.id);
            let below = below.iter_mut().find(same).and_then(Option::take);
            models.push(match below {
                Some(below) => row.over(below),
                None => row,
            });
        }
        models.extend(below.into_iter().flatten());
    }
    Ok(models)
}

/// Makes models of their rows.
pub(super) fn listings(rows: Vec<ModelRow>, tables: &Tables) -> Result<Vec<Listing>, Fault> {
    let listing = |row: ModelRow| {
        let id = row.id.clone();
        Listing::from_row(row, tables).map_err(|fault| fault.at_model(&id))
    };
    rows.into_iter().map(listing).collect()
}

fn replace<T>(value: &mut T, by: Option<T>) {
    if let Some(by) = by {
        *value = by;
    }
}

/// Reads `text`, and a second time for the place of what is wrong with it.
fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|e| {
        let mut json = serde_json::Deserializer::from_str(text);
        match serde_path_to_error::deserialize::<_, T>(&mut json) {
            Ok(_) => Fault::new(".", e.to_string()),
            Err(e) => Fault::new(e.path().to_string(), e.inner().to_string()),
        }
    })
}

/// A value of the book that cannot be right.
#[derive(Debug)]
pub(super) struct Fault {
    provider: Option<String>,
    model: Option<String>,
    field: String,
    reason: String,
}

impl Fault {
    pub(super) fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            provider: None,
            model: None,
            field: field.into(),
            reason: reason.into(),
        }
    }

    fn at_provider(mut self, key: &str) -> Self {
        self.provider = Some(key.to_owned());
        self
    }

    fn at_model(mut self, id: &str) -> Self {
        self.model = Some(id.to_owned());
        self
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let mut error = Self::new(
            ErrorKind::Config,
            format!("a price file has a wrong value: {}", fault.reason),
        );
        if let Some(provider) = fault.provider {
            error = error.with_context("provider", provider);
        }
        if let Some(model) = fault.model {
            error = error.with_context("model", model);
        }
        error.with_context("field", fault.field)
    }
}
