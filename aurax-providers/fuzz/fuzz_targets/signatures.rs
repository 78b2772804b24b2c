#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| aurax_fuzz::signatures(data));
