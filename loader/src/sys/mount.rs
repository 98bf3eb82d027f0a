//! File systems: mounting tracefs, where tracepoints are described; the kind of one.

use super::check;
use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

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

/// Whether a file is in the unified hierarchy of control groups (a file system of the type cgroup2).
///
/// # Errors
/// As `statfs(2)`.
pub fn is_cgroup2(path: &Path) -> io::Result<bool> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut found = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the path is NUL-terminated, and there is room for the result.
    check(unsafe { libc::statfs(path.as_ptr(), found.as_mut_ptr()) }.into())?;
    // SAFETY: the call has succeeded and filled it in.
    Ok(unsafe { found.assume_init() }.f_type == libc::CGROUP2_SUPER_MAGIC)
}
