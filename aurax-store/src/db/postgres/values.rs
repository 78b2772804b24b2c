//! Values into PostgreSQL's statements, and out of its rows.

use aurax_core::{Decimal, Error, ErrorKind, Money, Result};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Arguments as _, Decode, Postgres, Row as _, TypeInfo as _, ValueRef as _};
use time::OffsetDateTime;
use uuid::Uuid;

use super::super::error::{out_of_range, read};
use super::super::statement::Compiled;
use super::super::value::{Cell, find};
use super::super::{Arg, BulkInsert, Fields, Kind, Value};

pub(super) fn bind(compiled: &Compiled, args: &[Arg]) -> Result<PgArguments> {
    let mut bound = PgArguments::default();
    for name in &compiled.binds {
        let added = match find(args, name)? {
            Value::Uuid(id) => bound.add(*id),
            Value::Text(text) => bound.add(text.as_deref()),
            Value::Int(int) => bound.add(*int),
            Value::Bool(bool) => bound.add(*bool),
            Value::Time(at) => bound.add(*at),
            Value::Bytes(bytes) => bound.add(bytes.clone()),
            Value::Uuids(ids) => bound.add(ids.clone()),
            Value::Money(amount) => bound.add(amount.map(|amount| amount.rounded().usd())),
        };
        added.map_err(|e| read(sqlx::Error::Encode(e)))?;
    }
    Ok(bound)
}

/// One array a column.
pub(super) fn columns(insert: &BulkInsert, rows: &[Fields]) -> Result<PgArguments> {
    let mut table: Vec<Vec<&Value>> = vec![Vec::with_capacity(rows.len()); insert.columns.len()];
    for row in rows {
        for (column, value) in table.iter_mut().zip(insert.values(row)) {
            column.push(value?.1);
        }
    }
    macro_rules! array {
        ($bound:ident, $name:ident, $column:ident, $variant:ident => $read:expr) => {{
            let mut array = Vec::with_capacity($column.len());
            for value in $column {
                let Value::$variant(value) = value else {
                    return Err(mistyped($name));
                };
                array.push($read(value));
            }
            $bound.add(array)
        }};
    }
    let mut bound = PgArguments::default();
    for ((kind, name), column) in insert.columns.iter().zip(table) {
        let added = match kind {
            Kind::Uuid => array!(bound, name, column, Uuid => Option::clone),
            Kind::Text => array!(bound, name, column, Text => Option::as_deref),
            Kind::Int => array!(bound, name, column, Int => Option::clone),
            Kind::Bool => array!(bound, name, column, Bool => Option::clone),
            Kind::Time => array!(bound, name, column, Time => Option::clone),
            Kind::Money => array!(bound, name, column, Money => |amount: &Option<Money>| {
                amount.map(|amount| amount.rounded().usd())
            }),
        };
        added.map_err(|e| read(sqlx::Error::Encode(e)))?;
    }
    Ok(bound)
}

fn mistyped(name: &str) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("the column `{name}` was given a value of another type"),
    )
}

pub(super) fn cells(row: &PgRow) -> Result<Vec<Cell>> {
    (0..row.len())
        .map(|at| {
            let value = row.try_get_raw(at).map_err(read)?;
            if value.is_null() {
                return Ok(Cell::Null);
            }
            let kind = value.type_info().name().to_owned();
            let cell = match kind.as_str() {
                "UUID" => <Uuid as Decode<'_, Postgres>>::decode(value).map(Cell::Uuid),
                "INT8" => <i64 as Decode<'_, Postgres>>::decode(value).map(Cell::Int),
                "INT4" => {
                    <i32 as Decode<'_, Postgres>>::decode(value).map(|int| Cell::Int(int.into()))
                }
                "BOOL" => <bool as Decode<'_, Postgres>>::decode(value).map(Cell::Bool),
                "TIMESTAMPTZ" => {
                    <OffsetDateTime as Decode<'_, Postgres>>::decode(value).map(Cell::Time)
                }
                "NUMERIC" => {
                    // The driver rounds what has more than 28 digits: to fewer places than it came
                    // with, which are the fourth number of its head (numeric_send in numeric.c).
                    let head = value.as_bytes().ok().and_then(|bytes| bytes.get(6..8));
                    let places =
                        head.and_then(|head| Some(u16::from_be_bytes(head.try_into().ok()?)));
                    let decimal = <Decimal as Decode<'_, Postgres>>::decode(value);
                    match decimal {
                        Ok(decimal)
                            if decimal.is_zero()
                                || places.map(u32::from) == Some(decimal.scale()) =>
                        {
                            Ok(Cell::Decimal(decimal))
                        }
                        _ => return Err(out_of_range()),
                    }
                }
                "BYTEA" => <Vec<u8> as Decode<'_, Postgres>>::decode(value).map(Cell::Bytes),
                _ => <String as Decode<'_, Postgres>>::decode(value).map(Cell::Text),
            };
            cell.map_err(|e| read(sqlx::Error::Decode(e)))
        })
        .collect()
}
