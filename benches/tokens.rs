//! Counting tokens: beside tiktoken-rs on ordinary text, and how long hostile text takes.

#![allow(
    clippy::unwrap_used,
    clippy::float_arithmetic,
    reason = "a bench may panic, and counts no money"
)]

mod measure;

use std::hint::black_box;

use aurax::{CountSource, TokenCounter};
use tiktoken_rs::CoreBPE;

const MODEL: &str = "gpt-4o-mini";
/// Bytes of each ordinary text; in the megabyte range, so that a round outlasts the clock's grain.
const SIZE: usize = 1 << 20;

const ENGLISH: &str = "The river had risen overnight, and by the time the ferry came in at \
    half past seven, there was water on the lower steps of the quay. \"We'll not cross before \
    noon,\" the pilot said; nobody argued with him. Fourteen passengers (two of them children) \
    sat down on their trunks to wait, as people do who have nowhere else to be.\n\n";

const CODE: &str = r#"impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.rest.find(|c: char| !c.is_whitespace())?;
        let (_, rest) = self.rest.split_at(start);
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        if self.count >= 0x1F_FF && end == 0 {
            return None; // too many: see LIMIT
        }
        self.rest = &rest[end..];
        Some(&rest[..end])
    }
}

"#;

const CHINESE: &str = "河水在夜里涨了起来，早上七点半渡船靠岸的时候，码头最下面的几级台阶已经没在水里。\
    “中午以前是过不去了。”舵手说，没有人和他争论。十四名乘客（其中有两个孩子）坐在自己的箱子上等着，\
    就像那些无处可去的人一样。\n";

const MIXED: &str = "Größe: 3,5 × 12 cm — naïve café, 5 °C? Да, конечно! 東京は雨です。\
    {\"id\": 90210, \"tags\": [\"α\", \"β\"], \"ok\": true} 🙂👍🏽 https://example.test/a?b=c#d\n\
    مرحبا بالعالم\t| 안녕하세요 | x_1 += f(y)**2;\r\n";

fn repeated(text: &str) -> String {
    text.repeat(SIZE.div_ceil(text.len()))
}

/// Letters in no order, without a space: nothing to cut, and hardly a word of the vocabulary.
fn random_letters() -> String {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let letter = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'a' + u8::try_from(state % 26).unwrap())
    };
    (0..1_000_000).map(letter).collect()
}

fn count(text: &str) -> u64 {
    // Counts of bare texts are not remembered.
    let count = TokenCounter::new().count_text(Some("openai"), MODEL, black_box(text));
    assert_eq!(count.source, CountSource::Exact);
    count.tokens
}

fn ordinary(theirs: &CoreBPE) {
    for (what, text) in [
        ("English", ENGLISH),
        ("code", CODE),
        ("Chinese", CHINESE),
        ("mixed", MIXED),
    ] {
        let text = repeated(text);
        let reference = || theirs.count_ordinary(black_box(&text)) as u64;
        assert_eq!(count(&text), reference(), "{what}");
        let megabytes = text.len() as f64 / 1e6;
        let medians = measure::interleaved(&mut [("ours", 1, &mut || {
            black_box(count(&text));
        })]);
        let speed = megabytes / (medians.first().unwrap() / 1e9);
        let ratio = measure::ratio(
            &mut || {
                black_box(count(&text));
            },
            &mut || {
                black_box(reference());
            },
        );
        measure::report(&format!("{what}: counted"), speed, "MB/s", "");
        measure::report(
            &format!("{what}: time beside tiktoken-rs"),
            ratio,
            "×",
            "≤ 1",
        );
    }
}

fn hostile() {
    for (what, text) in [
        ("one letter", "a".repeat(1_000_000)),
        ("random letters", random_letters()),
        ("spaces", " ".repeat(1_000_000)),
    ] {
        let medians = measure::interleaved(&mut [("hostile", 1, &mut || {
            black_box(count(&text));
        })]);
        let millis = medians.first().unwrap() / 1e6;
        measure::report(&format!("1 MB of {what}"), millis, "ms", "≤ 200 ms");
    }
}

fn main() {
    println!("tokens, {}", measure::unit());
    let theirs = tiktoken_rs::o200k_base_singleton();
    count("load the vocabulary");
    ordinary(theirs);
    hostile();
}
