//! Errors that programs count while they run, and messages of the script itself, as they are told to the user: with the place
//! in the script.

use super::json;
use codegen::object::CounterKind;
use lang::hir::Severity;
use lang::span::Span;
use serde_json::Value as Json;

/// Something that went wrong in a program while it ran.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RuntimeError<'a> {
    /// What it was.
    pub kind: CounterKind,
    /// How often since the last report.
    pub count: u64,
    /// Name of the script.
    pub file: &'a str,
    /// Text of the script.
    pub source: &'a str,
    /// Where in the script.
    pub span: Span,
}

/// What a script itself reports with `errorf()` or `warnf()`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScriptMessage<'a> {
    /// Which of the two.
    pub severity: Severity,
    /// Name of the script.
    pub file: &'a str,
    /// Text of the script.
    pub source: &'a str,
    /// The call.
    pub span: Span,
}

impl ScriptMessage<'_> {
    /// On one line, with the place; line ends that the script has put behind it do not count.
    #[must_use]
    pub fn text(&self, message: &[u8]) -> String {
        let Place { line, column, width, .. } = place(self.source, self.span);
        let severity = match self.severity {
            Severity::Error => "ERROR",
            Severity::Warning => "WARNING",
        };
        let (file, end, message) = (self.file, column + width, String::from_utf8_lossy(message));
        format!("{file}:{line}:{column}-{end}: {severity}: {}\n", message.trim_end_matches('\n'))
    }

    /// As an object.
    #[must_use]
    pub fn json(&self, message: &[u8]) -> Json {
        let Place { line, column, .. } = place(self.source, self.span);
        let kind = match self.severity {
            Severity::Error => "errorf",
            Severity::Warning => "warnf",
        };
        let message = String::from_utf8_lossy(message);
        json::object([
            ("type", kind.into()),
            ("msg", message.trim_end_matches('\n').into()),
            ("filename", self.file.into()),
            ("line", line.into()),
            ("col", column.into()),
        ])
    }
}

/// Where a span is in a script.
struct Place<'a> {
    /// Line and column of the first character, both from 1.
    line: usize,
    column: usize,
    /// Characters of the span on that line, at least 1.
    width: usize,
    /// The line.
    text: &'a str,
}

fn place(source: &str, span: Span) -> Place<'_> {
    let at = (span.start as usize).min(source.len());
    let before = source.get(..at).unwrap_or("");
    let start = before.rfind('\n').map_or(0, |i| i + 1);
    let marked = source.get(span.range()).unwrap_or("").lines().next().unwrap_or("");
    Place {
        line: before.matches('\n').count() + 1,
        column: before.get(start..).unwrap_or("").chars().count() + 1,
        width: marked.chars().count().max(1),
        text: source.get(start..).and_then(|rest| rest.lines().next()).unwrap_or(""),
    }
}

impl RuntimeError<'_> {
    /// What happened, in a sentence, and what to do about it.
    #[must_use]
    pub fn message(&self) -> &'static str {
        match self.kind {
            CounterKind::LostEvents => {
                "Events were lost because the ring buffer was full. Try a larger perf_rb_pages."
            }
            CounterKind::DivideByZero => "Division by 0: 1 is used as the result.",
            CounterKind::ReadFailed => "Memory could not be read: 0 is used as the result.",
            CounterKind::MapFull => "Map full; the entry was not added. Try a larger max_map_keys.",
            CounterKind::DeclaredMapFull => {
                "Map full; the entry was not added. Declare the map with more entries."
            }
            CounterKind::StackFailed => "No stack trace could be taken.",
            CounterKind::NoScratch => "All scratch memory was in use; the event was dropped.",
            CounterKind::NoUnwindTable => {
                "No unwinding table (DWARF) for some of this code: there the stack follows frame pointers."
            }
            CounterKind::UnknownUnwindRule => {
                "The stack ends where an unwinding table has a rule that gotrace does not know."
            }
            CounterKind::GoMapLimit => {
                "This map has more entries than are looked through for a key: 0 is used as the result."
            }
            CounterKind::LoopLimit => "The kernel ended this loop, which went on for too long.",
        }
    }

    /// In bpftrace's form: place and message, the line of the script, marks under the part that is meant.
    #[must_use]
    pub fn text(&self) -> String {
        let Place { line, column, width, text: source } = place(self.source, self.span);
        let times = if self.count > 1 { format!(" ({} times)", self.count) } else { String::new() };
        let (file, end, message) = (self.file, column + width, self.message());
        let (indent, mark) = (" ".repeat(column - 1), "~".repeat(width));
        format!("{file}:{line}:{column}-{end}: WARNING: {message}{times}\n{source}\n{indent}{mark}\n")
    }

    /// As an object.
    #[must_use]
    pub fn json(&self) -> Json {
        let Place { line, column, .. } = place(self.source, self.span);
        json::object([
            ("type", "runtime_error".into()),
            ("msg", self.message().into()),
            ("filename", self.file.into()),
            ("line", line.into()),
            ("col", column.into()),
            ("count", self.count.into()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_point_into_the_script() {
        let source = "BEGIN {\n  @y = 1 / $z; }";
        let span = Span::new(source.find('1').unwrap(), source.find(';').unwrap());
        let error = RuntimeError { kind: CounterKind::DivideByZero, count: 3, file: "x.gt", source, span };
        let want = "x.gt:2:8-14: WARNING: Division by 0: 1 is used as the result. (3 times)\n  @y = 1 / $z; }\n       ~~~~~~\n";
        assert_eq!(error.text(), want);
        let mut line = Vec::new();
        json::write_line(&mut line, &error.json());
        let want = "{\"type\": \"runtime_error\", \"msg\": \"Division by 0: 1 is used as the result.\", \
                    \"filename\": \"x.gt\", \"line\": 2, \"col\": 8, \"count\": 3}\n";
        assert_eq!(String::from_utf8(line).unwrap(), want);
    }

    #[test]
    fn a_place_outside_the_script_is_harmless() {
        let span = Span::new(500, 900);
        let error = RuntimeError { kind: CounterKind::MapFull, count: 1, file: "x.gt", source: "é\n", span };
        assert!(error.text().starts_with("x.gt:2:1-2: WARNING: Map full"), "{}", error.text());
        let inside_a_character = RuntimeError { span: Span::new(1, 1), ..error };
        assert!(inside_a_character.text().starts_with("x.gt:1:1-2"), "{}", inside_a_character.text());
    }
}
