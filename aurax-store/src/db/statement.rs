//! SQL that serves both databases: one text with named values, made into each one's own.
//!
//! * `:name` is a value; `:user` is the tenant, which the scope fills in.
//! * `{m cost}` is a column of money: `cost` in PostgreSQL, `cost_nano, cost_atto` in SQLite.
//! * `{v cost}` is a value of money, in one or two places.
//! * `{sum cost}` adds a column of money up under its own name.
//! * `{in ids}` is "one of the values in the list `ids`".
//! * `{pg: …}` and `{lite: …}` are for one database alone.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use aurax_core::{Error, ErrorKind, Result};

use super::bulk::{BulkInsert, Says};

/// Which SQL a database speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Dialect {
    #[cfg(any(feature = "sqlite", test))]
    Sqlite,
    #[cfg(any(feature = "postgres", test))]
    Postgres,
}

/// One statement of the catalogue.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

/// A statement in a database's own words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Compiled {
    /// The SQL.
    pub(crate) sql: Arc<str>,
    /// The names of its values, in the order they are bound. A name may stand for two places.
    pub(crate) binds: Vec<&'static str>,
}

/// The tenant's predicate, as every statement on a tenant's table has it, and as those on accounts
/// have it.
#[cfg(any(test, feature = "testkit"))]
const PREDICATES: [&str; 2] = ["user_id = :user", "WHERE id = :user"];

/// Statements without their tenant's predicates.
#[cfg(any(test, feature = "testkit"))]
#[derive(Debug, Clone, Default)]
pub(crate) enum Sabotage {
    /// None.
    #[default]
    Nothing,
    /// The one of that name, without one of its predicates: the first is 0.
    One(&'static str, usize),
    /// All.
    All,
}

#[cfg(any(test, feature = "testkit"))]
impl Statement {
    /// How often it asks for the tenant.
    pub(crate) fn predicates(&self) -> usize {
        let found = PREDICATES.iter().map(|one| self.text.matches(one).count());
        found.sum()
    }

    /// Its text without one of the predicates, or without any.
    fn without(&self, which: Option<usize>) -> String {
        let mut text = String::with_capacity(self.text.len());
        let mut rest = self.text;
        let mut number = 0;
        while let Some((at, predicate)) = PREDICATES
            .iter()
            .filter_map(|one| Some((rest.find(one)?, *one)))
            .min()
        {
            let (before, found) = rest.split_at(at);
            text.push_str(before);
            let is_meant = which.is_none_or(|which| which == number);
            text.push_str(match (is_meant, predicate.starts_with("WHERE")) {
                (true, true) => "WHERE 1 = 1",
                (true, false) => "1 = 1",
                (false, _) => predicate,
            });
            rest = found.get(predicate.len()..).unwrap_or_default();
            number += 1;
        }
        text + rest
    }
}

/// An insert by its table, its tail, its number of rows and what it says of them.
type InsertKey = (&'static str, &'static str, usize, Says);

/// The statements a database has met, in its own words.
#[derive(Debug)]
pub(crate) struct Dictionary {
    dialect: Dialect,
    known: RwLock<HashMap<&'static str, Arc<Compiled>>>,
    inserts: RwLock<HashMap<InsertKey, Arc<str>>>,
    /// The statements whose tenant predicates are left out, to see a test find it out.
    #[cfg(any(test, feature = "testkit"))]
    sabotaged: std::sync::Mutex<Sabotage>,
}

impl Dictionary {
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            known: RwLock::default(),
            inserts: RwLock::default(),
            #[cfg(any(test, feature = "testkit"))]
            sabotaged: std::sync::Mutex::default(),
        }
    }

    pub(crate) fn get(&self, statement: &Statement) -> Result<Arc<Compiled>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(compiled) = known.get(statement.name) {
            return Ok(compiled.clone());
        }
        drop(known);
        let compiled = Arc::new(compile(self.words(statement), self.dialect)?);
        self.known
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(statement.name, compiled.clone());
        Ok(compiled)
    }

    /// The statement that inserts so many rows, written the first time.
    pub(crate) fn insert(
        &self,
        insert: &BulkInsert,
        rows: usize,
        says: Says,
        write: impl FnOnce() -> Result<String>,
    ) -> Result<Arc<str>> {
        let key = (insert.table, insert.tail, rows, says);
        let known = self.inserts.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(sql) = known.get(&key) {
            return Ok(sql.clone());
        }
        drop(known);
        let mut known = self.inserts.write().unwrap_or_else(PoisonError::into_inner);
        let sql: Arc<str> = write()?.into();
        Ok(known.entry(key).or_insert(sql).clone())
    }

    #[cfg(any(test, feature = "testkit"))]
    fn words(&self, statement: &Statement) -> &'static str {
        let sabotaged = self.sabotaged.lock();
        let sabotaged = sabotaged.unwrap_or_else(PoisonError::into_inner);
        let which = match *sabotaged {
            Sabotage::One(name, which) if name == statement.name => Some(which),
            Sabotage::All => None,
            Sabotage::Nothing | Sabotage::One(..) => return statement.text,
        };
        // Leaked: a test does this once for each predicate.
        statement.without(which).leak()
    }

    #[cfg(not(any(test, feature = "testkit")))]
    #[expect(clippy::unused_self, reason = "its twin for tests needs it")]
    const fn words(&self, statement: &Statement) -> &'static str {
        statement.text
    }

    /// Leaves the tenant's predicate out of statements from now on.
    #[cfg(any(test, feature = "testkit"))]
    pub(crate) fn sabotage(&self, what: Sabotage) {
        let mut sabotaged = self
            .sabotaged
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *sabotaged = what;
        self.known
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// Writes a statement in a database's own words.
pub(crate) fn compile(text: &'static str, dialect: Dialect) -> Result<Compiled> {
    let mut writer = Writer {
        dialect,
        sql: String::with_capacity(text.len()),
        binds: Vec::new(),
        places: HashMap::new(),
        next: 1,
    };
    writer.write(text)?;
    Ok(Compiled {
        sql: writer.sql.into(),
        binds: writer.binds,
    })
}

struct Writer {
    dialect: Dialect,
    sql: String,
    binds: Vec<&'static str>,
    /// The first place of each value.
    places: HashMap<&'static str, usize>,
    next: usize,
}

impl Writer {
    fn is_sqlite(&self) -> bool {
        match self.dialect {
            #[cfg(any(feature = "sqlite", test))]
            Dialect::Sqlite => true,
            #[cfg(any(feature = "postgres", test))]
            Dialect::Postgres => false,
        }
    }

    fn write(&mut self, mut rest: &'static str) -> Result<()> {
        while let Some(at) = rest.find([':', '{', '\'']) {
            let (before, special) = rest.split_at(at);
            self.sql.push_str(before);
            rest = match special.as_bytes() {
                // A cast, or a text of its own: neither holds values.
                [b':', b':', ..] => self.copy(special, 2),
                [b'\'', ..] => {
                    let end = special.get(1..).and_then(|text| text.find('\''));
                    self.copy(special, end.ok_or_else(|| malformed(special))? + 2)
                }
                [b':', ..] => self.value(special)?,
                _ => self.fragment(special)?,
            };
        }
        self.sql.push_str(rest);
        Ok(())
    }

    fn copy(&mut self, text: &'static str, length: usize) -> &'static str {
        let (copied, rest) = text.split_at(length.min(text.len()));
        self.sql.push_str(copied);
        rest
    }

    fn value(&mut self, text: &'static str) -> Result<&'static str> {
        let (name, rest) = word(text.get(1..).unwrap_or_default());
        if name.is_empty() {
            return Err(malformed(text));
        }
        let place = self.place(name, 1);
        self.sql.push_str(&format!("${place}"));
        Ok(rest)
    }

    /// The place of a value, which it gets when it is met first.
    fn place(&mut self, name: &'static str, width: usize) -> usize {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let place = self.next;
        self.places.insert(name, place);
        self.binds.push(name);
        self.next += width;
        place
    }

    fn fragment(&mut self, text: &'static str) -> Result<&'static str> {
        let end = text.find('}').ok_or_else(|| malformed(text))?;
        let inside = text.get(1..end).unwrap_or_default();
        let rest = text.get(end + 1..).unwrap_or_default();
        if let Some(own) = inside.strip_prefix("pg:") {
            if !self.is_sqlite() {
                self.write(own.trim_start())?;
            }
            return Ok(rest);
        }
        if let Some(own) = inside.strip_prefix("lite:") {
            if self.is_sqlite() {
                self.write(own.trim_start())?;
            }
            return Ok(rest);
        }
        let (kind, name) = inside.split_once(' ').ok_or_else(|| malformed(text))?;
        let sqlite = self.is_sqlite();
        let written = match (kind, sqlite) {
            ("m", true) => format!("{name}_nano, {name}_atto"),
            ("m", false) => name.to_owned(),
            ("v", true) => {
                let place = self.place(name, 2);
                format!("${place}, ${}", place + 1)
            }
            ("v", false) => format!("${}", self.place(name, 1)),
            ("sum", true) => {
                format!("SUM({name}_nano) AS {name}_nano, SUM({name}_atto) AS {name}_atto")
            }
            ("sum", false) => format!("SUM({name}) AS {name}"),
            ("in", true) => {
                let place = self.place(name, 1);
                format!("IN (SELECT value FROM json_each(${place}))")
            }
            ("in", false) => format!("= ANY(${})", self.place(name, 1)),
            _ => return Err(malformed(text)),
        };
        self.sql.push_str(&written);
        Ok(rest)
    }
}

fn word(text: &'static str) -> (&'static str, &'static str) {
    let end = text
        .find(|char: char| !(char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_'))
        .unwrap_or(text.len());
    text.split_at(end)
}

fn malformed(text: &str) -> Error {
    let near: String = text.chars().take(40).collect();
    Error::new(
        ErrorKind::Internal,
        format!("a statement is malformed near `{near}`"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "INSERT INTO t (id, {m cost}, at) SELECT :id, {v cost}, :at \
         WHERE id {in ids} AND name = ':no' AND user_id = :user {pg: FOR UPDATE}{lite: AND :id = 1}";

    #[test]
    fn a_statement_is_written_for_each_database() {
        let lite = compile(TEXT, Dialect::Sqlite).unwrap();
        assert_eq!(
            &*lite.sql,
            "INSERT INTO t (id, cost_nano, cost_atto, at) SELECT $1, $2, $3, $4 WHERE id IN \
             (SELECT value FROM json_each($5)) AND name = ':no' AND user_id = $6 AND $1 = 1"
        );
        assert_eq!(lite.binds, ["id", "cost", "at", "ids", "user"]);
        let postgres = compile(TEXT, Dialect::Postgres).unwrap();
        assert_eq!(
            &*postgres.sql,
            "INSERT INTO t (id, cost, at) SELECT $1, $2, $3 WHERE id = ANY($4) AND name = ':no' \
             AND user_id = $5 FOR UPDATE"
        );
        assert_eq!(postgres.binds, lite.binds);
    }

    #[test]
    fn casts_and_sums_stay_what_they_are() {
        let compiled = compile("SELECT {sum cost}, x::text", Dialect::Postgres).unwrap();
        assert_eq!(&*compiled.sql, "SELECT SUM(cost) AS cost, x::text");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in [
            "SELECT : x",
            "SELECT {m cost",
            "SELECT {z a}",
            "SELECT 'open",
        ] {
            assert!(compile(text, Dialect::Sqlite).is_err(), "{text}");
        }
    }

    #[test]
    fn a_sabotaged_statement_sees_every_tenant() {
        static STATEMENT: Statement = Statement {
            name: "X",
            text: "SELECT id FROM t WHERE user_id = :user AND id IN (SELECT id FROM u WHERE id = :user)",
        };
        let dictionary = Dictionary::new(Dialect::Sqlite);
        let sql = |sabotage| {
            dictionary.sabotage(sabotage);
            dictionary.get(&STATEMENT).unwrap().sql.to_string()
        };
        let first = "SELECT id FROM t WHERE 1 = 1 AND id IN (SELECT id FROM u WHERE id = $1)";
        let second = "SELECT id FROM t WHERE user_id = $1 AND id IN (SELECT id FROM u WHERE 1 = 1)";
        let both = "SELECT id FROM t WHERE 1 = 1 AND id IN (SELECT id FROM u WHERE 1 = 1)";
        assert_eq!(STATEMENT.predicates(), 2);
        assert_eq!(sql(Sabotage::One("X", 0)), first);
        assert_eq!(sql(Sabotage::One("X", 1)), second);
        assert_eq!(sql(Sabotage::All), both);
        assert!(sql(Sabotage::One("Y", 0)).contains("user_id"));
    }
}
