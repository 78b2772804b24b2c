//! How much anybody may ask for in a minute, and what of it is left.
//!
//! Addresses and users are counted here, whatever they ask for. What plans and access keys say is
//! counted by the engine, for calls that cost money.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use aurax::limits::{Decision, LimitPolicy};
use aurax::{QuotaLeft, QuotaState};
use aws_lc_rs::digest::{SHA256, digest};
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::auth::Caller;
use crate::error::{Code, Failure};
use crate::state::State;

pub(crate) const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
pub(crate) const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
pub(crate) const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
pub(crate) const LIMIT_TOKENS: HeaderName = HeaderName::from_static("x-ratelimit-limit-tokens");
pub(crate) const REMAINING_TOKENS: HeaderName =
    HeaderName::from_static("x-ratelimit-remaining-tokens");
pub(crate) const RESET_TOKENS: HeaderName = HeaderName::from_static("x-ratelimit-reset-tokens");

/// What is left of one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left {
    limit: u64,
    remaining: u64,
    reset_in: Duration,
}

/// What is left of the tightest limits of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RateState {
    requests: Option<Left>,
    tokens: Option<Left>,
}

impl From<QuotaLeft> for Left {
    fn from(left: QuotaLeft) -> Self {
        Self {
            limit: left.limit,
            remaining: left.remaining,
            reset_in: left.reset_in,
        }
    }
}

impl From<&QuotaState> for RateState {
    fn from(state: &QuotaState) -> Self {
        Self {
            requests: state.requests.map(Left::from),
            tokens: state.tokens.map(Left::from),
        }
    }
}

impl RateState {
    /// The tighter of both, limit by limit.
    pub(crate) fn and(self, other: Self) -> Self {
        let tighter = |one: Option<Left>, other: Option<Left>| match (one, other) {
            (Some(one), Some(other)) if other.remaining < one.remaining => Some(other),
            (one, other) => one.or(other),
        };
        Self {
            requests: tighter(self.requests, other.requests),
            tokens: tighter(self.tokens, other.tokens),
        }
    }

    fn write(self, headers: &mut HeaderMap) {
        let mut write = |left: Option<Left>, names: [HeaderName; 3]| {
            let Some(left) = left else { return };
            // Rounded up: who comes back a moment early is refused again.
            let reset = left.reset_in.as_millis().div_ceil(1_000);
            let reset = u64::try_from(reset).unwrap_or(u64::MAX);
            for (name, value) in names.into_iter().zip([left.limit, left.remaining, reset]) {
                headers.insert(name, HeaderValue::from(value));
            }
        };
        write(self.requests, [LIMIT, REMAINING, RESET]);
        write(self.tokens, [LIMIT_TOKENS, REMAINING_TOKENS, RESET_TOKENS]);
    }
}

/// Counts a request from an address.
pub(crate) async fn of_address(state: &State, ip: IpAddr) -> Result<RateState, Failure> {
    let limit = state.config().limits.ip_requests_per_minute;
    take(state, &format!("ip/{}", network(ip)), limit).await
}

/// Counts an attempt to log in, or the like, from an address.
pub(crate) async fn of_login(state: &State, ip: IpAddr) -> Result<RateState, Failure> {
    let limit = state.config().limits.ip_logins_per_minute;
    take(state, &format!("ip-login/{}", network(ip)), limit).await
}

/// Counts an attempt to log in to an account, whether it exists or not.
pub(crate) async fn of_account(state: &State, email: &str) -> Result<RateState, Failure> {
    let limit = state.config().limits.account_logins_per_minute;
    let email = email.trim().to_lowercase();
    // Addresses of people are not kept elsewhere, not even for a minute.
    let hash = digest(&SHA256, email.as_bytes());
    let name = hash
        .as_ref()
        .iter()
        .fold(String::from("login/"), |mut name, byte| {
            name.push_str(&format!("{byte:02x}"));
            name
        });
    take(state, &name, limit).await
}

/// Counts a request of a user.
pub(crate) async fn of_user(state: &State, caller: &Caller) -> Result<RateState, Failure> {
    // A plan or key that gives more calls than that gives as many requests.
    let key = caller.access_key().and_then(|key| key.requests_per_minute);
    let given = caller.plan().requests_per_minute.max(key).map(u64::from);
    let limit = state.config().limits.user_requests_per_minute;
    let limit = limit.map(|limit| limit.max(given.unwrap_or_default()));
    take(state, &format!("user/{}", caller.user().id), limit).await
}

async fn take(state: &State, key: &str, limit: Option<u64>) -> Result<RateState, Failure> {
    let Some(limit) = limit else {
        return Ok(RateState::default());
    };
    let policy = LimitPolicy::per_minute().with_requests(limit);
    match state.limits().take(key, 0, policy).await? {
        Decision::Allowed(taken) => Ok(left(limit, taken.remaining.requests, taken.reset_in)),
        Decision::Refused(full) => {
            let message = format!("more than {limit} requests a minute: try again later");
            let failure = Failure::new(StatusCode::TOO_MANY_REQUESTS, Code::RateLimited, message)
                .with_retry_after(full.retry_after.unwrap_or(Duration::from_secs(60)));
            let state = left(limit, full.remaining.requests, full.reset_in);
            Err(failure.with_rates(state))
        }
    }
}

fn left(limit: u64, remaining: Option<u64>, reset_in: Duration) -> RateState {
    RateState {
        requests: Some(Left {
            limit,
            remaining: remaining.unwrap_or_default(),
            reset_in,
        }),
        tokens: None,
    }
}

/// Whoever has one address of IPv6 has a whole network of them.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
        ip @ IpAddr::V4(_) => ip,
    }
}

/// Says in an answer what is left: of what was counted here, and of what the engine counted.
pub(crate) fn show(counted: RateState, response: &mut Response) {
    let extensions = response.extensions();
    let of_call = extensions.get::<QuotaState>().map(RateState::from);
    let of_failure = extensions.get::<Failure>().and_then(Failure::rates);
    let state = [of_call, of_failure]
        .into_iter()
        .flatten()
        .fold(counted, RateState::and);
    state.write(response.headers_mut());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let ip = |text: &str| network(text.parse().unwrap());
        assert_eq!(ip("2001:db8:1:2:3:4:5:6"), ip("2001:db8:1:2::1"));
        assert_ne!(ip("2001:db8:1:2::1"), ip("2001:db8:1:3::1"));
        assert_eq!(ip("::ffff:1.2.3.4"), ip("1.2.3.4"));
        assert_ne!(ip("1.2.3.4"), ip("1.2.3.5"));
    }

    #[test]
    fn the_tightest_limit_is_shown() {
        let some = |limit, remaining| left(limit, Some(remaining), Duration::from_millis(1_500));
        let state = some(600, 10).and(some(60, 2)).and(some(100, 50));
        let mut headers = HeaderMap::new();
        state.write(&mut headers);
        let shown = |name: HeaderName| headers[name].to_str().unwrap().to_owned();
        assert_eq!(shown(LIMIT), "60");
        assert_eq!(shown(REMAINING), "2");
        assert_eq!(shown(RESET), "2");
        assert!(!headers.contains_key(LIMIT_TOKENS));
    }
}
