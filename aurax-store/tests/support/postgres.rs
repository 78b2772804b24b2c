//! A PostgreSQL server of a test's own, to be set up as it likes, stopped, hung and filled.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use sqlx::{Connection as _, PgConnection};

use crate::place::{until, variable};

/// Who runs it: PostgreSQL refuses to be run by root.
fn user() -> Option<(u32, u32)> {
    if !is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let entry = ["postgres", "nobody"].iter().find_map(|name| {
        let mut lines = users.lines();
        lines.find(|line| line.split(':').next() == Some(*name))
    });
    let mut fields = entry.unwrap().split(':').skip(2);
    let mut next = || fields.next().unwrap().parse().unwrap();
    Some((next(), next()))
}

pub(crate) fn is_root() -> bool {
    let said = Command::new("id").arg("-u").output().unwrap();
    said.stdout == b"0\n"
}

/// The server. It ends with the value, and with the process.
#[derive(Debug)]
pub(crate) struct Postgres {
    bin: PathBuf,
    pub(crate) data: PathBuf,
    port: u16,
    settings: Vec<String>,
    /// Ends the server when its input ends.
    keeper: Mutex<Option<Child>>,
}

impl Postgres {
    /// Starts one with its data in a folder that is made for it; `None`, with a line that says
    /// so, where there is none.
    pub(crate) async fn start(data: &Path) -> Option<Self> {
        let server = Self::new(data)?;
        server.initialize();
        server.run().await;
        Some(server)
    }

    /// One that is not started yet, and whose folder is empty.
    pub(crate) fn new(data: &Path) -> Option<Self> {
        let Some(bin) = variable("AURAX_TEST_PG_BIN") else {
            println!("1 skipped: AURAX_TEST_PG_BIN is not set");
            return None;
        };
        fs::create_dir_all(data).unwrap();
        fs::set_permissions(data, fs::Permissions::from_mode(0o700)).unwrap();
        give_away(data);
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        Some(Self {
            bin: bin.into(),
            data: data.to_owned(),
            port,
            settings: Vec::new(),
            keeper: Mutex::new(None),
        })
    }

    /// The same server with a setting, as `name=value`, that holds from its next start on.
    pub(crate) fn with_setting(mut self, setting: &str) -> Self {
        self.settings.extend(["-c".to_owned(), setting.to_owned()]);
        self
    }

    /// Makes its databases.
    pub(crate) fn initialize(&self) {
        let made = self
            .command("initdb")
            .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale"])
            .args(["--no-sync", "-D"])
            .arg(&self.data)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
    }

    /// Makes it follow another server, which runs.
    pub(crate) fn follow(&self, primary: &Self) {
        let made = self
            .command("pg_basebackup")
            .args(["-U", "postgres", "-h", "127.0.0.1", "-R", "-X", "stream"])
            .args([
                "--checkpoint=fast",
                "--no-sync",
                "-p",
                &primary.port.to_string(),
            ])
            .arg("-D")
            .arg(&self.data)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.bin.join(name));
        as_user(&mut command);
        command
    }

    /// Runs it, after it was stopped.
    pub(crate) async fn run(&self) {
        // Whoever holds the other end of the input is this test, however it ends.
        let script = "\"$0\" \"$@\" >/dev/null 2>&1 <&- & server=$!; cat; \
                      pkill -CONT -P $server; kill -CONT $server; kill -QUIT $server; wait";
        let mut keeper = Command::new("sh");
        keeper
            .args(["-c", script])
            .arg(self.bin.join("postgres"))
            .arg("-D")
            .arg(&self.data)
            .args(["-p", &self.port.to_string()])
            .args(["-c", "listen_addresses=127.0.0.1"])
            .args(["-c", "max_connections=40", "-c", "shared_buffers=16MB"])
            .args(["-c", "max_wal_size=64MB", "-c", "min_wal_size=32MB"])
            .arg("-c")
            .arg(format!("unix_socket_directories={}", self.data.display()))
            .args(&self.settings)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        as_user(&mut keeper);
        let keeper = keeper.spawn().unwrap();
        let before = self.keeper.lock().unwrap().replace(keeper);
        if let Some(before) = before {
            end(before);
        }
        self.answers().await;
    }

    /// Waits until it answers.
    pub(crate) async fn answers(&self) {
        let url = self.url();
        let answers = tokio::time::timeout(Duration::from_secs(30), async {
            while PgConnection::connect(&url).await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        answers.await.unwrap();
    }

    pub(crate) fn url(&self) -> String {
        self.url_of("postgres", "postgres")
    }

    /// The address of a database for a login.
    pub(crate) fn url_of(&self, login: &str, database: &str) -> String {
        format!("postgres://{login}@127.0.0.1:{}/{database}", self.port)
    }

    /// Stops it as a crash would.
    pub(crate) fn stop(&self) {
        let stopped = self
            .command("pg_ctl")
            .args(["stop", "-m", "immediate", "-D"])
            .arg(&self.data)
            .output()
            .unwrap();
        assert!(stopped.status.success(), "{stopped:?}");
    }

    /// The server's processes, the first of which is the parent of the others.
    fn processes(&self) -> Vec<String> {
        let file = fs::read_to_string(self.data.join("postmaster.pid")).unwrap();
        let server = file.lines().next().unwrap().to_owned();
        let children = Command::new("pgrep").args(["-P", &server]).output();
        let children = String::from_utf8(children.unwrap().stdout).unwrap();
        let children = children.lines().map(str::to_owned);
        std::iter::once(server.clone()).chain(children).collect()
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .arg(signal)
            .args(self.processes())
            .status();
        assert!(sent.unwrap().success());
    }

    /// Stops every process of it where it is.
    pub(crate) fn hang(&self) {
        self.signal("-STOP");
    }

    /// Lets them go on.
    pub(crate) fn go_on(&self) {
        self.signal("-CONT");
    }
}

fn end(mut keeper: Child) {
    drop(keeper.stdin.take());
    keeper.wait().unwrap();
}

/// Makes a file or folder that of the user who runs servers.
pub(crate) fn give_away(path: &Path) {
    if let Some((user, group)) = user() {
        chown(path, Some(user), Some(group)).unwrap();
    }
}

pub(crate) fn as_user(command: &mut Command) {
    if let Some((user, group)) = user() {
        command.uid(user).gid(group).current_dir("/");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.lock().unwrap().take() {
            end(keeper);
        }
    }
}

/// A small disk of its own; it is gone with the value.
#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) folder: PathBuf,
}

impl Disk {
    /// `None`, with a line that says so, for those who may not make one.
    pub(crate) fn new(folder: PathBuf, size: &str) -> Option<Self> {
        if !is_root() {
            println!("1 skipped: only root can make a disk");
            return None;
        }
        fs::create_dir_all(&folder).unwrap();
        let made = Command::new("mount")
            .args(["-t", "tmpfs", "-o"])
            .arg(format!("size={size},mode=0755"))
            .arg("tmpfs")
            .arg(&folder)
            .status();
        if !made.unwrap().success() {
            println!("1 skipped: no disk can be made here");
            return None;
        }
        Some(Self { folder })
    }

    /// Takes all the room there is.
    pub(crate) fn fill(&self) {
        let mut file = fs::File::create(self.folder.join("filler")).unwrap();
        let block = [0; 4096];
        while std::io::Write::write_all(&mut file, &block).is_ok() {}
    }

    pub(crate) fn make_room(&self) {
        fs::remove_file(self.folder.join("filler")).unwrap();
    }

    pub(crate) fn make_read_only(&self) {
        let made = Command::new("mount")
            .args(["-o", "remount,ro"])
            .arg(&self.folder)
            .status();
        assert!(made.unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let gone = Command::new("umount").arg("-l").arg(&self.folder).status();
        assert!(gone.unwrap().success());
    }
}

/// A small disk of its own whose file system can be told that it found an error, and turns
/// read-only under whoever writes. It is gone with the value.
#[derive(Debug)]
pub(crate) struct Fragile {
    image: PathBuf,
    pub(crate) folder: PathBuf,
}

impl Fragile {
    /// In a folder; `None`, with a line that says so, for those who may not make one.
    pub(crate) fn new(within: &Path) -> Option<Self> {
        let (image, folder) = (within.join("image"), within.join("fragile"));
        if !is_root() {
            println!("1 skipped: only root can make a disk");
            return None;
        }
        let size = 48 << 20;
        fs::File::create(&image).unwrap().set_len(size).unwrap();
        fs::create_dir(&folder).unwrap();
        let disk = Self { image, folder };
        let mut make = Command::new("mkfs.ext4");
        make.arg("-q").arg(&disk.image);
        if !make.status().is_ok_and(|made| made.success()) || !disk.mount() {
            println!("1 skipped: no disk can be made here");
            std::mem::forget(disk);
            return None;
        }
        Some(disk)
    }

    fn mount(&self) -> bool {
        let mut mount = Command::new("mount");
        mount.args(["-o", "loop,errors=remount-ro"]);
        let mounted = mount.arg(&self.image).arg(&self.folder).status();
        mounted.unwrap().success()
    }

    /// Finds an error.
    pub(crate) fn turn_read_only(&self) {
        let mut abort = Command::new("mount");
        abort.args(["-o", "remount,abort"]).arg(&self.folder);
        assert!(abort.status().unwrap().success());
        let file = fs::File::create(self.folder.join("file"));
        assert!(file.is_err(), "it can be written to");
    }

    /// What is left of it, repaired, as after a new start of the machine.
    pub(crate) fn repaired(&self) -> Self {
        let repaired = Self {
            image: self.image.with_extension("repaired"),
            folder: self.folder.with_extension("repaired"),
        };
        fs::copy(&self.image, &repaired.image).unwrap();
        fs::create_dir(&repaired.folder).unwrap();
        let mut check = Command::new("e2fsck");
        let check = check.args(["-f", "-y"]).arg(&repaired.image).output();
        let checked = check.unwrap();
        // One says that errors were corrected.
        assert!(matches!(checked.status.code(), Some(0 | 1)), "{checked:?}");
        assert!(repaired.mount());
        repaired
    }
}

impl Drop for Fragile {
    fn drop(&mut self) {
        let gone = Command::new("umount").arg("-l").arg(&self.folder).status();
        assert!(gone.unwrap().success());
    }
}

/// Waits until a hung server has stopped doing anything.
pub(crate) async fn until_hung(server: &Postgres) {
    let processes = server.processes();
    let is_stopped = |pid: &String| {
        let status = fs::read_to_string(format!("/proc/{pid}/status"));
        status.is_ok_and(|status| status.contains("State:\tT"))
    };
    let limit = Duration::from_secs(5);
    until("it hangs", limit, || processes.iter().all(is_stopped)).await;
}
