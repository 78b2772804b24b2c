//! How far long work is, on standard error.

use std::io::{IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aurax::store::backup::{Phase, Progress};
use aurax::{Clock as _, SystemClock};
use tokio::time::Instant;

use super::print::{Printer, size};

/// How often a terminal is told.
const EVERY: Duration = Duration::from_millis(100);

/// One line that changes; where standard error is no terminal, one line a phase.
#[derive(Debug, Clone)]
pub(super) struct Gauge(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    quiet: bool,
    is_terminal: bool,
    phase: Option<Phase>,
    told: Option<Instant>,
    width: usize,
}

impl Gauge {
    pub(super) fn new(out: &Printer) -> Self {
        Self(Arc::new(Mutex::new(State {
            quiet: out.is_quiet(),
            is_terminal: std::io::stderr().is_terminal(),
            phase: None,
            told: None,
            width: 0,
        })))
    }

    /// Tells how far it is.
    pub(super) fn tell(&self, progress: Progress) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = state.phase != Some(progress.phase);
        if state.quiet || (!is_new && !state.is_terminal) {
            return;
        }
        let now = SystemClock.monotonic();
        let is_soon = state
            .told
            .is_some_and(|told| now.saturating_duration_since(told) < EVERY);
        if is_soon && !is_new {
            return;
        }
        (state.phase, state.told) = (Some(progress.phase), Some(now));
        state.write(&words(&progress));
    }

    /// The same for work that counts something else.
    pub(super) fn say(&self, text: &str) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.quiet {
            state.write(text);
        }
    }

    /// Leaves the line for what is said next.
    pub(super) fn end(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.is_terminal && state.width > 0 {
            let blank = format!("\r{}\r", " ".repeat(state.width));
            drop(std::io::stderr().write_all(blank.as_bytes()));
            state.width = 0;
        }
    }
}

impl State {
    fn write(&mut self, text: &str) {
        let length = text.chars().count();
        let text = match self.is_terminal {
            true => format!("\r{text}{}", " ".repeat(self.width.saturating_sub(length))),
            false => format!("{text}\n"),
        };
        self.width = length;
        // Where standard error is gone there is nobody to tell.
        drop(std::io::stderr().write_all(text.as_bytes()));
    }
}

fn words(progress: &Progress) -> String {
    let Progress {
        phase,
        bytes,
        total,
        ..
    } = progress;
    match total {
        Some(total) if *total > 0 => {
            let percent = u128::from(*bytes) * 100 / u128::from(*total);
            format!("{phase} {percent} % of {}", size(*total))
        }
        _ if *bytes > 0 => format!("{phase} {}", size(*bytes)),
        _ => phase.to_string(),
    }
}
