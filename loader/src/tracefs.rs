//! Finds tracefs, where the kernel describes its tracepoints, and mounts it where nothing has done so yet (minimal systems,
//! containers). [`inspect::tracefs`] reads it.

use crate::privileges;
use crate::sys::mount;
use inspect::Error;
use inspect::tracefs::Tracefs;
use std::io;

/// The mounted tracefs. It is mounted at its usual place if it is nowhere and the user may do that.
///
/// # Errors
/// [`Error::NoTracefs`] when there is none and none can be mounted, [`Error::Permission`] when the user may not enter it.
pub fn find() -> Result<Tracefs, Error> {
    find_or_mount(Tracefs::find, mount::tracefs)
}

/// Why there is none, in words: lockdown keeps it from being mounted, and what is mounted from being read.
#[must_use]
pub fn why_not(error: &Error) -> String {
    privileges::why_locked().map_or_else(|| error.to_string(), |(why, _)| why)
}

fn find_or_mount(
    find: impl Fn() -> Result<Tracefs, Error>,
    mount: impl FnOnce() -> io::Result<()>,
) -> Result<Tracefs, Error> {
    match find() {
        Err(Error::NoTracefs) if mount().is_ok() => find(),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn it_is_mounted_only_where_it_is_missing() {
        let mounted = Cell::new(false);
        let find = || if mounted.get() { Ok(Tracefs::at("/t")) } else { Err(Error::NoTracefs) };
        let mount = || {
            mounted.set(true);
            Ok(())
        };
        assert!(find_or_mount(find, mount).is_ok_and(|t| t.root() == "/t"));
        assert!(find_or_mount(find, || panic!("it is there")).is_ok());
    }

    #[test]
    fn without_the_right_to_mount_it_stays_missing() {
        let refused = || Err(io::Error::from_raw_os_error(libc::EPERM));
        assert!(matches!(find_or_mount(|| Err(Error::NoTracefs), refused), Err(Error::NoTracefs)));
    }
}
