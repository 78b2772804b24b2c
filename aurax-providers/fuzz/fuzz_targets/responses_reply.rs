#![no_main]

use aurax_providers::responses::Responses;

libfuzzer_sys::fuzz_target!(|data: &[u8]| aurax_fuzz::reply(&Responses::default(), data));
