//! Cutting bytes into frames.

use aurax_providers::frame::{Frame, FrameParser, Framing};

/// Frames do not depend on how the bytes were cut.
pub fn frames(data: &[u8]) {
    let Some((cut, data)) = data.split_first() else {
        return;
    };
    for framing in [Framing::Sse, Framing::NdJson] {
        let together = cut_up(framing, data, data.len());
        for size in [1, usize::from(*cut).max(1)] {
            assert_eq!(together, cut_up(framing, data, size), "{framing:?} {size}");
        }
    }
}

type Frames = Vec<(Option<String>, String)>;

fn cut_up(framing: Framing, data: &[u8], size: usize) -> (Frames, bool) {
    let mut frames = Frames::new();
    let mut sink = |frame: Frame<'_>| {
        frames.push((frame.event.map(str::to_owned), frame.data.to_owned()));
        Ok(())
    };
    let mut parser = FrameParser::new(framing);
    let read = data
        .chunks(size.max(1))
        .try_for_each(|chunk| parser.push(chunk, &mut sink))
        .and_then(|()| parser.finish(&mut sink));
    (frames, read.is_ok())
}
