//! `gotrace check`: parses and type-checks scripts.

use super::script::{Messages, Source};
use super::{CliError, Color};
use crate::env::Host;

/// Checks all scripts; problems of each are shown.
pub(super) fn check(scripts: &[String], color: Color) -> Result<u8, CliError> {
    let mut failed = false;
    for script in scripts {
        let result = Source::open(script).and_then(|source| {
            let parsed = source.parse()?;
            source.check(
                &parsed,
                &Host::new(None, Vec::new()).allowing_unsafe(true),
                Messages { color, no_warnings: false },
            )
        });
        if let Err(error) = result {
            error.report(color);
            failed = true;
        }
    }
    Ok(u8::from(failed))
}
