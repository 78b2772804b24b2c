//! The smallest wire: `{"text": …}` adds words, `{"end": true}` ends, `{"error": …}` fails, and
//! anything else is a sign of life.

use aurax_core::{
    Call, Capability, Delivery, Delta, Error, ErrorKind, Event, Head, ModelInfo, Op, Result,
    Upstream, Warning,
};
use aurax_providers::frame::{Frame, Framing};
use aurax_providers::wire::{Decode, Encoded, Target, Wire};
use http::HeaderMap;
use serde_json::{Value, json};

#[derive(Debug)]
pub(crate) struct Echo {
    framing: Framing,
    /// Whether its provider lists models and checks keys.
    pub(crate) has_catalog: bool,
}

impl Echo {
    pub(crate) const fn new(framing: Framing) -> Self {
        Self {
            framing,
            has_catalog: true,
        }
    }
}

impl Wire for Echo {
    fn name(&self) -> &'static str {
        "echo"
    }

    fn capability(&self) -> Capability {
        let mut capability = Capability::default();
        capability.chat = true;
        capability.list_models = self.has_catalog;
        capability.verify_key = self.has_catalog;
        capability
    }

    fn framing(&self) -> Framing {
        self.framing
    }

    fn encode(&self, call: &Call, target: &Target) -> Result<Encoded> {
        if target.model.as_str() == "refused" {
            return Err(Error::new(ErrorKind::Unsupported, "no such thing"));
        }
        let limit = target.info.as_ref().and_then(|info| info.max_output_tokens);
        let delivery = if call.op.is_stream() {
            Delivery::Streamed
        } else {
            Delivery::Whole
        };
        let path = match call.op {
            Op::Embed(_) => "/embed",
            _ => "/echo",
        };
        let body = json!({"model": target.model, "limit": limit}).to_string();
        let mut encoded = Encoded::post(path, body, delivery);
        encoded
            .headers
            .push(("x-wire".parse().unwrap(), "echo".parse().unwrap()));
        encoded.warnings.push(Warning::new("all", "is repeated"));
        Ok(encoded)
    }

    fn decoder(&self, _: &Call, _: &Target) -> Box<dyn Decode> {
        Box::new(Decoder { done: false })
    }

    fn error(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Error {
        let kind = match status {
            401 => ErrorKind::Auth,
            402 => ErrorKind::Quota,
            403 => ErrorKind::Permission,
            429 => ErrorKind::RateLimited,
            500.. => ErrorKind::Server,
            _ => ErrorKind::InvalidRequest,
        };
        let text = String::from_utf8_lossy(body);
        Error::new(kind, "the parrot is cross")
            .with_upstream(Upstream::new(Some(status), text))
            .with_request_id(request_id(headers))
    }

    fn read_headers(&self, headers: &HeaderMap, head: &mut Head) {
        head.request_id = request_id(headers);
    }

    fn list_models(&self, page: Option<&str>) -> Option<Encoded> {
        let path = match page {
            Some(page) => format!("/models?page={page}"),
            None => "/models".to_owned(),
        };
        self.has_catalog.then(|| Encoded::get(path))
    }

    fn read_models(&self, body: &[u8]) -> Result<(Vec<ModelInfo>, Option<String>)> {
        let page = parse(body)?;
        let info = |model: &Value| {
            let mut info = ModelInfo::new(model["id"].as_str().unwrap_or_default());
            info.max_output_tokens = model["limit"].as_u64();
            info
        };
        let models = page["models"]
            .as_array()
            .into_iter()
            .flatten()
            .map(info)
            .collect();
        Ok((models, page["next"].as_str().map(str::to_owned)))
    }

    fn verify_key(&self) -> Option<Encoded> {
        self.has_catalog.then(|| Encoded::get("/key"))
    }
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    Some(headers.get("x-request-id")?.to_str().unwrap().to_owned())
}

fn parse(bytes: &[u8]) -> Result<Value> {
    serde_json::from_slice(bytes)
        .map_err(|e| Error::new(ErrorKind::Decode, "not JSON").with_source(e))
}

struct Decoder {
    done: bool,
}

impl Decoder {
    fn read(&mut self, value: &Value, events: &mut Vec<Event>) -> Result<()> {
        if let Some(text) = value["text"].as_str() {
            let delta = Delta::Text(text.to_owned());
            events.push(Event::Delta {
                choice: 0,
                part: 0,
                delta,
            });
        }
        if let Some(message) = value["error"].as_str() {
            let error = Error::new(ErrorKind::Overloaded, "the parrot fell silent");
            return Err(error.with_upstream(Upstream::new(None, message)));
        }
        if value["end"] == true {
            self.done = true;
            events.push(Event::End(Box::default()));
        }
        Ok(())
    }
}

impl Decode for Decoder {
    fn frame(&mut self, frame: Frame<'_>, events: &mut Vec<Event>) -> Result<()> {
        assert!(!self.done, "a frame after the end");
        self.read(&parse(frame.data.as_bytes())?, events)
    }

    fn whole(&mut self, body: &[u8], events: &mut Vec<Event>) -> Result<()> {
        self.read(&parse(body)?, events)?;
        if !self.done {
            self.read(&json!({"end": true}), events)?;
        }
        Ok(())
    }

    fn finish(&mut self, _: &mut Vec<Event>) -> Result<()> {
        Err(Error::new(ErrorKind::Truncated, "the parrot flew away"))
    }

    fn is_done(&self) -> bool {
        self.done
    }
}
