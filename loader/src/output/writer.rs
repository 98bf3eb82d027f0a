//! The end of every output: collects bytes and writes them to standard output or to a file.
//!
//! Bytes are written when the event loop has handled all that was waiting. So a burst of events costs few system calls,
//! and a person still sees each event at once.

use super::stream::Stream;
use crate::sys::signal::Watcher;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why output ended.
#[derive(Debug, Error)]
pub enum OutputError {
    /// The reader went away, as in `gotrace … | head -1`.
    #[error("{0} has no reader any more: the run ends")]
    Closed(String),
    /// A signal asked for the end, but the reader of what was collected does not read.
    #[error("the reader of {0} does not read: the last output is lost")]
    Unread(String),
    /// Writing failed: the disk is full, for example.
    #[error("cannot write to {to}: {source}")]
    Write {
        /// Standard output or the file.
        to: String,
        /// The reason.
        source: io::Error,
    },
    /// The file given with `-o` is a named pipe that nobody has opened for reading. Waiting for a reader would be deaf to Ctrl-C.
    #[error("{} is a pipe without a reader: start the reader first", .0.display())]
    NoReader(PathBuf),
    /// The file given with `-o` cannot be made.
    #[error("cannot create {}: {source}", path.display())]
    Create {
        /// Its path.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

/// Result of an output operation.
pub type Result<T = ()> = std::result::Result<T, OutputError>;

/// When collected output is written (`-B`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Buffering {
    /// Whenever the events that were waiting have been handled.
    #[default]
    Line,
    /// When much has come together, and at the end.
    Full,
    /// After each item.
    None,
    /// Never: who has it takes what is in [`Output::buffer`].
    Kept,
}

/// What messages call standard output.
const STANDARD_OUTPUT: &str = "standard output";

/// Bytes that are collected before a write even within a burst of events.
const CHUNK: usize = 64 << 10;

/// Creates or empties a file. A named pipe is opened without waiting for its reader (`ENXIO` when there is none).
fn create(path: &Path) -> io::Result<File> {
    File::options().write(true).create(true).truncate(true).custom_flags(libc::O_NONBLOCK).open(path)
}

/// Collects bytes and writes them out.
pub struct Output {
    to: Box<dyn Write>,
    name: String,
    buffering: Buffering,
    waiting: Vec<u8>,
    failed: bool,
}

impl Output {
    /// Output to `file`, which is created or emptied, or to standard output. After one of `signals` a reader that does not
    /// read is waited for a short time only.
    ///
    /// # Errors
    /// [`OutputError::Create`], or the write error of standard output.
    pub fn open(file: Option<&Path>, buffering: Buffering, signals: Option<Watcher>) -> Result<Output> {
        let (name, opened) = match file {
            Some(path) => (path.display().to_string(), create(path).map(OwnedFd::from)),
            // A descriptor of its own, without the line buffer that `io::Stdout` has.
            None => (STANDARD_OUTPUT.to_owned(), io::stdout().as_fd().try_clone_to_owned()),
        };
        let stream = opened.and_then(|fd| Stream::new(fd, signals));
        match (stream, file) {
            (Ok(stream), _) => Ok(Output::new(Box::new(stream), name, buffering)),
            (Err(source), Some(path)) if source.raw_os_error() == Some(libc::ENXIO) => {
                Err(OutputError::NoReader(path.into()))
            }
            (Err(source), Some(path)) => Err(OutputError::Create { path: path.into(), source }),
            (Err(source), None) => Err(OutputError::Write { to: name, source }),
        }
    }

    /// Output to a writer that does not buffer; `name` stands in error messages.
    #[must_use]
    pub fn new(to: Box<dyn Write>, name: String, buffering: Buffering) -> Output {
        Output { to, name, buffering, waiting: Vec::new(), failed: false }
    }

    /// Room to append an item to; [`Output::item_done`] follows.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.waiting
    }

    /// An item is complete. Writes when the buffering or the amount asks for it.
    ///
    /// # Errors
    /// [`OutputError`].
    pub fn item_done(&mut self) -> Result {
        match self.buffering {
            Buffering::None => self.write(),
            Buffering::Line | Buffering::Full if self.waiting.len() >= CHUNK => self.write(),
            _ => Ok(()),
        }
    }

    /// All events that were waiting have been handled.
    ///
    /// # Errors
    /// [`OutputError`].
    pub fn flush(&mut self) -> Result {
        match self.buffering {
            Buffering::Full | Buffering::Kept => Ok(()),
            Buffering::Line | Buffering::None => self.write(),
        }
    }

    /// Writes what is waiting. After a failure everything is dropped, so that the error is reported once.
    ///
    /// # Errors
    /// [`OutputError`].
    pub fn write(&mut self) -> Result {
        let waiting = std::mem::take(&mut self.waiting);
        if self.failed || waiting.is_empty() {
            return Ok(());
        }
        let mut rest = waiting.as_slice();
        while !rest.is_empty() {
            match self.to.write(rest) {
                Ok(0) => return Err(self.failure(io::ErrorKind::WriteZero.into())),
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.failure(e)),
            }
        }
        Ok(())
    }

    fn failure(&mut self, source: io::Error) -> OutputError {
        self.failed = true;
        let to = self.name.clone();
        match source.kind() {
            io::ErrorKind::BrokenPipe => OutputError::Closed(to),
            io::ErrorKind::TimedOut => OutputError::Unread(to),
            _ => OutputError::Write { to, source },
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    /// A writer that remembers each write.
    #[derive(Clone, Default)]
    pub(in crate::output) struct Shared(Rc<RefCell<Vec<Vec<u8>>>>);

    impl Shared {
        pub(in crate::output) fn text(&self) -> String {
            String::from_utf8(self.0.borrow().concat()).unwrap()
        }

        fn writes(&self) -> usize {
            self.0.borrow().len()
        }
    }

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().push(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    pub(in crate::output) fn output(buffering: Buffering) -> (Shared, Output) {
        let shared = Shared::default();
        (shared.clone(), Output::new(Box::new(shared), "test".into(), buffering))
    }

    fn item(output: &mut Output, bytes: &[u8]) -> Result {
        output.buffer().extend_from_slice(bytes);
        output.item_done()
    }

    #[test]
    fn when_output_is_written() {
        for (buffering, after_item, after_flush) in
            [(Buffering::None, 1, 1), (Buffering::Line, 0, 1), (Buffering::Full, 0, 0)]
        {
            let (written, mut out) = output(buffering);
            item(&mut out, b"1\n").unwrap();
            assert_eq!(written.writes(), after_item, "{buffering:?}");
            out.flush().unwrap();
            assert_eq!(written.writes(), after_flush, "{buffering:?}");
            out.write().unwrap();
            assert_eq!(written.text(), "1\n");
        }
    }

    #[test]
    fn much_output_does_not_wait() {
        let (written, mut out) = output(Buffering::Full);
        item(&mut out, &[b'x'; CHUNK]).unwrap();
        assert_eq!(written.writes(), 1);
    }

    struct Failing(i32);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(self.0))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn errors_are_told_apart_and_told_once() {
        let failing = |code| Output::new(Box::new(Failing(code)), "/dev/full".into(), Buffering::Line);
        let mut closed = failing(libc::EPIPE);
        item(&mut closed, b"1").unwrap();
        assert!(matches!(closed.flush(), Err(OutputError::Closed(_))));
        let mut full = failing(libc::ENOSPC);
        item(&mut full, b"1").unwrap();
        let error = full.flush().unwrap_err().to_string();
        assert_eq!(error, "cannot write to /dev/full: No space left on device (os error 28)");
        item(&mut full, b"1").unwrap();
        assert!(full.write().is_ok());
    }

    #[test]
    fn files_that_cannot_be_made() {
        let path = Path::new("/nonexistent/folder/file");
        let Err(error) = Output::open(Some(path), Buffering::Line, None) else { panic!("it was made") };
        let want = "cannot create /nonexistent/folder/file: No such file or directory (os error 2)";
        assert_eq!(error.to_string(), want);
    }
}
