//! The tool calls of one choice, as they arrive.

use aurax_core::{Delta, Native, Origin, Result, ToolCallStart};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::digest::{base62, hash};
use crate::object::{Object, items};
use crate::parts::{MOST_CALLS, too_many};

/// The kind of the native part a call of a custom tool is kept in: its input is no JSON.
const CUSTOM: &str = "custom_tool_call";

/// A call of one choice, with the place it is listed at.
#[derive(Debug)]
struct Called {
    place: u32,
    /// The number the stream gives it.
    index: Option<u32>,
    id: String,
    name: String,
    /// Input of a custom tool; such a call is delivered when it is complete.
    input: Option<String>,
    /// Arguments that came before the name.
    waiting: String,
    is_announced: bool,
}

/// The tool calls of one choice.
#[derive(Debug, Default)]
pub(super) struct Calls(Vec<Called>);

/// What the ids of calls that come without one are made from, so that they are the same however
/// the reply was delivered, and differ between calls, choices, replies and turns of a conversation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seed<'a> {
    pub(super) reply: &'a str,
    pub(super) choice: u32,
    /// The calls there are in the conversation so far.
    pub(super) calls_before: usize,
}

impl Calls {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes a list of calls: `pieces` of them from a stream, else whole ones.
    pub(super) fn read(
        &mut self,
        list: &RawValue,
        pieces: bool,
        seed: Seed<'_>,
        push: &mut impl FnMut(u32, Delta),
    ) -> Result<()> {
        for (place, piece) in (0_u32..).zip(items(list)) {
            let Some(piece) = Object::of(piece) else {
                continue;
            };
            self.piece(piece, (!pieces).then_some(place), seed, push)?;
        }
        Ok(())
    }

    /// Takes `function_call`, the one call of an older form.
    pub(super) fn legacy(
        &mut self,
        call: Object<'_>,
        seed: Seed<'_>,
        push: &mut impl FnMut(u32, Delta),
    ) -> Result<()> {
        self.function(None, Some(0), None, call, seed, push)
    }

    fn piece(
        &mut self,
        mut piece: Object<'_>,
        place: Option<u32>,
        seed: Seed<'_>,
        push: &mut impl FnMut(u32, Delta),
    ) -> Result<()> {
        let index: Option<u32> = piece.read("index");
        let id = piece.text("id");
        if piece.has("custom") {
            let mut custom = piece.object("custom");
            let name = custom.text("name");
            let input = custom.text("input").unwrap_or_default();
            if let Some(call) = self.find(place, index, id, name.as_deref(), seed)? {
                call.name = name.unwrap_or_else(|| std::mem::take(&mut call.name));
                call.input.get_or_insert_default().push_str(&input);
            }
            return Ok(());
        }
        let function = piece.object("function");
        self.function(place, index, id, function, seed, push)
    }

    fn function(
        &mut self,
        place: Option<u32>,
        index: Option<u32>,
        id: Option<String>,
        mut function: Object<'_>,
        seed: Seed<'_>,
        push: &mut impl FnMut(u32, Delta),
    ) -> Result<()> {
        let name = function.text("name");
        let arguments = function
            .take("arguments")
            .map(arguments)
            .unwrap_or_default();
        let Some(call) = self.find(place, index, id, name.as_deref(), seed)? else {
            return Ok(());
        };
        // Some servers repeat id and name with every piece; the first ones stand.
        if call.name.is_empty() {
            call.name = name.unwrap_or_default();
        }
        call.waiting.push_str(&arguments);
        if !call.name.is_empty() {
            call.deliver(push);
        }
        Ok(())
    }

    /// The call a piece belongs to: by its place in the list; else by its index, unless another id
    /// and a name say that it is another call; else by its id; else the last one, unless it has a
    /// name.
    fn find(
        &mut self,
        place: Option<u32>,
        index: Option<u32>,
        id: Option<String>,
        name: Option<&str>,
        seed: Seed<'_>,
    ) -> Result<Option<&mut Called>> {
        let known = match (place, index, &id) {
            (Some(_), ..) => None,
            (None, Some(index), id) => self.at_index(index, id.as_deref(), name),
            (None, None, Some(id)) => self.by_id(id),
            (None, None, None) if name.is_none() => self.0.len().checked_sub(1),
            (None, None, None) => None,
        };
        let at = match known {
            Some(at) => at,
            None => {
                let wanted = place.or(index).filter(|place| self.is_free(*place));
                self.begin(wanted, index, id, seed)?
            }
        };
        Ok(self.0.get_mut(at))
    }

    /// Some servers give every call the index 0, and each an id of its own.
    fn at_index(&self, index: u32, id: Option<&str>, name: Option<&str>) -> Option<usize> {
        let at = self.0.iter().rposition(|call| call.index == Some(index))?;
        match id {
            Some(id) if self.0.get(at)?.id != id => {
                self.by_id(id).or_else(|| name.is_none().then_some(at))
            }
            _ => Some(at),
        }
    }

    fn by_id(&self, id: &str) -> Option<usize> {
        self.0.iter().rposition(|call| call.id == id)
    }

    fn is_free(&self, place: u32) -> bool {
        place < MOST_CALLS && self.0.iter().all(|call| call.place != place)
    }

    fn begin(
        &mut self,
        place: Option<u32>,
        index: Option<u32>,
        id: Option<String>,
        seed: Seed<'_>,
    ) -> Result<usize> {
        let at = self.0.len();
        if u32::try_from(at).is_ok_and(|at| at >= MOST_CALLS) {
            return Err(too_many("tool calls", MOST_CALLS));
        }
        let next = self.0.iter().map(|call| call.place).max();
        let next = next.map_or(0, |place| place.saturating_add(1));
        let place = place.unwrap_or(next);
        self.0.push(Called {
            place,
            index,
            id: id.unwrap_or_else(|| seed.id(place)),
            name: String::new(),
            input: None,
            waiting: String::new(),
            is_announced: false,
        });
        Ok(at)
    }

    /// Delivers what waited for a name, and the calls of custom tools.
    pub(super) fn finish(&mut self, origin: &Origin, push: &mut impl FnMut(u32, Delta)) {
        for call in &mut self.0 {
            if let Some(input) = call.input.take() {
                let json = json!({
                    "id": call.id,
                    "type": "custom",
                    "custom": {"name": call.name, "input": input},
                });
                let native = Native::new(Some(origin.clone()), CUSTOM, json.to_string());
                push(call.place, Delta::Native(native));
            } else if !call.is_announced {
                call.deliver(push);
            }
        }
    }
}

impl Called {
    fn deliver(&mut self, push: &mut impl FnMut(u32, Delta)) {
        if !self.is_announced {
            self.is_announced = true;
            let start = ToolCallStart::new(&self.id, &self.name);
            push(self.place, Delta::ToolCall(start));
        }
        if !self.waiting.is_empty() {
            push(
                self.place,
                Delta::Arguments(std::mem::take(&mut self.waiting)),
            );
        }
    }
}

impl Seed<'_> {
    fn id(self, place: u32) -> String {
        let place = format!("{}.{place}.{}", self.choice, self.calls_before);
        format!("call_{}", base62(hash(&[self.reply, &place])))
    }
}

/// Arguments as text: some servers send the object itself.
fn arguments(arguments: &RawValue) -> String {
    match serde_json::from_str(arguments.get()) {
        Ok(Value::String(text)) => text,
        Ok(value) => value.to_string(),
        Err(_) => String::new(),
    }
}
