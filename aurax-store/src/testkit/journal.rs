//! Facts in a file that only grows: each is one line of JSON and one `write(2)`, so what was noted
//! is there however its writer ends.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use aurax_core::{Error, ErrorKind, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A file of facts. Several processes may add to one.
#[derive(Debug)]
pub struct Journal(Mutex<File>);

fn failed(path: &Path, error: std::io::Error) -> Error {
    let message = format!("the journal {} cannot be used", path.display());
    Error::new(ErrorKind::Internal, message).with_source(error)
}

impl Journal {
    /// Opens a journal, which is made where it is not there.
    ///
    /// # Errors
    /// `Internal` when the file cannot be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = OpenOptions::new().create(true).append(true).open(path);
        file.map(|file| Self(Mutex::new(file)))
            .map_err(|e| failed(path, e))
    }

    /// Adds a fact.
    ///
    /// # Panics
    /// When the fact cannot be kept: a test that goes on without it would prove nothing.
    #[expect(clippy::expect_used, reason = "a test that forgets proves nothing")]
    pub fn note(&self, fact: &impl Serialize) {
        let mut line = serde_json::to_vec(fact).expect("a fact is JSON");
        line.push(b'\n');
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&line).expect("the journal is written");
    }

    /// Every fact in the file. A last line that breaks off, because its writer was killed, was
    /// not noted.
    ///
    /// # Errors
    /// `Internal` when the file cannot be read or holds something else.
    pub fn read<T: DeserializeOwned>(path: impl AsRef<Path>) -> Result<Vec<T>> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|e| failed(path, e))?;
        let whole = text.rfind('\n').and_then(|end| text.get(..=end));
        let lines = whole.unwrap_or_default().lines();
        let facts = lines.map(serde_json::from_str);
        facts
            .collect::<serde_json::Result<_>>()
            .map_err(|e| failed(path, e.into()))
    }
}
