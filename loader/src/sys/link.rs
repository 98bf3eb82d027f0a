//! BPF links: what keeps a program attached. Dropping the descriptor detaches it.

use super::bpf::{AttachType, Attr, Command};
use super::perf;
use super::probe::Feature;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Attaches a program to a perf event. `cookie` is what `bpf_get_attach_cookie` returns in it. Kernels before 5.15 have neither cookies
/// nor such links: there the program belongs to the event, and the descriptor is another one of the event.
///
/// # Errors
/// As the system calls.
pub fn perf_event(program: BorrowedFd<'_>, event: BorrowedFd<'_>, cookie: u64) -> io::Result<OwnedFd> {
    match perf_link(program, event, cookie) {
        Err(e) if e.raw_os_error() == Some(libc::EINVAL) => {
            perf::set_program(event, program)?;
            event.try_clone_to_owned()
        }
        result => result,
    }
}

/// A link of a program and a perf event (Linux 5.15).
///
/// # Errors
/// As the system call.
pub(super) fn perf_link(program: BorrowedFd<'_>, event: BorrowedFd<'_>, cookie: u64) -> io::Result<OwnedFd> {
    Feature::PerfLink.refuse_if_withheld(libc::EINVAL)?;
    // link_create: prog_fd, target_fd, attach_type, flags; perf_event.bpf_cookie at 16.
    let mut attr =
        Attr::new().fd(0, program).fd(4, event).u32(8, AttachType::PerfEvent as u32).u64(16, cookie);
    // SAFETY: there are no addresses in the block.
    unsafe { attr.call_fd(Command::LinkCreate) }
}

/// Many places in one binary.
#[derive(Clone, Copy, Debug)]
pub struct UprobeMulti<'a> {
    /// The binary.
    pub path: &'a CStr,
    /// File offsets of the instructions.
    pub offsets: &'a [u64],
    /// What `bpf_get_attach_cookie` returns at each of them; empty for none.
    pub cookies: &'a [u64],
    /// File offsets of USDT semaphores; empty for none.
    pub ref_ctrs: &'a [u64],
    /// Fires when the functions return; must not be used on Go code, whose stacks move.
    pub ret: bool,
    /// Only in this process.
    pub pid: Option<u32>,
}

/// `BPF_F_UPROBE_MULTI_RETURN`
const MULTI_RETURN: u32 = 1;

/// Attaches a program to many places with one link (Linux 6.6). The program must have been loaded for
/// [`AttachType::UprobeMulti`].
///
/// # Errors
/// Lists of different lengths (`EINVAL`), or as the system call.
pub fn uprobe_multi(program: BorrowedFd<'_>, places: &UprobeMulti<'_>) -> io::Result<OwnedFd> {
    Feature::UprobeMulti.refuse_if_withheld(libc::EINVAL)?;
    let count = places.offsets.len();
    let fits = |list: &[u64]| list.is_empty() || list.len() == count;
    if count == 0 || !fits(places.cookies) || !fits(places.ref_ctrs) {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    // link_create.uprobe_multi: path at 16, offsets 24, ref_ctr_offsets 32, cookies 40, cnt 48, flags 52, pid 56.
    let mut attr = Attr::new()
        .fd(0, program)
        .u32(8, AttachType::UprobeMulti as u32)
        .u64(16, places.path.as_ptr() as u64)
        .input(24, places.offsets)
        .input(32, places.ref_ctrs)
        .input(40, places.cookies)
        .u32(48, count as u32)
        .u32(52, if places.ret { MULTI_RETURN } else { 0 })
        .u32(56, places.pid.unwrap_or(0));
    // SAFETY: the path is NUL-terminated and the lists have `count` elements or are absent; all are live and only read.
    unsafe { attr.call_fd(Command::LinkCreate) }
}

/// `BPF_F_KPROBE_MULTI_RETURN`
const KPROBE_RETURN: u32 = 1;

/// Functions of the kernel.
#[derive(Clone, Copy, Debug)]
pub enum Functions<'a> {
    /// By their addresses.
    Addresses(&'a [u64]),
    /// One by its name.
    Named(&'a CStr),
}

/// Attaches a program to many functions of the kernel with one link (Linux 5.18, with fprobe); `cookies` has a number for each. The program
/// must have been loaded for [`AttachType::KprobeMulti`].
///
/// # Errors
/// As the system call; lists of different lengths are `EINVAL`.
pub fn kprobe_multi(
    program: BorrowedFd<'_>,
    functions: Functions<'_>,
    cookies: &[u64],
    ret: bool,
) -> io::Result<OwnedFd> {
    Feature::KprobeMulti.refuse_if_withheld(libc::EINVAL)?;
    let name;
    // link_create.kprobe_multi: flags at 16, cnt 20, syms 24, addrs 32, cookies 40.
    let (count, attr) = match functions {
        Functions::Addresses(addresses) => (addresses.len(), Attr::new().input(32, addresses)),
        Functions::Named(function) => {
            name = [function.as_ptr() as u64];
            (1, Attr::new().input(24, &name))
        }
    };
    if count == 0 || count != cookies.len() {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let mut attr = attr
        .fd(0, program)
        .u32(8, AttachType::KprobeMulti as u32)
        .u32(16, if ret { KPROBE_RETURN } else { 0 })
        .u32(20, count as u32)
        .input(40, cookies);
    // SAFETY: the lists have as many elements as the block says, and are live and only read; a name is NUL-terminated.
    unsafe { attr.call_fd(Command::LinkCreate) }
}

/// What an iterator walks over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Walked {
    /// All objects of its kind.
    All,
    /// The threads of one process (Linux 6.1).
    Process(u32),
    /// All control groups, from the root down (Linux 6.1).
    Hierarchy,
}

/// `BPF_CGROUP_ITER_DESCENDANTS_PRE`
const DESCENDANTS_FIRST_SEEN: u32 = 2;

/// Ties a program to the objects that it was loaded for (Linux 5.8).
///
/// # Errors
/// As the system call.
pub fn iter(program: BorrowedFd<'_>, walked: Walked) -> io::Result<OwnedFd> {
    if let Walked::Process(_) = walked {
        Feature::IterOfProcess.refuse_if_withheld(libc::E2BIG)?;
    }
    // union bpf_iter_link_info: task.tid at 0, task.pid at 4; cgroup.order at 0.
    let info: [u32; 4] = match walked {
        Walked::All => [0; 4],
        Walked::Process(pid) => [0, pid, 0, 0],
        Walked::Hierarchy => [DESCENDANTS_FIRST_SEEN, 0, 0, 0],
    };
    // link_create: prog_fd, target_fd, attach_type, flags; iter_info at 16, iter_info_len at 24.
    let mut attr = Attr::new().fd(0, program).u32(8, AttachType::Iter as u32);
    if walked != Walked::All {
        attr = attr.input(16, &info).u32(24, size_of_val(&info) as u32);
    }
    // SAFETY: the address and the length are those of a live array that is only read, or both are zero.
    unsafe { attr.call_fd(Command::LinkCreate) }
}

/// A file whose reading makes one walk of an iterator's link.
///
/// # Errors
/// As the system call.
pub fn walk(link: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut attr = Attr::new().fd(0, link);
    // SAFETY: there are no addresses in the block.
    unsafe { attr.call_fd(Command::IterCreate) }
}

/// Gives a link a name in a BPF file system, where it stays when the descriptor is closed.
///
/// # Errors
/// As the system call; a path with a NUL byte is `EINVAL`.
pub fn pin(link: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut attr = Attr::new().u64(0, path.as_ptr() as u64).fd(8, link);
    // SAFETY: the path is NUL-terminated, live and only read.
    unsafe { attr.call(Command::ObjPin) }.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::tests::source;
    use crate::sys::bpf::ProgType;
    use crate::sys::perf::Uprobe;
    use crate::sys::process::Child;
    use aya::maps::{MapData, RingBuf};
    use inspect::elf::Binary;
    use std::os::fd::AsFd;

    /// A held child that runs `true`, and the place of its first instruction, which each run passes once.
    fn child_and_entry() -> (Child, CString, u64) {
        let child = Child::start(&["true".into()]).unwrap();
        // `e_entry` of the ELF header.
        let bytes = std::fs::read(child.program()).unwrap();
        let entry = u64::from_le_bytes(bytes[24..32].try_into().unwrap());
        let offset = Binary::open(child.program()).unwrap().file_offset(entry).unwrap();
        let path = CString::new(child.program().as_os_str().as_bytes()).unwrap();
        (child, path, offset)
    }

    /// Runs `true` once more elsewhere, lets the child go, and counts the records.
    fn hits(mut child: Child, mut ring: RingBuf<MapData>) -> usize {
        assert!(std::process::Command::new("true").status().unwrap().success());
        child.release().unwrap();
        while child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        std::iter::from_fn(|| ring.next().map(drop)).count()
    }

    #[test]
    fn many_probes_of_a_held_child() {
        let test = "many_probes_of_a_held_child";
        let Some((ring, program)) = source(test, ProgType::Kprobe, AttachType::UprobeMulti) else { return };
        let (child, path, offset) = child_and_entry();
        let places = UprobeMulti {
            path: &path,
            offsets: &[offset],
            cookies: &[7],
            ref_ctrs: &[],
            ret: false,
            pid: Some(child.pid()),
        };
        let _link = uprobe_multi(program.as_fd(), &places).unwrap();
        assert_eq!(hits(child, ring), 1);
        let uneven = UprobeMulti { cookies: &[1, 2], ..places };
        assert_eq!(uprobe_multi(program.as_fd(), &uneven).unwrap_err().raw_os_error(), Some(libc::EINVAL));
    }

    #[test]
    fn a_single_probe_of_a_held_child() {
        let test = "a_single_probe_of_a_held_child";
        let Some((ring, program)) = source(test, ProgType::Kprobe, AttachType::Unspecified) else { return };
        let (child, path, offset) = child_and_entry();
        let probe = Uprobe { path: &path, offset, ref_ctr: 0, ret: false, pid: Some(child.pid()) };
        let event = perf::uprobe(&probe).unwrap();
        let _link = perf_event(program.as_fd(), event.as_fd(), 7).unwrap();
        assert_eq!(hits(child, ring), 1);
    }

    #[test]
    fn a_clock() {
        let Some((mut ring, program)) = source("a_clock", ProgType::PerfEvent, AttachType::Unspecified)
        else {
            return;
        };
        let event = perf::cpu_clock(0, perf::Rate::Nanos(1_000_000)).unwrap();
        let _link = perf_event(program.as_fd(), event.as_fd(), 0).unwrap();
        let limit = std::time::Instant::now() + std::time::Duration::from_secs(10);
        let mut ticks = 0;
        while ticks < 3 && std::time::Instant::now() < limit {
            std::thread::sleep(std::time::Duration::from_millis(2));
            ticks += std::iter::from_fn(|| ring.next().map(drop)).count();
        }
        assert!(ticks >= 3, "{ticks}");
    }
}
