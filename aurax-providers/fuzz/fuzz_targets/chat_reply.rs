#![no_main]

use aurax_providers::openai::OpenAi;

libfuzzer_sys::fuzz_target!(|data: &[u8]| aurax_fuzz::reply(&OpenAi::default(), data));
