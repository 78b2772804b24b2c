#![no_main]

use aurax_providers::ollama::Ollama;

libfuzzer_sys::fuzz_target!(|data: &[u8]| aurax_fuzz::reply(&Ollama::new(), data));
