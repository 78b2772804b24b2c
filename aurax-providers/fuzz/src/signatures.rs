//! Signatures that clients carry back.

use aurax_core::{Origin, Signature};
use aurax_providers::Seal;
use aurax_providers::anthropic::MessagesInbound;
use aurax_providers::inbound::Inbound;
use aurax_providers::responses::ResponsesInbound;

/// What a client may put behind a seal, which says itself what it is for.
const BEHIND: [&str; 6] = [
    "",
    ".redacted",
    ".last",
    ".native-block",
    ".native-",
    ".other",
];

/// A text that opens was sealed, byte for byte; what was sealed opens, and not when a byte of it
/// was changed; a client may send either in any place of a signature.
pub fn signatures(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else {
        return;
    };
    let text = String::from_utf8_lossy(data);
    let seal = Seal::new(b"key");
    for key in [&seal, &Seal::default()] {
        if let Some(signature) = key.unwrap(&text) {
            assert_eq!(key.wrap(&signature), *text);
        }
    }
    let origin = (choice % 2 == 0).then(|| Origin::new("fuzz", text.as_ref()));
    let signature = Signature::new(text.as_ref(), origin);
    let sealed = seal.wrap(&signature);
    assert_eq!(seal.unwrap(&sealed), Some(signature));
    assert_eq!(Seal::default().unwrap(&sealed), None);
    let at = usize::from(*choice) % sealed.len();
    let mut changed = sealed.clone().into_bytes();
    changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
    let changed = String::from_utf8_lossy(&changed);
    assert_eq!(seal.unwrap(&changed), None, "{changed}");
    for text in [sealed.as_str(), &changed] {
        carried(&seal, text, BEHIND[usize::from(*choice) % BEHIND.len()]);
    }
}

fn carried(seal: &Seal, text: &str, behind: &str) {
    let body = format!(
        r#"{{"model":"m","input":[{{"role":"assistant","content":"Hi"}},
            {{"type":"reasoning","summary":[],"encrypted_content":"{text}{behind}"}}]}}"#
    );
    let responses = ResponsesInbound::new().with_seal(seal.clone());
    assert!(responses.read(body.as_bytes()).is_ok(), "{body}");
    let body = format!(
        r#"{{"model":"m","max_tokens":1,"messages":[{{"role":"assistant","content":[
            {{"type":"thinking","thinking":"","signature":"{text}"}},
            {{"type":"redacted_thinking","data":"{text}{behind}"}}]}}]}}"#
    );
    let messages = MessagesInbound::new(seal.clone());
    assert!(messages.read(body.as_bytes()).is_ok(), "{body}");
}
