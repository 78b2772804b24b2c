use std::io;

use aurax_core::{Principal, Secret};
use uuid::Uuid;

use super::*;
use crate::durable::Step;
use crate::durable::testing::Folder;
use crate::vault::{Binding, Sealed, Vault};

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

fn file(folder: &Folder) -> KeyFile {
    KeyFile::new(folder.path().join("master.keys"))
}

fn write(file: &KeyFile, text: &str) {
    durable::write(&file.path, text.as_bytes(), Existing::Replace).unwrap();
}

fn key(byte: u8) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode([byte; 32])
}

fn binding() -> Binding {
    Binding::new(Principal::new("ada"), Uuid::nil(), "openai")
}

fn seal(ring: &KeyRing) -> Sealed {
    let vault = Vault::new(ring.clone());
    vault.seal(&Secret::new("sk-hush"), &binding()).unwrap()
}

fn opens(ring: &KeyRing, sealed: &Sealed) -> bool {
    Vault::new(ring.clone()).open(sealed, &binding()).is_ok()
}

#[test]
fn a_new_file_holds_one_key_and_is_its_owners_alone() {
    let folder = Folder::new();
    let file = file(&folder);
    let ring = file.create(NOW).unwrap();
    let sealed = seal(&ring);
    let again = file.read().unwrap();
    assert_eq!(again.ids().collect::<Vec<_>>(), [ring.current()]);
    assert!(opens(&again, &sealed));
    assert_eq!(folder.names(), ["master.keys", "master.keys.lock"]);
    let text = fs::read_to_string(file.path()).unwrap();
    let comment = format!("# {}, made 1970-01-01\n", ring.current());
    assert!(text.starts_with("aurax-keys v1\n"), "{text}");
    assert!(text.ends_with(&comment), "{text}");
    #[cfg(unix)]
    for name in folder.names() {
        let facts = fs::metadata(folder.path().join(name)).unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&facts) & 0o777, 0o600);
    }
}

#[test]
fn a_file_that_is_there_is_never_overwritten() {
    let folder = Folder::new();
    let file = file(&folder);
    for content in ["", "not a key file", "aurax-keys v1\n"] {
        write(&file, content);
        let error = file.create(NOW).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert_eq!(error.retry(), Retry::Never);
        assert!(error.message().contains("master.keys"), "{error}");
        assert_eq!(fs::read_to_string(file.path()).unwrap(), content);
    }
    assert_eq!(folder.names(), ["master.keys", "master.keys.lock"]);
}

#[test]
fn an_added_key_becomes_the_current_one_and_comments_stay() {
    let folder = Folder::new();
    let file = file(&folder);
    let text = format!(
        "aurax-keys v1\r\n# the old one\n\n  {} # since 2024\n",
        key(1)
    );
    write(&file, &text);
    let old = file.read().unwrap();
    let new = file.add(NOW).unwrap();
    assert_ne!(new.current(), old.current());
    let ids = [new.current(), old.current()];
    assert_eq!(new.ids().collect::<Vec<_>>(), ids);
    assert_eq!(file.read().unwrap().ids().collect::<Vec<_>>(), ids);
    assert!(opens(&new, &seal(&old)));
    let changed = fs::read_to_string(file.path()).unwrap();
    assert!(
        changed.ends_with(&text["aurax-keys v1\r\n".len()..]),
        "{changed}"
    );
}

#[test]
fn a_file_holds_sixteen_keys_at_most() {
    let folder = Folder::new();
    let file = file(&folder);
    let first = file.create(NOW).unwrap();
    let mut ring = first.clone();
    for _ in 1..KeyRing::MAX {
        ring = file.add(NOW).unwrap();
    }
    let error = file.add(NOW).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(error.retry(), Retry::Never);
    assert!(opens(&file.read().unwrap(), &seal(&first)));
    assert_eq!(file.read().unwrap().current(), ring.current());
}

#[test]
fn only_keys_that_nothing_uses_are_dropped() {
    let folder = Folder::new();
    let file = file(&folder);
    let old = file.create(NOW).unwrap().current();
    let middle = file.add(NOW).unwrap().current();
    let new = file.add(NOW).unwrap().current();
    let unknown = KeyRing::generate().unwrap().current();
    let error = file.drop_unused(&[old, unknown]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains(&unknown.to_string()), "{error}");
    let ids = |ring: KeyRing| ring.ids().collect::<Vec<_>>();
    assert_eq!(ids(file.read().unwrap()), [new, middle, old]);
    assert_eq!(ids(file.drop_unused(&[old, new]).unwrap()), [new, old]);
    assert_eq!(ids(file.drop_unused(&[old]).unwrap()), [new, old]);
    assert_eq!(ids(file.drop_unused(&[]).unwrap()), [new]);
    assert_eq!(ids(file.read().unwrap()), [new]);
}

#[test]
fn a_wrong_line_is_named_and_never_shown() {
    let folder = Folder::new();
    let file = file(&folder);
    let (one, two) = (key(1), key(2));
    let seventeen: String = (0..17).map(|byte| key(byte) + "\n").collect();
    let unpadded = one.trim_end_matches('=');
    let url_safe = key(0xff).replace('/', "_");
    for (text, says) in [
        (String::new(), ": line 1 is not `aurax-keys v1`"),
        (format!("{one}\n"), ": line 1 is not `aurax-keys v1`"),
        (
            format!("aurax-keys v2\n{one}\n"),
            ": line 1 is not `aurax-keys v1`",
        ),
        ("aurax-keys v1\n# none\n".into(), " holds no key: make one"),
        (
            format!("aurax-keys v1\n{one}\nhush"),
            ": line 3 is not 32 bytes in base64",
        ),
        (
            format!("aurax-keys v1\n{unpadded}"),
            ": line 2 is not 32 bytes in base64",
        ),
        (
            format!("aurax-keys v1\n{url_safe}"),
            ": line 2 is not 32 bytes in base64",
        ),
        (
            format!("aurax-keys v1\n{one}{two}"),
            ": line 2 is not 32 bytes in base64",
        ),
        (
            format!("aurax-keys v1\n{one} {two}"),
            ": line 2 is not 32 bytes in base64",
        ),
        // 33 bytes have as many characters as 32.
        (
            format!("aurax-keys v1\n{}", "A".repeat(44)),
            ": line 2 is not 32 bytes in base64",
        ),
        (
            format!("aurax-keys v1\n{one}\n#\n{two}\n{one}"),
            ": line 5 holds the key of line 2 again",
        ),
        (
            format!("aurax-keys v1\n{seventeen}"),
            ": line 18 holds one key more than 16",
        ),
    ] {
        write(&file, &text);
        let error = file.read().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        let expected = format!("{}{says}", file.path().display());
        assert!(error.message().starts_with(&expected), "{error}");
        for hidden in [&one, &two, "hush"] {
            assert!(!format!("{error:?}").contains(hidden), "{error:?}");
        }
    }
}

#[test]
fn a_file_that_is_no_text_or_no_end_is_refused() {
    let folder = Folder::new();
    let file = file(&folder);
    assert_eq!(file.read().unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(file.add(NOW).unwrap_err().kind(), ErrorKind::Config);
    durable::write(&file.path, b"aurax-keys v1\n\xff", Existing::Replace).unwrap();
    let error = file.read().unwrap_err();
    assert!(error.message().contains("is not a text"), "{error}");
    write(
        &file,
        &format!("aurax-keys v1\n{}\n{}", key(1), "#".repeat(MAX)),
    );
    let error = file.read().unwrap_err();
    assert!(
        error.message().contains("is longer than 65536 bytes"),
        "{error}"
    );
    let error = KeyFile::new(folder.path()).read().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
}

#[cfg(unix)]
#[test]
fn a_file_that_others_may_read_is_refused_with_the_command_that_helps() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    let file = file(&folder);
    file.create(NOW).unwrap();
    let path = file.path().display();
    let set = |mode| fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
    for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o777] {
        set(mode);
        for error in [file.read().unwrap_err(), file.add(NOW).unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(
                error.message().contains(&format!("(mode {mode:04o})")),
                "{error}"
            );
            assert!(
                error.message().ends_with(&format!("`chmod 600 {path}`")),
                "{error}"
            );
        }
    }
    for mode in [0o600, 0o400, 0o700] {
        set(mode);
        file.read().unwrap();
    }
    file.add(NOW).unwrap();
    let facts = fs::metadata(file.path()).unwrap();
    assert_eq!(facts.permissions().mode() & 0o777, 0o600);
}

#[cfg(unix)]
#[test]
fn a_link_to_the_file_stays_a_link() {
    let folder = Folder::new();
    let real = file(&folder);
    real.create(NOW).unwrap();
    let link = KeyFile::new(folder.path().join("link"));
    std::os::unix::fs::symlink(real.path(), link.path()).unwrap();
    let ring = link.add(NOW).unwrap();
    assert!(fs::symlink_metadata(link.path()).unwrap().is_symlink());
    assert_eq!(real.read().unwrap().current(), ring.current());
}

#[test]
fn two_processes_never_change_the_file_at_once() {
    let folder = Folder::new();
    let file = file(&folder);
    let ring = file.create(NOW).unwrap();
    let held = file.lock(&fs::canonicalize(file.path()).unwrap()).unwrap();
    for error in [
        file.add(NOW).unwrap_err(),
        file.drop_unused(&[]).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert_eq!(error.retry(), Retry::Transient);
    }
    assert_eq!(file.read().unwrap().current(), ring.current());
    drop(held);
    file.add(NOW).unwrap();
}

/// Threads stand for processes: each opens the lock file anew.
#[test]
fn no_added_key_is_lost_to_another_process() {
    let folder = Folder::new();
    let file = file(&folder);
    file.create(NOW).unwrap();
    let added: Vec<KeyId> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut added = Vec::new();
                    while added.len() < 3 {
                        match file.add(NOW) {
                            Ok(ring) => added.push(ring.current()),
                            Err(error) => assert_eq!(error.retry(), Retry::Transient, "{error}"),
                        }
                    }
                    added
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    let ring = file.read().unwrap();
    assert_eq!(ring.ids().count(), 13);
    assert!(added.iter().all(|id| ring.contains(*id)));
}

/// A power cut leaves everything as it is: no step of a rotation loses a key, and the next rotation
/// goes through.
#[test]
fn a_rotation_cut_short_at_any_step_leaves_every_key_readable() {
    let steps = [
        Step::Cleared,
        Step::Made,
        Step::Written,
        Step::Synced,
        Step::Placed,
        Step::Settled,
    ];
    let folder = Folder::new();
    let file = file(&folder);
    let mut sealed = vec![seal(&file.create(NOW).unwrap())];
    for last in steps {
        let text = file.read_text(file.path()).unwrap();
        let edited = text::with_current(&text, &MasterKey::random().unwrap(), NOW).unwrap();
        let cut = durable::write_stepwise(
            file.path(),
            edited.as_bytes(),
            Existing::Replace,
            &mut |step| match step == last {
                true => Err(io::Error::other("power cut")),
                false => Ok(()),
            },
        );
        assert!(cut.is_err());
        let ring = file.read().unwrap();
        assert!(sealed.iter().all(|sealed| opens(&ring, sealed)), "{last:?}");
        sealed.push(seal(&ring));
        let ring = file.add(NOW).unwrap();
        assert!(sealed.iter().all(|sealed| opens(&ring, sealed)), "{last:?}");
        sealed.push(seal(&ring));
        assert_eq!(folder.names(), ["master.keys", "master.keys.lock"]);
    }
}
