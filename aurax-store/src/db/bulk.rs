//! Inserts of many rows at once, in the form each database takes fastest.
//!
//! PostgreSQL takes one array a column. SQLite takes rows of values, in statements of 1, 2, 4 …
//! rows, so that there are few different ones and each is prepared once.

use aurax_core::Result;

use super::statement::{Dialect, compile};
use super::value::{Arg, Value, find};

/// How a column is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Uuid,
    Text,
    Int,
    Bool,
    Time,
    Money,
}

/// An insert of rows into a table.
#[derive(Debug)]
pub(crate) struct BulkInsert {
    pub(crate) table: &'static str,
    pub(crate) columns: &'static [(Kind, &'static str)],
    /// What follows the rows, such as `ON CONFLICT`; it may say things for one database alone.
    pub(crate) tail: &'static str,
}

/// What an insert says of the rows that were new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Says {
    /// Their number.
    Count,
    /// Their ids.
    Ids,
}

/// A row by the names of its columns.
pub(crate) type Fields = Vec<Arg>;

/// The most rows in one of SQLite's statements. At 28 columns they hold far fewer than the 32,766
/// values that it takes.
#[cfg(feature = "sqlite")]
pub(super) const MOST: usize = 256;

impl BulkInsert {
    /// The values of a row, in the order of the columns.
    pub(super) fn values<'a>(
        &'a self,
        row: &'a Fields,
    ) -> impl Iterator<Item = Result<(&'static str, &'a Value)>> {
        self.columns.iter().enumerate().map(|(at, (_, name))| {
            // Rows are written in the order of the columns, as a rule.
            match row.get(at) {
                Some((known, value)) if known == name => Ok((*name, value)),
                _ => find(row, name).map(|value| (*name, value)),
            }
        })
    }

    fn tail(&self, dialect: Dialect, says: Says) -> Result<String> {
        let tail = compile(self.tail, dialect)?.sql;
        Ok(match says {
            Says::Count => tail.to_string(),
            Says::Ids => format!("{tail} RETURNING id"),
        })
    }

    /// SQLite's statement for so many rows.
    #[cfg(feature = "sqlite")]
    pub(super) fn sqlite(&self, rows: usize, says: Says) -> Result<String> {
        let names: Vec<String> = self
            .columns
            .iter()
            .map(|(kind, name)| match kind {
                Kind::Money => format!("{name}_nano, {name}_atto"),
                _ => (*name).to_owned(),
            })
            .collect();
        let places: Vec<&str> = self
            .columns
            .iter()
            .map(|(kind, _)| match kind {
                Kind::Money => "?, ?",
                _ => "?",
            })
            .collect();
        let row = format!("({})", places.join(", "));
        let rows = vec![row; rows].join(", ");
        let (table, names) = (self.table, names.join(", "));
        let tail = self.tail(Dialect::Sqlite, says)?;
        Ok(format!(
            "INSERT INTO {table} ({names}) VALUES {rows} {tail}"
        ))
    }

    /// PostgreSQL's statement.
    #[cfg(feature = "postgres")]
    pub(super) fn postgres(&self, says: Says) -> Result<String> {
        let names: Vec<&str> = self.columns.iter().map(|(_, name)| *name).collect();
        let arrays: Vec<String> = self
            .columns
            .iter()
            .zip(1..)
            .map(|((kind, _), place)| {
                let kind = match kind {
                    Kind::Uuid => "uuid",
                    Kind::Text => "text",
                    Kind::Int => "bigint",
                    Kind::Bool => "boolean",
                    Kind::Time => "timestamptz",
                    Kind::Money => "numeric",
                };
                format!("${place}::{kind}[]")
            })
            .collect();
        let (table, names, arrays) = (self.table, names.join(", "), arrays.join(", "));
        let tail = self.tail(Dialect::Postgres, says)?;
        Ok(format!(
            "INSERT INTO {table} ({names}) SELECT * FROM UNNEST({arrays}) {tail}"
        ))
    }
}

/// The rows that one statement inserts each: powers of two, the largest first.
#[cfg(feature = "sqlite")]
pub(super) fn parts<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = MOST.min(1 << rows.len().checked_ilog2()?);
        let (part, rest) = rows.split_at_checked(size)?;
        rows = rest;
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BATCH: BulkInsert = BulkInsert {
        table: "t",
        columns: &[(Kind::Uuid, "id"), (Kind::Money, "cost")],
        tail: "ON CONFLICT DO NOTHING",
    };

    #[cfg(feature = "sqlite")]
    #[test]
    fn sqlite_takes_rows() {
        assert_eq!(
            BATCH.sqlite(2, Says::Count).unwrap(),
            "INSERT INTO t (id, cost_nano, cost_atto) VALUES (?, ?, ?), (?, ?, ?) \
             ON CONFLICT DO NOTHING"
        );
        let sizes = |rows: usize| parts(&vec![0; rows]).map(<[u8]>::len).collect::<Vec<_>>();
        assert_eq!(sizes(0), [0_usize; 0]);
        assert_eq!(sizes(11), [8, 2, 1]);
        assert_eq!(sizes(600), [256, 256, 64, 16, 8]);
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn postgres_takes_columns() {
        assert_eq!(
            BATCH.postgres(Says::Ids).unwrap(),
            "INSERT INTO t (id, cost) SELECT * FROM UNNEST($1::uuid[], $2::numeric[]) \
             ON CONFLICT DO NOTHING RETURNING id"
        );
    }

    #[test]
    fn values_are_found_in_any_order() {
        let row = vec![("cost", Value::Money(None)), ("id", Value::Uuid(None))];
        let names: Vec<_> = BATCH.values(&row).map(|value| value.unwrap().0).collect();
        assert_eq!(names, ["id", "cost"]);
        let short = vec![("id", Value::Uuid(None))];
        assert!(BATCH.values(&short).any(|value| value.is_err()));
    }
}
