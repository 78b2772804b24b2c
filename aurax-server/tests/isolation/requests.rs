//! A request to every route that would do, once the ids are put in.

use serde_json::{Value, json};

/// What a request to a route says besides the ids it names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shape {
    /// Parameters in the path that are nobody's.
    pub(crate) path: &'static [(&'static str, &'static str)],
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) body: Option<Value>,
    /// Whether the answer may be asked for as events, too.
    pub(crate) streams: bool,
}

fn plain() -> Shape {
    Shape::default()
}

fn body(body: Value) -> Shape {
    Shape {
        body: Some(body),
        ..plain()
    }
}

fn named() -> Shape {
    Shape {
        path: &[("name", "demo")],
        ..plain()
    }
}

fn query(name: &'static str, value: impl Into<String>) -> Shape {
    Shape {
        query: vec![(name, value.into())],
        ..plain()
    }
}

/// A series has a point for every step of the time that is asked for, which must not go on
/// meanwhile.
fn series() -> Shape {
    let mut shape = query("bucket", "month");
    shape
        .query
        .push(("from", "2020-01-01T00:00:00Z".to_owned()));
    shape.query.push(("to", "2030-01-01T00:00:00Z".to_owned()));
    shape
}

/// The request of a route. One without a row fails the test.
pub(crate) fn shape(method: &str, path: &str) -> Option<Shape> {
    let streams = |shape: Shape| Shape {
        streams: true,
        ..shape
    };
    Some(match (method, path) {
        ("GET", "/livez" | "/readyz" | "/.well-known/jwks.json" | "/ws") => plain(),
        ("POST", "/auth/register") => body(json!({
            "email": format!("{}@example.com", aurax::new_id()), "password": "x",
        })),
        ("POST", "/auth/login") => body(json!({"email": "x", "password": "x"})),
        ("POST", "/auth/refresh") => body(json!({"refresh_token": "x"})),
        ("GET", "/auth/me" | "/auth/sessions") => plain(),
        ("PATCH", "/auth/me") => body(json!({"current_password": "x", "email": "x@example.com"})),
        ("DELETE", "/auth/me" | "/auth/logout" | "/auth/sessions" | "/auth/sessions/{id}") => {
            plain()
        }
        ("GET", "/chat/sessions" | "/chat/sessions/{id}" | "/chat/sessions/{id}/messages") => {
            plain()
        }
        ("POST", "/chat/sessions") | ("PUT", "/chat/sessions/{id}") => body(json!({})),
        ("DELETE", "/chat/sessions/{id}") => plain(),
        ("POST", "/chat/sessions/{id}/messages") => streams(body(json!({
            "content": "quokka", "model": "demo/echo",
        }))),
        ("GET", "/chat/search") => query("q", "quokka"),
        ("GET", "/providers" | "/providers/usage") => plain(),
        ("GET", "/providers/{name}/models") => named(),
        ("POST", "/providers/{name}/keys") => Shape {
            path: &[("name", "openai")],
            ..body(json!({"key": "sk-one-more-key", "key_name": aurax::new_id().to_string()}))
        },
        ("DELETE", "/providers/{name}/keys") => named(),
        ("GET", "/api/keys" | "/api/keys/{id}") | ("DELETE", "/api/keys/{id}") => plain(),
        ("POST", "/api/keys") => body(json!({
            "provider": "openai", "key": "sk-one-more-key", "key_name": aurax::new_id().to_string(),
        })),
        ("PATCH", "/api/keys/{id}") => body(json!({"is_active": true})),
        ("POST", "/api/keys/{id}/validate") => plain(),
        ("GET", "/api/access-keys" | "/api/access-keys/{id}")
        | ("DELETE", "/api/access-keys/{id}") => plain(),
        ("POST", "/api/access-keys") => body(json!({"name": "program"})),
        ("PATCH", "/api/access-keys/{id}") => body(json!({"name": "other"})),
        ("GET", "/api/usage" | "/api/usage/summary") => plain(),
        ("GET", "/api/usage/series") => series(),
        ("GET", "/api/usage/export") => query("format", "jsonl"),
        ("GET", "/api/budgets") | ("DELETE", "/api/budgets/{id}") => plain(),
        ("PUT", "/api/budgets") => body(json!({
            "scope": "access_key", "period": "day", "limit": 1, "kind": "soft",
        })),
        ("GET", "/api/alerts" | "/api/alerts/events" | "/api/alerts/{id}")
        | ("DELETE", "/api/alerts/{id}") => plain(),
        ("POST", "/api/alerts") => body(json!({
            "name": "x", "metric": "error_rate", "threshold": 5,
        })),
        ("PATCH", "/api/alerts/{id}") => body(json!({"is_active": true})),
        ("POST", "/api/playground/run") => body(json!({"model": "demo/echo", "prompt": "quokka"})),
        ("GET", "/api/playground/history" | "/api/playground/history/{id}")
        | ("DELETE", "/api/playground/history/{id}") => plain(),
        ("POST", "/api/playground/history/{id}/replay") => body(json!({})),
        ("POST", "/api/chat/completions") => streams(body(json!({
            "model": "demo/echo", "messages": [{"role": "user", "content": "quokka"}],
        }))),
        ("GET", "/admin/alerts" | "/admin/alerts/events") => plain(),
        ("PATCH", "/admin/alerts/{id}") => body(json!({"is_active": true})),
        ("GET", "/admin/users" | "/admin/users/{id}" | "/admin/plans") => plain(),
        ("PATCH", "/admin/users/{id}") => body(json!({"plan_type": "pro"})),
        _ => return None,
    })
}
