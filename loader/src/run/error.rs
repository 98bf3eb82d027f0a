//! Why a run ends early, and what the exit code is then.

use crate::attach::AttachError;
use crate::maps::MapError;
use crate::output::writer::OutputError;
use crate::sys::probe::Feature;
use std::io;

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A probe could not be attached.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// A map could not be read or changed.
    #[error(transparent)]
    Map(#[from] MapError),
    /// The output cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// A signal ended the run, and nobody took its output.
    #[error("{source}")]
    Interrupted {
        /// The signal.
        signal: i32,
        /// What became of the output.
        source: OutputError,
    },
    /// A record does not have the layout that it should have.
    #[error("a record could not be read: {0}")]
    Record(#[from] crate::decode::DecodeError),
    /// The kernel is too old.
    #[error("this kernel has no {}, which Linux has since {}", .0.describe(), .0.since())]
    Kernel(Feature),
    /// A system call failed.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The child's program could not be started.
    #[error("cannot start {program}: {source}")]
    Child {
        /// Its path.
        program: String,
        /// Why.
        source: io::Error,
    },
}

impl RunError {
    /// The exit code: 1, except when a signal ended the run and nobody took its output; then 128 and the number of the signal,
    /// as shells have it.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            RunError::Interrupted { signal, .. } => {
                u8::try_from(*signal).map_or(1, |n| n.saturating_add(128))
            }
            _ => 1,
        }
    }
}

/// Gives a system call's error the text of what was tried.
pub(super) fn during(what: &'static str) -> impl FnOnce(io::Error) -> RunError {
    move |source| RunError::System { what, source }
}
