//! How long a call may take.

use std::time::Duration;

/// How long each phase of a call may take. None is unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// From sending a streamed call to the response's headers, connecting included; 60 s.
    pub headers: Duration,
    /// The same for a call answered as a whole; 600 s.
    pub whole: Duration,
    /// From the headers to the first content of a stream; 300 s.
    pub first_content: Duration,
    /// Between two frames of a stream before the first content, when models think; 300 s.
    pub idle_before_content: Duration,
    /// Between two frames of a stream after the first content; 60 s.
    pub idle: Duration,
    /// One attempt from start to end; 600 s.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(60),
            whole: Duration::from_secs(600),
            first_content: Duration::from_secs(300),
            idle_before_content: Duration::from_secs(300),
            idle: Duration::from_secs(60),
            total: Duration::from_secs(600),
        }
    }
}

macro_rules! timeout_setters {
    ($($with:ident = $field:ident: $doc:literal,)*) => {
        impl Timeouts {
            $(#[doc = $doc]
            #[must_use]
            pub const fn $with(mut self, limit: Duration) -> Self {
                self.$field = limit;
                self
            })*
        }
    };
}
timeout_setters! {
    with_headers = headers: "Limits the wait for a stream's headers.",
    with_whole = whole: "Limits the wait for a whole answer.",
    with_first_content = first_content: "Limits the wait for a stream's first content.",
    with_idle_before_content = idle_before_content: "Limits silence before the first content.",
    with_idle = idle: "Limits silence after the first content.",
    with_total = total: "Limits one attempt as a whole.",
}
