//! Mounting tracefs, where tracepoints are described.

use super::check;
use std::io;

/// Mounts tracefs at its usual place (Linux 4.1).
///
/// # Errors
/// As `mount(2)`: `EPERM` without the privilege, `ENOENT` or `ENODEV` on a kernel without tracing.
pub fn tracefs() -> io::Result<()> {
    let (source, target) = (c"tracefs", c"/sys/kernel/tracing");
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    // SAFETY: the strings are NUL-terminated; the data may be null.
    let result =
        unsafe { libc::mount(source.as_ptr(), target.as_ptr(), source.as_ptr(), flags, std::ptr::null()) };
    check(result.into()).map(|_| ())
}
