//! The manual as a whole: pages that are made are up to date, links lead somewhere, and the book has every page.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use harness::compat::root;
use harness::links::{broken, links};
use harness::manual::{folder, pages};

type Fault = Box<dyn std::error::Error>;

/// The Markdown files below a folder.
fn markdown(folder: &Path, found: &mut Vec<(PathBuf, String)>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            markdown(&path, found)?;
        } else if path.extension().is_some_and(|ext| ext == "md") {
            let text = fs::read_to_string(&path)?;
            found.push((path, text));
        }
    }
    Ok(())
}

fn all_pages() -> Result<Vec<(PathBuf, String)>, Fault> {
    let mut found = Vec::new();
    markdown(&folder(), &mut found)?;
    for name in ["README.md", "CHANGELOG.md", "tests/README.md"] {
        let path = root().join(name);
        let text = fs::read_to_string(&path)?;
        found.push((path, text));
    }
    found.sort();
    Ok(found)
}

#[test]
fn made_pages_are_up_to_date() -> Result<(), Fault> {
    let stale: Vec<PathBuf> = pages()?
        .into_iter()
        .filter(|page| fs::read_to_string(&page.path).ok().as_ref() != Some(&page.text))
        .map(|page| page.path)
        .collect();
    assert!(stale.is_empty(), "out of date: run `cargo xtask docs`: {stale:#?}");
    Ok(())
}

#[test]
fn links_lead_somewhere() -> Result<(), Fault> {
    let faults = broken(&all_pages()?, &folder());
    assert!(faults.is_empty(), "{faults:#?}");
    Ok(())
}

#[test]
fn the_book_has_every_page() -> Result<(), Fault> {
    let summary = fs::read_to_string(folder().join("SUMMARY.md"))?;
    let listed: BTreeSet<PathBuf> = links(&summary).into_iter().map(|l| folder().join(l.target)).collect();
    let mut found = Vec::new();
    markdown(&folder(), &mut found)?;
    let written: BTreeSet<PathBuf> =
        found.into_iter().map(|(path, _)| path).filter(|path| !path.ends_with("SUMMARY.md")).collect();
    assert_eq!(listed, written, "docs/SUMMARY.md lists every page of docs/, and no other");
    Ok(())
}
