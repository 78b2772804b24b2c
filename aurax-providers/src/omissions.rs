//! Keeps account of what an encoder changes or leaves out.

use std::fmt;

use aurax_core::{OnUnsupported, Result, Warning};

use crate::refusals::unsupported;

/// What was changed or left out of one request; under [`OnUnsupported::Refuse`] the first such
/// thing is an error instead.
#[derive(Debug)]
pub(crate) struct Omissions {
    policy: OnUnsupported,
    warnings: Vec<Warning>,
}

impl Omissions {
    pub(crate) const fn new(policy: OnUnsupported) -> Self {
        Self {
            policy,
            warnings: Vec::new(),
        }
    }

    /// Notes that `subject` was changed or left out, and why.
    ///
    /// # Errors
    /// `Unsupported` where the request wants nothing changed.
    pub(crate) fn note(
        &mut self,
        subject: &(impl fmt::Display + ?Sized),
        why: impl Into<String>,
    ) -> Result<()> {
        let why = why.into();
        match self.policy {
            OnUnsupported::Warn => {
                self.warnings.push(Warning::new(subject.to_string(), why));
                Ok(())
            }
            OnUnsupported::Refuse => Err(unsupported(subject, why)),
        }
    }

    pub(crate) fn into_warnings(self) -> Vec<Warning> {
        self.warnings
    }
}
