//! perf_event_open(2): clocks, tracepoints and single uprobes that BPF programs are linked to.
//!
//! `struct perf_event_attr` is filled in at the offsets of include/uapi/linux/perf_event.h, in the size of its fifth
//! version (112 bytes), which every supported kernel knows.

use super::new_fd;
use lang::probe::{PerfEvent, Watchpoint};
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

const ATTR_SIZE: usize = 112;
const TYPE_HARDWARE: u32 = 0;
const TYPE_SOFTWARE: u32 = 1;
const TYPE_TRACEPOINT: u32 = 2;
const TYPE_BREAKPOINT: u32 = 5;
/// `PERF_COUNT_SW_CPU_CLOCK`
const CPU_CLOCK: u64 = 0;
/// Bit `inherit` of the flags: threads and processes that are started later count too.
const FLAG_INHERIT: u64 = 1 << 1;
/// Bit `freq` of the flags: the period is a frequency.
const FLAG_FREQ: u64 = 1 << 10;
/// `PERF_FLAG_FD_CLOEXEC`
const CLOEXEC: libc::c_ulong = 8;
/// Bit of `config` that makes a probe of the uprobe PMU a return probe
/// (`/sys/bus/event_source/devices/uprobe/format/retprobe`).
const UPROBE_RETURN: u64 = 1;
/// First of the bits of `config` that hold the offset of a semaphore (`…/format/ref_ctr_offset`).
const UPROBE_REF_CTR_SHIFT: u32 = 32;

/// `PERF_EVENT_IOC_SET_BPF`
const SET_BPF: libc::c_ulong = 0x4004_2408;

/// Gives an event the program that it runs; it keeps it until its last descriptor is closed.
///
/// # Errors
/// As the system call; an event that has a program is `EEXIST`.
pub fn set_program(event: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the argument of this request is a descriptor, which is open.
    let result = unsafe { libc::ioctl(event.as_raw_fd(), SET_BPF as _, program.as_raw_fd()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[repr(C, align(8))]
struct Attr([u8; ATTR_SIZE]);

impl Attr {
    fn new(kind: u32, config: u64) -> Attr {
        let size_and_type = u64::from(kind) | (ATTR_SIZE as u64) << 32;
        Attr([0; ATTR_SIZE]).u64(0, size_and_type).u64(8, config)
    }

    /// (All targets are little-endian, so a pair of `u32` is a `u64`.)
    fn u64(mut self, offset: usize, value: u64) -> Attr {
        self.0[offset..offset + 8].copy_from_slice(&value.to_ne_bytes());
        self
    }

    fn period(self, period: u64) -> Attr {
        self.u64(16, period)
    }

    fn flags(self, flags: u64) -> Attr {
        self.u64(40, flags)
    }

    /// Opens the event for a process on any CPU, or for all processes on one CPU.
    ///
    /// # Safety
    /// An address in the attributes must be that of a live NUL-terminated string.
    unsafe fn open(&self, pid: Option<u32>, cpu: Option<u32>) -> io::Result<OwnedFd> {
        let id = |n: Option<u32>| n.map_or(-1, u32::cast_signed);
        // SAFETY: the attributes are valid for the size that stands in them; for the address the caller vouches.
        new_fd(unsafe {
            libc::syscall(libc::SYS_perf_event_open, self.0.as_ptr(), id(pid), id(cpu), -1, CLOEXEC)
        })
    }
}

/// How often a clock fires.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rate {
    /// Every so many nanoseconds.
    Nanos(u64),
    /// So many times a second.
    Hertz(u64),
}

/// A timer on one CPU (software event `cpu-clock`).
///
/// # Errors
/// As the system call; a frequency above `kernel.perf_event_max_sample_rate` is `EINVAL`.
pub fn cpu_clock(cpu: u32, rate: Rate) -> io::Result<OwnedFd> {
    let attr = Attr::new(TYPE_SOFTWARE, CPU_CLOCK);
    let attr = match rate {
        Rate::Nanos(n) => attr.period(n),
        Rate::Hertz(n) => attr.period(n).flags(FLAG_FREQ),
    };
    // SAFETY: there are no addresses in the attributes.
    unsafe { attr.open(None, Some(cpu)) }
}

/// What a counter counts in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// All that runs on a CPU.
    Cpu(u32),
    /// A thread, on any CPU, and the threads and processes that it starts from now on.
    Thread(u32),
}

/// A counter that overflows every `count` events.
///
/// # Errors
/// As the system call; `ENOENT` for what this machine does not count.
pub fn counter(event: &PerfEvent, count: u64, scope: Scope) -> io::Result<OwnedFd> {
    let kind = if event.hardware { TYPE_HARDWARE } else { TYPE_SOFTWARE };
    let attr = Attr::new(kind, event.config).period(count);
    let (attr, pid, cpu) = match scope {
        Scope::Cpu(cpu) => (attr, None, Some(cpu)),
        Scope::Thread(thread) => (attr.flags(FLAG_INHERIT), Some(thread), None),
    };
    // SAFETY: there are no addresses in the attributes.
    unsafe { attr.open(pid, cpu) }
}

/// The tracepoint with that id (`events/CATEGORY/NAME/id` in tracefs). A BPF program that is linked to it runs on all
/// CPUs, whatever the process.
///
/// # Errors
/// As the system call.
pub fn tracepoint(id: u64) -> io::Result<OwnedFd> {
    // SAFETY: there are no addresses in the attributes.
    unsafe { Attr::new(TYPE_TRACEPOINT, id).period(1).open(None, Some(0)) }
}

/// A place in a binary.
#[derive(Clone, Copy, Debug)]
pub struct Uprobe<'a> {
    /// The binary.
    pub path: &'a CStr,
    /// File offset of the instruction.
    pub offset: u64,
    /// File offset of a USDT semaphore; 0 for none.
    pub ref_ctr: u32,
    /// Fires when the function returns; must not be used on Go code, whose stacks move.
    pub ret: bool,
    /// Only in this process.
    pub pid: Option<u32>,
}

/// A uprobe.
///
/// # Errors
/// As the system call, or the kernel has no uprobe PMU.
pub fn uprobe(probe: &Uprobe<'_>) -> io::Result<OwnedFd> {
    let config = u64::from(probe.ref_ctr) << UPROBE_REF_CTR_SHIFT | if probe.ret { UPROBE_RETURN } else { 0 };
    // config1 is the path, config2 the offset.
    let attr =
        Attr::new(pmu_type("uprobe")?, config).u64(56, probe.path.as_ptr() as u64).u64(64, probe.offset);
    let cpu = if probe.pid.is_some() { None } else { Some(0) };
    // SAFETY: the path is a live NUL-terminated string.
    unsafe { attr.open(probe.pid, cpu) }
}

/// A place in the kernel.
#[derive(Clone, Copy, Debug)]
pub enum Kprobe<'a> {
    /// Bytes from the start of a function.
    Function(&'a CStr, u64),
    /// A kernel address.
    Address(u64),
}

/// A kprobe; with `ret` at the return of the function.
///
/// # Errors
/// As the system call, or the kernel has no kprobes.
pub fn kprobe(place: Kprobe<'_>, ret: bool) -> io::Result<OwnedFd> {
    let (function, offset) = match place {
        Kprobe::Function(name, offset) => (name.as_ptr() as u64, offset),
        Kprobe::Address(address) => (0, address),
    };
    // config1 is the function's name, config2 the offset from it; without a name config2 is the address.
    let attr = Attr::new(pmu_type("kprobe")?, u64::from(ret)).u64(56, function).u64(64, offset);
    // SAFETY: the name is a live NUL-terminated string or absent.
    unsafe { attr.open(None, Some(0)) }
}

/// A hardware breakpoint on memory.
///
/// # Errors
/// As the system call; `ENOSPC` when all breakpoints of the processor are in use.
pub fn breakpoint(watch: &Watchpoint, scope: Scope) -> io::Result<OwnedFd> {
    // bp_type is the upper half of the word at 48 (the lower one is wakeup_events), bp_addr is config1, bp_len config2.
    let attr = Attr::new(TYPE_BREAKPOINT, 0)
        .period(1)
        .u64(48, u64::from(watch.access.0) << 32)
        .u64(56, watch.address)
        .u64(64, u64::from(watch.len));
    let (attr, pid, cpu) = match scope {
        Scope::Cpu(cpu) => (attr, None, Some(cpu)),
        Scope::Thread(thread) => (attr.flags(FLAG_INHERIT), Some(thread), None),
    };
    // SAFETY: the address in the attributes is watched, not read.
    unsafe { attr.open(pid, cpu) }
}

/// Type number of the PMU of kprobes or uprobes.
fn pmu_type(name: &str) -> io::Result<u32> {
    let file = format!("/sys/bus/event_source/devices/{name}/type");
    let text = std::fs::read_to_string(&file)?;
    text.trim().parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, format!("{file}: no number")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_laid_out_as_the_kernel_has_them() {
        let attr = Attr::new(2, 0x1122).period(7).flags(FLAG_FREQ);
        assert_eq!(
            attr.0[..24],
            [2, 0, 0, 0, 112, 0, 0, 0, 0x22, 0x11, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0]
        );
        assert_eq!(attr.0[40..48], [0, 4, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn a_probe_in_a_missing_file_is_an_error() {
        let path = c"/nonexistent/binary";
        assert!(uprobe(&Uprobe { path, offset: 0, ref_ctr: 0, ret: false, pid: None }).is_err());
    }
}
