//! How a database's tables come to be: forward only, each migration once, all that are due in one
//! transaction.

use aurax_core::{Error, ErrorKind, Result};

/// One step.
#[derive(Debug)]
pub(crate) struct Migration {
    pub(crate) version: i64,
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
}

/// Names the migrations that are files of a folder, in order.
macro_rules! migrations {
    ($folder:literal: $($version:literal $name:literal),* $(,)?) => {
        &[$($crate::db::migration::Migration {
            version: $version,
            name: $name,
            sql: include_str!(concat!("../../migrations/", $folder, "/", $name, ".sql")),
        }),*]
    };
}
pub(crate) use migrations;

/// A step that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Applied {
    pub(crate) version: i64,
    pub(crate) checksum: String,
}

impl Migration {
    pub(crate) fn checksum(&self) -> String {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, self.sql.as_bytes());
        digest
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// The steps that are due.
///
/// # Errors
/// `Config` for a database that a newer program has migrated, and for one whose history is not
/// this program's.
pub(crate) fn due<'m>(known: &'m [Migration], applied: &[Applied]) -> Result<Vec<&'m Migration>> {
    for step in applied {
        match known.iter().find(|own| own.version == step.version) {
            Some(own) if own.checksum() == step.checksum => {}
            Some(own) => {
                return Err(refuse(format!(
                    "the database was migrated with another `{}`: it belongs to another program, \
                     or its history was edited",
                    own.name
                )));
            }
            None if known.iter().all(|own| own.version < step.version) => {
                return Err(refuse(format!(
                    "the database is newer than this program: it has migration {}, and this \
                     program knows them up to {}; use a newer one",
                    step.version,
                    known.last().map_or(0, |own| own.version)
                )));
            }
            None => {
                return Err(refuse(format!(
                    "the database has an unknown migration, {}: it belongs to another program",
                    step.version
                )));
            }
        }
    }
    let latest = applied.iter().map(|step| step.version).max().unwrap_or(0);
    let due: Vec<_> = known
        .iter()
        .filter(|own| !applied.iter().any(|step| step.version == own.version))
        .collect();
    if let Some(skipped) = due.iter().find(|own| own.version < latest) {
        return Err(refuse(format!(
            "the database lacks migration {} but has later ones: it belongs to another program",
            skipped.version
        )));
    }
    Ok(due)
}

fn refuse(message: String) -> Error {
    Error::new(ErrorKind::Config, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Migration] = &[
        Migration {
            version: 1,
            name: "one",
            sql: "1",
        },
        Migration {
            version: 3,
            name: "three",
            sql: "3",
        },
    ];

    fn applied(versions: &[i64]) -> Vec<Applied> {
        versions
            .iter()
            .map(|version| Applied {
                version: *version,
                checksum: KNOWN
                    .iter()
                    .find(|own| own.version == *version)
                    .map_or_else(String::new, Migration::checksum),
            })
            .collect()
    }

    fn message(applied: &[Applied]) -> String {
        due(KNOWN, applied).unwrap_err().to_string()
    }

    #[test]
    fn what_was_not_done_is_due() {
        let versions = |applied: &[Applied]| -> Vec<i64> {
            let due = due(KNOWN, applied).unwrap();
            due.iter().map(|own| own.version).collect()
        };
        assert_eq!(versions(&[]), [1, 3]);
        assert_eq!(versions(&applied(&[1])), [3]);
        assert_eq!(versions(&applied(&[1, 3])), [0_i64; 0]);
    }

    #[test]
    fn a_history_that_is_not_ours_is_refused_with_its_reason() {
        assert!(message(&applied(&[1, 3, 4])).contains("newer than this program"));
        assert!(message(&applied(&[1, 2, 3])).contains("unknown migration, 2"));
        assert!(message(&applied(&[3])).contains("lacks migration 1"));
        let mut edited = applied(&[1]);
        edited[0].checksum.push('0');
        assert!(message(&edited).contains("another `one`"));
    }
}
