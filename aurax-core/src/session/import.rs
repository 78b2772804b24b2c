//! A session from a file.

use std::collections::HashMap;
use std::pin::pin;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::branch::refuse;
use super::conversation::checked;
use super::export::Header;
use super::{Conversation, Session, SessionChange, Sessions, Turn, TurnStatus};
use crate::error::{Error, Result};
use crate::id::new_id;

/// The most bytes of a document, or of a line.
const LARGEST: usize = 64 << 20;
/// The most turns of a session that is imported: their ids are held.
const MOST_TURNS: u64 = 100_000;
/// Turns kept at a time.
const BATCH: usize = 100;

pub(super) async fn import_document(sessions: &Sessions, bytes: &[u8]) -> Result<Conversation> {
    #[derive(Deserialize)]
    struct Turns {
        turns: Vec<Turn>,
    }
    if bytes.len() > LARGEST {
        return Err(refuse("a session to import has at most 64 MiB: use lines"));
    }
    let header: Header = read(bytes, "the document")?;
    let document: Turns = read(bytes, "the document")?;
    let mut import = Import::begin(sessions, header).await?;
    let mut done = Ok(());
    for turn in document.turns {
        done = import.push(turn).await;
        if done.is_err() {
            break;
        }
    }
    import.end(sessions, done).await
}

pub(super) async fn import_lines(
    sessions: &Sessions,
    lines: impl Stream<Item = Result<Bytes>> + Send,
) -> Result<Conversation> {
    let mut lines = pin!(Lines::new(lines).into_stream());
    let Some(first) = lines.next().await else {
        return Err(refuse("there is no session in it"));
    };
    let header: Header = read(&first?, "line 1")?;
    let mut import = Import::begin(sessions, header).await?;
    let mut done = Ok(());
    let mut number: u64 = 1;
    while let Some(line) = lines.next().await {
        number = number.saturating_add(1);
        done = async { import.push(read(&line?, &format!("line {number}"))?).await }.await;
        if done.is_err() {
            break;
        }
    }
    import.end(sessions, done).await
}

fn read<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T> {
    serde_json::from_slice(bytes)
        .map_err(|error| refuse(format!("{what} is not of an exported session: {error}")))
}

/// Cuts a stream of bytes into lines that are not blank.
struct Lines<S> {
    source: S,
    buffer: Vec<u8>,
    /// Up to here there is no line's end.
    searched: usize,
}

impl<S: Stream<Item = Result<Bytes>> + Send> Lines<S> {
    const fn new(source: S) -> Self {
        Self {
            source,
            buffer: Vec::new(),
            searched: 0,
        }
    }

    fn into_stream(self) -> impl Stream<Item = Result<Vec<u8>>> + Send {
        let Self {
            source,
            buffer,
            searched,
        } = self;
        let state = (Box::pin(source), buffer, searched, false);
        futures::stream::unfold(
            state,
            |(mut source, mut buffer, mut searched, over)| async move {
                if over {
                    return None;
                }
                loop {
                    let found = buffer.iter().skip(searched).position(|byte| *byte == b'\n');
                    if let Some(at) = found {
                        let rest = buffer.split_off(searched.saturating_add(at).saturating_add(1));
                        let line = std::mem::replace(&mut buffer, rest);
                        searched = 0;
                        if is_blank(&line) {
                            continue;
                        }
                        return Some((Ok(line), (source, buffer, searched, false)));
                    }
                    searched = buffer.len();
                    if buffer.len() > LARGEST {
                        let error = refuse("a line has more than 64 MiB");
                        return Some((Err(error), (source, Vec::new(), 0, true)));
                    }
                    match source.next().await {
                        Some(Ok(bytes)) => buffer.extend_from_slice(&bytes),
                        Some(Err(error)) => {
                            return Some((Err(error), (source, Vec::new(), 0, true)));
                        }
                        None if is_blank(&buffer) => return None,
                        None => return Some((Ok(buffer), (source, Vec::new(), 0, true))),
                    }
                }
            },
        )
    }
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

/// A session that is being imported.
struct Import {
    conversation: Conversation,
    leaf: Option<Uuid>,
    /// The new ids by the old ones.
    ids: HashMap<Uuid, Uuid>,
    seq: u64,
    batch: Vec<Turn>,
}

impl Import {
    async fn begin(sessions: &Sessions, header: Header) -> Result<Self> {
        if header.format != Header::FORMAT || header.version != Header::VERSION {
            return Err(refuse(format!(
                "this is `{}`, version {}; `{}`, version {} can be imported",
                header.format,
                header.version,
                Header::FORMAT,
                Header::VERSION
            )));
        }
        let old = header.session;
        if let Some(title) = &old.title {
            checked(title)?;
        }
        let mut session = Session::new(new_id(), old.created_at);
        (session.title, session.settings) = (old.title, old.settings);
        session.updated_at = old.updated_at;
        Ok(Self {
            conversation: sessions.keep(&session).await?,
            leaf: old.leaf,
            ids: HashMap::new(),
            seq: 0,
            batch: Vec::new(),
        })
    }

    async fn push(&mut self, turn: Turn) -> Result<()> {
        self.seq = self.seq.saturating_add(1);
        if self.seq > MOST_TURNS {
            return Err(refuse("a session to import has at most 100,000 turns"));
        }
        let turn = self.renamed(turn)?;
        self.batch.push(turn);
        if self.batch.len() >= BATCH {
            self.flush().await?;
        }
        Ok(())
    }

    /// The turn with ids of its own.
    fn renamed(&mut self, mut turn: Turn) -> Result<Turn> {
        let parent = turn.parent_id.map(|parent| {
            let known = self.ids.get(&parent).copied();
            known.ok_or_else(|| {
                refuse(format!(
                    "the turn `{}` follows `{parent}`, which does not come before it",
                    turn.id
                ))
            })
        });
        let id = new_id();
        if self.ids.insert(turn.id, id).is_some() {
            return Err(refuse(format!("the turn `{}` comes twice", turn.id)));
        }
        if turn.status == TurnStatus::Running {
            // Nobody here goes on with it.
            turn.status = TurnStatus::Partial;
        }
        (turn.id, turn.session_id, turn.seq) = (id, self.conversation.id(), self.seq);
        turn.parent_id = parent.transpose()?;
        Ok(turn)
    }

    async fn flush(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return Ok(());
        }
        let Conversation {
            store,
            principal,
            id,
            ..
        } = &self.conversation;
        store.add(principal, *id, &batch).await
    }

    /// Says where the branch in use ends; what failed leaves nothing behind.
    async fn end(mut self, sessions: &Sessions, done: Result<()>) -> Result<Conversation> {
        let done = match done {
            Ok(()) => self.finish().await,
            Err(error) => Err(error),
        };
        match done {
            Ok(()) => Ok(self.conversation),
            Err(error) => Err(undo(sessions, self.conversation.id(), error).await),
        }
    }

    async fn finish(&mut self) -> Result<()> {
        self.flush().await?;
        if let Some(leaf) = self.leaf {
            let known = self.ids.get(&leaf).copied();
            let leaf = known.ok_or_else(|| {
                refuse(format!(
                    "the session ends with `{leaf}`, which is not in it"
                ))
            })?;
            self.conversation.change(&SessionChange::leaf(leaf)).await?;
        }
        Ok(())
    }
}

async fn undo(sessions: &Sessions, id: Uuid, error: Error) -> Error {
    match sessions.delete(id).await {
        Ok(()) => error,
        Err(second) => error.with_context("not_deleted", second),
    }
}
