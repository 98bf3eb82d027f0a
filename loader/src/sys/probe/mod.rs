//! What this kernel can do, asked by trying: version numbers say little about kernels with backports.
//!
//! The loader decides by these and `gotrace info` shows them. One table says of each feature how it is tried (`trial.rs`), since when Linux
//! has it, and what its absence costs.

mod trial;

use std::io;
use trial::{Bytes, Trial};

use super::bpf::{AttachType, ProgType};

/// Something that a kernel may or may not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Feature {
    /// bpf(2) at all, by this user.
    Bpf,
    /// The kernel's own type information, in `/sys/kernel/btf/vmlinux`.
    Btf,
    /// Type information of modules.
    ModuleBtf,
    /// Running a raw tracepoint program once: `begin` and `end`.
    TestRun,
    /// Reading maps in batches.
    Batch,
    /// Timers of the kernel that run programs: `interval` and `profile`.
    Timer,
    /// Probes on instructions of programs.
    Uprobe,
    /// Tracepoints, as tracefs describes them.
    Tracepoint,
    /// Raw tracepoints.
    RawTracepoint,
    /// Probes on instructions of the kernel.
    Kprobe,
    /// Programs that kernel functions call at their entry and return.
    Fentry,
    /// Programs that walk over objects of the kernel.
    Iter,
    /// Walks over the threads of one process.
    IterOfProcess,
    /// Breakpoints of the processor on memory.
    Watchpoint,
    /// Counters of the processor.
    Hardware,
    /// Program type of kprobes and uprobes.
    ProgramKprobe,
    /// Program type of tracepoints.
    ProgramTracepoint,
    /// Program type of samples.
    ProgramPerfEvent,
    /// Map type.
    MapHash,
    /// Long keys.
    LargeKeys,
    /// Map type.
    MapArray,
    /// Map type.
    MapPerCpuHash,
    /// Map type.
    MapPerCpuArray,
    /// Map type.
    MapLruHash,
    /// Map type.
    MapLruPerCpuHash,
    /// Ring buffers.
    RingBuffer,
    /// Links of perf events with cookies.
    PerfLink,
    /// Links of many kprobes.
    KprobeMulti,
    /// Links of many uprobes.
    UprobeMulti,
    /// `bpf_probe_read_kernel`
    ReadKernel,
    /// `bpf_probe_write_user`
    WriteUser,
    /// `bpf_override_return`
    OverrideReturn,
    /// `bpf_send_signal_thread`
    SignalThread,
    /// `bpf_d_path` in iterators.
    KernelPath,
    /// `bpf_get_current_task_btf`
    CurrentTask,
    /// `bpf_for_each_map_elem`
    ForEachEntry,
    /// `bpf_get_attach_cookie` in uprobe programs.
    Cookie,
    /// `bpf_task_pt_regs` in programs of samples.
    TaskRegisters,
    /// `bpf_loop`
    CallLoop,
    /// `bpf_map_lookup_percpu_elem`.
    PerCpuLookup,
    /// `bpf_get_func_ret`
    FunctionResult,
    /// `bpf_ktime_get_tai_ns`
    TaiClock,
    /// The kernel's function that counts the entries of a map.
    MapCount,
    /// The kernel's function that searches a text.
    SearchText,
    /// The kernel's function that makes a pointer of any number, for reading.
    ReadOnlyCast,
    /// Atomic instructions that tell the former value.
    AtomicFetch,
    /// The instruction `may_goto`: loops that the verifier need not follow to their end.
    MayGoto,
    /// Uprobe programs that set the registers of the thread; an instruction that they jump away from is left out.
    UprobeRegisters,
}

/// Where `gotrace info` shows a feature.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Group {
    /// What everything rests on.
    Kernel,
    /// Kinds of probes.
    Probes,
    /// Types of programs.
    Programs,
    /// Types of maps.
    Maps,
    /// What ties programs to events.
    Links,
    /// Functions that programs may call, by a fixed number.
    Helpers,
    /// Functions that programs may call, by the kernel's type information.
    Kfuncs,
    /// Instructions, and what programs may do with them.
    Instructions,
}

impl Group {
    /// All of them, in the order of `gotrace info`.
    pub const ALL: [Group; 8] = [
        Group::Kernel,
        Group::Probes,
        Group::Programs,
        Group::Maps,
        Group::Links,
        Group::Helpers,
        Group::Kfuncs,
        Group::Instructions,
    ];

    /// What JSON calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Group::Kernel => "features",
            Group::Probes => "probes",
            Group::Programs => "program_types",
            Group::Maps => "map_types",
            Group::Links => "links",
            Group::Helpers => "helpers",
            Group::Kfuncs => "kfuncs",
            Group::Instructions => "instructions",
        }
    }

    /// The heading.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Group::Kernel => "Kernel",
            Group::Probes => "Kinds of probes",
            Group::Programs => "Types of programs",
            Group::Maps => "Types of maps",
            Group::Links => "Kinds of links",
            Group::Helpers => "Helpers",
            Group::Kfuncs => "Functions of the kernel for programs (kfuncs)",
            Group::Instructions => "Instructions",
        }
    }
}

/// A row of the table of features.
struct Info {
    feature: Feature,
    group: Group,
    /// What [`WITHOUT`] calls it.
    name: &'static str,
    /// What it is, in a few words.
    what: &'static str,
    /// The first kernel release that has it.
    since: &'static str,
    /// What a user does not have without it.
    cost: &'static str,
    /// How it is tried.
    trial: Trial,
}

/// The features, in the order of `gotrace info`.
#[rustfmt::skip]
const TABLE: &[Info] = &[
    Info { feature: Feature::Bpf, group: Group::Kernel, name: "bpf", what: "bpf(2) allowed", since: "4.4", trial: Trial::Map { kind: 2, key: 4, value: 8, entries: 1 },
        cost: "nothing can be traced" },
    Info { feature: Feature::Btf, group: Group::Kernel, name: "btf", what: "type information of the kernel (BTF)", since: "5.2", trial: Trial::File("/sys/kernel/btf/vmlinux"),
        cost: "no fentry, no iter, no members of kernel structures; no goroutine in C code or in programs of Go before 1.17" },
    Info { feature: Feature::ModuleBtf, group: Group::Kernel, name: "module_btf", what: "type information of modules", since: "5.11", trial: Trial::Other(trial::module_btf),
        cost: "no fentry on functions of modules, and none of their structures" },
    Info { feature: Feature::TestRun, group: Group::Kernel, name: "test_run", what: "test runs of raw tracepoint programs", since: "5.10", trial: Trial::Other(trial::test_run),
        cost: "no begin and end blocks" },
    Info { feature: Feature::Batch, group: Group::Kernel, name: "batch", what: "map lookups in batches", since: "5.6", trial: Trial::Other(trial::batch),
        cost: "maps are read entry by entry, which takes longer" },
    Info { feature: Feature::Timer, group: Group::Probes, name: "timer", what: "interval and profile", since: "4.9", trial: Trial::Other(trial::timer),
        cost: "no interval and profile probes" },
    Info { feature: Feature::Uprobe, group: Group::Probes, name: "uprobe", what: "uprobe, uretprobe and usdt (CONFIG_UPROBE_EVENTS)", since: "4.17", trial: Trial::File("/sys/bus/event_source/devices/uprobe/type"),
        cost: "no probes in programs and libraries" },
    Info { feature: Feature::Tracepoint, group: Group::Probes, name: "tracepoint", what: "tracepoint", since: "4.7", trial: Trial::Other(trial::tracepoint),
        cost: "no tracepoint probes; raw tracepoints do without tracefs" },
    Info { feature: Feature::RawTracepoint, group: Group::Probes, name: "raw_tracepoint", what: "rawtracepoint", since: "4.17", trial: Trial::Load(ProgType::RawTracepoint, AttachType::Unspecified, Bytes::Return0),
        cost: "no rawtracepoint probes, and no begin and end blocks" },
    Info { feature: Feature::Kprobe, group: Group::Probes, name: "kprobe", what: "kprobes (CONFIG_KPROBES)", since: "4.17", trial: Trial::File("/sys/bus/event_source/devices/kprobe/type"),
        cost: "no kprobe and kretprobe probes; tracepoints and raw tracepoints see what the kernel announces" },
    Info { feature: Feature::Fentry, group: Group::Probes, name: "fentry", what: "fentry and fexit programs", since: "5.5", trial: Trial::Other(trial::fentry),
        cost: "no fentry and fexit probes; kprobe and kretprobe do the same where there are kprobes" },
    Info { feature: Feature::Iter, group: Group::Probes, name: "iter", what: "iter", since: "5.8", trial: Trial::Other(trial::iter),
        cost: "no iter probes" },
    Info { feature: Feature::IterOfProcess, group: Group::Probes, name: "iter_of_process", what: "iter over the threads of one process", since: "6.1", trial: Trial::Other(trial::iter_of_process),
        cost: "with -p, an iter visits the threads of all processes, and its body runs for those of one" },
    Info { feature: Feature::Watchpoint, group: Group::Probes, name: "watchpoint", what: "watchpoint (CONFIG_HAVE_HW_BREAKPOINT)", since: "4.9", trial: Trial::Other(trial::watchpoint),
        cost: "no watchpoint probes" },
    Info { feature: Feature::Hardware, group: Group::Probes, name: "hardware", what: "hardware (a PMU)", since: "4.9", trial: Trial::Other(trial::hardware),
        cost: "no hardware probes; profile and software:cpu-clock sample by a timer of the kernel" },
    Info { feature: Feature::ProgramKprobe, group: Group::Programs, name: "program_kprobe", what: "kprobe", since: "4.1", trial: Trial::Load(ProgType::Kprobe, AttachType::Unspecified, Bytes::Return0),
        cost: "no uprobe, usdt and kprobe probes" },
    Info { feature: Feature::ProgramTracepoint, group: Group::Programs, name: "program_tracepoint", what: "tracepoint", since: "4.7", trial: Trial::Load(ProgType::Tracepoint, AttachType::Unspecified, Bytes::Return0),
        cost: "no tracepoint probes" },
    Info { feature: Feature::ProgramPerfEvent, group: Group::Programs, name: "program_perf_event", what: "perf_event", since: "4.9", trial: Trial::Load(ProgType::PerfEvent, AttachType::Unspecified, Bytes::Return0),
        cost: "no interval, profile, software, hardware and watchpoint probes" },
    Info { feature: Feature::MapHash, group: Group::Maps, name: "hash", what: "hash", since: "3.19", trial: Trial::Map { kind: 1, key: 8, value: 8, entries: 1 },
        cost: "no maps with keys" },
    Info { feature: Feature::LargeKeys, group: Group::Maps, name: "large_keys", what: "keys of more than 512 bytes", since: "5.11", trial: Trial::Map { kind: 1, key: 1024, value: 8, entries: 1 },
        cost: "keys of maps must be shorter: lower max_strlen" },
    Info { feature: Feature::MapArray, group: Group::Maps, name: "array", what: "array", since: "3.19", trial: Trial::Map { kind: 2, key: 4, value: 8, entries: 1 },
        cost: "nothing can be traced" },
    Info { feature: Feature::MapPerCpuHash, group: Group::Maps, name: "percpu_hash", what: "percpu_hash", since: "4.6", trial: Trial::Map { kind: 5, key: 8, value: 8, entries: 1 },
        cost: "no count() and its like with keys" },
    Info { feature: Feature::MapPerCpuArray, group: Group::Maps, name: "percpu_array", what: "percpu_array", since: "4.6", trial: Trial::Map { kind: 6, key: 4, value: 8, entries: 1 },
        cost: "no count() and its like" },
    Info { feature: Feature::MapLruHash, group: Group::Maps, name: "lru_hash", what: "lru_hash", since: "4.10", trial: Trial::Map { kind: 9, key: 8, value: 8, entries: 1 },
        cost: "no maps that forget what was not used for long" },
    Info { feature: Feature::MapLruPerCpuHash, group: Group::Maps, name: "lru_percpu_hash", what: "lru_percpu_hash", since: "4.10", trial: Trial::Map { kind: 10, key: 8, value: 8, entries: 1 },
        cost: "no counts that forget what was not used for long" },
    Info { feature: Feature::RingBuffer, group: Group::Maps, name: "ring_buffer", what: "ring buffers", since: "5.8", trial: Trial::Map { kind: 27, key: 0, value: 0, entries: 1 << 16 },
        cost: "no printing from probes" },
    Info { feature: Feature::PerfLink, group: Group::Links, name: "perf_link", what: "links of perf events", since: "5.15", trial: Trial::Other(trial::perf_link),
        cost: "programs are tied to events without links; nothing is lost" },
    Info { feature: Feature::KprobeMulti, group: Group::Links, name: "kprobe_multi", what: "kprobe_multi links (CONFIG_FPROBE)", since: "5.18", trial: Trial::Other(trial::kprobe_multi),
        cost: "kprobes are attached one by one, which takes time with many" },
    Info { feature: Feature::UprobeMulti, group: Group::Links, name: "uprobe_multi", what: "uprobe_multi links", since: "6.6", trial: Trial::Other(trial::uprobe_multi),
        cost: "uprobes are attached one by one, which takes time with many" },
    Info { feature: Feature::ReadKernel, group: Group::Helpers, name: "probe_read_kernel", what: "bpf_probe_read_kernel", since: "5.5", trial: Trial::Helper(ProgType::Kprobe, 113),
        cost: "no memory of the kernel is read: no members of its structures, no texts; lockdown in the mode `confidentiality` takes it away" },
    Info { feature: Feature::WriteUser, group: Group::Helpers, name: "probe_write_user", what: "bpf_probe_write_user", since: "4.8", trial: Trial::Helper(ProgType::Kprobe, 36),
        cost: "nothing can be written into a process; lockdown takes it away, and it needs CAP_SYS_ADMIN" },
    Info { feature: Feature::OverrideReturn, group: Group::Helpers, name: "override_return", what: "bpf_override_return (CONFIG_BPF_KPROBE_OVERRIDE)", since: "4.16", trial: Trial::Helper(ProgType::Kprobe, 58),
        cost: "no override()" },
    Info { feature: Feature::SignalThread, group: Group::Helpers, name: "send_signal_thread", what: "bpf_send_signal_thread", since: "5.5", trial: Trial::Helper(ProgType::Kprobe, 117),
        cost: "no signal_thread()" },
    Info { feature: Feature::KernelPath, group: Group::Helpers, name: "d_path", what: "bpf_d_path", since: "5.10", trial: Trial::Other(trial::path_of_file),
        cost: "no path()" },
    Info { feature: Feature::CurrentTask, group: Group::Helpers, name: "current_task", what: "bpf_get_current_task_btf", since: "5.11", trial: Trial::Helper(ProgType::PerfEvent, 158),
        cost: "the direct caller may be missing in stacks of Go code that an event outside of it takes" },
    Info { feature: Feature::ForEachEntry, group: Group::Helpers, name: "for_each_map", what: "bpf_for_each_map_elem", since: "5.13", trial: Trial::Helper(ProgType::Kprobe, 164),
        cost: "no loops over maps in scripts; maps are printed when the script ends, and by print(@map)" },
    Info { feature: Feature::Cookie, group: Group::Helpers, name: "cookie", what: "bpf_get_attach_cookie", since: "5.15", trial: Trial::Helper(ProgType::Kprobe, 174),
        cost: "a probe with several places is several programs" },
    Info { feature: Feature::TaskRegisters, group: Group::Helpers, name: "task_registers", what: "bpf_task_pt_regs", since: "5.15", trial: Trial::Helper(ProgType::PerfEvent, 175),
        cost: "the direct caller may be missing in stacks of Go code that an event outside of it takes" },
    Info { feature: Feature::CallLoop, group: Group::Helpers, name: "bpf_loop", what: "bpf_loop", since: "5.17", trial: Trial::Helper(ProgType::Kprobe, 181),
        cost: "without may_goto, loops need bounds that the verifier can follow" },
    Info { feature: Feature::PerCpuLookup, group: Group::Helpers, name: "percpu_lookup", what: "bpf_map_lookup_percpu_elem", since: "5.19", trial: Trial::Helper(ProgType::Kprobe, 195),
        cost: "a script cannot read a count or sum; it is printed as ever" },
    Info { feature: Feature::FunctionResult, group: Group::Helpers, name: "function_result", what: "bpf_get_func_ret", since: "5.17", trial: Trial::Other(trial::function_result),
        cost: "no `retval` of functions of BPF programs" },
    Info { feature: Feature::TaiClock, group: Group::Helpers, name: "tai_clock", what: "bpf_ktime_get_tai_ns", since: "6.1", trial: Trial::Helper(ProgType::Kprobe, 208),
        cost: "no nsecs(tai)" },
    Info { feature: Feature::MapCount, group: Group::Kfuncs, name: "map_count", what: "counting a map's entries (bpf_map_sum_elem_count)", since: "6.6", trial: Trial::Kfunc("bpf_map_sum_elem_count"),
        cost: "len(@map) walks over the map" },
    Info { feature: Feature::SearchText, group: Group::Kfuncs, name: "strstr", what: "searching a text (bpf_strstr)", since: "6.17", trial: Trial::Kfunc("bpf_strstr"),
        cost: "strcontains() and find() search in loops of their own, which costs instructions" },
    Info { feature: Feature::ReadOnlyCast, group: Group::Kfuncs, name: "rdonly_cast", what: "plain loads from the kernel's memory (bpf_rdonly_cast)", since: "6.2", trial: Trial::Other(|| trial::read_only_cast().map(drop)),
        cost: "members of kernel structures are read by calls of a helper, which takes longer" },
    Info { feature: Feature::AtomicFetch, group: Group::Instructions, name: "atomic_fetch", what: "atomic instructions that tell the former value", since: "5.12", trial: Trial::Load(ProgType::Kprobe, AttachType::Unspecified, Bytes::Exchange),
        cost: "`@x[key]++` as an expression is not exact between CPUs; min and max may lose a value to an event that interrupts another" },
    Info { feature: Feature::MayGoto, group: Group::Instructions, name: "may_goto", what: "loops whose rounds the kernel counts (may_goto)", since: "6.9", trial: Trial::Load(ProgType::Kprobe, AttachType::Unspecified, Bytes::Loop),
        cost: "rounds of loops are calls (bpf_loop)" },
    Info { feature: Feature::UprobeRegisters, group: Group::Instructions, name: "uprobe_registers", what: "uprobe programs that set registers", since: "6.19", trial: Trial::Load(ProgType::Kprobe, AttachType::Unspecified, Bytes::SetIp),
        cost: "a probe on a return costs a second trap into the kernel" },
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

    /// What a user does not have without it.
    #[must_use]
    pub fn cost(self) -> &'static str {
        self.info().cost
    }

    /// What [`WITHOUT`] calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.info().name
    }

    /// Where `gotrace info` shows it.
    #[must_use]
    pub fn group(self) -> Group {
        self.info().group
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
        self.info().trial.run()
    }
}

/// The numbers of `bpf_rdonly_cast`, and of a structure that begins with a 64-bit number, in the kernel's type information.
///
/// # Errors
/// Why [`Feature::ReadOnlyCast`] does not work here.
pub fn read_only_cast() -> io::Result<(u32, u32)> {
    Feature::ReadOnlyCast.refuse_if_withheld(libc::ENOENT)?;
    trial::read_only_cast()
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
            assert!(
                allowed
                    || result.is_err()
                    || !matches!(feature.info().trial, Trial::Load(..) | Trial::Map { .. }),
                "{feature:?}"
            );
        }
    }

    #[test]
    fn features_that_are_taken_away_are_named() {
        assert_eq!(parse_without("uprobe_multi, btf,"), Ok(vec![Feature::UprobeMulti, Feature::Btf]));
        assert_eq!(parse_without(""), Ok(vec![]));
        assert_eq!(parse_without("btf,uprobe-multi"), Err("uprobe-multi".into()));
    }

    #[test]
    fn names_are_given_once() {
        let mut names: Vec<&str> = Feature::names().collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TABLE.len());
    }
}
