//! `gotrace check`: parses and type-checks scripts. That this kernel lacks a kind of probe is told and no error: scripts are checked
//! for other machines too.

use super::script::{Messages, Source};
use super::{CliError, Color, import};
use crate::env::Host;
use std::path::PathBuf;

/// Checks all scripts; problems of each are shown.
pub(super) fn check(scripts: &[String], import_dirs: &[PathBuf], color: Color) -> Result<u8, CliError> {
    let mut failed = false;
    for script in scripts {
        let source = Source::open(script).and_then(|source| import::resolve(source, import_dirs));
        let host = Host::new(None, Vec::new()).allowing_unsafe(true).checking_only();
        let result = source.and_then(|source| {
            let parsed = source.parse()?;
            source.check(&parsed, &host, Messages { color, no_warnings: false })
        });
        match result {
            Ok(_) => {
                for lack in host.lacking() {
                    eprintln!("{script}: accepted; this kernel cannot run it: {lack}");
                }
            }
            Err(error) => {
                error.report(color);
                failed = true;
            }
        }
    }
    Ok(u8::from(failed))
}
