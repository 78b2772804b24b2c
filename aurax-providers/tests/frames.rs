//! Bytes to frames: the tables of the standard, and the law that chunks do not matter.

use aurax_core::{Error, ErrorKind, Result};
use aurax_providers::frame::{FrameParser, Framing, MAX_FRAME_BYTES};
use proptest::prelude::*;

type Seen = Vec<(String, String)>;

/// The frames of some chunks, as name and data, and what went wrong after them.
fn frames<'a>(
    framing: Framing,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Seen, Option<ErrorKind>) {
    let mut seen = Vec::new();
    let error = parse(framing, chunks, &mut seen).err();
    (seen, error.as_ref().map(Error::kind))
}

fn parse<'a>(
    framing: Framing,
    chunks: impl IntoIterator<Item = &'a [u8]>,
    seen: &mut Seen,
) -> Result<()> {
    let mut parser = FrameParser::new(framing);
    let mut sink = |frame: aurax_providers::frame::Frame<'_>| {
        seen.push((
            frame.event.unwrap_or_default().to_owned(),
            frame.data.to_owned(),
        ));
        Ok(())
    };
    for chunk in chunks {
        parser.push(chunk, &mut sink)?;
    }
    parser.finish(&mut sink)
}

fn sse(text: &str) -> Seen {
    let (seen, error) = frames(Framing::Sse, [text.as_bytes()]);
    assert_eq!(error, None);
    seen
}

fn named(pairs: &[(&str, &str)]) -> Seen {
    pairs
        .iter()
        .map(|(event, data)| ((*event).into(), (*data).into()))
        .collect()
}

#[test]
fn events_are_cut_as_the_standard_says() {
    let table: &[(&str, &[(&str, &str)])] = &[
        ("data: a\n\n", &[("", "a")]),
        ("data:a\n\ndata:  b\n\n", &[("", "a"), ("", " b")]),
        ("data: a\r\n\r\ndata: b\r\n\r\n", &[("", "a"), ("", "b")]),
        ("data: a\r\rdata: b\r\r", &[("", "a"), ("", "b")]),
        ("data: a\ndata: b\ndata\ndata: c\n\n", &[("", "a\nb\n\nc")]),
        ("event: x\ndata: a\n\ndata: b\n\n", &[("x", "a"), ("", "b")]),
        ("data: a\nevent: late\n\n", &[("late", "a")]),
        (
            ": comment\nid: 7\nretry: 10\nother: z\ndata: a\n\n",
            &[("", "a")],
        ),
        ("\u{feff}data: a\n\n\u{feff}data: b\n\n", &[("", "a")]),
        ("data: a:b: c\n\n", &[("", "a:b: c")]),
        ("\n\n\r\n\rdata: a\n\n\n\n", &[("", "a")]),
        ("data: {\"last\":1}", &[("", "{\"last\":1}")]),
        ("event: x\ndata: a\r", &[("x", "a")]),
        ("Data: a\n data: b\n\n", &[]),
    ];
    for (text, expected) in table {
        assert_eq!(sse(text), named(expected), "{text:?}");
    }
}

#[test]
fn events_without_data_are_no_frames() {
    assert_eq!(
        sse("event: ping\n\n: keepalive\n\ndata:\n\ndata: \n\ndata: a\n\n"),
        named(&[("", "a")])
    );
}

#[test]
fn lines_of_json_skip_blank_lines_and_may_lack_the_last_end() {
    let (seen, error) = frames(
        Framing::NdJson,
        [b"{\"a\":1}\r\n\n  \n{\"b\":2}\n{\"c\":3}".as_slice()],
    );
    assert_eq!(error, None);
    assert_eq!(
        seen,
        named(&[("", "{\"a\":1}"), ("", "{\"b\":2}"), ("", "{\"c\":3}")])
    );
}

#[test]
fn every_single_split_gives_the_same_frames() {
    let text = "\u{feff}event: ü\r\ndata: zwei\r\ndata: Zeilen €\r\n\r\n: c\r\rdata: \u{1f600}\n\ndata: end";
    let bytes = text.as_bytes();
    let whole = sse(text);
    assert_eq!(
        whole,
        named(&[("ü", "zwei\nZeilen €"), ("", "\u{1f600}"), ("", "end")])
    );
    for at in 0..=bytes.len() {
        let (seen, error) = frames(Framing::Sse, [&bytes[..at], &bytes[at..]]);
        assert_eq!((seen, error), (whole.clone(), None), "split at {at}");
    }
    let (seen, error) = frames(Framing::Sse, bytes.chunks(1));
    assert_eq!((seen, error), (whole, None));
}

#[test]
fn text_that_is_not_utf8_is_an_error_after_the_frames_before_it() {
    for framing in [Framing::Sse, Framing::NdJson] {
        let (seen, error) = frames(
            framing,
            [b"data: ok\n\ndata: \xff\n\ndata: lost\n\n".as_slice()],
        );
        assert_eq!((seen.len(), error), (1, Some(ErrorKind::Decode)));
    }
}

#[test]
fn a_line_has_a_bound() {
    for framing in [Framing::Sse, Framing::NdJson] {
        let mut parser = FrameParser::new(framing);
        let piece = vec![b'x'; 1 << 20];
        let error =
            (0..=MAX_FRAME_BYTES >> 20).find_map(|_| parser.push(&piece, &mut |_| Ok(())).err());
        let error = error.unwrap();
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert!(error.message().contains("16 MiB"), "{error}");
    }
}

#[test]
fn an_event_of_many_lines_has_a_bound() {
    let mut parser = FrameParser::new(Framing::Sse);
    let line = [b"data: ", vec![b'x'; 1 << 20].as_slice(), b"\n"].concat();
    let error = (0..=MAX_FRAME_BYTES >> 20).find_map(|_| parser.push(&line, &mut |_| Ok(())).err());
    assert_eq!(error.unwrap().kind(), ErrorKind::Decode);
}

#[test]
fn a_frame_as_large_as_the_bound_passes() {
    let data = "x".repeat(MAX_FRAME_BYTES - "data: ".len());
    assert_eq!(sse(&format!("data: {data}\n\n")), named(&[("", &data)]));
}

#[test]
fn open_bytes_are_those_behind_the_last_whole_frame() {
    let table: &[(&str, usize)] = &[
        ("data: a\n\n", 0),
        ("data: a\r\n\r\n", 0),
        ("data: b", 7),
        ("\n", 8),
        ("\n: c", 3),
        ("omment\n\ndata", 4),
    ];
    let mut parser = FrameParser::new(Framing::Sse);
    for (chunk, open) in table {
        parser.push(chunk.as_bytes(), &mut |_| Ok(())).unwrap();
        assert_eq!(parser.open_bytes(), *open, "after {chunk:?}");
    }
}

#[test]
fn an_error_of_the_sink_ends_the_chunk_and_leaves_its_frame_open() {
    let mut seen = 0;
    let mut parser = FrameParser::new(Framing::Sse);
    let error = parser.push(b"data: a\n\ndata: b\n\ndata: c\n\n", &mut |frame| {
        seen += 1;
        match frame.data {
            "b" => Err(Error::new(ErrorKind::Server, "enough")),
            _ => Ok(()),
        }
    });
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Server);
    assert_eq!(seen, 2);
    assert_eq!(parser.open_bytes(), "data: b\n\ndata: c\n\n".len());
}

fn any_framing() -> impl Strategy<Value = Framing> {
    prop_oneof![Just(Framing::Sse), Just(Framing::NdJson)]
}

/// Bytes that hit the parser's corners more often than chance would.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"data: ".to_vec()),
        Just(b"event:".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\r\n\r\n".to_vec()),
        Just("\u{feff}€".as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn chunks_do_not_matter(
        framing in any_framing(),
        bytes in any_bytes(),
        sizes in prop::collection::vec(1usize..9, 1..8),
    ) {
        let mut rest = bytes.as_slice();
        let mut chunks = Vec::new();
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, after) = rest.split_at((*size).min(rest.len()));
            chunks.push(chunk);
            rest = after;
        }
        prop_assert_eq!(frames(framing, chunks), frames(framing, [bytes.as_slice()]));
    }
}
