//! The command itself: the real binary, in a folder and an environment of its own.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod accounts;
mod backups;
mod chats;
mod codes;
mod home;
mod keys;
mod prices;
mod provider;
mod serving;
mod usage;
