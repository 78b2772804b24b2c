//! `aurax serve`: it starts, answers and goes down in order.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc::RecvTimeoutError;

use super::home::Home;

#[test]
fn it_serves_until_it_is_told_to_end() {
    let home = Home::new()
        .with("AURAX_TIMEOUTS_DRAIN_NOTICE", "0s")
        .with("AURAX_TIMEOUTS_DRAIN", "1s");
    let mut child = home
        .command(&["serve", "--listen", "127.0.0.1:0"])
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let told = lines
        .find(|line| line.contains("http://127.0.0.1:"))
        .unwrap();
    let address = told
        .split("http://")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap();
    let address = address.trim_end_matches(|c: char| !c.is_ascii_digit());
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let killed = std::process::Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
    // What it says is read, so that it never waits.
    lines.for_each(drop);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(home.path("aurax-data/signing.keys").exists());
    home.ok(&["usage"]);
}

/// Sends a signal, and waits for the end: not for ever.
fn interrupted(child: &mut std::process::Child) -> Option<i32> {
    let id = child.id().to_string();
    let sent = std::process::Command::new("kill")
        .args(["-INT", &id])
        .status();
    assert!(sent.unwrap().success());
    let deadline = std::time::Duration::from_secs(10);
    let (sender, ended) = std::sync::mpsc::sync_channel::<()>(1);
    let watch = std::thread::spawn(move || {
        if ended.recv_timeout(deadline) == Err(RecvTimeoutError::Timeout) {
            let killed = std::process::Command::new("kill")
                .args(["-KILL", &id])
                .status();
            assert!(killed.unwrap().success());
        }
    });
    let code = child.wait().unwrap().code();
    // That it is gone is a sign, too.
    drop(sender);
    watch.join().unwrap();
    code
}

/// A database that takes a connection and says nothing: the start waits for it.
#[test]
fn a_start_that_takes_long_can_be_interrupted() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = format!("postgres://aurax@127.0.0.1:{port}/aurax?sslmode=disable");
    let home = Home::new().with("DATABASE_URL", url);
    let mut child = home
        .command(&["serve", "--listen", "127.0.0.1:0"])
        .spawn()
        .unwrap();
    let (connection, _) = silent.accept().unwrap();
    assert_eq!(interrupted(&mut child), Some(130));
    drop(connection);
}

/// Somebody who types no password ends it as any other command.
#[cfg(target_os = "linux")]
#[test]
fn waiting_for_a_password_can_be_interrupted() {
    let home = Home::new();
    home.ok(&["migrate"]);
    let create = ["users", "create", "ada@example.com", "--password-stdin"];
    let mut child = home
        .command(&create)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let line = child.stdin.take();
    // It waits once it catches Ctrl-C (Linux shows which signals a process catches).
    let status = format!("/proc/{}/status", child.id());
    let catches = |text: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        line.is_some_and(|set| u64::from_str_radix(set.trim(), 16).unwrap() & 2 != 0)
    };
    while !catches(&std::fs::read_to_string(&status).unwrap()) {
        std::thread::yield_now();
    }
    assert_eq!(interrupted(&mut child), Some(130));
    drop(line);
    home.ok(&["users", "list"]).says("there are no accounts");
}
