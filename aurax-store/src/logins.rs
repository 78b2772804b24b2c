//! Logins: families of refresh tokens, each of which is good for one more.

use aurax_core::{Page, Paged, Result, Secret, new_id};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::bounds::at_most;
use crate::catalogue::{refresh_tokens as sql, users};
use crate::db::{Row, Tx, args};
use crate::scope::{AdminScope, JobScope, UserScope};
use crate::store::not_found;
use crate::token::{self, Token};
use crate::users::User;

/// How long a token is good for.
const SLIDING: Duration = Duration::days(30);
/// How long a login goes on, however often it is renewed.
const LONGEST: Duration = Duration::days(90);
/// How long a token that was exchanged may be exchanged again: two tabs renew at once, and an
/// answer may get lost.
const GRACE: Duration = Duration::seconds(10);
/// The longest label.
const LABEL: usize = 300;

/// A login, as its user sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Login {
    /// Its id, a UUIDv7, which all its tokens share.
    pub id: Uuid,
    /// What it was made with, such as a browser's name.
    pub label: Option<String>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last renewed.
    #[serde(with = "time::serde::rfc3339")]
    pub used_at: OffsetDateTime,
    /// When it ends unless it is renewed.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

/// A refresh token that was just made. It is good for one more, within 30 days, and no longer than
/// 90 days after the login began.
#[derive(Debug)]
#[non_exhaustive]
pub struct RefreshToken {
    /// The login it belongs to.
    pub login_id: Uuid,
    /// The token, 256 random bits; it is given out this once.
    pub token: Secret,
    /// Until when it is good.
    pub expires_at: OffsetDateTime,
}

/// What became of a refresh token that somebody presented.
#[derive(Debug)]
#[non_exhaustive]
pub enum Renewal {
    /// It was exchanged: the next one, and whose login it is.
    Renewed(RefreshToken, Box<User>),
    /// It is not known, has expired or was revoked, or the account is closed.
    Refused,
    /// It had been exchanged before: either it or its successor was stolen, and the whole login is
    /// revoked.
    Reused(Uuid),
}

/// How a token in the database stands to the one presented.
enum Known {
    Good {
        user: Row,
        family_expires_at: OffsetDateTime,
    },
    Refused,
    Reused,
}

impl Login {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.uuid("id")?,
            label: row.text_or_null("label")?,
            created_at: row.time("created_at")?,
            used_at: row.time("used_at")?,
            expires_at: row.time("expires_at")?,
        })
    }
}

impl UserScope {
    /// Begins a login, after the password was checked.
    ///
    /// # Errors
    /// `InvalidRequest` for a label of more than 300 characters; `Store` when it cannot be kept.
    pub async fn begin_login(&self, label: Option<&str>) -> Result<RefreshToken> {
        at_most("label", label.unwrap_or_default(), LABEL)?;
        let (id, at, token) = (new_id(), self.store().now(), Token::new("")?);
        let (expires_at, family_expires_at) = (at + SLIDING, at + LONGEST);
        let args = args! {
            id, family_id: id, hash: token.hash, label, at, expires_at, family_expires_at,
        };
        self.run(&sql::ADD, args).await?;
        Ok(RefreshToken {
            login_id: id,
            token: token.secret,
            expires_at,
        })
    }

    /// Logins that can go on, the latest made first.
    ///
    /// # Errors
    /// `InvalidRequest` for a cursor of another list; `Store` when they cannot be read.
    pub async fn logins(&self, page: &Page) -> Result<Paged<Login>> {
        let list = (&sql::LIST, args! { now: self.store().now() });
        self.page("logins", list, page, Login::read, |login| login.id)
            .await
    }

    /// Ends a login: none of its tokens is good from now on.
    ///
    /// # Errors
    /// `NotFound` where there is none that goes on; `Store` when it cannot be written.
    pub async fn end_login(&self, id: Uuid) -> Result<()> {
        let at = self.store().now();
        let ended = self.run(&sql::REVOKE, args! { id, at }).await?;
        if ended == 0 {
            return Err(not_found("login"));
        }
        Ok(())
    }

    /// Ends every login, and says how many went on.
    ///
    /// # Errors
    /// `Store` when it cannot be written.
    pub async fn end_logins(&self) -> Result<u64> {
        let at = self.store().now();
        self.run(&sql::REVOKE_OTHERS, args! { at, keep: None::<Uuid> })
            .await
    }
}

impl AdminScope {
    /// Whose login it is: what decides whether an access token that was made for it still holds.
    /// `None` where it was ended or is over, and where the account is closed or gone.
    ///
    /// # Errors
    /// `Store` when it cannot be read.
    pub async fn login_account(&self, login_id: Uuid) -> Result<Option<User>> {
        let args = args! { login: login_id, now: self.store().now() };
        let row = self.row(&sql::ACCOUNT, args).await?;
        row.as_ref().map(User::read).transpose()
    }

    /// Exchanges a refresh token for the next one.
    ///
    /// One that was exchanged less than ten seconds ago may be exchanged again; later, that revokes
    /// the login. Of the tokens that come of it one goes on: with the first that is exchanged, the
    /// others count as exchanged, too.
    ///
    /// # Errors
    /// `Store` when it cannot be read or written.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have exchanged it; it can be presented again at once.
    pub async fn renew_login(&self, presented: &Secret) -> Result<Renewal> {
        let Some(hash) = token::hash(presented) else {
            return Ok(Renewal::Refused);
        };
        let (next, now) = (Token::new("")?, self.store().now());
        let next_hash = next.hash;
        let outcome = self
            .write(move |tx| {
                Box::pin(async move {
                    let Some(row) = tx.row(&sql::BY_HASH, &args! { hash }).await? else {
                        return Ok(None);
                    };
                    let (family, user) = (row.uuid("family_id")?, row.uuid("user_id")?);
                    let known = exchange(tx, row.uuid("id")?, family, user, now).await?;
                    let Known::Good {
                        family_expires_at, ..
                    } = &known
                    else {
                        return Ok(Some((family, known, now)));
                    };
                    let expires_at = (now + SLIDING).min(*family_expires_at);
                    let args = args! {
                        id: new_id(), user, family_id: family, hash: next_hash,
                        label: None::<&str>, at: now, expires_at,
                        family_expires_at: *family_expires_at,
                    };
                    tx.run(&sql::ADD, &args).await?;
                    Ok(Some((family, known, expires_at)))
                })
            })
            .await?;
        Ok(match outcome {
            None | Some((_, Known::Refused, _)) => Renewal::Refused,
            Some((login_id, Known::Reused, _)) => {
                tracing::warn!(target: "aurax::audit", %login_id, "a refresh token was used twice");
                Renewal::Reused(login_id)
            }
            Some((login_id, Known::Good { user, .. }, expires_at)) => {
                let token = RefreshToken {
                    login_id,
                    token: next.secret,
                    expires_at,
                };
                Renewal::Renewed(token, Box::new(User::read(&user)?))
            }
        })
    }
}

/// Marks a token as exchanged. The family is held meanwhile, so that it is not revoked, and no
/// other of its tokens exchanged, at the same time.
async fn exchange(
    tx: &mut Tx,
    id: Uuid,
    family_id: Uuid,
    user: Uuid,
    now: OffsetDateTime,
) -> Result<Known> {
    let family = tx.row(&sql::FAMILY, &args! { family_id }).await?;
    let token = tx.row(&sql::TOKEN, &args! { id }).await?;
    let user = tx.row(&users::FIND, &args! { id: user }).await?;
    let (Some(family), Some(token), Some(user)) = (family, token, user) else {
        return Ok(Known::Refused);
    };
    let family_expires_at = family.time("family_expires_at")?;
    let is_over = family.time_or_null("revoked_at")?.is_some()
        || family_expires_at <= now
        || token.time("expires_at")? <= now
        || !user.bool("is_active")?;
    if is_over {
        return Ok(Known::Refused);
    }
    let args = args! { family_id, at: now };
    match token.time_or_null("rotated_at")? {
        Some(rotated_at) if now - rotated_at > GRACE => {
            tx.run(&sql::REVOKE_FAMILY, &args).await?;
            return Ok(Known::Reused);
        }
        Some(_) => {}
        None => {
            tx.run(&sql::ROTATE, &args).await?;
        }
    }
    Ok(Known::Good {
        user,
        family_expires_at,
    })
}

impl JobScope {
    /// Forgets tokens of logins that ended by themselves, at most `most` of them and never more
    /// than 500, and says how many.
    ///
    /// # Errors
    /// `Store` when they cannot be deleted.
    pub async fn purge_logins(&self, most: u32) -> Result<u64> {
        let args = args! { before: self.store().now(), most: most.min(500) };
        self.run(&sql::PURGE, args).await
    }
}
