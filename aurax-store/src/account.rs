//! What users do with their own account.

use aurax_core::{Result, Secret};
use uuid::Uuid;

use crate::catalogue::{refresh_tokens, users as sql};
use crate::db::args;
use crate::scope::UserScope;
use crate::store::not_found;
use crate::users::{User, expose, normal, taken};

/// What a user changes of their account; what is `None` stays.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct AccountChange {
    /// The address; it is kept in lower case.
    pub email: Option<String>,
    /// The password's hash, in the PHC string format. With another one, all logins end but
    /// [`AccountChange::keep_login`].
    pub hashed_password: Option<Secret>,
    /// The login that goes on when the password changes: the one it is changed from.
    pub keep_login: Option<Uuid>,
}

impl UserScope {
    /// The account itself.
    ///
    /// # Errors
    /// `NotFound` where the principal has none; `Store` when it cannot be read.
    pub async fn account(&self) -> Result<User> {
        let row = self.row(&sql::OWN, []).await?;
        User::read(&row.ok_or_else(|| not_found("user"))?)
    }

    /// The password's hash, to check the current one; `None` for who logs in elsewhere.
    ///
    /// # Errors
    /// `NotFound` where the principal has no account; `Store` when it cannot be read.
    pub async fn hashed_password(&self) -> Result<Option<Secret>> {
        let row = self.row(&sql::OWN_PASSWORD, []).await?;
        let row = row.ok_or_else(|| not_found("user"))?;
        Ok(row.text_or_null("hashed_password")?.map(Secret::new))
    }

    /// Replaces the password's hash by another one of the same password: logins go on.
    ///
    /// # Errors
    /// `NotFound` where the principal has no account; `Store` when it cannot be written.
    pub async fn set_hashed_password(&self, hash: Secret) -> Result<()> {
        let at = self.store().now();
        let args = args! { hashed_password: expose(&hash), at };
        let changed = self.run(&sql::SET_PASSWORD, args).await?;
        if changed == 0 {
            return Err(not_found("user"));
        }
        Ok(())
    }

    /// Changes the address and the password. With the password, all logins end but the one named,
    /// in the same transaction.
    ///
    /// # Errors
    /// `Conflict` where somebody else has the address; `InvalidRequest` for one that is empty or
    /// longer than 254 characters; `NotFound` where the principal has no account; `Store` when it
    /// cannot be written.
    ///
    /// # Cancel safety
    /// A dropped future has changed all of it or nothing.
    pub async fn change_account(&self, change: AccountChange) -> Result<User> {
        let at = self.store().now();
        let email = change.email.as_deref().map(normal).transpose()?;
        let hashed_password = change.hashed_password.as_ref().map(expose);
        let (keep, ends_logins) = (change.keep_login, hashed_password.is_some());
        let args = args! { email: email.clone(), hashed_password, at };
        let row = self
            .write(move |tx| {
                Box::pin(async move {
                    tx.run(&sql::CHANGE_OWN, &args).await?;
                    if ends_logins {
                        let args = args! { at, keep };
                        tx.run(&refresh_tokens::REVOKE_OTHERS, &args).await?;
                    }
                    tx.row(&sql::OWN, &[]).await
                })
            })
            .await
            .map_err(|error| match &email {
                Some(email) => taken(email, error),
                None => error,
            })?;
        let user = User::read(&row.ok_or_else(|| not_found("user"))?)?;
        tracing::info!(
            target: "aurax::audit",
            user_id = %user.id, email = email.is_some(), password = ends_logins, "account changed"
        );
        Ok(user)
    }
}
