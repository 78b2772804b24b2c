//! How a database finds what it is asked for, while a test wants to know.

use std::sync::{Mutex, PoisonError};

use aurax_core::Result;

use super::{Arg, Statement, Transaction};

/// How a statement was carried out, in the database's words.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueryPlan {
    /// The statement's name.
    pub statement: &'static str,
    /// The steps, a line each.
    pub lines: Vec<String>,
}

impl QueryPlan {
    /// The steps that read a table of many rows from one end to the other: `usage_logs`,
    /// `messages`, and their partitions. Of partitions with next to no rows, which PostgreSQL says
    /// cost less than ten pages, that is no fault.
    pub fn scans(&self) -> Vec<&str> {
        let lines = self.lines.iter().map(String::as_str);
        lines.filter(|line| is_scan(line)).collect()
    }
}

fn is_scan(line: &str) -> bool {
    let step = line.trim_start_matches([' ', '-', '>']);
    let starts = ["Seq Scan on ", "Parallel Seq Scan on ", "SCAN "];
    let Some(named) = starts.iter().find_map(|start| step.strip_prefix(start)) else {
        return false;
    };
    // SQLite says how the statement calls it.
    let table = named.split_whitespace().next().unwrap_or_default();
    let is_large = table == "m"
        || table.starts_with("usage_logs")
        || (table.starts_with("messages") && table != "messages_words");
    let cost = named.split_once("..").map(|(_, cost)| cost);
    let pages = cost.and_then(|cost| cost.split_once('.')?.0.parse::<u64>().ok());
    is_large && pages.is_none_or(|pages| pages >= 10)
}

/// The plans that are collected, if they are.
#[derive(Debug, Default)]
pub(crate) struct Plans(Mutex<Option<Vec<QueryPlan>>>);

impl Plans {
    pub(crate) fn collect(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
    }

    pub(crate) fn take(&self) -> Vec<QueryPlan> {
        let mut plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        plans.take().unwrap_or_default()
    }

    /// Asks for the plan of a statement with just these values.
    pub(super) async fn note(
        &self,
        tx: &mut dyn Transaction,
        statement: &Statement,
        args: &[Arg],
    ) -> Result<()> {
        let is_wanted = || self.0.lock().is_ok_and(|plans| plans.is_some());
        if !is_wanted() {
            return Ok(());
        }
        // Leaked: a test does this for a few statements.
        let name = format!("explain {}", statement.name).leak();
        let text = format!(
            "{{pg: EXPLAIN }}{{lite: EXPLAIN QUERY PLAN }}{}",
            statement.text
        )
        .leak();
        let explain = Statement { name, text };
        let rows = tx.rows(&explain, args).await?;
        let lines = rows
            .iter()
            .map(|row| row.text("detail").or_else(|_| row.text("QUERY PLAN")))
            .collect::<Result<Vec<_>>>()?;
        let mut plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plans) = plans.as_mut() {
            plans.push(QueryPlan {
                statement: statement.name,
                lines,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::is_scan;

    #[test]
    fn a_scan_is_told_from_a_search() {
        for scan in [
            "SCAN usage_logs",
            "SCAN m",
            "SCAN usage_logs USING INDEX usage_logs_page",
            "    ->  Seq Scan on usage_logs_y2026w41 usage_logs_1  (cost=0.01..181.06 rows=1 width=8)",
            "  ->  Parallel Seq Scan on messages_y2026m11 m_2  (cost=0.00..10.00 rows=9 width=8)",
        ] {
            assert!(is_scan(scan), "{scan}");
        }
        for search in [
            "SEARCH m USING INDEX messages_session (session_id=? AND seq>?)",
            "SCAN json_each VIRTUAL TABLE INDEX 1:",
            "SCAN messages_words VIRTUAL TABLE INDEX 0:M1",
            "  ->  Seq Scan on usage_logs_default usage_logs_11  (cost=0.01..0.01 rows=1 width=150)",
            "  ->  Seq Scan on plans  (cost=0.01..12.50 rows=3 width=40)",
            "  ->  Index Scan using messages_pkey on messages m_2  (cost=0.29..80.32 rows=1 width=32)",
        ] {
            assert!(!is_scan(search), "{search}");
        }
    }
}
