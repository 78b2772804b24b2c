//! A process that rotates master keys is killed in the middle of it: every key stays readable.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]
#![cfg(unix)]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use aurax_core::{Principal, Secret};
use aurax_store::{Binding, KeyFile, KeyId, KeyRing, Sealed, Vault};
use time::OffsetDateTime;
use uuid::Uuid;

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
const KILLS: usize = 12;

fn binding() -> Binding {
    Binding::new(Principal::new("ada"), Uuid::nil(), "openai")
}

fn seal(ring: &KeyRing) -> Sealed {
    let vault = Vault::new(ring.clone());
    vault.seal(&Secret::new("sk-hush"), &binding()).unwrap()
}

/// The child: adds keys, and drops all but the first when there are many, until it is killed. It
/// says which key is the current one, once that is certain.
#[test]
#[ignore = "the other test runs it, and kills it"]
fn rotates_until_killed() {
    let mut path = String::new();
    std::io::stdin().read_line(&mut path).unwrap();
    if path.is_empty() {
        return;
    }
    let file = KeyFile::new(path.trim_end());
    let first: Vec<KeyId> = file.read().unwrap().ids().collect();
    loop {
        let ring = file.add(NOW).unwrap();
        println!("current {}", ring.current());
        std::io::stdout().flush().unwrap();
        if ring.ids().count() >= first.len() + 3 {
            file.drop_unused(&first).unwrap();
        }
    }
}

/// The keys a child said were current before it was killed.
fn killed_child(path: &Path, after: usize) -> Vec<KeyId> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "rotates_until_killed",
            "--ignored",
            "--nocapture",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{}", path.display()).unwrap();
    let mut said = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        // The harness may write in front of the first one.
        if let Some((_, id)) = line.unwrap().split_once("current ") {
            said.push(id.parse().unwrap());
        }
        if said.len() == after {
            // Anywhere in the next rotation, or the one after it.
            for _ in 0..fastrand::u32(0..200_000) {
                std::hint::spin_loop();
            }
            child.kill().unwrap();
        }
    }
    assert!(!child.wait().unwrap().success());
    assert!(said.len() >= after, "the child ended before it was killed");
    said
}

#[test]
fn every_key_is_readable_after_a_rotation_was_killed() {
    let folder = format!("keys-{:032x}", fastrand::u128(..));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    fs::create_dir(&folder).unwrap();
    let file = KeyFile::new(folder.join("master.keys"));
    let mut sealed = vec![seal(&file.create(NOW).unwrap())];
    for _ in 0..KILLS {
        let said = killed_child(file.path(), fastrand::usize(1..8));
        let ring = file.read().unwrap();
        // Dropping keys never drops the one that became current last.
        assert!(ring.contains(*said.last().unwrap()));
        let vault = Vault::new(ring);
        for sealed in &sealed {
            vault.open(sealed, &binding()).unwrap();
        }
        sealed.push(seal(&file.add(NOW).unwrap()));
        let needed: Vec<_> = sealed.iter().map(Sealed::key_id).collect();
        file.drop_unused(&needed).unwrap();
        let names = fs::read_dir(&folder).unwrap().count();
        assert_eq!(names, 2, "something stays beside the key file and its lock");
    }
    assert_eq!(file.read().unwrap().ids().count(), KILLS + 1);
    fs::remove_dir_all(folder).unwrap();
}
