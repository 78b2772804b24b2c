//! Where the servers of the tests are, and servers of a test's own.

use std::env;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aurax_store::{Redis, RedisOptions};

/// The variable, or a line that says why there is no test; a failure where servers are required.
pub(crate) fn variable(name: &str) -> Option<String> {
    let found = env::var(name).ok();
    if found.is_none() {
        assert!(
            env::var_os("AURAX_REQUIRE_SERVICES").is_none(),
            "{name} is not set"
        );
        println!("skipped: {name} is not set");
    }
    found
}

/// A Redis whose keys no other test has.
pub(crate) fn shared(options: RedisOptions) -> Option<Redis> {
    let url = variable("AURAX_TEST_REDIS")?;
    Some(Redis::new(&url, options.with_prefix(prefix()).with_timeout(GENEROUS)).unwrap())
}

/// The machine of a test is busy; tests of the 50 ms say so themselves.
pub(crate) const GENEROUS: Duration = Duration::from_secs(5);

pub(crate) fn prefix() -> String {
    format!("test:{}:", uuid::Uuid::now_v7())
}

/// A Redis of a test's own, to be stopped. It is gone with the test.
pub(crate) struct Private {
    port: u16,
    folder: PathBuf,
    child: Child,
}

impl Private {
    /// `None` where the others are missing, too.
    pub(crate) fn start() -> Option<Self> {
        variable("AURAX_TEST_REDIS")?;
        let folder = env::temp_dir().join(format!("aurax-redis-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir(&folder).unwrap();
        // Another program may take the port between the two.
        for _ in 0..5 {
            let port = free_port();
            let mut child = spawn(port, &folder);
            if answers(port, &mut child) {
                return Some(Self {
                    port,
                    folder,
                    child,
                });
            }
        }
        panic!("redis-server does not start");
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn restart(&mut self) {
        self.child = spawn(self.port, &self.folder);
        assert!(answers(self.port, &mut self.child));
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn spawn(port: u16, folder: &PathBuf) -> Child {
    let mut redis = Command::new("redis-server");
    redis.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    redis.arg("--port").arg(port.to_string());
    redis.arg("--dir").arg(folder).stdout(Stdio::null());
    redis.spawn().unwrap()
}

fn answers(port: u16, child: &mut Child) -> bool {
    let client = ::redis::Client::open(("127.0.0.1", port)).unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while Instant::now() < until {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if let Ok(mut connection) = client.get_connection()
            && ::redis::cmd("PING")
                .query::<String>(&mut connection)
                .is_ok()
        {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

/// What is in the shared Redis, asked past the store.
pub(crate) struct Beside(::redis::Connection);

impl Beside {
    pub(crate) fn new() -> Self {
        let client = ::redis::Client::open(env::var("AURAX_TEST_REDIS").unwrap()).unwrap();
        Self(client.get_connection().unwrap())
    }

    pub(crate) fn keys(&mut self, prefix: &str) -> Vec<String> {
        let mut keys = ::redis::cmd("KEYS");
        keys.arg(format!("{prefix}*")).query(&mut self.0).unwrap()
    }

    /// The rest of a key's life, in milliseconds.
    pub(crate) fn pttl(&mut self, key: &str) -> i64 {
        ::redis::cmd("PTTL").arg(key).query(&mut self.0).unwrap()
    }

    pub(crate) fn command(&mut self, words: &[&str]) -> ::redis::Value {
        let mut command = ::redis::cmd(words[0]);
        command.arg(&words[1..]).query(&mut self.0).unwrap()
    }
}

/// What a busy machine takes besides.
pub(crate) const SLACK: Duration = Duration::from_millis(150);
/// How long a command may take.
pub(crate) const LIMIT: Duration = Duration::from_millis(50);

/// Takes connections in and never answers.
pub(crate) struct Hung(TcpListener);

impl Hung {
    pub(crate) fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.0.local_addr().unwrap())
    }
}

/// What somebody answers, and how long it takes.
pub(crate) async fn timed<T>(asked: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    let answer = asked.await;
    (answer, began.elapsed())
}

/// Waits until it answers.
pub(crate) async fn ready(redis: &Redis) {
    let until = Instant::now() + Duration::from_secs(20);
    while let Err(error) = redis.ping().await {
        assert!(Instant::now() < until, "{error}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
