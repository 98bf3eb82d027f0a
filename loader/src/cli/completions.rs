//! `gotrace completions`: the script with which a shell completes gotrace's command line.

use super::{Cli, CliError, answer};
use clap::CommandFactory;
use clap_complete::Shell;

/// Shows the script for a shell.
pub(super) fn completions(shell: Shell) -> Result<u8, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "gotrace", &mut script);
    answer::print(&String::from_utf8_lossy(&script))
}
