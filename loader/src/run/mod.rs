//! Runs a loaded script: `begin`, attaching, the event loop, detaching, `end`, and the maps at the end.
//!
//! What happens in which order is the promise of this module: `begin` has run before anything is attached, and its output is
//! printed before the child starts; everything that was collected is printed, whatever ends the run; `end` runs when nothing is
//! attached any more; maps come last. Signals that ask for the end are only read, never delivered, until all is written: a second
//! Ctrl-C does not cost the results of the first.

mod attaching;
mod command;
mod error;
mod packets;
mod records;
mod resident;
mod trials;
mod walk;

pub use error::RunError;

use crate::attach::{self, Attached, LeftOut, Scope, Watched};
use crate::decode::Decoder;
use crate::events::Events;
use crate::load::Loaded;
use crate::maps::{self, ScriptMap};
use crate::output::report::RuntimeError;
use crate::output::sink::Sink;
use crate::output::writer::OutputError;
use crate::symbolize::Symbolizer;
use crate::sys::bpf;
use crate::sys::clock::WallClock;
use crate::sys::probe::Feature;
use crate::sys::process::Child;
use crate::sys::signal::Signals;
use crate::unwind::{self, Unwinder};
use attaching::Attaching;
use aya::maps::{Map, MapData, RingBuf};
use codegen::object::{self, CounterKind, Object};
use error::during;
use inspect::proc::Process;
use lang::hir::{Attach, MapValue, Probe, Program};
use lang::probe::Mode;
use lang::types::{StackKind, Type};
use resident::Probed;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// What a run is told by the command line.
#[derive(Default)]
pub struct Options {
    /// Which process, how to attach.
    pub scope: Scope,
    /// End after attaching.
    pub dry_run: bool,
    /// End after so many printed records.
    pub max_events: Option<u64>,
    /// End after so long.
    pub timeout: Option<Duration>,
    /// Report reads that failed too (`-k`).
    pub all_errors: bool,
    /// Print warnings.
    pub warnings: bool,
    /// Run tests or benchmarks instead.
    pub mode: Mode,
    /// Show on the terminal that so many places are being attached, if it takes long.
    pub progress: Option<usize>,
}

/// The process that a run ends with.
pub enum Traced {
    /// None.
    No,
    /// A child, held until everything is attached.
    Child(Child),
    /// The pidfd of a process that was there before.
    Process(OwnedFd),
}

/// What is being done when unwinding tables cannot be put into their maps.
const UNWINDING: &str = "loading unwinding tables";
/// How often lost events are looked for.
const COUNTERS_PERIOD: Duration = Duration::from_secs(1);

/// How many places that the kernel refused are named.
const NAMED: usize = 10;

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ended {
    /// Code given to `exit()`, else 0.
    pub code: u8,
    /// Status with which the child ended, if it did.
    pub child: Option<std::process::ExitStatus>,
}

/// A script that is ready to run.
#[derive(Clone, Copy)]
pub struct Script<'a> {
    /// What it says.
    pub program: &'a Program,
    /// What it was compiled to.
    pub object: &'a Object,
    /// That, in the kernel.
    pub loaded: &'a Loaded,
    /// Gives names to the addresses that it collects.
    pub symbols: &'a Symbolizer,
    /// What keeps the unwinding tables, if it walks stacks by them, and where they are.
    pub unwinding: Option<(&'a Unwinder, &'a unwind::Maps<'a>)>,
}

/// A run under way.
struct Run<'a> {
    program: &'a Program,
    object: &'a Object,
    loaded: &'a Loaded,
    symbols: &'a Symbolizer,
    unwinding: Option<(&'a Unwinder, &'a unwind::Maps<'a>)>,
    options: &'a Options,
    sink: &'a mut dyn Sink,
    decoder: Decoder,
    /// Set by `exit()`.
    exit: Option<u8>,
    /// Set by a test that returns something else than 0.
    returned: Option<i64>,
    printed: u64,
    lost: u64,
    /// The watchpoints that `unwatch()` has not ended.
    watched: Vec<Watched>,
    packets: packets::Packets,
    clock: WallClock,
}

/// Runs a script to its end.
///
/// # Errors
/// [`RunError`]; whatever was attached is detached, and what was collected has been printed as far as possible.
pub fn run(
    script: Script<'_>,
    options: &Options,
    mut traced: Traced,
    signals: Option<Signals>,
    sink: &mut dyn Sink,
) -> Result<Ended, RunError> {
    let mut run = Run::new(script, options, sink);
    let ring = run.ring()?;
    // It holds the signals, so it is there until everything is written.
    let mut events = Events::new(ring, signals).map_err(during("waiting for events"))?;
    let result = run.whole(&mut traced, &mut events);
    // Also after an error: what was collected is not lost.
    let finished = run.sink.finish();
    let ended = result.and_then(|ended| Ok(finished.map(|()| ended)?));
    ended.map_err(|error| match (error, events.last_signal()) {
        (RunError::Output(source @ OutputError::Unread(_)), Some(signal)) => {
            RunError::Interrupted { signal, source }
        }
        (error, _) => error,
    })
}

impl<'a> Run<'a> {
    fn new(script: Script<'a>, options: &'a Options, sink: &'a mut dyn Sink) -> Run<'a> {
        let Script { program, object, loaded, symbols, unwinding } = script;
        Run {
            program,
            object,
            loaded,
            symbols,
            unwinding,
            options,
            sink,
            decoder: Decoder::new(program),
            exit: None,
            returned: None,
            printed: 0,
            lost: 0,
            watched: Vec::new(),
            packets: packets::Packets::default(),
            clock: WallClock::now(),
        }
    }
}

impl Run<'_> {
    fn whole(&mut self, traced: &mut Traced, events: &mut Events) -> Result<Ended, RunError> {
        match &traced {
            Traced::No => {}
            Traced::Child(child) => {
                events.watch_process(child.as_fd()).map_err(during("watching the child"))?;
            }
            Traced::Process(fd) => {
                events.watch_process(fd.as_fd()).map_err(during("watching the process"))?;
            }
        }
        if let Some(timeout) = self.options.timeout {
            events.set_deadline(Instant::now() + timeout);
        }
        if matches!(self.options.mode, Mode::Test | Mode::Bench) {
            return self.trials(events);
        }
        if self.program.probes.iter().any(|p| matches!(p.attach, Attach::Signal)) {
            let signals = Signals::block(&[libc::SIGUSR1]).map_err(during("waiting for SIGUSR1"))?;
            events.watch_signals(signals).map_err(during("waiting for SIGUSR1"))?;
        }
        let mut attached = match self.start(traced, events) {
            Ok(attached) => attached,
            Err(error) => {
                // What `begin` printed stands before the reason why there is no more.
                self.drain_all(events)?;
                return Err(error);
            }
        };
        if self.options.dry_run {
            for path in attached.pinned() {
                std::fs::remove_file(path).map_err(during("removing what was pinned"))?;
            }
            return Ok(Ended::default());
        }
        if !attached.pinned().is_empty() {
            // It is alone, and runs when it is read.
            return Ok(Ended::default());
        }
        let walks = attached.take_walks();
        if !walks.is_empty() {
            let walked = self.walk(walks, events);
            let drained = self.detach(attached, events);
            return walked.and(drained).map(|()| Ended { code: self.exit.unwrap_or(0), child: None });
        }
        let waits_for_more = attached.sites() > 0 || matches!(traced, Traced::Child(_) | Traced::Process(_));
        let looped = if waits_for_more { self.follow(events) } else { Ok(()) };
        let drained = self.detach(attached, events);
        looped.and(drained)?;
        let child = match traced {
            Traced::Child(child) => child.try_wait().map_err(during("waiting for the child"))?,
            _ => None,
        };
        Ok(Ended { code: self.exit.unwrap_or(0), child })
    }

    /// Runs `begin`, attaches everything, lets the child go.
    fn start(&mut self, traced: &mut Traced, events: &mut Events) -> Result<Attached, RunError> {
        if !self.options.dry_run {
            self.run_once(|attach| matches!(attach, Attach::Begin))?;
        }
        self.note_binaries();
        if let Some((unwinder, maps)) = self.unwinding {
            unwinder.fill(maps).map_err(during(UNWINDING))?;
        }
        let probed = self.probed_and_read();
        match (&probed, &traced, self.options.scope.pid) {
            (None, ..) | (_, Traced::Child(_), None) => {}
            (Some(probed), _, Some(pid)) => probed.bring_in(&Process::new(pid)),
            (Some(probed), _, None) => probed.bring_in_everywhere(),
        }
        let mut attaching = Attaching::new(events, self.options);
        let attached = attach::attach(self.loaded, self.program, self.options.scope, &mut attaching);
        drop(attaching);
        let mut attached = attached?;
        self.watched = attached.take_watched();
        self.tell_left_out(attached.left_out());
        self.sink.attached_probes(attached.sites() + self.run_once_probes())?;
        for path in attached.pinned() {
            self.sink.pinned(path)?;
        }
        if self.options.dry_run {
            return Ok(attached);
        }
        self.drain_all(events)?;
        // After `exit()` in `begin` the child would be started only to be ended.
        if let Traced::Child(child) = traced
            && !self.done()
        {
            let program = child.program().display().to_string();
            let pid = child.pid();
            self.symbols.forget(pid);
            let names = self.shows_user_code();
            let mut read = Ok(false);
            let look = || {
                // A program may end before its mappings could be read while it runs.
                if names {
                    self.symbols.note_started(pid);
                }
                if let Some((unwinder, maps)) = self.unwinding {
                    read = unwinder.refresh(maps, pid);
                }
                probed.iter().for_each(|probed| probed.bring_in(&Process::new(pid)));
            };
            let stops = names || probed.is_some();
            let released = match self.unwinding {
                Some(_) => child.release_at_entry(look),
                None if stops => child.release_at_start(look),
                None => child.release(),
            };
            released.map_err(|source| RunError::Child { program, source })?;
            read.map_err(during(UNWINDING))?;
            self.tell_tables_left_out();
        }
        Ok(attached)
    }

    /// Names the places that the kernel refused; the others are attached.
    fn tell_left_out(&self, left_out: &[LeftOut]) {
        if !self.options.warnings {
            return;
        }
        for LeftOut { function, place, why } in left_out.iter().take(NAMED) {
            let name = self.program.functions.get(*function as usize).map_or("a place", |f| f.name.as_str());
            // Nothing can be done if that fails.
            let _ = writeln!(
                io::stderr(),
                "warning: left out {name}: the kernel accepts no probe at {place}: {why}"
            );
        }
        if let Some(more) = left_out.len().checked_sub(NAMED).filter(|more| *more > 0) {
            let _ = writeln!(
                io::stderr(),
                "warning: left out {more} more places, which the kernel does not accept"
            );
        }
    }

    /// Names the files whose unwinding tables have found no room.
    fn tell_tables_left_out(&self) {
        let Some((unwinder, _)) = self.unwinding else { return };
        for name in unwinder.take_left_out().iter().filter(|_| self.options.warnings) {
            // Nothing can be done if that fails.
            let _ = writeln!(
                io::stderr(),
                "warning: there is no room for the unwinding table of {name}: stacks follow frame pointers there"
            );
        }
    }

    /// Tells the symbolizer what is traced, if it will be asked.
    fn note_binaries(&self) {
        if !self.shows_user_code() {
            return;
        }
        if let Some(pid) = self.options.scope.pid {
            self.symbols.note_process(pid);
        }
        if let Some((unwinder, _)) = self.unwinding {
            unwinder.running().iter().for_each(|pid| self.symbols.note_process(*pid));
        }
        let paths: BTreeSet<&str> = self.program.probes.iter().flat_map(traced_files).collect();
        paths.into_iter().for_each(|path| self.symbols.note_binary(path.as_ref()));
    }

    /// The files that are probed, if the script runs and reads memory of processes.
    fn probed_and_read(&self) -> Option<Probed> {
        let reads =
            !self.options.dry_run && self.object.programs.iter().any(object::Program::reads_user_memory);
        reads.then(|| Probed::new(self.program.probes.iter().flat_map(traced_files)))
    }

    /// The ring buffer, through a descriptor of its own.
    fn ring(&self) -> Result<Option<RingBuf<MapData>>, RunError> {
        let Some(index) = self.object.map_index(object::EVENTS) else { return Ok(None) };
        let open = || -> io::Result<RingBuf<MapData>> {
            let fd = self.loaded.map(index).try_clone_to_owned()?;
            let data = MapData::from_fd(fd).map_err(io::Error::other)?;
            RingBuf::try_from(Map::RingBuf(data)).map_err(io::Error::other)
        };
        open().map(Some).map_err(during("opening the ring buffer"))
    }

    fn run_once_probes(&self) -> usize {
        self.program.probes.iter().filter(|p| matches!(p.attach, Attach::Begin | Attach::End)).count()
    }

    fn run_once(&self, wanted: fn(&Attach) -> bool) -> Result<(), RunError> {
        let mut programs = self.program.probes.iter().zip(&self.loaded.programs);
        programs.try_for_each(|(probe, bpf)| if wanted(&probe.attach) { test_run(bpf) } else { Ok(()) })
    }

    /// The event loop: until `exit()`, a signal, the end of the process, the deadline.
    fn follow(&mut self, events: &mut Events) -> Result<(), RunError> {
        let mut counters_read = Instant::now();
        loop {
            self.drain(events)?;
            if self.done() {
                return Ok(());
            }
            let wake = events.wait().map_err(during("waiting for events"))?;
            for _ in 0..wake.own_signals {
                self.run_once(|attach| matches!(attach, Attach::Signal))?;
            }
            if wake.signal.is_some() || wake.process_ended || wake.timed_out {
                return Ok(());
            }
            if let Some((unwinder, maps)) = self.unwinding {
                for pid in unwinder.keep_up(maps).map_err(during(UNWINDING))? {
                    self.symbols.note_started(pid);
                }
                self.tell_tables_left_out();
            }
            if counters_read.elapsed() >= COUNTERS_PERIOD {
                counters_read = Instant::now();
                self.report_lost()?;
            }
        }
    }

    fn done(&self) -> bool {
        self.exit.is_some() || self.enough()
    }

    fn enough(&self) -> bool {
        self.options.max_events.is_some_and(|most| self.printed >= most)
    }

    /// Detaches, prints what is left, runs `end`, prints the maps.
    fn detach(&mut self, attached: Attached, events: &mut Events) -> Result<(), RunError> {
        attaching::detach(attached, self.options);
        self.watched.clear();
        self.drain_all(events)?;
        self.run_once(|attach| matches!(attach, Attach::End))?;
        self.drain_all(events)?;
        self.sink.end_of_run()?;
        self.report_lost()?;
        self.report_missed()?;
        self.report_errors()?;
        if self.program.config.print_maps_on_exit {
            self.print_all_maps()?;
        }
        Ok(())
    }

    fn drain(&mut self, events: &mut Events) -> Result<(), RunError> {
        let flow = events.drain(|record| self.handle(record));
        self.after(flow)
    }

    fn drain_all(&mut self, events: &mut Events) -> Result<(), RunError> {
        let flow = events.drain_all(|record| self.handle(record));
        self.after(flow)
    }

    fn after(&mut self, flow: ControlFlow<RunError>) -> Result<(), RunError> {
        if let ControlFlow::Break(error) = flow {
            return Err(error);
        }
        Ok(self.sink.flush()?)
    }

    /// Whether addresses of user code are to be named.
    fn shows_user_code(&self) -> bool {
        fn user_code(ty: &Type) -> bool {
            match ty {
                Type::USym | Type::GoFunc | Type::Stack { kind: StackKind::User, .. } => true,
                Type::GoTypeName | Type::GoError => true,
                Type::GoCopy(copy) => copy.has_names(),
                Type::Tuple(_) | Type::Record(_) => ty.members().into_iter().any(user_code),
                _ => false,
            }
        }
        let in_records = self.object.records.iter().flat_map(|r| &r.fields).any(|f| user_code(&f.ty));
        let in_maps = self.object.user_maps.iter().any(|m| {
            let value = matches!(&m.value, MapValue::Plain(ty) if user_code(ty));
            value || m.key.as_ref().is_some_and(user_code)
        });
        in_records || in_maps
    }

    fn map(&self, index: usize) -> ScriptMap<'_> {
        let user = &self.object.user_maps[index];
        ScriptMap { fd: self.loaded.map(user.map), def: &self.object.maps[user.map], user }
    }

    fn print_map(&mut self, index: usize, top: u32, div: u32) -> Result<(), RunError> {
        let entries = self.map(index).read(&self.decoder)?;
        let name = &self.object.user_maps[index].name;
        Ok(self.sink.map(name, maps::top(&entries, top), div)?)
    }

    fn print_all_maps(&mut self) -> Result<(), RunError> {
        let mut order: Vec<usize> = (0..self.object.user_maps.len()).collect();
        order.sort_by(|a, b| self.object.user_maps[*a].name.cmp(&self.object.user_maps[*b].name));
        for index in order {
            if self.map(index).is_set()? {
                self.print_map(index, 0, 0)?;
            }
        }
        Ok(())
    }

    /// The error counters, by their index in [`Object::counters`].
    fn counters(&self) -> Vec<u64> {
        let read = || {
            let index = self.object.map_index(object::COUNTERS)?;
            let map = bpf::Map::new(self.loaded.map(index)).ok()?;
            map.lookup(&0u32.to_ne_bytes()).ok()?
        };
        let bytes: Vec<u8> = read().unwrap_or_default();
        bytes.as_chunks().0.iter().map(|word| u64::from_ne_bytes(*word)).collect()
    }

    fn report_lost(&mut self) -> Result<(), RunError> {
        let lost = self.counters().first().copied().unwrap_or(0);
        if lost > self.lost {
            self.sink.lost_events(lost - self.lost)?;
            self.lost = lost;
        }
        Ok(())
    }

    /// Tells of events for which the kernel did not run a program, as it runs none of a kind inside another one.
    fn report_missed(&mut self) -> Result<(), RunError> {
        for (probe, program) in self.program.probes.iter().zip(&self.loaded.programs) {
            // A kernel that does not tell has nothing to report.
            let missed = bpf::prog_info(program.as_fd()).map_or(0, |info| info.missed);
            if missed > 0 {
                self.sink.missed_events(&probe.name, missed)?;
            }
        }
        Ok(())
    }

    fn report_errors(&mut self) -> Result<(), RunError> {
        for (counter, count) in self.object.counters.iter().zip(self.counters()) {
            let shown = counter.kind != CounterKind::LostEvents
                && (self.options.all_errors || !counter.kind.verbose_only());
            if count > 0 && shown {
                let Object { source_name, source, imported, .. } = self.object;
                let part = imported.part(source_name, source, counter.span.start);
                self.sink.runtime_error(&RuntimeError {
                    kind: counter.kind,
                    count,
                    file: part.name,
                    source: part.text,
                    span: part.span(counter.span),
                })?;
            }
        }
        Ok(())
    }
}

/// Runs a program once, which waits for no event.
fn test_run(program: &OwnedFd) -> Result<(), RunError> {
    bpf::test_run(program.as_fd(), &[]).map(|_| ()).map_err(cannot_run)
}

/// Why a program that waits for no event was not run.
fn cannot_run(source: io::Error) -> RunError {
    match Feature::TestRun.check() {
        Ok(()) => during("running a program that waits for no event")(source),
        Err(_) => RunError::Kernel(Feature::TestRun),
    }
}

/// The files that a probe is in.
fn traced_files(probe: &Probe) -> impl Iterator<Item = &str> {
    let targets = match &probe.attach {
        Attach::Uprobe { targets, .. } => targets.as_slice(),
        _ => &[],
    };
    targets.iter().map(|target| target.path.as_str())
}
