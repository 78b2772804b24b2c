//! The verbs that cost nothing.

use std::future::Future;

use aurax_core::{Call, Catalog, Ctx, Error, ErrorKind, KeyStatus, ModelInfo, Result, async_trait};

use super::HttpProvider;
use super::exchange::{cancelled, read_whole};

/// A list that goes on for longer is cut.
const MAX_PAGES: usize = 50;
const MAX_MODELS: usize = 10_000;

/// No layer limits these verbs, so each of their requests, its body included, may take as long as
/// the headers of a call: [`Timeouts::headers`](aurax_core::Timeouts::headers).
#[async_trait]
impl Catalog for HttpProvider {
    async fn models(&self, ctx: &Ctx) -> Result<Vec<ModelInfo>> {
        let models = self
            .list(ctx)
            .await
            .map_err(|e| self.about(None).complete(e))?;
        // What a tenant's own address says of models is nothing that others should rely on.
        if self.is_at_home(ctx) {
            self.facts.learn(&models);
        }
        Ok(models)
    }

    async fn count_tokens(&self, ctx: &Ctx, call: &Call) -> Result<u64> {
        let counted = async {
            let target = self.target(&call.model);
            let request = self.wire.count_tokens(call, &target)?;
            let request = request.ok_or_else(|| unsupported("count tokens"))?;
            let (response, _) = self.exchange(ctx, request).await?;
            self.wire
                .read_count(&read_whole(ctx, response.into_body()).await?)
        };
        let about = self.about(Some(&call.model));
        within(ctx, counted).await.map_err(|e| about.complete(e))
    }

    async fn verify_key(&self, ctx: &Ctx) -> Result<KeyStatus> {
        let status = within(ctx, self.ask_about_key(ctx)).await;
        status
            .or_else(|error| match error.kind() {
                ErrorKind::Cancelled | ErrorKind::Config | ErrorKind::Unsupported => Err(error),
                _ => Ok(KeyStatus::Unknown),
            })
            .map_err(|e| self.about(None).complete(e))
    }
}

impl HttpProvider {
    async fn list(&self, ctx: &Ctx) -> Result<Vec<ModelInfo>> {
        let mut models = Vec::new();
        let mut page: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let request = self.wire.list_models(page.as_deref());
            let request = request.ok_or_else(|| unsupported("list its models"))?;
            let listed = async {
                let (response, _) = self.exchange(ctx, request).await?;
                self.wire
                    .read_models(&read_whole(ctx, response.into_body()).await?)
            };
            let (listed, next) = within(ctx, listed).await?;
            models.extend(listed);
            // A provider that names the same page again would have it read for ever.
            let last = next.is_none() || next == page;
            if last && models.len() <= MAX_MODELS {
                return Ok(models);
            }
            if last || models.len() >= MAX_MODELS {
                break;
            }
            page = next;
        }
        models.truncate(MAX_MODELS);
        tracing::warn!(
            provider = %self.info.name,
            models = models.len(),
            "the list of models goes on and was cut"
        );
        Ok(models)
    }

    /// What the provider says of the key; an error where it could not be asked.
    async fn ask_about_key(&self, ctx: &Ctx) -> Result<KeyStatus> {
        let request = self
            .wire
            .verify_key()
            .ok_or_else(|| unsupported("check keys"))?;
        let (response, key) = self.send(ctx, request).await?;
        match self.accept(ctx, response, key.as_deref()).await {
            Ok(response) => {
                let body = read_whole(ctx, response.into_body()).await?;
                Ok(self.wire.read_key_status(Ok(&body)))
            }
            Err(_) if ctx.is_cancelled() => Err(cancelled()),
            Err(error) => Ok(self.wire.read_key_status(Err(&error))),
        }
    }
}

/// Ends `work` at the call's deadline, or when it takes too long.
async fn within<T>(ctx: &Ctx, work: impl Future<Output = Result<T>> + Send) -> Result<T> {
    let limit = ctx.timeouts().copied().unwrap_or_default().headers;
    let work = tokio::time::timeout(limit, work);
    let done = match ctx.deadline() {
        Some(deadline) => tokio::time::timeout_at(deadline, work)
            .await
            .and_then(|done| done),
        None => work.await,
    };
    done.unwrap_or_else(|_| {
        Err(Error::new(
            ErrorKind::Timeout,
            "the provider takes too long",
        ))
    })
}

fn unsupported(what: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("this provider does not {what}"),
    )
}
