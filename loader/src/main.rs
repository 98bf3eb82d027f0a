//! The `gotrace` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    loader::cli::main()
}
