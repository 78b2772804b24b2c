//! What the upstream means to say, before a scenario spoils it.

use serde_json::{Value, json};

/// A frame of a stream.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) event: Option<&'static str>,
    pub(super) data: String,
}

impl Frame {
    pub(super) fn new(data: &Value) -> Self {
        Self {
            event: None,
            data: data.to_string(),
        }
    }

    pub(super) fn named(event: &'static str, data: &Value) -> Self {
        Self {
            event: Some(event),
            data: data.to_string(),
        }
    }

    pub(super) fn word(data: &str) -> Self {
        Self {
            event: None,
            data: data.to_owned(),
        }
    }
}

/// An answer in one protocol, both ways of delivering it.
#[derive(Debug, Clone)]
pub(super) struct Script {
    /// The frames before anything is said.
    pub(super) opening: Vec<Frame>,
    /// The frames that say it.
    pub(super) saying: Vec<Frame>,
    /// The frames after it.
    pub(super) closing: Vec<Frame>,
    /// The frame that ends the stream.
    pub(super) terminal: Frame,
    /// The same as one body.
    pub(super) whole: String,
}

/// What is said, and what it is said to have used.
#[derive(Debug, Clone)]
pub(super) struct Answer<'a> {
    pub(super) model: &'a str,
    pub(super) say: Say,
    pub(super) usage: Counts,
}

/// What is said.
#[derive(Debug, Clone)]
pub(super) enum Say {
    /// Words, in these pieces.
    Text(Vec<String>),
    /// Two calls of the tool `look_up`.
    Calls(Calls),
}

/// Two calls of a tool, and what is odd about them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Calls {
    /// Whether they have ids.
    pub(super) ids: bool,
    /// Whether their arguments are JSON.
    pub(super) valid: bool,
}

impl Calls {
    pub(super) const NAME: &'static str = "look_up";

    /// The calls' ids.
    pub(super) fn id(self, number: usize) -> Option<String> {
        self.ids.then(|| format!("call_hostile_{number}"))
    }

    /// The calls' arguments, as text in two pieces.
    pub(super) fn arguments(self, number: usize) -> [String; 2] {
        let end = if self.valid {
            format!("{number}\"}}")
        } else {
            format!("{number}\", ")
        };
        ["{\"city\":\"Zürich ".to_owned(), end]
    }

    /// The calls' arguments, where the protocol has no text for them.
    pub(super) fn object(self, number: usize) -> Value {
        if self.valid {
            json!({"city": format!("Zürich {number}")})
        } else {
            Value::String(self.arguments(number).concat())
        }
    }
}

/// The usage an answer reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counts {
    Plain,
    Missing,
    Negative,
    Absurd,
}

impl Counts {
    /// Input and output tokens.
    pub(super) fn tokens(self) -> Option<(i64, i64)> {
        match self {
            Self::Plain => Some((11, 7)),
            Self::Missing => None,
            Self::Negative => Some((-11, -7)),
            Self::Absurd => Some((9_000_000_000_000_000_000, 9_000_000_000_000_000_000)),
        }
    }

    /// A usage object of two fields, and a third with their sum where the protocol has one.
    pub(super) fn object(self, input: &str, output: &str, total: Option<&str>) -> Value {
        let Some((read, written)) = self.tokens() else {
            return Value::Null;
        };
        let mut object = json!({input: read, output: written});
        if let Some(total) = total {
            set(&mut object, total, json!(read.saturating_add(written)));
        }
        object
    }
}

/// Puts `value` at `name`, unless it is null.
pub(super) fn set(object: &mut Value, name: &str, value: Value) {
    if let (Value::Object(fields), false) = (object, value.is_null()) {
        fields.insert(name.to_owned(), value);
    }
}
