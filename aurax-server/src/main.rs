//! The command `aurax`.

fn main() {}
