//! A session as a file.

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use serde::{Deserialize, Serialize};

use super::{Conversation, Page, Session, Turn};
use crate::error::{Error, ErrorKind, Result};

/// How a session is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExportFormat {
    /// One JSON document.
    Json,
    /// A line of JSON for the session, and one for each turn.
    JsonLines,
}

/// What the file begins with.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) format: String,
    pub(super) version: u32,
    pub(super) session: Session,
}

impl Header {
    pub(super) const FORMAT: &'static str = "aurax.session";
    pub(super) const VERSION: u32 = 1;
}

/// What is still to be written.
enum Rest {
    Header,
    Turns { page: Page, any: bool },
    Done,
}

struct Export {
    conversation: Conversation,
    format: ExportFormat,
    /// Turns made later are left out: the file is of one moment.
    latest: u64,
    rest: Rest,
}

impl Conversation {
    /// Writes the session, all branches of it, page by page: memory holds one page at a time.
    /// Nothing of a part is lost. [`Sessions::import`](super::Sessions::import) reads it again.
    ///
    /// The stream fails as [`Conversation::record`] and [`Conversation::turns`] do; what it gave
    /// until then is no whole file.
    pub fn export(&self, format: ExportFormat) -> BoxStream<'static, Result<Bytes>> {
        let export = Export {
            conversation: self.clone(),
            format,
            latest: 0,
            rest: Rest::Header,
        };
        stream::try_unfold(export, |mut export| async move {
            let bytes = export.next().await?;
            Ok(bytes.map(|bytes| (bytes, export)))
        })
        .boxed()
    }
}

impl Export {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        match std::mem::replace(&mut self.rest, Rest::Done) {
            Rest::Header => {
                let session = self.conversation.record().await?;
                self.latest = session.turns;
                self.rest = Rest::Turns {
                    page: Page::first().with_limit(Page::MOST),
                    any: false,
                };
                self.header(session).map(Some)
            }
            Rest::Turns { page, any } => {
                let turns = self.conversation.turns(&page).await?;
                let mut bytes = Vec::new();
                let mut any = any;
                for turn in turns.data.iter().filter(|turn| turn.seq <= self.latest) {
                    self.turn(&mut bytes, turn, any)?;
                    any = true;
                }
                match turns.next_cursor {
                    Some(cursor) => {
                        let page = page.after(cursor);
                        self.rest = Rest::Turns { page, any };
                    }
                    None if self.format == ExportFormat::Json => bytes.extend(b"]}\n"),
                    None => {}
                }
                Ok(Some(bytes.into()))
            }
            Rest::Done => Ok(None),
        }
    }

    fn header(&self, session: Session) -> Result<Bytes> {
        let header = Header {
            format: Header::FORMAT.to_owned(),
            version: Header::VERSION,
            session,
        };
        let mut bytes = serde_json::to_vec(&header).map_err(no_json)?;
        match self.format {
            ExportFormat::Json => {
                // The turns go into the same object.
                bytes.pop();
                bytes.extend(b",\"turns\":[\n");
            }
            ExportFormat::JsonLines => bytes.push(b'\n'),
        }
        Ok(bytes.into())
    }

    fn turn(&self, bytes: &mut Vec<u8>, turn: &Turn, follows: bool) -> Result<()> {
        if follows && self.format == ExportFormat::Json {
            bytes.extend(b",\n");
        }
        serde_json::to_writer(&mut *bytes, turn).map_err(no_json)?;
        if self.format == ExportFormat::JsonLines {
            bytes.push(b'\n');
        }
        Ok(())
    }
}

fn no_json(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Internal, "a session has no JSON form").with_source(error)
}
