//! What bpftrace's language has and what gotrace makes of it: the rows of `tests/compat`, and the page that is made from them.
//!
//! The format is told at the top of `tests/compat/language.txt`. The test `compat` proves each row and compares the page, docs/compatibility.md,
//! with [`page`]; `cargo xtask docs` writes it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// What is known about a feature of bpftrace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// A letter for the subject and a number.
    pub id: String,
    /// What it is, in bpftrace's words.
    pub title: String,
    /// What gotrace makes of it.
    pub status: Status,
    /// What shows that this is so.
    pub proofs: Vec<Proof>,
    /// Why nothing of it can be refused.
    pub always: Option<String>,
}

/// What gotrace makes of a feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// The same means the same.
    Works,
    /// It is there, with this difference.
    Differs(String),
    /// It is an error, for this reason.
    Refused(String),
}

/// Something that can be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// A script that `gotrace check` accepts.
    Accepted(String),
    /// A script that can be read; whether it can be attached depends on the machine.
    Read(String),
    /// A script that `gotrace check` refuses, and how its first error begins.
    Rejected(String, String),
    /// Arguments with which gotrace succeeds, as a shell reads them.
    Command(String),
    /// Arguments that gotrace refuses, and how its message begins.
    Failing(String, String),
}

/// A group of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its heading.
    pub title: String,
    /// Its rows.
    pub rows: Vec<Row>,
}

/// The root of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned()
}

/// The page that is made from the rows.
pub fn page_path() -> PathBuf {
    root().join("docs/compatibility.md")
}

/// The rows of `tests/compat/language.txt`.
pub fn sections() -> Result<Vec<Section>, String> {
    let path = root().join("tests/compat/language.txt");
    read(&fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?)
}

fn read(text: &str) -> Result<Vec<Section>, String> {
    let mut sections: Vec<Section> = Vec::new();
    let mut fresh = true;
    for (index, line) in text.lines().enumerate() {
        let fault = |what: &str| format!("tests/compat/language.txt:{}: {what}", index + 1);
        // A comment is told from a `#include` by its space.
        if line.starts_with("# ") || line == "#" {
            continue;
        }
        if line.is_empty() {
            fresh = true;
            continue;
        }
        if let Some(title) = line.strip_prefix("= ") {
            sections.push(Section { title: title.to_owned(), rows: Vec::new() });
            continue;
        }
        let rows = &mut sections.last_mut().ok_or_else(|| fault("a row before the first heading"))?.rows;
        if std::mem::take(&mut fresh) {
            let (id, title) = line.split_once(' ').ok_or_else(|| fault("wants ID TITLE"))?;
            let (id, title) = (id.to_owned(), title.to_owned());
            rows.push(Row { id, title, status: Status::Works, proofs: Vec::new(), always: None });
            continue;
        }
        let row = rows.last_mut().ok_or_else(|| fault("no row is open"))?;
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        let value = value.to_owned();
        match (key, row.proofs.last_mut()) {
            ("works", _) => row.status = Status::Works,
            ("differs", _) => row.status = Status::Differs(value),
            ("refused", _) => row.status = Status::Refused(value),
            ("always", _) => row.always = Some(value),
            ("+", _) => row.proofs.push(Proof::Accepted(value)),
            ("~", _) => row.proofs.push(Proof::Read(value)),
            ("-", _) => row.proofs.push(Proof::Rejected(value, String::new())),
            ("$", _) => row.proofs.push(Proof::Command(value)),
            ("%", _) => row.proofs.push(Proof::Failing(value, String::new())),
            ("!", Some(Proof::Rejected(_, message) | Proof::Failing(_, message))) => *message = value,
            _ => return Err(fault("is none of works, differs, refused, always, +, ~, -, $, % and !")),
        }
    }
    Ok(sections)
}

/// What the page starts with.
const INTRODUCTION: &str = "\
# gotrace and bpftrace

gotrace means by bpftrace's words what bpftrace means, except where Go programs need another meaning. This page goes through bpftrace's
language (0.27) row by row. It is made from `tests/compat` by `cargo xtask docs`, and a test proves the rows: of each that works there are a
script that is accepted and a wrong one, of each that is refused one that is refused with a message that says so.

";

/// The page.
pub fn page(sections: &[Section]) -> Result<String, String> {
    let mut out = INTRODUCTION.to_owned();
    let rows = || sections.iter().flat_map(|section| &section.rows);
    let count = |f: fn(&Status) -> bool| rows().filter(|row| f(&row.status)).count();
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "Of {} rows {} work, {} work differently and {} are refused.\n",
        rows().count(),
        count(|s| *s == Status::Works),
        count(|s| matches!(s, Status::Differs(_))),
        count(|s| matches!(s, Status::Refused(_)))
    );
    for section in sections {
        let _ = writeln!(out, "## {}\n\n| row | in bpftrace | in gotrace |\n|---|---|---|", section.title);
        for row in &section.rows {
            let status = match &row.status {
                Status::Works => "works".to_owned(),
                Status::Differs(how) => format!("works differently: {how}"),
                Status::Refused(why) => format!("**refused**: {why}"),
            };
            let _ = writeln!(out, "| {} | {} | {} |", row.id, cell(&row.title), cell(&status));
        }
        out.push('\n');
    }
    let path = root().join("tests/compat/tools.txt");
    out += &tools(&fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?);
    Ok(out)
}

/// The table of bpftrace's own tools: a line each, `NAME CHECK | RUN`. The first lines, with `# `, say how it was made.
fn tools(text: &str) -> String {
    let (about, rows): (Vec<&str>, Vec<&str>) =
        text.lines().filter(|line| !line.is_empty()).partition(|line| line.starts_with('#'));
    let about: Vec<&str> = about.iter().map(|line| line.trim_start_matches(['#', ' '])).collect();
    let mut out = format!(
        "## The tools that come with bpftrace\n\n{}\n\n| tool | `gotrace check` | run |\n|---|---|---|\n",
        about.join("\n")
    );
    for row in rows {
        let (name, rest) = row.split_once(' ').unwrap_or((row, ""));
        let (check, run) = rest.split_once(" | ").unwrap_or((rest, ""));
        let _ = writeln!(out, "| `{name}` | {} | {} |", cell(check), cell(run));
    }
    out
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_and_shown() {
        let text = "# about\n= Things\n\nA1 a | b\ndiffers more\n+ begin { }\n- x\n! no\n\nA2 c\nworks\n- #include <a>\n$ -l\n";
        let sections = read(text).unwrap_or_default();
        let rows = sections.first().map(|section| section.rows.clone()).unwrap_or_default();
        let first = Row {
            id: "A1".into(),
            title: "a | b".into(),
            status: Status::Differs("more".into()),
            proofs: vec![Proof::Accepted("begin { }".into()), Proof::Rejected("x".into(), "no".into())],
            always: None,
        };
        assert_eq!(rows.first(), Some(&first));
        assert_eq!(rows.len(), 2);
        let page = page(&sections).unwrap_or_default();
        assert!(page.contains("| A1 | a \\| b | works differently: more |"), "{page}");
        assert!(page.contains("Of 2 rows 1 work, 1 work differently and 0 are refused."), "{page}");
    }

    #[test]
    fn faults_have_lines() {
        assert_eq!(read("A1 a\n"), Err("tests/compat/language.txt:1: a row before the first heading".into()));
        assert!(read("= T\n\nA1 a\n? x\n").is_err_and(|e| e.contains(":4:")));
    }
}
