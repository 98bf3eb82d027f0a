//! `gotrace list`: the probes that match a pattern, what a script attaches to, or a type of the kernel.

mod details;
mod types;

use super::script::Source;
use super::{CliError, RunArgs, answer, import};
use crate::env::Host;
use inspect::glob::Glob;
use inspect::proc::Process;
use lang::diag::Problem;
use lang::env::{Env, EnvError, KernelFunction, Match, NamedSite, Tracepoint};
use lang::probe::{AttachKind, AttachPoint, KINDS, UprobeSpec, Wants};
use lang::span::Span;
use std::borrow::Cow;
use std::fmt::Write;
use std::fs::File;
use std::io::{Read, Write as _};
use std::path::Path;

/// Warnings that are shown without `-v`; more are only counted.
const FEW_WARNINGS: usize = 3;

/// Lists what matches `what`, one a line: a pattern, a program or a script. Without it, the kinds of probes.
pub(super) fn list(what: &str, args: Vec<String>, verbose: bool) -> Result<u8, CliError> {
    Listing { verbose, ..Listing::default() }.of(what, args)
}

/// Lists what the options of a run name (`-l`): a one-liner's probes, else as [`list`]; with `-p` in the programs and libraries as
/// that process sees them.
pub(super) fn of_run(run: &RunArgs) -> Result<u8, CliError> {
    let mut listing = Listing { verbose: run.verbose, process: run.pid, ..Listing::default() };
    let Some(program) = &run.program else {
        let (what, args) =
            run.script.split_first().map_or(("", &[][..]), |(what, args)| (what.as_str(), args));
        return listing.of(what, args.to_vec());
    };
    listing.script(&Source::one_liner(program), run.script.clone())?;
    listing.show()
}

/// Whether a word names a script rather than a program or a pattern.
fn is_script(word: &str) -> bool {
    let path = Path::new(word);
    if path.is_file() { !is_program(path) } else { word == "-" || scripts::find(word).is_some() }
}

fn is_program(path: &Path) -> bool {
    let mut magic = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok_and(|()| magic == *b"\x7fELF")
}

/// Whether a word looks like a misspelled kind of probe, rather than a category of tracepoints.
fn resembles_a_kind(word: &str) -> bool {
    lang::diag::nearest(word, KINDS.iter().map(|kind| kind.name)).is_some()
}

/// What is going to be printed.
#[derive(Default)]
struct Listing {
    verbose: bool,
    /// The process of `-p`.
    process: Option<u32>,
    lines: Vec<String>,
    warnings: Vec<String>,
}

impl Listing {
    fn of(mut self, what: &str, args: Vec<String>) -> Result<u8, CliError> {
        if what.is_empty() {
            self.kinds();
        } else if let (true, [name]) = (types::is_keyword(what), args.as_slice()) {
            self.pattern(&format!("{what} {name}"))?;
        } else if is_script(what) {
            self.script(&import::resolve(Source::open(what)?, &[])?, args)?;
        } else {
            self.pattern(what)?;
        }
        self.show()
    }

    /// The machine, as the process of `-p` sees it.
    fn host(&self, args: Vec<String>) -> Host {
        let running = self.process.map(|pid| Process::new(pid).exe());
        Host::new(self.process, args).running(running).seen_by(self.process)
    }

    fn kinds(&mut self) {
        self.lines.extend(KINDS.iter().map(|kind| kind.form.to_owned()));
        self.lines.push(String::new());
        self.lines
            .push("Give a pattern to list places: 'tracepoint:sched:*', 'uprobe:./web:main.*'.".to_owned());
    }

    fn script(&mut self, source: &Source, args: Vec<String>) -> Result<(), CliError> {
        let script = source.parse()?;
        let host = self.host(args).allowing_unsafe(true);
        for point in script.probes.iter().flat_map(|probe| &probe.points) {
            let parsed =
                lang::probe::parse(&point.text, point.span, host.params()).map_err(|p| source.error(*p))?;
            self.point(&host, &parsed).map_err(|e| source.error(problem(&e, point.span)))?;
        }
        Ok(())
    }

    /// Lists a pattern. Short forms: a path alone or with a function stands for its uprobes, a kind alone for all of it, `sched:*`
    /// for tracepoints of a category, a bare word for tracepoints that have it in their name; `struct NAME` is a type.
    fn pattern(&mut self, pattern: &str) -> Result<(), CliError> {
        if let Some((keyword, name)) = types::parts(pattern) {
            let found = types::list(&Host::default(), keyword, name, self.verbose);
            self.lines.extend(found.map_err(|e| described(&problem(&e, Span::default())))?);
            return Ok(());
        }
        let (first, rest) =
            pattern.split_once(':').map_or((pattern, None), |(first, rest)| (first, Some(rest)));
        if let Some(kind) = lang::probe::find_kind(first) {
            let colons = pattern.matches(':').count();
            let missing = kind.form.matches(':').count().saturating_sub(colons);
            // `tracepoint` and `tracepoint:sched` have all events, `uprobe:./web` all functions, `usdt` what the process of `-p` or all of
            // them have; the rest has no patterns.
            let all = match kind.name {
                "tracepoint" => ":*".repeat(missing),
                "uprobe" | "uretprobe" | "usdt" if colons == 1 => ":*".to_owned(),
                "usdt" if colons == 0 => ":*:*".to_owned(),
                "rawtracepoint" | "iter" | "kprobe" | "kretprobe" | "fentry" | "fexit" => {
                    ":*".repeat(missing)
                }
                _ => String::new(),
            };
            return self.one(&format!("{pattern}{all}"));
        }
        if first.contains('/') || is_program(Path::new(first)) {
            // A bare name in an attach point is searched in PATH.
            let here = if first.contains('/') { "" } else { "./" };
            return self.one(&format!("uprobe:{here}{pattern}{}", if rest.is_none() { ":*" } else { "" }));
        }
        match rest {
            Some(rest) if first.contains('*') => self.kinds_like(first, rest),
            Some(rest) if !rest.contains(':') && !resembles_a_kind(first) => {
                self.one(&format!("tracepoint:{pattern}"))
            }
            Some(_) => self.one(pattern),
            None => self.tracepoints(pattern),
        }
    }

    /// `u*:./web:main.*`: every kind that the first part matches and the rest makes sense for.
    fn kinds_like(&mut self, first: &str, rest: &str) -> Result<(), CliError> {
        let glob = Glob::new(first);
        let mut error = CliError::with_help(
            format!("no kind of probe matches `{first}`"),
            "`gotrace list` shows the kinds",
        );
        let mut found = false;
        for kind in KINDS.iter().filter(|kind| glob.matches(kind.name)) {
            match self.one(&format!("{}:{rest}", kind.name)) {
                Ok(()) => found = true,
                Err(e) => error = e,
            }
        }
        if found { Ok(()) } else { Err(error) }
    }

    fn tracepoints(&mut self, word: &str) -> Result<(), CliError> {
        let unreadable = |e: inspect::Error| {
            CliError::with_help(
                e.to_string(),
                format!("root can; for functions of a program write './program:{word}'"),
            )
        };
        let events = crate::tracefs::find().map_err(unreadable)?.events().map_err(unreadable)?;
        let glob = Glob::new(&if word.contains('*') { word.to_owned() } else { format!("*{word}*") });
        let mut found: Vec<String> = events
            .iter()
            .map(|e| format!("tracepoint:{}:{}", e.category, e.event))
            .filter(|name| glob.matches(name))
            .collect();
        found.sort();
        if found.is_empty() {
            return Err(CliError::with_help(
                format!("no tracepoint matches \"{word}\", and there is no such file"),
                "for functions of a program write './program:*'",
            ));
        }
        if !self.verbose {
            self.lines.extend(found);
            return Ok(());
        }
        found.iter().try_for_each(|name| self.one(name))
    }

    fn one(&mut self, text: &str) -> Result<(), CliError> {
        let point = lang::probe::parse(text, Span::default(), &[]).map_err(|p| described(&p))?;
        self.point(&self.host(Vec::new()), &point).map_err(|e| described(&problem(&e, Span::default())))
    }

    /// Adds all places of an attach point, sorted.
    fn point(&mut self, host: &Host, point: &AttachPoint) -> Result<(), EnvError> {
        // The types of C functions are shown too.
        let wants = Wants { args: self.verbose, ..point.wants };
        let matches = host.resolve(&AttachPoint { wants, ..point.clone() })?;
        let mut lines: Vec<String> = Vec::new();
        for found in &matches {
            match found {
                Match::Tracepoint(tracepoint) => lines.push(tracepoint_lines(tracepoint, self.verbose)),
                Match::RawTracepoint(function) => {
                    lines.push(function_lines("rawtracepoint", function, self.verbose));
                }
                Match::Fentry(function) => {
                    let ret = matches!(point.kind, AttachKind::Fentry { ret: true, .. });
                    lines.push(function_lines(if ret { "fexit" } else { "fentry" }, function, self.verbose));
                }
                Match::Iter(function) => lines.push(function_lines("iter", function, self.verbose)),
                Match::Kprobe(places) => {
                    let ret = matches!(point.kind, AttachKind::Kprobe { ret: true, .. });
                    let kind = if ret { "kretprobe" } else { "kprobe" };
                    lines.extend(places.iter().map(|p| match &p.module {
                        Some(module) => format!("{kind}:{module}:{}", p.function),
                        None => format!("{kind}:{}", p.function),
                    }));
                }
                Match::Uprobe(uprobe) => {
                    let kind = match point.kind {
                        AttachKind::Usdt { .. } => "usdt",
                        AttachKind::Uprobe { ret: true, .. } => "uretprobe",
                        _ => "uprobe",
                    };
                    self.warnings.extend(uprobe.warnings.iter().cloned());
                    if self.verbose {
                        let binary = host.binary(&uprobe.binary)?;
                        lines.extend(details::of(kind, &binary, uprobe));
                        continue;
                    }
                    let line =
                        |site: &NamedSite| format!("{kind}:{}:{}", uprobe.binary, quoted(&site.function));
                    lines.extend(uprobe.sites.iter().map(line));
                }
            }
        }
        if let (true, AttachKind::Uprobe { binary, target: UprobeSpec::Function(pattern), .. }) =
            (self.verbose, &point.kind)
            && !binary.contains('*')
        {
            lines.extend(details::inlined_only(&*host.binary(binary)?, pattern));
        }
        lines.sort();
        if !self.verbose {
            // A function with several returns is one probe.
            lines.dedup();
        }
        if matches.is_empty() {
            lines.push(point.text.clone());
        }
        self.lines.append(&mut lines);
        Ok(())
    }

    fn show(mut self) -> Result<u8, CliError> {
        let shown = if self.verbose { self.warnings.len() } else { FEW_WARNINGS };
        let more = self.warnings.len().saturating_sub(shown);
        let mut messages: Vec<String> =
            self.warnings.iter().take(shown).map(|w| format!("warning: {w}\n")).collect();
        if more > 0 {
            messages.push(format!("warning: {more} more functions cannot be probed (-v shows why)\n"));
        }
        // Nothing can be done if that fails.
        let _ = std::io::stderr().write_all(messages.concat().as_bytes());
        self.lines.push(String::new());
        answer::print(&self.lines.join("\n"))
    }
}

/// A name as an attach point takes it: in quotes when it has characters that mean something there.
fn quoted(name: &str) -> Cow<'_, str> {
    let plain = name.starts_with("main.") || name.contains('/') || !name.contains(['{', '+', '"']);
    if plain { name.into() } else { format!("\"{name}\"").into() }
}

fn tracepoint_lines(tracepoint: &Tracepoint, verbose: bool) -> String {
    let mut line = format!("tracepoint:{}:{}", tracepoint.category, tracepoint.name);
    if verbose {
        for field in &tracepoint.args.fields {
            let _ = write!(line, "\n    {} {}", field.ty, field.name);
        }
    }
    line
}

/// A function of the kernel, with its arguments and result.
fn function_lines(kind: &str, function: &KernelFunction, verbose: bool) -> String {
    let mut line = format!("{kind}:{}", function.path());
    if verbose {
        for param in function.params.iter().flatten() {
            let _ = write!(line, "\n    {} {}", param.ty, param.name);
        }
        if let Some(result) = function.result.as_ref().filter(|_| kind == "fexit") {
            let _ = write!(line, "\n    {result} retval");
        }
    }
    line
}

fn problem(error: &EnvError, span: Span) -> Problem {
    let mut problem = Problem::error(span, error.message.clone());
    if !error.similar.is_empty() {
        return problem.help(format!("did you mean {}?", error.similar.join(" or ")));
    }
    if let Some(help) = &error.help {
        problem = problem.help(help.clone());
    }
    problem
}

/// A problem of a pattern, which has no place in a script.
fn described(problem: &Problem) -> CliError {
    match problem.help.first() {
        Some(help) => CliError::with_help(problem.message.clone(), help.clone()),
        None => CliError::other(problem.message.clone()),
    }
}
