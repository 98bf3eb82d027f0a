//! Reads the text cases of `tests/cases`. The format is told in `tests/README.md`; [`KEYS`] is its list of keys.
//!
//! A case begins with a line `NAME …` and goes to the next one. A key stands at the start of a line; its value follows on
//! the same line, or as an indented block below it (two spaces, which are taken off). A line starting with `#` is a
//! comment. This module only reads; [`crate::judge`] runs a case and decides.

use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use nix::sys::signal::Signal;
use regex_lite::Regex;

use crate::programs::{BuildError, Mode, Program};
use crate::toolchain::{self, RELEASES, Release};

/// The time a case may take unless it says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// One case, as written.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it is called in test names.
    pub name: String,
    /// The line of its `NAME`, from 1.
    pub line: usize,
    /// The program that is traced, if any.
    pub target: Option<Target>,
    /// How the traced program is brought together with gotrace.
    pub via: Via,
    /// The Go releases it runs on.
    pub releases: Vec<&'static Release>,
    /// The build modes it runs in.
    pub modes: Vec<Mode>,
    /// Features of the kernel that it runs without a second time, in its first build mode.
    pub without: Option<String>,
    /// What is run.
    pub action: Action,
    /// Options of gotrace before the program.
    pub options: Vec<String>,
    /// Positional parameters of the script.
    pub params: Vec<String>,
    /// Environment of gotrace, and so of the target under `-c`.
    pub env: Vec<(String, String)>,
    /// Standard input of gotrace.
    pub stdin: String,
    /// A signal that is sent to gotrace once a text was seen.
    pub signal: Option<(Signal, Regex)>,
    /// What must have come out.
    pub expectations: Vec<Expectation>,
    /// The exit code that gotrace must have.
    pub status: i32,
    /// Whether the target may print something else than in an untraced run.
    pub target_output_may_differ: bool,
    /// The time limit.
    pub timeout: Duration,
    /// What the machine must have; without it the case is shown as ignored.
    pub needs: Vec<&'static Need>,
}

/// The traced program and its arguments.
#[derive(Debug, Clone)]
pub struct Target {
    /// Which program.
    pub program: Program,
    /// Its command line after the program.
    pub args: Vec<String>,
}

/// How gotrace gets at its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// gotrace starts it: `-c`.
    Command,
    /// The harness starts it and names it by `-p`.
    Pid,
    /// It is only built: `{bin}` is its path.
    Nothing,
    /// gotrace traces the machine: the target runs to its end once the probes are attached, then gotrace is interrupted.
    Beside,
}

/// What a case runs.
#[derive(Debug, Clone)]
pub enum Action {
    /// `gotrace OPTIONS -e TEXT PARAMS`.
    OneLiner(String),
    /// `gotrace OPTIONS {tmp}/script.gt PARAMS`, with this text in the file.
    File(String),
    /// `gotrace WORDS`, nothing added.
    Command(Vec<String>),
    /// One of bpftrace's own tools, with arguments.
    Tool(Vec<String>),
    /// `sh -eu` with this text, where `$GOTRACE`, `$BIN` and `$TMP` are set.
    Shell(String),
}

/// One demand on the output.
#[derive(Debug, Clone)]
pub enum Expectation {
    /// The answers are exactly these lines; blank lines at either end, and how many stand together, do not count.
    Lines(Vec<String>),
    /// The same, in any order.
    Unordered(Vec<String>),
    /// The answers are these JSON values, one per line; the order of object keys does not count.
    Json(Vec<String>),
    /// The answers match.
    Matches(Regex),
    /// The answers do not match.
    MatchesNot(Regex),
    /// Standard error matches.
    Stderr(Regex),
    /// Standard error does not match.
    StderrNot(Regex),
}

/// Something that a machine may lack.
#[derive(Debug)]
pub struct Need {
    /// Its name in case files.
    pub name: &'static str,
    /// What is missing without it, as part of a sentence.
    pub missing: &'static str,
    /// Whether it is here.
    pub present: fn() -> bool,
}

/// The variable that says that the machine is there for the tests alone.
pub const GUEST: &str = "GOTRACE_TESTS_GUEST";

/// Everything that `NEEDS` may name.
pub const NEEDS: &[Need] = &[
    Need { name: "bpftool", missing: "no bpftool", present: || crate::debian::on_path("bpftool") },
    Need {
        name: "tracefs",
        missing: "no tracefs",
        present: || std::path::Path::new("/sys/kernel/tracing/events").is_dir(),
    },
    Need {
        name: "disk",
        missing: "/tmp is on no disk",
        // File systems without a device have 0 as its major number.
        present: || std::fs::metadata("/tmp").is_ok_and(|status| status.dev() >> 8 != 0),
    },
    Need {
        name: "kernel_variables",
        missing: "the kernel does not list its variables (CONFIG_KALLSYMS_ALL)",
        present: || {
            std::fs::read_to_string("/proc/kallsyms").is_ok_and(|symbols| symbols.contains(" avenrun\n"))
        },
    },
    Need {
        name: "cgroup2",
        missing: "no unified hierarchy of control groups",
        present: || {
            std::fs::read_to_string("/proc/self/mounts").is_ok_and(|mounts| mounts.contains(" cgroup2 "))
        },
    },
    Need {
        name: "kprobes",
        missing: "no kprobes",
        present: || std::path::Path::new("/sys/bus/event_source/devices/kprobe").exists(),
    },
    Need {
        name: "fentry",
        missing: "no fentry programs",
        // Kernels that are hardened allow neither these nor kprobes; arm64 can call programs from functions since 6.4.
        present: || {
            std::path::Path::new("/sys/bus/event_source/devices/kprobe").exists()
                && (cfg!(target_arch = "x86_64") || kernel_release() >= (6, 4))
        },
    },
    Need {
        name: "guest",
        missing: "it changes settings of the kernel, which is done in virtual machines only",
        present: || std::env::var_os(GUEST).is_some(),
    },
    Need {
        name: "integrity",
        missing: "the kernel is not locked down in the mode integrity",
        present: || is_locked_down("integrity"),
    },
    Need {
        name: "confidentiality",
        missing: "the kernel is not locked down in the mode confidentiality",
        present: || is_locked_down("confidentiality"),
    },
    Need {
        name: "module_veth",
        missing: "the module veth with its types is not loaded",
        present: || std::path::Path::new("/sys/kernel/btf/veth").exists(),
    },
    Need {
        name: "for_each_map",
        missing: "no bpf_for_each_map_elem (Linux 5.13)",
        present: || kernel_release() >= (5, 13),
    },
    Need {
        name: "attach_cookie",
        missing: "no attach cookies (Linux 5.15): a program for each place",
        present: || kernel_release() >= (5, 15),
    },
    Need {
        name: "bpf_loop",
        missing: "the verifier follows loops to their end (before Linux 5.17)",
        present: || kernel_release() >= (5, 17),
    },
    Need {
        name: "function_result",
        missing: "no bpf_get_func_ret (Linux 5.17)",
        present: || kernel_release() >= (5, 17),
    },
    Need {
        name: "percpu_lookup",
        missing: "no bpf_map_lookup_percpu_elem (Linux 5.19)",
        present: || kernel_release() >= (5, 19),
    },
    Need {
        name: "rdonly_cast",
        missing: "no plain loads from the kernel's memory (bpf_rdonly_cast, Linux 6.2; on arm64 6.9)",
        present: || kernel_release() >= if cfg!(target_arch = "x86_64") { (6, 2) } else { (6, 9) },
    },
    Need {
        name: "iter_of_process",
        missing: "no iter over the threads of one process (Linux 6.1)",
        present: || kernel_release() >= (6, 1),
    },
    Need {
        name: "raw_tracepoint_guard",
        missing: "a raw tracepoint inside a program hangs the kernel (before Linux 6.1)",
        present: || kernel_release() >= (6, 1),
    },
    Need {
        name: "processor_events",
        missing: "the processor counts no events (no PMU)",
        present: || {
            std::fs::read_dir("/sys/bus/event_source/devices").is_ok_and(|devices| {
                let names = devices.flatten().map(|device| device.file_name());
                names.into_iter().any(|name| name == "cpu" || name.to_string_lossy().starts_with("armv8_pmu"))
            })
        },
    },
    Need {
        name: "uprobe_multi",
        missing: "no uprobe_multi links (Linux 6.6)",
        present: || kernel_release() >= (6, 6),
    },
    Need {
        name: "may_goto",
        missing: "no loops whose rounds the kernel counts (Linux 6.9)",
        present: || kernel_release() >= (6, 9),
    },
    Need {
        name: "uprobe_registers",
        missing: "uprobe programs cannot set registers (Linux 6.19)",
        present: || kernel_release() >= (6, 19) && cfg!(target_arch = "x86_64"),
    },
];

/// A fault in a case file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct CaseError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub what: String,
}

/// What a key does with its value, given as lines.
type Setter = fn(&mut Case, Value<'_>) -> Result<(), String>;

/// Every key of a case file.
pub const KEYS: &[(&str, Setter)] = &[
    ("TARGET", |case, value| {
        let mut words = value.words()?.into_iter();
        let name = words.next().ok_or("names no program")?;
        let program = Program::named(&name).map_err(|e: BuildError| e.to_string())?;
        case.target = Some(Target { program, args: words.collect() });
        Ok(())
    }),
    ("VIA", |case, value| {
        case.via = match value.line()? {
            "cmd" => Via::Command,
            "pid" => Via::Pid,
            "nothing" => Via::Nothing,
            other => return Err(format!("`{other}` is none of cmd, pid, nothing")),
        };
        Ok(())
    }),
    ("GO", |case, value| {
        case.releases = releases(value.line()?)?;
        Ok(())
    }),
    ("MODES", |case, value| {
        let modes = value.words()?.into_iter();
        case.modes = modes
            .map(|name| Mode::named(&name).ok_or_else(|| format!("`{name}` is no build mode")))
            .collect::<Result<_, _>>()?;
        Ok(())
    }),
    ("WITHOUT", |case, value| {
        case.without = Some(value.line()?.to_owned());
        Ok(())
    }),
    ("SCRIPT", |case, value| {
        case.action = Action::OneLiner(value.text());
        Ok(())
    }),
    ("FILE", |case, value| {
        case.action = Action::File(value.text());
        Ok(())
    }),
    ("RUN", |case, value| {
        case.action = Action::Command(value.words()?);
        Ok(())
    }),
    ("TOOL", |case, value| {
        case.action = Action::Tool(value.words()?);
        Ok(())
    }),
    ("SHELL", |case, value| {
        case.action = Action::Shell(value.text());
        Ok(())
    }),
    ("OPTIONS", |case, value| {
        case.options = value.words()?;
        Ok(())
    }),
    ("PARAMS", |case, value| {
        case.params = value.words()?;
        Ok(())
    }),
    ("ENV", |case, value| {
        let (name, text) = value.line()?.split_once('=').ok_or("is not of the form NAME=VALUE")?;
        case.env.push((name.to_owned(), text.to_owned()));
        Ok(())
    }),
    ("STDIN", |case, value| {
        case.stdin = value.text();
        Ok(())
    }),
    ("SIGNAL", |case, value| {
        let (name, pattern) =
            value.line()?.split_once(" when ").ok_or("is not of the form NAME when REGEX")?;
        let signal = format!("SIG{name}").parse().map_err(|_| format!("`{name}` is no signal"))?;
        case.signal = Some((signal, regex(pattern)?));
        Ok(())
    }),
    ("EXPECT", |case, value| expect(case, Expectation::Lines(value.lines()))),
    ("EXPECT_UNORDERED", |case, value| expect(case, Expectation::Unordered(value.lines()))),
    ("EXPECT_JSON", |case, value| expect(case, Expectation::Json(value.lines()))),
    ("EXPECT_REGEX", |case, value| each_regex(case, &value, Expectation::Matches)),
    ("EXPECT_NOT", |case, value| each_regex(case, &value, Expectation::MatchesNot)),
    ("EXPECT_STDERR", |case, value| each_regex(case, &value, Expectation::Stderr)),
    ("EXPECT_STDERR_NOT", |case, value| each_regex(case, &value, Expectation::StderrNot)),
    ("STATUS", |case, value| {
        case.status = value.line()?.parse().map_err(|_| "is no exit code")?;
        Ok(())
    }),
    ("TARGET_OUTPUT", |case, value| match value.line()? {
        "differs" => {
            case.target_output_may_differ = true;
            Ok(())
        }
        other => Err(format!("`{other}` is not `differs`")),
    }),
    ("TIMEOUT", |case, value| {
        let seconds = value.line()?.strip_suffix('s').and_then(|n| n.parse().ok());
        case.timeout = Duration::from_secs(seconds.ok_or("is not a number of seconds such as `20s`")?);
        Ok(())
    }),
    ("NEEDS", |case, value| {
        for name in value.words()? {
            let need = NEEDS.iter().find(|need| need.name == name);
            case.needs.push(need.ok_or_else(|| format!("`{name}` is nothing that a machine may lack"))?);
        }
        Ok(())
    }),
];

/// The value of a key: the rest of its line and the block below it.
#[derive(Debug, Clone)]
pub struct Value<'a> {
    rest: &'a str,
    block: Vec<&'a str>,
}

impl<'a> Value<'a> {
    /// The value as lines: the rest of the key's line, if any, then the block.
    fn lines(&self) -> Vec<String> {
        let rest = (!self.rest.is_empty()).then_some(&self.rest);
        rest.into_iter().chain(&self.block).map(|&line| line.to_owned()).collect()
    }

    fn text(&self) -> String {
        self.lines().join("\n")
    }

    fn line(&self) -> Result<&'a str, String> {
        if self.block.is_empty() && !self.rest.is_empty() {
            Ok(self.rest)
        } else {
            Err("needs a value on its own line and no block".to_owned())
        }
    }

    /// The value's line as words, with single and double quotes as in a shell.
    fn words(&self) -> Result<Vec<String>, String> {
        split_words(self.line()?)
    }
}

/// Splits a line at blanks; quotes keep words together, and `''` is an empty word.
pub fn split_words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' => words.extend(word.take()),
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some(end) if end == c => break,
                        Some(inner) => word.push(inner),
                        None => return Err(format!("the quote {c} is not closed")),
                    }
                }
            }
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

/// Reads a case file; `file` is only used in errors.
pub fn parse(file: &str, text: &str) -> Result<Vec<Case>, CaseError> {
    let mut cases: Vec<Case> = Vec::new();
    let mut lines = text.lines().enumerate().map(|(n, line)| (n + 1, line)).peekable();
    while let Some((number, line)) = lines.next() {
        let fault = |what: String| CaseError { file: file.to_owned(), line: number, what };
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        if line.starts_with(' ') {
            return Err(fault("an indented line that belongs to no key".to_owned()));
        }
        let (key, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut block = Vec::new();
        while let Some((_, inner)) = lines.next_if(|(_, l)| l.starts_with("  ") || l.trim().is_empty()) {
            block.push(inner.strip_prefix("  ").unwrap_or_default());
        }
        while block.last().is_some_and(|line| line.trim().is_empty()) {
            block.pop();
        }
        let value = Value { rest: rest.trim(), block };
        if key == "NAME" {
            let name = value.line().map_err(|what| fault(format!("NAME {what}")))?;
            if cases.iter().any(|case| case.name == name) {
                return Err(fault(format!("a second case named `{name}`")));
            }
            cases.push(Case::new(name, number));
            continue;
        }
        let case = cases.last_mut().ok_or_else(|| fault(format!("`{key}` stands before the first NAME")))?;
        let (_, set) = KEYS
            .iter()
            .find(|(name, _)| *name == key)
            .ok_or_else(|| fault(format!("`{key}` is no key of a case")))?;
        set(case, value).map_err(|what| fault(format!("{key} {what}")))?;
    }
    for case in &mut cases {
        let fault = |what: &str| CaseError { file: file.to_owned(), line: case.line, what: what.to_owned() };
        if matches!(&case.action, Action::Shell(text) if text.is_empty()) {
            return Err(fault("the case runs nothing: it has none of SCRIPT, FILE, RUN, TOOL, SHELL"));
        }
        if case.expectations.is_empty() {
            return Err(fault("the case expects nothing"));
        }
        case.via = match case.action {
            Action::Tool(_) => Via::Beside,
            Action::OneLiner(_) | Action::File(_) if case.target.is_some() => case.via,
            _ => Via::Nothing,
        };
    }
    Ok(cases)
}

impl Case {
    fn new(name: &str, line: usize) -> Case {
        Case {
            name: name.to_owned(),
            line,
            target: None,
            via: Via::Command,
            releases: RELEASES.iter().collect(),
            modes: vec![Mode::Plain],
            without: None,
            action: Action::Shell(String::new()),
            options: Vec::new(),
            params: Vec::new(),
            env: Vec::new(),
            stdin: String::new(),
            signal: None,
            expectations: Vec::new(),
            status: 0,
            target_output_may_differ: false,
            timeout: DEFAULT_TIMEOUT,
            needs: Vec::new(),
        }
    }
}

/// The releases that `GO` names: `all`, `>=1.18`, `<1.17`, or a list such as `1.15 1.27`.
fn releases(text: &str) -> Result<Vec<&'static Release>, String> {
    let bound = |version: &str| toolchain_number(version).ok_or(format!("`{version}` is no Go version"));
    if text == "all" {
        Ok(RELEASES.iter().collect())
    } else if let Some(version) = text.strip_prefix(">=") {
        let least = bound(version)?;
        Ok(RELEASES.iter().filter(|r| r.minor_number() >= least).collect())
    } else if let Some(version) = text.strip_prefix('<') {
        let end = bound(version)?;
        Ok(RELEASES.iter().filter(|r| r.minor_number() < end).collect())
    } else {
        text.split_whitespace().map(|name| toolchain::find(name).map_err(|e| e.to_string())).collect()
    }
}

fn toolchain_number(version: &str) -> Option<u32> {
    version.trim().strip_prefix("1.")?.parse().ok()
}

fn expect(case: &mut Case, expectation: Expectation) -> Result<(), String> {
    case.expectations.push(expectation);
    Ok(())
}

fn each_regex(case: &mut Case, value: &Value<'_>, make: fn(Regex) -> Expectation) -> Result<(), String> {
    let lines = value.lines();
    if lines.is_empty() {
        return Err("has no pattern".to_owned());
    }
    for line in lines {
        case.expectations.push(make(regex(&line)?));
    }
    Ok(())
}

/// A pattern of a case: `^` and `$` are the ends of a line.
fn regex(pattern: &str) -> Result<Regex, String> {
    Regex::new(&format!("(?m){pattern}")).map_err(|e| format!("`{pattern}` is no regular expression: {e}"))
}

/// Whether the kernel keeps things even from root, in this mode.
fn is_locked_down(mode: &str) -> bool {
    let modes = std::fs::read_to_string("/sys/kernel/security/lockdown").unwrap_or_default();
    modes.contains(&format!("[{mode}]"))
}

/// First and second number of the running kernel's release.
fn kernel_release() -> (u32, u32) {
    let text = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = text.split('.').map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Result<Case, CaseError> {
        let cases = parse("test.txt", text)?;
        cases.into_iter().next().ok_or(CaseError { file: String::new(), line: 0, what: "none".to_owned() })
    }

    #[test]
    fn a_case_with_blocks_is_read() -> Result<(), CaseError> {
        let case = one("# about\nNAME first\nTARGET fib -n '3 4'\nGO 1.15 1.27\nMODES plain stripped\n\
                        SCRIPT\n  BEGIN {\n    @ = 1;\n\n  }\n\nEXPECT\n  @: 1\n\n  end\n\nSTATUS 3\nTIMEOUT 5s\n")?;
        let target = case.target.as_ref().map(|t| (t.program.name(), t.args.as_slice()));
        assert_eq!(target, Some(("fib", ["-n".to_owned(), "3 4".to_owned()].as_slice())));
        assert_eq!(case.releases.iter().map(|r| r.minor()).collect::<Vec<_>>(), ["1.15", "1.27"]);
        assert_eq!(case.modes, [Mode::Plain, Mode::Stripped]);
        assert!(matches!(&case.action, Action::OneLiner(s) if s == "BEGIN {\n  @ = 1;\n\n}"));
        assert!(matches!(case.expectations.as_slice(), [Expectation::Lines(l)] if l == &["@: 1", "", "end"]));
        assert_eq!((case.status, case.timeout, case.via), (3, Duration::from_secs(5), Via::Command));
        Ok(())
    }

    #[test]
    fn a_case_without_target_has_nothing_to_start() -> Result<(), CaseError> {
        let case = one("NAME x\nSCRIPT begin { exit(); }\nEXPECT_REGEX ^$\nSIGNAL INT when ^ready")?;
        assert_eq!(case.via, Via::Nothing);
        assert!(matches!(case.signal, Some((Signal::SIGINT, _))));
        Ok(())
    }

    #[test]
    fn releases_are_chosen_by_list_and_by_bound() {
        let names = |text: &str| releases(text).map(|l| l.iter().map(|r| r.minor()).collect::<Vec<_>>());
        assert_eq!(names("<1.17"), Ok(vec!["1.15"]));
        assert_eq!(names(">=1.26"), Ok(vec!["1.26", "1.27"]));
        assert_eq!(names("all").map(|l| l.len()), Ok(RELEASES.len()));
        assert!(names("1.3").is_err());
    }

    #[test]
    fn faults_name_their_line() {
        for (text, line, part) in [
            ("NAME a\nSCIPT x\n", 2, "`SCIPT` is no key"),
            ("SCRIPT x\n", 1, "before the first NAME"),
            ("NAME a\nSCRIPT x\n", 1, "expects nothing"),
            ("NAME a\nEXPECT x\n", 1, "runs nothing"),
            ("NAME a\nMODES plane\n", 2, "`plane` is no build mode"),
            ("NAME a\nTARGET no-such\n", 2, "no program `no-such`"),
            ("NAME a\nEXPECT_REGEX (\n", 2, "no regular expression"),
            ("NAME a\nSCRIPT x\nEXPECT y\nNAME a\n", 4, "second case"),
            ("  x\n", 1, "belongs to no key"),
        ] {
            let error = parse("f.txt", text).err();
            assert!(
                error.as_ref().is_some_and(|e| e.line == line && e.what.contains(part)),
                "{text}: {error:?}"
            );
        }
    }

    #[test]
    fn words_keep_what_quotes_hold() {
        let expected: Vec<String> = ["a", "b c", "", "d\"e"].map(str::to_owned).into();
        assert_eq!(split_words("a 'b c'  \"\" d'\"'e"), Ok(expected));
        assert!(split_words("'open").is_err());
    }
}
