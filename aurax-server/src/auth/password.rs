//! Passwords: Argon2id, a few at a time.

use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use aurax::{Error, ErrorKind, Result, Retry, Secret};
use aws_lc_rs::rand;
use tokio::sync::Semaphore;

/// The longest password, in bytes.
const LONGEST: usize = 1_024;
/// How many wait for a place before further ones are refused, for each place there is.
const WAITING: usize = 32;
/// The memory of one hash, in KiB: 19 MiB.
const MEMORY: u32 = 19 * 1_024;
/// Passes over the memory.
const PASSES: u32 = 2;

/// Hashes and checks passwords: Argon2id with 19 MiB, two passes and one lane, as OWASP's password
/// storage cheat sheet recommends. As many run at a time as there are processors; 32 times as many
/// wait.
///
/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Passwords {
    places: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    /// What is compared where there is no account, so that it takes as long.
    nobody: Arc<str>,
}

impl Passwords {
    /// Hashes as many at a time as there are processors.
    ///
    /// # Errors
    /// `Internal` when the system gives no random bytes.
    pub fn new() -> Result<Self> {
        let places = std::thread::available_parallelism().map_or(1, usize::from);
        let mut salt = [0; 16];
        random(&mut salt)?;
        let nobody = hash(b"the password of nobody", &salt)?;
        Ok(Self {
            places: Arc::new(Semaphore::new(places)),
            queue: Arc::new(Semaphore::new(places.saturating_mul(WAITING))),
            nobody: nobody.into(),
        })
    }

    /// Hashes a password, in the PHC string format.
    ///
    /// # Errors
    /// `InvalidRequest` for one of more than 1,024 bytes; `RateLimited` where too many wait.
    ///
    /// # Cancel safety
    /// Dropping the future is harmless.
    pub async fn hash(&self, password: Secret) -> Result<Secret> {
        let mut salt = [0; 16];
        random(&mut salt)?;
        self.work(password, move |password| {
            hash(password, &salt).map(Secret::new)
        })
        .await
    }

    /// Whether a password is the one of this hash. Without a hash it is never, and takes as long.
    ///
    /// # Errors
    /// As of [`Passwords::hash`].
    ///
    /// # Cancel safety
    /// Dropping the future is harmless.
    pub async fn verify(&self, password: Secret, hash: Option<Secret>) -> Result<bool> {
        let nobody = self.nobody.clone();
        self.work(password, move |password| {
            let known = hash.as_ref().map_or(&*nobody, expose);
            let is_right = argon2()?.verify_password(password, known).is_ok() && hash.is_some();
            Ok(is_right)
        })
        .await
    }

    async fn work<T: Send + 'static>(
        &self,
        password: Secret,
        work: impl FnOnce(&[u8]) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if expose(&password).len() > LONGEST {
            let message = format!("a password has at most {LONGEST} bytes");
            return Err(
                Error::new(ErrorKind::InvalidRequest, message).with_context("field", "password")
            );
        }
        let busy = || {
            Error::new(
                ErrorKind::RateLimited,
                "too many people log in at once; try again",
            )
            .with_retry(Retry::Transient)
        };
        let _waiting = self.queue.try_acquire().map_err(|_| busy())?;
        let place = self.places.clone().acquire_owned().await;
        let place = place.map_err(|_| busy())?;
        let done = tokio::task::spawn_blocking(move || {
            let _place = place;
            work(expose(&password).as_bytes())
        });
        done.await.map_err(|e| {
            Error::new(ErrorKind::Internal, "a password was not hashed").with_source(e)
        })?
    }
}

fn argon2() -> Result<Argon2<'static>> {
    let params = Params::new(MEMORY, PASSES, 1, None)
        .map_err(|_| Error::new(ErrorKind::Internal, "the parameters of Argon2 are wrong"))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &[u8], salt: &[u8]) -> Result<String> {
    let hash = argon2()?
        .hash_password_with_salt(password, salt)
        .map_err(|_| Error::new(ErrorKind::Internal, "a password cannot be hashed"))?;
    Ok(hash.to_string())
}

fn random(bytes: &mut [u8]) -> Result<()> {
    rand::fill(bytes)
        .map_err(|_| Error::new(ErrorKind::Internal, "the system gives no random bytes"))
}

#[expect(clippy::disallowed_methods, reason = "a password is hashed here")]
fn expose(secret: &Secret) -> &str {
    secret.expose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_by_its_hash() {
        let passwords = Passwords::new().unwrap();
        let hash = passwords.hash(Secret::new("correct horse")).await.unwrap();
        let text = expose(&hash);
        assert!(
            text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{text}"
        );
        let again = passwords.hash(Secret::new("correct horse")).await.unwrap();
        assert_ne!(text, expose(&again), "every hash has a salt of its own");
        let right = passwords.verify(Secret::new("correct horse"), Some(again));
        assert!(right.await.unwrap());
        let wrong = passwords.verify(Secret::new("correct horsE"), Some(hash));
        assert!(!wrong.await.unwrap());
    }

    #[tokio::test]
    async fn nobody_has_no_password() {
        let passwords = Passwords::new().unwrap();
        for password in ["", "the password of nobody"] {
            let found = passwords.verify(Secret::new(password), None).await;
            assert!(!found.unwrap());
        }
    }

    #[tokio::test]
    async fn a_password_may_be_too_long() {
        let passwords = Passwords::new().unwrap();
        let fits = Secret::new("x".repeat(LONGEST));
        assert!(passwords.hash(fits).await.is_ok());
        let error = passwords.hash(Secret::new("x".repeat(LONGEST + 1))).await;
        assert_eq!(error.unwrap_err().context("field"), Some("password"));
    }

    #[tokio::test]
    async fn a_flood_is_refused() {
        let passwords = Passwords::new().unwrap();
        let all = passwords
            .queue
            .clone()
            .try_acquire_many_owned(u32::try_from(passwords.queue.available_permits()).unwrap());
        let _all = all.unwrap();
        let error = passwords.hash(Secret::new("x")).await.unwrap_err();
        let clock = aurax::SystemClock;
        let answer = crate::error::Failure::from(error).respond("id", &clock);
        assert_eq!(answer.status(), 429);
        assert_eq!(answer.headers()["retry-after"], "1");
        let body = axum::body::to_bytes(answer.into_body(), 10_000).await;
        let body: serde_json::Value = serde_json::from_slice(&body.unwrap()).unwrap();
        assert_eq!(body["error"]["code"], "rate_limited");
        assert_eq!(body["error"]["retryable"], true);
    }
}
