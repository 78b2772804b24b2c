//! The price book: what every known model costs, and how a name finds its model.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use sha2::{Digest, Sha256};

use super::error::PriceError;
use super::file::BilledAt;
use super::listing::{Listing, Matched, Provider};
use super::name::{folded, spellings};
use super::near::nearest;
use super::rate::Price;
use super::shelf::{Shelf, Tables};
use crate::error::Result;

include!(concat!(env!("OUT_DIR"), "/prices.rs"));

/// What every known model costs, today and in the past, with what else is known about it.
///
/// A name that is not in the book has no price: no prefix, family or earlier version stands in
/// for it. The book is data; it reads no clock and does no I/O.
///
/// # A file of one's own
/// [`PriceBook::with_overlay`] takes JSON in the format of the built-in files. It adds providers
/// and models, and changes what the book says about known ones, field by field; a row with
/// `prices`, `free` or `unpriced` replaces everything the book said about the model's price.
/// Rates are strings of US dollars for a million tokens, a thousand calls or an hour.
///
/// ```
/// use aurax_core::{PriceBook, Totals, Usage};
/// use time::OffsetDateTime;
///
/// let book = PriceBook::builtin().with_overlay(
///     r#"{"providers": {"acme": {"models": [
///         {"id": "acme-large", "match": ["acme-large*"], "context": 128000,
///          "prices": [{"from": "2026-07-01", "usd": {"input": "2.5", "output": "10"}},
///                     {"usd": {"input": "3", "output": "12"}}]}
///     ]}}}"#,
/// )?;
/// let mut totals = Totals::default();
/// totals.input = Some(1_000_000);
/// let at = OffsetDateTime::UNIX_EPOCH;
/// let bill = book.bill("acme", "acme-large-latest", &Usage::from_totals(totals), at)?;
/// assert_eq!(bill.total.to_string(), "3");
/// # Ok::<(), aurax_core::Error>(())
/// ```
pub struct PriceBook {
    /// The texts the book was made of, to lay others over them.
    layers: Vec<Cow<'static, str>>,
    /// Of all layers, ready for more.
    digest: Sha256,
    version: Arc<str>,
    pub(super) tables: Arc<Tables>,
    providers: Vec<Provider>,
    /// Keys and aliases of providers, and where each is in `providers`.
    keys: HashMap<String, usize>,
}

impl PriceBook {
    /// The book this crate comes with; read once a process.
    pub fn builtin() -> Arc<Self> {
        static BUILTIN: LazyLock<Arc<PriceBook>> = LazyLock::new(|| {
            match PriceBook::of_built_in_texts() {
                Ok(book) => Arc::new(book),
                // The texts are compiled in and the tests read them, so no caller can cause this.
                Err(e) => unreachable!("the built-in price book is broken: {e}"),
            }
        });
        BUILTIN.clone()
    }

    /// This book with `json` laid over it; where both speak, `json` wins.
    ///
    /// # Errors
    /// `Config`, naming provider, model and field, for JSON that is not a price file.
    pub fn with_overlay(&self, json: &str) -> Result<Self> {
        let mut layers = self.layers.clone();
        layers.push(Cow::Owned(json.to_owned()));
        let mut shelf = Shelf::default();
        for text in &layers {
            shelf.put(text)?;
        }
        let date = std::mem::take(&mut shelf.date);
        let stock = shelf.into_providers()?;
        let digest = with(self.digest.clone(), json);
        Ok(Self::new(layers, &date, digest, stock))
    }

    fn of_built_in_texts() -> Result<Self> {
        let mut shelf = Shelf::default();
        let mut digest = Sha256::new();
        for text in TEXTS {
            shelf.put(text)?;
            digest = with(digest, text);
        }
        let date = std::mem::take(&mut shelf.date);
        let stock = shelf.into_unread_providers()?;
        let layers = TEXTS.iter().map(|text| Cow::Borrowed(*text)).collect();
        Ok(Self::new(layers, &date, digest, stock))
    }

    fn new(
        layers: Vec<Cow<'static, str>>,
        date: &str,
        digest: Sha256,
        (tables, providers): (Arc<Tables>, Vec<Provider>),
    ) -> Self {
        let hash = digest.clone().finalize();
        let short: String = hash
            .iter()
            .take(6)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let version = format!("{date}+{short}").into();
        let mut keys = HashMap::new();
        for (i, provider) in providers.iter().enumerate() {
            keys.insert(provider.key.to_string(), i);
        }
        for (i, provider) in providers.iter().enumerate() {
            for alias in &provider.aliases {
                keys.entry(alias.clone()).or_insert(i);
            }
        }
        Self {
            layers,
            digest,
            version,
            tables,
            providers,
            keys,
        }
    }

    /// The day the book was made and a hash of all its bytes, such as `2026-11-21+0f9a3c51d2e4`.
    ///
    /// Two books with the same version give the same prices.
    pub const fn version(&self) -> &Arc<str> {
        &self.version
    }

    /// The keys of all providers, in the order of the alphabet.
    pub fn providers(&self) -> impl Iterator<Item = &str> {
        self.providers.iter().map(|provider| &*provider.key)
    }

    /// Finds a model by a name it is known under.
    ///
    /// Tried in this order: the name, without regard to case; without a leading segment that is
    /// the provider's own name, or `models/`; with dashes in its dates. For each, a literal name
    /// wins over a pattern, and a pattern with more literal characters over one with fewer. Then
    /// the same at the providers whose prices this provider takes.
    ///
    /// # Errors
    /// [`PriceError::UnknownProvider`] and [`PriceError::UnknownModel`].
    pub fn resolve(&self, provider: &str, model: &str) -> Result<Resolved<'_>, PriceError> {
        let own = self.provider(provider).ok_or_else(|| {
            let near = nearest(provider, self.keys.keys().map(String::as_str));
            PriceError::UnknownProvider {
                provider: provider.to_owned(),
                near,
            }
        })?;
        self.find(own, model)
            .ok_or_else(|| PriceError::UnknownModel {
                provider: own.key.as_ref().to_owned(),
                model: model.to_owned(),
                near: self.near_at(own, model),
            })
    }

    /// Whether [`PriceBook::resolve`] finds a model; it costs no search for similar names.
    pub fn knows(&self, provider: &str, model: &str) -> bool {
        self.look_up(provider, model).is_some()
    }

    /// Whether the book tells the model by its name: as [`PriceBook::knows`], but a row for
    /// whatever name does not count. Of a local server such a row says what a call costs, not
    /// which models there are.
    pub fn recognises(&self, provider: &str, model: &str) -> bool {
        self.look_up(provider, model)
            .is_some_and(|found| found.matched != Matched::Any)
    }

    /// Models of a provider with a name similar to `model`, the most similar first, at most five.
    pub fn near(&self, provider: &str, model: &str) -> Vec<String> {
        self.provider(provider)
            .map_or_else(Vec::new, |own| self.near_at(own, model))
    }

    fn near_at(&self, own: &Provider, model: &str) -> Vec<String> {
        let names = self.sellers(own).flat_map(Provider::names);
        nearest(model, names)
    }

    /// A provider and the ones whose prices it takes.
    fn sellers<'a>(&'a self, own: &'a Provider) -> impl Iterator<Item = &'a Provider> {
        let fallbacks = own.fallbacks.iter().filter_map(|i| self.providers.get(*i));
        std::iter::once(own).chain(fallbacks)
    }

    /// The provider of that key or alias, without regard to case.
    pub(super) fn provider(&self, name: &str) -> Option<&Provider> {
        let i = self.keys.get(&*folded(name))?;
        self.providers.get(*i)
    }

    /// As [`PriceBook::resolve`], without a word about what was not found.
    pub(super) fn look_up(&self, provider: &str, model: &str) -> Option<Resolved<'_>> {
        self.find(self.provider(provider)?, model)
    }

    pub(super) fn find<'a>(&'a self, own: &'a Provider, model: &str) -> Option<Resolved<'a>> {
        // The first that is tried is nearly always the one: nothing is spelled out for it.
        let (seller, (listing, matched)) = own
            .find(&folded(model), &self.tables.routes)
            .map(|found| (own, found))
            .or_else(|| self.find_spelled(own, model))?;
        Some(Resolved {
            provider: &own.key,
            priced_by: &seller.key,
            model: &listing.id,
            matched,
            own,
            seller,
            listing,
        })
    }

    /// Tries every spelling at every provider whose prices it may be.
    fn find_spelled<'a>(
        &'a self,
        own: &'a Provider,
        model: &str,
    ) -> Option<(&'a Provider, (&'a Listing, Matched))> {
        let is_own = |segment: &str| {
            self.provider(segment)
                .is_some_and(|named| std::ptr::eq(named, own))
        };
        let spellings = spellings(model, is_own);
        self.sellers(own).find_map(|seller| {
            let found = spellings
                .iter()
                .find_map(|name| seller.find(name, &self.tables.routes))?;
            Some((seller, found))
        })
    }

    /// Whether a model has a price at all, at some time.
    pub(super) fn ensure_priced(&self, provider: &str, model: &str) -> Result<(), PriceError> {
        let resolved = self.resolve(provider, model)?;
        match resolved.listing.price {
            Price::Free | Price::Listed(_) => Ok(()),
            Price::Unknown => Err(resolved.unpriced()),
        }
    }
}

/// Adds a text to a hash, its length first: how the bytes are spread over files counts too.
fn with(digest: Sha256, text: &str) -> Sha256 {
    digest
        .chain_update((text.len() as u64).to_le_bytes())
        .chain_update(text)
}

impl fmt::Debug for PriceBook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PriceBook")
            .field("version", &self.version)
            .field("providers", &self.providers.len())
            .finish_non_exhaustive()
    }
}

/// A model in the price book, found by name.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Resolved<'a> {
    /// The provider's key.
    pub provider: &'a str,
    /// The provider whose price it is; another one where the provider takes that one's prices.
    pub priced_by: &'a str,
    /// The model's id; for a few models a label that the provider does not take as a name.
    pub model: &'a str,
    /// How the name was found.
    pub matched: Matched,
    own: &'a Provider,
    /// Whose price it is.
    pub(super) seller: &'a Provider,
    pub(super) listing: &'a Listing,
}

impl Resolved<'_> {
    /// Whether the price is another provider's.
    pub(super) fn is_fallback(&self) -> bool {
        !std::ptr::eq(self.own, self.seller)
    }

    /// Whether the time a call ends decides its price, and not the time it was made.
    pub(super) fn bills_at_completion(&self) -> bool {
        self.own.billed_at == BilledAt::Completion
    }

    /// The error for a model without a price.
    pub(super) fn unpriced(&self) -> PriceError {
        PriceError::Unpriced {
            provider: self.priced_by.to_owned(),
            model: self.model.to_owned(),
        }
    }
}

impl fmt::Debug for Resolved<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolved")
            .field("provider", &self.provider)
            .field("priced_by", &self.priced_by)
            .field("model", &self.model)
            .field("matched", &self.matched)
            .finish_non_exhaustive()
    }
}
