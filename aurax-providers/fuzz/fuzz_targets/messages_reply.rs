#![no_main]

use aurax_providers::anthropic::Anthropic;

libfuzzer_sys::fuzz_target!(|data: &[u8]| aurax_fuzz::reply(&Anthropic::new(), data));
