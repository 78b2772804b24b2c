//! Who logs in elsewhere, by the tokens of another issuer.

use aurax_core::{Error, ErrorKind, Result, Retry, new_id};

use crate::bounds::{named, refuse};
use crate::catalogue::{identities as sql, users};
use crate::db::args;
use crate::scope::AdminScope;
use crate::store::not_found;
use crate::users::{Role, User, normal, taken};

/// The longest issuer, in characters.
const ISSUER: usize = 500;
/// The longest subject (OpenID Connect Core 1.0, section 2).
const SUBJECT: usize = 255;

/// What an issuer of tokens calls somebody. It names one account for ever, whatever becomes of
/// their address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Identity {
    /// The issuer, byte for byte.
    pub issuer: String,
    /// Its name for them, byte for byte.
    pub subject: String,
}

impl Identity {
    /// A subject of an issuer.
    ///
    /// # Errors
    /// `InvalidRequest` where either is empty or has a control character, or where the issuer has
    /// more than 500 characters or the subject more than 255.
    pub fn new(issuer: impl Into<String>, subject: impl Into<String>) -> Result<Self> {
        let (issuer, subject) = (issuer.into(), subject.into());
        named("issuer", &issuer, ISSUER)?;
        named("subject", &subject, SUBJECT)?;
        for (field, text) in [("issuer", &issuer), ("subject", &subject)] {
            if text.chars().any(char::is_control) {
                let message = format!("`{field}` has a control character");
                return Err(refuse(field, message));
            }
        }
        Ok(Self { issuer, subject })
    }
}

/// The error for an identity that got an account meanwhile.
fn known(error: Error) -> Error {
    if error.kind() != ErrorKind::Conflict {
        return error;
    }
    let message = "the identity has an account already";
    Error::new(ErrorKind::Conflict, message).with_retry(Retry::Never)
}

impl AdminScope {
    /// The account of an identity, closed or not; `None` where it has none.
    ///
    /// # Errors
    /// `Store` when it cannot be read.
    pub async fn identified(&self, identity: &Identity) -> Result<Option<User>> {
        let args = args! {
            issuer: identity.issuer.as_str(), subject: identity.subject.as_str(),
        };
        let row = self.row(&sql::FIND, args).await?;
        row.as_ref().map(User::read).transpose()
    }

    /// Makes an account for an identity: an ordinary one on the free plan, without a password.
    ///
    /// # Errors
    /// `Conflict` where the address or the identity has an account; `InvalidRequest` for an address
    /// that is empty or longer than 254 characters; `Store` when it cannot be kept.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have made it.
    pub async fn add_identified_user(&self, identity: &Identity, email: &str) -> Result<User> {
        let (id, at, email) = (new_id(), self.store().now(), normal(email)?);
        let user = args! {
            id, email: email.as_str(), hashed_password: None::<&str>, plan_type: "free",
            role: Role::User.as_str(), at,
        };
        let identity = args! {
            issuer: identity.issuer.as_str(), subject: identity.subject.as_str(), user: id, at,
        };
        let row = self
            .write(move |tx| {
                Box::pin(async move {
                    tx.run(&users::ADD, &user).await?;
                    tx.run(&sql::ADD, &identity).await?;
                    tx.row(&users::FIND, &args! { id }).await
                })
            })
            .await
            .map_err(|error| taken(&email, error))?;
        tracing::info!(target: "aurax::audit", user_id = %id, "user added for an identity");
        User::read(&row.ok_or_else(|| not_found("user"))?)
    }

    /// Gives an identity the account with this address, of which the issuer has to be sure. `None`
    /// where there is none that nobody can log in to yet: an account that has a password or an
    /// identity is given to no other, because whoever has it may not be whose address it is.
    ///
    /// # Errors
    /// `Conflict` where the identity has an account; `Store` when it cannot be written.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have done so.
    pub async fn link_identity(&self, identity: &Identity, email: &str) -> Result<Option<User>> {
        let (at, email) = (self.store().now(), normal(email)?);
        let (issuer, subject) = (identity.issuer.clone(), identity.subject.clone());
        let row = self
            .write(move |tx| {
                Box::pin(async move {
                    let Some(row) = tx.row(&sql::HOLD, &args! { email }).await? else {
                        return Ok(None);
                    };
                    let user = row.uuid("id")?;
                    let has_password = row.text_or_null("hashed_password")?.is_some();
                    if has_password || tx.row(&sql::OF_USER, &args! { user }).await?.is_some() {
                        return Ok(None);
                    }
                    tx.run(&sql::ADD, &args! { issuer, subject, user, at })
                        .await?;
                    Ok(Some(row))
                })
            })
            .await
            .map_err(known)?;
        let user = row.as_ref().map(User::read).transpose()?;
        if let Some(user) = &user {
            tracing::info!(target: "aurax::audit", user_id = %user.id, "identity added");
        }
        Ok(user)
    }
}
