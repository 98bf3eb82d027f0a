//! bpf(2): programs, maps with sizes known at run time only, test runs.
//!
//! `union bpf_attr` is filled in at the offsets that include/uapi/linux/bpf.h fixes for ever; bytes that a command does
//! not know stay zero, so that older kernels accept the block.

use super::{check, new_fd};
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// Commands (`enum bpf_cmd`).
#[derive(Clone, Copy)]
#[repr(i32)]
pub(super) enum Command {
    MapCreate = 0,
    MapLookup = 1,
    MapUpdate = 2,
    MapDelete = 3,
    MapNextKey = 4,
    ProgLoad = 5,
    ProgTestRun = 10,
    InfoByFd = 15,
    BtfLoad = 18,
    MapLookupBatch = 24,
    LinkCreate = 28,
}

/// Size of the block: more than any command here uses, less than the kernel's limit of a page.
const ATTR_SIZE: usize = 152;

/// `union bpf_attr`.
#[repr(C, align(8))]
pub(super) struct Attr([u8; ATTR_SIZE]);

impl Attr {
    pub(super) fn new() -> Attr {
        Attr([0; ATTR_SIZE])
    }

    pub(super) fn u32(mut self, offset: usize, value: u32) -> Attr {
        self.0[offset..offset + 4].copy_from_slice(&value.to_ne_bytes());
        self
    }

    pub(super) fn u64(mut self, offset: usize, value: u64) -> Attr {
        self.0[offset..offset + 8].copy_from_slice(&value.to_ne_bytes());
        self
    }

    pub(super) fn fd(self, offset: usize, fd: BorrowedFd<'_>) -> Attr {
        self.u32(offset, fd.as_raw_fd().cast_unsigned())
    }

    /// The address of data that the kernel reads.
    pub(super) fn input<T>(self, offset: usize, data: &[T]) -> Attr {
        let address = if data.is_empty() { 0 } else { data.as_ptr() as u64 };
        self.u64(offset, address)
    }

    /// The address of room that the kernel writes to.
    fn output(self, offset: usize, room: &mut [u8]) -> Attr {
        self.u64(offset, room.as_mut_ptr() as u64)
    }

    /// An object name: at most 15 bytes; the kernel takes letters, digits, `_` and `.` only.
    fn name(mut self, offset: usize, name: &str) -> Attr {
        let fit = |b: u8| if b.is_ascii_alphanumeric() || b == b'.' { b } else { b'_' };
        for (to, from) in self.0[offset..offset + 15].iter_mut().zip(name.bytes()) {
            *to = fit(from);
        }
        self
    }

    fn read_u32(&self, offset: usize) -> u32 {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&self.0[offset..offset + 4]);
        u32::from_ne_bytes(bytes)
    }

    /// Makes the call.
    ///
    /// # Safety
    /// The addresses in the block must be those of live memory of the size that the command takes from the block or
    /// from the map it names; memory that the kernel writes to must be exclusively borrowed.
    pub(super) unsafe fn call(&mut self, command: Command) -> io::Result<libc::c_long> {
        // SAFETY: the block itself is valid for its length; for what it points to the caller vouches.
        check(unsafe { libc::syscall(libc::SYS_bpf, command as i32, self.0.as_mut_ptr(), ATTR_SIZE) })
    }

    /// Makes a call that gives a descriptor.
    ///
    /// # Safety
    /// As [`Attr::call`].
    pub(super) unsafe fn call_fd(&mut self, command: Command) -> io::Result<OwnedFd> {
        // SAFETY: the caller's promise is the same.
        new_fd(unsafe { self.call(command) }?)
    }
}

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
}

/// Attach types (`enum bpf_attach_type`) in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u32)]
pub enum AttachType {
    /// 0: for programs whose type says all.
    #[default]
    Unspecified = 0,
    /// `BPF_PERF_EVENT`
    PerfEvent = 41,
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
    /// Instructions of 8 bytes each, map descriptors filled in.
    pub insns: &'a [u8],
    /// Debug information.
    pub debug: Option<Debug<'a>>,
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
                let error = if log.is_empty() { first } else { e };
                return Err(Rejected { error, log });
            }
        }
    }
}

/// Loads a program and returns the verifier's log too (`-d verifier`).
///
/// # Errors
/// As [`prog_load`].
pub fn prog_load_logged(program: &Program<'_>) -> Result<(OwnedFd, String), Rejected> {
    let mut log = vec![0; LOG_MOST];
    match try_load(program, 2, &mut log) {
        Ok(fd) => Ok((fd, text(&log))),
        Err(error) => Err(Rejected { error, log: text(&log) }),
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
    let mut attr = Attr::new().fd(0, program).u32(40, size_of_val(ctx) as u32).input(48, ctx);
    // SAFETY: the context's address and size are those of a live slice that is only read.
    unsafe { attr.call(Command::ProgTestRun) }?;
    Ok(attr.read_u32(4))
}

/// Creates a map (features are probed with it; the program's maps are made by aya).
///
/// # Errors
/// The error of the system call.
pub fn map_create(kind: u32, key_size: u32, value_size: u32, max_entries: u32) -> io::Result<OwnedFd> {
    let mut attr = Attr::new().u32(0, kind).u32(4, key_size).u32(8, value_size).u32(12, max_entries);
    // SAFETY: the block holds no addresses.
    unsafe { attr.call_fd(Command::MapCreate) }
}

/// A map with the sizes that the kernel uses when it copies keys and values.
///
/// Sizes are asked from the kernel, not taken from the caller, because the kernel copies that many bytes whatever the
/// caller believes.
#[derive(Debug)]
pub struct Map<'a> {
    fd: BorrowedFd<'a>,
    key_size: usize,
    /// Bytes of a value, of all CPUs together for per-CPU maps.
    value_size: usize,
    max_entries: u32,
}

/// Whether a map type has a value per CPU (`enum bpf_map_type`: percpu hash, percpu array, LRU percpu hash).
fn is_per_cpu(map_type: u32) -> bool {
    matches!(map_type, 5 | 6 | 10)
}

impl<'a> Map<'a> {
    /// A view of a map.
    ///
    /// # Errors
    /// `fd` is no map, the map has no keys and values (a ring buffer), or the list of CPUs cannot be read.
    pub fn new(fd: BorrowedFd<'a>) -> io::Result<Map<'a>> {
        // struct bpf_map_info: u32 type, id, key_size, value_size, max_entries.
        let mut info = [0u8; 20];
        object_info(fd, &mut info)?;
        let word = |i: usize| {
            let mut bytes = [0; 4];
            bytes.copy_from_slice(&info[4 * i..4 * i + 4]);
            u32::from_ne_bytes(bytes)
        };
        let (map_type, key_size, one, max_entries) = (word(0), word(2), word(3) as usize, word(4));
        if key_size == 0 || one == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a map without keys and values"));
        }
        // The kernel rounds each CPU's part up to 8 (kernel/bpf/syscall.c, bpf_map_value_size).
        let value_size =
            if is_per_cpu(map_type) { one.next_multiple_of(8) * super::clock::possible_cpus()? } else { one };
        Ok(Map { fd, key_size: key_size as usize, value_size, max_entries })
    }

    /// Bytes of a key.
    #[must_use]
    pub fn key_size(&self) -> usize {
        self.key_size
    }

    /// Bytes of a value, of all CPUs together for per-CPU maps.
    #[must_use]
    pub fn value_size(&self) -> usize {
        self.value_size
    }

    /// The greatest number of entries.
    #[must_use]
    pub fn max_entries(&self) -> u32 {
        self.max_entries
    }

    /// The value under a key; `None` when there is none.
    ///
    /// # Errors
    /// The key has the wrong size, or the call fails.
    pub fn lookup(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        self.check_key(key)?;
        let mut value = vec![0; self.value_size];
        let mut attr = Attr::new().fd(0, self.fd).input(8, key).output(16, &mut value);
        // SAFETY: `key` and `value` have the sizes that the kernel has for this map.
        let found = unsafe { attr.call(Command::MapLookup) };
        Ok(absent(found)?.map(|_| value))
    }

    /// Sets the value under a key.
    ///
    /// # Errors
    /// Key or value have the wrong size, or the call fails (`E2BIG`: the map is full).
    pub fn update(&self, key: &[u8], value: &[u8]) -> io::Result<()> {
        self.check_key(key)?;
        check_size(value, self.value_size)?;
        let mut attr = Attr::new().fd(0, self.fd).input(8, key).input(16, value);
        // SAFETY: `key` and `value` have the sizes that the kernel has for this map.
        unsafe { attr.call(Command::MapUpdate) }.map(|_| ())
    }

    /// Removes the entry under a key; `false` when there was none.
    ///
    /// # Errors
    /// The key has the wrong size, or the call fails (arrays have no empty places).
    pub fn delete(&self, key: &[u8]) -> io::Result<bool> {
        self.check_key(key)?;
        let mut attr = Attr::new().fd(0, self.fd).input(8, key);
        // SAFETY: `key` has the size that the kernel has for this map.
        let removed = unsafe { attr.call(Command::MapDelete) };
        Ok(absent(removed)?.is_some())
    }

    /// The key after `key` in the map's own order, the first one for `None`; `None` at the end. Starts over when `key`
    /// has been removed.
    ///
    /// # Errors
    /// The key has the wrong size, or the call fails.
    pub fn next_key(&self, key: Option<&[u8]>) -> io::Result<Option<Vec<u8>>> {
        let mut next = vec![0; self.key_size];
        let mut attr = Attr::new().fd(0, self.fd).output(16, &mut next);
        if let Some(key) = key {
            self.check_key(key)?;
            attr = attr.input(8, key);
        }
        // SAFETY: `key` (or null, which the kernel takes for "the first") and `next` have the size of this map's keys.
        let found = unsafe { attr.call(Command::MapNextKey) };
        Ok(absent(found)?.map(|_| next))
    }

    /// All keys and values by `BPF_MAP_LOOKUP_BATCH`, some thousand bytes to a call. Entries that are added or removed
    /// meanwhile may be missed or be there.
    ///
    /// # Errors
    /// The call fails; kernels before 5.6, and some map types, do not have it (`EINVAL`, `ENOTSUPP`).
    pub fn lookup_batch(&self) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        // The position is a u32 for hash maps and a key for others (linux/bpf.h, BPF_MAP_LOOKUP_BATCH).
        let position_size = self.key_size.max(4);
        let (mut from, mut to) = (vec![0u8; position_size], vec![0u8; position_size]);
        let mut first = true;
        let mut room = BATCH_BYTES.div_ceil(self.value_size.max(1)).clamp(BATCH_LEAST, BATCH_MOST);
        let mut all = Vec::new();
        loop {
            let mut keys = vec![0u8; room * self.key_size];
            let mut values = vec![0u8; room * self.value_size];
            let mut attr = Attr::new()
                .output(8, &mut to)
                .output(16, &mut keys)
                .output(24, &mut values)
                .u32(32, room as u32)
                .fd(36, self.fd);
            if !first {
                attr = attr.input(0, &from);
            }
            // SAFETY: there is room for `room` keys and values of this map's sizes and for a position; all are live.
            let result = unsafe { attr.call(Command::MapLookupBatch) };
            let end = match result {
                Ok(_) => false,
                Err(e) if e.raw_os_error() == Some(libc::ENOENT) => true,
                // One hash bucket has more entries than there is room for.
                Err(e) if e.raw_os_error() == Some(libc::ENOSPC) && room <= self.max_entries as usize => {
                    room *= 2;
                    continue;
                }
                Err(e) => return Err(e),
            };
            let count = (attr.read_u32(32) as usize).min(room);
            let pairs = keys.chunks_exact(self.key_size).zip(values.chunks_exact(self.value_size));
            all.extend(pairs.take(count).map(|(k, v)| (k.to_vec(), v.to_vec())));
            if end {
                return Ok(all);
            }
            std::mem::swap(&mut from, &mut to);
            first = false;
        }
    }

    fn check_key(&self, key: &[u8]) -> io::Result<()> {
        check_size(key, self.key_size)
    }
}

/// Room for a batch: about so many bytes of values, within limits on their number.
const BATCH_BYTES: usize = 1 << 20;
const BATCH_LEAST: usize = 64;
const BATCH_MOST: usize = 4096;

fn check_size(bytes: &[u8], want: usize) -> io::Result<()> {
    if bytes.len() == want {
        return Ok(());
    }
    let text = format!("{} bytes where the map has {want}", bytes.len());
    Err(io::Error::new(io::ErrorKind::InvalidInput, text))
}

/// `ENOENT` as `None`.
fn absent(result: io::Result<libc::c_long>) -> io::Result<Option<libc::c_long>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Fills `info` with the start of the object's `struct bpf_*_info`.
fn object_info(fd: BorrowedFd<'_>, info: &mut [u8]) -> io::Result<()> {
    let mut attr = Attr::new().fd(0, fd).u32(4, info.len() as u32).output(8, info);
    // SAFETY: the address and the length are those of an exclusively borrowed slice; the kernel copies no more than that,
    // and pointers inside the (zeroed) structure are null, so that it writes nowhere else.
    unsafe { attr.call(Command::InfoByFd) }.map(|_| ())
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
}

/// Asks about a program.
///
/// # Errors
/// The error of the system call.
pub fn prog_info(program: BorrowedFd<'_>) -> io::Result<ProgInfo> {
    // struct bpf_prog_info: id at 4, jited_prog_len 16, xlated_prog_len 20, run_time_ns 192, run_cnt 200.
    let mut info = [0u8; 208];
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
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    /// Whether the process may use bpf(2); tests that need it say so on standard error when they are skipped.
    fn privileged(test: &str) -> bool {
        let ok = map_create(2, 4, 8, 1).is_ok();
        if !ok {
            eprintln!("{test}: skipped, bpf(2) is not permitted here");
        }
        ok
    }

    /// `r0 = 7; exit`
    const RETURN_7: [u8; 16] = [0xb7, 0, 0, 0, 7, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];

    fn program(insns: &[u8]) -> Program<'_> {
        let (kind, attach) = (ProgType::RawTracepoint, AttachType::Unspecified);
        Program { name: "test-program of a long name", kind, attach, insns, debug: None }
    }

    #[test]
    fn a_program_runs_and_has_info() {
        if !privileged("a_program_runs_and_has_info") {
            return;
        }
        let fd = prog_load(&program(&RETURN_7)).unwrap();
        assert_eq!(test_run(fd.as_fd(), &[1, 2]).unwrap(), 7);
        let info = prog_info(fd.as_fd()).unwrap();
        assert!(info.id > 0 && info.translated == 16, "{info:?}");
        let (_, log) = prog_load_logged(&program(&RETURN_7)).unwrap();
        assert!(log.contains("r0 = 7") || log.contains("R0"), "{log}");
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

    #[test]
    fn a_hash_map() {
        if !privileged("a_hash_map") {
            return;
        }
        let fd = map_create(1, 8, 16, 1000).unwrap();
        let map = Map::new(fd.as_fd()).unwrap();
        assert_eq!((map.key_size(), map.value_size(), map.max_entries()), (8, 16, 1000));
        assert_eq!(map.lookup(&[1; 8]).unwrap(), None);
        assert_eq!(map.next_key(None).unwrap(), None);
        for n in 0..900u64 {
            map.update(&n.to_ne_bytes(), &[n as u8; 16]).unwrap();
        }
        assert_eq!(map.lookup(&5u64.to_ne_bytes()).unwrap(), Some(vec![5; 16]));
        assert!(map.delete(&5u64.to_ne_bytes()).unwrap());
        assert!(!map.delete(&5u64.to_ne_bytes()).unwrap());
        assert!(map.update(&[0; 8], &[0; 8]).is_err());
        assert!(map.lookup(&[0; 4]).is_err());
        let mut all = map.lookup_batch().unwrap();
        all.sort_by_key(|(k, _)| u64::from_ne_bytes(k.as_slice().try_into().unwrap()));
        assert_eq!(all.len(), 899);
        assert!(all.iter().all(|(k, v)| v[..] == [k[0]; 16]));
        let mut keys = 0;
        let mut key = map.next_key(None).unwrap();
        while let Some(k) = key {
            keys += 1;
            key = map.next_key(Some(&k)).unwrap();
        }
        assert_eq!(keys, 899);
    }

    #[test]
    fn a_map_with_a_value_per_cpu() {
        if !privileged("a_map_with_a_value_per_cpu") {
            return;
        }
        let fd = map_create(5, 8, 8, 1000).unwrap();
        let map = Map::new(fd.as_fd()).unwrap();
        let cpus = super::super::clock::possible_cpus().unwrap();
        assert_eq!(map.value_size(), 8 * cpus);
        map.update(&[3; 8], &vec![9; 8 * cpus]).unwrap();
        assert_eq!(map.lookup_batch().unwrap(), [(vec![3; 8], vec![9; 8 * cpus])]);
    }
}
