//! The command `aurax`.

use std::process::ExitCode;

fn main() -> ExitCode {
    aurax_server::cli::main()
}
