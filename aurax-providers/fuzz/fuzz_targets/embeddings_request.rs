#![no_main]

use aurax_providers::openai::{EmbeddingsInbound, OpenAi};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    aurax_fuzz::request(&EmbeddingsInbound::new(), &OpenAi::default(), data);
});
