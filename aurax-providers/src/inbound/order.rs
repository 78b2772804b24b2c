//! Tool calls of a stream, brought into an order in which they do not interleave.
//!
//! Clients that put calls together from their pieces take them one after another; some providers
//! send pieces of several calls in turns.

use std::collections::HashMap;

use aurax_core::ToolCallStart;

/// A piece of a call that may be written now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Start {
        index: usize,
        start: &'a ToolCallStart,
    },
    Arguments {
        index: usize,
        text: &'a str,
    },
}

/// The calls of one choice.
#[derive(Debug, Default)]
pub(crate) struct Order {
    calls: Vec<Queued>,
    /// The newest call of each part.
    places: HashMap<u32, usize>,
    /// The number of the call that is being written.
    open: usize,
}

#[derive(Debug)]
struct Queued {
    start: ToolCallStart,
    waiting: String,
    is_written: bool,
    progress: Progress,
}

impl Order {
    /// How many calls there are.
    #[cfg(feature = "openai")]
    pub(crate) fn len(&self) -> usize {
        self.calls.len()
    }

    /// True while a call is written whose end has not come.
    #[cfg(feature = "anthropic")]
    pub(crate) fn is_writing(&self) -> bool {
        let open = self.calls.get(self.open);
        open.is_some_and(|call| !call.progress.is_complete())
    }

    /// The call a part is; `None` where it is none.
    pub(crate) fn call(&self, part: u32) -> Option<&ToolCallStart> {
        let at = self.places.get(&part)?;
        self.calls.get(*at).map(|call| &call.start)
    }

    /// Takes the start of a call. One that is repeated may say the name that was missing; a call
    /// without a name is not written while there may be one.
    pub(crate) fn start(
        &mut self,
        part: u32,
        start: &ToolCallStart,
        write: &mut impl FnMut(Piece<'_>),
    ) {
        let at = self.places.get(&part).copied();
        let known = at.and_then(|at| self.calls.get_mut(at));
        match known.filter(|call| start.id.is_empty() || call.start.id == start.id) {
            Some(call) if call.is_written || start.name.is_empty() => {}
            Some(call) => call.start.name.clone_from(&start.name),
            None => {
                self.places.insert(part, self.calls.len());
                self.calls.push(Queued {
                    start: start.clone(),
                    waiting: String::new(),
                    is_written: false,
                    progress: Progress::default(),
                });
            }
        }
        self.advance(write);
    }

    /// Takes arguments of a call.
    pub(crate) fn arguments(&mut self, part: u32, text: &str, write: &mut impl FnMut(Piece<'_>)) {
        let Some(index) = self.places.get(&part).copied() else {
            return;
        };
        if let Some(call) = self.calls.get_mut(index) {
            // Some providers' word for no arguments.
            if !call.progress.has_begun && text.trim() == "null" {
                return;
            }
            call.progress.read(text);
            // What follows a complete call belongs to it all the same.
            if call.is_written {
                write(Piece::Arguments { index, text });
            } else {
                call.waiting.push_str(text);
            }
        }
        self.advance(write);
    }

    /// Writes what waits: nothing more will come.
    pub(crate) fn finish(&mut self, write: &mut impl FnMut(Piece<'_>)) {
        self.begin(write);
        while self.next() {
            self.begin(write);
        }
    }

    /// Writes what waits, and no arguments as an empty object.
    #[cfg(feature = "openai")]
    pub(crate) fn finish_complete(&mut self, write: &mut impl FnMut(Piece<'_>)) {
        loop {
            self.begin(write);
            if let Some(call) = self.calls.get_mut(self.open)
                && !std::mem::replace(&mut call.progress.has_begun, true)
            {
                let (index, text) = (self.open, "{}");
                write(Piece::Arguments { index, text });
            }
            if !self.next() {
                break;
            }
        }
    }

    fn advance(&mut self, write: &mut impl FnMut(Piece<'_>)) {
        while let Some(call) = self.calls.get(self.open) {
            if !call.is_written && call.start.name.is_empty() {
                break;
            }
            let is_complete = call.progress.is_complete();
            self.begin(write);
            if !is_complete || !self.next() {
                break;
            }
        }
    }

    /// Writes the start of the call whose turn it is, and what came of it.
    fn begin(&mut self, write: &mut impl FnMut(Piece<'_>)) {
        let index = self.open;
        let Some(call) = self.calls.get_mut(index) else {
            return;
        };
        if std::mem::replace(&mut call.is_written, true) {
            return;
        }
        let start = &call.start;
        write(Piece::Start { index, start });
        let text = &std::mem::take(&mut call.waiting);
        if !text.is_empty() {
            write(Piece::Arguments { index, text });
        }
    }

    /// Goes on to the next call; false where there is none.
    fn next(&mut self) -> bool {
        let index = self.open.saturating_add(1);
        let is_there = index < self.calls.len();
        if is_there {
            self.open = index;
        }
        is_there
    }
}

/// How far an object has come, read text by text.
#[derive(Debug, Default)]
struct Progress {
    has_begun: bool,
    depth: usize,
    in_text: bool,
    escaped: bool,
    closed: bool,
}

impl Progress {
    fn read(&mut self, text: &str) {
        self.has_begun |= !text.trim().is_empty();
        for byte in text.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_text => self.escaped = true,
                b'"' => self.in_text = !self.in_text,
                b'{' | b'[' if !self.in_text => self.depth = self.depth.saturating_add(1),
                b'}' | b']' if !self.in_text => {
                    self.depth = self.depth.saturating_sub(1);
                    self.closed |= self.depth == 0;
                }
                _ => {}
            }
        }
    }

    const fn is_complete(&self) -> bool {
        self.closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written of pieces: `#id` and `#id/name` begin a call, anything else is arguments.
    fn log(pieces: &[(u32, &str)]) -> Vec<String> {
        let mut order = Order::default();
        let mut out = Vec::new();
        let mut write = |piece: Piece<'_>| {
            out.push(match piece {
                Piece::Start { index, start } if start.name != "f" => {
                    format!("{index} {}/{}", start.id, start.name)
                }
                Piece::Start { index, start } => format!("{index} {}", start.id),
                Piece::Arguments { index, text } => format!("{index}+{text}"),
            });
        };
        for (part, text) in pieces {
            match text.strip_prefix('#') {
                Some(call) => {
                    let (id, name) = call.split_once('/').unwrap_or((call, "f"));
                    order.start(*part, &ToolCallStart::new(id, name), &mut write);
                }
                None => order.arguments(*part, text, &mut write),
            }
        }
        order.finish(&mut write);
        out
    }

    #[test]
    fn calls_one_after_another_pass_at_once() {
        let pieces = [
            (7, "#a"),
            (7, "{\"x\":\"}"),
            (7, "\"}"),
            (9, "#b"),
            (9, "{}"),
        ];
        assert_eq!(
            log(&pieces),
            ["0 a", "0+{\"x\":\"}", "0+\"}", "1 b", "1+{}"]
        );
    }

    #[test]
    fn a_later_call_waits_for_the_one_before() {
        let pieces = [
            (7, "#a"),
            (9, "#b"),
            (9, "{"),
            (7, "{"),
            (9, "}"),
            (7, "}"),
            (9, " "),
        ];
        assert_eq!(log(&pieces), ["0 a", "0+{", "0+}", "1 b", "1+{}", "1+ "]);
    }

    #[test]
    fn null_is_no_arguments() {
        assert_eq!(log(&[(1, "#a"), (1, "null")]), ["0 a"]);
    }

    #[test]
    fn calls_that_never_close_are_written_at_the_end() {
        let pieces = [(1, "#a"), (2, "#b"), (2, "{}"), (3, "#c")];
        assert_eq!(log(&pieces), ["0 a", "1 b", "1+{}", "2 c"]);
    }

    #[test]
    fn a_start_that_is_repeated_is_the_same_call() {
        let pieces = [(1, "#a"), (1, "{"), (1, "#a"), (1, "}"), (1, "#a")];
        assert_eq!(log(&pieces), ["0 a", "0+{", "0+}"]);
        let pieces = [(1, "#a"), (2, "#b"), (2, "#b"), (2, "{}"), (1, "{}")];
        assert_eq!(log(&pieces), ["0 a", "0+{}", "1 b", "1+{}"]);
    }

    #[test]
    fn another_id_in_the_same_part_is_another_call() {
        let pieces = [(1, "#a"), (1, "{}"), (1, "#b"), (1, "{ }")];
        assert_eq!(log(&pieces), ["0 a", "0+{}", "1 b", "1+{ }"]);
    }

    #[test]
    fn many_calls_whose_arguments_come_in_the_wrong_order() {
        const MANY: u32 = 300_000;
        let (mut order, mut written) = (Order::default(), 0);
        let mut write = |piece: Piece<'_>| match piece {
            Piece::Start { index, start } => assert_eq!(start.id, index.to_string()),
            Piece::Arguments { .. } => written += 1,
        };
        for part in 0..MANY {
            order.start(part, &ToolCallStart::new(part.to_string(), "f"), &mut write);
        }
        for part in (0..MANY).rev() {
            order.arguments(part, "{}", &mut write);
        }
        assert_eq!(written, MANY);
    }

    #[test]
    fn a_call_waits_for_its_name() {
        let pieces = [(1, "#a/"), (1, "{"), (2, "#b"), (1, "#a/g"), (1, "}")];
        assert_eq!(log(&pieces), ["0 a/g", "0+{", "0+}", "1 b"]);
        let nameless = [(1, "#a/"), (1, "{}"), (2, "#b")];
        assert_eq!(log(&nameless), ["0 a/", "0+{}", "1 b"]);
    }
}
