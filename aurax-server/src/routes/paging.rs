//! Which part of a list is asked for.

use aurax::Page;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::error::Failure;

/// The longest cursor that is read.
const CURSOR: usize = 200;

/// Which part of a list to give.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paging {
    /// The most items; 50 unless set.
    #[param(minimum = 1, maximum = 200)]
    #[serde(default)]
    limit: Option<u32>,
    /// Where to go on: `next_cursor` of the part before.
    #[serde(default)]
    cursor: Option<String>,
}

/// The page of `limit` and `cursor`.
pub(crate) fn page(limit: Option<u32>, cursor: Option<String>) -> Result<Page, Failure> {
    let mut page = Page::first();
    if let Some(limit) = limit {
        if !(1..=Page::MOST).contains(&limit) {
            let message = format!("a list gives 1 to {} items at a time", Page::MOST);
            return Err(Failure::invalid("limit", message));
        }
        page = page.with_limit(limit);
    }
    if let Some(cursor) = cursor {
        if cursor.len() > CURSOR {
            let message = "the cursor is not one of this list: begin again without it";
            return Err(Failure::invalid("cursor", message));
        }
        page = page.after(cursor);
    }
    Ok(page)
}

impl Paging {
    pub(crate) fn page(self) -> Result<Page, Failure> {
        page(self.limit, self.cursor)
    }
}

/// Refuses a text that is longer than the document says.
pub(crate) fn short(field: &str, text: Option<&str>, most: usize) -> Result<(), Failure> {
    match text {
        Some(text) if text.chars().nth(most).is_some() => {
            let message = format!("`{field}` has at most {most} characters");
            Err(Failure::invalid(field, message))
        }
        _ => Ok(()),
    }
}
