//! The store of AURAX: users, keys, sessions, history and the ledger, in SQLite or PostgreSQL.
