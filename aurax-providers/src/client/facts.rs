//! What is known about a provider's models.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use aurax_core::{ModelId, ModelInfo};

/// Models that are remembered; what more a provider lists is looked up in the table alone.
const MAX_LEARNED: usize = 10_000;

/// Looks a model up, usually in the price book.
pub(super) type Table = dyn Fn(&ModelId) -> Option<ModelInfo> + Send + Sync;

/// A table, and what the provider's own list of models said, which wins.
#[derive(Default)]
pub(super) struct Facts {
    table: Option<Arc<Table>>,
    learned: RwLock<HashMap<String, ModelInfo>>,
}

impl Facts {
    pub(super) fn with_table(table: Arc<Table>) -> Self {
        Self {
            table: Some(table),
            ..Self::default()
        }
    }

    pub(super) fn of(&self, model: &ModelId) -> Option<ModelInfo> {
        let learned = self.learned.read().unwrap_or_else(PoisonError::into_inner);
        let learned = learned.get(model.as_str()).cloned();
        let known = self.table.as_ref().and_then(|table| table(model));
        match (learned, known) {
            (Some(learned), Some(known)) => Some(learned.or(known)),
            (learned, known) => learned.or(known),
        }
    }

    pub(super) fn learn(&self, models: &[ModelInfo]) {
        let mut learned = self.learned.write().unwrap_or_else(PoisonError::into_inner);
        for model in models {
            if learned.len() < MAX_LEARNED || learned.contains_key(&model.id) {
                learned.insert(model.id.clone(), model.clone());
            }
        }
    }
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts")
            .field("table", &self.table.is_some())
            .finish_non_exhaustive()
    }
}
