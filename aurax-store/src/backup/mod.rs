//! Backups: encrypted archives, and which of them to keep.
