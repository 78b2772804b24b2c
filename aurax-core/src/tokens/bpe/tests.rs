//! Counts beside the reference's, text by text.

use std::sync::LazyLock;

use tiktoken_rs::CoreBPE;

use super::*;

const ENCODINGS: [Encoding; 4] = [
    Encoding::O200kBase,
    Encoding::Cl100kBase,
    Encoding::P50kBase,
    Encoding::R50kBase,
];

fn reference(encoding: Encoding) -> &'static CoreBPE {
    match encoding {
        Encoding::P50kBase => tiktoken_rs::p50k_base_singleton(),
        Encoding::R50kBase => tiktoken_rs::r50k_base_singleton(),
        Encoding::Cl100kBase => tiktoken_rs::cl100k_base_singleton(),
        Encoding::O200kBase => tiktoken_rs::o200k_base_singleton(),
        Encoding::O200kHarmony => tiktoken_rs::o200k_harmony_singleton(),
    }
}

#[track_caller]
fn assert_same(encoding: Encoding, text: &str) {
    let ours = tokenizer(encoding).unwrap().count(text);
    let theirs = reference(encoding).count_ordinary(text) as u64;
    if ours != theirs {
        let head: String = text.chars().take(200).collect();
        panic!("{encoding:?}: {ours} here, {theirs} there, for {head:?}");
    }
}

/// Texts that are put together of what makes splitters and merges differ.
struct Texts(fastrand::Rng);

static SCRIPTS: LazyLock<Vec<Vec<char>>> = LazyLock::new(|| {
    let ranges: [(u32, u32); 22] = [
        (0x20, 0x7e),
        (0x61, 0x7a),
        (0x41, 0x5a),
        (0x30, 0x39),
        (0x00, 0x1f),
        (0x80, 0xff),
        (0x100, 0x24f),
        (0x250, 0x36f),
        (0x370, 0x3ff),
        (0x400, 0x52f),
        (0x590, 0x6ff),
        (0x900, 0xdff),
        (0xe00, 0x10ff),
        (0x1e00, 0x206f),
        (0x2070, 0x2bff),
        (0x3000, 0x30ff),
        (0x4e00, 0x9fff),
        (0xac00, 0xd7a3),
        (0xfe00, 0xffff),
        (0x1f1e6, 0x1faff),
        (0x10000, 0x1ffff),
        (0xe0000, 0x10ffff),
    ];
    let chars = |(first, last)| (first..=last).filter_map(char::from_u32).collect();
    ranges.into_iter().map(chars).collect()
});

const PIECES: [&str; 64] = [
    " ",
    "  ",
    "\n",
    "\r\n",
    "\t",
    "\u{a0}",
    "\u{3000}",
    "\u{2028}",
    "\u{200b}",
    "\u{feff}",
    "'s",
    "'S",
    "'\u{17f}",
    "'ll",
    "'LL",
    "'lL",
    "'ve",
    "'Re",
    "'d",
    "'m",
    "'T",
    "''",
    "\u{2019}s",
    "/",
    "//",
    "\n/",
    "</",
    "/>",
    "--",
    "->",
    "::",
    "{",
    "}",
    "();",
    "0",
    "00",
    "12",
    "345",
    "6789",
    "the",
    " the",
    "The",
    "HTTP",
    "camelCase",
    "SNAKE_case",
    "fn main()",
    "日本",
    "語",
    "한국어",
    "Straße",
    "ÉCOLE",
    "ǅ",
    "ʰ",
    "e\u{301}",
    "\u{301}",
    "\u{200d}",
    "👩\u{200d}👩\u{200d}👧",
    "🏳\u{fe0f}",
    "<|endoftext|>",
    "<|im_start|>",
    "import ",
    "return;",
    "\\u0041",
    "a",
];

impl Texts {
    fn next(&mut self) -> String {
        let rng = &mut self.0;
        let mut text = String::new();
        for _ in 0..rng.usize(0..12) {
            match rng.u8(0..10) {
                0..=3 => text.push_str(PIECES[rng.usize(0..PIECES.len())]),
                4 | 5 => {
                    let script = &SCRIPTS[rng.usize(0..SCRIPTS.len())];
                    for _ in 0..rng.usize(1..12) {
                        text.push(script[rng.usize(0..script.len())]);
                    }
                }
                6 => {
                    let piece = PIECES[rng.usize(0..PIECES.len())];
                    text.push_str(&piece.repeat(rng.usize(1..40)));
                }
                7 => {
                    // Letters of which some are common tokens: merges that compete.
                    let letters = [&b"abc"[..], b"etaoinshr", b"xyzqj", b"AbCd"][rng.usize(0..4)];
                    for _ in 0..rng.usize(1..60) {
                        text.push(char::from(letters[rng.usize(0..letters.len())]));
                    }
                }
                8 => text.push(rng.char(..)),
                _ => text.push_str([" ", "\n", "\t", "  \n", "\r"][rng.usize(0..5)]),
            }
        }
        text
    }
}

/// How many texts the differential test reads: `AURAX_TOKEN_FUZZ`, else few.
#[expect(
    clippy::disallowed_methods,
    reason = "a test is told its size from outside"
)]
fn fuzz_count() -> usize {
    std::env::var("AURAX_TOKEN_FUZZ").map_or(3_000, |count| count.parse().unwrap())
}

#[test]
fn fuzzed_texts_count_as_the_reference_counts_them() {
    let mut texts = Texts(fastrand::Rng::with_seed(0x00a0_7a58));
    for i in 0..fuzz_count() {
        let text = texts.next();
        assert_same(Encoding::O200kBase, &text);
        if i % 4 == 0 {
            ENCODINGS[1..]
                .iter()
                .for_each(|encoding| assert_same(*encoding, &text));
        }
    }
}

#[test]
fn long_pieces_count_as_the_reference_counts_them() {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut of = |letters: &[u8], length: usize| -> String {
        (0..length)
            .map(|_| char::from(letters[rng.usize(0..letters.len())]))
            .collect()
    };
    for text in [
        "a".repeat(10_000),
        " ".repeat(10_001),
        "x".to_owned() + &" ".repeat(5_000) + "x",
        "\t".repeat(5_003),
        "\n".repeat(5_000),
        " \n".repeat(4_000),
        "ab".repeat(5_000),
        "aab".repeat(5_000),
        "=".repeat(7_001),
        "-=".repeat(3_001),
        "0".repeat(4_000),
        "é".repeat(5_000),
        "字".repeat(5_000),
        "👩\u{200d}".repeat(2_000),
        "\u{301}".repeat(5_000),
        of(b"ab", 20_000),
        of(b"abcdefghijklmnopqrstuvwxyz", 20_000),
        of(b"etaoin", 20_000),
        of(b"!?.,-_=+*", 20_000),
        of(b" \t", 20_000),
        of(b" \r\n", 20_000),
        "supercalifragilisticexpialidocious".repeat(600),
        "donaudampfschifffahrtselektrizitäten".repeat(300),
    ] {
        ENCODINGS
            .iter()
            .for_each(|encoding| assert_same(*encoding, &text));
    }
}

#[test]
fn a_run_that_stops_the_reference_is_counted() {
    for text in [" ".repeat(1_100_000), "\t".repeat(1_100_000)] {
        for encoding in [Encoding::O200kBase, Encoding::Cl100kBase] {
            let tokens = tokenizer(encoding).unwrap().count(&text);
            assert!((1..=1_100_000).contains(&tokens), "{tokens}");
        }
    }
}

/// `cargo test --release -p aurax-core --features tiktoken -- --ignored --nocapture figures`
#[test]
#[ignore = "measures; run it alone, in release mode"]
#[expect(clippy::disallowed_methods, reason = "it measures the machine's time")]
fn figures() {
    use std::time::Instant;
    let mut rng = fastrand::Rng::with_seed(3);
    let english =
        "The quick brown fox jumps over the lazy dog, and it doesn't look back. Meanwhile, \
        several thousand onlookers (most of them foxes themselves) were counting: 1, 2, 3, 12345. "
            .repeat(4_000);
    let code = "fn main() -> Result<(), Error> {\n    let mut total_count = 0;\n    for item in \
        items.iter().filter(|item| item.is_ready()) {\n        total_count += item.size; // bytes\n    }\n}\n"
        .repeat(4_000);
    let chinese = "机器学习是人工智能的一个分支，它使计算机能够从数据中学习，而无需明确编程。近年来，深度学习取得了巨大的进展。"
        .repeat(4_000);
    let random: String = (0..1_000_000)
        .map(|_| char::from(rng.u8(b'a'..=b'z')))
        .collect();
    let texts = [
        ("en", english),
        ("code", code),
        ("zh", chinese),
        ("1 MB of a", "a".repeat(1_000_000)),
        ("1 MB of random letters", random),
        ("1 MB of spaces", " ".repeat(1_000_000)),
        ("1 MB of newlines", "\n".repeat(1_000_000)),
        ("1 MB of =-", "=-".repeat(500_000)),
    ];
    for encoding in [Encoding::O200kBase, Encoding::Cl100kBase] {
        let start = Instant::now();
        let ours = tokenizer(encoding).unwrap();
        println!("{encoding:?}: loaded in {:?}", start.elapsed());
        let theirs = reference(encoding);
        for (name, text) in &texts {
            let time = |count: &dyn Fn() -> u64| {
                let best = (0..3).map(|_| {
                    let start = Instant::now();
                    std::hint::black_box(count());
                    start.elapsed()
                });
                best.min().unwrap()
            };
            let here = time(&|| ours.count(text));
            let there =
                (!name.contains("spaces")).then(|| time(&|| theirs.count_ordinary(text) as u64));
            #[expect(clippy::cast_precision_loss, reason = "a figure to be read")]
            let speed = |time: std::time::Duration| text.len() as f64 / 1e6 / time.as_secs_f64();
            println!(
                "  {name:24} {here:>12?} {:8.1} MB/s; reference {there:>12?} {:8.1} MB/s",
                speed(here),
                there.map_or(0.0, speed),
            );
        }
    }
}
