//! A request that is put together from a route, and its answer without what differs every time.

use aurax_server::{Noun, Owned, Place, Route};
use serde_json::{Value, json};

use crate::people::Person;
use crate::requests::{Shape, shape};
use crate::support::{Answer, Client};

/// A request to a route.
#[derive(Debug, Clone)]
pub(crate) struct Asking {
    method: &'static str,
    path: String,
    pub(crate) query: Vec<(&'static str, String)>,
    body: Option<Value>,
}

impl Asking {
    /// One of a person about what is their own.
    pub(crate) fn new(route: &Route, person: &Person) -> Self {
        let Some(shape) = shape(route.method, &route.path) else {
            panic!("{} {} has no row in requests.rs", route.method, route.path);
        };
        let Shape {
            path: names,
            query,
            body,
            ..
        } = shape;
        let mut path = route.path.clone();
        for (name, value) in names {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        let mut asking = Self {
            method: route.method,
            path,
            query,
            body,
        };
        // Whoever asks about one thing in a session names a session of their own.
        for owned in route.rule.owned {
            if owned.place == Place::Path && owned.what == Noun::Session {
                let sessions = format!("{{{}}}", owned.name);
                asking.path = asking.path.replace(&sessions, &person.session);
            }
        }
        asking
    }

    /// The same that names `value`.
    pub(crate) fn naming(route: &Route, person: &Person, owned: &Owned, value: &str) -> Self {
        let mut asking = Self::new(route, person);
        match owned.place {
            Place::Path => {
                let Some(shape) = shape(route.method, &route.path) else {
                    return asking;
                };
                asking.path = route.path.clone();
                for (name, value) in shape.path {
                    asking.path = asking.path.replace(&format!("{{{name}}}"), value);
                }
                let name = format!("{{{}}}", owned.name);
                asking.path = asking.path.replace(&name, value);
            }
            Place::Query => asking.query.push((owned.name, value.to_owned())),
            Place::Body => asking.put(owned.name, json!(value)),
            Place::Frame => panic!("frames are tested by themselves"),
        }
        if owned.what == Noun::ProviderKeyName {
            asking.put("model", json!("openai/gpt-4o-mini"));
        }
        asking
    }

    /// The same, asked for as events.
    pub(crate) fn streamed(mut self) -> Self {
        self.put("stream", json!(true));
        self
    }

    /// The same with another body.
    pub(crate) fn with_body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// Sends bytes instead of the body.
    pub(crate) async fn send_bytes(
        &self,
        client: &Client,
        content_type: Option<&str>,
        bytes: &[u8],
    ) -> Answer {
        let bytes = bytes.to_vec();
        client
            .send(self.method, &self.path, content_type, bytes)
            .await
    }

    pub(crate) const fn has_body(&self) -> bool {
        self.body.is_some()
    }

    fn put(&mut self, name: &str, value: Value) {
        let mut place = self.body.get_or_insert_with(|| json!({}));
        for part in name.split('.') {
            place = &mut place[part];
        }
        *place = value;
    }

    pub(crate) async fn send(&self, client: &Client) -> Answer {
        let query: Vec<String> = self
            .query
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let path = match query.is_empty() {
            true => self.path.clone(),
            false => format!("{}?{}", self.path, query.join("&")),
        };
        assert!(
            !path.contains('{'),
            "{path} names something that has no row"
        );
        match &self.body {
            Some(body) => {
                let json = Some("application/json");
                client
                    .send(self.method, &path, json, body.to_string())
                    .await
            }
            None => client.send(self.method, &path, None, "").await,
        }
    }
}

/// An answer, byte for byte, without its request's id, its time, and what was named.
pub(crate) fn masked(answer: &Answer, named: &str) -> String {
    let mut varying = vec![named.to_owned()];
    varying.extend(answer.header("x-request-id").map(str::to_owned));
    if let Ok(body) = serde_json::from_slice::<Value>(&answer.body) {
        // A time is shorter where it ends in zeros.
        let time = body["error"]["timestamp"].as_str();
        varying.extend(time.map(str::to_owned));
    }
    let mask = |text: &[u8]| {
        let text = String::from_utf8_lossy(text).into_owned();
        varying
            .iter()
            .fold(text, |text, one| text.replace(one, "…"))
    };
    let body = mask(&answer.body);
    let mut text = format!("{}\n", answer.status);
    for (name, value) in &answer.headers {
        let value = match name.as_str() {
            "date" => continue,
            "content-length" => {
                assert_eq!(value.to_str().unwrap(), answer.body.len().to_string());
                body.len().to_string()
            }
            _ => mask(value.as_bytes()),
        };
        text.push_str(&format!("{name}: {value}\n"));
    }
    text + &body
}

/// Whether a route answers as events, too.
pub(crate) fn streams(route: &Route) -> bool {
    shape(route.method, &route.path).is_some_and(|shape| shape.streams)
}
