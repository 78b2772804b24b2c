//! A provider's models, and how a name finds one.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::file::{BilledAt, Cap, ModelRow, Status};
use super::pattern::{NamePattern, Pattern, Routes};
use super::rate::Price;
use super::shelf::{Fault, Tables, listings, model_rows};
use crate::bucket::Bucket;

/// How a name was found in the price book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Matched {
    /// The book has the very name.
    Exact,
    /// The name is a known model's with a version, date or route around it.
    Pattern,
    /// The book takes whatever name at this provider, so it says nothing of the model.
    Any,
}

/// A provider in the book.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) key: Arc<str>,
    pub(super) aliases: Vec<String>,
    /// Where the providers whose prices this one takes are in the book.
    pub(super) fallbacks: Vec<usize>,
    pub(super) billed_at: BilledAt,
    /// Buckets the provider documents as billed at the rate of their parent.
    pub(super) at_parent_rate: Vec<Bucket>,
    /// Capabilities that a model does not have when it does not list them.
    pub(super) complete_caps: Vec<Cap>,
    stock: Stock,
}

impl Provider {
    /// A provider that sells what is in `stock`.
    pub(super) fn new(key: &str, stock: Stock) -> Self {
        Self {
            key: key.into(),
            aliases: Vec::new(),
            fallbacks: Vec::new(),
            billed_at: BilledAt::default(),
            at_parent_rate: Vec::new(),
            complete_caps: Vec::new(),
            stock,
        }
    }

    /// The model of that name, which is in lower case.
    pub(super) fn find(&self, name: &str, routes: &Routes) -> Option<(&Listing, Matched)> {
        self.stock.models().find(name, routes)
    }

    /// The names of all models that are in the book as such.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.stock.models().literals.keys().map(String::as_str)
    }

    /// All models.
    pub(super) fn listings(&self) -> &[Listing] {
        &self.stock.models().listings
    }
}

/// The models a provider sells. Those of the built-in book are read when somebody first asks for
/// one: few programs ask for the models of every provider.
pub(super) struct Stock {
    models: OnceLock<Models>,
    unread: Option<Unread>,
}

/// Rows of the built-in book, not yet read.
struct Unread {
    rows: Vec<&'static RawValue>,
    tables: Arc<Tables>,
}

impl Stock {
    /// Models that have been read.
    pub(super) fn read(listings: Vec<Listing>) -> Self {
        Self {
            models: OnceLock::from(Models::new(listings)),
            unread: None,
        }
    }

    /// Rows of the built-in book.
    pub(super) fn unread(rows: Vec<&'static RawValue>, tables: Arc<Tables>) -> Self {
        Self {
            models: OnceLock::new(),
            unread: Some(Unread { rows, tables }),
        }
    }

    fn models(&self) -> &Models {
        self.models.get_or_init(|| {
            let listings = self.unread.as_ref().map(|unread| {
                let rows = model_rows(std::iter::once(unread.rows.as_slice()));
                rows.and_then(|rows| listings(rows, &unread.tables))
            });
            match listings.transpose() {
                Ok(listings) => Models::new(listings.unwrap_or_default()),
                // The texts are compiled in and the tests read them all, so no caller can cause it.
                Err(e) => unreachable!("the built-in price book is broken: {e:?}"),
            }
        })
    }
}

impl fmt::Debug for Stock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stock")
            .field(
                "read",
                &self.models.get().map(|models| models.listings.len()),
            )
            .finish_non_exhaustive()
    }
}

/// Models, and how their names are found.
#[derive(Debug)]
struct Models {
    listings: Vec<Listing>,
    literals: HashMap<String, usize>,
    /// The most specific first.
    patterns: Vec<(Pattern, usize)>,
}

impl Models {
    /// Where two claim a name, the first has it.
    fn new(listings: Vec<Listing>) -> Self {
        let mut literals = HashMap::new();
        let mut patterns = Vec::new();
        for (i, listing) in listings.iter().enumerate() {
            for name in &listing.names {
                match name {
                    NamePattern::Literal(name) => {
                        literals.entry(name.clone()).or_insert(i);
                    }
                    NamePattern::Pattern(pattern) => patterns.push((pattern.clone(), i)),
                }
            }
        }
        patterns.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.weight()));
        Self {
            listings,
            literals,
            patterns,
        }
    }

    fn find(&self, name: &str, routes: &Routes) -> Option<(&Listing, Matched)> {
        if let Some(i) = self.literals.get(name) {
            return self
                .listings
                .get(*i)
                .map(|listing| (listing, Matched::Exact));
        }
        self.patterns.iter().find_map(|(pattern, i)| {
            let listing = self.listings.get(*i)?;
            let excluded = || {
                listing
                    .except
                    .iter()
                    .any(|except| except.matches(name, routes))
            };
            let matched = if pattern.is_anything() {
                Matched::Any
            } else {
                Matched::Pattern
            };
            (pattern.matches(name, routes) && !excluded()).then_some((listing, matched))
        })
    }
}

/// A model in the book.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) id: Arc<str>,
    /// The id only names the row; the provider does not take it.
    pub(super) is_label: bool,
    names: Vec<NamePattern>,
    except: Vec<NamePattern>,
    pub(super) context: Option<u64>,
    pub(super) max_input: Option<u64>,
    pub(super) max_output: Option<u64>,
    pub(super) mode: Option<String>,
    pub(super) caps: Option<Vec<Cap>>,
    pub(super) status: Status,
    pub(super) retires: Option<String>,
    pub(super) price: Price,
}

impl Listing {
    /// # Errors
    /// The field and what is wrong with it.
    pub(super) fn from_row(mut row: ModelRow, tables: &Tables) -> Result<Self, Fault> {
        let price = Price::from_row(&mut row, tables)?;
        let is_label = row.id_is_label.unwrap_or_default();
        let mut names = row.names.unwrap_or_default();
        if !is_label {
            names.push(NamePattern::Literal(row.id.to_lowercase()));
        }
        Ok(Self {
            id: row.id.into(),
            is_label,
            names,
            except: row.except.unwrap_or_default(),
            context: row.context,
            max_input: row.max_input,
            max_output: row.max_output,
            mode: row.mode,
            caps: row.caps,
            status: row.status.unwrap_or(Status::Active),
            retires: row.retires,
            price,
        })
    }
}
