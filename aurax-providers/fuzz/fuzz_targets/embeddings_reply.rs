#![no_main]

use aurax_providers::gemini::Gemini;
use aurax_providers::ollama::Ollama;
use aurax_providers::openai::OpenAi;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    aurax_fuzz::vectors(&OpenAi::default(), data);
    aurax_fuzz::vectors(&Gemini::new(), data);
    aurax_fuzz::vectors(&Ollama::new(), data);
});
