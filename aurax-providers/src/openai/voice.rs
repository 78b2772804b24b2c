//! A spoken answer, as it arrives.

use std::mem;

use aurax_core::{Audio, Delta, Native, Source};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::choice::{About, part};
use crate::object::Object;

/// A spoken answer, in pieces.
#[derive(Debug, Default)]
pub(super) struct Voice {
    id: Option<String>,
    data: Vec<u8>,
    /// Pieces that are not base64 by themselves.
    odd: String,
    transcript: String,
    expires_at: Option<i64>,
}

impl Voice {
    /// Every piece of a stream is base64 of its own.
    pub(super) fn read(&mut self, mut voice: Object<'_>) {
        if let Some(id) = voice.text("id") {
            self.id = Some(id);
        }
        if let Some(data) = voice.text("data") {
            match STANDARD.decode(&data) {
                Ok(bytes) => self.data.extend(bytes),
                Err(_) => self.odd.push_str(&data),
            }
        }
        if let Some(words) = voice.text("transcript") {
            self.transcript.push_str(&words);
        }
        if let Some(end) = voice.read("expires_at") {
            self.expires_at = Some(end);
        }
    }

    pub(super) fn finish(&mut self, about: About<'_>, push: &mut impl FnMut(u32, Delta)) {
        let voice = mem::take(self);
        let data = match voice.odd.as_str() {
            "" if voice.data.is_empty() => String::new(),
            "" => STANDARD.encode(&voice.data),
            _ => voice.odd,
        };
        if !data.is_empty() || !voice.transcript.is_empty() {
            let mut audio = Audio::new(Source::Inline {
                media_type: about.audio_type.to_owned(),
                data,
            });
            audio.transcript = Some(voice.transcript).filter(|words| !words.is_empty());
            push(part::AUDIO, Delta::Audio(audio));
        }
        // The next request names the answer by its id.
        if let Some(id) = voice.id {
            let json = serde_json::json!({ "id": id }).to_string();
            let native = Native::new(Some(about.origin.clone()), "audio", json);
            push(part::AUDIO_ID, Delta::Native(native));
        }
    }
}
