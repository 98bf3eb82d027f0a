//! Where answers go: a [`Sink`] prints what the programs send and what their maps hold, as text or as JSON lines, to
//! standard output or to a file.
//!
//! Output is collected in memory and written by [`Sink::flush`], which the event loop calls when it has handled all that
//! was waiting. So a burst of events costs few system calls, and a person still sees each event at once.

use super::{Context, json, printf, text};
use crate::maps::{Entry, MapResult};
use crate::value::Value;
use codegen::object::CounterKind;
use lang::format::Format;
use lang::span::Span;
use serde_json::Value as Json;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why output ended.
#[derive(Debug, Error)]
pub enum OutputError {
    /// The reader went away (`gotrace … | head`): end quietly.
    #[error("the reader of the output has gone")]
    Closed,
    /// Writing failed: the disk is full, for example.
    #[error("cannot write to {to}: {source}")]
    Write {
        /// Standard output or the file.
        to: String,
        /// The reason.
        source: io::Error,
    },
    /// The file given with `-o` cannot be made.
    #[error("cannot create {}: {source}", path.display())]
    Create {
        /// Its path.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

/// Result of an output operation.
pub type Result<T = ()> = std::result::Result<T, OutputError>;

/// When collected output is written (`-B`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Buffering {
    /// Whenever the events that were waiting have been handled.
    #[default]
    Line,
    /// When much has come together, and at the end.
    Full,
    /// After each item.
    None,
}

/// Bytes that are collected before a write even within a burst of events.
const CHUNK: usize = 64 << 10;

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
            CounterKind::DivideByZero => "Division by 0: 0 is used as the result.",
            CounterKind::ReadFailed => "Memory could not be read: 0 is used as the result.",
            CounterKind::MapFull => "Map full; the entry was not added. Try a larger max_map_keys.",
            CounterKind::StackFailed => "No stack trace could be taken.",
            CounterKind::NoScratch => "All scratch memory was in use; the event was dropped.",
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

    fn text(&self) -> String {
        let (line, column, source) = self.place();
        let marked = self.source.get(self.span.range()).unwrap_or("").lines().next().unwrap_or("");
        let width = marked.chars().count().max(1);
        let times = if self.count > 1 { format!(" ({} times)", self.count) } else { String::new() };
        let (file, end, message) = (self.file, column + width, self.message());
        let (indent, mark) = (" ".repeat(column - 1), "~".repeat(width));
        format!("{file}:{line}:{column}-{end}: WARNING: {message}{times}\n{source}\n{indent}{mark}\n")
    }

    fn json(&self) -> Json {
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

/// Takes everything that a run has to say.
///
/// Every method can fail with [`OutputError`]; after an error nothing more will be written and the run should end.
pub trait Sink {
    /// So many probes are attached.
    fn attached_probes(&mut self, count: usize) -> Result;
    /// `printf()`
    fn printf(&mut self, format: &Format, args: &[Value]) -> Result;
    /// `print(e)`
    fn value(&mut self, value: &Value) -> Result;
    /// `print(@m[k])`: prints what the entry holds.
    fn entry(&mut self, result: &MapResult) -> Result;
    /// `print(@m)` and the maps at the end; `div` divides values, 0 and 1 do not.
    fn map(&mut self, name: &str, entries: &[Entry], div: u32) -> Result;
    /// `time()`: the time of day in its final form.
    fn time(&mut self, shown: &[u8]) -> Result;
    /// `join()`
    fn join(&mut self, parts: &[&[u8]], separator: &str) -> Result;
    /// So many events were lost since the last report.
    fn lost_events(&mut self, count: u64) -> Result;
    /// Something went wrong in a program.
    fn runtime_error(&mut self, error: &RuntimeError<'_>) -> Result;
    /// All probes are detached; the maps follow.
    fn end_of_run(&mut self) -> Result;
    /// Everything that was waiting has been handled: a good moment to write.
    fn flush(&mut self) -> Result;
    /// Writes everything; the last call.
    fn finish(&mut self) -> Result;
}

/// The two output formats (`-f`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OutputFormat {
    /// For people.
    #[default]
    Text,
    /// JSON lines.
    Json,
}

/// Opens a sink that writes to `file`, or to standard output.
///
/// # Errors
/// [`OutputError::Create`].
pub fn open(
    format: OutputFormat,
    file: Option<&Path>,
    buffering: Buffering,
    context: Context,
    messages: Messages,
) -> Result<Box<dyn Sink>> {
    let (to, name): (Box<dyn Write>, String) = match file {
        Some(path) => {
            let file =
                File::create(path).map_err(|source| OutputError::Create { path: path.into(), source })?;
            (Box::new(file), path.display().to_string())
        }
        None => (Box::new(Unbuffered), "standard output".into()),
    };
    let out = Output::new(to, name, buffering);
    Ok(match format {
        OutputFormat::Text => Box::new(TextSink { out, messages, context }),
        OutputFormat::Json => Box::new(JsonSink { out, context }),
    })
}

/// Standard output without the line buffer that [`io::Stdout`] has; [`Output`] buffers itself.
struct Unbuffered;

impl Write for Unbuffered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        crate::sys::write_stdout(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Collects bytes and writes them out.
pub struct Output {
    to: Box<dyn Write>,
    name: String,
    buffering: Buffering,
    waiting: Vec<u8>,
    failed: bool,
}

impl Output {
    /// Output to a writer that does not buffer; `name` stands in error messages.
    #[must_use]
    pub fn new(to: Box<dyn Write>, name: String, buffering: Buffering) -> Output {
        Output { to, name, buffering, waiting: Vec::new(), failed: false }
    }

    /// To be called after each item.
    fn item_done(&mut self) -> Result {
        if self.buffering == Buffering::None || self.waiting.len() >= CHUNK { self.write() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result {
        if self.buffering == Buffering::Full { Ok(()) } else { self.write() }
    }

    /// Writes what is waiting. After a failure everything is dropped, so that the error is reported once.
    fn write(&mut self) -> Result {
        let waiting = std::mem::take(&mut self.waiting);
        if self.failed || waiting.is_empty() {
            return Ok(());
        }
        self.to.write_all(&waiting).and_then(|()| self.to.flush()).map_err(|source| {
            self.failed = true;
            if source.kind() == io::ErrorKind::BrokenPipe {
                OutputError::Closed
            } else {
                OutputError::Write { to: self.name.clone(), source }
            }
        })
    }
}

/// Which of the sink's own messages go to standard error in text form.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Messages {
    /// All.
    #[default]
    All,
    /// None (`-q`).
    None,
}

/// Text for people; messages about the run itself go to standard error.
pub struct TextSink {
    out: Output,
    messages: Messages,
    context: Context,
}

impl TextSink {
    /// A sink that writes to `out`.
    #[must_use]
    pub fn new(out: Output, messages: Messages, context: Context) -> TextSink {
        TextSink { out, messages, context }
    }

    /// Shows a message about the run after all output that came before it.
    fn message(&mut self, text: &str) -> Result {
        if self.messages == Messages::None {
            return Ok(());
        }
        self.out.flush()?;
        // Nobody can be told that standard error is gone.
        let _ = io::stderr().write_all(text.as_bytes());
        Ok(())
    }
}

impl Sink for TextSink {
    fn attached_probes(&mut self, count: usize) -> Result {
        self.message(&format!("Attached {count} probe{}\n", if count == 1 { "" } else { "s" }))
    }

    fn printf(&mut self, format: &Format, args: &[Value]) -> Result {
        printf::format(&mut self.out.waiting, format, args, &self.context);
        self.out.item_done()
    }

    fn value(&mut self, value: &Value) -> Result {
        text::value(&mut self.out.waiting, value, &self.context);
        self.out.waiting.push(b'\n');
        self.out.item_done()
    }

    fn entry(&mut self, result: &MapResult) -> Result {
        text::result(&mut self.out.waiting, result, 1, &self.context);
        self.out.waiting.push(b'\n');
        self.out.item_done()
    }

    fn map(&mut self, name: &str, entries: &[Entry], div: u32) -> Result {
        text::map(&mut self.out.waiting, name, entries, div, &self.context);
        self.out.item_done()
    }

    fn time(&mut self, shown: &[u8]) -> Result {
        self.out.waiting.extend_from_slice(shown);
        self.out.item_done()
    }

    fn join(&mut self, parts: &[&[u8]], separator: &str) -> Result {
        self.out.waiting.extend(parts.join(separator.as_bytes()));
        self.out.waiting.push(b'\n');
        self.out.item_done()
    }

    fn lost_events(&mut self, count: u64) -> Result {
        self.message(&format!("Lost {count} events\n"))
    }

    fn runtime_error(&mut self, error: &RuntimeError<'_>) -> Result {
        self.message(&error.text())
    }

    /// Two newlines set the maps apart from what was printed before, the `^C` of the terminal included.
    fn end_of_run(&mut self) -> Result {
        self.out.waiting.extend_from_slice(b"\n\n");
        self.out.item_done()
    }

    fn flush(&mut self) -> Result {
        self.out.flush()
    }

    fn finish(&mut self) -> Result {
        self.out.write()
    }
}

/// JSON lines for programs.
pub struct JsonSink {
    out: Output,
    context: Context,
}

impl JsonSink {
    /// A sink that writes to `out`.
    #[must_use]
    pub fn new(out: Output, context: Context) -> JsonSink {
        JsonSink { out, context }
    }

    fn line(&mut self, kind: &str, data: Json) -> Result {
        self.object(&json::line(kind, data))
    }

    fn object(&mut self, object: &Json) -> Result {
        json::write_line(&mut self.out.waiting, object);
        self.out.item_done()
    }

    /// A number of things; bpftrace gives it in two places.
    fn count(&mut self, kind: &str, what: &str, count: u64) -> Result {
        let data = json::object([(what, count.into())]);
        self.object(&json::object([("type", kind.into()), ("count", count.into()), ("data", data)]))
    }
}

impl Sink for JsonSink {
    fn attached_probes(&mut self, count: usize) -> Result {
        self.count("attached_probes", "probes", count as u64)
    }

    fn printf(&mut self, format: &Format, args: &[Value]) -> Result {
        let mut shown = Vec::new();
        printf::format(&mut shown, format, args, &self.context);
        self.line("printf", json::string(&shown))
    }

    fn value(&mut self, value: &Value) -> Result {
        let data = json::value(value, &self.context);
        self.line("value", data)
    }

    fn entry(&mut self, result: &MapResult) -> Result {
        let data = json::result(result, 1, &self.context);
        self.line("value", data)
    }

    fn map(&mut self, name: &str, entries: &[Entry], div: u32) -> Result {
        match json::map(name, entries, div, &self.context) {
            Some(object) => self.object(&object),
            None => Ok(()),
        }
    }

    fn time(&mut self, shown: &[u8]) -> Result {
        self.line("time", json::string(shown))
    }

    fn join(&mut self, parts: &[&[u8]], separator: &str) -> Result {
        self.line("join", json::string(&parts.join(separator.as_bytes())))
    }

    fn lost_events(&mut self, count: u64) -> Result {
        self.count("lost_events", "events", count)
    }

    fn runtime_error(&mut self, error: &RuntimeError<'_>) -> Result {
        self.object(&error.json())
    }

    fn end_of_run(&mut self) -> Result {
        Ok(())
    }

    fn flush(&mut self) -> Result {
        self.out.flush()
    }

    fn finish(&mut self) -> Result {
        self.out.write()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::text::tests::{context, entry, int, str};
    use lang::format::{Conv, Piece, Spec};
    use std::cell::RefCell;
    use std::rc::Rc;

    #[derive(Clone, Default)]
    struct Shared(Rc<RefCell<Vec<Vec<u8>>>>);

    impl Shared {
        fn text(&self) -> String {
            String::from_utf8(self.0.borrow().concat()).unwrap()
        }

        fn writes(&self) -> usize {
            self.0.borrow().len()
        }
    }

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().push(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn output(buffering: Buffering) -> (Shared, Output) {
        let shared = Shared::default();
        (shared.clone(), Output::new(Box::new(shared), "test".into(), buffering))
    }

    fn format() -> Format {
        let spec = Spec {
            left: false,
            plus: false,
            space: false,
            alt: false,
            zero: false,
            width: None,
            precision: None,
            conv: Conv::Text,
        };
        Format { pieces: vec![Piece::Text(b"hi ".to_vec()), Piece::Conv(spec), Piece::Text(b"\n".to_vec())] }
    }

    fn run(sink: &mut dyn Sink) {
        sink.printf(&format(), &[str("yo")]).unwrap();
        sink.value(&Value::Tuple(vec![int(1), str("x")])).unwrap();
        sink.entry(&MapResult::Value(int(9))).unwrap();
        sink.join(&[b"a b", b"c"], ",").unwrap();
        sink.time(b"22:47\n").unwrap();
        sink.end_of_run().unwrap();
        sink.map("@x", &[entry(None, MapResult::Value(int(3)))], 1).unwrap();
        sink.map("@empty", &[], 1).unwrap();
        sink.finish().unwrap();
    }

    #[test]
    fn a_run_in_text() {
        let (written, out) = output(Buffering::Line);
        run(&mut TextSink::new(out, Messages::None, context()));
        assert_eq!(written.text(), "hi yo\n(1, x)\n9\na b,c\n22:47\n\n\n@x: 3\n");
    }

    #[test]
    fn a_run_in_json() {
        let (written, out) = output(Buffering::Line);
        let mut sink = JsonSink::new(out, context());
        sink.attached_probes(1).unwrap();
        run(&mut sink);
        sink.lost_events(4090).unwrap();
        sink.finish().unwrap();
        let want = r#"{"type": "attached_probes", "count": 1, "data": {"probes": 1}}
{"type": "printf", "data": "hi yo\n"}
{"type": "value", "data": [1,"x"]}
{"type": "value", "data": 9}
{"type": "join", "data": "a b,c"}
{"type": "time", "data": "22:47\n"}
{"type": "map", "data": {"@x": 3}}
{"type": "lost_events", "count": 4090, "data": {"events": 4090}}
"#;
        assert_eq!(written.text(), want);
    }

    #[test]
    fn when_output_is_written() {
        for (buffering, after_item, after_flush) in
            [(Buffering::None, 1, 1), (Buffering::Line, 0, 1), (Buffering::Full, 0, 0)]
        {
            let (written, out) = output(buffering);
            let mut sink = TextSink::new(out, Messages::None, context());
            sink.value(&int(1)).unwrap();
            assert_eq!(written.writes(), after_item, "{buffering:?}");
            sink.flush().unwrap();
            assert_eq!(written.writes(), after_flush, "{buffering:?}");
            sink.finish().unwrap();
            assert_eq!(written.text(), "1\n");
        }
    }

    #[test]
    fn much_output_does_not_wait() {
        let (written, out) = output(Buffering::Full);
        let mut sink = TextSink::new(out, Messages::None, context());
        sink.value(&str(&"x".repeat(CHUNK))).unwrap();
        assert_eq!(written.writes(), 1);
    }

    struct Failing(i32);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(self.0))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn errors_are_told_apart_and_told_once() {
        let sink = |code| {
            let out = Output::new(Box::new(Failing(code)), "/dev/full".into(), Buffering::Line);
            TextSink::new(out, Messages::None, context())
        };
        let mut closed = sink(libc::EPIPE);
        closed.value(&int(1)).unwrap();
        assert!(matches!(closed.flush(), Err(OutputError::Closed)));
        let mut full = sink(libc::ENOSPC);
        full.value(&int(1)).unwrap();
        let error = full.flush().unwrap_err().to_string();
        assert_eq!(error, "cannot write to /dev/full: No space left on device (os error 28)");
        full.value(&int(1)).unwrap();
        assert!(full.finish().is_ok());
    }

    #[test]
    fn run_time_errors_point_into_the_script() {
        let source = "BEGIN {\n  @y = 1 / $z; }";
        let span = Span::new(source.find('1').unwrap(), source.find(';').unwrap());
        let error = RuntimeError { kind: CounterKind::DivideByZero, count: 3, file: "x.gt", source, span };
        let want = "x.gt:2:8-14: WARNING: Division by 0: 0 is used as the result. (3 times)\n  @y = 1 / $z; }\n       ~~~~~~\n";
        assert_eq!(error.text(), want);
        let (written, out) = output(Buffering::None);
        JsonSink::new(out, context()).runtime_error(&error).unwrap();
        let want = "{\"type\": \"runtime_error\", \"msg\": \"Division by 0: 0 is used as the result.\", \
                    \"filename\": \"x.gt\", \"line\": 2, \"col\": 8, \"count\": 3}\n";
        assert_eq!(written.text(), want);
        let outside = RuntimeError { span: Span::new(500, 900), ..error };
        assert!(outside.text().starts_with("x.gt:2:"));
    }
}
