//! `cargo xtask docs`: the pages that are made from tests: docs/compatibility.md.

use std::fs;

use harness::compat;

use crate::TaskResult;

/// Writes the pages.
pub fn task(_words: &[String]) -> TaskResult {
    let path = compat::page_path();
    fs::write(&path, compat::page(&compat::sections()?)?)?;
    println!("{}", path.display());
    Ok(true)
}
