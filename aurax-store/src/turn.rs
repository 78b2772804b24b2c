//! Turns as rows of `messages`, and back.

use aurax_core::{
    Cost, Error, ErrorKind, Message, Money, Part, Result, Role, Text, ToolResult, Turn, Usage,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::db::{Fields, Row, Value as Column, args, split, to_micros};
use crate::words;

/// The row of a turn that belongs to `user`.
///
/// # Errors
/// `InvalidRequest` for a count beyond what a database keeps.
pub(crate) fn fields(turn: &Turn, user: Uuid, request_id: Option<Uuid>) -> Result<Fields> {
    let message = &turn.message;
    let usage = turn.usage.as_ref();
    Ok(Vec::from(args! {
        id: turn.id,
        session_id: turn.session_id,
        user_id: user,
        parent_id: turn.parent_id,
        seq: count("seq", turn.seq)?,
        role: message.role.as_str(),
        content: content(message),
        words: words::index(&message.text()),
        parts: parts(message)?,
        status: turn.status.as_str(),
        provider: turn.provider.as_deref(),
        model: turn.model.as_deref(),
        tokens: usage.map(|usage| count("tokens", tokens(usage))).transpose()?,
        usage: usage.map(to_json).transpose()?,
        cost: turn.cost.as_ref().and_then(Cost::amount),
        cost_source: turn.cost.as_ref().map(Cost::source),
        request_id,
        created_at: turn.created_at,
    }))
}

/// The same as JSON: ids as text, times in microseconds since 1970, amounts both whole, as a
/// decimal string, and in the two parts that SQLite keeps.
pub(crate) fn columns(
    turn: &Turn,
    user: Uuid,
    request_id: Option<Uuid>,
) -> Result<Map<String, Value>> {
    let mut columns = Map::new();
    for (name, value) in fields(turn, user, request_id)? {
        let value = match value {
            Column::Uuid(id) => id.map(|id| id.to_string()).into(),
            Column::Text(text) => text.as_deref().into(),
            Column::Int(int) => int.into(),
            Column::Time(at) => at.map(to_micros).into(),
            Column::Money(amount) => {
                let amount = amount.map(Money::rounded);
                let parts = match amount {
                    Some(amount) => Some(split(amount).ok_or_else(|| beyond(name))?),
                    None => None,
                };
                let (nano, atto) = parts.unzip();
                columns.insert(format!("{name}_nano"), nano.into());
                columns.insert(format!("{name}_atto"), atto.into());
                amount.map(|amount| amount.to_string()).into()
            }
            Column::Bool(_) | Column::Bytes(_) | Column::Uuids(_) => Value::Null,
        };
        columns.insert(name.to_owned(), value);
    }
    Ok(columns)
}

/// The turn of a row.
pub(crate) fn read(row: &Row) -> Result<Turn> {
    let role: Role = from_word(&row.text("role")?)?;
    let content = row.text("content")?;
    let message = match row.text_or_null("parts")? {
        Some(parts) => read_message(&parts)?,
        None => plain(role, content),
    };
    let mut turn = Turn::new(
        row.uuid("id")?,
        row.uuid("session_id")?,
        row.count("seq")?,
        message,
        row.time("created_at")?,
    );
    turn.parent_id = row.uuid_or_null("parent_id")?;
    turn.status = from_word(&row.text("status")?)?;
    turn.provider = row.text_or_null("provider")?;
    turn.model = row.text_or_null("model")?;
    turn.usage = row
        .text_or_null("usage")?
        .map(|usage| from_json(&usage))
        .transpose()?;
    turn.cost = row
        .text_or_null("cost_source")?
        .map(|source| cost(&source, row.money_or_null("cost")?))
        .transpose()?;
    Ok(turn)
}

/// All tokens of a call: as reported, else as counted.
pub(crate) fn tokens(usage: &Usage) -> u64 {
    usage.reported.total.unwrap_or_else(|| {
        let buckets = &usage.buckets;
        buckets
            .input_tokens()
            .saturating_add(buckets.output_tokens())
    })
}

/// A cost by its source and amount.
pub(crate) fn cost(source: &str, amount: Option<Money>) -> Result<Cost> {
    Ok(match (source, amount) {
        ("exact", Some(amount)) => Cost::Exact(amount),
        ("reported", Some(amount)) => Cost::Reported(amount),
        ("estimated", Some(amount)) => Cost::Estimated(amount),
        ("partial", Some(amount)) => Cost::Partial(amount),
        ("free", _) => Cost::Free,
        ("unpriced", None) => Cost::Unpriced,
        _ => return Err(unreadable()),
    })
}

/// A message of nothing but words.
fn plain(role: Role, text: String) -> Message {
    Message::new(role, vec![Part::Text(Text::new(text))])
}

/// The words of a message, those of tools' results included. No database keeps a NUL.
fn content(message: &Message) -> String {
    let mut content = message.text();
    for part in &message.parts {
        if let Part::ToolResult(result) = part {
            let words = result.content.iter().filter_map(Part::as_text);
            content.extend(words);
        }
    }
    if content.contains('\0') {
        content = content.replace('\0', "\u{fffd}");
    }
    content
}

/// The whole message, byte for byte; `None` where its words say everything.
fn parts(message: &Message) -> Result<Option<String>> {
    let text = content(message);
    if *message == plain(message.role, text) {
        return Ok(None);
    }
    to_json(message).map(Some)
}

/// Reads a message. Parts are read by their `type` one by one, because what is read through an
/// internally tagged enum loses the bytes of the JSON inside it.
fn read_message(json: &str) -> Result<Message> {
    #[derive(Deserialize)]
    struct Stored {
        role: Role,
        parts: Vec<Box<RawValue>>,
        name: Option<String>,
        native: Option<aurax_core::Native>,
    }
    let stored: Stored = from_json(json)?;
    let mut message = Message::new(stored.role, read_parts(&stored.parts)?);
    message.name = stored.name;
    message.native = stored.native;
    Ok(message)
}

fn read_parts(parts: &[Box<RawValue>]) -> Result<Vec<Part>> {
    parts.iter().map(|part| read_part(part.get())).collect()
}

fn read_part(json: &str) -> Result<Part> {
    #[derive(Deserialize)]
    struct Kind {
        r#type: String,
    }
    let kind: Kind = from_json(json)?;
    Ok(match kind.r#type.as_str() {
        "text" => Part::Text(from_json(json)?),
        "image" => Part::Image(from_json(json)?),
        "document" => Part::Document(from_json(json)?),
        "audio" => Part::Audio(from_json(json)?),
        "thinking" => Part::Thinking(from_json(json)?),
        "redacted_thinking" => Part::RedactedThinking(from_json(json)?),
        "refusal" => Part::Refusal(from_json(json)?),
        "tool_call" => Part::ToolCall(from_json(json)?),
        "tool_result" => Part::ToolResult(read_result(json)?),
        "native" => Part::Native(from_json(json)?),
        _ => return Err(unreadable()),
    })
}

fn read_result(json: &str) -> Result<ToolResult> {
    #[derive(Deserialize)]
    struct Stored {
        call_id: String,
        name: Option<String>,
        content: Vec<Box<RawValue>>,
        is_error: Option<bool>,
        cache: Option<aurax_core::CacheHint>,
        native: Option<Box<aurax_core::Native>>,
    }
    let stored: Stored = from_json(json)?;
    let mut result = ToolResult::for_id(stored.call_id, "");
    result.content = read_parts(&stored.content)?;
    result.name = stored.name;
    result.is_error = stored.is_error;
    result.cache = stored.cache;
    result.native = stored.native;
    Ok(result)
}

/// A value that is one word.
pub(crate) fn from_word<T: DeserializeOwned>(word: &str) -> Result<T> {
    serde_json::from_value(word.into()).map_err(|error| unreadable().with_source(error))
}

/// A value as a text column keeps it.
pub(crate) fn to_json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| {
        Error::new(ErrorKind::InvalidRequest, "it has no JSON form").with_source(error)
    })
}

/// The value of a text column.
pub(crate) fn from_json<T: DeserializeOwned>(json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|error| unreadable().with_source(error))
}

fn unreadable() -> Error {
    Error::new(ErrorKind::Internal, "a stored value cannot be read")
}

fn count(field: &'static str, count: u64) -> Result<i64> {
    i64::try_from(count).map_err(|_| beyond(field))
}

fn beyond(field: &'static str) -> Error {
    crate::bounds::refuse(field, format!("`{field}` is beyond what can be kept"))
}
