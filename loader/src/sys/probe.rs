//! What this kernel can do, asked by trying: version numbers say little about kernels with backports.
//!
//! The loader decides by these and `gotrace info` shows them.

use super::bpf::{self, AttachType, ProgType, Program};
use super::{link, perf};
use std::io;
use std::os::fd::AsFd;

/// `r0 = 0; exit`
const RETURN_0: [u8; 16] = [0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];

/// `r0 = 0; may_goto +1; goto -2; exit`
const LOOP: [u8; 32] = [
    0xb7, 0, 0, 0, 0, 0, 0, 0, 0xe5, 0, 1, 0, 0, 0, 0, 0, 0x05, 0, 0xfe, 0xff, 0, 0, 0, 0, 0x95, 0, 0, 0, 0,
    0, 0, 0,
];

/// `r0 = 0; ctx->ip = r0; exit`: `ip` is at 128 in the `pt_regs` of x86-64.
#[cfg(target_arch = "x86_64")]
const SET_IP: [u8; 24] =
    [0xb7, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x01, 0x80, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
/// `r0 = 0; ctx->pc = r0; exit`: `pc` is at 256 in the `user_pt_regs` of AArch64.
#[cfg(not(target_arch = "x86_64"))]
const SET_IP: [u8; 24] = [0xb7, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x01, 0, 1, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];

/// Something that a kernel may or may not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Feature {
    /// bpf(2) at all, by this user.
    Bpf,
    /// The kernel's own type information, in `/sys/kernel/btf/vmlinux`.
    Btf,
    /// Reading maps in batches.
    Batch,
    /// Ring buffers.
    RingBuffer,
    /// Running a raw tracepoint program once: `begin` and `end`.
    TestRun,
    /// Links of perf events with cookies.
    PerfLink,
    /// `bpf_get_attach_cookie` in uprobe programs.
    Cookie,
    /// `bpf_task_pt_regs` in programs of samples.
    TaskRegisters,
    /// `bpf_map_lookup_percpu_elem`.
    PerCpuLookup,
    /// Links of many uprobes.
    UprobeMulti,
    /// The kernel's function that counts the entries of a map.
    MapCount,
    /// The instruction `may_goto`: loops that the verifier need not follow to their end.
    MayGoto,
    /// Probes on instructions of the kernel.
    Kprobe,
    /// Programs that kernel functions call at their entry and return.
    Fentry,
    /// Links of many kprobes.
    KprobeMulti,
    /// Uprobe programs that set the registers of the thread; an instruction that they jump away from is left out.
    UprobeRegisters,
}

/// A row of the table of features.
struct Info {
    feature: Feature,
    /// What [`WITHOUT`] calls it.
    name: &'static str,
    /// What it is, in a few words.
    what: &'static str,
    /// The first kernel release that has it.
    since: &'static str,
}

/// The features, oldest first.
#[rustfmt::skip]
const TABLE: &[Info] = &[
    Info { feature: Feature::Bpf, name: "bpf", what: "bpf(2) allowed", since: "4.4" },
    Info { feature: Feature::Kprobe, name: "kprobe", what: "kprobes (CONFIG_KPROBES)", since: "4.17" },
    Info { feature: Feature::Btf, name: "btf", what: "type information of the kernel (BTF)", since: "5.2" },
    Info { feature: Feature::Fentry, name: "fentry", what: "fentry and fexit programs", since: "5.5" },
    Info { feature: Feature::Batch, name: "batch", what: "map lookups in batches", since: "5.6" },
    Info { feature: Feature::RingBuffer, name: "ring_buffer", what: "ring buffers", since: "5.8" },
    Info { feature: Feature::TestRun, name: "test_run", what: "test runs of raw tracepoint programs", since: "5.10" },
    Info { feature: Feature::PerfLink, name: "perf_link", what: "links of perf events", since: "5.15" },
    Info { feature: Feature::Cookie, name: "cookie", what: "bpf_get_attach_cookie", since: "5.15" },
    Info { feature: Feature::TaskRegisters, name: "task_registers", what: "bpf_task_pt_regs", since: "5.15" },
    Info { feature: Feature::KprobeMulti, name: "kprobe_multi", what: "kprobe_multi links (CONFIG_FPROBE)", since: "5.18" },
    Info { feature: Feature::PerCpuLookup, name: "percpu_lookup", what: "bpf_map_lookup_percpu_elem", since: "5.19" },
    Info { feature: Feature::UprobeMulti, name: "uprobe_multi", what: "uprobe_multi links", since: "6.6" },
    Info { feature: Feature::MapCount, name: "map_count", what: "counting a map's entries (bpf_map_sum_elem_count)", since: "6.6" },
    Info { feature: Feature::MayGoto, name: "may_goto", what: "loops whose rounds the kernel counts (may_goto)", since: "6.9" },
    Info { feature: Feature::UprobeRegisters, name: "uprobe_registers", what: "uprobe programs that set registers", since: "6.19" },
];

/// Environment variable that takes features away, so that what is done without them can be tried on any kernel: names of
/// features, separated by commas.
pub const WITHOUT: &str = "GOTRACE_NO_FEATURE";

/// The features that a value of [`WITHOUT`] names.
///
/// # Errors
/// The name that is none.
pub fn parse_without(value: &str) -> Result<Vec<Feature>, String> {
    let names = value.split(',').map(str::trim).filter(|name| !name.is_empty());
    names
        .map(|name| TABLE.iter().find(|i| i.name == name).map(|i| i.feature).ok_or_else(|| name.to_owned()))
        .collect()
}

impl Feature {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Feature> {
        TABLE.iter().map(|i| i.feature)
    }

    /// All names that [`WITHOUT`] knows.
    pub fn names() -> impl Iterator<Item = &'static str> {
        TABLE.iter().map(|i| i.name)
    }

    fn info(self) -> &'static Info {
        // Every feature is in the table; a test sees to it.
        TABLE.iter().find(|i| i.feature == self).unwrap_or(&TABLE[0])
    }

    /// What it is, in a few words.
    #[must_use]
    pub fn describe(self) -> &'static str {
        self.info().what
    }

    /// The first kernel release that has it.
    #[must_use]
    pub fn since(self) -> &'static str {
        self.info().since
    }

    /// Whether [`WITHOUT`] takes it away. The system calls that need it then fail as they do on a kernel without it.
    #[must_use]
    pub fn withheld(self) -> bool {
        let named = |value: String| parse_without(&value).is_ok_and(|features| features.contains(&self));
        std::env::var(WITHOUT).is_ok_and(named)
    }

    /// The answer of a kernel without it, if it is taken away.
    pub(super) fn refuse_if_withheld(self, errno: i32) -> io::Result<()> {
        if self.withheld() { Err(io::Error::from_raw_os_error(errno)) } else { Ok(()) }
    }

    /// Tries it.
    ///
    /// # Errors
    /// Why it does not work here.
    pub fn check(self) -> io::Result<()> {
        if self.withheld() {
            return Err(io::Error::other(format!("taken away by {WITHOUT}")));
        }
        match self {
            Feature::Btf => std::fs::File::open("/sys/kernel/btf/vmlinux").map(|_| ()),
            Feature::Bpf => bpf::map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 1).map(|_| ()),
            Feature::RingBuffer => bpf::map_create(BPF_MAP_TYPE_RINGBUF, 0, 0, 1 << 16).map(|_| ()),
            Feature::TestRun => {
                let program = load(ProgType::RawTracepoint, AttachType::Unspecified, &RETURN_0)?;
                bpf::test_run(program.as_fd(), &[]).map(|_| ())
            }
            Feature::PerfLink => {
                let program = load(ProgType::PerfEvent, AttachType::Unspecified, &RETURN_0)?;
                let event = perf::cpu_clock(0, perf::Rate::Nanos(u64::from(u32::MAX)))?;
                link::perf_link(program.as_fd(), event.as_fd(), 1).map(|_| ())
            }
            Feature::Cookie => helper(ProgType::Kprobe, BPF_FUNC_GET_ATTACH_COOKIE),
            Feature::TaskRegisters => helper(ProgType::PerfEvent, BPF_FUNC_TASK_PT_REGS),
            Feature::PerCpuLookup => helper(ProgType::Kprobe, BPF_FUNC_MAP_LOOKUP_PERCPU_ELEM),
            Feature::UprobeMulti => uprobe_multi(),
            Feature::MapCount => {
                let btf = inspect::btf::Btf::vmlinux().map_err(|e| io::Error::other(e.to_string()))?;
                let found = btf.find_function("bpf_map_sum_elem_count");
                found.map(drop).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))
            }
            Feature::MayGoto => load(ProgType::Kprobe, AttachType::Unspecified, &LOOP).map(|_| ()),
            Feature::UprobeRegisters => load(ProgType::Kprobe, AttachType::Unspecified, &SET_IP).map(|_| ()),
            Feature::Kprobe => std::fs::metadata("/sys/bus/event_source/devices/kprobe/type").map(|_| ()),
            Feature::Fentry => fentry(),
            Feature::KprobeMulti => {
                let program = load(ProgType::Kprobe, AttachType::KprobeMulti, &RETURN_0)?;
                let symbols =
                    inspect::kallsyms::Kallsyms::load().map_err(|e| io::Error::other(e.to_string()))?;
                let address = symbols.find(TEST_FUNCTION).map(|s| s.addr).filter(|a| *a != 0);
                let address = address.ok_or_else(|| io::Error::other("no function to try it on"))?;
                link::kprobe_multi(program.as_fd(), &[address], &[0], false).map(|_| ())
            }
            Feature::Batch => {
                let map = bpf::map_create(BPF_MAP_TYPE_PERCPU_HASH, 8, 8, 1)?;
                bpf::Map::new(map.as_fd())?.lookup_batch().map(|_| ())
            }
        }
    }
}

const BPF_MAP_TYPE_ARRAY: u32 = 2;
const BPF_MAP_TYPE_PERCPU_HASH: u32 = 5;
const BPF_MAP_TYPE_RINGBUF: u32 = 27;
const BPF_FUNC_GET_ATTACH_COOKIE: u32 = 174;
const BPF_FUNC_TASK_PT_REGS: u32 = 175;
const BPF_FUNC_MAP_LOOKUP_PERCPU_ELEM: u32 = 195;

fn load(kind: ProgType, attach: AttachType, insns: &[u8]) -> io::Result<std::os::fd::OwnedFd> {
    let program = Program { name: "probe", kind, attach, function: None, insns, debug: None };
    bpf::prog_load(&program).map_err(|rejected| rejected.error)
}

/// Whether programs of that type may call a helper. The program calls it without arguments: the verifier complains about
/// those only when it knows the helper.
fn helper(kind: ProgType, id: u32) -> io::Result<()> {
    let [a, b, c, d] = id.to_ne_bytes();
    let insns = [0x85, 0, 0, 0, a, b, c, d, 0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
    let program = Program {
        name: "probe",
        kind,
        attach: AttachType::Unspecified,
        function: None,
        insns: &insns,
        debug: None,
    };
    match bpf::prog_load(&program) {
        Err(rejected) if rejected.log.contains("invalid func") || rejected.log.contains("unknown func") => {
            Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP))
        }
        Err(rejected) if rejected.log.is_empty() => Err(rejected.error),
        _ => Ok(()),
    }
}

/// A function of the kernel that exists for such tests (net/bpf/test_run.c) and is called only by them.
const TEST_FUNCTION: &str = "bpf_fentry_test1";

/// Attaches a program to [`TEST_FUNCTION`].
fn fentry() -> io::Result<()> {
    let btf = inspect::btf::Btf::vmlinux().map_err(|e| io::Error::other(e.to_string()))?;
    let id = btf.find_function(TEST_FUNCTION).ok_or_else(|| io::Error::other("no function to try it on"))?;
    let function = Some(bpf::Function { id: id.0, module: None });
    let (kind, attach) = (ProgType::Tracing, AttachType::Fentry);
    let program = Program { name: "probe", kind, attach, function, insns: &RETURN_0, debug: None };
    let program = bpf::prog_load(&program).map_err(|rejected| rejected.error)?;
    bpf::raw_tracepoint(program.as_fd(), None).map(|_| ())
}

/// Asks for probes in a folder: a kernel that knows the link type finds out that `/` is no file and says `EBADF`, others
/// say `EINVAL`.
fn uprobe_multi() -> io::Result<()> {
    let program = load(ProgType::Kprobe, AttachType::UprobeMulti, &RETURN_0)?;
    let places =
        link::UprobeMulti { path: c"/", offsets: &[0], cookies: &[], ref_ctrs: &[], ret: false, pid: None };
    match link::uprobe_multi(program.as_fd(), &places) {
        Err(e) if e.raw_os_error() == Some(libc::EBADF) => Ok(()),
        Err(e) => Err(e),
        Ok(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_gives_an_answer() {
        let allowed = Feature::Bpf.check().is_ok();
        for feature in Feature::all() {
            let result = feature.check();
            eprintln!("{} (Linux {}): {result:?}", feature.describe(), feature.since());
            assert_eq!(feature.info().feature, feature);
            assert!(allowed || result.is_err() || feature == Feature::Btf, "{feature:?} without bpf(2)");
        }
    }

    #[test]
    fn features_that_are_taken_away_are_named() {
        assert_eq!(parse_without("uprobe_multi, btf,"), Ok(vec![Feature::UprobeMulti, Feature::Btf]));
        assert_eq!(parse_without(""), Ok(vec![]));
        assert_eq!(parse_without("btf,uprobe-multi"), Err("uprobe-multi".into()));
    }

    #[test]
    fn an_unknown_helper_is_not_there() {
        assert!(helper(ProgType::Kprobe, 9999).is_err());
    }
}
