#![no_main]

use aurax_providers::responses::{Responses, ResponsesInbound};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    aurax_fuzz::request(&ResponsesInbound::new(), &Responses::default(), data);
});
