//! Proofs, blocks and pictures: what is no words of a message.

use aurax_core::{Image, Native, Signature, Source};
use serde_json::{Map, Value, json};

use super::output::{Body, OutputItem, Status};
use super::reply;
use super::sheet::Out;
use super::write::{Begin, Place, Writer};
use crate::inbound::carry::{Purpose, pack};

impl Writer {
    pub(super) fn sign(&mut self, place: Place, signature: &Signature, out: &mut Out<'_>) {
        let packed = match self.is_own {
            true => signature.data.clone(),
            false => pack(&self.seal, signature, &Purpose::Thinking),
        };
        match self.body(place) {
            Some(Body::Reasoning { encrypted, .. }) => *encrypted = Some(packed),
            Some(_) => self.carried(signature, &Purpose::Last, out),
            None => {}
        }
    }

    /// A reasoning item that carries something the wire has no place for.
    pub(super) fn carried(&mut self, signature: &Signature, purpose: &Purpose, out: &mut Out<'_>) {
        let encrypted = pack(&self.seal, signature, purpose);
        if *purpose != Purpose::Last {
            self.sheet.close(false, out);
        }
        let at = self.add(Begin::Thinking, None, out);
        if let Some(Body::Reasoning {
            encrypted: slot, ..
        }) = self.sheet.items.get_mut(at).map(|item| &mut item.body)
        {
            *slot = Some(encrypted);
        }
        self.sheet.close_item(at, Status::Completed, out);
    }

    /// A block of the provider's own: as it is, or carried for a provider of another wire.
    pub(super) fn native(&mut self, native: &Native, out: &mut Out<'_>) {
        if !self.is_own {
            let block = Signature::new(&native.json, native.origin.clone());
            return self.carried(&block, &Purpose::Native(native.kind.clone()), out);
        }
        if let Ok(json) = serde_json::from_str::<Value>(&native.json) {
            self.sheet.close(false, out);
            let id = json.get("id").and_then(Value::as_str).map(str::to_owned);
            let at = self.sheet.announce(
                OutputItem {
                    id: id.unwrap_or_default(),
                    body: Body::Native(json),
                    status: Status::InProgress,
                    part: None,
                    extra: Map::new(),
                },
                out,
            );
            self.sheet.close_item(at, Status::Completed, out);
        }
    }

    /// A picture: data as the result of a call for one, an address as words.
    pub(super) fn image(&mut self, image: &Image, out: &mut Out<'_>) {
        let id = reply::id("ig", &self.request_id, self.sheet.items.len());
        let result = match &image.source {
            Source::Inline { data, .. } => data,
            Source::Url { url, .. } => url,
            _ => return,
        };
        self.sheet.close(false, out);
        let json = json!({
            "id": id, "type": "image_generation_call", "status": "completed", "result": result,
        });
        let at = self.sheet.announce(
            OutputItem {
                id,
                body: Body::Native(json),
                status: Status::InProgress,
                part: None,
                extra: Map::new(),
            },
            out,
        );
        self.sheet.close_item(at, Status::Completed, out);
    }
}
