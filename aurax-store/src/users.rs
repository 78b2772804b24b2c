//! Accounts.

use aurax_core::{Error, ErrorKind, Page, Paged, Result, Retry, Secret, new_id};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::bounds::{named, refuse};
use crate::catalogue::{refresh_tokens, users as sql};
use crate::cursor::one_more;
use crate::db::{Row, Tx, args};
use crate::installation::UsedInvitation;
use crate::scope::AdminScope;
use crate::store::not_found;

/// The longest address, as SMTP takes it (RFC 5321, 4.5.3.1.3).
const EMAIL: usize = 254;

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Uses what is theirs.
    User,
    /// Also runs the installation.
    Admin,
}

impl Role {
    /// The role in snake case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
        }
    }

    fn parse(text: &str) -> Result<Self> {
        match text {
            "user" => Ok(Self::User),
            "admin" => Ok(Self::Admin),
            _ => Err(Error::new(ErrorKind::Internal, "a role is unknown")),
        }
    }
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct User {
    /// Its id, a UUIDv7: the principal of its calls.
    pub id: Uuid,
    /// In lower case; nobody else has it.
    pub email: String,
    /// The plan, `free` unless changed.
    pub plan_type: String,
    /// What the user may do.
    pub role: Role,
    /// False for an account that an operator has closed.
    pub is_active: bool,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// A new account.
#[derive(Debug)]
#[non_exhaustive]
pub struct NewUser {
    /// The address; it is kept in lower case.
    pub email: String,
    /// The password's hash, in the PHC string format; `None` for who logs in elsewhere.
    pub hashed_password: Option<Secret>,
    /// What the user may do.
    pub role: Role,
    /// The plan.
    pub plan_type: String,
    /// The invitation it is made with, which is used up with it.
    pub invitation: Option<UsedInvitation>,
}

impl NewUser {
    /// An ordinary account on the free plan.
    pub fn new(email: impl Into<String>) -> Self {
        Self {
            email: email.into(),
            hashed_password: None,
            role: Role::User,
            plan_type: "free".to_owned(),
            invitation: None,
        }
    }

    /// Adds the password's hash.
    #[must_use]
    pub fn with_hashed_password(mut self, hash: impl Into<Secret>) -> Self {
        self.hashed_password = Some(hash.into());
        self
    }

    /// Uses an invitation up with it.
    #[must_use]
    pub const fn with_invitation(mut self, invitation: UsedInvitation) -> Self {
        self.invitation = Some(invitation);
        self
    }

    /// Says what the user may do.
    #[must_use]
    pub const fn with_role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }
}

/// What an operator changes of an account; what is `None` stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct UserChange {
    /// The plan.
    pub plan_type: Option<String>,
    /// Whether the account is open.
    pub is_active: Option<bool>,
    /// What the user may do.
    pub role: Option<Role>,
}

impl User {
    pub(crate) fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.uuid("id")?,
            email: row.text("email")?,
            plan_type: row.text("plan_type")?,
            role: Role::parse(&row.text("role")?)?,
            is_active: row.bool("is_active")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
        })
    }
}

/// The one form of an address.
///
/// # Errors
/// `InvalidRequest` for one that is empty or too long.
pub(crate) fn normal(email: &str) -> Result<String> {
    let email = email.trim().to_lowercase();
    named("email", &email, EMAIL)?;
    Ok(email)
}

/// The error for an address that somebody else has.
pub(crate) fn taken(email: &str, error: Error) -> Error {
    if error.kind() != ErrorKind::Conflict {
        return error;
    }
    Error::new(
        ErrorKind::Conflict,
        format!("`{email}` has an account already"),
    )
    .with_retry(Retry::Never)
    .with_context("field", "email")
}

#[expect(
    clippy::disallowed_methods,
    reason = "a password's hash is kept to be compared"
)]
pub(crate) fn expose(hash: &Secret) -> String {
    hash.expose().to_owned()
}

/// Which account it is that is made.
enum Whether {
    Anyway,
    /// The first one, or none.
    First,
}

impl AdminScope {
    /// Makes an account.
    ///
    /// # Errors
    /// `Conflict` where the address has one already; `InvalidRequest` for a plan that does not
    /// exist or an address that is empty or longer than 254 characters; `Permission` where its
    /// invitation made an account before; `Store` when it cannot be kept.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have made it.
    pub async fn add_user(&self, new: NewUser) -> Result<User> {
        let added = self.add(&new, new.role, Whether::Anyway).await?;
        added.ok_or_else(|| not_found("user"))
    }

    /// Makes the first account, an admin whatever `new` says of its role; `None` where there is an
    /// account already. Of several that are made at once, one is the first.
    ///
    /// # Errors
    /// As [`AdminScope::add_user`].
    ///
    /// # Cancel safety
    /// A dropped future may or may not have made it.
    pub async fn add_first_user(&self, new: &NewUser) -> Result<Option<User>> {
        self.add(new, Role::Admin, Whether::First).await
    }

    async fn add(&self, new: &NewUser, role: Role, whether: Whether) -> Result<Option<User>> {
        let (id, at) = (new_id(), self.store().now());
        let email = normal(&new.email)?;
        let invitation = new.invitation;
        let args = args! {
            id, email: email.as_str(), hashed_password: new.hashed_password.as_ref().map(expose),
            plan_type: new.plan_type.as_str(), role: role.as_str(), at,
        };
        let row = self
            .write(move |tx| {
                Box::pin(async move {
                    if matches!(whether, Whether::First) {
                        tx.row(&sql::FIRST, &[]).await?;
                        if tx.row(&sql::ANY, &[]).await?.is_some() {
                            return Ok(None);
                        }
                    }
                    if let Some(invitation) = invitation {
                        invitation.take(tx).await?;
                    }
                    tx.run(&sql::ADD, &args).await?;
                    tx.row(&sql::FIND, &args! { id }).await
                })
            })
            .await
            .map_err(|error| taken(&email, error))?;
        if row.is_some() {
            let role = role.as_str();
            tracing::info!(target: "aurax::audit", user_id = %id, role, "user added");
        }
        row.as_ref().map(User::read).transpose()
    }

    /// Whether there is any account.
    ///
    /// # Errors
    /// `Store` when they cannot be read.
    pub async fn has_users(&self) -> Result<bool> {
        Ok(self.row(&sql::ANY, []).await?.is_some())
    }

    /// An account by its id, closed ones too; `None` where there is none.
    ///
    /// # Errors
    /// `Store` when it cannot be read.
    pub async fn account(&self, id: Uuid) -> Result<Option<User>> {
        let row = self.row(&sql::FIND, args! { id }).await?;
        row.as_ref().map(User::read).transpose()
    }

    /// Replaces the password's hash of an account, and ends all its logins.
    ///
    /// # Errors
    /// `NotFound` where there is none; `Store` when it cannot be written.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have done so.
    pub async fn reset_password(&self, id: Uuid, hash: Secret) -> Result<()> {
        let at = self.store().now();
        let changed = self
            .write(move |tx| {
                Box::pin(async move {
                    let args = args! { user: id, hashed_password: expose(&hash), at };
                    let changed = tx.run(&sql::SET_PASSWORD, &args).await?;
                    let args = args! { user: id, at, keep: None::<Uuid> };
                    tx.run(&refresh_tokens::REVOKE_OTHERS, &args).await?;
                    Ok(changed)
                })
            })
            .await?;
        if changed == 0 {
            return Err(not_found("user"));
        }
        tracing::info!(target: "aurax::audit", user_id = %id, "password reset");
        Ok(())
    }

    /// The account with this address, and its password's hash.
    ///
    /// # Errors
    /// `Store` when it cannot be read.
    pub async fn login(&self, email: &str) -> Result<Option<(User, Option<Secret>)>> {
        let Ok(email) = normal(email) else {
            return Ok(None);
        };
        let row = self.row(&sql::BY_EMAIL, args! { email }).await?;
        row.map(|row| {
            let hash = row.text_or_null("hashed_password")?;
            Ok((User::read(&row)?, hash.map(Secret::new)))
        })
        .transpose()
    }

    /// Accounts, the latest made first.
    ///
    /// # Errors
    /// `Store` when they cannot be read; `InvalidRequest` for a cursor of another list.
    pub async fn users(&self, page: &Page) -> Result<Paged<User>> {
        let cursors = self.store().cursors();
        let before = cursors.read("users", Uuid::nil(), page)?;
        let most = one_more(page);
        let rows = self.rows(&sql::LIST, args! { before, most }).await?;
        let users = rows.iter().map(User::read).collect::<Result<Vec<_>>>()?;
        Ok(cursors.page("users", Uuid::nil(), page, users, |user| user.id))
    }

    /// Changes an account. All logins of one that is closed end.
    ///
    /// # Errors
    /// `NotFound` where there is none; `Conflict` for a change that leaves nobody to run the
    /// installation; `InvalidRequest` for a plan that does not exist; `Store` when it cannot be
    /// written.
    ///
    /// # Cancel safety
    /// A dropped future has changed all of it or nothing.
    pub async fn change_user(&self, id: Uuid, change: UserChange) -> Result<User> {
        let at = self.store().now();
        let closes = change.is_active == Some(false);
        let row = self
            .write(move |tx| {
                Box::pin(async move {
                    if closes || change.role == Some(Role::User) {
                        ensure_operator(tx, id).await?;
                    }
                    let args = args! {
                        id, plan_type: change.plan_type,
                        role: change.role.map(Role::as_str), is_active: change.is_active, at,
                    };
                    let row = tx.row(&sql::CHANGE, &args).await?;
                    if closes {
                        let args = args! { user: id, at, keep: None::<Uuid> };
                        tx.run(&refresh_tokens::REVOKE_OTHERS, &args).await?;
                    }
                    Ok(row)
                })
            })
            .await
            .map_err(|error| match error.kind() {
                ErrorKind::InvalidRequest => refuse("plan_type", "there is no such plan"),
                _ => error,
            })?;
        let user = User::read(&row.ok_or_else(|| not_found("user"))?)?;
        tracing::info!(target: "aurax::audit", user_id = %id, "user changed");
        Ok(user)
    }
}

/// Refuses to go on where the account alone runs the installation.
async fn ensure_operator(tx: &mut Tx, id: Uuid) -> Result<()> {
    tx.row(&sql::OPERATORS, &[]).await?;
    let row = tx.row(&sql::FIND, &args! { id }).await?;
    let user = User::read(&row.ok_or_else(|| not_found("user"))?)?;
    let runs = user.role == Role::Admin && user.is_active;
    if !runs || tx.row(&sql::OTHER_ADMIN, &args! { id }).await?.is_some() {
        return Ok(());
    }
    let message = "nobody else runs the installation: make another account an admin first";
    Err(Error::new(ErrorKind::Conflict, message).with_retry(Retry::Never))
}
