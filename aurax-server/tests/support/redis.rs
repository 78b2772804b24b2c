//! A Redis of a test's own, to be killed, hung and started again. It is gone with the value.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::variable;

#[derive(Debug)]
pub(crate) struct OwnRedis {
    port: u16,
    folder: PathBuf,
    child: Child,
}

impl OwnRedis {
    /// `None`, with a line that says so, where there is no Redis.
    pub(crate) async fn start() -> Option<Self> {
        if variable("AURAX_TEST_REDIS").is_none() {
            println!("1 skipped: AURAX_TEST_REDIS is not set");
            return None;
        }
        let folder = std::env::temp_dir().join(format!("aurax-redis-{}", aurax::new_id()));
        std::fs::create_dir(&folder).unwrap();
        // Another program may take the port between the two.
        for _ in 0..5 {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = free.local_addr().unwrap().port();
            drop(free);
            let mut child = spawn(port, &folder);
            if answers(port, &mut child).await {
                return Some(Self {
                    port,
                    folder,
                    child,
                });
            }
        }
        panic!("redis-server does not start");
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) async fn restart(&mut self) {
        self.child = spawn(self.port, &self.folder);
        assert!(answers(self.port, &mut self.child).await);
    }

    /// Stops it where it is.
    pub(crate) fn hang(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

fn spawn(port: u16, folder: &PathBuf) -> Child {
    let mut redis = Command::new("redis-server");
    redis.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    redis.arg("--port").arg(port.to_string());
    redis.arg("--dir").arg(folder).stdout(Stdio::null());
    redis.spawn().unwrap()
}

async fn answers(port: u16, child: &mut Child) -> bool {
    for _ in 0..1_500 {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if pong(port).is_some() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

fn pong(port: u16) -> Option<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.write_all(b"PING\r\n").ok()?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).ok()?;
    (&answer == b"+PONG").then_some(())
}
