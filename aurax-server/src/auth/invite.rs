//! Invitations: who may make an account where not everybody may.

use std::time::Duration;

use aurax::{Result, Secret, new_id};
use serde::{Deserialize, Serialize};
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
    /// An invitation for an address, good for a week. While the address has an account it makes no other.
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

    /// Whether an invitation is genuine, good now, and for this address.
    pub fn is_invited(&self, invitation: &str, email: &str) -> bool {
        let claims: Option<Claims> = self.verify(TYPE, invitation);
        claims.is_some_and(|claims| claims.sub == normal(email) && claims.exp > self.now())
    }
}

fn normal(email: &str) -> String {
    email.trim().to_lowercase()
}
