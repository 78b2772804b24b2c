//! Tools the model may ask for.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::cache::CacheHint;
use super::part::{Item, Native, Part, Signature};
use crate::error::{Error, ErrorKind, Result};
use crate::json::Json;

/// Something the model may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Tool {
    /// A function of the caller's.
    Function(Function),
    /// A tool the provider runs itself, in its own words.
    Native(Native),
}

impl Tool {
    /// The function, if it is one.
    pub const fn as_function(&self) -> Option<&Function> {
        match self {
            Self::Function(function) => Some(function),
            Self::Native(_) => None,
        }
    }
}

impl From<Function> for Tool {
    fn from(function: Function) -> Self {
        Self::Function(function)
    }
}

impl From<Native> for Tool {
    fn from(native: Native) -> Self {
        Self::Native(native)
    }
}

/// A function the model may call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Function {
    /// The function's name.
    pub name: String,
    /// What it does, for the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// JSON Schema of its arguments; `None` for a function that takes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Json>,
    /// Whether the provider must enforce the schema; `None` leaves it to the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
    /// Ends a cacheable prefix here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheHint>,
    /// Fields of the definition only its own provider understands, as a JSON object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native: Option<Native>,
}

impl Function {
    /// A function without arguments.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            description: None,
            parameters: None,
            strict: None,
            cache: None,
            native: None,
        }
    }

    /// Says what it does.
    #[must_use]
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Describes its arguments with a JSON Schema.
    #[must_use]
    pub fn with_parameters(mut self, schema: impl Into<Json>) -> Self {
        self.parameters = Some(schema.into());
        self
    }

    /// Whether the provider must enforce the schema.
    #[must_use]
    pub const fn with_strict(mut self, strict: bool) -> Self {
        self.strict = Some(strict);
        self
    }

    /// Ends a cacheable prefix after this tool.
    #[must_use]
    pub const fn with_cache(mut self, hint: CacheHint) -> Self {
        self.cache = Some(hint);
        self
    }
}

/// Whether and which tools the model must use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ToolChoice {
    /// The model decides.
    Auto,
    /// No tools.
    None,
    /// At least one, whichever.
    Required,
    /// This one.
    Tool(String),
    /// One or more of these, or none where `required` is false.
    Allowed {
        /// Whether one must be used.
        required: bool,
        /// Their names.
        tools: Vec<String>,
    },
}

/// The model asks for a tool to be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolCall {
    /// The id its result must name.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments as the model wrote them: JSON text, which a token limit may have cut short.
    /// Empty means no arguments.
    pub arguments: String,
    /// Where the provider lists the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<Item>,
    /// The proof the provider wants back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// Ends a cacheable prefix here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheHint>,
    /// Fields only its own provider understands, as a JSON object; those of an object inside stand
    /// in one of the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native: Option<Box<Native>>,
}

impl ToolCall {
    /// A call with arguments as JSON text.
    pub fn new(
        id: impl Into<String>,
        name: impl Into<String>,
        arguments: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            arguments: arguments.into(),
            item: None,
            signature: None,
            cache: None,
            native: None,
        }
    }

    /// The arguments as JSON text, `{}` where there are none.
    pub fn arguments_json(&self) -> &str {
        match self.arguments.trim() {
            "" | "null" => "{}",
            text => text,
        }
    }

    /// Reads the arguments.
    ///
    /// # Errors
    /// `InvalidRequest` when the model wrote something else, or was cut short.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(self.arguments_json()).map_err(|e| {
            Error::new(
                ErrorKind::InvalidRequest,
                "the model's tool arguments have another shape",
            )
            .with_context("tool", &self.name)
            .with_source(e)
        })
    }
}

/// What a tool answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolResult {
    /// The id of the call it answers.
    pub call_id: String,
    /// The tool's name; some providers match by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The answer: text, and images or documents where the provider takes them.
    pub content: Vec<Part>,
    /// Whether the tool failed; `None` says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_error: Option<bool>,
    /// Ends a cacheable prefix here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheHint>,
    /// Fields only its own provider understands, as a JSON object; those of an object inside stand
    /// in one of the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native: Option<Box<Native>>,
}

impl ToolResult {
    /// The answer to a call.
    pub fn new(call: &ToolCall, content: impl Into<Part>) -> Self {
        Self {
            name: Some(call.name.clone()),
            ..Self::for_id(call.id.clone(), content)
        }
    }

    /// The answer to the call of that id.
    pub fn for_id(call_id: impl Into<String>, content: impl Into<Part>) -> Self {
        Self {
            call_id: call_id.into(),
            name: None,
            content: vec![content.into()],
            is_error: None,
            cache: None,
            native: None,
        }
    }

    /// Adds to the answer.
    #[must_use]
    pub fn with(mut self, part: impl Into<Part>) -> Self {
        self.content.push(part.into());
        self
    }

    /// Marks the answer as a failure.
    #[must_use]
    pub const fn with_error(mut self) -> Self {
        self.is_error = Some(true);
        self
    }

    /// The words of the answer.
    pub fn text(&self) -> String {
        self.content.iter().filter_map(Part::as_text).collect()
    }
}
