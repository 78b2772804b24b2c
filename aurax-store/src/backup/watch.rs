//! Who is told how far a backup or a restore is.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Phase, Progress};

/// A listener that every phase of the work can tell. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Watch {
    last: Arc<Mutex<Option<Progress>>>,
    listen: Arc<Mutex<dyn FnMut(Progress) + Send>>,
}

impl Watch {
    pub(crate) fn new(listen: impl FnMut(Progress) + Send + 'static) -> Self {
        Self {
            last: Arc::default(),
            listen: Arc::new(Mutex::new(listen)),
        }
    }

    /// The same listener, for other work.
    pub(crate) fn anew(&self) -> Self {
        Self {
            last: Arc::default(),
            listen: self.listen.clone(),
        }
    }

    pub(crate) fn tell(&self, progress: Progress) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
        let mut listen = self.listen.lock().unwrap_or_else(PoisonError::into_inner);
        listen(progress);
    }

    /// What an archive tells, under the name of the phase it is part of.
    pub(crate) fn during(&self, phase: Phase) -> impl FnMut(Progress) + Send + 'static {
        let watch = self.clone();
        move |mut progress| {
            progress.phase = phase;
            watch.tell(progress);
        }
    }

    /// What was told last, in words.
    pub(crate) fn last(&self) -> String {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match last {
            None => String::new(),
            Some(Progress {
                phase,
                bytes,
                total: None,
            }) => format!("{phase}: {bytes} bytes"),
            Some(Progress {
                phase,
                bytes,
                total: Some(total),
            }) => format!("{phase}: {bytes} of {total} bytes"),
        }
    }
}

impl Default for Watch {
    /// Nobody listens.
    fn default() -> Self {
        Self::new(|_| ())
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("last", &self.last())
            .finish_non_exhaustive()
    }
}
