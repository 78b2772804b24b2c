//! For whom the store is asked: every door to it is one of these.

use aurax_core::Result;
use futures::future::BoxFuture;
use uuid::Uuid;

use crate::db::{Access, Mode, Tx};
use crate::store::Store;

/// What belongs to one principal. Nothing of anybody else can be seen or changed through it.
#[derive(Debug, Clone)]
pub struct UserScope {
    store: Store,
    user: Uuid,
}

impl UserScope {
    pub(crate) const fn new(store: Store, user: Uuid) -> Self {
        Self { store, user }
    }

    /// The tenant's id, as its rows carry it.
    pub const fn user_id(&self) -> Uuid {
        self.user
    }

    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    ) -> Result<T> {
        let access = Access::User(self.user);
        self.store.db().read(access, Mode::Read, work).await
    }

    pub(crate) async fn analyse<T: Send + 'static>(
        &self,
        work: impl for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    ) -> Result<T> {
        let access = Access::User(self.user);
        self.store.db().read(access, Mode::Analyse, work).await
    }

    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.store.db().write(Access::User(self.user), work).await
    }
}

macro_rules! across_tenants {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name {
            store: Store,
        }

        impl $name {
            pub(crate) const fn new(store: Store) -> Self {
                Self { store }
            }

            pub(crate) const fn store(&self) -> &Store {
                &self.store
            }

            pub(crate) async fn read<T: Send + 'static>(
                &self,
                work: impl for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
            ) -> Result<T> {
                self.store.db().read(Access::Jobs, Mode::Read, work).await
            }

            pub(crate) async fn write<T: Send + 'static>(
                &self,
                work: impl for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
            ) -> Result<T> {
                self.store.db().write(Access::Jobs, work).await
            }
        }
    };
}
across_tenants! {
    /// What operators do, and what comes before anybody is logged in.
    AdminScope
}
across_tenants! {
    /// What runs by itself: retention, partitions, orphans, rotation.
    JobScope
}
