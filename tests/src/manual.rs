//! The pages of the manual that are made from the project's own tables, so that they cannot say something else.
//!
//! `cargo xtask docs` writes what [`pages`] gives, and the test `manual` compares it with the files. Each page has its source
//! named in its text: a page about bpftrace is made from `tests/compat`, the reference of builtins from their table, the end of
//! a tool's page from the head of its script.

mod builtins;
mod tools;

use std::path::{Path, PathBuf};

use crate::compat;

/// The folder of the manual.
pub fn folder() -> PathBuf {
    compat::root().join("docs")
}

/// A page that is made, or the end of one: its file and its whole text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The file.
    pub path: PathBuf,
    /// All of its text.
    pub text: String,
}

/// All of them, made afresh.
///
/// # Errors
/// A source that cannot be read, and a page whose written part is missing.
pub fn pages() -> Result<Vec<Page>, String> {
    let mut pages = vec![
        Page { path: compat::page_path(), text: compat::page(&compat::sections()?)? },
        Page { path: folder().join("builtins.md"), text: builtins::page() },
    ];
    pages.extend(tools::pages()?);
    Ok(pages)
}

/// The line that parts what is written by hand from what is made.
const MARK: &str = "<!-- What follows is made by `cargo xtask docs`. -->";

/// A page whose first part is written by hand and whose second part, behind [`MARK`], is made.
fn with_made_part(path: &Path, made: &str) -> Result<Page, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let written = text.split(MARK).next().unwrap_or_default().trim_end();
    Ok(Page { path: path.to_owned(), text: format!("{written}\n\n{MARK}\n\n{made}") })
}

/// Text as Markdown that shows just that: code stays as it is, signs with a meaning are escaped elsewhere.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for (index, part) in text.split('`').enumerate() {
        if index > 0 {
            out.push('`');
        }
        for c in part.chars() {
            if index % 2 == 0 && matches!(c, '*' | '_' | '<' | '>' | '[' | ']' | '#') {
                out.push('\\');
            }
            out.push(c);
        }
    }
    out
}

/// Code in a cell of a table, where a bar would end the cell.
fn code_in_cell(code: &str) -> String {
    format!("`{}`", code.replace('|', "\\|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_stays_and_other_signs_are_escaped() {
        assert_eq!(escaped("(*DB).f is `<nil>` or a_b"), "(\\*DB).f is `<nil>` or a\\_b");
        assert_eq!(code_in_cell("a | b"), "`a \\| b`");
    }
}
