//! What cannot be written or read to its end is never taken for whole.

use super::*;

/// Takes a few bytes, then fails for a while, then takes all again.
#[derive(Default)]
struct Flaky {
    taken: Vec<u8>,
    fails: usize,
    until: usize,
}

impl AsyncWrite for Flaky {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.taken.len() >= self.until && self.fails > 0 {
            self.fails -= 1;
            return Poll::Ready(Err(io::ErrorKind::StorageFull.into()));
        }
        let some = buf.len().min(1_000);
        self.taken.extend_from_slice(&buf[..some]);
        Poll::Ready(Ok(some))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn an_archive_that_lost_a_part_is_never_finished() {
    let content = content(3 * CHUNK);
    let mut to = Flaky {
        fails: 1,
        until: 70_000,
        ..Flaky::default()
    };
    let mut writer = now(ArchiveWriter::begin(&mut to, &keys(&[1]), &manifest())).unwrap();
    let error = now(writer.write(&content)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(now(writer.write(&content)).is_err());
    assert!(now(writer.finish()).is_err());
    refused(&to.taken, &content);
}

/// Gives some bytes, then an error, or nothing ever again.
struct Stops<'a>(&'a [u8], Option<io::ErrorKind>);

impl AsyncRead for Stops<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.0.is_empty() {
            return match self.1 {
                Some(kind) => Poll::Ready(Err(kind.into())),
                None => Poll::Pending,
            };
        }
        let (now, rest) = self.0.split_at(self.0.len().min(buf.remaining()));
        buf.put_slice(now);
        self.0 = rest;
        Poll::Ready(Ok(()))
    }
}

#[test]
fn a_copy_cut_short_is_never_finished() {
    let content = content(CHUNK + 100);
    for stop in [Some(io::ErrorKind::TimedOut), None] {
        let mut to = Vec::new();
        let mut writer = now(ArchiveWriter::begin(&mut to, &keys(&[1]), &manifest())).unwrap();
        let copied = writer.copy_from(&mut Stops(&content, stop)).now_or_never();
        assert_eq!(copied.is_none(), stop.is_none());
        assert!(copied.is_none_or(|copied| copied.is_err()));
        assert!(now(writer.write(b"more")).is_err());
        assert!(now(writer.finish()).is_err());
        refused(&to, &content);
    }
}

#[test]
fn an_archive_that_cannot_be_read_on_is_not_at_its_end() {
    let content = content(2 * CHUNK);
    let archive = archive(&content);
    for at in [10, head() + 5, head() + SEALED, archive.len()] {
        let from = Stops(&archive[..at], Some(io::ErrorKind::TimedOut));
        let failed = now(async {
            let mut reader = ArchiveReader::open(from, &keys(&[1])).await?;
            let failed = reader.copy_to(&mut Vec::new()).await;
            assert!(reader.read().await.is_err());
            failed
        });
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::Internal, "{at}");
    }
}

#[test]
fn a_read_that_is_given_up_loses_nothing() {
    let content = content(3 * CHUNK + 9);
    let archive = archive(&content);
    let (head, body) = archive.split_at(head());
    let mut reader = waiting(ArchiveReader::open(
        tokio::io::AsyncReadExt::chain(head, Drip::new(body, 1)),
        &keys(&[1]),
    ))
    .unwrap();
    let (mut out, mut given_up) = (Vec::new(), 0);
    loop {
        match reader.read().now_or_never() {
            None => given_up += 1,
            Some(Ok(Some(chunk))) => out.extend_from_slice(chunk),
            Some(Ok(None)) => break,
            Some(Err(error)) => panic!("{error}"),
        }
    }
    assert!(given_up > 5, "{given_up}");
    assert!(out == content);
}
