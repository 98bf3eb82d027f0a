//! The only module with `unsafe` code: system calls that neither the standard library nor aya makes for us.
//!
//! Each file wraps one family of calls in functions that are safe to call with any arguments: descriptors are owned or
//! borrowed, buffers are slices whose sizes are checked here. They return [`std::io::Error`] and decide nothing: which
//! call suits which kernel is for the callers to know.
#![allow(unsafe_code, reason = "system calls; every block says why it is sound")]

pub mod bpf;
pub mod clock;
pub mod epoll;
pub mod link;
pub mod mount;
pub mod names;
pub mod perf;
pub mod probe;
pub mod process;
pub mod signal;

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// What the system says of an error, without its number.
#[must_use]
pub fn in_words(error: &io::Error) -> String {
    let text = error.to_string();
    let end = text.find(" (os error ").unwrap_or(text.len());
    text[..end].to_owned()
}

/// The result of a system call that gives a new descriptor.
fn new_fd(result: libc::c_long) -> io::Result<OwnedFd> {
    let fd = check(result)?;
    // SAFETY: the kernel has just made this descriptor for us; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// The result of a system call: not negative, or `errno` as an error.
fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
