//! tracefs: where tracepoints are described.

use super::check;
use std::io;
use std::path::{Path, PathBuf};

/// Places where tracefs is mounted; the second is older than the first (Linux 4.1).
const PLACES: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// The folder of tracefs. It is mounted at its usual place when it is nowhere.
///
/// # Errors
/// As `mount(2)`: `EPERM` without the privilege, `ENOENT` or `ENODEV` on a kernel without tracing.
pub fn tracefs() -> io::Result<PathBuf> {
    let mounted = |place: &&str| Path::new(place).join("events").is_dir();
    if let Some(place) = PLACES.iter().find(|p| mounted(p)) {
        return Ok(place.into());
    }
    let (source, target) = (c"tracefs", c"/sys/kernel/tracing");
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    // SAFETY: the strings are NUL-terminated; the data may be null.
    let result =
        unsafe { libc::mount(source.as_ptr(), target.as_ptr(), source.as_ptr(), flags, std::ptr::null()) };
    check(result.into())?;
    Ok(PLACES[0].into())
}
