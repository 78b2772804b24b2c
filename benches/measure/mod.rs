//! Measures processor time, user and system together, as the median of interleaved rounds.
//!
//! The kernel's accounting in nanoseconds is read before and after a round; where there is none
//! the wall clock stands in, and the heading says so.

#![allow(
    dead_code,
    clippy::disallowed_methods,
    reason = "each bench uses its part, and reading the clock is what a bench is for"
)]

use std::fs;
use std::time::{Duration, Instant};

/// Rounds of each subject.
pub(crate) const ROUNDS: usize = 9;

/// Processor time of this process so far.
pub(crate) fn processor_time() -> Option<Duration> {
    let mut nanos = 0;
    for task in fs::read_dir("/proc/self/task").ok()? {
        let line = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        nanos += line.split(' ').next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(nanos))
}

/// What is measured, for a heading.
pub(crate) fn unit() -> &'static str {
    match processor_time() {
        Some(_) => "processor time, user and system",
        None => "wall time: this system does not account processor time",
    }
}

/// The time `work` takes.
pub(crate) fn time<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let wall = Instant::now();
    let before = processor_time();
    let out = work();
    let taken = before.and_then(|before| processor_time()?.checked_sub(before));
    (taken.unwrap_or_else(|| wall.elapsed()), out)
}

/// The medians of `ROUNDS` rounds of each subject, in nanoseconds for each of its `count` units.
/// Subjects take turns, so that a busy machine is busy for all of them; the first turn warms up.
pub(crate) fn interleaved(subjects: &mut [(&str, u64, &mut dyn FnMut())]) -> Vec<f64> {
    let mut samples = vec![Vec::new(); subjects.len()];
    for round in 0..=ROUNDS {
        for ((_, count, work), samples) in subjects.iter_mut().zip(&mut samples) {
            let (taken, ()) = time(work);
            if round > 0 {
                samples.push(taken.as_nanos() as f64 / *count as f64);
            }
        }
    }
    samples.iter_mut().map(|samples| median(samples)).collect()
}

/// The median of the ratios of two subjects that took turns.
pub(crate) fn ratio(ours: &mut dyn FnMut(), theirs: &mut dyn FnMut()) -> f64 {
    let mut ratios = Vec::new();
    for round in 0..=ROUNDS {
        let (a, ()) = time(&mut *ours);
        let (b, ()) = time(&mut *theirs);
        if round > 0 {
            ratios.push(a.as_secs_f64() / b.as_secs_f64());
        }
    }
    median(&mut ratios)
}

pub(crate) fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Prints a figure beside its aim.
pub(crate) fn report(what: &str, value: f64, unit: &str, aim: &str) {
    println!("{what:<58} {value:>10.2} {unit:<6} {aim}");
}
