//! The differences that are meant, each counted once a case.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// More kinds of differences than this in requests, and the round trip proves little.
const MOST: usize = 10;

/// How often each kind of difference was seen.
#[derive(Default)]
pub(crate) struct Kinds {
    requests: Mutex<Counts>,
    replies: Mutex<Counts>,
}

type Counts = BTreeMap<&'static str, usize>;

/// The kinds of one case.
#[derive(Default)]
pub(crate) struct Seen {
    requests: BTreeSet<&'static str>,
    replies: BTreeSet<&'static str>,
}

impl Seen {
    /// Notes a difference in a request.
    pub(crate) fn note(&mut self, kind: &'static str) {
        self.requests.insert(kind);
    }

    /// Notes a difference in a reply.
    pub(crate) fn note_reply(&mut self, kind: &'static str) {
        self.replies.insert(kind);
    }
}

impl Kinds {
    pub(crate) fn add(&self, seen: Seen) {
        for (counts, kinds) in [
            (&self.requests, seen.requests),
            (&self.replies, seen.replies),
        ] {
            if let Ok(mut counts) = counts.lock() {
                for kind in kinds {
                    *counts.entry(kind).or_default() += 1;
                }
            }
        }
    }

    /// Prints the kinds; an error where there are too many.
    pub(crate) fn print(&self) -> Result<(), String> {
        for (counts, what) in [(&self.requests, "requests"), (&self.replies, "replies")] {
            let Ok(counts) = counts.lock() else { continue };
            println!(
                "{} kinds of differences in {what} that are meant:",
                counts.len()
            );
            for (kind, count) in &*counts {
                println!("    {count:4} {kind}");
            }
            if what == "requests" && counts.len() > MOST {
                return Err(format!("more than {MOST} kinds of differences in {what}"));
            }
        }
        Ok(())
    }
}
