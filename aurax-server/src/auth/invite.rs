//! Invitations: who may make an account where not everybody may.

use std::time::Duration;

use aurax::store::UsedInvitation;
use aurax::{Result, Secret, new_id};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::token::AccessTokens;

/// The type of an invitation.
const TYPE: &str = "invite+jwt";
/// How long an invitation is good for: a week.
pub const INVITATION_TTL: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What an invitation says.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    /// The address that is invited, in lower case.
    sub: String,
    jti: Uuid,
    iat: i64,
    exp: i64,
}

impl AccessTokens {
    /// An invitation for an address, good for a week and for one account.
    ///
    /// # Errors
    /// `Internal` when it cannot be signed.
    pub fn invite(&self, email: &str) -> Result<Secret> {
        let iat = self.now();
        let ttl = i64::try_from(INVITATION_TTL.as_secs()).unwrap_or(0);
        let claims = Claims {
            iss: self.issuer().to_owned(),
            aud: self.issuer().to_owned(),
            sub: normal(email),
            jti: new_id(),
            iat,
            exp: iat.saturating_add(ttl),
        };
        self.sign(TYPE, &claims)
    }

    /// An invitation that is genuine, good now, and for this address. Whether it was used is
    /// another question.
    pub fn invited(&self, invitation: &str, email: &str) -> Option<UsedInvitation> {
        let claims: Claims = self.verify(TYPE, invitation)?;
        let is_good = claims.sub == normal(email) && claims.exp > self.now();
        let until = OffsetDateTime::from_unix_timestamp(claims.exp).ok()?;
        is_good.then_some(UsedInvitation::new(claims.jti, until))
    }
}

fn normal(email: &str) -> String {
    email.trim().to_lowercase()
}
