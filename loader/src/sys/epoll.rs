//! epoll(7): waiting for several descriptors at once.

use super::{check, new_fd};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// A set of descriptors that are waited for.
#[derive(Debug)]
pub struct Epoll(OwnedFd);

/// Most events that one wait reports; others come with the next.
const BATCH: usize = 16;

impl Epoll {
    /// An empty set.
    ///
    /// # Errors
    /// As the system call.
    pub fn new() -> io::Result<Epoll> {
        // SAFETY: the call takes no memory.
        Ok(Epoll(new_fd(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }.into())?))
    }

    /// Waits for input on `fd` too; [`Epoll::wait`] reports `token`.
    ///
    /// # Errors
    /// As the system call.
    pub fn add(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        self.add_for(libc::EPOLLIN, fd, token)
    }

    /// Waits also until `fd` takes output or its reader has gone; [`Epoll::wait`] reports `token`.
    ///
    /// # Errors
    /// As the system call; `EPERM` for a regular file, which always takes output.
    pub fn add_output(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        self.add_for(libc::EPOLLOUT, fd, token)
    }

    fn add_for(&self, events: i32, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: events as u32, u64: token };
        let (set, fd) = (self.0.as_raw_fd(), fd.as_raw_fd());
        // SAFETY: `event` is live and only read.
        check(unsafe { libc::epoll_ctl(set, libc::EPOLL_CTL_ADD, fd, &raw mut event) }.into()).map(|_| ())
    }

    /// Takes a descriptor out of the set.
    ///
    /// # Errors
    /// As the system call.
    pub fn remove(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let (set, fd) = (self.0.as_raw_fd(), fd.as_raw_fd());
        // SAFETY: since Linux 2.6.9 the event may be null here.
        check(unsafe { libc::epoll_ctl(set, libc::EPOLL_CTL_DEL, fd, std::ptr::null_mut()) }.into())
            .map(|_| ())
    }

    /// Waits until there is input or the time is over, and gives the tokens of the descriptors with input; none after
    /// the time or a signal. `None` waits for ever.
    ///
    /// # Errors
    /// As the system call.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<Vec<u64>> {
        // Rounded up, so that a wait for half a millisecond does not become a busy loop.
        let millis = timeout.map_or(-1, |t| t.as_nanos().div_ceil(1_000_000).min(i32::MAX as u128) as i32);
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; BATCH];
        // SAFETY: there is room for `BATCH` events.
        let count =
            unsafe { libc::epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), BATCH as i32, millis) };
        match check(count.into()) {
            Ok(count) => Ok(events.iter().take(count as usize).map(|e| e.u64).collect()),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(Vec::new()),
            Err(e) => Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsFd;

    #[test]
    fn room_for_output_is_reported() {
        let set = Epoll::new().unwrap();
        let (reader, mut writer) = io::pipe().unwrap();
        set.add_output(writer.as_fd(), 7).unwrap();
        // A pipe holds 16 pages unless it is told otherwise.
        let mut written = 0;
        while set.wait(Some(Duration::ZERO)).unwrap() == [7] {
            written += writer.write(&[0; 4096]).unwrap();
        }
        assert!(written >= 4096, "{written}");
        drop(reader);
        assert_eq!(set.wait(None).unwrap(), [7]);
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        assert_eq!(set.add_output(file.as_fd(), 8).unwrap_err().raw_os_error(), Some(libc::EPERM));
    }

    #[test]
    fn input_is_reported_with_its_token() {
        let set = Epoll::new().unwrap();
        let (reader, mut writer) = io::pipe().unwrap();
        set.add(reader.as_fd(), 42).unwrap();
        assert!(set.wait(Some(Duration::from_millis(1))).unwrap().is_empty());
        writer.write_all(b"x").unwrap();
        assert_eq!(set.wait(None).unwrap(), [42]);
        set.remove(reader.as_fd()).unwrap();
        assert!(set.wait(Some(Duration::ZERO)).unwrap().is_empty());
    }
}
