//! Where answers go: a [`Sink`] prints what the programs send and what their maps hold, as text or as JSON lines.

use super::report::{RuntimeError, ScriptMessage};
use super::trial::{self, Benchmark, Test};
use super::writer::{Buffering, Output, Result};
use super::{Context, json, printf, text};
use crate::maps::{Entry, MapResult};
use crate::value::Value;
use lang::format::Format;
use serde_json::Value as Json;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Takes everything that a run has to say.
///
/// Every method can fail with [`OutputError`](super::writer::OutputError); after an error nothing more will be written and the run should end.
pub trait Sink {
    /// So many probes are attached.
    fn attached_probes(&mut self, count: usize) -> Result;
    /// An iterator stays in that file.
    fn pinned(&mut self, path: &Path) -> Result;
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
    /// `cat()` and `system()`: what a file holds or a command printed. In JSON, `kind` is the type.
    fn content(&mut self, kind: &str, content: &[u8]) -> Result;
    /// `errorf()` and `warnf()`
    fn report(&mut self, message: &ScriptMessage<'_>, format: &Format, args: &[Value]) -> Result;
    /// Something that the script asked for could not be done; a sentence.
    fn failed(&mut self, error: &str) -> Result;
    /// What the form of values depends on.
    fn context(&self) -> &Context;
    /// The text that a format makes of values.
    fn formatted(&self, format: &Format, args: &[Value]) -> Vec<u8>;
    /// So many events were lost since the last report.
    fn lost_events(&mut self, count: u64) -> Result;
    /// So many events of a probe were missed in the run: its program could not run for them.
    fn missed_events(&mut self, probe: &str, count: u64) -> Result;
    /// Something went wrong in a program.
    fn runtime_error(&mut self, error: &RuntimeError<'_>) -> Result;
    /// So many tests follow.
    fn tests(&mut self, count: usize) -> Result;
    /// How a test ended.
    fn test(&mut self, test: &Test) -> Result;
    /// All tests have ended.
    fn tests_done(&mut self, tests: &[Test]) -> Result;
    /// What benchmarks took.
    fn benchmarks(&mut self, benchmarks: &[Benchmark]) -> Result;
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

/// A sink that prints in that format to `out`.
#[must_use]
pub fn new(format: OutputFormat, out: Output, messages: Messages, context: Context) -> Box<dyn Sink> {
    match format {
        OutputFormat::Text => Box::new(TextSink { out, messages, context }),
        OutputFormat::Json => Box::new(JsonSink { out, context }),
    }
}

/// Which of the sink's own messages go to standard error in text form. What makes answers incomplete (lost events, full maps) is
/// always told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Messages {
    /// All.
    #[default]
    All,
    /// Not those about the course of the run (`-q`).
    Few,
    /// All, and into the output, behind what came before.
    Inside,
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

    /// A sink that keeps everything until it is taken.
    #[must_use]
    pub fn kept(context: Context) -> TextSink {
        let out = Output::new(Box::new(io::sink()), String::new(), Buffering::Kept);
        TextSink { out, messages: Messages::Inside, context }
    }

    /// What has come since the last call.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.out.buffer())
    }

    /// Shows a message about the run after all output that came before it.
    fn message(&mut self, text: &str) -> Result {
        if self.messages == Messages::Inside {
            self.out.buffer().extend_from_slice(text.as_bytes());
            return self.out.item_done();
        }
        self.out.flush()?;
        // Nobody can be told that standard error is gone.
        let _ = io::stderr().write_all(text.as_bytes());
        Ok(())
    }
}

impl Sink for TextSink {
    fn attached_probes(&mut self, count: usize) -> Result {
        if self.messages == Messages::Few {
            return Ok(());
        }
        self.message(&format!("Attached {count} probe{}\n", if count == 1 { "" } else { "s" }))
    }

    fn pinned(&mut self, path: &Path) -> Result {
        if self.messages == Messages::Few {
            return Ok(());
        }
        self.message(&format!("Pinned to {}\n", path.display()))
    }

    fn printf(&mut self, format: &Format, args: &[Value]) -> Result {
        printf::format(self.out.buffer(), format, args, &self.context);
        self.out.item_done()
    }

    fn value(&mut self, value: &Value) -> Result {
        text::value(self.out.buffer(), value, &self.context);
        self.out.buffer().push(b'\n');
        self.out.item_done()
    }

    fn entry(&mut self, result: &MapResult) -> Result {
        text::result(self.out.buffer(), result, 1, &self.context);
        self.out.buffer().push(b'\n');
        self.out.item_done()
    }

    fn map(&mut self, name: &str, entries: &[Entry], div: u32) -> Result {
        text::map(self.out.buffer(), name, entries, div, &self.context);
        self.out.item_done()
    }

    fn time(&mut self, shown: &[u8]) -> Result {
        self.out.buffer().extend_from_slice(shown);
        self.out.item_done()
    }

    fn join(&mut self, parts: &[&[u8]], separator: &str) -> Result {
        self.out.buffer().extend(parts.join(separator.as_bytes()));
        self.out.buffer().push(b'\n');
        self.out.item_done()
    }

    fn content(&mut self, _kind: &str, content: &[u8]) -> Result {
        self.out.buffer().extend_from_slice(content);
        self.out.item_done()
    }

    fn report(&mut self, message: &ScriptMessage<'_>, format: &Format, args: &[Value]) -> Result {
        let shown = self.formatted(format, args);
        self.message(&message.text(&shown))
    }

    fn failed(&mut self, error: &str) -> Result {
        self.message(&format!("ERROR: {error}\n"))
    }

    fn context(&self) -> &Context {
        &self.context
    }

    fn formatted(&self, format: &Format, args: &[Value]) -> Vec<u8> {
        printf::to_bytes(format, args, &self.context)
    }

    fn tests(&mut self, count: usize) -> Result {
        trial::header(self.out.buffer(), count);
        self.out.item_done()
    }

    fn test(&mut self, test: &Test) -> Result {
        test.text(self.out.buffer());
        self.out.item_done()
    }

    fn tests_done(&mut self, tests: &[Test]) -> Result {
        trial::summary(self.out.buffer(), tests);
        self.out.item_done()
    }

    fn benchmarks(&mut self, benchmarks: &[Benchmark]) -> Result {
        trial::table(self.out.buffer(), benchmarks);
        self.out.item_done()
    }

    fn lost_events(&mut self, count: u64) -> Result {
        self.message(&format!("Lost {count} events\n"))
    }

    fn missed_events(&mut self, probe: &str, count: u64) -> Result {
        self.message(&format!(
            "Missed {count} events of {probe}: a program was at work on the same CPU, and the kernel runs none inside another\n"
        ))
    }

    fn runtime_error(&mut self, error: &RuntimeError<'_>) -> Result {
        self.message(&error.text())
    }

    /// Two newlines set the maps apart from what was printed before, the `^C` of the terminal included.
    fn end_of_run(&mut self) -> Result {
        self.out.buffer().extend_from_slice(b"\n\n");
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
        json::write_line(self.out.buffer(), object);
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

    fn pinned(&mut self, path: &Path) -> Result {
        self.line("pinned", json::string(path.as_os_str().as_bytes()))
    }

    fn printf(&mut self, format: &Format, args: &[Value]) -> Result {
        let shown = self.formatted(format, args);
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

    fn content(&mut self, kind: &str, content: &[u8]) -> Result {
        self.line(kind, json::string(content))
    }

    fn report(&mut self, message: &ScriptMessage<'_>, format: &Format, args: &[Value]) -> Result {
        let shown = self.formatted(format, args);
        self.object(&message.json(&shown))
    }

    fn failed(&mut self, error: &str) -> Result {
        self.out.flush()?;
        // Nobody can be told that standard error is gone.
        let _ = writeln!(io::stderr(), "ERROR: {error}");
        Ok(())
    }

    fn context(&self) -> &Context {
        &self.context
    }

    fn formatted(&self, format: &Format, args: &[Value]) -> Vec<u8> {
        printf::to_bytes(format, args, &self.context)
    }

    fn tests(&mut self, _count: usize) -> Result {
        Ok(())
    }

    fn test(&mut self, test: &Test) -> Result {
        self.line("test_result", test.json())
    }

    fn tests_done(&mut self, _tests: &[Test]) -> Result {
        Ok(())
    }

    fn benchmarks(&mut self, benchmarks: &[Benchmark]) -> Result {
        benchmarks.iter().try_for_each(|benchmark| self.line("benchmark_result", benchmark.json()))
    }

    fn lost_events(&mut self, count: u64) -> Result {
        self.count("lost_events", "events", count)
    }

    fn missed_events(&mut self, probe: &str, count: u64) -> Result {
        let data = json::object([("probe", probe.into()), ("events", count.into())]);
        self.object(&json::object([
            ("type", "missed_events".into()),
            ("count", count.into()),
            ("data", data),
        ]))
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
    use crate::output::writer::tests::output;
    use lang::format::{Conv, Piece, Spec};

    fn format() -> Format {
        let spec = Spec::plain(Conv::Text);
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
        run(&mut TextSink::new(out, Messages::Few, context()));
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
}
