//! How fast bytes become frames, and frames become events.

#![allow(
    clippy::unwrap_used,
    clippy::float_arithmetic,
    reason = "a bench may panic, and counts no money"
)]

mod measure;

use aurax::providers::ModelRules;
use aurax::providers::frame::{FrameParser, Framing};
use aurax::providers::openai::OpenAi;
use aurax::providers::wire::{Target, Wire as _};
use aurax::{Call, ModelId, Request};

const CHUNK: usize = 16 * 1024;

/// A stream as the provider sends it, of at least `bytes` bytes.
fn stream(bytes: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut number = 0;
    let head = r#"data: {"id":"chatcmpl-AbCdEfGhIjKlMnOpQrStUvWxYz","object":"chat.completion.chunk","created":1755855555,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_1234567890","choices":[{"index":0,"delta":"#;
    while out.len() < bytes {
        number += 1;
        let delta = format!(r#"{{"content":" word{number}"}}"#);
        let tail = r#","logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"x7Qp"}"#;
        out.extend_from_slice(format!("{head}{delta}{tail}\n\n").as_bytes());
    }
    let end = r#"{},"logprobs":null,"finish_reason":"stop"}],"usage":null}"#;
    out.extend_from_slice(format!("{head}{end}\n\ndata: [DONE]\n\n").as_bytes());
    out
}

fn frames(bytes: &[u8], framing: Framing) {
    let mut parser = FrameParser::new(framing);
    let mut read = 0;
    for chunk in bytes.chunks(CHUNK) {
        parser
            .push(chunk, &mut |frame| {
                read += frame.data.len();
                Ok(())
            })
            .unwrap();
    }
    assert!(read > bytes.len() / 2);
}

fn events(bytes: &[u8]) {
    let wire = OpenAi::default();
    let model = ModelId::parse("gpt-4o-mini").unwrap();
    let target = Target {
        provider: "openai".into(),
        model: model.clone(),
        rules: ModelRules::default(),
        info: None,
    };
    let call = Call::chat(model, Request::from("Hi").with_stream(true));
    let mut decoder = wire.decoder(&call, &target);
    let mut parser = FrameParser::new(Framing::Sse);
    let mut batch = Vec::new();
    let mut count = 0;
    for chunk in bytes.chunks(CHUNK) {
        parser
            .push(chunk, &mut |frame| match decoder.is_done() {
                true => Ok(()),
                false => decoder.frame(frame, &mut batch),
            })
            .unwrap();
        count += batch.len();
        batch.clear();
    }
    assert!(decoder.is_done() && count > 1_000);
}

fn main() {
    let bytes = stream(8 << 20);
    let lines: Vec<u8> = String::from_utf8_lossy(&bytes)
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .flat_map(|line| [line, "\n"])
        .collect::<String>()
        .into_bytes();
    let (size, line_size) = (bytes.len() as u64, lines.len() as u64);
    println!("wires, {}", measure::unit());
    let medians = measure::interleaved(&mut [
        ("frames", size, &mut || frames(&bytes, Framing::Sse)),
        ("lines", line_size, &mut || frames(&lines, Framing::NdJson)),
        ("events", size, &mut || events(&bytes)),
    ]);
    let aims = [
        ("bytes to frames, server-sent events", "≥ 1,000 MB/s"),
        ("bytes to frames, lines of JSON", "≥ 1,000 MB/s"),
        ("bytes to events, OpenAI chat", "≥ 150 MB/s"),
    ];
    for ((what, aim), nanos) in aims.into_iter().zip(medians) {
        measure::report(what, 1_000.0 / nanos, "MB/s", aim);
    }
}
