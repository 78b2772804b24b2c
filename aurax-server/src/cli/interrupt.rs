//! Ctrl-C, and the signal that ends a service.

use std::io;

use aurax::{Error, ErrorKind};
use tokio::sync::mpsc;

use super::exit::Failure;

/// Interrupts as they come; one that comes while another waits to be seen is the same.
#[derive(Debug)]
pub(super) struct Interrupts(mpsc::Receiver<()>);

impl Interrupts {
    pub(super) fn new() -> Result<Self, Failure> {
        let (sender, receiver) = mpsc::channel(1);
        listen(sender).map_err(|error| {
            let message = format!("the system gives no signals: {error}");
            Error::new(ErrorKind::Internal, message)
        })?;
        Ok(Self(receiver))
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

fn tell(sender: &mpsc::Sender<()>) {
    if sender.try_send(()).is_err() {
        tracing::trace!("an interrupt waits already, and stands for both");
    }
}

#[cfg(unix)]
fn listen(sender: mpsc::Sender<()>) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                () = sender.closed() => return,
            }
            tell(&sender);
        }
    });
    Ok(())
}

#[cfg(not(unix))]
fn listen(sender: mpsc::Sender<()>) -> io::Result<()> {
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() && !sender.is_closed() {
            tell(&sender);
        }
    });
    Ok(())
}
