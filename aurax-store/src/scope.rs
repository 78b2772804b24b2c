//! For whom the store is asked: every door to it is one of these.

use aurax_core::{Page, Paged, Result};
use futures::future::BoxFuture;
use uuid::Uuid;

use crate::cursor::{found, most_bytes, one_more};
use crate::db::{Access, Arg, Mode, Row, Statement, Tx, Value};
use crate::store::Store;

/// Statements that are a transaction of their own.
macro_rules! single_statements {
    () => {
        /// The one row there may be.
        pub(crate) async fn row(
            &self,
            statement: &'static Statement,
            args: impl Into<Vec<Arg>>,
        ) -> Result<Option<Row>> {
            let args = args.into();
            self.read(move |tx| Box::pin(async move { tx.row(statement, &args).await }))
                .await
        }

        pub(crate) async fn rows(
            &self,
            statement: &'static Statement,
            args: impl Into<Vec<Arg>>,
        ) -> Result<Vec<Row>> {
            let args = args.into();
            self.read(move |tx| Box::pin(async move { tx.rows(statement, &args).await }))
                .await
        }

        /// Changes something; how many rows.
        pub(crate) async fn run(
            &self,
            statement: &'static Statement,
            args: impl Into<Vec<Arg>>,
        ) -> Result<u64> {
            let args = args.into();
            self.write(move |tx| Box::pin(async move { tx.run(statement, &args).await }))
                .await
        }
    };
}

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

    single_statements!();

    /// A page of what a statement lists by its arguments `before` and `most`; `list` is the name
    /// that its cursors are good for.
    pub(crate) async fn page<T>(
        &self,
        list: &str,
        (statement, args): (&'static Statement, impl Into<Vec<Arg>>),
        page: &Page,
        read: impl Fn(&Row) -> Result<T>,
        id: impl Fn(&T) -> Uuid,
    ) -> Result<Paged<T>> {
        let cursors = self.store.cursors();
        let mut args = args.into();
        args.push(("before", Value::from(cursors.read(list, self.user, page)?)));
        args.push(("most", Value::from(one_more(page))));
        let rows = self.rows(statement, args).await?;
        let items = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
        Ok(cursors.page(list, self.user, page, items, id))
    }

    /// The same of a list whose items may be large: `statement` leaves out those that have more
    /// than `:bytes` with the ones before them, and says as `found` how many there were.
    pub(crate) async fn part<T>(
        &self,
        list: &str,
        (statement, args): (&'static Statement, impl Into<Vec<Arg>>),
        page: &Page,
        read: impl Fn(&Row) -> Result<T>,
        id: impl Fn(&T) -> Uuid,
    ) -> Result<Paged<T>> {
        let cursors = self.store.cursors();
        let mut args = args.into();
        args.push(("before", Value::from(cursors.read(list, self.user, page)?)));
        args.push(("most", Value::from(one_more(page))));
        args.push(("bytes", Value::from(most_bytes())));
        let rows = self.rows(statement, args).await?;
        let items = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
        Ok(cursors.part(list, self.user, page, (items, found(&rows)?), id))
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

            single_statements!();
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
