//! Diagnostics: what is wrong with a script, where, and what to write instead.
//!
//! Every stage collects [`Problem`]s into [`Problems`] and goes on where it can, so that one run reports several. The
//! driver renders them; the loader builds its own from the [`Span`]s it finds in the program (a verifier rejection, an
//! attach point that the kernel refused).

use crate::excerpt::Excerpts;
use crate::source::Imported;
use crate::span::Span;
use codespan_reporting::diagnostic::{Diagnostic, Label as CodeLabel, Severity as CodeSeverity};
use codespan_reporting::term::termcolor::{Ansi, NoColor, WriteColor};
use codespan_reporting::term::{self, Chars};
use indexmap::IndexSet;
use std::fmt;
use std::io;

/// How bad a problem is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Severity {
    /// The script runs, but perhaps not as meant.
    Warning,
    /// The script cannot run.
    Error,
}

/// A place in the script with a remark.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Label {
    /// The place that is underlined.
    pub span: Span,
    /// The remark beside the underline; may be empty.
    pub text: String,
    /// Underlined with `^` (the place of the problem) rather than `-` (a place that explains it).
    pub primary: bool,
}

/// One thing to tell the user.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[must_use = "a problem must be pushed to the problems"]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// One sentence without a full stop, starting in lower case.
    pub message: String,
    /// The places, the primary one first; none for a problem of the whole script.
    pub labels: Vec<Label>,
    /// Facts that explain it.
    pub notes: Vec<String>,
    /// What to write instead.
    pub help: Vec<String>,
}

impl Problem {
    /// An error at a place.
    pub fn error(span: Span, message: impl Into<String>) -> Problem {
        Problem::new(Severity::Error, Some(span), message.into())
    }

    /// A warning at a place.
    pub fn warning(span: Span, message: impl Into<String>) -> Problem {
        Problem::new(Severity::Warning, Some(span), message.into())
    }

    /// An error that has no place in the script.
    pub fn general(message: impl Into<String>) -> Problem {
        Problem::new(Severity::Error, None, message.into())
    }

    fn new(severity: Severity, span: Option<Span>, message: String) -> Problem {
        let labels =
            span.map(|span| Label { span, text: String::new(), primary: true }).into_iter().collect();
        Problem { severity, message, labels, notes: Vec::new(), help: Vec::new() }
    }

    /// The remark beside the underlined place.
    pub fn at(mut self, text: impl Into<String>) -> Problem {
        if let Some(label) = self.labels.first_mut() {
            label.text = text.into();
        }
        self
    }

    /// Another place that explains the problem.
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Problem {
        self.labels.push(Label { span, text: text.into(), primary: false });
        self
    }

    /// A fact that explains it.
    pub fn note(mut self, text: impl Into<String>) -> Problem {
        self.notes.push(text.into());
        self
    }

    /// What to write instead.
    pub fn help(mut self, text: impl Into<String>) -> Problem {
        self.help.push(text.into());
        self
    }

    /// `help: did you mean …?` when a name is near enough.
    pub fn did_you_mean<'a>(self, name: &str, known: impl IntoIterator<Item = &'a str>) -> Problem {
        match nearest(name, known) {
            Some(near) => self.help(format!("did you mean `{near}`?")),
            None => self,
        }
    }

    /// Writes the problem with the lines of the script it is about.
    fn write(&self, out: &mut dyn WriteColor, files: &mut Excerpts<'_>) -> io::Result<()> {
        files.cut(self.labels.iter().find(|l| l.primary).or(self.labels.first()).map(|l| l.span));
        let severity = match self.severity {
            Severity::Error => CodeSeverity::Error,
            Severity::Warning => CodeSeverity::Warning,
        };
        let labels = self.labels.iter().filter_map(|l| {
            let (file, range) = files.shown(l.span)?;
            let label =
                if l.primary { CodeLabel::primary(file, range) } else { CodeLabel::secondary(file, range) };
            Some(label.with_message(&l.text))
        });
        let labels: Vec<_> = labels.collect();
        let notes = self.notes.iter().map(|n| format!("note: {n}"));
        let help = self.help.iter().map(|h| format!("help: {h}"));
        let diagnostic = Diagnostic::new(severity)
            .with_message(&self.message)
            .with_labels(labels)
            .with_notes(notes.chain(help).collect());
        let config = term::Config { chars: Chars::ascii(), ..term::Config::default() };
        term::emit_to_write_style(out, &config, files, &diagnostic).map_err(io::Error::other)
    }
}

/// The problems of a script, in the order they were found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[must_use = "the problems must be shown"]
pub struct Problems {
    /// A set, because a block that is checked for several attach points has its errors several times.
    list: IndexSet<Problem>,
    /// The files that the script imports.
    imported: Imported,
}

impl Problems {
    /// No problems.
    pub fn new() -> Problems {
        Problems::default()
    }

    /// Adds a problem, unless the very same is there already.
    pub fn push(&mut self, problem: Problem) {
        self.list.insert(problem);
    }

    /// Adds all of another list.
    pub fn extend(&mut self, other: Problems) {
        self.list.extend(other.list);
    }

    /// The same, of a script that imports these files.
    pub fn with_files(self, imported: Imported) -> Problems {
        Problems { imported, ..self }
    }

    /// Moves all places: the script is part of a longer text.
    pub(crate) fn shift(&mut self, by: u32) {
        let shifted = |mut problem: Problem| {
            for label in &mut problem.labels {
                label.span = label.span.shifted(by);
            }
            problem
        };
        self.list = std::mem::take(&mut self.list).into_iter().map(shifted).collect();
    }

    /// Whether any of them is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|p| p.severity == Severity::Error)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The problems.
    pub fn iter(&self) -> indexmap::set::Iter<'_, Problem> {
        self.list.iter()
    }

    /// Leaves out warnings (`--no-warnings`).
    pub fn drop_warnings(&mut self) {
        self.list.retain(|p| p.severity == Severity::Error);
    }

    /// Sorts by place in the script; problems without a place come first.
    pub fn sort(&mut self) {
        self.list.sort_by_key(|p| p.labels.first().map(|l| l.span));
    }

    /// All problems as text; `color` adds ANSI escapes.
    #[must_use]
    pub fn render(&self, source_name: &str, source: &str, color: bool) -> String {
        let mut bytes = Vec::new();
        let mut files = Excerpts::new(source_name, source, &self.imported);
        for problem in &self.list {
            let written = if color {
                problem.write(&mut Ansi::new(&mut bytes), &mut files)
            } else {
                problem.write(&mut NoColor::new(&mut bytes), &mut files)
            };
            debug_assert!(written.is_ok(), "writing to memory does not fail and ranges are clamped");
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Problems {
        Problems { list: IndexSet::from([problem]), ..Problems::default() }
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = indexmap::set::IntoIter<Problem>;
    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = indexmap::set::Iter<'a, Problem>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// One line per problem, without source text.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for p in &self.list {
            let severity = if p.severity == Severity::Error { "error" } else { "warning" };
            writeln!(f, "{severity}: {}", p.message)?;
        }
        Ok(())
    }
}

/// The known name that is nearest to a mistyped one; `None` when none is near.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = folded(name);
    let limit = match wanted.len() {
        0..=4 => 1,
        5 => 2,
        n => n / 3 + 1,
    };
    known
        .into_iter()
        .filter_map(|k| {
            let letters = folded(k);
            let distance = distance_within(&wanted, &letters, limit)?;
            (distance < letters.len().max(2) && k != name).then_some((distance, k))
        })
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, k)| k)
}

/// The characters of a name in lower case.
fn folded(name: &str) -> Vec<char> {
    name.chars().flat_map(char::to_lowercase).collect()
}

/// Number of characters to insert, remove, replace or swap (neighbours) to make one text the other, if it is at most `limit`. Texts that
/// differ much, as most names of a kernel do, cost little.
#[must_use]
pub fn edit_distance(a: &str, b: &str, limit: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > 4 * limit {
        return None;
    }
    distance_within(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>(), limit)
}

fn distance_within(a: &[char], b: &[char], limit: usize) -> Option<usize> {
    if least_distance(a, b) > limit {
        return None;
    }
    Some(distance(a, b)).filter(|distance| *distance <= limit)
}

/// What the distance is at least: by the lengths, and by how often each character is in the two, whatever the order.
fn least_distance(a: &[char], b: &[char]) -> usize {
    let mut more = [0i32; 64];
    // Characters that share a number can only make the difference smaller.
    let number = |c: &char| *c as usize % 64;
    a.iter().for_each(|c| more[number(c)] += 1);
    b.iter().for_each(|c| more[number(c)] -= 1);
    let only = |sign: i32| more.iter().map(|n| (n * sign).max(0)).sum::<i32>().unsigned_abs() as usize;
    only(1).max(only(-1))
}

fn distance(a: &[char], b: &[char]) -> usize {
    // Rows i-2, i-1 and i of the matrix of distances between prefixes.
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_very_long_line_is_not_shown_whole() {
        let (before, after) = ("x = 1; ".repeat(1000), " y = 2;".repeat(1000));
        let source = format!("a;\n{before}wrong{after}");
        let at = before.len() + 3;
        let place = Span::new(at, at + 5);
        let problem =
            Problem::error(place, "this").label(Span::new(4, 5), "far away").label(Span::new(0, 1), "above");
        let shown = Problems::from(problem).render("x.gt", &source, false);
        assert!(
            shown.contains("x.gt:2:7001") && shown.contains("wrong") && shown.contains("^^^^^"),
            "{shown}"
        );
        assert!(shown.contains("above") && !shown.contains("far away") && shown.len() < 700, "{shown}");
    }

    #[test]
    fn distances() {
        assert_eq!(edit_distance("", "abc", 3), Some(3));
        assert_eq!(edit_distance("", "abc", 2), None);
        assert_eq!(edit_distance("prinft", "printf", 1), Some(1));
        assert_eq!(edit_distance("kitten", "sitting", 3), Some(3));
        assert_eq!(edit_distance("abcdef", "uvwxyz", 5), None);
    }

    #[test]
    fn nearest_names() {
        assert_eq!(nearest("prinf", ["print", "printf", "pid"]), Some("print"));
        assert_eq!(nearest("ustak", ["kstack", "ustack"]), Some("ustack"));
        assert_eq!(nearest("frobnicate", ["count", "pid"]), None);
        assert_eq!(nearest("x", ["pid"]), None);
    }

    #[test]
    fn rendering_shows_place_note_and_help() {
        let source = "begin { prnt(1) }\n";
        let problem = Problem::error(Span::new(8, 12), "unknown function `prnt`")
            .at("not a function")
            .label(Span::new(0, 5), "in this probe")
            .note("functions are listed in the manual")
            .did_you_mean("prnt", ["print"]);
        assert_text!(Problems::from(problem).render("a.gt", source, false));
    }

    #[test]
    fn ranges_outside_the_source_are_clamped() {
        let problem = Problem::error(Span::new(2, 500), "x");
        assert!(Problems::from(problem).render("a.gt", "aé", true).contains("a.gt"));
    }
}
