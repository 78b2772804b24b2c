//! The real binary, as operators run it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// `aurax serve`, in a folder of its own. It is killed when the value goes.
pub(crate) struct Process {
    pub(crate) folder: PathBuf,
    pub(crate) address: SocketAddr,
    child: Child,
}

/// How it is started.
pub(crate) struct Start {
    folder: PathBuf,
    variables: Vec<(String, String)>,
}

impl Start {
    /// With the provider `openai` at an address.
    pub(crate) fn new(upstream: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("aurax-process-{}", aurax::new_id()));
        fs::create_dir(&folder).unwrap();
        let toml = format!("[providers.openai]\nbase_url = \"{upstream}\"\n");
        fs::write(folder.join("aurax.toml"), toml).unwrap();
        let variables = [
            ("OLLAMA_HOST", "127.0.0.1:1"),
            ("OPENAI_API_KEY", "sk-operator-canary"),
            ("AURAX_LIMITS_IP_REQUESTS_PER_MINUTE", "none"),
            ("AURAX_LIMITS_USER_REQUESTS_PER_MINUTE", "none"),
        ];
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            folder,
            variables: variables.map(owned).to_vec(),
        }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// A file in its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Waits until it listens.
    pub(crate) fn start(self) -> Process {
        let mut child = Command::new(env!("CARGO_BIN_EXE_aurax"))
            .env_clear()
            .envs(
                crate::support::optional("LLVM_PROFILE_FILE")
                    .map(|file| ("LLVM_PROFILE_FILE", file)),
            )
            .envs(self.variables)
            .current_dir(&self.folder)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let told = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, address) = line.split_once("listens on http://")?;
            let (address, _) = address.split_once(',')?;
            Some(address.parse().unwrap())
        });
        // What it says is read, so that it never waits.
        std::thread::spawn(move || lines.for_each(|line| println!("{}", line.unwrap())));
        Process {
            folder: self.folder,
            address: told.unwrap(),
            child,
        }
    }
}

impl Process {
    /// Ends it, as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The code that it ended with, once it has.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status.code();
            }
            crate::support::moment().await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// Asks a process to end.
pub(crate) fn terminate(id: u32) {
    let sent = Command::new("kill")
        .args(["-TERM", &id.to_string()])
        .status();
    assert!(sent.unwrap().success());
}
