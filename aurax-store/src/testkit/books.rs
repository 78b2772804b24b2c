//! Everything that is written, as plain rows.

use aurax_core::{Money, Principal, Result, new_id};
use uuid::Uuid;

use crate::catalogue::testkit as sql;
use crate::db::{Row, Statement, args};
use crate::scope::JobScope;
use crate::store::{Store, user_id};

/// An attempt's intent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttemptRow {
    /// The attempt.
    pub id: Uuid,
    /// The request's charge.
    pub charge_id: Uuid,
    /// The request.
    pub request_id: Uuid,
    /// The process that made it.
    pub owner: Uuid,
    /// What it holds against budgets, as JSON.
    pub holds: String,
}

/// What became of an attempt, or a correction of that.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SettlementRow {
    /// The attempt's id, or a correction's own.
    pub id: Uuid,
    /// `settle` or `adjust`.
    pub kind: String,
    /// The attempt.
    pub attempt_id: Uuid,
    /// The request's charge.
    pub charge_id: Uuid,
    /// The request.
    pub request_id: Uuid,
    /// The configured provider.
    pub provider: String,
    /// The model, as the provider takes it.
    pub model: String,
    /// How it ended.
    pub outcome: String,
    /// What was used, as JSON.
    pub usage: Option<String>,
    /// Who said so.
    pub usage_source: Option<String>,
    /// What it cost.
    pub cost: Option<Money>,
    /// How the cost came about.
    pub cost_source: String,
    /// Why it was written, where that is not the ordinary way.
    pub reason: Option<String>,
}

/// A request's charge, or a correction of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChargeRow {
    /// The charge.
    pub id: Uuid,
    /// Who pays.
    pub user_id: Uuid,
    /// The request.
    pub request_id: Uuid,
    /// `chat`, `embeddings`, or `adjust` for a correction.
    pub request_type: String,
    /// The session, where there is one.
    pub session_id: Option<Uuid>,
    /// The answer, in a session.
    pub message_id: Option<Uuid>,
    /// Input tokens.
    pub request_tokens: u64,
    /// Output tokens.
    pub response_tokens: u64,
    /// The amount; `None` when it is not known.
    pub cost: Option<Money>,
    /// How the request ended.
    pub outcome: String,
    /// The API's word for it.
    pub status: String,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageRow {
    /// The message.
    pub id: Uuid,
    /// Its session.
    pub session_id: Uuid,
    /// Whose session.
    pub user_id: Uuid,
    /// The request it came with.
    pub request_id: Option<Uuid>,
    /// Who speaks.
    pub role: String,
    /// What is said.
    pub content: String,
    /// Where it stands.
    pub status: String,
}

/// A budget.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BudgetRow {
    /// The budget.
    pub id: Uuid,
    /// Whose.
    pub user_id: Uuid,
    /// `user`, `access_key` or `tag`.
    pub scope: String,
    /// `day`, `month` or `total`.
    pub period: String,
    /// Whether it refuses.
    pub is_hard: bool,
    /// The most that may be spent.
    pub limit: Money,
    /// What was.
    pub spent: Money,
    /// What is held for requests in flight.
    pub reserved: Money,
}

/// Everything that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Books {
    /// Intents.
    pub attempts: Vec<AttemptRow>,
    /// Settlements and corrections.
    pub settlements: Vec<SettlementRow>,
    /// Charges and corrections.
    pub charges: Vec<ChargeRow>,
    /// Messages.
    pub messages: Vec<MessageRow>,
    /// Budgets.
    pub budgets: Vec<BudgetRow>,
    /// Sessions that a run holds.
    pub busy_sessions: Vec<Uuid>,
}

impl Books {
    /// Reads everything.
    ///
    /// # Errors
    /// `Store` when it cannot be read.
    pub async fn read(store: &Store) -> Result<Self> {
        let jobs = store.jobs();
        Ok(Self {
            attempts: all(&jobs, &sql::ATTEMPTS, attempt).await?,
            settlements: all(&jobs, &sql::SETTLEMENTS, settlement).await?,
            charges: all(&jobs, &sql::CHARGES, charge).await?,
            messages: all(&jobs, &sql::MESSAGES, message).await?,
            budgets: all(&jobs, &sql::BUDGETS, budget).await?,
            busy_sessions: all(&jobs, &sql::BUSY, |row| row.uuid("id")).await?,
        })
    }
}

async fn all<T>(
    jobs: &JobScope,
    statement: &'static Statement,
    read: fn(&Row) -> Result<T>,
) -> Result<Vec<T>> {
    let rows = jobs
        .read(move |tx| Box::pin(async move { tx.rows(statement, &[]).await }))
        .await?;
    rows.iter().map(read).collect()
}

fn attempt(row: &Row) -> Result<AttemptRow> {
    Ok(AttemptRow {
        id: row.uuid("id")?,
        charge_id: row.uuid("charge_id")?,
        request_id: row.uuid("request_id")?,
        owner: row.uuid("owner")?,
        holds: row.text("holds")?,
    })
}

fn settlement(row: &Row) -> Result<SettlementRow> {
    Ok(SettlementRow {
        id: row.uuid("id")?,
        kind: row.text("kind")?,
        attempt_id: row.uuid("attempt_id")?,
        charge_id: row.uuid("charge_id")?,
        request_id: row.uuid("request_id")?,
        provider: row.text("provider")?,
        model: row.text("model")?,
        outcome: row.text("outcome")?,
        usage: row.text_or_null("usage")?,
        usage_source: row.text_or_null("usage_source")?,
        cost: row.money_or_null("cost")?,
        cost_source: row.text("cost_source")?,
        reason: row.text_or_null("reason")?,
    })
}

fn charge(row: &Row) -> Result<ChargeRow> {
    Ok(ChargeRow {
        id: row.uuid("id")?,
        user_id: row.uuid("user_id")?,
        request_id: row.uuid("request_id")?,
        request_type: row.text("request_type")?,
        session_id: row.uuid_or_null("session_id")?,
        message_id: row.uuid_or_null("message_id")?,
        request_tokens: row.count("request_tokens")?,
        response_tokens: row.count("response_tokens")?,
        cost: row.money_or_null("cost_usd")?,
        outcome: row.text("outcome")?,
        status: row.text("status")?,
    })
}

fn message(row: &Row) -> Result<MessageRow> {
    Ok(MessageRow {
        id: row.uuid("id")?,
        session_id: row.uuid("session_id")?,
        user_id: row.uuid("user_id")?,
        request_id: row.uuid_or_null("request_id")?,
        role: row.text("role")?,
        content: row.text("content")?,
        status: row.text("status")?,
    })
}

fn budget(row: &Row) -> Result<BudgetRow> {
    Ok(BudgetRow {
        id: row.uuid("id")?,
        user_id: row.uuid("user_id")?,
        scope: row.text("scope")?,
        period: row.text("period")?,
        is_hard: row.bool("is_hard")?,
        limit: row.money("limit_usd")?,
        spent: row.money("spent")?,
        reserved: row.money("reserved")?,
    })
}

/// Gives a principal a budget without a period.
///
/// # Errors
/// `Store` when it cannot be kept.
pub async fn add_budget(
    store: &Store,
    principal: &Principal,
    is_hard: bool,
    limit: Money,
) -> Result<Uuid> {
    let (id, at, owner) = (new_id(), store.now(), user_id(principal));
    let (scope, subject, period) = ("user", "", "total");
    let args = args! { id, owner, scope, subject, period, is_hard, limit, zero: Money::ZERO, at };
    let written = store.jobs();
    written.run(&sql::ADD_BUDGET, args).await?;
    Ok(id)
}
