//! Who may do what: one door in front of every route.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, header};

use crate::auth::{Caller, Scope};
use crate::edge::Seen;
use crate::error::Failure;
use crate::idempotency;
use crate::limits::{self, RateState};
use crate::room::Stay;
use crate::state::State;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Public,
    /// Who has an account, with a login or with an access key of this scope.
    User(Scope),
    /// Who has an account and is logged in: an access key does not do.
    Login,
    /// Operators, with a login or with an access key of [`Scope::Admin`].
    Admin,
}

/// What a route is counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// It reads or writes a few rows.
    Light,
    /// It costs money: bodies may be large, and a request may be sent twice under one
    /// Idempotency-Key.
    Paid,
    /// It checks a password or a refresh token.
    Credential,
    /// It says whether the server lives, which nothing may stand in the way of.
    Probe,
}

/// Where a request names something that belongs to somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the path.
    Path,
    /// In the query.
    Query,
    /// In the JSON body.
    Body,
    /// In a frame of a WebSocket, named `type.field`.
    Frame,
}

/// Something that belongs to somebody, which a request names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owned {
    /// Where.
    pub place: Place,
    /// The name of the parameter or field.
    pub name: &'static str,
    /// What it is.
    pub what: Noun,
}

/// What belongs to somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Noun {
    /// A session.
    Session,
    /// A message in a session.
    Message,
    /// A login.
    Login,
    /// A key to a provider.
    ProviderKey,
    /// The name of a key to a provider.
    ProviderKeyName,
    /// A key of AURAX's own.
    AccessKey,
    /// A budget.
    Budget,
    /// An alert.
    Alert,
    /// An alert of the installation, which only operators name.
    InstallationAlert,
    /// A request of the playground.
    PastRequest,
    /// The place where a list goes on.
    Cursor,
    /// An account, which only operators name.
    Account,
}

/// What holds for a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Who may use it.
    pub access: Access,
    /// What it is counted as.
    pub weight: Weight,
    /// What of somebody's it names.
    pub owned: &'static [Owned],
}

impl Rule {
    /// A route for everybody.
    pub const fn public() -> Self {
        Self::new(Access::Public)
    }

    /// A route for users, and for access keys of a scope.
    pub const fn user(scope: Scope) -> Self {
        Self::new(Access::User(scope))
    }

    /// A route for who is logged in.
    pub const fn login() -> Self {
        Self::new(Access::Login)
    }

    /// A route for operators.
    pub const fn admin() -> Self {
        Self::new(Access::Admin)
    }

    const fn new(access: Access) -> Self {
        Self {
            access,
            weight: Weight::Light,
            owned: &[],
        }
    }

    /// It costs money.
    #[must_use]
    pub const fn paid(mut self) -> Self {
        self.weight = Weight::Paid;
        self
    }

    /// It checks a password or a refresh token.
    #[must_use]
    pub const fn credential(mut self) -> Self {
        self.weight = Weight::Credential;
        self
    }

    /// It says whether the server lives: it is not counted.
    #[must_use]
    pub const fn probe(mut self) -> Self {
        self.weight = Weight::Probe;
        self
    }

    /// What of somebody's it names; a test asks for each of them as somebody else.
    #[must_use]
    pub const fn owning(mut self, owned: &'static [Owned]) -> Self {
        self.owned = owned;
        self
    }

    /// Whether it costs money.
    pub fn is_paid(&self) -> bool {
        self.weight == Weight::Paid
    }
}

impl Owned {
    /// Named in the path.
    pub const fn path(name: &'static str, what: Noun) -> Self {
        Self::new(Place::Path, name, what)
    }

    /// Named in the query.
    pub const fn query(name: &'static str, what: Noun) -> Self {
        Self::new(Place::Query, name, what)
    }

    /// Named in the body.
    pub const fn body(name: &'static str, what: Noun) -> Self {
        Self::new(Place::Body, name, what)
    }

    /// Named in a frame of a WebSocket, as `type.field`.
    pub const fn frame(name: &'static str, what: Noun) -> Self {
        Self::new(Place::Frame, name, what)
    }

    const fn new(place: Place, name: &'static str, what: Noun) -> Self {
        Self { place, name, what }
    }
}

/// Lets a request through to its route, or does not.
pub(crate) async fn admit(state: State, rule: Rule, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(rule);
    let passed = pass(&state, rule, request, next).await;
    passed.unwrap_or_else(|failure| {
        let mut response = failure.into_response();
        limits::show(RateState::default(), &mut response);
        response
    })
}

async fn pass(
    state: &State,
    rule: Rule,
    mut request: Request,
    next: Next,
) -> Result<Response, Failure> {
    if rule.weight == Weight::Probe {
        return Ok(next.run(request).await);
    }
    let stay = state.room().enter()?;
    request.extensions_mut().insert(stay.clone());
    let seen = request.extensions().get::<Seen>().cloned();
    let seen = seen.ok_or_else(Failure::internal)?;
    let mut rates = limits::of_address(state, seen.ip).await?;
    if rule.weight == Weight::Credential {
        rates = rates.and(limits::of_login(state, seen.ip).await?);
    }
    let answered = match check(state, rule, request.headers()).await {
        Ok(None) => Ok(next.run(request).await),
        Ok(Some(caller)) => {
            rates = rates.and(limits::of_user(state, &caller).await?);
            request.extensions_mut().insert(caller.clone());
            if rule.is_paid() {
                idempotency::once(state, &caller, &seen, request, next).await
            } else {
                Ok(next.run(request).await)
            }
        }
        Err(failure) => Err(failure),
    };
    let mut response = answered.unwrap_or_else(IntoResponse::into_response);
    limits::show(rates, &mut response);
    Ok(stay.kept_by(response))
}

/// Answers what no route takes, which is counted like anything else.
pub(crate) async fn refuse(state: &State, seen: &Seen, failure: Failure) -> Response {
    let (rates, failure) = match limits::of_address(state, seen.ip).await {
        Ok(rates) => (rates, failure),
        Err(full) => (RateState::default(), full),
    };
    let mut response = failure.into_response();
    limits::show(rates, &mut response);
    response
}

/// Counts what browsers ask before they ask, which no route sees.
pub(crate) async fn preflight(state: State, request: Request, next: Next) -> Response {
    let seen = request.extensions().get::<Seen>();
    let seen = seen.filter(|_| request.method() == Method::OPTIONS);
    match seen.map(|seen| seen.ip) {
        Some(ip) => match limits::of_address(&state, ip).await {
            Ok(_) => next.run(request).await,
            Err(full) => full.into_response(),
        },
        None => next.run(request).await,
    }
}

/// Lets a request keep its room until its answer is made, even where that goes on without the
/// client.
pub(crate) async fn stay(mut request: Request, next: Next) -> Response {
    let stay = request.extensions_mut().get::<Stay>().cloned();
    let response = next.run(request).await;
    match stay {
        Some(stay) => stay.kept_by(response),
        None => response,
    }
}

/// Who asks, where the route is not for everybody.
async fn check(state: &State, rule: Rule, headers: &HeaderMap) -> Result<Option<Caller>, Failure> {
    let scope = match rule.access {
        Access::Public => return Ok(None),
        Access::User(scope) => Some(scope),
        Access::Admin => Some(Scope::Admin),
        Access::Login => None,
    };
    let token = bearer(headers)?;
    let caller = state.auth().caller(token).await?;
    match scope {
        Some(scope) if !caller.may(scope) => {
            let message = format!("the access key lacks the scope `{}`", scope.as_str());
            return Err(Failure::forbidden(message).with_detail("scope", scope.as_str()));
        }
        None if caller.access_key().is_some() => {
            let message = "an access key may not do this: log in";
            return Err(Failure::forbidden(message));
        }
        _ => {}
    }
    if rule.access == Access::Admin && !caller.is_admin() {
        return Err(Failure::forbidden("this is for operators"));
    }
    Ok(Some(caller))
}

/// The token or key of a request: `Authorization: Bearer …`, or `x-api-key`, but not both.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&str, Failure> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (first, more) = (given.next(), given.next());
    let mut keys = headers.get_all("x-api-key").iter();
    let (key, more_keys) = (keys.next(), keys.next());
    if more.is_some() || more_keys.is_some() || (first.is_some() && key.is_some()) {
        return Err(Failure::unauthorized("send one token or key, not several"));
    }
    if let Some(key) = key {
        return key.to_str().map_err(|_| malformed());
    }
    let Some(header) = first else {
        return Err(Failure::unauthorized(
            "send `Authorization: Bearer` and a token of /auth/login, or an access key",
        ));
    };
    let (scheme, token) = header
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || token.contains(' ') {
        return Err(malformed());
    }
    Ok(token)
}

fn malformed() -> Failure {
    Failure::unauthorized("the authorization is not of the form `Bearer <token>`")
}
