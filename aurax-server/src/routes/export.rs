//! Everything calls used and cost, for spreadsheets and programs.

mod csv;

use aurax::store::{UsageFilter, Usages};
use aurax::{Error, ErrorKind, Page, Paged, store};
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use uuid::Uuid;

use super::Routes;
use super::usage::{FILTER, which_calls};
use crate::admit::Rule;
use crate::auth::{Caller, Scope};
use crate::error::Failure;
use crate::extract::Params;
use crate::state::State;
use crate::view::{Status, UsageRow};

pub(super) fn add(routes: Routes) -> Routes {
    let rule = Rule::user(Scope::Usage).owning(FILTER);
    routes.add(rule, routes!(export))
}

/// How calls are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Format {
    /// Comma-separated values (RFC 4180), with a line of names.
    #[default]
    Csv,
    /// A JSON object a line, as of `/api/usage`.
    Jsonl,
}

which_calls! {
    /// Which calls, and how they are written.
    Wanted {
        /// How they are written; `csv` unless set.
        #[param(inline)]
        format: Option<Format>,
    }
}

/// All calls, the latest begun first, as a file. One that cannot be finished breaks off: its end is
/// missing, and the connection is closed.
#[utoipa::path(
    get,
    path = "/api/usage/export",
    tag = "usage",
    params(Wanted),
    responses((status = 200, description = "The calls. Texts that a spreadsheet would take for a formula begin with an apostrophe in CSV.", content(
        (String = "text/csv"),
        (String = "application/x-ndjson"),
    )))
)]
async fn export(
    state: State,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<Response, Failure> {
    let format = wanted.format.unwrap_or_default();
    let calls = Calls {
        usage: caller.scope(state.store()).usage(),
        filter: wanted.filter()?,
        state,
        caller,
    };
    // What cannot even begin has a status of its own.
    let first = calls.page(None).await?;
    let mut response = Response::new(body(calls, first, format));
    let (content_type, disposition) = match format {
        Format::Csv => (
            "text/csv; charset=utf-8; header=present",
            "attachment; filename=\"aurax-usage.csv\"",
        ),
        Format::Jsonl => (
            "application/x-ndjson",
            "attachment; filename=\"aurax-usage.jsonl\"",
        ),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    let disposition = HeaderValue::from_static(disposition);
    headers.insert(header::CONTENT_DISPOSITION, disposition);
    Ok(response)
}

/// The calls that are written.
struct Calls {
    state: State,
    caller: Caller,
    usage: Usages,
    filter: UsageFilter,
}

impl Calls {
    /// A further page, which whoever has logged out meanwhile does not get.
    async fn after(&self, cursor: String) -> aurax::Result<Paged<store::UsageRow>> {
        if let Err(failure) = self.state.auth().again(&self.caller).await
            && failure.status() == StatusCode::UNAUTHORIZED
        {
            return Err(Error::new(ErrorKind::Auth, "the login has ended"));
        }
        self.page(Some(cursor)).await
    }

    async fn page(&self, cursor: Option<String>) -> aurax::Result<Paged<store::UsageRow>> {
        let mut page = Page::first().with_limit(Page::MOST);
        page.cursor = cursor;
        self.usage.rows(&self.filter, &page).await
    }
}

/// What is written next.
enum Next {
    Rows(Paged<store::UsageRow>),
    After(String),
    Nothing,
}

/// A page at a time, each read when the one before was taken.
fn body(calls: Calls, first: Paged<store::UsageRow>, format: Format) -> Body {
    let mut lead = match format {
        Format::Csv => csv::names(),
        Format::Jsonl => String::new(),
    };
    let pages = stream::try_unfold((calls, Next::Rows(first)), move |(calls, next)| {
        let mut out = std::mem::take(&mut lead);
        async move {
            let breaks_off = |error: &Error| tracing::error!(%error, "an export breaks off");
            let rows = match next {
                Next::Rows(rows) => rows,
                Next::After(cursor) => calls.after(cursor).await.inspect_err(breaks_off)?,
                Next::Nothing => return Ok::<_, aurax::Error>(None),
            };
            for row in rows.data {
                write(calls.caller.user().id, row, format, &mut out).inspect_err(breaks_off)?;
            }
            let next = rows.next_cursor.map_or(Next::Nothing, Next::After);
            Ok(Some((Bytes::from(out), (calls, next))))
        }
    });
    Body::from_stream(pages)
}

fn write(
    user_id: Uuid,
    row: store::UsageRow,
    format: Format,
    out: &mut String,
) -> aurax::Result<()> {
    match format {
        Format::Csv => csv::line(user_id, &row, out),
        Format::Jsonl => line(&UsageRow::from((user_id, row)), out)?,
    }
    Ok(())
}

/// A line of JSON. A call that cannot be written is no reason to leave it out: sums would be wrong,
/// and nobody would know.
fn line(call: &impl Serialize, out: &mut String) -> aurax::Result<()> {
    let json = serde_json::to_string(call).map_err(|error| {
        Error::new(ErrorKind::Internal, "a call cannot be written").with_source(error)
    })?;
    out.push_str(&json);
    out.push('\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken;

    impl Serialize for Broken {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("broken"))
        }
    }

    #[test]
    fn what_cannot_be_written_is_not_left_out() {
        let mut out = String::from("{}\n");
        let error = line(&Broken, &mut out).unwrap_err();
        assert_eq!((error.kind(), &*out), (ErrorKind::Internal, "{}\n"));
        line(&1, &mut out).unwrap();
        assert_eq!(out, "{}\n1\n");
    }
}
