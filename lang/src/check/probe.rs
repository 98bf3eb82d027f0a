//! What the attach points of a script stand for: one [`Target`] for each BPF program, with its sites.

use crate::ast::{self, Script};
use crate::check::Checker;
use crate::config::{Config, MissingProbes};
use crate::diag::{Problem, Problems, Severity};
use crate::env::{Env, EnvError, KernelPlace, Match, Site, Stop as SiteStop, UprobeMatch};
use crate::hir::{self, Attach, Function, UprobeTarget};
use crate::probe::{self, AttachKind, AttachPoint, Mode, UprobeSpec, Wants};
use crate::span::Span;
use crate::types::AddrSpace;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A BPF program to be: a block and where it is attached.
#[derive(Debug)]
pub(crate) struct Target<'a> {
    pub code: Code<'a>,
    /// Where it is attached. A function is in no place: it is checked as `begin` is, which knows least.
    pub attach: Attach,
    /// The attach point as written.
    pub name: String,
    /// Its place.
    pub span: Span,
    /// The binaries of a uprobe, as the script names them.
    pub binaries: Vec<String>,
}

/// What of the script a program is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Code<'a> {
    /// A probe.
    Probe(&'a ast::Probe),
    /// A function, which is no program of its own.
    Function(&'a ast::FnDecl),
}

/// Kinds of program, as far as builtins differ.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ProbeKind {
    /// `begin`
    Begin,
    /// `end`
    End,
    /// `interval`
    Interval,
    /// `profile`
    Profile,
    /// `tracepoint`
    Tracepoint,
    /// `uprobe`
    Uprobe,
    /// `uretprobe`
    Uretprobe,
    /// `self`
    Signal,
    /// `rawtracepoint`
    RawTracepoint,
    /// `kprobe`
    Kprobe,
    /// `kretprobe`
    Kretprobe,
    /// `fentry`
    Fentry,
    /// `fexit`
    Fexit,
    /// `usdt`
    Usdt,
    /// `watchpoint`
    Watchpoint,
    /// `iter`
    Iter,
    /// `software`
    Software,
    /// `hardware`
    Hardware,
    /// `test`
    Test,
    /// `bench`
    Bench,
    /// `fn`: a function, which any probe may call.
    Function,
}

impl ProbeKind {
    /// Its name in scripts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ProbeKind::Begin => "begin",
            ProbeKind::End => "end",
            ProbeKind::Interval => "interval",
            ProbeKind::Profile => "profile",
            ProbeKind::Tracepoint => "tracepoint",
            ProbeKind::Uprobe => "uprobe",
            ProbeKind::Uretprobe => "uretprobe",
            ProbeKind::Signal => "self",
            ProbeKind::RawTracepoint => "rawtracepoint",
            ProbeKind::Kprobe => "kprobe",
            ProbeKind::Kretprobe => "kretprobe",
            ProbeKind::Fentry => "fentry",
            ProbeKind::Fexit => "fexit",
            ProbeKind::Usdt => "usdt",
            ProbeKind::Watchpoint => "watchpoint",
            ProbeKind::Iter => "iter",
            ProbeKind::Software => "software",
            ProbeKind::Hardware => "hardware",
            ProbeKind::Test => "test",
            ProbeKind::Bench => "bench",
            ProbeKind::Function => "fn",
        }
    }
}

impl<'a> Target<'a> {
    /// A function of the script.
    pub fn function(decl: &'a ast::FnDecl) -> Target<'a> {
        Target {
            code: Code::Function(decl),
            attach: Attach::Begin,
            name: format!("fn {}", decl.name.text),
            span: decl.name.span,
            binaries: Vec::new(),
        }
    }

    pub fn kind(&self) -> ProbeKind {
        if let Code::Function(_) = self.code {
            return ProbeKind::Function;
        }
        match &self.attach {
            Attach::Begin => ProbeKind::Begin,
            Attach::End => ProbeKind::End,
            Attach::Interval(_) => ProbeKind::Interval,
            Attach::Profile(_) => ProbeKind::Profile,
            Attach::Tracepoint(_) => ProbeKind::Tracepoint,
            Attach::Uprobe { class, .. } if class.usdt.is_some() => ProbeKind::Usdt,
            Attach::Uprobe { ret: false, .. } => ProbeKind::Uprobe,
            Attach::Uprobe { ret: true, .. } => ProbeKind::Uretprobe,
            Attach::Signal => ProbeKind::Signal,
            Attach::RawTracepoint(_) => ProbeKind::RawTracepoint,
            Attach::Kprobe { ret: false, .. } => ProbeKind::Kprobe,
            Attach::Kprobe { ret: true, .. } => ProbeKind::Kretprobe,
            Attach::Fentry { ret: false, .. } => ProbeKind::Fentry,
            Attach::Fentry { ret: true, .. } => ProbeKind::Fexit,
            Attach::Watchpoint(_) => ProbeKind::Watchpoint,
            Attach::Iter(_) => ProbeKind::Iter,
            Attach::Perf { event, .. } if event.hardware => ProbeKind::Hardware,
            Attach::Perf { .. } => ProbeKind::Software,
            Attach::Test => ProbeKind::Test,
            Attach::Bench => ProbeKind::Bench,
        }
    }

    /// Where an address points when only its value is known: a traced program's memory in uprobes, and in the
    /// tracepoints of system calls, whose arguments come from the program; kernel memory elsewhere.
    pub fn space(&self) -> AddrSpace {
        match &self.attach {
            Attach::Uprobe { .. } | Attach::Watchpoint(_) => AddrSpace::User,
            Attach::Tracepoint(t) if matches!(t.category.as_str(), "syscalls" | "raw_syscalls") => {
                AddrSpace::User
            }
            _ => AddrSpace::Kernel,
        }
    }

    /// Whether it fires by itself, so that it can only go with other probes: begin, end, timers, signals to gotrace.
    fn waits_for_nothing(&self) -> bool {
        matches!(self.attach, Attach::Interval(_) | Attach::Signal) || self.is_run_by_gotrace()
    }

    /// Whether gotrace itself runs it, without an event.
    fn is_run_by_gotrace(&self) -> bool {
        matches!(self.attach, Attach::Begin | Attach::End | Attach::Test | Attach::Bench)
    }

    /// The indices of the functions that the sites belong to.
    pub fn functions(&self) -> Vec<u32> {
        let targets = match &self.attach {
            Attach::Uprobe { targets, .. } => targets,
            Attach::Fentry { index, .. } => return vec![*index],
            Attach::Kprobe { places, .. } => return places.iter().map(|(index, _)| *index).collect(),
            _ => return Vec::new(),
        };
        let mut out: Vec<u32> = targets.iter().flat_map(|t| &t.sites).map(|s| s.function).collect();
        out.sort_unstable();
        out.dedup();
        out
    }
}

/// Resolves all attach points. Gives the programs, in script order, and the functions that their sites belong to.
pub(crate) fn resolve<'a>(
    script: &'a Script,
    env: &dyn Env,
    config: &Config,
    problems: &mut Problems,
) -> (Vec<Target<'a>>, Vec<Function>) {
    let mut resolver = Resolver {
        env,
        config,
        problems,
        functions: Functions::default(),
        targets: Vec::new(),
        named: HashSet::new(),
        ignored: Vec::new(),
        unmatched: Vec::new(),
        filtered: false,
    };
    let mut other = Vec::new();
    for clause in &script.probes {
        let first = resolver.targets.len();
        resolver.named.clear();
        for point in &clause.points {
            match probe::parse(&point.text, point.span, env.params()) {
                Ok(parsed) if !env.mode().has(&parsed.kind) => other.push(parsed),
                Ok(parsed) => {
                    let wants = Wants {
                        args: clause.mentions("args"),
                        result: clause.mentions("retval"),
                        word: clause.identifiers().into_iter().filter_map(argument_word).max(),
                        // A script that is told its function is for any of them.
                        alone: clause.points.len() == 1 && !point.text.contains('$'),
                    };
                    resolver.point(clause, &AttachPoint { wants, ..parsed }, first);
                }
                Err(problem) => resolver.problems.push(*problem),
            }
        }
        resolver.tell_unmatched(first);
    }
    let Resolver { targets, functions, ignored, problems, filtered, .. } = resolver;
    if targets.is_empty() && filtered && !problems.has_errors() {
        let problem = Problem::general("the filter leaves out all probes of the script");
        problems.push(problem.help(
            "names have the form `uprobe:./web:main.f`, `tracepoint:sched:sched_switch`, `interval:s:1`",
        ));
    }
    if !filtered && !problems.has_errors() {
        nothing_of_mode(env.mode(), &targets, &other).into_iter().for_each(|p| problems.push(p));
    }
    if targets.iter().all(Target::waits_for_nothing) {
        // Some may be missing, but not all: what was looked for is told once, although returns are mostly looked for too.
        let mut told = HashSet::new();
        ignored.into_iter().filter(|p| told.insert(p.message.clone())).for_each(|p| problems.push(p));
    }
    walks_stand_alone(&targets, problems);
    let sites: usize = targets.iter().map(count_sites).sum();
    if sites > config.max_probes as usize {
        let span = targets.iter().max_by_key(|t| count_sites(t)).map(|t| t.span).unwrap_or_default();
        let problem = Problem::error(
            span,
            format!("the script attaches to {sites} places, more than {}", config.max_probes),
        )
        .help("match fewer functions, or raise the limit: `config = { max_probes = … }`");
        problems.push(problem);
    }
    if targets.len() > config.max_bpf_progs as usize {
        let span = targets.last().map(|t| t.span).unwrap_or_default();
        let message =
            format!("the script makes {} BPF programs, more than {}", targets.len(), config.max_bpf_progs);
        let problem = Problem::error(span, message);
        problems
            .push(problem.help("match fewer events, or raise the limit: `config = { max_bpf_progs = … }`"));
    }
    (targets, functions.list)
}

/// What is wrong with a script that has nothing of what is asked for: no tests, no benchmarks, or only those.
fn nothing_of_mode(mode: Mode, targets: &[Target<'_>], other: &[AttachPoint]) -> Option<Problem> {
    let has = |kind| targets.iter().any(|t| t.kind() == kind);
    let (message, help) = match mode {
        Mode::Test if !has(ProbeKind::Test) => (
            "the script has no tests",
            "a test is a probe that returns 0 when all is well: `test:sums { assert(1 + 1 == 2, \"sums\"); }`",
        ),
        Mode::Bench if !has(ProbeKind::Bench) => {
            ("the script has no benchmarks", "a benchmark is a probe: `bench:count { @ = count(); }`")
        }
        Mode::Run if targets.is_empty() && !other.is_empty() => {
            ("the script has only tests and benchmarks", "`gotrace test` and `gotrace bench` run those")
        }
        _ => return None,
    };
    Some(Problem::general(message).help(help))
}

/// The number in `sarg3` and `arg3`.
fn argument_word(name: &str) -> Option<u8> {
    name.strip_prefix('s').unwrap_or(name).strip_prefix("arg")?.parse().ok()
}

/// A walk is over as soon as it has been made, and the run with it: nothing that waits can stand beside it.
fn walks_stand_alone(targets: &[Target<'_>], problems: &mut Problems) {
    let walks = |t: &&Target<'_>| matches!(t.attach, Attach::Iter(_));
    let beside = |t: &&Target<'_>| !matches!(t.attach, Attach::Iter(_)) && !t.is_run_by_gotrace();
    if let (Some(walk), Some(other)) = (targets.iter().find(walks), targets.iter().find(beside)) {
        let problem =
            Problem::error(other.span, format!("`{}` cannot stand beside an `iter`", other.kind().name()))
                .label(walk.span, "the script ends when this has walked over everything")
                .help("make two scripts; only `begin`, `end` and other iterators may stand here");
        problems.push(problem);
    }
    let pinned = |t: &&Target<'_>| matches!(&t.attach, Attach::Iter(i) if i.pin.is_some());
    if let (Some(pin), true) = (targets.iter().find(pinned), targets.len() > 1) {
        let problem = Problem::error(pin.span, "a pinned iterator is alone in its script")
            .note("it is not run now: reading its file runs it");
        problems.push(problem);
    }
}

fn count_sites(target: &Target<'_>) -> usize {
    match &target.attach {
        Attach::Uprobe { targets, .. } => targets.iter().map(|t| t.sites.len()).sum(),
        Attach::Kprobe { places, .. } => places.len(),
        _ => 1,
    }
}

/// The functions by binary and name.
#[derive(Default)]
struct Functions {
    list: Vec<Function>,
    index: HashMap<(String, String), u32>,
}

impl Functions {
    fn id(&mut self, binary: &str, name: &str) -> u32 {
        *self.index.entry((binary.to_owned(), name.to_owned())).or_insert_with(|| {
            self.list.push(Function { binary: binary.to_owned(), name: name.to_owned() });
            (self.list.len() - 1) as u32
        })
    }
}

struct Resolver<'a, 'e> {
    env: &'e dyn Env,
    config: &'e Config,
    problems: &'e mut Problems,
    functions: Functions,
    targets: Vec<Target<'a>>,
    /// Names of the clause's programs so far, of those kinds of which a clause has one for each name.
    named: HashSet<String>,
    /// What is missing and may be, as errors.
    ignored: Vec<Problem>,
    /// The patterns of the clause that match nothing, as errors.
    unmatched: Vec<Problem>,
    /// The user's filter left something out.
    filtered: bool,
}

impl<'a> Resolver<'a, '_> {
    /// Adds the programs of one attach point; targets from `first` on belong to the same clause.
    fn point(&mut self, clause: &'a ast::Probe, point: &AttachPoint, first: usize) {
        let attach = match point.kind {
            AttachKind::Begin => Attach::Begin,
            AttachKind::End => Attach::End,
            AttachKind::Interval(period) => Attach::Interval(period),
            AttachKind::Profile(period) => Attach::Profile(period),
            AttachKind::Watchpoint(watchpoint) => Attach::Watchpoint(watchpoint),
            AttachKind::Signal => Attach::Signal,
            AttachKind::Test => Attach::Test,
            AttachKind::Bench => Attach::Bench,
            AttachKind::Perf { event, count } => Attach::Perf { event, count },
            _ => {
                match self.env.resolve(point) {
                    Ok(matches) if matches.is_empty() => {
                        let message = format!("nothing matches `{}`", point.text);
                        self.missing(point, EnvError { message, ..EnvError::default() });
                    }
                    Ok(matches) => self.matches(clause, point, matches, first),
                    Err(error) => self.missing(point, error),
                }
                return;
            }
        };
        if !matches!(attach, Attach::Begin | Attach::End) && !self.wants(&point.text) {
            return;
        }
        self.targets.push(Target {
            code: Code::Probe(clause),
            attach,
            name: point.text.clone(),
            span: point.span,
            binaries: Vec::new(),
        });
    }

    /// Whether the user wants a probe of this name; notes that one was left out.
    fn wants(&mut self, name: &str) -> bool {
        let wanted = self.env.wants(name);
        self.filtered |= !wanted;
        wanted
    }

    fn missing(&mut self, point: &AttachPoint, error: EnvError) {
        let severity = match self.config.missing_probes {
            MissingProbes::Error | MissingProbes::Ignore => Severity::Error,
            MissingProbes::Warn => Severity::Warning,
        };
        let mut problem = Problem { severity, ..Problem::error(point.span, error.message) };
        problem.notes = error.notes;
        problem.help.extend(error.help);
        if !error.similar.is_empty() {
            let names: Vec<String> = error.similar.iter().map(|n| format!("`{n}`")).collect();
            problem = problem.help(format!("did you mean {}?", names.join(" or ")));
        }
        match self.config.missing_probes {
            MissingProbes::Ignore => self.ignored.push(problem),
            MissingProbes::Error if point.text.contains('*') => self.unmatched.push(problem),
            MissingProbes::Error | MissingProbes::Warn => self.problems.push(problem),
        }
    }

    /// Tells of the patterns of a clause that match nothing. It is enough that something else of the clause does: tools name
    /// what other kernels have (`kprobe:lookup_fast, kprobe:lookup_fast.constprop.*`).
    fn tell_unmatched(&mut self, first: usize) {
        let severity = if self.targets.len() > first { Severity::Warning } else { Severity::Error };
        for problem in std::mem::take(&mut self.unmatched) {
            self.problems.push(Problem { severity, ..problem });
        }
    }

    fn matches(&mut self, clause: &'a ast::Probe, point: &AttachPoint, matches: Vec<Match>, first: usize) {
        for m in matches {
            match m {
                Match::Tracepoint(t) => {
                    let same =
                        |other: &Target<'_>| matches!(&other.attach, Attach::Tracepoint(o) if **o == t);
                    let name = format!("tracepoint:{}:{}", t.category, t.name);
                    if !self.targets.iter().skip(first).any(same) && self.wants(&name) {
                        let attach = Attach::Tracepoint(Arc::new(t));
                        let target = Target {
                            code: Code::Probe(clause),
                            attach,
                            name,
                            span: point.span,
                            binaries: Vec::new(),
                        };
                        self.targets.push(target);
                    }
                }
                Match::Uprobe(m) => self.uprobe(clause, point, m, first),
                Match::RawTracepoint(f) => {
                    let name = format!("rawtracepoint:{}", f.name);
                    self.once(clause, Attach::RawTracepoint(Arc::new(f)), name, point);
                }
                Match::Fentry(f) => {
                    let ret = matches!(point.kind, AttachKind::Fentry { ret: true, .. });
                    let program = f.program.map(|id| format!("bpf:{id}"));
                    let of = program.as_deref().or(f.module.as_deref()).unwrap_or_default();
                    let index = self.functions.id(of, &f.name);
                    let kind = if ret { "fexit" } else { "fentry" };
                    let name = match program {
                        Some(_) => format!("{kind}:{}", f.path()),
                        None => format!("{kind}:{}", f.name),
                    };
                    self.once(clause, Attach::Fentry { function: Arc::new(f), ret, index }, name, point);
                }
                Match::Kprobe(places) => self.kprobe(clause, point, places),
                Match::Iter(function) => self.iter(clause, point, function),
            }
        }
    }

    /// Adds a program, unless another attach point of the clause has the same name.
    fn once(&mut self, clause: &'a ast::Probe, attach: Attach, name: String, point: &AttachPoint) {
        if self.named.insert(name.clone()) && self.wants(&name) {
            let target =
                Target { code: Code::Probe(clause), attach, name, span: point.span, binaries: Vec::new() };
            self.targets.push(target);
        }
    }

    /// A walk is named by its objects, and by where it is pinned.
    fn iter(&mut self, clause: &'a ast::Probe, point: &AttachPoint, function: crate::env::KernelFunction) {
        let AttachKind::Iter { pin, .. } = &point.kind else { return };
        let object = function.name.clone();
        let name = match pin {
            Some(pin) => format!("iter:{object}:{pin}"),
            None => format!("iter:{object}"),
        };
        let iter = hir::Iter { object, function, pin: pin.clone() };
        self.once(clause, Attach::Iter(Arc::new(iter)), name, point);
    }

    /// All places of an attach point in the kernel share a program.
    fn kprobe(&mut self, clause: &'a ast::Probe, point: &AttachPoint, mut places: Vec<KernelPlace>) {
        let ret = matches!(point.kind, AttachKind::Kprobe { ret: true, .. });
        let kind = if ret { "kretprobe" } else { "kprobe" };
        places.retain(|place| self.wants(&format!("{kind}:{}", place.function)));
        if places.is_empty() {
            return;
        }
        let index = |p: KernelPlace, functions: &mut Functions| {
            (functions.id(p.module.as_deref().unwrap_or_default(), &p.function), p)
        };
        let places = places.into_iter().map(|p| index(p, &mut self.functions)).collect();
        let name = point.text.clone();
        let attach = Attach::Kprobe { ret, places };
        self.targets.push(Target {
            code: Code::Probe(clause),
            attach,
            name,
            span: point.span,
            binaries: Vec::new(),
        });
    }

    /// Adds sites to the program of their class, a new one if need be.
    fn uprobe(&mut self, clause: &'a ast::Probe, point: &AttachPoint, mut m: UprobeMatch, first: usize) {
        for warning in &m.warnings {
            self.problems.push(Problem::warning(point.span, warning.as_str()));
        }
        let is_return = matches!(point.kind, AttachKind::Uprobe { ret: true, .. });
        let kind = match (&m.class.usdt, is_return) {
            (Some(_), _) => ProbeKind::Usdt,
            (None, true) => ProbeKind::Uretprobe,
            (None, false) => ProbeKind::Uprobe,
        };
        m.sites.retain(|site| self.wants(&format!("{}:{}:{}", kind.name(), m.binary, site.function)));
        if m.sites.is_empty() {
            return;
        }
        let site = |s: &crate::env::NamedSite, functions: &mut Functions| Site {
            offset: s.offset,
            function: functions.id(&m.binary, &s.function),
            semaphore: s.semaphore,
        };
        let sites: Vec<Site> = m.sites.iter().map(|s| site(s, &mut self.functions)).collect();
        // `probe` tells an instruction as it is written, so each has a program of its own.
        let shared = m.class.stop != SiteStop::Inside || m.class.usdt.is_some();
        let existing = self.targets.iter_mut().skip(first).filter(|_| shared).find(
            |t| matches!(&t.attach, Attach::Uprobe { class, ret, .. } if *class == m.class && *ret == is_return),
        );
        let target = match existing {
            Some(target) => target,
            None => {
                self.targets.push(Target {
                    code: Code::Probe(clause),
                    attach: Attach::Uprobe { class: m.class, ret: is_return, targets: Vec::new() },
                    name: named(point, &m.binary),
                    span: point.span,
                    binaries: Vec::new(),
                });
                let Some(target) = self.targets.last_mut() else { return };
                target
            }
        };
        if !target.binaries.contains(&m.binary) {
            target.binaries.push(m.binary);
        }
        let Attach::Uprobe { targets, .. } = &mut target.attach else { return };
        match targets.iter_mut().find(|t| t.path == m.path) {
            // A function that two attach points of the clause match is traced once.
            Some(known) => {
                let before: HashSet<u64> = known.sites.iter().map(|s| s.offset).collect();
                known.sites.extend(sites.into_iter().filter(|s| !before.contains(&s.offset)));
            }
            None => targets.push(UprobeTarget { path: m.path, sites }),
        }
    }
}

/// The text of an attach point; of one that names a place in a binary with that binary, which may be left out or a pattern.
fn named(point: &AttachPoint, binary: &str) -> String {
    match &point.kind {
        AttachKind::Uprobe { target: UprobeSpec::Offset(function, offset), .. } => {
            format!("uprobe:{binary}:{function}+{offset}")
        }
        AttachKind::Uprobe { target: UprobeSpec::Address(address), .. } => {
            format!("uprobe:{binary}:{address:#x}")
        }
        AttachKind::Uprobe { target: UprobeSpec::Line { file, line }, .. } => {
            format!("uprobe:{binary}@{file}:{line}")
        }
        _ => point.text.clone(),
    }
}

impl Checker<'_> {
    /// Translates the block of a target.
    pub(super) fn probe(&mut self, target: &Target<'_>, clause: &ast::Probe) -> hir::Probe {
        self.scopes.enter();
        let predicate = clause.predicate.as_ref().and_then(|p| self.condition(p).ok());
        let body = self.stmts(&clause.body.stmts);
        self.scopes.leave();
        if !self.problems.has_errors() {
            self.unused_variables();
        }
        let vars = self.var_types[self.index].finish(&self.scopes);
        hir::Probe {
            attach: target.attach.clone(),
            name: target.name.clone(),
            span: target.span,
            predicate,
            body,
            vars,
        }
    }

    /// Where the sites of the current uprobe are; `None` for other kinds.
    pub fn site_stop(&self) -> Option<SiteStop> {
        match &self.target().attach {
            Attach::Uprobe { class, .. } => Some(class.stop),
            _ => None,
        }
    }
}
