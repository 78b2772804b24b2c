//! The parts of an answer that arrives, counted, so that no server makes it grow without end.

use aurax_core::{Error, ErrorKind, Phase, Result};

/// The most parts one answer may have.
const MOST: u32 = 4096;

/// The most tools one answer may call.
pub(crate) const MOST_CALLS: u32 = 1024;

/// Numbers the parts of one answer, in the order they begin.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    begun: u32,
    calls: u32,
}

impl Parts {
    /// Begins a part and gives its number.
    pub(crate) fn begin(&mut self) -> Result<u32> {
        let number = self.begun;
        if number >= MOST {
            return Err(too_many("parts", MOST));
        }
        self.begun = number.saturating_add(1);
        Ok(number)
    }

    /// Begins a part that calls a tool and gives its number.
    pub(crate) fn begin_call(&mut self) -> Result<u32> {
        if self.calls >= MOST_CALLS {
            return Err(too_many("tool calls", MOST_CALLS));
        }
        let number = self.begin()?;
        self.calls = self.calls.saturating_add(1);
        Ok(number)
    }

    /// How many parts have begun.
    pub(crate) const fn count(&self) -> u32 {
        self.begun
    }

    /// How many of them call a tool.
    pub(crate) const fn calls(&self) -> u32 {
        self.calls
    }
}

/// An answer with more of `what` than any model gives. To pass over the rest would be to hand out
/// an answer that lacks something and says nothing of it.
pub(crate) fn too_many(what: &str, most: u32) -> Error {
    let message = format!("the answer has more than {most} {what}");
    Error::new(ErrorKind::Decode, message).with_phase(Phase::Body)
}
