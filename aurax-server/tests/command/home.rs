//! A folder that the command runs in, and what it said.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// A folder of a test's own, removed with the value, and the variables of the command.
pub(crate) struct Home {
    folder: PathBuf,
    variables: Vec<(String, String)>,
}

/// Where a program under coverage says what of it ran.
#[expect(clippy::disallowed_methods, reason = "the tests' own configuration")]
fn coverage() -> Option<(&'static str, String)> {
    let name = "LLVM_PROFILE_FILE";
    Some((name, std::env::var(name).ok()?))
}

/// What a command ended with.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Home {
    /// Nothing is set, and no Ollama of this machine is found.
    pub(crate) fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("aurax-command-{}", uuid::Uuid::now_v7()));
        fs::create_dir(&folder).unwrap();
        Self {
            folder,
            variables: vec![("OLLAMA_HOST".to_owned(), "127.0.0.1:1".to_owned())],
        }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aurax"));
        command
            .env_clear()
            .envs(coverage())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(arguments, "")
    }

    /// The same with something on standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Ended {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // One that does not read it may be gone already.
        drop(stdin.write_all(input.as_bytes()));
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        Ended {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs the command, which has to do what is asked.
    pub(crate) fn ok(&self, arguments: &[&str]) -> Ended {
        let ended = self.run(arguments);
        assert_eq!(ended.code, 0, "{arguments:?}: {ended:?}");
        ended
    }

    /// The same, and what it printed as objects, one a line.
    pub(crate) fn json(&self, arguments: &[&str]) -> Vec<Value> {
        self.ok(arguments).lines()
    }

    /// Whether a text is in any file of the folder.
    pub(crate) fn holds(&self, text: &str) -> bool {
        fn look(folder: &Path, text: &[u8]) -> bool {
            fs::read_dir(folder).unwrap().any(|entry| {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    return look(&path, text);
                }
                fs::read(&path)
                    .unwrap()
                    .windows(text.len())
                    .any(|part| part == text)
            })
        }
        look(&self.folder, text.as_bytes())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).unwrap();
    }
}

impl Ended {
    pub(crate) fn lines(&self) -> Vec<Value> {
        let parse =
            |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        self.out.lines().map(parse).collect()
    }

    pub(crate) fn says(&self, text: &str) -> &Self {
        assert!(self.out.contains(text), "no {text:?} in {self:?}");
        self
    }

    pub(crate) fn warns(&self, text: &str) -> &Self {
        assert!(self.err.contains(text), "no {text:?} in {self:?}");
        self
    }

    pub(crate) fn ends_with(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}
