//! Errors that programs count while they run, as they are told to the user: with the place in the script.

use super::json;
use codegen::object::CounterKind;
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
            CounterKind::StackFailed => "No stack trace could be taken.",
            CounterKind::NoScratch => "All scratch memory was in use; the event was dropped.",
            CounterKind::LoopLimit => "The kernel ended this loop, which went on for too long.",
        }
    }

    /// Line and column of the first character, both from 1, and the text of the line.
    fn place(&self) -> (usize, usize, &str) {
        let at = (self.span.start as usize).min(self.source.len());
        let before = self.source.get(..at).unwrap_or("");
        let start = before.rfind('\n').map_or(0, |i| i + 1);
        let line = self.source.get(start..).and_then(|rest| rest.lines().next()).unwrap_or("");
        let column = before.get(start..).unwrap_or("").chars().count() + 1;
        (before.matches('\n').count() + 1, column, line)
    }

    /// In bpftrace's form: place and message, the line of the script, marks under the part that is meant.
    #[must_use]
    pub fn text(&self) -> String {
        let (line, column, source) = self.place();
        let marked = self.source.get(self.span.range()).unwrap_or("").lines().next().unwrap_or("");
        let width = marked.chars().count().max(1);
        let times = if self.count > 1 { format!(" ({} times)", self.count) } else { String::new() };
        let (file, end, message) = (self.file, column + width, self.message());
        let (indent, mark) = (" ".repeat(column - 1), "~".repeat(width));
        format!("{file}:{line}:{column}-{end}: WARNING: {message}{times}\n{source}\n{indent}{mark}\n")
    }

    /// As an object.
    #[must_use]
    pub fn json(&self) -> Json {
        let (line, column, _) = self.place();
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
