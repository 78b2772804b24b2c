//! Live chat over WebSocket: one socket, many answers.

mod answers;
mod incoming;
mod outgoing;
mod pace;
mod socket;
mod sockets;
mod upgrade;
mod wire;

pub use sockets::Sockets;
pub(crate) use upgrade::add;
