//! Running a script or one-liner: from the command line's words to the end of the run.

use super::script::{Messages, Source};
use super::{Buffering, CliError, Format, RunArgs, Stage, dump, error};
use crate::attach::Scope;
use crate::env::Host;
use crate::output::writer::{self, Output};
use crate::output::{Context, sink};
use crate::run::{Options, RunError, Traced};
use crate::symbolize::{Resolve, Symbolizer};
use crate::sys::clock::WallClock;
use crate::sys::process::{self, Child};
use crate::sys::signal::Signals;
use crate::{load, run, target};
use codegen::Object;
use lang::hir::Program;
use std::ffi::OsString;
use std::rc::Rc;
use std::time::Duration;

/// Runs what the command line asks for.
pub(super) fn run(args: &RunArgs) -> Result<u8, CliError> {
    let (source, params) = source(args)?;
    let script = source.parse()?;
    if let Some(text) = args.dump.and_then(|stage| dump::front(stage, &script, &source.text)) {
        print!("{text}");
        return Ok(0);
    }
    // Before the child: it gets the signal mask that we had.
    let signals = Signals::block(&[libc::SIGINT, libc::SIGTERM, libc::SIGHUP])
        .map_err(|e| CliError::other(format!("signals cannot be handled: {e}")))?;
    let traced = traced(args)?;
    let pid = match &traced {
        Traced::Child(child) => Some(child.pid()),
        _ => args.pid,
    };
    let host = Host::new(pid, params);
    let messages = Messages { color: args.color, no_warnings: args.no_warnings };
    let program = source.check(&script, &host, messages)?;
    let target = target::for_run(&program, pid, args.runtime_errors);
    let compiled = |e: codegen::Error| source.error(error::compile_problem(&e));
    if let Some(stage) = args.dump
        && let Some(text) = dump::middle(stage, &program, &target).map_err(compiled)?
    {
        print!("{text}");
        return Ok(0);
    }
    let object = codegen::compile(&program, &target).map_err(compiled)?;
    if let Some(text) = args.dump.and_then(|stage| dump::back(stage, &object, &program)) {
        print!("{text}");
        return Ok(0);
    }
    let elf = codegen::elf::write(&object).map_err(|e| CliError::other(format!("the object cannot be written: {e}")))?;
    // Newer kernels account BPF memory to the control group; the limit of older ones may be in the way.
    let _ = process::lift_memory_limit();
    if args.dump == Some(Stage::Verifier) {
        let logs = load::verifier_logs(&elf, &object, target.uprobe_multi)
            .map_err(|e| source.error(error::load_problem(&e, true)))?;
        print!("{logs}");
        return Ok(0);
    }
    let loaded = load::load(&elf, &object, target.uprobe_multi)
        .map_err(|e| source.error(error::load_problem(&e, args.verbose)))?;
    let options = Options {
        scope: Scope { pid, uprobe_multi: target.uprobe_multi },
        dry_run: args.dry_run,
        max_events: args.max_events,
        timeout: args.timeout.map(timeout).transpose()?,
        all_errors: args.runtime_errors,
    };
    let symbols = Rc::new(Symbolizer::new());
    let mut sink = open_sink(args, &program, &symbols)?;
    if args.verbose {
        describe(&program, &object);
    }
    let ended = run::run(&program, &object, &loaded, &options, &symbols, traced, Some(signals), &mut *sink);
    let ended = ended.map_err(|e| match e {
        RunError::Attach(e) => source.error(error::attach_problem(&e)),
        other => CliError::other(other.to_string()),
    })?;
    if let Some(status) = ended.child.filter(|s| !s.success() && !args.quiet) {
        eprintln!("the traced program ended with {status}");
    }
    Ok(ended.code)
}

/// The script and its arguments.
fn source(args: &RunArgs) -> Result<(Source, Vec<String>), CliError> {
    if let Some(text) = &args.program {
        return Ok((Source::one_liner(text), args.script.clone()));
    }
    let Some((name, params)) = args.script.split_first() else {
        return Err(CliError::with_help("there is no script to run", "give a file, a tool, or a program with -e"));
    };
    Ok((Source::open(name)?, params.to_vec()))
}

/// Starts the child of `-c`, or finds the process of `-p`.
fn traced(args: &RunArgs) -> Result<Traced, CliError> {
    if let Some(command) = &args.command {
        let words = words(command)?;
        let child = Child::start(&words).map_err(|e| {
            let name = words.first().map(|w| w.to_string_lossy().into_owned()).unwrap_or_default();
            CliError::with_help(format!("cannot start {name}: {e}"), "-c takes a program and its arguments, as a shell would")
        })?;
        return Ok(Traced::Child(child));
    }
    let Some(pid) = args.pid else { return Ok(Traced::No) };
    let fd = process::watch(pid).map_err(|e| match e.raw_os_error() {
        Some(libc::ESRCH | libc::EINVAL) => CliError::other(format!("there is no process {pid}")),
        _ => CliError::other(format!("process {pid} cannot be watched: {e}")),
    })?;
    Ok(Traced::Process(fd))
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
        Some(quote) => Err(CliError::other(format!("the command of -c has an opening {quote} without a closing one"))),
        None if words.is_empty() => Err(CliError::other("the command of -c is empty")),
        None => Ok(words),
    }
}

fn timeout(seconds: f64) -> Result<Duration, CliError> {
    Duration::try_from_secs_f64(seconds).map_err(|_| CliError::other("--timeout takes a number of seconds, not negative"))
}

fn open_sink(args: &RunArgs, program: &Program, symbols: &Rc<Symbolizer>) -> Result<Box<dyn sink::Sink>, CliError> {
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
    let messages = if args.quiet { sink::Messages::None } else { sink::Messages::All };
    let output = Output::open(args.output.as_deref(), buffering).map_err(|e| CliError::other(e.to_string()))?;
    Ok(sink::new(format, output, messages, context))
}

/// Tells what is about to be attached (`-v`).
fn describe(program: &Program, object: &Object) {
    for (probe, bpf) in program.probes.iter().zip(&object.programs) {
        let sites = match &probe.attach {
            lang::hir::Attach::Uprobe { targets, .. } => {
                let count: usize = targets.iter().map(|t| t.sites.len()).sum();
                format!(", {count} places")
            }
            _ => String::new(),
        };
        eprintln!("{}: {} instructions{sites}", probe.name, bpf.insns.len());
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
        assert_eq!(split(r#"sh -c "echo 'a b'; exit 3" '' a\ b"#), ["sh", "-c", "echo 'a b'; exit 3", "", "a b"]);
        assert!(words("echo 'a").is_err());
        assert!(words("  ").is_err());
    }
}
