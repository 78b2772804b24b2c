//! Values into SQLite's statements, and out of its rows.

use std::sync::Arc;

use aurax_core::{Error, ErrorKind, Result};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments as _, Row as _, Sqlite, TypeInfo as _, ValueRef as _};
use uuid::Uuid;

use super::super::error::read;
use super::super::statement::Compiled;
use super::super::value::{Cell, find, split, to_micros};
use super::super::{Arg, Value};

pub(super) fn bind(compiled: &Compiled, args: &[Arg]) -> Result<SqliteArguments> {
    let mut bound = SqliteArguments::default();
    for name in &compiled.binds {
        add(&mut bound, name, find(args, name)?)?;
    }
    Ok(bound)
}

pub(super) fn add(bound: &mut SqliteArguments, name: &str, value: &Value) -> Result<()> {
    let added = match value {
        Value::Uuid(Some(id)) => {
            let mut buffer = Uuid::encode_buffer();
            let text: &str = id.hyphenated().encode_lower(&mut buffer);
            bound.add(Arc::<str>::from(text))
        }
        Value::Text(Some(text)) => bound.add(text.clone()),
        Value::Uuid(None) | Value::Text(None) => bound.add(None::<&str>),
        Value::Int(int) => bound.add(*int),
        Value::Bool(bool) => bound.add(*bool),
        Value::Time(at) => bound.add(at.map(to_micros)),
        Value::Bytes(bytes) => bound.add(bytes.clone()),
        Value::Uuids(ids) => {
            let ids: Vec<String> = ids.iter().map(|id| format!("\"{id}\"")).collect();
            bound.add(format!("[{}]", ids.join(",")))
        }
        Value::Money(amount) => {
            let parts = match amount {
                Some(amount) => Some(split(*amount).ok_or_else(|| out_of_range(name))?),
                None => None,
            };
            bound
                .add(parts.map(|(nano, _)| nano))
                .and_then(|()| bound.add(parts.map(|(_, atto)| atto)))
        }
    };
    added.map_err(|e| read(sqlx::Error::Encode(e)))
}

fn out_of_range(name: &str) -> Error {
    Error::new(
        ErrorKind::InvalidRequest,
        format!("`{name}` is out of range: amounts are kept up to nine billion dollars"),
    )
}

pub(super) fn cells(row: &SqliteRow) -> Result<Vec<Cell>> {
    (0..row.len())
        .map(|at| {
            let value = row.try_get_raw(at).map_err(read)?;
            if value.is_null() {
                return Ok(Cell::Null);
            }
            let kind = value.type_info().name().to_owned();
            let cell = match kind.as_str() {
                "INTEGER" | "BOOLEAN" => {
                    <i64 as sqlx::Decode<'_, Sqlite>>::decode(value).map(Cell::Int)
                }
                "BLOB" => <Vec<u8> as sqlx::Decode<'_, Sqlite>>::decode(value).map(Cell::Bytes),
                _ => <String as sqlx::Decode<'_, Sqlite>>::decode(value).map(Cell::Text),
            };
            cell.map_err(|e| read(sqlx::Error::Decode(e)))
        })
        .collect()
}
