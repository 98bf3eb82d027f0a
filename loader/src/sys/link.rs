//! BPF links: what keeps a program attached. Dropping the descriptor detaches it.

use super::bpf::{Attr, AttachType, Command};
use std::ffi::CStr;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

/// Attaches a program to a perf event. `cookie` is what `bpf_get_attach_cookie` returns in it.
///
/// # Errors
/// As the system call; kernels before 5.15 do not have such links.
pub fn perf_event(program: BorrowedFd<'_>, event: BorrowedFd<'_>, cookie: u64) -> io::Result<OwnedFd> {
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
