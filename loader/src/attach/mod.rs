//! Attaches loaded programs: one file per family of probes. What is attached is held by descriptors, so everything is
//! detached when [`Attached`] is dropped, and by the kernel when gotrace dies, however it dies.

mod event;
pub mod iter;
mod kernel;
pub mod pace;
mod parts;
pub mod progress;
pub mod uprobe;

use crate::load::Loaded;
use crate::privileges;
use crate::sys::in_words;
use codegen::object::ProgramKind;
use lang::hir::{Attach, Program};
use lang::span::Span;
use pace::{Pace, Watch};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

/// What limits and shapes attachment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Scope {
    /// Trace only this process (`-p`, `-c`).
    pub pid: Option<u32>,
    /// The kernel has links of many uprobes.
    pub uprobe_multi: bool,
}

/// Why a probe was not attached.
#[derive(Debug, thiserror::Error)]
#[error("cannot attach {probe}: {what}")]
pub struct AttachError {
    /// The attach point.
    pub probe: String,
    /// Its place in the script.
    pub span: Span,
    /// What failed.
    pub what: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// Attached programs; dropping it detaches them.
#[derive(Default)]
pub struct Attached {
    /// Descriptors whose closing detaches, each pair or link on its own.
    links: Vec<OwnedFd>,
    sites: usize,
    left_out: Vec<LeftOut>,
    walks: Vec<iter::Walk>,
    watched: Vec<Watched>,
    pinned: Vec<PathBuf>,
}

/// A watchpoint, which `unwatch()` may end before the run does; dropping it detaches it.
#[derive(Debug)]
pub struct Watched {
    /// What is watched.
    pub address: u64,
    /// Its pairs of link and event, whose closing detaches.
    _links: Vec<OwnedFd>,
}

/// A place that the kernel accepts no probe at, although nothing spoke against it.
#[derive(Debug)]
pub struct LeftOut {
    /// The function, by its place in the program's list.
    pub function: u32,
    /// Where it is.
    pub place: String,
    /// What the kernel said.
    pub why: String,
}

impl Attached {
    /// Number of places that programs are attached to; a timer or a tracepoint counts once.
    #[must_use]
    pub fn sites(&self) -> usize {
        self.sites
    }

    /// Number of descriptors that hold it.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        self.links.len()
    }

    /// Detaches all; `told` gets the number of descriptors that are closed.
    pub fn detach(mut self, told: &mut dyn FnMut(usize)) {
        // In their order: the link of a place goes before its event, and closing it waits for running programs.
        for (closed, descriptor) in self.links.drain(..).enumerate() {
            drop(descriptor);
            told(closed + 1);
        }
    }

    /// The walks that the script makes, in its order; they are handed out once.
    pub fn take_walks(&mut self) -> Vec<iter::Walk> {
        std::mem::take(&mut self.walks)
    }

    /// The watchpoints; they are handed out once.
    pub fn take_watched(&mut self) -> Vec<Watched> {
        std::mem::take(&mut self.watched)
    }

    /// The files that iterators were pinned to.
    #[must_use]
    pub fn pinned(&self) -> &[PathBuf] {
        &self.pinned
    }

    /// The places that the kernel refused while it accepted others of the same probe.
    #[must_use]
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }
}

/// Attaches all programs but those that gotrace runs itself: `begin`, `end`, `test` and `bench`. One by one that can take long: `watch` is
/// told how it goes on, and asked whether to leave it at what is attached, as after a Ctrl-C.
///
/// # Errors
/// The first probe that could not be attached; those attached before are detached.
pub fn attach(
    loaded: &Loaded,
    program: &Program,
    scope: Scope,
    watch: &mut dyn Watch,
) -> Result<Attached, AttachError> {
    let mut attached = Attached::default();
    let one_by_one = program.probes.iter().zip(&loaded.kinds).map(|(probe, kind)| match &probe.attach {
        Attach::Uprobe { targets, .. } if !scope.uprobe_multi => targets.iter().map(|t| t.sites.len()).sum(),
        Attach::Kprobe { places, .. } if *kind != ProgramKind::KprobeMulti => places.len(),
        _ => 0,
    });
    let mut pace = Pace::new(one_by_one.sum(), watch);
    for ((probe, bpf), kind) in program.probes.iter().zip(&loaded.programs).zip(&loaded.kinds) {
        let result = match &probe.attach {
            Attach::Begin | Attach::End | Attach::Test | Attach::Bench => Ok(()),
            // The event loop runs it; it counts, because the run goes on for it.
            Attach::Signal => {
                attached.sites += 1;
                Ok(())
            }
            Attach::Interval(period) => event::interval(bpf.as_fd(), *period, &mut attached),
            Attach::Profile(period) => event::profile(bpf.as_fd(), *period, &mut attached),
            Attach::RawTracepoint(function) => {
                kernel::raw_tracepoint(bpf.as_fd(), &function.name, &mut attached)
            }
            Attach::Fentry { .. } => kernel::fentry(bpf.as_fd(), &mut attached),
            Attach::Iter(iter) => iter::attach(bpf.as_fd(), probe, iter, scope, &mut attached),
            Attach::Kprobe { ret, places } => {
                kernel::kprobe(bpf.as_fd(), *kind, *ret, places, &mut attached, &mut pace)
            }
            Attach::Watchpoint(watch) => kernel::watchpoint(bpf.as_fd(), watch, scope.pid, &mut attached),
            Attach::Perf { event, count } => {
                event::counter(bpf.as_fd(), event, *count, scope.pid, &mut attached)
            }
            Attach::Tracepoint(tracepoint) => event::tracepoint(bpf.as_fd(), tracepoint, &mut attached),
            Attach::Uprobe { class, targets, .. } => targets.iter().try_for_each(|target| {
                uprobe::attach(bpf.as_fd(), class, target, scope, &mut attached, &mut pace)
            }),
        };
        result.map_err(|failure| AttachError {
            probe: probe.name.clone(),
            span: probe.span,
            what: failure.what,
            help: failure.help,
        })?;
    }
    Ok(attached)
}

/// A failure of one attachment.
struct Failure {
    what: String,
    help: Option<String>,
}

impl Failure {
    /// What was tried and what the kernel said.
    fn new(what: &str, error: &io::Error) -> Failure {
        let help = match error.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => {
                let (why, help) = privileges::why_refused();
                Some(format!("{why}; {help}"))
            }
            Some(libc::ESRCH) => Some("the process has ended".to_owned()),
            Some(libc::EMFILE) => {
                Some("raise the limit of open files (`ulimit -n`), or attach to fewer functions".into())
            }
            Some(libc::ENFILE) => Some("the system's limit of open files is reached (fs.file-max)".into()),
            _ => None,
        };
        Failure { what: format!("{what}: {}", in_words(error)), help }
    }
}
