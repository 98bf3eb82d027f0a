//! Standard output of everything but a run: listings, dumps, help.

use super::CliError;
use std::io::Write;

/// Prints a text and gives the exit code. A reader that has seen enough of it (`gotrace list | head`) is fine.
pub(super) fn print(text: &str) -> Result<u8, CliError> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(CliError::other(format!("cannot write to standard output: {e}")))
        }
        _ => Ok(0),
    }
}
