//! Sessions over the store in memory, and what only that can be asked.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod choice;
mod context;
mod limits;
mod memory;
mod model;
mod suite;
mod world;

use std::sync::Arc;

use aurax_core::{Engine, MemoryLedger};
use futures::future::BoxFuture;

use suite::each_case;
use world::World;

fn world_of(ledger: MemoryLedger) -> World {
    let store = Arc::new(ledger.clone());
    World::new(move || Engine::builder().store(ledger.clone()), store)
}

fn block_on<F: Future>(work: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(work)
}

fn over_memory(case: impl FnOnce(World) -> BoxFuture<'static, ()>) {
    let ledger = MemoryLedger::new();
    block_on(case(world_of(ledger.clone())));
    assert_eq!(ledger.open_attempts(), 0, "every attempt is settled");
}

each_case!(over_memory);
