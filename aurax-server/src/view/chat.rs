//! Sessions and messages.

use aurax::store::Edit;
use aurax::{Part, Role, SessionSettings, Turn, TurnStatus, Usage};
use serde::{Deserialize, Deserializer, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Amount, Priced};

/// What a session's messages use unless they say otherwise.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The provider, such as `openai`.
    #[schema(max_length = 100)]
    pub(crate) provider: Option<String>,
    /// The model, such as `gpt-4o-mini` or `openai/gpt-4o-mini`.
    #[schema(max_length = 200)]
    pub(crate) model: Option<String>,
    /// Which of the caller's named provider keys to use.
    #[schema(max_length = 100)]
    pub(crate) key_name: Option<String>,
    /// Instructions put before the conversation.
    #[schema(min_length = 1, max_length = 100000)]
    pub(crate) system: Option<String>,
    /// Randomness.
    #[schema(minimum = 0, maximum = 2)]
    pub(crate) temperature: Option<f64>,
    /// The most tokens of an answer.
    #[schema(minimum = 1, maximum = 2147483647)]
    pub(crate) max_output_tokens: Option<u32>,
}

impl From<SessionSettings> for Settings {
    fn from(settings: SessionSettings) -> Self {
        Self {
            provider: settings.provider,
            model: settings.model,
            key_name: settings.key_name,
            system: settings.system,
            temperature: settings.temperature,
            max_output_tokens: settings.max_output_tokens,
        }
    }
}

impl From<Settings> for SessionSettings {
    fn from(settings: Settings) -> Self {
        let mut own = Self::default();
        own.provider = settings.provider;
        own.model = settings.model;
        own.key_name = settings.key_name;
        own.system = settings.system;
        own.temperature = settings.temperature;
        own.max_output_tokens = settings.max_output_tokens;
        own
    }
}

/// What to change of a session's settings: a field that is absent stays, `null` clears it.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettingsChange {
    #[serde(default, deserialize_with = "edit")]
    #[schema(value_type = Option<String>, max_length = 100)]
    provider: Edit<String>,
    #[serde(default, deserialize_with = "edit")]
    #[schema(value_type = Option<String>, max_length = 200)]
    model: Edit<String>,
    #[serde(default, deserialize_with = "edit")]
    #[schema(value_type = Option<String>, max_length = 100)]
    key_name: Edit<String>,
    #[serde(default, deserialize_with = "edit")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100000)]
    system: Edit<String>,
    #[serde(default, deserialize_with = "edit")]
    #[schema(value_type = Option<f64>, minimum = 0, maximum = 2)]
    temperature: Edit<f64>,
    #[serde(default, deserialize_with = "edit")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 2147483647)]
    max_output_tokens: Edit<u32>,
}

/// A field that may be absent, `null` or a value; absent is the type's default.
pub(crate) fn edit<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Edit<T>, D::Error> {
    Ok(Option::deserialize(deserializer)?.map_or(Edit::Clear, Edit::Set))
}

impl SettingsChange {
    pub(crate) fn apply(&self, settings: &mut SessionSettings) {
        fn set<T: Clone>(field: &mut Option<T>, edit: &Edit<T>) {
            match edit {
                Edit::Keep => {}
                Edit::Clear => *field = None,
                Edit::Set(value) => *field = Some(value.clone()),
            }
        }
        set(&mut settings.provider, &self.provider);
        set(&mut settings.model, &self.model);
        set(&mut settings.key_name, &self.key_name);
        set(&mut settings.system, &self.system);
        set(&mut settings.temperature, &self.temperature);
        set(&mut settings.max_output_tokens, &self.max_output_tokens);
    }
}

/// A conversation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Session {
    id: Uuid,
    /// Whose it is.
    user_id: Uuid,
    title: Option<String>,
    settings: Settings,
    /// The last message of the branch in use.
    leaf_id: Option<Uuid>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    /// The latest 200 messages of the branch in use, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Vec<Message>>,
}

impl From<(Uuid, aurax::Session)> for Session {
    fn from((user_id, session): (Uuid, aurax::Session)) -> Self {
        Self {
            id: session.id,
            user_id,
            title: session.title,
            settings: session.settings.into(),
            leaf_id: session.leaf,
            created_at: session.created_at,
            updated_at: session.updated_at,
            messages: None,
        }
    }
}

impl Session {
    pub(crate) fn with_messages(mut self, turns: Vec<Turn>) -> Self {
        let user = self.user_id;
        self.messages = Some(turns.into_iter().map(|turn| (user, turn).into()).collect());
        self
    }
}

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MessageRole {
    User,
    Assistant,
    System,
    Developer,
    Tool,
}

impl From<Role> for MessageRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Assistant => Self::Assistant,
            Role::System => Self::System,
            Role::Developer => Self::Developer,
            Role::Tool => Self::Tool,
            _ => Self::User,
        }
    }
}

/// How far a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MessageStatus {
    /// It is being generated.
    Running,
    /// It is whole.
    Complete,
    /// It was cut short; what had arrived is here.
    Partial,
    /// It failed before anything arrived.
    Failed,
}

impl From<TurnStatus> for MessageStatus {
    fn from(status: TurnStatus) -> Self {
        match status {
            TurnStatus::Running => Self::Running,
            TurnStatus::Complete => Self::Complete,
            TurnStatus::Partial => Self::Partial,
            _ => Self::Failed,
        }
    }
}

/// One message of a session.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Message {
    pub(crate) id: Uuid,
    /// Whose it is.
    user_id: Uuid,
    session_id: Uuid,
    /// The message it follows; `null` for the first.
    parent_id: Option<Uuid>,
    /// Its place in the order of creation, from 1.
    seq: u64,
    role: MessageRole,
    status: MessageStatus,
    /// The words.
    content: String,
    /// Everything, where there is more than words: pictures, documents, thoughts, tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<std::collections::HashMap<String, serde_json::Value>>>)]
    parts: Option<Vec<Part>>,
    provider: Option<String>,
    model: Option<String>,
    /// All tokens of the call; `null` for what no model said.
    tokens: Option<u64>,
    /// What it cost in US dollars; `null` for what no model said, and where it is not known.
    cost: Amount,
    /// The same as text.
    cost_decimal: Option<String>,
    /// Where the cost is from: `exact`, `reported`, `estimated`, `partial`, `free` or `unpriced`.
    cost_source: Option<&'static str>,
    /// What was used.
    usage: Option<Tokens>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

impl From<(Uuid, Turn)> for Message {
    fn from((user_id, turn): (Uuid, Turn)) -> Self {
        let priced = Priced(turn.cost);
        let tokens = turn.usage.as_ref().map(Tokens::of);
        let is_plain = turn
            .message
            .parts
            .iter()
            .all(|part| matches!(part, Part::Text(_)));
        Self {
            id: turn.id,
            user_id,
            session_id: turn.session_id,
            parent_id: turn.parent_id,
            seq: turn.seq,
            role: turn.message.role.into(),
            status: turn.status.into(),
            content: turn.message.text(),
            parts: (!is_plain).then_some(turn.message.parts),
            provider: turn.provider,
            model: turn.model,
            tokens: tokens.as_ref().map(|tokens| tokens.total),
            cost: priced.amount(),
            cost_decimal: priced.text(),
            cost_source: priced.source(),
            usage: tokens,
            created_at: turn.created_at,
        }
    }
}

/// What a call used.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = TokenUsage)]
pub(crate) struct Tokens {
    input: u64,
    output: u64,
    /// As the provider reported it, else as counted.
    pub(crate) total: u64,
    /// Of the input, what the provider read from its prompt cache.
    cache_read: u64,
    /// Of the input, what the provider wrote to its prompt cache.
    cache_write: u64,
    /// Of the output, what the model thought.
    reasoning: u64,
}

impl Tokens {
    pub(crate) fn of(usage: &Usage) -> Self {
        use aurax::Bucket;
        let buckets = &usage.buckets;
        let (input, output) = (buckets.input_tokens(), buckets.output_tokens());
        let cache_write = buckets.get(Bucket::CacheWrite);
        Self {
            input,
            output,
            total: usage.reported.total.unwrap_or(input.saturating_add(output)),
            cache_read: buckets.get(Bucket::CacheRead),
            cache_write: cache_write.saturating_add(buckets.get(Bucket::CacheWrite1h)),
            reasoning: buckets.get(Bucket::Reasoning),
        }
    }
}
