//! An archive that was changed, cut or put together from others is refused.

use aurax_core::{ErrorKind, Secret};
use aurax_store::backup::key_of;

use super::*;

#[test]
fn a_cut_at_every_boundary_is_truncation() {
    let head = head();
    for length in [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
        let content = content(length);
        let archive = archive(&content);
        let boundaries = (head..archive.len()).step_by(SEALED);
        for at in boundaries
            .flat_map(|at| [at.saturating_sub(1), at, at + 1])
            .chain(0..head)
        {
            if at < archive.len() {
                let error = refused(&archive[..at], &content);
                assert_eq!(error.kind(), ErrorKind::Truncated, "{length} {at}: {error}");
            }
        }
    }
}

#[test]
fn a_change_of_any_bit_before_the_content_is_refused() {
    let content = content(100);
    let archive = archive(&content);
    for bit in 0..archive.len() * 8 {
        let mut changed = archive.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let (out, ended) = read(&changed);
        assert!(out.is_empty(), "bit {bit}");
        let error = ended.unwrap_err();
        match bit / 8 {
            0..8 => assert!(error.message().contains("no archive"), "{error}"),
            8 => assert_eq!(error.kind(), ErrorKind::Unsupported),
            9..17 => assert_eq!(error.kind(), ErrorKind::Config),
            _ => assert!(
                [ErrorKind::Decode, ErrorKind::Truncated].contains(&error.kind()),
                "bit {bit}: {error}"
            ),
        }
    }
}

#[test]
fn damage_is_told_from_truncation_where_the_size_is_known() {
    let content = content(CHUNK + 100);
    let mut archive = archive_of(&content, &manifest().with_size(content.len() as u64));
    let last = archive.len() - 1;
    let error = refused(&archive[..last], &content);
    assert_eq!(error.kind(), ErrorKind::Truncated);
    archive[last] ^= 1;
    let error = refused(&archive, &content);
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert_eq!(error.context("content_bytes"), Some("65536"));
}

#[test]
fn chunks_in_another_order_or_number_are_refused() {
    let content = content(4 * CHUNK - 7);
    let archive = archive(&content);
    let (head, body) = archive.split_at(head());
    let chunks: Vec<&[u8]> = body.chunks(SEALED).collect();
    assert_eq!(chunks.len(), 4);
    let foreign = self::archive(&content);
    let foreign: Vec<&[u8]> = foreign[head.len()..].chunks(SEALED).collect();
    for order in [
        vec![chunks[1], chunks[0], chunks[2], chunks[3]],
        vec![chunks[0], chunks[2], chunks[1], chunks[3]],
        vec![chunks[0], chunks[0], chunks[1], chunks[2], chunks[3]],
        vec![chunks[0], chunks[1], chunks[2], chunks[2], chunks[3]],
        vec![chunks[0], chunks[1], chunks[2], chunks[3], chunks[3]],
        vec![chunks[1], chunks[2], chunks[3]],
        vec![chunks[0], chunks[1], chunks[3]],
        vec![chunks[3]],
        vec![chunks[3], chunks[0], chunks[1], chunks[2]],
        vec![chunks[0], foreign[1], chunks[2], chunks[3]],
        vec![chunks[0], chunks[1], chunks[2], foreign[3]],
        vec![foreign[0], foreign[1], foreign[2], foreign[3]],
    ] {
        let changed = [head, &order.concat()].concat();
        refused(&changed, &content);
    }
    let whole = [head, &chunks.concat()].concat();
    assert!(read(&whole).1.is_ok());
}

#[test]
fn what_follows_the_end_is_refused() {
    for length in [0, 100, CHUNK, 2 * CHUNK] {
        let content = content(length);
        let archive = archive(&content);
        let other = self::archive(&content);
        for more in [&[0][..], &[0; SEALED], &other] {
            refused(&[&archive, more].concat(), &content);
        }
    }
    // After a whole last chunk it is certain.
    let content = content(CHUNK);
    let longer = [archive(&content), vec![0]].concat();
    let error = refused(&longer, &content);
    assert!(error.message().contains("after its end"), "{error}");
}

#[test]
fn another_key_is_named() {
    let archive = archive(b"content");
    let error = now(ArchiveReader::open(&archive[..], &keys(&[2]))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let needed = keys(&[1]).current();
    assert!(error.message().contains(&needed.to_string()), "{error}");
    assert_eq!(now(key_of(&mut &archive[..])).unwrap(), needed);
    // An earlier key opens what it sealed.
    now(ArchiveReader::open(&archive[..], &keys(&[2, 1]))).unwrap();
}

#[test]
fn a_secret_of_the_vault_is_no_archive_key() {
    // Both are sealed by one master key: what one of them is for, the other does not open.
    let vault = aurax_store::Vault::new(keys(&[1]));
    let binding = aurax_store::Binding::new(
        aurax_core::Principal::new("ada"),
        uuid::Uuid::nil(),
        "openai",
    );
    let sealed = vault.seal(&Secret::new("sk-hush"), &binding).unwrap();
    let mut archive = archive(b"content");
    archive[28..88].copy_from_slice(&sealed.as_bytes()[9..69]);
    assert_eq!(refused(&archive, b"").kind(), ErrorKind::Decode);
}
