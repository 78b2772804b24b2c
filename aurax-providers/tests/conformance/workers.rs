//! Runs many small jobs on all cores.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::tally::{Finding, Verdict};

thread_local! {
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Judges every item, in the order of the list; a judge that panics is a failure of its item.
pub(crate) fn map<T: Sync>(items: &[T], judge: impl Fn(&T) -> Verdict + Sync) -> Vec<Verdict> {
    panic::set_hook(Box::new(|info| {
        PANIC.with_borrow_mut(|text| *text = info.to_string());
    }));
    let next = AtomicUsize::new(0);
    let verdicts = Mutex::new(Vec::with_capacity(items.len()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, Into::into) {
            scope.spawn(|| {
                while let at = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(item) = items.get(at)
                {
                    let verdict = guarded(item, &judge);
                    if let Ok(mut verdicts) = verdicts.lock() {
                        verdicts.push((at, verdict));
                    }
                }
            });
        }
    });
    let mut verdicts = verdicts.into_inner().unwrap_or_default();
    verdicts.sort_by_key(|(at, _)| *at);
    verdicts.into_iter().map(|(_, verdict)| verdict).collect()
}

fn guarded<T>(item: &T, judge: &impl Fn(&T) -> Verdict) -> Verdict {
    panic::catch_unwind(AssertUnwindSafe(|| judge(item))).unwrap_or_else(|_| {
        let text = PANIC.with_borrow(Clone::clone);
        Verdict::Failed(vec![Finding::new("panic", text)])
    })
}
