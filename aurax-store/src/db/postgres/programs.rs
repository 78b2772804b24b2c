//! PostgreSQL's own client programs, run as child processes.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use aurax_core::{Error, ErrorKind, Result, Retry};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::address::Address;

/// The most that is kept of what a program says about its failure, in bytes.
const SAID: usize = 8 * 1024;
/// The most of it that an error shows, in characters.
const SHOWN: usize = 300;

/// Where the programs are.
#[derive(Debug, Clone, Default)]
pub(super) struct Programs {
    folder: Option<PathBuf>,
}

impl Programs {
    /// In a folder, or else where the system looks for programs.
    pub(super) fn new(folder: Option<&Path>) -> Self {
        Self {
            folder: folder.map(Path::to_owned),
        }
    }

    /// The major version of a program.
    ///
    /// # Errors
    /// `Config` when it is missing or says no version.
    pub(super) async fn version(&self, name: &'static str) -> Result<u64> {
        let mut command = self.command(name);
        command.arg("--version").stdin(Stdio::null());
        let output = command.output().await;
        let output = output.map_err(|error| self.missing(name, error))?;
        let said = String::from_utf8_lossy(&output.stdout);
        version(&said).ok_or_else(|| {
            let message = format!(
                "{name} does not say its version: check PostgreSQL's client programs, or name \
                 their folder with PostgresOptions::with_programs"
            );
            Error::new(ErrorKind::Config, message)
        })
    }

    /// Starts a program on a database. It ends with the value.
    ///
    /// # Errors
    /// `Config` when it is missing.
    pub(super) fn start(
        &self,
        name: &'static str,
        arguments: &[&str],
        address: &Address,
        pipes: Pipes,
    ) -> Result<Program> {
        let mut command = self.command(name);
        command
            .args(arguments)
            .arg(address.database())
            .stderr(Stdio::piped());
        match pipes {
            Pipes::Output => command.stdin(Stdio::null()).stdout(Stdio::piped()),
            Pipes::Input => command.stdin(Stdio::piped()).stdout(Stdio::null()),
        };
        address.tell(&mut command);
        let child = command.spawn();
        let mut child = child.map_err(|error| self.missing(name, error))?;
        let said = child.stderr.take().map(|said| tokio::spawn(listen(said)));
        Ok(Program { name, child, said })
    }

    fn command(&self, name: &str) -> Command {
        let path = match &self.folder {
            Some(folder) => folder.join(name),
            None => PathBuf::from(name),
        };
        let mut command = Command::new(path);
        // In the words that are documented, and read by nobody from a terminal.
        command.env("LC_ALL", "C").kill_on_drop(true);
        command
    }

    fn missing(&self, name: &str, error: std::io::Error) -> Error {
        let place = match &self.folder {
            Some(folder) => format!("in {}", folder.display()),
            None => "on PATH".to_owned(),
        };
        let message = format!(
            "{name} cannot be run ({error}): there must be PostgreSQL's client programs {place}; \
             install them, or name their folder with PostgresOptions::with_programs"
        );
        Error::new(ErrorKind::Config, message).with_source(error)
    }
}

/// Which end of a program is this one's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pipes {
    Output,
    Input,
}

/// A program that runs, killed when it is dropped.
#[derive(Debug)]
pub(super) struct Program {
    name: &'static str,
    pub(super) child: Child,
    said: Option<JoinHandle<Vec<u8>>>,
}

impl Program {
    /// Waits for its end.
    ///
    /// # Errors
    /// `Store` when it failed, with the first line of what it said; all of it, as far as it was
    /// kept, is the source.
    pub(super) async fn end(mut self) -> Result<()> {
        drop(self.child.stdin.take());
        let status = self.child.wait().await;
        let said = match self.said.take() {
            Some(said) => said.await.unwrap_or_default(),
            None => Vec::new(),
        };
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(failure(self.name, status, &said)),
            Err(error) => {
                let message = format!("{} cannot be waited for", self.name);
                Err(Error::new(ErrorKind::Internal, message).with_source(error))
            }
        }
    }
}

/// Reads to the end, so that the program never waits for it, and keeps the beginning.
async fn listen(mut from: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(read) = from.read(&mut buffer).await
        && read > 0
    {
        let room = SAID.saturating_sub(kept.len()).min(read);
        kept.extend_from_slice(buffer.get(..room).unwrap_or_default());
    }
    kept
}

/// What a program's failure is. Only the first line is shown: later ones may quote rows.
fn failure(name: &str, status: ExitStatus, said: &[u8]) -> Error {
    let said = String::from_utf8_lossy(said).into_owned();
    let mut lines = said.lines().map(str::trim);
    let line = lines.find(|line| !line.is_empty()).unwrap_or_default();
    let line = line.strip_prefix(&format!("{name}: ")).unwrap_or(line);
    let clean = line.chars().filter(|c| !c.is_control());
    let line: String = clean.take(SHOWN).collect();
    let message = match line.is_empty() {
        true => format!("{name} failed ({status})"),
        false => format!("{name} failed: {line}"),
    };
    Error::new(ErrorKind::Store, message)
        .with_retry(Retry::Never)
        .with_source(std::io::Error::other(said))
}

/// The major version in `pg_dump (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`.
fn version(said: &str) -> Option<u64> {
    let (_, rest) = said.split_once("(PostgreSQL) ")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// What libpq calls a way of using TLS.
pub(super) fn ssl_mode(options: &PgConnectOptions) -> &'static str {
    match options.get_ssl_mode() {
        PgSslMode::Disable => "disable",
        PgSslMode::Allow => "allow",
        PgSslMode::Prefer => "prefer",
        PgSslMode::Require => "require",
        PgSslMode::VerifyCa => "verify-ca",
        PgSslMode::VerifyFull => "verify-full",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_as_the_programs_say_it() {
        assert_eq!(
            version("pg_dump (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"),
            Some(15)
        );
        assert_eq!(version("pg_restore (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(version("pg_dump (PostgreSQL) devel"), None);
        assert_eq!(version("no such thing"), None);
    }

    #[tokio::test]
    async fn what_a_program_says_is_read_to_its_end_and_kept_up_to_a_bound() {
        let mut said = b"pg_dump: error: no\n".to_vec();
        said.resize(1_000_000, b'x');
        let kept = listen(&said[..]).await;
        assert_eq!(kept.len(), SAID);
        assert!(kept.starts_with(b"pg_dump: error: no\n"));
    }

    #[cfg(unix)]
    #[test]
    fn a_failure_shows_the_first_line_and_no_row() {
        let status = std::os::unix::process::ExitStatusExt::from_raw(256);
        let said = b"\npg_restore: error: \x1b[31mCOPY failed\nCONTEXT: row 1: \"hush\"\n";
        let error = failure("pg_restore", status, said);
        assert_eq!(error.kind(), ErrorKind::Store);
        assert_eq!(error.message(), "pg_restore failed: error: [31mCOPY failed");
        assert_eq!(
            failure("pg_dump", status, b"").message(),
            "pg_dump failed (exit status: 1)"
        );
        let long = failure("pg_dump", status, &[b'x'; SAID]);
        assert!(long.message().len() < 350);
    }
}
