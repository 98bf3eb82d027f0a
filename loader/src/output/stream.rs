//! Writing to a reader that may be slow, or may have stopped reading: a pager, a pipeline, a terminal on hold.
//!
//! A write to a full pipe blocks, and while it does nobody hears the Ctrl-C. So this waits for room and for a signal at the same
//! time. Once a signal has come, the reader has three seconds to read on; after that the output is given up.

use crate::sys::epoll::Epoll;
use crate::sys::signal::Watcher;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long a reader may not read after a signal has asked for the end.
const PATIENCE: Duration = Duration::from_secs(3);

/// A pipe that has room takes so many bytes without blocking (`PIPE_BUF`, pipe(7)).
const PIECE: usize = 4096;

const ROOM: u64 = 0;
const SIGNAL: u64 = 1;

/// An open file with a reader at its other end, if it has one.
pub struct Stream {
    file: File,
    reader: Option<Reader>,
}

/// What is needed to wait for a reader.
struct Reader {
    set: Epoll,
    signals: Option<Watcher>,
    /// A signal is waiting or was read.
    asked_to_end: bool,
}

impl Stream {
    /// For regular files, which never block, nothing is waited for.
    ///
    /// # Errors
    /// As the system calls of epoll.
    pub fn new(fd: OwnedFd, signals: Option<Watcher>) -> io::Result<Stream> {
        let set = Epoll::new()?;
        let reader = match set.add_output(fd.as_fd(), ROOM) {
            Ok(()) => {
                if let Some(signals) = &signals {
                    set.add(signals.as_fd(), SIGNAL)?;
                }
                Some(Reader { set, signals, asked_to_end: false })
            }
            Err(e) if e.raw_os_error() == Some(libc::EPERM) => None,
            Err(e) => return Err(e),
        };
        Ok(Stream { file: fd.into(), reader })
    }
}

impl Reader {
    /// Waits for room.
    ///
    /// # Errors
    /// `TimedOut` when the reader does not read after a signal; else as the system calls.
    fn wait(&mut self) -> io::Result<()> {
        let mut deadline = None;
        loop {
            self.asked_to_end |= self.signals.as_ref().is_some_and(|s| s.last().is_some());
            if self.asked_to_end {
                deadline.get_or_insert_with(|| Instant::now() + PATIENCE);
            }
            let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
            let ready = self.set.wait(left)?;
            if ready.contains(&ROOM) {
                return Ok(());
            }
            if ready.contains(&SIGNAL) && !self.asked_to_end {
                self.asked_to_end = true;
                // It stays unread for the event loop; waiting for it again would be a busy loop.
                if let Some(signals) = &self.signals {
                    self.set.remove(signals.as_fd())?;
                }
            }
            if left.is_some_and(|left| left.is_zero()) {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(reader) = &mut self.reader else { return self.file.write(bytes) };
        let piece = bytes.get(..PIECE).unwrap_or(bytes);
        loop {
            reader.wait()?;
            match self.file.write(piece) {
                // The pipe does not block by the will of whoever made it, and somebody else was faster.
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::signal::{Signals, tests::raise};
    use std::io::Read;

    #[test]
    fn much_goes_through_a_pipe_to_a_slow_reader() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut stream = Stream::new(writer.into(), None).unwrap();
        let text: Vec<u8> = (0..300_000u32).map(|n| n as u8).collect();
        let reading = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            let mut got = Vec::new();
            reader.read_to_end(&mut got).map(|_| got)
        });
        stream.write_all(&text).unwrap();
        drop(stream);
        assert!(reading.join().unwrap().unwrap() == text);
    }

    #[test]
    fn a_reader_that_stopped_reading_is_given_up_after_a_signal() {
        let (_reader, writer) = io::pipe().unwrap();
        let mut signals = Signals::block(&[libc::SIGUSR2]).unwrap();
        let mut stream = Stream::new(writer.into(), Some(signals.watcher().unwrap())).unwrap();
        raise(libc::SIGUSR2);
        let start = Instant::now();
        let error = stream.write_all(&vec![0; 1 << 20]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(start.elapsed() >= PATIENCE);
        // The event loop still finds the signal.
        assert_eq!(signals.read().unwrap(), Some(libc::SIGUSR2));
    }

    #[test]
    fn a_reader_that_has_gone_is_an_error_at_once() {
        let (reader, writer) = io::pipe().unwrap();
        let mut stream = Stream::new(writer.into(), None).unwrap();
        drop(reader);
        assert_eq!(stream.write_all(b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn devices_and_files_are_written_to() {
        for path in ["/dev/null", "/dev/full"] {
            let file = File::options().write(true).open(path).unwrap();
            let written = Stream::new(file.into(), None).unwrap().write_all(b"x");
            assert_eq!(written.is_ok(), path == "/dev/null");
        }
    }
}
