//! What the caller's calls used and cost.

use aurax::store::{Bucketing, Grouping, UsageFilter};
use axum::Json as Reply;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use uuid::Uuid;

use super::Routes;
use super::paging;
use crate::admit::{Noun, Owned, Rule};
use crate::auth::{Caller, Scope};
use crate::error::Failure;
use crate::extract::Params;
use crate::state::State;
use crate::view::{Figures, Group, Listed, Point, Status, UsageRow};

/// What a filter names of somebody's.
pub(super) const FILTER: &[Owned] = &[
    Owned::query("session_id", Noun::Session),
    Owned::query("access_key_id", Noun::AccessKey),
];
const ROWS: &[Owned] = &[
    Owned::query("session_id", Noun::Session),
    Owned::query("access_key_id", Noun::AccessKey),
    Owned::query("cursor", Noun::Cursor),
];

pub(super) fn add(routes: Routes) -> Routes {
    let user = Rule::user(Scope::Usage);
    routes
        .add(user.owning(ROWS), routes!(rows))
        .add(user.owning(FILTER), routes!(summary))
        .add(user.owning(FILTER), routes!(series))
}

/// A query that says which calls, and something more.
macro_rules! which_calls {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default, Deserialize, IntoParams)]
        #[serde(deny_unknown_fields, default)]
        #[into_params(parameter_in = Query)]
        struct $name {
            /// Settled at this time or later (RFC 3339).
            #[param(value_type = Option<String>, format = DateTime)]
            #[serde(with = "time::serde::rfc3339::option")]
            from: Option<OffsetDateTime>,
            /// Settled before this time (RFC 3339).
            #[param(value_type = Option<String>, format = DateTime)]
            #[serde(with = "time::serde::rfc3339::option")]
            to: Option<OffsetDateTime>,
            /// By this provider.
            #[param(max_length = 100)]
            provider: Option<String>,
            /// By this model, at any provider.
            #[param(max_length = 256)]
            model: Option<String>,
            /// In this session.
            session_id: Option<Uuid>,
            /// With this access key.
            access_key_id: Option<Uuid>,
            /// That ended so.
            #[param(inline)]
            status: Option<Status>,
            $($(#[$field_doc])* $field: $type,)*
        }

        impl $name {
            fn filter(&self) -> Result<UsageFilter, $crate::error::Failure> {
                let mut filter = $crate::routes::usage::between(self.from, self.to)?;
                $crate::routes::paging::short("provider", self.provider.as_deref(), 100)?;
                $crate::routes::paging::short("model", self.model.as_deref(), 256)?;
                filter.provider.clone_from(&self.provider);
                filter.model.clone_from(&self.model);
                filter.session_id = self.session_id;
                filter.access_key_id = self.access_key_id;
                filter.status = self.status.map(Into::into);
                Ok(filter)
            }
        }
    };
}
pub(super) use which_calls;

/// Calls of a time.
pub(super) fn between(
    from: Option<OffsetDateTime>,
    to: Option<OffsetDateTime>,
) -> Result<UsageFilter, Failure> {
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        return Err(Failure::invalid("from", "`from` is before `to`"));
    }
    let mut filter = UsageFilter::default();
    filter.from = from;
    filter.to = to;
    Ok(filter)
}

/// Calls of a time.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct Between {
    /// Settled at this time or later (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    #[serde(with = "time::serde::rfc3339::option")]
    from: Option<OffsetDateTime>,
    /// Settled before this time (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    #[serde(with = "time::serde::rfc3339::option")]
    to: Option<OffsetDateTime>,
}

impl Between {
    pub(super) fn filter(&self) -> Result<UsageFilter, Failure> {
        between(self.from, self.to)
    }
}

which_calls! {
    /// Which calls, and which part of them.
    Rows {
        /// The most items; 50 unless set.
        #[param(minimum = 1, maximum = 200)]
        limit: Option<u32>,
        /// Where to go on: `next_cursor` of the part before.
        cursor: Option<String>,
    }
}

/// What the caller's calls used and cost, one by one.
#[utoipa::path(
    get,
    path = "/api/usage",
    tag = "usage",
    params(Rows),
    responses((status = 200, description = "The calls, the latest begun first.", body = Listed<UsageRow>))
)]
async fn rows(
    state: State,
    caller: Caller,
    Params(wanted): Params<Rows>,
) -> Result<Reply<Listed<UsageRow>>, Failure> {
    let filter = wanted.filter()?;
    let page = paging::page(wanted.limit, wanted.cursor)?;
    let usage = caller.scope(state.store()).usage();
    let rows = usage.rows(&filter, &page).await?;
    Ok(Reply(Listed::owned(caller.user().id, rows)))
}

/// By what calls are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum GroupBy {
    Provider,
    /// The provider and the model, as `provider/model`.
    Model,
    Session,
    Status,
    AccessKey,
}

impl From<GroupBy> for Grouping {
    fn from(by: GroupBy) -> Self {
        match by {
            GroupBy::Provider => Self::Provider,
            GroupBy::Model => Self::Model,
            GroupBy::Session => Self::Session,
            GroupBy::Status => Self::Status,
            GroupBy::AccessKey => Self::AccessKey,
        }
    }
}

which_calls! {
    /// Which calls, and by what they are grouped.
    Sums {
        /// Also gives the sums of groups: the 1,000 with the most calls.
        #[param(inline)]
        group_by: Option<GroupBy>,
    }
}

/// What calls used and cost together.
#[derive(Debug, Serialize, ToSchema)]
struct Summary {
    total: Figures,
    /// The same by groups, where it was asked for, those with the most calls first.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<Group>>,
}

/// What the caller's calls used and cost together.
#[utoipa::path(
    get,
    path = "/api/usage/summary",
    tag = "usage",
    params(Sums),
    responses((status = 200, description = "The sums.", body = Summary))
)]
async fn summary(
    state: State,
    caller: Caller,
    Params(wanted): Params<Sums>,
) -> Result<Reply<Summary>, Failure> {
    let filter = wanted.filter()?;
    let usage = caller.scope(state.store()).usage();
    let total = usage.summary(&filter).await?.into();
    let groups = match wanted.group_by {
        Some(by) => Some(usage.grouped(&filter, by.into()).await?),
        None => None,
    };
    Ok(Reply(Summary {
        total,
        groups: groups.map(|groups| groups.into_iter().map(Into::into).collect()),
    }))
}

/// How long a step is, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Step {
    Minute,
    Hour,
    #[default]
    Day,
    /// From Monday.
    Week,
    /// A month of the calendar.
    Month,
}

impl Step {
    /// How far back a series goes that says nothing of its beginning.
    const fn back(self) -> time::Duration {
        match self {
            Self::Minute => time::Duration::hours(1),
            Self::Hour => time::Duration::days(1),
            Self::Day => time::Duration::days(30),
            Self::Week => time::Duration::days(7 * 26),
            Self::Month => time::Duration::days(365),
        }
    }
}

impl From<Step> for Bucketing {
    fn from(step: Step) -> Self {
        match step {
            Step::Minute => Self::Minute,
            Step::Hour => Self::Hour,
            Step::Day => Self::Day,
            Step::Week => Self::Week,
            Step::Month => Self::Month,
        }
    }
}

which_calls! {
    /// Which calls, and how long the steps are. Without `to` a series ends now; without `from` it
    /// begins an hour (`minute`), a day (`hour`), 30 days (`day`), 26 weeks (`week`) or a year
    /// (`month`) before.
    Steps {
        /// How long the steps are; a day unless set.
        #[param(inline)]
        bucket: Option<Step>,
    }
}

/// What the caller's calls used and cost over time, in at most 2,000 steps; those without calls are
/// left out.
#[utoipa::path(
    get,
    path = "/api/usage/series",
    tag = "usage",
    params(Steps),
    responses((status = 200, description = "The steps, in order.", body = Listed<Point>))
)]
async fn series(
    state: State,
    caller: Caller,
    Params(wanted): Params<Steps>,
) -> Result<Reply<Listed<Point>>, Failure> {
    let step = wanted.bucket.unwrap_or_default();
    let mut filter = wanted.filter()?;
    let to = filter.to.unwrap_or_else(|| state.clock().now());
    let from = filter
        .from
        .unwrap_or_else(|| to.saturating_sub(step.back()));
    let times = between(Some(from), Some(to))?;
    (filter.from, filter.to) = (times.from, times.to);
    let usage = caller.scope(state.store()).usage();
    let points = usage.series(&filter, step.into()).await?;
    Ok(Reply(Listed::all(
        points.into_iter().map(Into::into).collect(),
    )))
}
