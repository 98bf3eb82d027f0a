//! How a feature of the kernel is tried: by loading a tiny program, making a map, or opening what it would need. Nothing stays.
//!
//! [`super`] has the table that says which trial belongs to which feature.

use super::Feature;
use crate::sys::bpf::{self, AttachType, ProgType, Program};
use crate::sys::{clock, link, perf};
use inspect::btf::Btf;
use lang::probe::{Watch, Watchpoint};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// A trial.
pub(super) enum Trial {
    /// A file of the kernel can be opened.
    File(&'static str),
    /// A program is accepted.
    Load(ProgType, AttachType, Bytes),
    /// Programs of that type may call a helper (`enum bpf_func_id`).
    Helper(ProgType, i32),
    /// The kernel describes a function that programs may call.
    Kfunc(&'static str),
    /// A map (`enum bpf_map_type`) is made.
    Map { kind: u32, key: u32, value: u32, entries: u32 },
    /// Anything else.
    Other(fn() -> io::Result<()>),
}

impl Trial {
    /// Tries.
    pub(super) fn run(&self) -> io::Result<()> {
        match *self {
            Trial::File(path) => std::fs::File::open(path).map(drop),
            Trial::Load(kind, attach, ref bytes) => load(kind, attach, bytes.program()).map(drop),
            Trial::Helper(kind, id) => helper(kind, id),
            Trial::Kfunc(name) => kernel_function(name).map(drop),
            Trial::Map { kind, key, value, entries } => bpf::map_create(kind, key, value, entries).map(drop),
            Trial::Other(trial) => trial(),
        }
    }
}

/// Programs, in instructions of 8 bytes.
pub(super) enum Bytes {
    /// `r0 = 0; exit`
    Return0,
    /// `r0 = 0; may_goto +1; goto -2; exit`
    Loop,
    /// `r0 = 0; *(u64 *)(r10 - 8) = r0; r0 = xchg(*(u64 *)(r10 - 8), r0); r0 = 0; exit`
    Exchange,
    /// Writes the program counter of the context.
    SetIp,
}

impl Bytes {
    fn program(&self) -> &'static [u8] {
        match self {
            Bytes::Return0 => &[0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0],
            Bytes::Loop => &[
                0xb7, 0, 0, 0, 0, 0, 0, 0, 0xe5, 0, 1, 0, 0, 0, 0, 0, 0x05, 0, 0xfe, 0xff, 0, 0, 0, 0, 0x95,
                0, 0, 0, 0, 0, 0, 0,
            ],
            Bytes::Exchange => &[
                0xb7, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x0a, 0xf8, 0xff, 0, 0, 0, 0, 0xdb, 0x0a, 0xf8, 0xff, 0xe1,
                0, 0, 0, 0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0,
            ],
            // `r0 = 0; ctx->ip = r0; exit`: `ip` is at 128 in the `pt_regs` of x86-64.
            #[cfg(target_arch = "x86_64")]
            Bytes::SetIp => {
                &[0xb7, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x01, 0x80, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0]
            }
            // `r0 = 0; ctx->pc = r0; exit`: `pc` is at 256 in the `user_pt_regs` of AArch64.
            #[cfg(not(target_arch = "x86_64"))]
            Bytes::SetIp => {
                &[0xb7, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x01, 0, 1, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0]
            }
        }
    }
}

fn load(kind: ProgType, attach: AttachType, insns: &[u8]) -> io::Result<OwnedFd> {
    let program = Program { name: "probe", kind, attach, function: None, insns, debug: None };
    bpf::prog_load(&program).map_err(|rejected| rejected.error)
}

/// A program that returns 0, for a function of the kernel.
fn tracing(attach: AttachType, function: &str) -> io::Result<OwnedFd> {
    let function = Some(bpf::Function { id: kernel_function(function)?, of: None });
    let insns = Bytes::Return0.program();
    let program = Program { name: "probe", kind: ProgType::Tracing, attach, function, insns, debug: None };
    bpf::prog_load(&program).map_err(|rejected| rejected.error)
}

/// The number of a function in the kernel's type information.
fn kernel_function(name: &str) -> io::Result<u32> {
    if Feature::Btf.withheld() {
        return Err(io::Error::from_raw_os_error(libc::ENOENT));
    }
    let btf = Btf::vmlinux().map_err(|e| io::Error::other(e.to_string()))?;
    btf.find_function(name).map(|id| id.0).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))
}

/// Reads the kernel's memory by a load: `r1 = 0; r2 = STRUCTURE; r0 = bpf_rdonly_cast(r1, r2); r0 = *(u64 *)r0; r0 = 0; exit`. Gives the
/// numbers, in the kernel's type information, of the function and of a structure that begins with a 64-bit number.
pub(super) fn read_only_cast() -> io::Result<(u32, u32)> {
    let function = kernel_function("bpf_rdonly_cast")?;
    let btf = Btf::vmlinux().map_err(|e| io::Error::other(e.to_string()))?;
    let structure =
        btf.find_struct("timespec64").ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))?.0;
    let ([a, b, c, d], [s, t, u, v]) = (function.to_ne_bytes(), structure.to_ne_bytes());
    #[rustfmt::skip]
    let insns = [
        0xb7, 0x01, 0, 0, 0, 0, 0, 0,
        0xb7, 0x02, 0, 0, s, t, u, v,
        0x85, 0x20, 0, 0, a, b, c, d,
        0x79, 0x00, 0, 0, 0, 0, 0, 0,
        0xb7, 0x00, 0, 0, 0, 0, 0, 0,
        0x95, 0x00, 0, 0, 0, 0, 0, 0,
    ];
    load(ProgType::Kprobe, AttachType::Unspecified, &insns)?;
    Ok((function, structure))
}

/// Whether programs of that type may call a helper.
fn helper(kind: ProgType, id: i32) -> io::Result<()> {
    helper_in(kind, AttachType::Unspecified, None, id)
}

/// Whether such a program may call a helper. It does so without arguments: the verifier complains about those only when it knows the helper.
fn helper_in(
    kind: ProgType,
    attach: AttachType,
    function: Option<bpf::Function<'_>>,
    id: i32,
) -> io::Result<()> {
    /// How kernels say that they do not know it, or that the program may not call it.
    const SIGNS: [&str; 4] = ["invalid func", "unknown func", "cannot use helper", "is not allowed in"];
    let [a, b, c, d] = id.to_ne_bytes();
    let insns = [0x85, 0, 0, 0, a, b, c, d, 0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
    match bpf::prog_load(&Program { name: "probe", kind, attach, function, insns: &insns, debug: None }) {
        Err(rejected) if SIGNS.iter().any(|sign| rejected.log.contains(sign)) => {
            Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP))
        }
        Err(rejected) if rejected.log.is_empty() => Err(rejected.error),
        _ => Ok(()),
    }
}

/// A function of the kernel that exists for such tests (net/bpf/test_run.c) and is called only by them.
const TEST_FUNCTION: &str = "bpf_fentry_test1";

/// Attaches a program to [`TEST_FUNCTION`].
pub(super) fn fentry() -> io::Result<()> {
    let program = tracing(AttachType::Fentry, TEST_FUNCTION)?;
    bpf::raw_tracepoint(program.as_fd(), None).map(drop)
}

/// What a program that walks over threads is loaded for.
const WALK_OVER_THREADS: &str = "bpf_iter_task";

/// Makes a link of a walk.
pub(super) fn iter() -> io::Result<()> {
    let program = tracing(AttachType::Iter, WALK_OVER_THREADS)?;
    link::iter(program.as_fd(), link::Walked::All).map(drop)
}

/// Makes a link of a walk over the threads of this process.
pub(super) fn iter_of_process() -> io::Result<()> {
    let program = tracing(AttachType::Iter, WALK_OVER_THREADS)?;
    link::iter(program.as_fd(), link::Walked::Process(std::process::id())).map(drop)
}

/// Runs a program once.
pub(super) fn test_run() -> io::Result<()> {
    let program = load(ProgType::RawTracepoint, AttachType::Unspecified, Bytes::Return0.program())?;
    bpf::test_run(program.as_fd(), &[]).map(drop)
}

fn slow_timer() -> io::Result<OwnedFd> {
    let cpu = clock::online_cpus()?.into_iter().next().unwrap_or(0);
    perf::cpu_clock(cpu, perf::Rate::Nanos(u64::from(u32::MAX)))
}

/// Opens a timer.
pub(super) fn timer() -> io::Result<()> {
    slow_timer().map(drop)
}

/// Ties a program to a timer.
pub(super) fn perf_link() -> io::Result<()> {
    let program = load(ProgType::PerfEvent, AttachType::Unspecified, Bytes::Return0.program())?;
    link::perf_link(program.as_fd(), slow_timer()?.as_fd(), 1).map(drop)
}

/// Opens a tracepoint that every kernel has. Where tracefs is not mounted it stays so.
pub(super) fn tracepoint() -> io::Result<()> {
    let other = |e: inspect::Error| io::Error::other(crate::tracefs::why_not(&e));
    let format =
        inspect::tracefs::Tracefs::find().and_then(|t| t.format("sched", "sched_switch")).map_err(other)?;
    perf::tracepoint(u64::from(format.id)).map(drop)
}

/// Watches memory of this process.
pub(super) fn watchpoint() -> io::Result<()> {
    static WATCHED: u64 = 0;
    // `HW_BREAKPOINT_W`
    let watch = Watchpoint { address: &raw const WATCHED as u64, len: 8, access: Watch(2) };
    perf::breakpoint(&watch, perf::Scope::Thread(std::process::id())).map(drop)
}

/// Counts the cycles of the processor in this process.
pub(super) fn hardware() -> io::Result<()> {
    let cycles =
        lang::probe::PerfEvent { name: "cycles", alias: "cycles", config: 0, count: 1, hardware: true };
    perf::counter(&cycles, 1 << 40, perf::Scope::Thread(std::process::id())).map(drop)
}

/// The kernel tells the types of a module, if it has loaded one.
pub(super) fn module_btf() -> io::Result<()> {
    let of_modules = |name: &std::ffi::OsStr| name != "vmlinux";
    let mut found = std::fs::read_dir("/sys/kernel/btf")?.flatten().map(|entry| entry.file_name());
    if found.any(|name| of_modules(&name)) {
        return Ok(());
    }
    let modules = std::fs::read_to_string("/proc/modules").unwrap_or_default();
    match modules.trim().is_empty() {
        true => Err(io::Error::other("no module is loaded")),
        false => Err(io::Error::from_raw_os_error(libc::ENOENT)),
    }
}

/// Reads a map in one batch.
pub(super) fn batch() -> io::Result<()> {
    const PERCPU_HASH: u32 = 5;
    let map = bpf::map_create(PERCPU_HASH, 8, 8, 1)?;
    bpf::Map::new(map.as_fd())?.lookup_batch().map(drop)
}

/// Whether an iterator, or a program at a function that the kernel's list has, may ask for the name of a file.
pub(super) fn path_of_file() -> io::Result<()> {
    const D_PATH: i32 = 147;
    // Iterators may since Linux 5.12.
    let may = |attach, function| {
        let function = Some(bpf::Function { id: kernel_function(function)?, of: None });
        helper_in(ProgType::Tracing, attach, function, D_PATH)
    };
    may(AttachType::Iter, WALK_OVER_THREADS).or_else(|_| may(AttachType::Fentry, "filp_close"))
}

/// Whether a program at the return of a function may ask for its result.
pub(super) fn function_result() -> io::Result<()> {
    const GET_FUNC_RET: i32 = 184;
    let function = bpf::Function { id: kernel_function(TEST_FUNCTION)?, of: None };
    helper_in(ProgType::Tracing, AttachType::Fexit, Some(function), GET_FUNC_RET)
}

/// Attaches to [`TEST_FUNCTION`].
pub(super) fn kprobe_multi() -> io::Result<()> {
    let program = load(ProgType::Kprobe, AttachType::KprobeMulti, Bytes::Return0.program())?;
    let function = CString::new(TEST_FUNCTION)?;
    link::kprobe_multi(program.as_fd(), link::Functions::Named(&function), &[0], false).map(drop)
}

/// Asks for probes in a folder: a kernel that knows the link type finds out that `/` is no file and says `EBADF`, others
/// say `EINVAL`.
pub(super) fn uprobe_multi() -> io::Result<()> {
    let program = load(ProgType::Kprobe, AttachType::UprobeMulti, Bytes::Return0.program())?;
    let places =
        link::UprobeMulti { path: c"/", offsets: &[0], cookies: &[], ref_ctrs: &[], ret: false, pid: None };
    match link::uprobe_multi(program.as_fd(), &places) {
        Err(e) if e.raw_os_error() == Some(libc::EBADF) => Ok(()),
        result => result.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_helper_is_not_there() {
        assert!(helper(ProgType::Kprobe, 9999).is_err());
    }
}
