//! The server of AURAX: the documented REST API and WebSocket over one engine and one store.

pub mod boot;
pub mod cli;
pub mod config;
