//! Budgets as the books see them: what is left, what is held, what was spent.
#![deny(clippy::arithmetic_side_effects, clippy::float_arithmetic)]

use std::collections::BTreeMap;

use aurax_core::{Error, ErrorKind, Exposure, Hold, Money, Opened, Phase, Result};
use serde_json::{Map, Value};
use time::{Date, OffsetDateTime, Time};
use uuid::Uuid;

use super::rows::{amount, micros};
use crate::db::Row;

/// How long a budget counts before it begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Period {
    Day,
    Month,
    Total,
}

impl Period {
    fn parse(text: &str) -> Result<Self> {
        match text {
            "day" => Ok(Self::Day),
            "month" => Ok(Self::Month),
            "total" => Ok(Self::Total),
            _ => Err(Error::new(
                ErrorKind::Internal,
                "a budget's period is unknown",
            )),
        }
    }

    /// When the window that `now` is in began, in UTC.
    fn start(self, now: OffsetDateTime) -> OffsetDateTime {
        let today = now.date();
        let day = match self {
            Self::Day => today,
            Self::Month => today.replace_day(1).unwrap_or(today),
            Self::Total => Date::from_ordinal_date(1970, 1).unwrap_or(today),
        };
        day.with_time(Time::MIDNIGHT).assume_utc()
    }
}

/// One budget, read within the transaction that changes it.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) id: Uuid,
    pub(super) user: Uuid,
    scope: String,
    subject: String,
    period: Period,
    is_hard: bool,
    limit: Money,
    spent: Money,
    reserved: Money,
    unpriced: i64,
    window_start: OffsetDateTime,
    pub(super) is_changed: bool,
}

/// What a call is, as far as budgets ask.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller<'a> {
    pub(super) user: Uuid,
    pub(super) access_key: Option<Uuid>,
    pub(super) tags: &'a BTreeMap<String, String>,
}

/// What a request holds against budgets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Holds(pub(super) Vec<(Uuid, Money)>);

impl Holds {
    pub(super) fn of(&self, budget: Uuid) -> Money {
        let held = self.0.iter().find(|(id, _)| *id == budget);
        held.map_or(Money::ZERO, |(_, amount)| *amount)
    }

    /// Raises what is held.
    pub(super) fn add(&mut self, raises: &Self) -> Result<()> {
        for (budget, raise) in &raises.0 {
            match self.0.iter_mut().find(|(id, _)| id == budget) {
                Some((_, held)) => *held = held.checked_add(*raise)?,
                None => self.0.push((*budget, *raise)),
            }
        }
        Ok(())
    }
}

impl Line {
    pub(super) fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.uuid("id")?,
            user: row.uuid("user_id")?,
            scope: row.text("scope")?,
            subject: row.text("subject")?,
            period: Period::parse(&row.text("period")?)?,
            is_hard: row.bool("is_hard")?,
            limit: row.money("limit_usd")?,
            spent: row.money("spent")?,
            reserved: row.money("reserved")?,
            unpriced: row.int("unpriced")?,
            window_start: row.time("window_start")?,
            is_changed: false,
        })
    }

    fn applies(&self, caller: &Caller<'_>) -> bool {
        self.user == caller.user
            && match self.scope.as_str() {
                "user" => true,
                "access_key" => caller
                    .access_key
                    .is_some_and(|key| key.to_string() == self.subject),
                _ => self.subject.split_once('=').is_some_and(|(name, value)| {
                    caller.tags.get(name).is_some_and(|is| is == value)
                }),
            }
    }

    /// Begins a new window when the old one is over. What is held stays held, and counts in the
    /// window in which it is settled.
    fn roll(&mut self, now: OffsetDateTime) {
        let start = self.period.start(now);
        if start > self.window_start {
            self.window_start = start;
            self.spent = Money::ZERO;
            self.unpriced = 0;
            self.is_changed = true;
        }
    }

    pub(super) const fn is_hard(&self) -> bool {
        self.is_hard
    }

    fn left(&self) -> Result<Money> {
        self.limit
            .checked_sub(self.spent)?
            .checked_sub(self.reserved)
    }

    fn hold(&mut self, raise: Money) -> Result<()> {
        self.reserved = self.reserved.checked_add(raise)?;
        self.is_changed = true;
        Ok(())
    }

    /// Gives back what was held.
    pub(super) fn release(&mut self, held: Money) -> Result<()> {
        let left = self.reserved.checked_sub(held)?;
        if left.is_negative() {
            tracing::error!(budget_id = %self.id, "a budget gave back more than it held");
        }
        self.reserved = if left.is_negative() {
            Money::ZERO
        } else {
            left
        };
        self.is_changed = true;
        Ok(())
    }

    /// Counts a charge, or its correction, in the window of `now`.
    pub(super) fn spend(&mut self, charge: Option<Money>, now: OffsetDateTime) -> Result<()> {
        self.roll(now);
        match charge {
            Some(charge) => self.spent = self.spent.checked_add(charge)?,
            None => self.unpriced = self.unpriced.saturating_add(1),
        }
        self.is_changed = true;
        Ok(())
    }

    pub(super) fn row(&self, now: OffsetDateTime) -> Value {
        let mut row = Map::new();
        row.insert("id".to_owned(), self.id.to_string().into());
        amount(&mut row, "spent", self.spent);
        amount(&mut row, "reserved", self.reserved);
        row.insert("unpriced".to_owned(), self.unpriced.into());
        row.insert("window_start".to_owned(), micros(self.window_start));
        row.insert("updated_at".to_owned(), micros(now));
        row.into()
    }

    fn name(&self) -> String {
        match self.scope.as_str() {
            "user" => "the budget of the user".to_owned(),
            "access_key" => "the budget of the access key".to_owned(),
            _ => format!("the budget of the tag `{}`", self.subject),
        }
    }
}

/// What an attempt asks of its budgets.
pub(super) struct Demand<'a> {
    pub(super) caller: Caller<'a>,
    /// What the request's earlier attempts may cost.
    pub(super) spent: Money,
    /// What is held for the request already.
    pub(super) held: &'a Holds,
    /// What the input of the attempt costs, estimated.
    pub(super) estimate: Money,
}

/// Holds what an attempt may cost against every budget that applies, or says which has no room.
/// Nothing is held where one has none.
pub(super) fn reserve(
    lines: &mut [Line],
    demand: &Demand<'_>,
    exposure: impl FnOnce() -> Result<Exposure>,
    now: OffsetDateTime,
) -> Result<(Opened, Holds)> {
    let mut own: Vec<&mut Line> = lines
        .iter_mut()
        .filter(|line| line.applies(&demand.caller))
        .collect();
    for line in &mut own {
        line.roll(now);
    }
    let mut tightest: Option<(Money, &Line)> = None;
    for line in own.iter().filter(|line| line.is_hard) {
        // What is held for the request is there for its attempts.
        let left = line.left()?.checked_add(demand.held.of(line.id))?;
        let left = left.checked_sub(demand.spent)?;
        if tightest.is_none_or(|(least, _)| left < least) {
            tightest = Some((left, &**line));
        }
    }
    let opened = match tightest {
        None => Opened::default(),
        Some((left, line)) => Opened::held(within(&exposure()?, left, line)?),
    };
    let mut raises = Holds::default();
    for line in own {
        let attempt = match opened.held {
            Some(held) if line.is_hard => held,
            _ => demand.estimate,
        };
        let total = demand.spent.checked_add(attempt)?;
        let raise = total.checked_sub(demand.held.of(line.id))?;
        let raise = if raise.is_negative() {
            Money::ZERO
        } else {
            raise
        };
        line.hold(raise)?;
        raises.0.push((line.id, raise));
    }
    Ok((opened, raises))
}

fn within(exposure: &Exposure, left: Money, line: &Line) -> Result<Hold> {
    exposure.within(left).map_err(|needed| {
        let shown = if left.is_negative() {
            Money::ZERO
        } else {
            left
        };
        let after = match line.period {
            Period::Total => None,
            Period::Day | Period::Month => Some(line.window_start),
        };
        let mut error = Error::new(
            ErrorKind::Budget,
            format!(
                "{} has {shown} dollars left and the call may cost {needed}: lower \
                 max_output_tokens, or raise the budget",
                line.name()
            ),
        )
        .with_phase(Phase::Encode)
        .with_context("budget_id", line.id.to_string());
        if let Some(start) = after {
            error = error.with_context("window_start", start.date().to_string());
        }
        error
    })
}

/// Undoes a reservation that is not used after all.
pub(super) fn undo(lines: &mut [Line], raises: &Holds) -> Result<()> {
    for (budget, raise) in &raises.0 {
        if let Some(line) = lines.iter_mut().find(|line| line.id == *budget) {
            line.release(*raise)?;
        }
    }
    Ok(())
}
