//! What is known about a provider's models.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use aurax_core::{ModelId, ModelInfo};

use crate::rules::{ModelRules, RuleBook};

/// Models of the provider's own list that are remembered; what more it lists is looked up in the
/// table alone.
const MAX_LEARNED: usize = 10_000;

/// Models whose facts are kept at hand; all are forgotten when there are more.
const MAX_AT_HAND: usize = 1_024;

/// Looks a model up, usually in the price book.
pub(super) type Table = dyn Fn(&ModelId) -> Option<ModelInfo> + Send + Sync;

/// What a codec may know of one model.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    pub(super) rules: ModelRules,
    pub(super) info: Option<Arc<ModelInfo>>,
}

/// Rules, a table, and what the provider's own list of models said, which wins over the table.
#[derive(Default)]
pub(super) struct Facts {
    rules: RuleBook,
    table: Option<Arc<Table>>,
    learned: RwLock<HashMap<String, ModelInfo>>,
    at_hand: RwLock<HashMap<String, Arc<Known>>>,
}

impl Facts {
    pub(super) fn set_table(&mut self, table: Arc<Table>) {
        self.table = Some(table);
        self.forget();
    }

    pub(super) fn set_rules(&mut self, rules: RuleBook) {
        self.rules = rules;
        self.forget();
    }

    /// What is known of a model: looked up once, and then at hand.
    pub(super) fn of(&self, model: &ModelId) -> Arc<Known> {
        let at_hand = self.at_hand.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = at_hand.get(model.as_str()) {
            return known.clone();
        }
        drop(at_hand);
        let mut at_hand = self.at_hand.write().unwrap_or_else(PoisonError::into_inner);
        // Looked up under the lock, so that what is learned meanwhile is not covered by it.
        let known = Arc::new(self.look_up(model));
        if at_hand.len() >= MAX_AT_HAND {
            at_hand.clear();
        }
        at_hand.insert(model.as_str().to_owned(), known.clone());
        known
    }

    fn look_up(&self, model: &ModelId) -> Known {
        let learned = self.learned.read().unwrap_or_else(PoisonError::into_inner);
        let learned = learned.get(model.as_str()).cloned();
        let listed = self.table.as_ref().and_then(|table| table(model));
        let info = match (learned, listed) {
            (Some(learned), Some(listed)) => Some(learned.or(listed)),
            (learned, listed) => learned.or(listed),
        };
        Known {
            rules: self.rules.of(model),
            info: info.map(Arc::new),
        }
    }

    pub(super) fn learn(&self, models: &[ModelInfo]) {
        let mut learned = self.learned.write().unwrap_or_else(PoisonError::into_inner);
        for model in models {
            if learned.len() < MAX_LEARNED || learned.contains_key(&model.id) {
                learned.insert(model.id.clone(), model.clone());
            }
        }
        drop(learned);
        self.forget();
    }

    fn forget(&self) {
        let mut at_hand = self.at_hand.write().unwrap_or_else(PoisonError::into_inner);
        at_hand.clear();
    }
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts")
            .field("table", &self.table.is_some())
            .finish_non_exhaustive()
    }
}
