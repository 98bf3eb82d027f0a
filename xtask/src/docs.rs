//! `cargo xtask docs`: the pages that are made from tests and tables, and the manual as a book (mdBook) in the target folder.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use harness::manual;

use crate::TaskResult;
use crate::tools::{installed, root, shown, target_dir};

/// The release of mdBook that `book.toml` is written for, without its server.
const MDBOOK: (&str, &str) = ("mdbook", "0.5.4");

/// Writes the pages, then the book.
pub fn task(_words: &[String]) -> TaskResult {
    for page in manual::pages()? {
        if fs::read_to_string(&page.path).ok().as_ref() != Some(&page.text) {
            fs::write(&page.path, &page.text)?;
            println!("{}", page.path.display());
        }
    }
    println!("{}", book()?.join("index.html").display());
    Ok(true)
}

/// Makes the book and returns its folder.
pub fn book() -> Result<PathBuf, Box<dyn Error>> {
    let (name, version) = MDBOOK;
    let mdbook = installed(name, version, &["--no-default-features", "--features", "search"])?;
    let place = target_dir().join("book");
    shown(
        Command::new(mdbook).arg("build").arg("--dest-dir").arg(&place).arg(root()).env("MDBOOK_LOG", "warn"),
    )?;
    Ok(place)
}
