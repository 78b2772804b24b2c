//! What changed from one text to another, word by word.

use serde::Serialize;
use utoipa::ToSchema;

/// The most pairs of words that are compared; what is beyond is one deletion and one insertion.
const PAIRS: usize = 1_000_000;

/// What became of a piece of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Op {
    /// Both have it.
    Equal,
    /// The second has it alone.
    Insert,
    /// The first has it alone.
    Delete,
}

/// A piece of text and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Piece {
    pub(crate) op: Op,
    pub(crate) text: String,
}

/// What changed from `old` to `new`. The pieces that are not inserted make up `old`, those that are
/// not deleted `new`, to the letter; a deletion comes before the insertion in its place.
///
/// Its time and memory have a bound: texts that are long and differ throughout are told apart as
/// wholes.
pub(crate) fn words(old: &str, new: &str) -> Vec<Piece> {
    let (old, new) = (split(old), split(new));
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (same, old) = old.split_at(head);
    let (_, new) = new.split_at(head);
    let tail = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let (old, end) = old.split_at(old.len().saturating_sub(tail));
    let (new, _) = new.split_at(new.len().saturating_sub(tail));
    let mut pieces = Pieces::default();
    pieces.all(Op::Equal, same);
    if old.len().saturating_mul(new.len()) > PAIRS {
        pieces.all(Op::Delete, old);
        pieces.all(Op::Insert, new);
    } else {
        middle(old, new, &mut pieces);
    }
    pieces.all(Op::Equal, end);
    pieces.finish()
}

/// Words with the white space after them.
fn split(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (_, after) = rest.split_at(word);
        let space = after.find(|c: char| !c.is_whitespace());
        let end = word.saturating_add(space.unwrap_or(after.len()));
        let (word, after) = rest.split_at(end);
        words.push(word);
        rest = after;
    }
    words
}

/// The longest common subsequence, by a table of how much the ends have in common.
fn middle(old: &[&str], new: &[&str], pieces: &mut Pieces) {
    let width = new.len().saturating_add(1);
    let mut table = vec![0_u32; old.len().saturating_add(1).saturating_mul(width)];
    let at = |row: usize, column: usize| row.saturating_mul(width).saturating_add(column);
    let read = |table: &[u32], row, column| table.get(at(row, column)).copied().unwrap_or(0);
    for (row, before) in old.iter().enumerate().rev() {
        for (column, after) in new.iter().enumerate().rev() {
            let (below, beside) = (row.saturating_add(1), column.saturating_add(1));
            let common = if before == after {
                read(&table, below, beside).saturating_add(1)
            } else {
                read(&table, below, column).max(read(&table, row, beside))
            };
            if let Some(cell) = table.get_mut(at(row, column)) {
                *cell = common;
            }
        }
    }
    let (mut row, mut column) = (0_usize, 0_usize);
    loop {
        let (below, beside) = (row.saturating_add(1), column.saturating_add(1));
        match (old.get(row), new.get(column)) {
            (Some(before), Some(after)) if before == after => {
                pieces.push(Op::Equal, before);
                (row, column) = (below, beside);
            }
            (Some(before), Some(_)) if read(&table, below, column) >= read(&table, row, beside) => {
                pieces.push(Op::Delete, before);
                row = below;
            }
            (_, Some(after)) => {
                pieces.push(Op::Insert, after);
                column = beside;
            }
            (Some(before), None) => {
                pieces.push(Op::Delete, before);
                row = below;
            }
            (None, None) => return,
        }
    }
}

/// Pieces, of which neighbours with the same fate are one.
#[derive(Default)]
struct Pieces {
    done: Vec<Piece>,
    deleted: String,
    inserted: String,
}

impl Pieces {
    fn all(&mut self, op: Op, words: &[&str]) {
        for word in words {
            self.push(op, word);
        }
    }

    fn push(&mut self, op: Op, word: &str) {
        match op {
            Op::Delete => self.deleted.push_str(word),
            Op::Insert => self.inserted.push_str(word),
            Op::Equal => {
                self.changed();
                match self.done.last_mut() {
                    Some(last) if last.op == Op::Equal => last.text.push_str(word),
                    _ => self.done.push(Piece {
                        op,
                        text: word.to_owned(),
                    }),
                }
            }
        }
    }

    fn changed(&mut self) {
        for (op, text) in [
            (Op::Delete, &mut self.deleted),
            (Op::Insert, &mut self.inserted),
        ] {
            if !text.is_empty() {
                let text = std::mem::take(text);
                self.done.push(Piece { op, text });
            }
        }
    }

    fn finish(mut self) -> Vec<Piece> {
        self.changed();
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(old: &str, new: &str) -> String {
        let pieces = words(old, new);
        let side = |gone: Op| -> String {
            let kept = pieces.iter().filter(|piece| piece.op != gone);
            kept.map(|piece| piece.text.as_str()).collect()
        };
        assert_eq!(
            (side(Op::Insert).as_str(), side(Op::Delete).as_str()),
            (old, new)
        );
        for pair in pieces.windows(2) {
            assert_ne!(pair[0].op, pair[1].op);
        }
        let mark = |piece: &Piece| match piece.op {
            Op::Equal => piece.text.clone(),
            Op::Insert => format!("+[{}]", piece.text),
            Op::Delete => format!("-[{}]", piece.text),
        };
        pieces.iter().map(mark).collect()
    }

    #[test]
    fn words_that_changed_are_told_from_those_that_did_not() {
        for (old, new, expected) in [
            ("", "", ""),
            ("", "a b", "+[a b]"),
            ("a b", "", "-[a b]"),
            ("a b c", "a b c", "a b c"),
            ("a b c", "a x c", "a -[b ]+[x ]c"),
            ("a b c d", "a c d e", "a -[b ]c -[d]+[d e]"),
            ("the cat sat", "the black cat sat", "the +[black ]cat sat"),
            (" a\n\nb", " a\nb", " -[a\n\n]+[a\n]b"),
            ("één twee", "één drie", "één -[twee]+[drie]"),
        ] {
            assert_eq!(marked(old, new), expected);
        }
    }

    #[test]
    fn the_most_in_common_is_kept() {
        let pieces = words("a b c a b b a ", "c b a b a c ");
        let kept: String = pieces
            .iter()
            .filter(|piece| piece.op == Op::Equal)
            .map(|piece| piece.text.as_str())
            .collect();
        assert_eq!(kept.split_whitespace().count(), 4, "{pieces:?}");
    }

    #[test]
    fn long_texts_that_differ_throughout_are_told_apart_as_wholes() {
        let text = |word: &str| format!("same {} end", format!("{word} ").repeat(2_000));
        let pieces = words(&text("a"), &text("b"));
        let ops: Vec<Op> = pieces.iter().map(|piece| piece.op).collect();
        assert_eq!(ops, [Op::Equal, Op::Delete, Op::Insert, Op::Equal]);
    }
}
