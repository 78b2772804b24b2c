//! `aurax serve`: it starts, answers and goes down in order.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

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
