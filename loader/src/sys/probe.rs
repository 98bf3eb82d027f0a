//! What this kernel can do, asked by trying: version numbers say little about kernels with backports.
//!
//! The loader decides by these and `gotrace info` shows them.

use super::bpf::{self, AttachType, ProgType, Program};
use super::{link, perf};
use std::io;
use std::os::fd::AsFd;

/// `r0 = 0; exit`
const RETURN_0: [u8; 16] = [0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];

/// Something that a kernel may or may not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Feature {
    /// bpf(2) at all, by this user.
    Bpf,
    /// Ring buffers (Linux 5.8).
    RingBuffer,
    /// Running a raw tracepoint program once (Linux 5.10): `begin` and `end`.
    TestRun,
    /// Links of perf events with cookies (Linux 5.15).
    PerfLink,
    /// `bpf_get_attach_cookie` in uprobe programs (Linux 5.15).
    Cookie,
    /// `bpf_map_lookup_percpu_elem` (Linux 5.19).
    PerCpuLookup,
    /// Links of many uprobes (Linux 6.6).
    UprobeMulti,
    /// Reading maps in batches (Linux 5.6).
    Batch,
}

impl Feature {
    /// All of them.
    pub const ALL: [Feature; 8] = [
        Feature::Bpf,
        Feature::RingBuffer,
        Feature::TestRun,
        Feature::PerfLink,
        Feature::Cookie,
        Feature::PerCpuLookup,
        Feature::UprobeMulti,
        Feature::Batch,
    ];

    /// What it is, in a few words.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Feature::Bpf => "bpf(2) allowed",
            Feature::RingBuffer => "ring buffer",
            Feature::TestRun => "test run of raw tracepoint programs",
            Feature::PerfLink => "links of perf events",
            Feature::Cookie => "bpf_get_attach_cookie",
            Feature::PerCpuLookup => "bpf_map_lookup_percpu_elem",
            Feature::UprobeMulti => "uprobe_multi links",
            Feature::Batch => "map lookups in batches",
        }
    }

    /// The first kernel release that has it.
    #[must_use]
    pub fn since(self) -> &'static str {
        match self {
            Feature::Bpf => "4.4",
            Feature::Batch => "5.6",
            Feature::RingBuffer => "5.8",
            Feature::TestRun => "5.10",
            Feature::PerfLink | Feature::Cookie => "5.15",
            Feature::PerCpuLookup => "5.19",
            Feature::UprobeMulti => "6.6",
        }
    }

    /// Tries it.
    ///
    /// # Errors
    /// Why it does not work here.
    pub fn check(self) -> io::Result<()> {
        match self {
            Feature::Bpf => bpf::map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 1).map(|_| ()),
            Feature::RingBuffer => bpf::map_create(BPF_MAP_TYPE_RINGBUF, 0, 0, 1 << 16).map(|_| ()),
            Feature::TestRun => {
                let program = load(ProgType::RawTracepoint, AttachType::Unspecified, &RETURN_0)?;
                bpf::test_run(program.as_fd(), &[]).map(|_| ())
            }
            Feature::PerfLink => {
                let program = load(ProgType::PerfEvent, AttachType::Unspecified, &RETURN_0)?;
                let event = perf::cpu_clock(0, perf::Rate::Nanos(u64::from(u32::MAX)))?;
                link::perf_event(program.as_fd(), event.as_fd(), 1).map(|_| ())
            }
            Feature::Cookie => helper(ProgType::Kprobe, BPF_FUNC_GET_ATTACH_COOKIE),
            Feature::PerCpuLookup => helper(ProgType::Kprobe, BPF_FUNC_MAP_LOOKUP_PERCPU_ELEM),
            Feature::UprobeMulti => uprobe_multi(),
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
const BPF_FUNC_MAP_LOOKUP_PERCPU_ELEM: u32 = 195;

fn load(kind: ProgType, attach: AttachType, insns: &[u8]) -> io::Result<std::os::fd::OwnedFd> {
    let program = Program { name: "probe", kind, attach, insns, debug: None };
    bpf::prog_load(&program).map_err(|rejected| rejected.error)
}

/// Whether programs of that type may call a helper. The program calls it without arguments: the verifier complains about
/// those only when it knows the helper.
fn helper(kind: ProgType, id: u32) -> io::Result<()> {
    let [a, b, c, d] = id.to_ne_bytes();
    let insns = [0x85, 0, 0, 0, a, b, c, d, 0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
    let program =
        Program { name: "probe", kind, attach: AttachType::Unspecified, insns: &insns, debug: None };
    match bpf::prog_load(&program) {
        Err(rejected) if rejected.log.contains("invalid func") || rejected.log.contains("unknown func") => {
            Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP))
        }
        Err(rejected) if rejected.log.is_empty() => Err(rejected.error),
        _ => Ok(()),
    }
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
        for feature in Feature::ALL {
            let result = feature.check();
            eprintln!("{} (Linux {}): {result:?}", feature.describe(), feature.since());
            assert!(allowed || result.is_err(), "{feature:?} without bpf(2)");
        }
    }

    #[test]
    fn an_unknown_helper_is_not_there() {
        assert!(helper(ProgType::Kprobe, 9999).is_err());
    }
}
