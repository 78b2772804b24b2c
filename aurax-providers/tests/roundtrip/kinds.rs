//! The differences that are meant, each counted once a case.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// How often each kind of difference was seen.
#[derive(Default)]
pub(crate) struct Kinds(Mutex<BTreeMap<&'static str, usize>>);

/// The kinds of one case.
#[derive(Default)]
pub(crate) struct Seen(BTreeSet<&'static str>);

impl Seen {
    pub(crate) fn note(&mut self, kind: &'static str) {
        self.0.insert(kind);
    }
}

impl Kinds {
    pub(crate) fn add(&self, seen: Seen) {
        if let Ok(mut counts) = self.0.lock() {
            for kind in seen.0 {
                *counts.entry(kind).or_default() += 1;
            }
        }
    }

    pub(crate) fn print(&self) {
        let Ok(counts) = self.0.lock() else { return };
        println!("{} kinds of differences that are meant:", counts.len());
        for (kind, count) in &*counts {
            println!("    {count:4} {kind}");
        }
    }
}
