//! How many tokens a picture is, where that follows from its size.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::encodings::ImageRule;
use crate::chat::{Image, Source};

/// How much base64 is read in search of a picture's size; a JPEG has it behind its metadata.
const HEAD: usize = 128 * 1024;
/// The longest side after the first scaling.
const LONGEST: u64 = 2048;
/// The shortest side after the second.
const SHORTEST: u64 = 768;
/// The side of a tile.
const TILE: u64 = 512;
/// Tiles of the largest picture: 2048 by 768 pixels.
const MOST_TILES: u64 = 8;
/// The side of a patch.
const PATCH: u64 = 32;
/// Patches of the largest picture; larger ones are scaled down to it.
const MOST_PATCHES: u64 = 1536;

/// The tokens of a picture; of the largest there can be where its size is not known.
pub(super) fn tokens(rule: ImageRule, image: &Image) -> u64 {
    match rule {
        ImageRule::Tiles { base, .. } if image.detail.as_deref() == Some("low") => base,
        ImageRule::Tiles { base, each } => {
            let tiles = size(&image.source)
                .map_or(MOST_TILES, tiles)
                .min(MOST_TILES);
            base.saturating_add(each.saturating_mul(tiles))
        }
        ImageRule::Patches { percent } => {
            let patches = size(&image.source).map_or(MOST_PATCHES, |(width, height)| {
                let patches = width.div_ceil(PATCH).saturating_mul(height.div_ceil(PATCH));
                patches.min(MOST_PATCHES)
            });
            patches.saturating_mul(percent).div_ceil(100)
        }
    }
}

/// The tokens of the largest picture.
pub(super) fn most_tokens(rule: ImageRule) -> u64 {
    match rule {
        ImageRule::Tiles { base, each } => base.saturating_add(each.saturating_mul(MOST_TILES)),
        ImageRule::Patches { percent } => MOST_PATCHES.saturating_mul(percent).div_ceil(100),
    }
}

fn tiles((width, height): (u64, u64)) -> u64 {
    let (mut width, mut height) = (width.max(1), height.max(1));
    let longest = width.max(height);
    if longest > LONGEST {
        width = (width * LONGEST / longest).max(1);
        height = (height * LONGEST / longest).max(1);
    }
    let shortest = width.min(height);
    if shortest > SHORTEST {
        width = width * SHORTEST / shortest;
        height = height * SHORTEST / shortest;
    }
    width.div_ceil(TILE) * height.div_ceil(TILE)
}

/// Width and height in pixels, of a picture whose bytes are here.
fn size(source: &Source) -> Option<(u64, u64)> {
    let Source::Inline { data, .. } = source else {
        return None;
    };
    let head = data.as_bytes();
    let head = head.get(..head.len().min(HEAD) / 4 * 4)?;
    let bytes = STANDARD.decode(head).ok()?;
    let (width, height) = png(&bytes)
        .or_else(|| gif(&bytes))
        .or_else(|| webp(&bytes))
        .or_else(|| jpeg(&bytes))?;
    Some((u64::from(width), u64::from(height)))
}

/// <https://www.w3.org/TR/png/#11IHDR>
fn png(bytes: &[u8]) -> Option<(u32, u32)> {
    let rest = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n")?;
    let header = rest.get(4..)?.strip_prefix(b"IHDR")?;
    let side = |at| {
        header
            .get(at..)?
            .first_chunk()
            .map(|side| u32::from_be_bytes(*side))
    };
    Some((side(0)?, side(4)?))
}

/// <https://www.w3.org/Graphics/GIF/spec-gif89a.txt>
fn gif(bytes: &[u8]) -> Option<(u32, u32)> {
    let screen = bytes
        .strip_prefix(b"GIF87a")
        .or_else(|| bytes.strip_prefix(b"GIF89a"))?;
    Some((u32::from(little(screen, 0)?), u32::from(little(screen, 2)?)))
}

/// <https://www.rfc-editor.org/rfc/rfc9649>
fn webp(bytes: &[u8]) -> Option<(u32, u32)> {
    let rest = bytes.strip_prefix(b"RIFF")?.get(4..)?;
    let chunk = rest.strip_prefix(b"WEBP")?;
    let body = chunk.get(8..)?;
    let kind: &[u8; 4] = chunk.first_chunk()?;
    match kind {
        b"VP8 " => {
            let frame = body.get(3..)?.strip_prefix(b"\x9d\x01\x2a")?;
            let side = |at| little(frame, at).map(|side| u32::from(side & 0x3fff));
            Some((side(0)?, side(2)?))
        }
        b"VP8L" => {
            let bits = u32::from_le_bytes(*body.strip_prefix(b"\x2f")?.first_chunk()?);
            Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
        }
        b"VP8X" => {
            let side = |at| {
                let [a, b, c] = *body.get(at..)?.first_chunk()?;
                Some(u32::from_le_bytes([a, b, c, 0]) + 1)
            };
            Some((side(4)?, side(7)?))
        }
        _ => None,
    }
}

/// The size is in the first frame header, which begins with a marker of `C0` to `CF` that is none
/// of three others: <https://www.w3.org/Graphics/JPEG/itu-t81.pdf>, B.2.2.
fn jpeg(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut rest = bytes.strip_prefix(b"\xff\xd8")?;
    loop {
        let &[mark, kind, high, low] = rest.first_chunk()?;
        if mark != 0xff {
            return None;
        }
        if kind == 0xff {
            rest = rest.get(1..)?;
            continue;
        }
        if matches!(kind, 0xc0..=0xcf) && !matches!(kind, 0xc4 | 0xc8 | 0xcc) {
            let &[a, b, c, d] = rest.get(5..)?.first_chunk()?;
            let side = |high, low| u32::from(u16::from_be_bytes([high, low]));
            return Some((side(c, d), side(a, b)));
        }
        let length = usize::from(u16::from_be_bytes([high, low])).max(2);
        rest = rest.get(2 + length..)?;
    }
}

fn little(bytes: &[u8], at: usize) -> Option<u16> {
    let two = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_le_bytes(*two))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TILES: ImageRule = ImageRule::Tiles {
        base: 85,
        each: 170,
    };
    const PATCHES: ImageRule = ImageRule::Patches { percent: 100 };

    fn png_of(width: u32, height: u32) -> Image {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes.extend([8, 6, 0, 0, 0]);
        Image::new(Source::bytes("image/png", &bytes))
    }

    #[test]
    fn the_documented_examples_hold() {
        // https://platform.openai.com/docs/guides/images-vision
        assert_eq!(tokens(TILES, &png_of(1024, 1024)), 765);
        assert_eq!(tokens(TILES, &png_of(2048, 4096)), 1105);
        assert_eq!(tokens(TILES, &png_of(4096, 8192).with_detail("low")), 85);
        assert_eq!(tokens(PATCHES, &png_of(1024, 1024)), 1024);
        assert_eq!(tokens(PATCHES, &png_of(4000, 4000)), 1536);
    }

    #[test]
    fn every_kind_of_header_is_read() {
        let jpeg = b"\xff\xd8\xff\xe0\0\x04ab\xff\xff\xc0\0\x11\x08\x01\x2c\x01\x90\x03";
        let gif = b"GIF89a\x90\x01\x2c\x01";
        let lossy = b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x90\x01\x2c\x01";
        let extended = b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0\x8f\x01\0\x2b\x01\0";
        let bits = (399_u32 | 299 << 14).to_le_bytes();
        let lossless = [b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f", &bits[..]].concat();
        for bytes in [&jpeg[..], gif, lossy, extended, &lossless] {
            let padded = [bytes, &[0; 3]].concat();
            assert_eq!(
                size(&Source::bytes("image/x", &padded)),
                Some((400, 300)),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_counts_as_the_largest() {
        let broken = Image::new(Source::bytes("image/png", b"\xff\xd8\xff\xe0\xff"));
        for image in [
            broken,
            Image::from_url("https://example.com/a.png"),
            Image::new(Source::Inline {
                media_type: String::new(),
                data: "not base64!".into(),
            }),
        ] {
            assert_eq!(tokens(TILES, &image), most_tokens(TILES));
            assert_eq!(tokens(PATCHES, &image), most_tokens(PATCHES));
        }
        assert!(tokens(TILES, &png_of(u32::MAX, u32::MAX)) <= most_tokens(TILES));
        assert!(tokens(TILES, &png_of(0, 0)) <= most_tokens(TILES));
    }

    #[test]
    fn a_patch_may_be_more_than_a_token() {
        // 1024 patches of 1.62 tokens each.
        let rule = ImageRule::Patches { percent: 162 };
        assert_eq!(tokens(rule, &png_of(1024, 1024)), 1659);
    }

    #[test]
    fn a_picture_without_an_area_is_one_tile() {
        assert_eq!(tokens(TILES, &png_of(0, 0)), 255);
    }

    #[test]
    fn the_older_gif_is_read_too() {
        let gif = b"GIF87a\x90\x01\x2c\x01\0\0";
        assert_eq!(size(&Source::bytes("image/gif", gif)), Some((400, 300)));
    }

    /// The upper two bits of a side say how to scale it for display.
    #[test]
    fn a_lossy_picture_has_the_size_of_its_pixels() {
        let lossy = b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x90\xc1\x2c\x41\0";
        assert_eq!(size(&Source::bytes("image/webp", lossy)), Some((400, 300)));
    }

    /// A table of codes has a marker that looks like that of a frame.
    #[test]
    fn a_jpeg_has_its_size_behind_tables_and_metadata() {
        let mut jpeg = b"\xff\xd8\xff\xe1\x27\x10".to_vec();
        jpeg.extend([0; 9998]);
        jpeg.extend(b"\xff\xc4\0\x0b\x08\0\x01\0\x01\0\0\0\0");
        jpeg.extend(b"\xff\xc0\0\x11\x08\x01\x2c\x01\x90\x03\0\0");
        assert_eq!(size(&Source::bytes("image/jpeg", &jpeg)), Some((400, 300)));
    }

    #[test]
    fn base64_without_its_padding_is_read_as_far_as_it_goes() {
        let gif = STANDARD.encode(b"GIF89a\x90\x01\x2c\x01\0\0\0");
        let data = gif.trim_end_matches('=').to_owned();
        assert_ne!(data.len() % 4, 0);
        let media_type = "image/gif".to_owned();
        assert_eq!(size(&Source::Inline { media_type, data }), Some((400, 300)));
    }
}
