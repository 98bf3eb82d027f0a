//! Attach points: what stands before the block of a probe, and how its text is taken apart. What it matches is a matter of
//! [`crate::env::Env`].

mod event;
mod kernel;
mod user;

pub use event::{EVENTS, PerfEvent};

use crate::diag::{self, Problem};
use crate::habits;
use crate::hir::Period;
use crate::span::Span;

/// A parsed attach point.
#[derive(Clone, PartialEq, Debug)]
pub struct AttachPoint {
    /// The parts by kind.
    pub kind: AttachKind,
    /// The text with the full name of the kind, quotes removed: the name that `probe` prints.
    pub text: String,
    /// Its place in the script.
    pub span: Span,
    /// What the block asks about the function.
    pub wants: Wants,
}

/// Facts about a function that cost time to find out: they are looked up only where a block mentions them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wants {
    /// `args`: the parameters and their types.
    pub args: bool,
    /// `retval`: the results and their types.
    pub result: bool,
    /// The last argument word that is asked for: 3 for `sarg3`.
    pub word: Option<u8>,
    /// The script names this attach point alone for the block, and names it itself.
    pub alone: bool,
}

/// Kinds of attach point.
#[derive(Clone, PartialEq, Debug)]
pub enum AttachKind {
    /// `begin`
    Begin,
    /// `end`
    End,
    /// `interval:s:1`
    Interval(Period),
    /// `profile:hz:99`
    Profile(Period),
    /// `tracepoint:category:event`; both may have wildcards.
    Tracepoint {
        /// Subsystem.
        category: String,
        /// Event.
        event: String,
    },
    /// `uprobe:binary:function`, `uprobe:binary:function+12`, `uprobe:binary:0x1234`, `uprobe:binary@file.go:41`,
    /// `uretprobe:…`
    Uprobe {
        /// Path, program name or library name; empty for the program that `-c` or `-p` names.
        binary: String,
        /// What in it.
        target: UprobeSpec,
        /// `uretprobe`.
        ret: bool,
    },
    /// `self:signal:SIGUSR1`: gotrace itself gets that signal.
    Signal,
    /// `software:page-faults:100`, `hardware:cycles:1000000`
    Perf {
        /// What is counted.
        event: &'static PerfEvent,
        /// The program runs after so many of it.
        count: u64,
    },
    /// `rawtracepoint:sched_switch`
    RawTracepoint {
        /// The module that defines it; any if absent.
        module: Option<String>,
        /// Its name; may have wildcards.
        event: String,
    },
    /// `kprobe:vfs_read`, `kprobe:vfs_read+8`, `kretprobe:…`
    Kprobe {
        /// The module of the function; any if absent.
        module: Option<String>,
        /// The place.
        target: KprobeSpec,
        /// `kretprobe`.
        ret: bool,
    },
    /// `fentry:vfs_read`, `fexit:…`
    Fentry {
        /// Whose function it is.
        of: FentryOf,
        /// Its name; may have wildcards.
        function: String,
        /// `fexit`.
        ret: bool,
    },
    /// `usdt:./server:provider:request`
    Usdt {
        /// Path, program name or library name; empty for the program that `-c` or `-p` names.
        binary: String,
        /// Its provider; any if absent. May have wildcards.
        provider: Option<String>,
        /// Its name; may have wildcards.
        name: String,
    },
    /// `watchpoint:0x10000000:8:w`
    Watchpoint(Watchpoint),
    /// `iter:task`, `iter:task:/sys/fs/bpf/tasks`
    Iter {
        /// What is walked over; may have wildcards.
        object: String,
        /// The file that shows the output each time it is read, instead of a run.
        pin: Option<String>,
    },
    /// `test:name`
    Test,
    /// `bench:name`
    Bench,
}

/// Which probes of a script are meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// All of them: the script is only looked at.
    #[default]
    All,
    /// All but tests and benchmarks.
    Run,
    /// Tests, with `begin` and `end`.
    Test,
    /// Benchmarks, with `begin` and `end`.
    Bench,
}

impl Mode {
    /// Whether probes of that kind are among them.
    #[must_use]
    pub fn has(self, kind: &AttachKind) -> bool {
        match kind {
            AttachKind::Begin | AttachKind::End => true,
            AttachKind::Test => matches!(self, Mode::All | Mode::Test),
            AttachKind::Bench => matches!(self, Mode::All | Mode::Bench),
            _ => matches!(self, Mode::All | Mode::Run),
        }
    }
}

/// Whose function an `fentry` or `fexit` names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FentryOf {
    /// The kernel's or a module's.
    Any,
    /// A module's.
    Module(String),
    /// That of a loaded BPF program, `bpf:17:NAME`; without the number of any.
    Program(Option<u32>),
}

/// The place in the kernel that a kprobe names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KprobeSpec {
    /// A function, or a pattern with `*`.
    Function(String),
    /// An instruction at a byte offset in a function.
    Offset(String, u64),
    /// A kernel address.
    Address(u64),
}

/// Memory that the processor watches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Watchpoint {
    /// Address, a multiple of the length.
    pub address: u64,
    /// 1, 2, 4 or 8 bytes.
    pub len: u8,
    /// What makes it fire.
    pub access: Watch,
}

/// Accesses to memory: bits of `HW_BREAKPOINT_R`, `_W` and `_X` (`include/uapi/linux/hw_breakpoint.h`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Watch(pub u32);

impl Watch {
    /// Execution of the instruction there.
    pub const EXECUTE: Watch = Watch(4);
}

/// The place in a binary that a uprobe names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UprobeSpec {
    /// A function, or a pattern with `*`.
    Function(String),
    /// A function of C++ or Rust, or a pattern with `*`, by the name in its source: `cpp:"ns::f(int)"`.
    Demangled(String),
    /// An instruction at a byte offset in a function.
    Offset(String, u64),
    /// A virtual address.
    Address(u64),
    /// A line of the source.
    Line {
        /// The end of the file's path, in whole components: `main.go`, `store/db.go`.
        file: String,
        /// The line, from 1.
        line: u32,
    },
}

/// The kinds of probe that gotrace has, with their names and the form of the rest.
pub const KINDS: &[KindInfo] = &[
    KindInfo { name: "begin", short: None, form: "begin" },
    KindInfo { name: "end", short: None, form: "end" },
    KindInfo { name: "interval", short: Some("i"), form: "interval:s:1" },
    KindInfo { name: "profile", short: Some("p"), form: "profile:hz:99" },
    KindInfo { name: "tracepoint", short: Some("t"), form: "tracepoint:CATEGORY:EVENT" },
    KindInfo { name: "uprobe", short: Some("u"), form: "uprobe:BINARY:FUNCTION" },
    KindInfo { name: "uretprobe", short: Some("ur"), form: "uretprobe:BINARY:FUNCTION" },
    KindInfo { name: "software", short: Some("s"), form: "software:EVENT:COUNT" },
    KindInfo { name: "hardware", short: Some("h"), form: "hardware:EVENT:COUNT" },
    KindInfo { name: "rawtracepoint", short: Some("rt"), form: "rawtracepoint:EVENT" },
    KindInfo { name: "kprobe", short: Some("k"), form: "kprobe:FUNCTION" },
    KindInfo { name: "kretprobe", short: Some("kr"), form: "kretprobe:FUNCTION" },
    KindInfo { name: "fentry", short: Some("f"), form: "fentry:FUNCTION" },
    KindInfo { name: "fexit", short: Some("fr"), form: "fexit:FUNCTION" },
    KindInfo { name: "watchpoint", short: Some("w"), form: "watchpoint:ADDRESS:LENGTH:MODE" },
    KindInfo { name: "usdt", short: Some("U"), form: "usdt:BINARY:PROVIDER:NAME" },
    KindInfo { name: "iter", short: Some("it"), form: "iter:OBJECT" },
    KindInfo { name: "self", short: None, form: "self:signal:SIGUSR1" },
    KindInfo { name: "test", short: None, form: "test:NAME" },
    KindInfo { name: "bench", short: None, form: "bench:NAME" },
];

/// A kind of probe in [`KINDS`].
#[derive(Clone, Copy, Debug)]
pub struct KindInfo {
    /// The full name; upper and lower case are the same.
    pub name: &'static str,
    /// The short name.
    pub short: Option<&'static str>,
    /// How an attach point of this kind looks.
    pub form: &'static str,
}

/// Names that kinds had before.
const FORMER: &[(&str, &str)] = &[("kfunc", "fentry"), ("kretfunc", "fexit")];

/// Kinds that bpftrace has and gotrace does not have yet.
const NOT_YET: &[&str] = &["asyncwatchpoint", "aw"];

/// Takes an attach point apart. `text` is as written, quotes included; `$1` outside of quotes stands for the first of
/// `params`.
///
/// # Errors
/// What is wrong with it and how it should look.
pub fn parse(text: &str, span: Span, params: &[String]) -> Result<AttachPoint, Box<Problem>> {
    let parts = split(text, span, params)?;
    let kind = parts.first().map(|p| p.text.as_str()).unwrap_or_default();
    let rest = parts.get(1..).unwrap_or_default();
    let info = find_kind(kind).ok_or_else(|| Box::new(unknown_kind(kind, span)))?;
    let malformed = |message: String| {
        Box::new(
            Problem::error(span, message)
                .help(format!("an attach point of this kind looks like `{}`", info.form)),
        )
    };
    let kind = match (info.name, rest) {
        ("begin", []) => Ok(AttachKind::Begin),
        ("end", []) => Ok(AttachKind::End),
        ("begin" | "end", _) => Err(format!("`{}` takes nothing behind it", info.name)),
        ("interval", rest) => event::period(rest).map(AttachKind::Interval),
        ("profile", rest) => event::period(rest).map(AttachKind::Profile),
        ("software" | "hardware", rest) => {
            event::perf(rest, info.name == "hardware").map(|(event, count)| AttachKind::Perf { event, count })
        }
        ("self", [kind, name]) if kind.text == "signal" && name.text == "SIGUSR1" => Ok(AttachKind::Signal),
        ("self", [kind, _]) if kind.text == "signal" => Err("only SIGUSR1 can be waited for".into()),
        ("self", _) => Err("the only event of gotrace itself is a signal".into()),
        ("tracepoint", [category, event]) if !category.text.is_empty() && !event.text.is_empty() => {
            Ok(AttachKind::Tracepoint { category: category.text.clone(), event: event.text.clone() })
        }
        ("tracepoint", _) => Err("a tracepoint needs a category and an event".into()),
        ("rawtracepoint", rest) => kernel::raw_tracepoint(rest),
        ("kprobe" | "kretprobe", rest) => kernel::kprobe(rest, info.name == "kretprobe"),
        ("fentry" | "fexit", rest) => kernel::fentry(rest, info.name == "fexit"),
        ("watchpoint", rest) => kernel::watchpoint(rest),
        ("iter", rest) => kernel::iter(rest),
        ("usdt", rest) => user::usdt(rest),
        ("test", [name]) if !name.text.is_empty() => Ok(AttachKind::Test),
        ("bench", [name]) if !name.text.is_empty() => Ok(AttachKind::Bench),
        ("test" | "bench", _) => Err("a name is missing".into()),
        (_, [binary, target @ ..]) if !target.is_empty() => {
            if let Some((file, source)) = source_file(binary) {
                let line = line_number(target).map_err(malformed)?;
                if info.name == "uretprobe" {
                    return Err(malformed(
                        "a return probe is placed on a whole function, not on a line".into(),
                    ));
                }
                let spec = UprobeSpec::Line { file: source.to_owned(), line };
                let kind = AttachKind::Uprobe { binary: file.to_owned(), target: spec, ret: false };
                let text = full_text(info.name, rest, &kind);
                return Ok(AttachPoint { kind, text, span, wants: Wants::default() });
            }
            user::uprobe(binary, target, info.name == "uretprobe")
        }
        (name, [one]) if !one.text.is_empty() => {
            let problem = Problem::error(span, format!("a {name} needs a binary and a function"));
            let form = format!("an attach point of this kind looks like `{}`", info.form);
            return Err(Box::new(problem.help(match one.text.contains('/') {
                true => form,
                false => format!("{form}; with -c or -p the binary may be left out: `{name}::{}`", one.text),
            })));
        }
        (name, _) => Err(format!("a {name} needs a binary and a function")),
    };
    let kind = kind.map_err(malformed)?;
    let text = full_text(info.name, rest, &kind);
    Ok(AttachPoint { kind, text, span, wants: Wants::default() })
}

/// What `probe` prints: the kind by its full name, and a period that was written as one word in microseconds, as in bpftrace.
fn full_text(name: &str, rest: &[Part], kind: &AttachKind) -> String {
    match (kind, rest) {
        (AttachKind::Interval(Period::Nanos(n)) | AttachKind::Profile(Period::Nanos(n)), [_])
            if n.is_multiple_of(1000) =>
        {
            format!("{name}:us:{}", n / 1000)
        }
        _ => std::iter::once(name).chain(rest.iter().map(|p| p.text.as_str())).collect::<Vec<_>>().join(":"),
    }
}

/// A part between colons.
struct Part {
    text: String,
    /// Some of it stood in quotes.
    quoted: bool,
}

/// Index of the part that names a binary.
const BINARY: usize = 1;

/// Cuts the text at colons outside of quotes and puts in the positional parameters.
fn split(text: &str, span: Span, params: &[String]) -> Result<Vec<Part>, Box<Problem>> {
    let mut parts = vec![Part { text: String::new(), quoted: false }];
    let mut quoted = false;
    let mut depth = 0usize;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let Some(part) = parts.last_mut() else { break };
        match c {
            '"' => {
                quoted = !quoted;
                part.quoted = true;
            }
            '\\' if quoted => part.text.extend(chars.next()),
            '(' | '[' if !quoted => {
                depth += 1;
                part.text.push(c);
            }
            ')' | ']' if !quoted => {
                depth = depth.saturating_sub(1);
                part.text.push(c);
            }
            ':' if !quoted && depth == 0 => parts.push(Part { text: String::new(), quoted: false }),
            '$' if !quoted && chars.peek().is_some_and(char::is_ascii_digit) => {
                let mut digits = String::new();
                while let Some(d) = chars.next_if(char::is_ascii_digit) {
                    digits.push(d);
                }
                let n = digits.parse::<usize>().unwrap_or(usize::MAX);
                let value = n.checked_sub(1).and_then(|i| params.get(i));
                // A tool's argument for the binary may be left out: then it is the program of -c or -p.
                let is_binary = parts.len() == BINARY + 1
                    && parts.last().is_some_and(|p| p.text.is_empty())
                    && chars.peek() == Some(&':');
                if value.is_none() && is_binary {
                    continue;
                }
                let Some(part) = parts.last_mut() else { break };
                let Some(value) = value else {
                    let problem = Problem::error(
                        span,
                        format!("this attach point needs the script's argument ${digits}"),
                    )
                    .help("give the arguments behind the script: `gotrace script.gt ARGUMENT…`");
                    return Err(Box::new(problem));
                };
                part.text.push_str(value);
            }
            c => part.text.push(c),
        }
    }
    if quoted {
        return Err(Box::new(Problem::error(span, "a closing `\"` is missing in this attach point")));
    }
    Ok(parts)
}

/// The kind of a full or short name.
#[must_use]
pub fn find_kind(name: &str) -> Option<&'static KindInfo> {
    let lower = name.to_ascii_lowercase();
    let lower =
        FORMER.iter().find(|(former, _)| *former == lower).map_or(lower, |(_, now)| (*now).to_owned());
    KINDS.iter().find(|k| k.short == Some(name) || k.name == lower)
}

fn unknown_kind(name: &str, span: Span) -> Problem {
    if NOT_YET.contains(&name) || NOT_YET.contains(&name.to_ascii_lowercase().as_str()) {
        return Problem::error(span, format!("gotrace has no `{name}` probes yet")).note(known_kinds());
    }
    let what = if name.is_empty() {
        "the kind of probe is missing".into()
    } else {
        format!("unknown kind of probe `{name}`")
    };
    let first = name.split(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default();
    if let Some(help) = habits::item(first) {
        return Problem::error(span, what).help(help);
    }
    if first.len() < name.len() && KINDS.iter().any(|k| k.name == first) {
        return Problem::error(span, what)
            .help(format!("parts of an attach point are separated by colons: `{first}:…`"));
    }
    let names = KINDS.iter().map(|k| k.name);
    match diag::nearest(name, names.chain(NOT_YET.iter().copied().filter(|n| n.len() > 2))) {
        Some(near) => Problem::error(span, what).help(format!("did you mean `{near}`?")),
        None => Problem::error(span, what).note(known_kinds()),
    }
}

fn known_kinds() -> String {
    let names: Vec<&str> = KINDS.iter().map(|k| k.name).collect();
    format!("it has {}", names.join(", "))
}

/// Endings of the files that `binary@file` may name; other texts with an `@` are paths of binaries.
const SOURCES: &[&str] = &["go", "s", "S", "c", "h", "cc", "cpp", "cxx", "hpp", "rs"];

/// Cuts `./web@main.go` into the binary and the source file.
fn source_file(binary: &Part) -> Option<(&str, &str)> {
    let (file, source) = binary.text.rsplit_once('@').filter(|_| !binary.quoted)?;
    let (_, ending) = source.rsplit_once('.')?;
    (!file.is_empty() && SOURCES.contains(&ending)).then_some((file, source))
}

fn line_number(target: &[Part]) -> Result<u32, String> {
    let text = target.iter().map(|t| t.text.as_str()).collect::<Vec<_>>().join(":");
    match text.parse() {
        Ok(line) if line > 0 => Ok(line),
        _ => Err(format!("`{text}` is no line number, such as `uprobe:./web@main.go:41`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<AttachKind, String> {
        let params = ["./web".to_owned(), "main.f".to_owned()];
        parse(text, Span::default(), &params).map(|p| p.kind).map_err(|p| p.message)
    }

    fn uprobe(binary: &str, target: UprobeSpec, ret: bool) -> Result<AttachKind, String> {
        Ok(AttachKind::Uprobe { binary: binary.into(), target, ret })
    }

    #[test]
    fn forms() {
        let function = |f: &str| UprobeSpec::Function(f.into());
        for text in ["begin", "BEGIN", "Begin"] {
            assert_eq!(parsed(text), Ok(AttachKind::Begin));
        }
        assert_eq!(parsed("interval:s:2"), Ok(AttachKind::Interval(Period::Nanos(2_000_000_000))));
        assert_eq!(parsed("i:100ms"), Ok(AttachKind::Interval(Period::Nanos(100_000_000))));
        assert_eq!(parsed("interval:5000"), Ok(AttachKind::Interval(Period::Nanos(5000))));
        assert_eq!(parsed("p:hz:99"), Ok(AttachKind::Profile(Period::Hertz(99))));
        assert_eq!(parsed("profile:us:10"), Ok(AttachKind::Profile(Period::Nanos(10_000))));
        assert_eq!(
            parsed("t:syscalls:sys_enter_*"),
            Ok(AttachKind::Tracepoint { category: "syscalls".into(), event: "sys_enter_*".into() })
        );
        assert_eq!(parsed("u:./web:main.*"), uprobe("./web", function("main.*"), false));
        assert_eq!(parsed("ur:./web:main.(*T).M"), uprobe("./web", function("main.(*T).M"), true));
        assert_eq!(parsed("uprobe:./web:main.Map[*]"), uprobe("./web", function("main.Map[*]"), false));
        assert_eq!(parsed("uprobe:\"./a:b\":\"f+1\""), uprobe("./a:b", function("f+1"), false));
        assert_eq!(parsed("uprobe:./a:f+12"), uprobe("./a", UprobeSpec::Offset("f".into(), 12), false));
        assert_eq!(parsed("uprobe:./a:0x401000"), uprobe("./a", UprobeSpec::Address(0x40_1000), false));
        assert_eq!(parsed("uprobe:$1:$2"), uprobe("./web", function("main.f"), false));
        let perf = |name: &str, count| {
            let event = EVENTS.iter().find(|e| e.name == name).ok_or_else(|| name.to_owned())?;
            Ok(AttachKind::Perf { event, count })
        };
        assert_eq!(parsed("software:page-faults"), perf("page-faults", 100));
        assert_eq!(parsed("s:cs:7"), perf("context-switches", 7));
        assert_eq!(parsed("h:branches:5000"), perf("branch-instructions", 5000));
        let module = Some("nf".to_owned());
        let kprobe = |module: &Option<String>, target| {
            Ok(AttachKind::Kprobe { module: module.clone(), target, ret: false })
        };
        assert_eq!(parsed("k:vfs_*"), kprobe(&None, KprobeSpec::Function("vfs_*".into())));
        assert_eq!(parsed("kprobe:nf:f+0x8"), kprobe(&module, KprobeSpec::Offset("f".into(), 8)));
        assert_eq!(
            parsed("kprobe:0xffffffff81000000"),
            kprobe(&None, KprobeSpec::Address(0xffff_ffff_8100_0000))
        );
        let fentry = |of, ret| Ok(AttachKind::Fentry { of, function: "f".into(), ret });
        assert_eq!(parsed("kfunc:f"), fentry(FentryOf::Any, false));
        assert_eq!(parsed("fr:nf:f"), fentry(FentryOf::Module("nf".into()), true));
        assert_eq!(parsed("fentry:bpf:f"), fentry(FentryOf::Program(None), false));
        assert_eq!(parsed("fexit:bpf:17:f"), fentry(FentryOf::Program(Some(17)), true));
        assert!(parsed("fentry:bpf:x:f").is_err() && parsed("fentry:nf:17:f").is_err());
        assert_eq!(parsed("rt:nf:e"), Ok(AttachKind::RawTracepoint { module, event: "e".into() }));
        let watch =
            |len, access| AttachKind::Watchpoint(Watchpoint { address: 0x1000, len, access: Watch(access) });
        assert_eq!(parsed("w:0x1000:4:rw"), Ok(watch(4, 3)));
        assert_eq!(parsed("watchpoint:0x1000:8:x"), Ok(watch(8, 4)));
        assert_eq!(parsed("self:signal:SIGUSR1"), Ok(AttachKind::Signal));
        assert_eq!(parsed("uprobe:\"$1\":f"), uprobe("$1", function("f"), false));
        assert_eq!(parsed("uprobe::main.f"), uprobe("", function("main.f"), false));
        assert_eq!(parsed("uretprobe:$3:$2"), uprobe("", function("main.f"), true));
        assert!(parsed("uprobe:$1:$3").is_err() && parsed("tracepoint:sched:$3").is_err());
        let line = |file: &str, line| UprobeSpec::Line { file: file.into(), line };
        assert_eq!(parsed("u:./a@main.go:41"), uprobe("./a", line("main.go", 41), false));
        assert_eq!(parsed("u:./a@b/db.go:7"), uprobe("./a", line("b/db.go", 7), false));
        assert_eq!(parsed("u:./you@home:f"), uprobe("./you@home", function("f"), false));
        assert_eq!(parsed("uprobe:./a:ns::f"), uprobe("./a", function("ns::f"), false));
        let source = |name: &str| UprobeSpec::Demangled(name.into());
        assert_eq!(
            parsed("uprobe:./a:cpp:\"ns::operator+(int)\""),
            uprobe("./a", source("ns::operator+(int)"), false)
        );
        assert_eq!(parsed("ur:./a:rust:k::f"), uprobe("./a", source("k::f"), true));
        assert_eq!(parsed("uprobe:./a:cpp"), uprobe("./a", function("cpp"), false));
    }

    #[test]
    fn malformed() {
        let messages: Vec<String> = [
            "upprobe:./a:f",
            "kprobe:vfs_read",
            "frob",
            "",
            "begin:1",
            "interval",
            "interval:x",
            "interval:s:x",
            "interval:s:0",
            "interval:ns:1",
            "interval:100ns",
            "profile:hz:10000000",
            "tracepoint:a",
            "uprobe:main.f",
            "uprobe:./a:",
            "uprobe:./a:f+x",
            "uprobe:./a@main.go:main.f",
            "uprobe:./a@main.go:0",
            "uretprobe:./a@main.go:41",
            "uretprobe:./a:f+4",
            "uprobe:\"./a:f",
            "uprobe:$3:f",
            "software:cpu-clok",
            "software:cs:0",
            "software:cycles",
            "hardware:cycles:x",
            "self:signal:SIGINT",
            "self:time",
            "kprobe",
            "kprobe:",
            "kprobe:a:b:c",
            "kprobe:f+x",
            "kretprobe:f+1",
            "watchpoint:main:8:w",
            "watchpoint:0x1000:3:w",
            "watchpoint:0x1000:8:ww",
            "watchpoint:0x1000:8:xw",
            "watchpoint:0x1001:8:w",
            "watchpoint:0x1000:8:",
        ]
        .iter()
        .map(|text| {
            let problem = parse(text, Span::default(), &[]).err();
            let lines = problem.map(|p| [vec![p.message], p.notes, p.help].concat().join("; "));
            format!("{text}  ->  {}", lines.unwrap_or_else(|| "accepted".into()))
        })
        .collect();
        assert_text!(messages.join("\n"));
    }
}
