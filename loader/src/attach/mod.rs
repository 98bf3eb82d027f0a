//! Attaches loaded programs: one file per family of probes. What is attached is held by descriptors, so everything is
//! detached when [`Attached`] is dropped, and by the kernel when gotrace dies, however it dies.

mod event;
mod uprobe;

use crate::load::Loaded;
use lang::hir::{Attach, Program};
use lang::span::Span;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

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
}

/// Links that are worth closing from several threads: each waits for a grace period of its own.
const MANY_LINKS: usize = 16;
/// Threads that close links.
const CLOSERS: usize = 16;

impl Attached {
    /// Number of places that programs are attached to; a timer or a tracepoint counts once.
    #[must_use]
    pub fn sites(&self) -> usize {
        self.sites
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let mut links = std::mem::take(&mut self.links);
        if links.len() < MANY_LINKS {
            return;
        }
        // The kernel removes a uprobe of a perf link only after a grace period (about 0.1 s); these overlap.
        let share = links.len().div_ceil(CLOSERS);
        std::thread::scope(|scope| {
            while !links.is_empty() {
                let some = links.split_off(links.len().saturating_sub(share));
                scope.spawn(move || drop(some));
            }
        });
    }
}

/// Attaches all programs but `begin` and `end`.
///
/// # Errors
/// The first probe that could not be attached; those attached before are detached.
pub fn attach(loaded: &Loaded, program: &Program, scope: Scope) -> Result<Attached, AttachError> {
    let mut attached = Attached::default();
    for (probe, bpf) in program.probes.iter().zip(&loaded.programs) {
        let result = match &probe.attach {
            Attach::Begin | Attach::End => Ok(()),
            Attach::Interval(period) => event::interval(bpf.as_fd(), *period, &mut attached),
            Attach::Profile(period) => event::profile(bpf.as_fd(), *period, &mut attached),
            Attach::Tracepoint(tracepoint) => event::tracepoint(bpf.as_fd(), tracepoint, &mut attached),
            Attach::Uprobe { class, targets, .. } => targets
                .iter()
                .try_for_each(|target| uprobe::attach(bpf.as_fd(), class, target, scope, &mut attached)),
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
                Some("run gotrace as root, or give it CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE".to_owned())
            }
            Some(libc::ESRCH) => Some("the process has ended".to_owned()),
            Some(libc::EMFILE) => Some("raise the limit of open files (`ulimit -n`), or attach to fewer functions".into()),
            _ => None,
        };
        Failure { what: format!("{what}: {error}"), help }
    }
}
