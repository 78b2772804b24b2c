//! A talk on a terminal.

use std::io::BufRead as _;

use tokio::sync::mpsc;

use super::Talk;
use crate::cli::exit::{self, Done, Failure};
use crate::cli::interrupt::Interrupts;
use crate::cli::print::Style;
use crate::cli::words;

/// The longest line that is read, in bytes.
const MOST: usize = 1 << 20;

/// Asks line by line, until there are no more. A turn that fails does not end it.
pub(super) async fn converse(talk: &Talk<'_>, interrupts: &mut Interrupts) -> Done {
    let out = &talk.shell.out;
    let model = super::model::asked(talk).await?.model;
    out.remark(format!("Talking to {model}. End with Ctrl-D."));
    let mut images = talk.chat.image.clone();
    let mut lines = lines();
    loop {
        talk.shell
            .out
            .part(&format!("\n{} ", talk.shell.out.paint(Style::Bold, "›")))?;
        let line = tokio::select! {
            line = lines.recv() => line,
            () = interrupts.next() => return Err(Failure::interrupted()),
        };
        let Some(line) = line else {
            talk.shell.out.line("")?;
            return Ok(());
        };
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        // Pictures go with the first question.
        let message = words::message(line.trim(), &std::mem::take(&mut images))?;
        match talk.turn(message, interrupts).await {
            Err(Failure::Closed) => return Err(Failure::Closed),
            Err(failure) => {
                exit::report(&failure);
            }
            Ok(()) => {}
        }
    }
}

/// Lines of standard input as they are typed. The thread that reads them ends with the process.
fn lines() -> mpsc::Receiver<Done<String>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::task::spawn_blocking(move || {
        let mut input = std::io::stdin().lock();
        loop {
            let mut line = String::new();
            let read = std::io::Read::take(&mut input, MOST as u64).read_line(&mut line);
            let line = match read {
                Ok(0) => return,
                Ok(_) => Ok(line),
                Err(error) => {
                    let what = error.kind();
                    Err(Failure::usage(format!(
                        "standard input cannot be read as text: {what}"
                    )))
                }
            };
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
