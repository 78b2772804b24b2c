//! AURAX's own keys, with which programs call it.

use aurax_core::{Error, ErrorKind, Page, Paged, Result, Secret, new_id};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::bounds::{MODEL, NAME, named, refuse};
use crate::catalogue::{access_keys as sql, users};
use crate::db::{Row, args};
use crate::scope::{AdminScope, UserScope};
use crate::store::not_found;
use crate::token::{self, Token};
use crate::turn::{from_json, to_json};
use crate::users::User;

/// The most keys of a user.
const MOST: u32 = 1_000;
/// The most scopes or models of a key.
const ITEMS: usize = 200;
/// How often a key's last use is written.
const USED: Duration = Duration::MINUTE;

/// A key for programs, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AccessKey {
    /// Its id, a UUIDv7.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The secret's last four characters, after dots.
    pub masked_key: String,
    /// What it may be used for; empty for everything its user may do.
    pub scopes: Vec<String>,
    /// The models it may use; `None` for all.
    pub models: Option<Vec<String>>,
    /// The most requests a minute; `None` for the user's own limit.
    pub requests_per_minute: Option<u32>,
    /// The most tokens a minute; `None` for the user's own limit.
    pub tokens_per_minute: Option<u32>,
    /// Whether it may be used.
    pub is_active: bool,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it stops working; `None` for never.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
    /// When it was last used, to the minute.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_used_at: Option<OffsetDateTime>,
}

/// A key to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewAccessKey {
    /// Its name; at most 100 characters.
    pub name: String,
    /// What it may be used for; everything unless set.
    pub scopes: Vec<String>,
    /// The models it may use; all unless set.
    pub models: Option<Vec<String>>,
    /// The most requests a minute.
    pub requests_per_minute: Option<u32>,
    /// The most tokens a minute.
    pub tokens_per_minute: Option<u32>,
    /// When it stops working; never unless set.
    pub expires_at: Option<OffsetDateTime>,
}

impl NewAccessKey {
    /// A key for everything its user may do.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            scopes: Vec::new(),
            models: None,
            requests_per_minute: None,
            tokens_per_minute: None,
            expires_at: None,
        }
    }
}

/// What becomes of a setting that may be absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Edit<T> {
    /// It stays.
    #[default]
    Keep,
    /// It is absent from now on.
    Clear,
    /// It is this from now on.
    Set(T),
}

impl<T> Edit<T> {
    /// Whether anything changes, and to what.
    pub(crate) fn into_parts(self) -> (bool, Option<T>) {
        match self {
            Self::Keep => (false, None),
            Self::Clear => (true, None),
            Self::Set(value) => (true, Some(value)),
        }
    }
}

/// What to change of a key; what is `None` or [`Edit::Keep`] stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct AccessKeyChange {
    /// Its name.
    pub name: Option<String>,
    /// Whether it may be used.
    pub is_active: Option<bool>,
    /// What it may be used for.
    pub scopes: Option<Vec<String>>,
    /// The models it may use.
    pub models: Edit<Vec<String>>,
    /// The most requests a minute.
    pub requests_per_minute: Edit<u32>,
    /// The most tokens a minute.
    pub tokens_per_minute: Edit<u32>,
    /// When it stops working.
    pub expires_at: Edit<OffsetDateTime>,
}

impl AccessKey {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.uuid("id")?,
            name: row.text("name")?,
            masked_key: format!("…{}", row.text("last_four")?),
            scopes: from_json(&row.text("scopes")?)?,
            models: row
                .text_or_null("models")?
                .map(|models| from_json(&models))
                .transpose()?,
            requests_per_minute: limit(row, "requests_per_minute")?,
            tokens_per_minute: limit(row, "tokens_per_minute")?,
            is_active: row.bool("is_active")?,
            created_at: row.time("created_at")?,
            expires_at: row.time_or_null("expires_at")?,
            last_used_at: row.time_or_null("last_used_at")?,
        })
    }
}

/// A limit, which may be absent.
pub(crate) fn limit(row: &Row, name: &str) -> Result<Option<u32>> {
    let limit = row.int_or_null(name)?;
    Ok(limit.map(|limit| u32::try_from(limit).unwrap_or(0)))
}

fn list(field: &'static str, items: &[String], longest: usize) -> Result<String> {
    if items.len() > ITEMS {
        return Err(refuse(
            field,
            format!("`{field}` has at most {ITEMS} items"),
        ));
    }
    items
        .iter()
        .try_for_each(|item| named(field, item, longest))?;
    to_json(&items)
}

/// A count as both databases keep it.
pub(crate) fn small(field: &'static str, count: Option<u32>) -> Result<Option<u32>> {
    match count {
        Some(count) if i32::try_from(count).is_err() => {
            let message = format!("`{field}` is at most {}", i32::MAX);
            Err(refuse(field, message))
        }
        count => Ok(count),
    }
}

/// A tenant's keys for programs.
#[derive(Debug, Clone)]
pub struct AccessKeys(UserScope);

impl UserScope {
    /// The tenant's keys for programs.
    pub fn access_keys(&self) -> AccessKeys {
        AccessKeys(self.clone())
    }
}

impl AccessKeys {
    /// Makes a key. Its secret, `aurax_` and 256 random bits, is given out this once: what is kept
    /// is its SHA-256.
    ///
    /// # Errors
    /// `InvalidRequest` for a field that is empty or too long; `Quota` at 1,000 keys; `Store` when
    /// it cannot be kept.
    pub async fn add(&self, new: NewAccessKey) -> Result<(AccessKey, Secret)> {
        named("name", &new.name, NAME)?;
        let scopes = list("scopes", &new.scopes, NAME)?;
        let models = new.models.as_ref();
        let models = models
            .map(|models| list("models", models, MODEL))
            .transpose()?;
        let requests_per_minute = small("requests_per_minute", new.requests_per_minute)?;
        let tokens_per_minute = small("tokens_per_minute", new.tokens_per_minute)?;
        let (id, at, token) = (new_id(), self.0.store().now(), Token::new("aurax_")?);
        let args = args! {
            id, name: new.name, hash: token.hash, last_four: token.last_four, scopes, models,
            requests_per_minute, tokens_per_minute, at, expires_at: new.expires_at, most: MOST,
        };
        let row = self
            .0
            .write(move |tx| {
                Box::pin(async move {
                    if tx.run(&sql::ADD, &args).await? == 0 {
                        return Err(Error::new(
                            ErrorKind::Quota,
                            format!("there are {MOST} access keys already: delete some"),
                        ));
                    }
                    tx.row(&sql::GET, &args! { id }).await
                })
            })
            .await?;
        Ok((shown(row)?, token.secret))
    }

    /// A key.
    ///
    /// # Errors
    /// `NotFound` where there is none; `Store` when it cannot be read.
    pub async fn get(&self, id: Uuid) -> Result<AccessKey> {
        let row = self.0.row(&sql::GET, args! { id }).await?;
        shown(row)
    }

    /// Keys, the latest made first.
    ///
    /// # Errors
    /// `InvalidRequest` for a cursor of another list; `Store` when they cannot be read.
    pub async fn list(&self, page: &Page) -> Result<Paged<AccessKey>> {
        let list = (&sql::LIST, args! {});
        self.0
            .page("access keys", list, page, AccessKey::read, |key| key.id)
            .await
    }

    /// Changes a key.
    ///
    /// # Errors
    /// `NotFound` where there is none; `InvalidRequest` for a field that is empty or too long;
    /// `Store` when it cannot be written.
    pub async fn change(&self, id: Uuid, change: AccessKeyChange) -> Result<AccessKey> {
        if let Some(name) = &change.name {
            named("name", name, NAME)?;
        }
        let scopes = change.scopes.as_ref();
        let scopes = scopes
            .map(|scopes| list("scopes", scopes, NAME))
            .transpose()?;
        let (sets_models, models) = change.models.into_parts();
        let models = models
            .map(|models| list("models", &models, MODEL))
            .transpose()?;
        let (sets_requests, requests) = change.requests_per_minute.into_parts();
        let (sets_tokens, tokens) = change.tokens_per_minute.into_parts();
        let (sets_expiry, expires_at) = change.expires_at.into_parts();
        let args = args! {
            id, name: change.name, scopes, sets_models, models, sets_requests,
            requests_per_minute: small("requests_per_minute", requests)?, sets_tokens,
            tokens_per_minute: small("tokens_per_minute", tokens)?, sets_expiry, expires_at,
            is_active: change.is_active,
        };
        let row = self
            .0
            .write(move |tx| {
                Box::pin(async move {
                    tx.run(&sql::CHANGE, &args).await?;
                    tx.row(&sql::GET, &args! { id }).await
                })
            })
            .await?;
        shown(row)
    }

    /// Forgets a key.
    ///
    /// # Errors
    /// `NotFound` where there is none; `Store` when it cannot be deleted.
    pub async fn delete(&self, id: Uuid) -> Result<()> {
        let deleted = self.0.run(&sql::DELETE, args! { id }).await?;
        if deleted == 0 {
            return Err(not_found("access key"));
        }
        Ok(())
    }
}

fn shown(row: Option<Row>) -> Result<AccessKey> {
    AccessKey::read(&row.ok_or_else(|| not_found("access key"))?)
}

impl AdminScope {
    /// The key with this secret and the user it belongs to; `None` for a key that does not exist,
    /// is not active or has expired, and for a closed account. That it was used is written at most
    /// once a minute.
    ///
    /// # Errors
    /// `Store` when it cannot be read or written.
    pub async fn access_key(&self, secret: &Secret) -> Result<Option<(AccessKey, User)>> {
        let Some(hash) = token::hash(secret) else {
            return Ok(None);
        };
        let now = self.store().now();
        let found = self
            .read(move |tx| {
                Box::pin(async move {
                    let Some(key) = tx.row(&sql::BY_HASH, &args! { hash, now }).await? else {
                        return Ok(None);
                    };
                    let id = key.uuid("user_id")?;
                    let user = tx.row(&users::FIND, &args! { id }).await?;
                    Ok(user.map(|user| (key, user)))
                })
            })
            .await?;
        let Some((key, user)) = found else {
            return Ok(None);
        };
        let (key, user) = (AccessKey::read(&key)?, User::read(&user)?);
        let before = now - USED;
        if key.last_used_at.is_none_or(|used| used < before) {
            let args = args! { id: key.id, now, before };
            // Who may come in is decided; that they came is told as well as it can be.
            if let Err(error) = self.run(&sql::USED, args).await {
                tracing::warn!(key_id = %key.id, %error, "the last use of a key is not noted");
            }
        }
        Ok(Some((key, user)))
    }
}
