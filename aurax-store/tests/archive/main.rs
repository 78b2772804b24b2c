//! An archive gives back what went into it, or an error; never a part of it as if it were all.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod damage;
mod interruption;

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use aurax_core::{Error, ErrorKind, Retry, Secret};
use aurax_store::KeyRing;
use aurax_store::backup::{ArchiveReader, ArchiveWriter, Manifest, Phase, Progress, StoreKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::FutureExt as _;
use proptest::prelude::*;
use proptest::sample::Index;
use time::OffsetDateTime;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const CHUNK: usize = 64 * 1024;
const SEALED: usize = CHUNK + 16;

fn keys(bytes: &[u8]) -> KeyRing {
    let keys: Vec<_> = bytes
        .iter()
        .map(|byte| STANDARD.encode([*byte; 32]))
        .collect();
    KeyRing::parse(&Secret::new(keys.join("\n")), "AURAX_MASTER_KEY").unwrap()
}

fn manifest() -> Manifest {
    Manifest::new(StoreKind::Sqlite, 7, OffsetDateTime::UNIX_EPOCH)
}

/// Bytes that differ from place to place.
fn content(length: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(length as u64);
    (0..length).map(|_| random.u8(..)).collect()
}

/// Runs what never waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().unwrap()
}

/// Runs what waits for nothing but itself.
fn waiting<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(future)
}

fn archive_of(content: &[u8], manifest: &Manifest) -> Vec<u8> {
    let mut writer = now(ArchiveWriter::begin(Vec::new(), &keys(&[1]), manifest)).unwrap();
    now(writer.write(content)).unwrap();
    now(writer.finish()).unwrap()
}

fn archive(content: &[u8]) -> Vec<u8> {
    archive_of(content, &manifest())
}

/// What comes before the content.
fn head() -> usize {
    archive(b"").len() - 16
}

/// What an archive gives out before it ends, and how it ends.
fn read(archive: &[u8]) -> (Vec<u8>, Result<(), Error>) {
    let mut content = Vec::new();
    let mut reader = match now(ArchiveReader::open(archive, &keys(&[1]))) {
        Ok(reader) => reader,
        Err(error) => return (content, Err(error)),
    };
    let copied = now(reader.copy_to(&mut content));
    match copied {
        Ok(copied) => {
            assert_eq!(copied, content.len() as u64);
            assert!(now(reader.read()).unwrap().is_none());
            (content, Ok(()))
        }
        Err(error) => {
            assert!(now(reader.read()).is_err(), "an error is not the end");
            (content, Err(error))
        }
    }
}

/// What a changed archive ends with, after a beginning of the content.
fn refused(archive: &[u8], content: &[u8]) -> Error {
    let (out, ended) = read(archive);
    assert!(content.starts_with(&out));
    let error = ended.unwrap_err();
    assert_eq!(error.retry(), Retry::Never, "{error}");
    error
}

/// Gives a few bytes at a time and has none every other time.
struct Drip<'a> {
    rest: &'a [u8],
    random: fastrand::Rng,
    wait: bool,
}

impl<'a> Drip<'a> {
    fn new(bytes: &'a [u8], seed: u64) -> Self {
        Self {
            rest: bytes,
            random: fastrand::Rng::with_seed(seed),
            wait: false,
        }
    }
}

impl AsyncRead for Drip<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.wait = !self.wait;
        if self.wait {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let most = self.random.usize(1..40_000);
        let (now, rest) = self
            .rest
            .split_at(most.min(self.rest.len()).min(buf.remaining()));
        buf.put_slice(now);
        self.rest = rest;
        Poll::Ready(Ok(()))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_went_in_comes_out(
        length in prop_oneof![0..100_usize, 0..5 * CHUNK, Just(CHUNK - 1), Just(CHUNK), Just(2 * CHUNK), Just(2 * CHUNK + 1)],
        cuts in prop::collection::vec(any::<Index>(), 0..5),
        seed: u64,
    ) {
        let content = content(length);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(length + 1)).collect();
        cuts.extend([0, length]);
        cuts.sort_unstable();
        let manifest = manifest().with_size(length as u64);
        let mut writer = now(ArchiveWriter::begin(Vec::new(), &keys(&[1]), &manifest)).unwrap();
        for cut in cuts.windows(2) {
            now(writer.write(&content[cut[0]..cut[1]])).unwrap();
        }
        let archive = now(writer.finish()).unwrap();
        let chunks = length.div_ceil(CHUNK).max(1);
        prop_assert!(archive.len() > length + chunks * 16);

        let from = Drip::new(&archive, seed);
        let out = waiting(async {
            let mut reader = ArchiveReader::open(from, &keys(&[1])).await.unwrap();
            assert_eq!(reader.manifest(), &manifest);
            let mut out = Vec::new();
            reader.copy_to(&mut out).await.unwrap();
            out
        });
        prop_assert!(out == content);
    }

    #[test]
    fn a_cut_anywhere_is_refused(length in 0..4 * CHUNK, at: Index) {
        let content = content(length);
        let archive = archive(&content);
        let at = at.index(archive.len());
        let error = refused(&archive[..at], &content);
        prop_assert_eq!(error.kind(), ErrorKind::Truncated);
    }

    #[test]
    fn a_changed_byte_is_refused(length in 0..4 * CHUNK, at: Index, by in 1..=255_u8) {
        let content = content(length);
        let mut archive = archive(&content);
        let at = at.index(archive.len());
        archive[at] ^= by;
        refused(&archive, &content);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(read(&bytes).1.is_err());
        let begun = [&archive(b"")[..head()], &bytes].concat();
        prop_assert!(read(&begun).1.is_err());
    }
}

#[test]
fn content_of_another_size_than_announced_is_never_finished() {
    let manifest = manifest().with_size(10);
    for length in [0, 9, 11] {
        let mut writer = now(ArchiveWriter::begin(Vec::new(), &keys(&[1]), &manifest)).unwrap();
        now(writer.write(&content(length))).unwrap();
        let error = now(writer.finish()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{length}");
    }
    assert_eq!(read(&archive_of(&content(10), &manifest)).0, content(10));
}

#[test]
fn progress_goes_up_to_the_total() {
    let total = 3 * CHUNK + 5;
    let content = content(total);
    let seen: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let listener = || {
        let seen = seen.clone();
        move |progress| seen.lock().unwrap().push(progress)
    };
    let manifest = manifest().with_size(total as u64);
    let writer = now(ArchiveWriter::begin(Vec::new(), &keys(&[1]), &manifest)).unwrap();
    let mut writer = writer.with_progress(listener());
    assert_eq!(
        now(writer.copy_from(&mut &content[..])).unwrap(),
        total as u64
    );
    let archive = now(writer.finish()).unwrap();
    let written = std::mem::take(&mut *seen.lock().unwrap());
    let sizes = |steps: &[Progress]| -> Vec<_> {
        let size = |step: &Progress| (step.bytes, step.total);
        steps.iter().map(size).collect()
    };
    let so_far = [65_536, 131_072, 196_608, 196_613];
    assert_eq!(sizes(&written), so_far.map(|bytes| (bytes, Some(196_613))));

    let reader = now(ArchiveReader::open(&archive[..], &keys(&[1]))).unwrap();
    let mut reader = reader.with_progress(listener());
    now(reader.copy_to(&mut Vec::new())).unwrap();
    let read = std::mem::take(&mut *seen.lock().unwrap());
    assert_eq!(sizes(&read), sizes(&written));
    assert!(written.iter().all(|step| step.phase == Phase::Writing));
    assert!(read.iter().all(|step| step.phase == Phase::Restoring));
}

#[test]
fn nothing_that_prints_shows_content() {
    let mut writer = now(ArchiveWriter::begin(Vec::new(), &keys(&[1]), &manifest())).unwrap();
    now(writer.write(b"hush")).unwrap();
    assert!(!format!("{writer:?}").contains("104"), "{writer:?}");
    let archive = now(writer.finish()).unwrap();
    assert!(!archive.windows(4).any(|four| four == b"hush"));
    assert!(!archive.windows(6).any(|six| six == b"sqlite"));
    let mut reader = now(ArchiveReader::open(&archive[..], &keys(&[1]))).unwrap();
    now(reader.read()).unwrap();
    let shown = format!("{reader:?}");
    assert!(!shown.contains("hush") && !shown.contains("104"), "{shown}");
}

/// An archive of the first format, made once by another implementation: it stays readable.
#[test]
fn the_first_format_stays_readable() {
    let archive = STANDARD.decode(include_str!("v1.txt").trim()).unwrap();
    let (content, ended) = read(&archive);
    ended.unwrap();
    assert_eq!(content, b"the content of an archive");
    let reader = now(ArchiveReader::open(&archive[..], &keys(&[1]))).unwrap();
    let mut expected = Manifest::new(StoreKind::Postgres, 12, OffsetDateTime::UNIX_EPOCH);
    expected.aurax_version = "0.1.0".to_owned();
    assert_eq!(*reader.manifest(), expected);
}

#[test]
fn what_a_later_version_wrote_is_said_to_be() {
    let archive = STANDARD.decode(include_str!("later.txt").trim()).unwrap();
    let error = refused(&archive, b"");
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
}
