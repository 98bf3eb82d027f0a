//! The end-to-end suite as a list of tests: every case of `tests/cases` in every variant, by the name `file::name[release mode]`.
//!
//! `tests/tests/cases.rs` runs them; `cargo xtask vm` chooses from them what a virtual machine runs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::case::{Case, parse};
use crate::judge::{Variant, variants};

/// Names a file with the names of the tests to run, one a line; all others are left out.
pub const CHOSEN: &str = "GOTRACE_CASES";

/// One test.
#[derive(Debug, Clone)]
pub struct Test {
    /// Its whole name.
    pub name: String,
    /// What is run and expected.
    pub case: Arc<Case>,
    /// On which build of the target.
    pub variant: Variant,
}

/// The folder of the harness: cases, target programs, and this crate.
pub fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All tests, in the order of files and cases; with [`CHOSEN`] in the environment, those that it names.
pub fn tests() -> Result<Vec<Test>, String> {
    let cases = folder().join("cases");
    let listing = fs::read_dir(&cases).map_err(|e| format!("{}: {e}", cases.display()))?;
    let mut files: Vec<PathBuf> = listing.filter_map(Result::ok).map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|ext| ext == "txt"));
    files.sort();
    let mut tests = Vec::new();
    for path in files {
        let text = read(&path)?;
        let file = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for case in parse(&path.display().to_string(), &text).map_err(|e| e.to_string())? {
            let case = Arc::new(case);
            let named = |(suffix, variant)| {
                let name = format!("{file}::{}{suffix}", case.name);
                Test { name, case: Arc::clone(&case), variant }
            };
            tests.extend(variants(&case).into_iter().map(named));
        }
    }
    if let Some(list) = std::env::var_os(CHOSEN) {
        let list = read(Path::new(&list))?;
        let chosen: BTreeSet<&str> = list.lines().collect();
        tests.retain(|test| chosen.contains(test.name.as_str()));
    }
    Ok(tests)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}
