//! An archive of any size goes through a few chunks of memory. Alone in its file, because it looks
//! at the memory of its process.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![cfg(target_os = "linux")]

use aurax_store::KeyRing;
use aurax_store::backup::{ArchiveReader, ArchiveWriter, Manifest, StoreKind};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt as _, duplex, repeat, sink};

const SIZE: u64 = 256 * 1024 * 1024;

/// The most memory the process has had so far, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn through_an_archive(size: u64) {
    let keys = KeyRing::generate().unwrap();
    let (to, from) = duplex(64 * 1024);
    let manifest = Manifest::new(StoreKind::Sqlite, 1, OffsetDateTime::UNIX_EPOCH);
    let write = async {
        let mut writer = ArchiveWriter::begin(to, &keys, &manifest).await.unwrap();
        let copied = writer.copy_from(&mut repeat(7).take(size)).await.unwrap();
        assert_eq!(copied, size);
        drop(writer.finish().await.unwrap());
    };
    let read = async {
        let mut reader = ArchiveReader::open(from, &keys).await.unwrap();
        assert_eq!(reader.copy_to(&mut sink()).await.unwrap(), size);
    };
    tokio::join!(write, read);
}

#[tokio::test]
async fn an_archive_of_any_size_takes_little_memory() {
    through_an_archive(1024 * 1024).await;
    let before = peak();
    through_an_archive(SIZE).await;
    let grown = peak() - before;
    assert!(grown < 2 * 1024, "{grown} KiB for {SIZE} bytes");
}
