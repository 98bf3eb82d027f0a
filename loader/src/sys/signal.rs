//! Signals as input of the event loop: signalfd(2).

use super::new_fd;
use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

/// Signals that are read instead of being delivered, until this is dropped unless [`Signals::until_exit`] says otherwise.
#[derive(Debug)]
pub struct Signals {
    file: File,
    /// Restored at the end; `None` keeps the signals blocked.
    before: Option<Mask>,
    last: Rc<Cell<Option<i32>>>,
}

/// Knows of the signals of a [`Signals`], also those that were read from it.
#[derive(Debug)]
pub struct Watcher {
    /// Readable while a signal waits to be read.
    fd: OwnedFd,
    last: Rc<Cell<Option<i32>>>,
}

impl Watcher {
    /// The last signal that was read, if any.
    #[must_use]
    pub fn last(&self) -> Option<i32> {
        self.last.get()
    }
}

impl AsFd for Watcher {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Signals that end a run in an orderly way.
pub const ENDING: [i32; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

/// A set of signals.
#[derive(Clone, Copy)]
struct Mask(libc::sigset_t);

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mask")
    }
}

impl Mask {
    fn of(signals: &[i32]) -> Mask {
        let mut set = MaybeUninit::uninit();
        // SAFETY: sigemptyset fills in the whole set.
        let mut set = unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            set.assume_init()
        };
        for signal in signals {
            // SAFETY: `set` was initialized; an impossible number is refused by the call.
            unsafe { libc::sigaddset(&raw mut set, *signal) };
        }
        Mask(set)
    }

    /// Changes the mask of this thread and gives the one before.
    fn apply(&self, how: i32) -> io::Result<Mask> {
        let mut before = Mask::of(&[]);
        // SAFETY: both sets are live and initialized.
        match unsafe { libc::pthread_sigmask(how, &raw const self.0, &raw mut before.0) } {
            0 => Ok(before),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }
}

impl Signals {
    /// Blocks the signals in this thread (and those it starts later) and opens a descriptor to read them from.
    ///
    /// # Errors
    /// As the system calls.
    pub fn block(signals: &[i32]) -> io::Result<Signals> {
        let mask = Mask::of(signals);
        let before = mask.apply(libc::SIG_BLOCK)?;
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        // SAFETY: the set is live and initialized.
        match new_fd(unsafe { libc::signalfd(-1, &raw const mask.0, flags) }.into()) {
            Ok(fd) => Ok(Signals { file: fd.into(), before: Some(before), last: Rc::default() }),
            Err(e) => {
                before.apply(libc::SIG_SETMASK)?;
                Err(e)
            }
        }
    }

    /// Keeps them blocked also when this is dropped: what comes in the last moments of the process must not change its status.
    #[must_use]
    pub fn until_exit(mut self) -> Signals {
        self.before = None;
        self
    }

    /// The next signal that has come, if any.
    ///
    /// # Errors
    /// As `read(2)`.
    pub fn read(&mut self) -> io::Result<Option<i32>> {
        let mut info = [0u8; size_of::<libc::signalfd_siginfo>()];
        match self.file.read(&mut info) {
            // The number of the signal is the first member (linux/signalfd.h).
            Ok(_) => {
                self.last.set(Some(i32::from_ne_bytes([info[0], info[1], info[2], info[3]])));
                Ok(self.last.get())
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(e) => Err(e),
        }
    }
}

impl Signals {
    /// The last signal that was read, if any.
    #[must_use]
    pub fn last(&self) -> Option<i32> {
        self.last.get()
    }

    /// For a part of the program that waits for something else and has to stop waiting when a signal comes.
    ///
    /// # Errors
    /// As `dup(2)`.
    pub fn watcher(&self) -> io::Result<Watcher> {
        Ok(Watcher { fd: self.file.as_fd().try_clone_to_owned()?, last: Rc::clone(&self.last) })
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for Signals {
    /// Signals that came and were not read are forgotten: they asked for the end that has come now.
    fn drop(&mut self) {
        while let Ok(Some(_)) = self.read() {}
        if let Some(before) = self.before {
            let _ = before.apply(libc::SIG_SETMASK);
        }
    }
}

/// Gives a process that is about to run another program the signal state that programs expect: nothing blocked, and
/// `SIGPIPE`, which the Rust runtime ignores, as it is by default. Only async-signal-safe calls are made.
pub(super) fn reset_for_exec() {
    let none = Mask::of(&[]);
    // SAFETY: the set is live; SIG_DFL is a valid disposition of SIGPIPE.
    unsafe {
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none.0, std::ptr::null_mut());
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}

/// A descriptor that becomes readable when a process ends (`pidfd_open(2)`, Linux 5.3).
///
/// # Errors
/// As the system call; `ESRCH` when there is no such process.
pub fn pidfd(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: the call takes no memory.
    new_fd(unsafe { libc::syscall(libc::SYS_pidfd_open, pid.cast_signed(), 0) })
}

/// Sends a signal to the process of a [`pidfd`]; unlike a process id it cannot mean another process by now.
///
/// # Errors
/// As the system call; `ESRCH` when it has ended and was waited for.
pub fn send(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let (fd, no_info) = (pidfd.as_raw_fd(), std::ptr::null::<libc::siginfo_t>());
    // SAFETY: the information about the signal may be null.
    super::check(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, no_info, 0) }).map(|_| ())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Sends a signal to this thread, which should have it blocked.
    pub(crate) fn raise(signal: i32) {
        // SAFETY: the call takes no memory.
        unsafe { libc::raise(signal) };
    }

    #[test]
    fn blocked_signals_are_read() {
        let mut signals = Signals::block(&[libc::SIGUSR1]).unwrap();
        assert_eq!(signals.read().unwrap(), None);
        raise(libc::SIGUSR1);
        assert_eq!(signals.read().unwrap(), Some(libc::SIGUSR1));
        assert_eq!(signals.read().unwrap(), None);
    }

    #[test]
    fn a_watcher_knows_what_was_read() {
        let mut signals = Signals::block(&[libc::SIGUSR1]).unwrap();
        let watcher = signals.watcher().unwrap();
        raise(libc::SIGUSR1);
        assert_eq!(watcher.last(), None);
        signals.read().unwrap();
        assert_eq!(watcher.last(), Some(libc::SIGUSR1));
    }

    #[test]
    fn a_signal_that_nobody_read_does_no_harm_later() {
        let signals = Signals::block(&[libc::SIGUSR1]).unwrap();
        raise(libc::SIGUSR1);
        // By default the signal ends the process.
        drop(signals);
    }

    #[test]
    fn the_descriptor_of_a_process() {
        assert!(pidfd(std::process::id()).is_ok());
        assert!(pidfd(u32::MAX / 2).is_err());
    }
}
