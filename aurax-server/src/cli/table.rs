//! Columns that line up.

use super::exit::Done;
use super::print::{Printer, Style, harmless};

/// Where a column's text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// Rows under a heading.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<(&'static str, Side)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(columns: impl Into<Vec<(&'static str, Side)>>) -> Self {
        Self {
            columns: columns.into(),
            rows: Vec::new(),
        }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells = cells
            .into_iter()
            .map(|cell| harmless(&cell).replace(['\n', '\t'], " "));
        self.rows.push(cells.collect());
    }

    pub(super) fn print(&self, out: &Printer) -> Done {
        let widths = self.widths();
        let heading: Vec<_> = self
            .columns
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect();
        out.line(out.paint(Style::Dim, &self.line(&heading, &widths)))?;
        for row in &self.rows {
            out.line(self.line(row, &widths))?;
        }
        Ok(())
    }

    fn widths(&self) -> Vec<usize> {
        let width = |(i, (name, _)): (usize, &(&str, Side))| {
            let cells = self.rows.iter().filter_map(|row| row.get(i));
            let widest = cells.map(|cell| cell.chars().count()).max();
            widest.unwrap_or_default().max(name.chars().count())
        };
        self.columns.iter().enumerate().map(width).collect()
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let columns = self.columns.iter().zip(widths).zip(cells);
        let padded = columns.map(|(((_, side), width), cell)| {
            let space = " ".repeat(width.saturating_sub(cell.chars().count()));
            match side {
                Side::Left => format!("{cell}{space}"),
                Side::Right => format!("{space}{cell}"),
            }
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new([("NAME", Side::Left), ("COST", Side::Right)]);
        table.row(["ä".to_owned(), "$0.1".to_owned()]);
        table.row(["longer".to_owned(), "$12.25".to_owned()]);
        let widths = table.widths();
        let lines: Vec<_> = table
            .rows
            .iter()
            .map(|row| table.line(row, &widths))
            .collect();
        assert_eq!(lines, ["ä         $0.1", "longer  $12.25"]);
    }
}
