//! Requests as they were made and answered, to be looked at and made again.

use aurax_core::{Json, Page, Paged, Result, new_id};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::bounds::{MODEL, NAME, named, refuse};
use crate::catalogue::history as sql;
use crate::db::{Row, args};
use crate::scope::UserScope;
use crate::store::not_found;

/// The most bytes of a request or an answer that is kept.
const PAYLOAD: usize = 32 * 1024 * 1024;

/// A request that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PastRequest {
    /// Its id, a UUIDv7.
    pub id: Uuid,
    /// The provider.
    pub provider: String,
    /// The model.
    pub model: String,
    /// What was asked, byte for byte.
    pub request_payload: Json,
    /// What was answered, byte for byte; `None` where nothing was.
    pub response_payload: Option<Json>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

impl PastRequest {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.uuid("id")?,
            provider: row.text("provider")?,
            model: row.text("model")?,
            request_payload: Json::parse(row.text("request_payload")?)?,
            response_payload: row
                .text_or_null("response_payload")?
                .map(Json::parse)
                .transpose()?,
            created_at: row.time("created_at")?,
        })
    }
}

fn fits(field: &'static str, json: &Json) -> Result<String> {
    if json.as_str().len() > PAYLOAD {
        let message = format!("`{field}` has at most {PAYLOAD} bytes");
        return Err(refuse(field, message));
    }
    Ok(json.as_str().to_owned())
}

impl UserScope {
    /// Keeps a request and its answer.
    ///
    /// # Errors
    /// `InvalidRequest` for a field that is empty or too long, and for more than 32 MiB; `Store`
    /// when it cannot be kept.
    pub async fn add_to_history(
        &self,
        provider: &str,
        model: &str,
        request: &Json,
        response: Option<&Json>,
    ) -> Result<Uuid> {
        named("provider", provider, NAME)?;
        named("model", model, MODEL)?;
        let request = fits("request_payload", request)?;
        let response = response
            .map(|json| fits("response_payload", json))
            .transpose()?;
        let (id, at) = (new_id(), self.store().now());
        let args = args! { id, provider, model, request, response, at };
        self.run(&sql::ADD, args).await?;
        Ok(id)
    }

    /// A request that was made.
    ///
    /// # Errors
    /// `NotFound` where there is none; `Store` when it cannot be read.
    pub async fn past_request(&self, id: Uuid) -> Result<PastRequest> {
        let row = self.row(&sql::GET, args! { id }).await?;
        PastRequest::read(&row.ok_or_else(|| not_found("request"))?)
    }

    /// Requests, the latest first; those to one provider where it is named. A page has fewer where
    /// they have more than [`Page::BYTES`] altogether, but one at least.
    ///
    /// # Errors
    /// `InvalidRequest` for a cursor of another list; `Store` when they cannot be read.
    pub async fn history(&self, provider: Option<&str>, page: &Page) -> Result<Paged<PastRequest>> {
        let name = format!("history {}", provider.unwrap_or_default());
        let list = (&sql::LIST, args! { provider });
        self.part(&name, list, page, PastRequest::read, |past| past.id)
            .await
    }

    /// Forgets a request.
    ///
    /// # Errors
    /// `NotFound` where there is none; `Store` when it cannot be deleted.
    pub async fn forget_request(&self, id: Uuid) -> Result<()> {
        let deleted = self.run(&sql::DELETE, args! { id }).await?;
        if deleted == 0 {
            return Err(not_found("request"));
        }
        Ok(())
    }
}
