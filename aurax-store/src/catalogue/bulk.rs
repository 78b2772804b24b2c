/// Declares an insert of many rows: each column by its kind and name.
macro_rules! bulk {
    ($table:literal ($($kind:ident $name:literal),* $(,)?) $tail:literal) => {
        $crate::db::BulkInsert {
            table: $table,
            columns: &[$(($crate::db::Kind::$kind, $name)),*],
            tail: $tail,
        }
    };
}
pub(super) use bulk;
