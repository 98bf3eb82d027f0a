//! `gotrace fmt`: scripts in the usual layout.

use super::script::Source;
use super::{CliError, answer};
use std::path::PathBuf;

/// Shows scripts in the usual layout, or writes them back.
pub(super) fn fmt(scripts: &[String], write: bool) -> Result<u8, CliError> {
    for name in scripts {
        let source = Source::open(name)?;
        let text = lang::reformat(&source.name, &source.text).map_err(|problems| source.errors(problems))?;
        if !write {
            answer::print(&text)?;
        } else if text != source.text {
            let path = PathBuf::from(name);
            std::fs::write(&path, text).map_err(|source| CliError::File { path, source })?;
        }
    }
    Ok(0)
}
