#![no_main]

use aurax_providers::openai::{ChatInbound, OpenAi};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    aurax_fuzz::request(&ChatInbound::new(), &OpenAi::default(), data);
});
