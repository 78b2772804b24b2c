#![no_main]

use aurax_providers::anthropic::{Anthropic, MessagesInbound};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    aurax_fuzz::request(&MessagesInbound::default(), &Anthropic::new(), data);
});
