//! The crate's error: what could not be read, where, and why. Cloneable, because lazily computed facts keep
//! their error.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::archive;

/// Why a file, a binary's facts or a kernel interface could not be read. The text names the file.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file does not exist.
    #[error("{}: no such file", path.display())]
    NotFound {
        /// The file asked for.
        path: PathBuf,
    },
    /// The caller may not read the file.
    #[error("{}: permission denied", path.display())]
    Permission {
        /// The file asked for.
        path: PathBuf,
    },
    /// Any other input/output error.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file asked for.
        path: PathBuf,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// The file has no ELF magic.
    #[error("{}: not an ELF file", path.display())]
    NotElf {
        /// The file asked for.
        path: PathBuf,
    },
    /// A member of an archive that cannot be used.
    #[error("{}!/{member}: {reason}", path.display())]
    Member {
        /// The archive.
        path: PathBuf,
        /// The name of the member.
        member: String,
        /// Why.
        reason: archive::Refused,
    },
    /// An ELF file of a kind that is not supported: class, byte order or machine.
    #[error("{}: {what} ELF files are not supported", path.display())]
    Unsupported {
        /// The file asked for.
        path: PathBuf,
        /// The kind, for example `32-bit`.
        what: String,
    },
    /// The file breaks the rules of its format.
    #[error("{}: damaged: {what}", path.display())]
    Damaged {
        /// The file asked for.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Text of a kernel interface that is not in the expected form.
    #[error("{}: {what}", path.display())]
    Format {
        /// The file that holds the text.
        path: PathBuf,
        /// What was expected.
        what: String,
    },
    /// No tracefs is mounted where one is expected.
    #[error(
        "no tracefs found in /sys/kernel/tracing or /sys/kernel/debug/tracing; mount it with: \
         mount -t tracefs tracefs /sys/kernel/tracing"
    )]
    NoTracefs,
}

impl Error {
    /// Sorts an input/output error into the kinds that users meet.
    pub(crate) fn io(path: &Path, source: io::Error) -> Error {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::NotFound => Error::NotFound { path },
            io::ErrorKind::PermissionDenied => Error::Permission { path },
            _ => Error::Io { path, source: Arc::new(source) },
        }
    }

    pub(crate) fn damaged(path: &Path, what: impl Into<String>) -> Error {
        Error::Damaged { path: path.to_path_buf(), what: what.into() }
    }

    pub(crate) fn format(path: &Path, what: impl Into<String>) -> Error {
        Error::Format { path: path.to_path_buf(), what: what.into() }
    }
}
