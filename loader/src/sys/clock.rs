//! Clocks, calendar time and the list of CPUs.

use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;

/// Nanoseconds since boot, time asleep included (`CLOCK_BOOTTIME`): the clock of `nsecs`.
#[must_use]
pub fn boot_nanos() -> u64 {
    read(libc::CLOCK_BOOTTIME) as u64
}

/// Nanoseconds since 1970 (`CLOCK_REALTIME`).
#[must_use]
pub fn unix_nanos() -> i128 {
    read(libc::CLOCK_REALTIME)
}

/// Nanoseconds since 1970 when `CLOCK_BOOTTIME` was 0.
#[must_use]
pub fn unix_offset() -> u64 {
    WallClock::now().offset as u64
}

/// Nanoseconds that `CLOCK_TAI` is ahead of `CLOCK_BOOTTIME`.
#[must_use]
pub fn tai_offset() -> u64 {
    (read(libc::CLOCK_TAI) - read(libc::CLOCK_BOOTTIME)) as u64
}

fn read(clock: libc::clockid_t) -> i128 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the result; the clocks asked for exist since Linux 2.6.39, so it cannot fail.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
}

/// The distance between time since boot and time of day when it was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WallClock {
    offset: i128,
}

impl WallClock {
    /// Compares the two clocks now.
    #[must_use]
    pub fn now() -> WallClock {
        WallClock { offset: unix_nanos() - i128::from(boot_nanos()) }
    }

    /// A clock for tests: boot was at that time (nanoseconds since 1970).
    #[must_use]
    pub fn booted_at(unix_nanos: i128) -> WallClock {
        WallClock { offset: unix_nanos }
    }

    /// Nanoseconds since 1970 for nanoseconds since boot.
    #[must_use]
    pub fn unix_nanos(self, boot_nanos: u64) -> i128 {
        self.offset + i128::from(boot_nanos)
    }
}

/// `strftime(3)` of a time in seconds since 1970 in the local time zone. Empty when the format has a NUL byte or the
/// time is beyond the calendar.
#[must_use]
pub fn strftime(format: &str, unix_seconds: i64) -> Vec<u8> {
    // strftime returns 0 both for an empty result and for one that does not fit; a marker keeps the result from being
    // empty.
    let Ok(marked) = CString::new(format!("{format}.")) else { return Vec::new() };
    let mut fields = MaybeUninit::<libc::tm>::uninit();
    // SAFETY: both pointers are valid; a null result means that `fields` was not filled in, and then it is not used.
    let fields = unsafe {
        if libc::localtime_r(&raw const unix_seconds, fields.as_mut_ptr()).is_null() {
            return Vec::new();
        }
        fields.assume_init()
    };
    let mut room = 256.max(2 * format.len());
    loop {
        let mut out = vec![0u8; room];
        // SAFETY: `out` has `room` writable bytes, `marked` is NUL-terminated and `fields` was filled in.
        let len =
            unsafe { libc::strftime(out.as_mut_ptr().cast(), room, marked.as_ptr(), &raw const fields) };
        if len > 0 {
            out.truncate(len - 1);
            return out;
        }
        // A width such as %1000000Y asks for what nobody wants to see.
        if room > 1 << 20 {
            return Vec::new();
        }
        room *= 2;
    }
}

/// Number of CPUs that may ever come online; per-CPU map values have a part for each (`num_possible_cpus()` of the
/// kernel, read from `/sys/devices/system/cpu/possible`).
///
/// # Errors
/// The file cannot be read or is not a list of CPUs.
pub fn possible_cpus() -> io::Result<usize> {
    Ok(cpu_list("/sys/devices/system/cpu/possible")?.len())
}

/// Numbers of the CPUs that run now. (`/sys/devices/system/cpu/online`)
///
/// # Errors
/// As [`possible_cpus`].
pub fn online_cpus() -> io::Result<Vec<u32>> {
    cpu_list("/sys/devices/system/cpu/online")
}

fn cpu_list(path: &str) -> io::Result<Vec<u32>> {
    let text = std::fs::read_to_string(path)?;
    parse_cpu_list(text.trim()).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{path}: {:?} is not a list of CPUs", text.trim()))
    })
}

/// `0-3,8` as numbers.
fn parse_cpu_list(text: &str) -> Option<Vec<u32>> {
    /// More than any kernel can be built for (`CONFIG_NR_CPUS`).
    const LIMIT: u32 = 1 << 16;
    let mut cpus = Vec::new();
    for part in text.split(',').filter(|p| !p.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        if last >= LIMIT {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cpus() {
        assert_eq!(parse_cpu_list("0-3,8,10-11"), Some(vec![0, 1, 2, 3, 8, 10, 11]));
        assert_eq!(parse_cpu_list(""), Some(vec![]));
        assert_eq!(parse_cpu_list("0-4294967295"), None);
        assert_eq!(parse_cpu_list("a"), None);
    }

    #[test]
    fn clocks_agree() {
        let clock = WallClock::now();
        let apart = clock.unix_nanos(boot_nanos()) - unix_nanos();
        assert!(apart.abs() < 1_000_000_000, "{apart}");
    }

    #[test]
    fn this_machine_has_cpus() {
        assert!(possible_cpus().unwrap() >= online_cpus().unwrap().len());
    }
}
