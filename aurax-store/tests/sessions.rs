//! The engine's sessions over every store: the same cases that its own store in memory passes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "each suite uses its part"
)]
#[path = "store/desk.rs"]
mod desk;
#[allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "each suite uses its part"
)]
#[path = "../../aurax-core/tests/sessions/model.rs"]
mod model;
#[path = "../../aurax-core/tests/sessions/suite/mod.rs"]
mod suite;
#[path = "../../aurax-core/tests/sessions/world.rs"]
mod world;

use std::sync::Arc;

use aurax_core::Engine;
use aurax_store::testkit::Books;
use desk::{Desk, Kind};
use futures::future::BoxFuture;
use world::World;

fn over(kind: Kind, case: impl FnOnce(World) -> BoxFuture<'static, ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let Some(desk) = Desk::open(kind).await else {
            return;
        };
        let store = desk.store.clone();
        let world = World::new(
            move || Engine::builder().store(store.clone()),
            Arc::new(desk.store.clone()),
        );
        case(world).await;
        desk.store
            .ledger(aurax_store::LedgerOptions::default())
            .unwrap()
            .close()
            .await;
        let books = Books::read(&desk.store).await.unwrap();
        assert_eq!(
            books.attempts.len(),
            books.settlements.len(),
            "every attempt is settled"
        );
        assert_eq!(
            books.busy_sessions,
            [] as [uuid::Uuid; 0],
            "every session is free"
        );
        desk.clear().await;
    });
}

mod memory {
    use super::suite::each_case;
    use super::*;

    fn over_memory(case: impl FnOnce(World) -> BoxFuture<'static, ()>) {
        over(Kind::Memory, case);
    }

    each_case!(over_memory);
}

mod file {
    use super::suite::each_case;
    use super::*;

    fn over_file(case: impl FnOnce(World) -> BoxFuture<'static, ()>) {
        over(Kind::File, case);
    }

    each_case!(over_file);
}

mod postgres {
    use super::suite::each_case;
    use super::*;

    fn over_postgres(case: impl FnOnce(World) -> BoxFuture<'static, ()>) {
        over(Kind::Postgres, case);
    }

    each_case!(over_postgres);
}
