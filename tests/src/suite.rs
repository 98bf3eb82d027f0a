//! The entry point of test targets that make their tests from files.

use libtest_mimic::{Arguments, Trial};
use std::fmt::Display;
use std::process::ExitCode;

/// Runs the tests that `trials` finds, with the arguments of the command line. When they cannot be found, says why and fails.
pub fn run_suite<E: Display>(trials: impl FnOnce() -> Result<Vec<Trial>, E>) -> ExitCode {
    let arguments = Arguments::from_args();
    match trials() {
        Ok(trials) => libtest_mimic::run(&arguments, trials).exit_code(),
        Err(fault) => {
            eprintln!("error: {fault}");
            ExitCode::FAILURE
        }
    }
}
