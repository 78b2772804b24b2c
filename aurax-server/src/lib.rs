//! The server of AURAX: the documented REST API and WebSocket over one engine and one store.

pub mod config;
