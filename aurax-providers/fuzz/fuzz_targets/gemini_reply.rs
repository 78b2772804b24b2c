#![no_main]

use aurax_providers::gemini::Gemini;

libfuzzer_sys::fuzz_target!(|data: &[u8]| aurax_fuzz::reply(&Gemini::new(), data));
