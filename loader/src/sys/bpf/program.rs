//! Programs: loading with the verifier's log, running once, asking about.

use super::{Attr, Command, object_info};
use crate::sys::probe::Feature;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// Program types (`enum bpf_prog_type`) in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum ProgType {
    /// `BPF_PROG_TYPE_KPROBE`: uprobes too.
    Kprobe = 2,
    /// `BPF_PROG_TYPE_TRACEPOINT`
    Tracepoint = 5,
    /// `BPF_PROG_TYPE_PERF_EVENT`
    PerfEvent = 7,
    /// `BPF_PROG_TYPE_RAW_TRACEPOINT`
    RawTracepoint = 17,
    /// `BPF_PROG_TYPE_TRACING`
    Tracing = 26,
}

/// Attach types (`enum bpf_attach_type`) in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u32)]
pub enum AttachType {
    /// 0: for programs whose type says all.
    #[default]
    Unspecified = 0,
    /// `BPF_TRACE_FENTRY` (Linux 5.5)
    Fentry = 24,
    /// `BPF_TRACE_FEXIT` (Linux 5.5)
    Fexit = 25,
    /// `BPF_TRACE_ITER` (Linux 5.8)
    Iter = 28,
    /// `BPF_PERF_EVENT`
    PerfEvent = 41,
    /// `BPF_TRACE_KPROBE_MULTI` (Linux 5.18)
    KprobeMulti = 42,
    /// `BPF_TRACE_UPROBE_MULTI` (Linux 6.6)
    UprobeMulti = 48,
}

/// Debug information of a program (`.BTF.ext`).
#[derive(Clone, Copy, Debug)]
pub struct Debug<'a> {
    /// The BTF object that it refers to.
    pub btf: BorrowedFd<'a>,
    /// Records of `struct bpf_func_info`.
    pub func_info: &'a [u8],
    /// Size of one of them.
    pub func_info_size: u32,
    /// Records of `struct bpf_line_info`.
    pub line_info: &'a [u8],
    /// Size of one of them.
    pub line_info_size: u32,
}

/// A program to load.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    /// Name shown by bpftool; the first 15 bytes count.
    pub name: &'a str,
    /// Its type.
    pub kind: ProgType,
    /// How it will be attached.
    pub attach: AttachType,
    /// The function it is for, where the attach type needs one.
    pub function: Option<Function<'a>>,
    /// Instructions of 8 bytes each, map descriptors filled in.
    pub insns: &'a [u8],
    /// Debug information.
    pub debug: Option<Debug<'a>>,
}

/// A function of the kernel or of a loaded program.
#[derive(Clone, Copy, Debug)]
pub struct Function<'a> {
    /// Its number in BTF.
    pub id: u32,
    /// The BTF of its module, or the program that has it; `None` for the kernel's own.
    pub of: Option<BorrowedFd<'a>>,
}

/// Why a program was not loaded.
#[derive(Debug)]
pub struct Rejected {
    /// The error of the system call.
    pub error: io::Error,
    /// What the verifier said; empty when it was not reached.
    pub log: String,
}

const LICENSE: &CStr = c"GPL";

/// Sizes of the verifier's log: a start that is mostly enough, and the most that kernels since 5.2 accept (they take up to
/// `UINT_MAX >> 2`, older ones `UINT_MAX >> 8`).
const LOG_START: usize = 1 << 16;
const LOG_MOST: usize = 1 << 24;

/// Loads a program. A log is asked for only after a failure, because it makes loading slow.
///
/// # Errors
/// The error of the system call, with the verifier's log.
pub fn prog_load(program: &Program<'_>) -> Result<OwnedFd, Rejected> {
    let first = match try_load(program, 0, &mut []) {
        Ok(fd) => return Ok(fd),
        Err(error) => error,
    };
    let mut size = LOG_START;
    loop {
        let mut log = vec![0; size];
        match try_load(program, 1, &mut log) {
            Ok(fd) => return Ok(fd),
            Err(e) if e.raw_os_error() == Some(libc::ENOSPC) && size < LOG_MOST => size *= 4,
            // The log may be refused where the load itself was not; then the first error is the true one.
            Err(e) => {
                let log = text(&log);
                let no_room = e.raw_os_error() == Some(libc::ENOSPC);
                let error = if log.is_empty() || no_room { first } else { e };
                return Err(Rejected { error, log });
            }
        }
    }
}

/// Loads a program and returns the verifier's log too (`-d verifier`). Of a log that is too long it is the end, before Linux 6.4 the
/// beginning.
///
/// # Errors
/// As [`prog_load`].
pub fn prog_load_logged(program: &Program<'_>) -> Result<(OwnedFd, String), Rejected> {
    load_logged(program, LOG_MOST)
}

fn load_logged(program: &Program<'_>, room: usize) -> Result<(OwnedFd, String), Rejected> {
    let mut log = vec![0; room];
    let loaded = match try_load(program, 2, &mut log) {
        // That the log does not fit is no fault of the program.
        Err(e) if e.raw_os_error() == Some(libc::ENOSPC) => try_load(program, 0, &mut []),
        loaded => loaded,
    };
    let log = text(&log);
    match loaded {
        Ok(fd) => Ok((fd, log)),
        Err(error) => Err(Rejected { error, log }),
    }
}

fn try_load(program: &Program<'_>, level: u32, log: &mut [u8]) -> io::Result<OwnedFd> {
    let mut attr = Attr::new()
        .u32(0, program.kind as u32)
        .u32(4, (program.insns.len() / 8) as u32)
        .input(8, program.insns)
        .u64(16, LICENSE.as_ptr() as u64)
        .name(48, program.name)
        .u32(68, program.attach as u32);
    if let Some(function) = &program.function {
        // attach_btf_id at 108, attach_btf_obj_fd and attach_prog_fd at 112.
        attr = attr.u32(108, function.id);
        if let Some(of) = function.of {
            attr = attr.fd(112, of);
        }
    }
    if !log.is_empty() {
        attr = attr.u32(24, level).u32(28, log.len() as u32).output(32, log);
    }
    if let Some(debug) = &program.debug {
        let count = |bytes: &[u8], size: u32| bytes.len() as u32 / size.max(1);
        attr = attr.fd(72, debug.btf);
        if !debug.func_info.is_empty() {
            attr = attr
                .u32(76, debug.func_info_size)
                .input(80, debug.func_info)
                .u32(88, count(debug.func_info, debug.func_info_size));
        }
        if !debug.line_info.is_empty() {
            attr = attr
                .u32(92, debug.line_info_size)
                .input(96, debug.line_info)
                .u32(104, count(debug.line_info, debug.line_info_size));
        }
    }
    // SAFETY: the slices live across the call and their lengths, in units of the record sizes given with them, are in the
    // block; `log` is exclusively borrowed.
    unsafe { attr.call_fd(Command::ProgLoad) }
}

/// The NUL-terminated text in a log buffer.
fn text(log: &[u8]) -> String {
    let end = log.iter().position(|b| *b == 0).unwrap_or(log.len());
    String::from_utf8_lossy(log.get(..end).unwrap_or(log)).into_owned()
}

/// Loads BTF.
///
/// # Errors
/// The error of the system call; the kernel's log is not asked for.
pub fn btf_load(btf: &[u8]) -> io::Result<OwnedFd> {
    let mut attr = Attr::new().input(0, btf).u32(16, btf.len() as u32);
    // SAFETY: the address and the length are those of a live slice that is only read.
    unsafe { attr.call_fd(Command::BtfLoad) }
}

/// Runs a raw tracepoint program once, on this CPU (`BPF_PROG_TEST_RUN`). `ctx` is what the program finds in its
/// arguments, 8 bytes each. Returns the program's result.
///
/// # Errors
/// The error of the system call; kernels before 5.10 cannot do it.
pub fn test_run(program: BorrowedFd<'_>, ctx: &[u64]) -> io::Result<u32> {
    Feature::TestRun.refuse_if_withheld(libc::EOPNOTSUPP)?;
    let mut attr = Attr::new().fd(0, program).u32(40, size_of_val(ctx) as u32).input(48, ctx);
    // SAFETY: the context's address and size are those of a live slice that is only read.
    unsafe { attr.call(Command::ProgTestRun) }?;
    Ok(attr.read_u32(4))
}

/// Runs a raw tracepoint program so many times, and tells how long that took. The kernel cannot do it in one call, so the time has that
/// of the calls in it.
///
/// # Errors
/// As [`test_run`].
pub fn test_runs(program: BorrowedFd<'_>, times: u64) -> io::Result<Duration> {
    Feature::TestRun.refuse_if_withheld(libc::EOPNOTSUPP)?;
    let mut attr = Attr::new().fd(0, program);
    let start = Instant::now();
    for _ in 0..times {
        // SAFETY: there are no addresses in the block.
        unsafe { attr.call(Command::ProgTestRun) }?;
    }
    Ok(start.elapsed())
}

/// The BTF of a module, among all that the kernel has.
///
/// # Errors
/// As the system calls; `ENOENT` when there is none of that name.
pub fn module_btf(module: &str) -> io::Result<OwnedFd> {
    let mut id = 0;
    loop {
        let mut attr = Attr::new().u32(0, id);
        // SAFETY: there are no addresses in the block.
        unsafe { attr.call(Command::BtfGetNextId) }?;
        id = attr.read_u32(4);
        let mut attr = Attr::new().u32(0, id);
        // SAFETY: there are no addresses in the block.
        let Ok(fd) = (unsafe { attr.call_fd(Command::BtfGetFdById) }) else { continue };
        if btf_name(fd.as_fd()).is_ok_and(|name| name == module) {
            return Ok(fd);
        }
    }
}

/// The name of a BTF object of the kernel.
fn btf_name(btf: BorrowedFd<'_>) -> io::Result<String> {
    // struct bpf_btf_info: btf at 0, btf_size 8, id 12, name 16, name_len 24, kernel_btf 28.
    let mut name = [0u8; 64];
    let mut info = [0u8; 32];
    info[16..24].copy_from_slice(&(name.as_mut_ptr() as u64).to_ne_bytes());
    info[24..28].copy_from_slice(&(name.len() as u32).to_ne_bytes());
    let mut attr = Attr::new().fd(0, btf).u32(4, info.len() as u32).output(8, &mut info);
    // SAFETY: the block names an exclusively borrowed structure of the size given, and that names an exclusively borrowed buffer
    // of the size given; the kernel writes no more than that.
    unsafe { attr.call(Command::InfoByFd) }?;
    Ok(text(&name))
}

/// Attaches a program to a raw tracepoint; without a name to the function that it was loaded for. It stays attached as long as the
/// descriptor is open.
///
/// # Errors
/// As the system call; `ENOENT` when there is no such tracepoint.
pub fn raw_tracepoint(program: BorrowedFd<'_>, name: Option<&CStr>) -> io::Result<OwnedFd> {
    let mut attr = Attr::new().u64(0, name.map_or(0, |n| n.as_ptr() as u64)).fd(8, program);
    // SAFETY: the name is a live NUL-terminated string or absent.
    unsafe { attr.call_fd(Command::RawTracepointOpen) }
}

/// What the kernel knows about a loaded program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProgInfo {
    /// Its id, as bpftool shows it.
    pub id: u32,
    /// Bytes of machine code; 0 without the JIT.
    pub jited: u32,
    /// Bytes of instructions after the verifier's rewriting.
    pub translated: u32,
    /// Nanoseconds spent in it; counted while `kernel.bpf_stats_enabled` is set.
    pub run_nanos: u64,
    /// Number of runs; counted like the time.
    pub runs: u64,
    /// How often it should have run and did not, because it or another program of its kind was at work on the CPU already (Linux 5.12;
    /// for kprobes and tracepoints 6.7).
    pub missed: u64,
}

/// Asks about a program.
///
/// # Errors
/// The error of the system call.
pub fn prog_info(program: BorrowedFd<'_>) -> io::Result<ProgInfo> {
    // struct bpf_prog_info: id at 4, jited_prog_len 16, xlated_prog_len 20, run_time_ns 192, run_cnt 200, recursion_misses 208.
    // An older kernel leaves what it does not have.
    let mut info = [0u8; 216];
    object_info(program, &mut info)?;
    let word = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&info[at..at + 8]);
        u64::from_ne_bytes(bytes)
    };
    Ok(ProgInfo {
        id: (word(0) >> 32) as u32,
        jited: word(16) as u32,
        translated: (word(16) >> 32) as u32,
        run_nanos: word(192),
        runs: word(200),
        missed: word(208),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::privileged;
    use super::*;
    use std::os::fd::AsFd;

    /// `r0 = 7; exit`
    const RETURN_7: [u8; 16] = [0xb7, 0, 0, 0, 7, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];

    fn program(insns: &[u8]) -> Program<'_> {
        let (kind, attach) = (ProgType::RawTracepoint, AttachType::Unspecified);
        Program { name: "test-program of a long name", kind, attach, function: None, insns, debug: None }
    }

    #[test]
    fn a_program_runs_and_has_info() {
        if !privileged("a_program_runs_and_has_info") {
            return;
        }
        let fd = prog_load(&program(&RETURN_7)).unwrap();
        assert_eq!(test_run(fd.as_fd(), &[1, 2]).unwrap(), 7);
        assert!(test_runs(fd.as_fd(), 3).unwrap() > Duration::ZERO);
        let info = prog_info(fd.as_fd()).unwrap();
        assert!(info.id > 0 && info.translated == 16, "{info:?}");
        let (_, log) = prog_load_logged(&program(&RETURN_7)).unwrap();
        assert!(log.contains("r0 = 7") || log.contains("R0"), "{log}");
    }

    #[test]
    fn a_log_may_be_too_long() {
        if !privileged("a_log_may_be_too_long") {
            return;
        }
        // `r1 = 0; do { r1 += 1 } while (r1 < 2000); r0 = 7; exit`
        let start = [0xb7, 1, 0, 0, 0, 0, 0, 0, 0x07, 1, 0, 0, 1, 0, 0, 0];
        let [a, b, c, d] = 2_000u32.to_le_bytes();
        let insns = [&start[..], &[0xa5, 1, 0xfe, 0xff, a, b, c, d], &RETURN_7].concat();
        let (_, log) = load_logged(&program(&insns), LOG_START).unwrap();
        assert!(log.len() > LOG_START - 4096, "{}", log.len());
    }

    #[test]
    fn a_rejected_program_comes_with_the_log() {
        if !privileged("a_rejected_program_comes_with_the_log") {
            return;
        }
        // `exit` without a result.
        let rejected = prog_load(&program(&RETURN_7[8..])).unwrap_err();
        assert!(rejected.log.contains("R0 !read_ok"), "{rejected:?}");
        assert_eq!(rejected.error.raw_os_error(), Some(libc::EACCES));
    }
}
