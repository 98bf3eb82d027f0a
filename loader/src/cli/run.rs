//! Running a script or one-liner: from the command line's words to the end of the run.

use super::script::{Messages, Source};
use super::{Buffering, CliError, Format, RunArgs, Stage, answer, dump, error, import, params};
use crate::attach::Scope;
use crate::env::Host;
use crate::load::LoadError;
use crate::needs;
use crate::output::writer::{self, Output};
use crate::output::{Context, sink};
use crate::run::{Options, RunError, Script, Traced};
use crate::symbolize::{Resolve, Shown, Symbolizer};
use crate::sys::clock::WallClock;
use crate::sys::probe::Feature;
use crate::sys::process::{self, Child};
use crate::sys::signal::{self, Signals, Watcher};
use crate::unwind::{self, Unwinder};
use crate::{load, partition, run, target};
use codegen::target::KernelReads;
use codegen::{Object, Target};
use lang::diag::Problem;
use lang::hir::{Attach, Probe, Program};
use regex_lite::Regex;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::rc::Rc;
use std::time::Duration;

/// Runs what the command line asks for.
pub(super) fn run(args: &RunArgs) -> Result<u8, CliError> {
    let (source, words) = source(args)?;
    let source = import::resolve(source, &args.import_dirs)?;
    run_source(args, &source, &words).map_err(|error| match source.tool {
        Some(tool) => error.of_tool(tool),
        None => error,
    })
}

fn run_source(args: &RunArgs, source: &Source, words: &[String]) -> Result<u8, CliError> {
    let script = source.parse()?;
    if params::wants_help(&script, words, &args.options) {
        return answer::print(&params::help(&script));
    }
    let filter = args.probe_filter.as_deref().map(probe_filter).transpose()?;
    let params = params::split(&script, words, &args.options)?;
    if let Some(text) = args.dump.and_then(|stage| dump::front(stage, &script, &source.text)) {
        return answer::print(&text);
    }
    // Before the child: it gets the signal mask that we had.
    let signals = Signals::block(&signal::ENDING)
        .map_err(|e| CliError::other(format!("signals cannot be handled: {e}")))?
        .until_exit();
    let traced = traced(args)?;
    let pid = match &traced {
        Traced::Child(child) => Some(child.pid()),
        _ => args.pid,
    };
    let running = match &traced {
        Traced::Child(child) => Some(child.program().to_owned()),
        _ => args.pid.map(|pid| inspect::proc::Process::new(pid).exe()),
    };
    if let Some(unused) = params::unused(&source.text, &params)
        && !args.no_warnings
    {
        // Nothing depends on it.
        let _ = writeln!(std::io::stderr(), "{unused}");
    }
    let host = Host::new(pid, params.positional)
        .with_options(params.options)
        .running(running)
        .seen_by(args.pid)
        .allowing_unsafe(args.allow_unsafe)
        .filtered(filter)
        .in_mode(args.mode);
    let messages = Messages { color: args.color, no_warnings: args.no_warnings };
    let mut program = source.check(&script, &host, messages)?;
    refuse_kernel_threads(source, &program, args.pid)?;
    may_load(source, args.dump)?;
    let unwinder = unwinder(args, &program, &traced)?;
    let unwind = unwinder
        .as_ref()
        .map(|u| codegen::target::Unwind { rows: u.room(), address_bits: unwind::address_bits() });
    let mut target = Target { unwind, ..target::for_run(&program, pid, args.runtime_errors) };
    partition::by_place(&mut program, &target);
    let compiled = |e: codegen::Error| source.error(error::compile_problem(&e));
    if let Some(stage) = args.dump
        && let Some(text) = dump::middle(stage, &program, &target).map_err(compiled)?
    {
        return answer::print(&text);
    }
    let mut object = codegen::compile(&program, &target).map_err(compiled)?;
    if let Some(text) = args.dump.and_then(|stage| dump::back(stage, &object, &program)) {
        return answer::print(&text);
    }
    if let Some(problem) = needs::unmet(&object) {
        return Err(source.error(problem));
    }
    let write = |object: &Object| {
        codegen::elf::write(object).map_err(|e| CliError::other(format!("the object cannot be written: {e}")))
    };
    let elf = write(&object)?;
    // Newer kernels account BPF memory to the control group; the limit of older ones may be in the way.
    let _ = process::lift_memory_limit();
    if args.dump == Some(Stage::Verifier) {
        let logs = load::verifier_logs(&elf, &object, target.uprobe_multi)
            .map_err(|e| source.error(e.problem(true)))?;
        return answer::print(&logs);
    }
    let mut loaded = load::load(&elf, &object, target.uprobe_multi);
    if matches!(loaded, Err(LoadError::Rejected { .. })) && target.kernel_reads != KernelReads::Helper {
        // Verifiers differ in what they allow. All of them allow the helper.
        target.kernel_reads = KernelReads::Helper;
        object = codegen::compile(&program, &target).map_err(compiled)?;
        loaded = load::load(&write(&object)?, &object, target.uprobe_multi);
    }
    let loaded = loaded.map_err(|e| source.error(e.problem(args.verbose)))?;
    let places = program.probes.iter().map(places).sum();
    let options = Options {
        scope: Scope { pid, uprobe_multi: target.uprobe_multi },
        dry_run: args.dry_run,
        mode: args.mode,
        max_events: args.max_events,
        timeout: args.timeout.map(timeout).transpose()?,
        all_errors: args.runtime_errors,
        warnings: !args.no_warnings,
        progress: (!args.quiet && std::io::stderr().is_terminal()).then_some(places),
    };
    let symbols = Rc::new(Symbolizer::new(Shown {
        demangled: program.config.cpp_demangle,
        lines: program.config.show_debug_info,
    }));
    let watcher =
        signals.watcher().map_err(|e| CliError::other(format!("signals cannot be handled: {e}")))?;
    let mut sink = open_sink(args, &program, &symbols, watcher)?;
    if args.verbose {
        describe(&program, &object);
        if let Some(unwinder) = &unwinder {
            message(&unwinder.describe());
        }
    }
    let maps = unwind::Maps::find(|name| object.map_index(name).map(|index| loaded.map(index)))
        .map_err(|e| CliError::other(format!("the maps of unwinding tables cannot be asked: {e}")))?;
    let script = Script {
        program: &program,
        object: &object,
        loaded: &loaded,
        symbols: &symbols,
        unwinding: unwinder.as_ref().zip(maps.as_ref()),
    };
    let ended = run::run(script, &options, traced, Some(signals), &mut *sink);
    let ended = ended.map_err(|e| match e {
        RunError::Attach(e) => source.error(error::attach_problem(&e)),
        other => other.into(),
    })?;
    if let Some(status) = ended.child.filter(|s| !s.success() && !args.quiet) {
        message(&format!("the traced program ended with {status}"));
    }
    Ok(ended.code)
}

/// Whether this user may load programs, unless only a stage before that is shown. Who may not cannot ask what the kernel has either,
/// and would be told that it lacks everything.
fn may_load(source: &Source, dump: Option<Stage>) -> Result<(), CliError> {
    if dump.is_some_and(|stage| stage != Stage::Verifier) {
        return Ok(());
    }
    match Feature::Bpf.check() {
        Err(e) if e.raw_os_error() == Some(libc::EPERM) => {
            Err(source.error(LoadError::Permission.problem(false)))
        }
        _ => Ok(()),
    }
}

/// The expression of `--probe-filter`.
fn probe_filter(text: &str) -> Result<Regex, CliError> {
    Regex::new(text).map_err(|e| {
        CliError::with_help(
            format!("--probe-filter: `{text}` is no regular expression: {e}"),
            "for example --probe-filter 'sys_enter_(openat|close)$'",
        )
    })
}

/// The script and its arguments.
fn source(args: &RunArgs) -> Result<(Source, Vec<String>), CliError> {
    if let Some(text) = &args.program {
        return Ok((Source::one_liner(text), args.script.clone()));
    }
    let Some((name, params)) = args.script.split_first() else {
        return Err(CliError::with_help(
            "there is no script to run",
            "give a file, a tool, or a program with -e",
        ));
    };
    Ok((Source::open(name)?, params.to_vec()))
}

/// Starts the child of `-c`, or finds the process of `-p`.
fn traced(args: &RunArgs) -> Result<Traced, CliError> {
    if let Some(command) = &args.command {
        let words = words(command)?;
        let child = Child::start(&words).map_err(|e| {
            let name = words.first().map(|w| w.to_string_lossy().into_owned()).unwrap_or_default();
            CliError::with_help(
                format!("cannot start {name}: {e}"),
                "-c takes a program and its arguments, as a shell would",
            )
        })?;
        return Ok(Traced::Child(child));
    }
    let Some(pid) = args.pid else { return Ok(Traced::No) };
    let fd = process::watch(pid).map_err(|e| match (e.raw_os_error(), process::process_of(pid)) {
        (Some(libc::ESRCH | libc::EINVAL | libc::ENOENT), Some(process)) if process != pid => {
            CliError::with_help(
                format!("{pid} is a thread of process {process}"),
                format!("trace the process: -p {process}"),
            )
        }
        (Some(libc::ESRCH | libc::EINVAL | libc::ENOENT), _) => {
            CliError::other(format!("there is no process {pid}"))
        }
        _ => CliError::other(format!("process {pid} cannot be watched: {e}")),
    })?;
    Ok(Traced::Process(fd))
}

/// The unwinding tables of the processes that are named, if the script walks stacks by them.
fn unwinder(args: &RunArgs, program: &Program, traced: &Traced) -> Result<Option<Unwinder>, CliError> {
    if let Some(pid) = args.dwarf_pid.iter().find(|pid| process::process_of(**pid) != Some(**pid)) {
        return Err(CliError::other(format!("--dwarf-pid: there is no process {pid}")));
    }
    let running: BTreeSet<u32> = args.pid.into_iter().chain(args.dwarf_pid.iter().copied()).collect();
    let child = match traced {
        Traced::Child(child) => Some((child.pid(), child.program())),
        _ => None,
    };
    let named = child.is_some() || !running.is_empty();
    let running: Vec<u32> = running.into_iter().collect();
    Ok((named && target::unwinds(program)).then(|| Unwinder::new(&running, child)))
}

/// A thread of the kernel runs no program that a uprobe could be in: the run would wait for ever.
fn refuse_kernel_threads(source: &Source, program: &Program, pid: Option<u32>) -> Result<(), CliError> {
    let Some(pid) = pid.filter(|pid| process::is_kernel_thread(*pid)) else { return Ok(()) };
    let Some(probe) = program.probes.iter().find(|p| matches!(p.attach, Attach::Uprobe { .. })) else {
        return Ok(());
    };
    let problem =
        Problem::error(probe.span, format!("process {pid} is a kernel thread, which runs no program"))
            .help("trace it with tracepoints, or give -p a process of the program");
    Err(source.error(problem))
}

/// Splits a command into words: blanks separate, quotes and backslashes keep together.
fn words(command: &str) -> Result<Vec<OsString>, CliError> {
    let mut words: Vec<OsString> = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = command.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            (c, Some(q)) if c == q => quote = None,
            ('\\', None | Some('"')) => word.get_or_insert_default().extend(chars.next()),
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => words.extend(word.take().map(OsString::from)),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word.map(OsString::from));
    match quote {
        Some(quote) => {
            Err(CliError::other(format!("the command of -c has an opening {quote} without a closing one")))
        }
        None if words.is_empty() => Err(CliError::other("the command of -c is empty")),
        None => Ok(words),
    }
}

/// A line on standard error; nothing can be done if that fails.
fn message(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn timeout(seconds: f64) -> Result<Duration, CliError> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| CliError::other(format!("--timeout takes a number of seconds from 0 on, not {seconds}")))
}

fn open_sink(
    args: &RunArgs,
    program: &Program,
    symbols: &Rc<Symbolizer>,
    signals: Watcher,
) -> Result<Box<dyn sink::Sink>, CliError> {
    let format = match args.format {
        Format::Text => sink::OutputFormat::Text,
        Format::Json => sink::OutputFormat::Json,
    };
    let buffering = match args.buffering {
        Buffering::Line => writer::Buffering::Line,
        Buffering::Full => writer::Buffering::Full,
        Buffering::None => writer::Buffering::None,
    };
    let context = Context {
        symbols: Rc::clone(symbols) as Rc<dyn Resolve>,
        trailer: program.config.str_trunc_trailer.as_str().into(),
        clock: WallClock::now(),
    };
    let messages = if args.quiet { sink::Messages::Few } else { sink::Messages::All };
    let output = Output::open(args.output.as_deref(), buffering, Some(signals))
        .map_err(|e| CliError::other(e.to_string()))?;
    Ok(sink::new(format, output, messages, context))
}

/// Number of places in code that a probe is attached to.
fn places(probe: &Probe) -> usize {
    match &probe.attach {
        Attach::Uprobe { targets, .. } => targets.iter().map(|t| t.sites.len()).sum(),
        Attach::Kprobe { places, .. } => places.len(),
        _ => 0,
    }
}

/// Tells what is about to be attached (`-v`).
fn describe(program: &Program, object: &Object) {
    for (probe, bpf) in program.probes.iter().zip(&object.programs) {
        let sites = match places(probe) {
            0 => String::new(),
            count => format!(", {count} places"),
        };
        message(&format!("{}: {} instructions{sites}", probe.name, bpf.insns.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(command: &str) -> Vec<String> {
        let words = words(command).expect("well-formed");
        words.into_iter().map(|w| w.into_string().expect("text")).collect()
    }

    #[test]
    fn commands_are_split_like_a_shell_does() {
        assert_eq!(split("./web -n 2"), ["./web", "-n", "2"]);
        assert_eq!(
            split(r#"sh -c "echo 'a b'; exit 3" '' a\ b"#),
            ["sh", "-c", "echo 'a b'; exit 3", "", "a b"]
        );
        assert!(words("echo 'a").is_err());
        assert!(words("  ").is_err());
    }
}
