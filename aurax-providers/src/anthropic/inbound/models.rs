//! The list of models (<https://platform.claude.com/docs/en/api/models/list>).

use aurax_core::ModelInfo;
use bytes::Bytes;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The most models of a page, and those of one that does not say.
const MOST: usize = 1000;
const USUAL: usize = 20;

/// Which page of the list a client wants, as its query says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ModelPage<'a> {
    /// `limit`: how many models, 1 to 1000; 20 where it is `None`.
    pub limit: Option<usize>,
    /// `after_id`: those behind the model of that id.
    pub after: Option<&'a str>,
    /// `before_id`: those in front of the model of that id.
    pub before: Option<&'a str>,
}

impl<'a> ModelPage<'a> {
    /// The first page, of `limit` models.
    pub const fn new(limit: Option<usize>) -> Self {
        Self {
            limit,
            after: None,
            before: None,
        }
    }

    /// Begins behind the model of that id.
    #[must_use]
    pub const fn with_after(mut self, id: Option<&'a str>) -> Self {
        self.after = id;
        self
    }

    /// Ends in front of the model of that id.
    #[must_use]
    pub const fn with_before(mut self, id: Option<&'a str>) -> Self {
        self.before = id;
        self
    }

    /// The page's models, and whether there are more in the direction asked for. An id that is not
    /// in the list is passed over.
    fn of(self, models: &[ModelInfo]) -> (&[ModelInfo], bool) {
        let limit = self.limit.unwrap_or(USUAL).clamp(1, MOST);
        let at = |id| models.iter().position(|model| model.id == id);
        if let Some(end) = self.before.and_then(at) {
            let start = end.saturating_sub(limit);
            return (models.get(start..end).unwrap_or_default(), start > 0);
        }
        let start = self
            .after
            .and_then(at)
            .map_or(0, |after| after.saturating_add(1));
        let end = start.saturating_add(limit).min(models.len());
        (
            models.get(start..end).unwrap_or_default(),
            end < models.len(),
        )
    }
}

#[derive(Serialize)]
struct List<'a> {
    data: Vec<Model<'a>>,
    has_more: bool,
    first_id: Option<&'a str>,
    last_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Model<'a> {
    r#type: &'static str,
    id: &'a str,
    display_name: &'a str,
    created_at: String,
}

/// The body of `GET /v1/models` for clients of this wire.
///
/// `has_more` is always there: without it some SDKs ask for ever.
pub fn write_models(models: &[ModelInfo], page: ModelPage<'_>) -> Bytes {
    let (shown, has_more) = page.of(models);
    let id = |model: &'_ ModelInfo| model.id.clone();
    let (first, last) = (shown.first().map(id), shown.last().map(id));
    let list = List {
        data: shown.iter().map(model).collect(),
        has_more,
        first_id: first.as_deref(),
        last_id: last.as_deref(),
    };
    serde_json::to_vec(&list).unwrap_or_default().into()
}

/// The body of `GET /v1/models/{id}` for clients of this wire.
pub fn write_model(info: &ModelInfo) -> Bytes {
    serde_json::to_vec(&model(info)).unwrap_or_default().into()
}

/// A date that is not known is given as the epoch, as Anthropic does.
fn model(info: &ModelInfo) -> Model<'_> {
    let at = OffsetDateTime::from_unix_timestamp(info.created.unwrap_or_default());
    let at = at.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    Model {
        r#type: "model",
        id: &info.id,
        display_name: info.display_name.as_deref().unwrap_or(&info.id),
        created_at: at
            .format(&Rfc3339)
            .unwrap_or_else(|_| "1970-01-01T00:00:00Z".to_owned()),
    }
}
