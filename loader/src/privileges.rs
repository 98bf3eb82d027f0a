//! What this process may do: its capabilities, the kernel's lockdown, and the settings that limit tracing. `gotrace info` shows them, and a
//! refused system call is explained by them ([`why_refused`]).

use std::fs;

/// A capability that some part of gotrace needs.
#[derive(Debug)]
pub struct Capability {
    /// Its name, as in capabilities(7).
    pub name: &'static str,
    /// Its number (include/uapi/linux/capability.h).
    bit: u8,
    /// What a user does not have without it.
    pub cost: &'static str,
}

/// With this one a process has what the finer ones allow.
const SYS_ADMIN: u8 = 21;
/// The two that loading a program takes (Linux 5.8).
const PERFMON: u8 = 38;
const BPF: u8 = 39;

/// The capabilities that matter, with what is lost without them.
pub const CAPABILITIES: &[Capability] = &[
    Capability { name: "CAP_BPF", bit: BPF, cost: "nothing can be traced" },
    Capability { name: "CAP_PERFMON", bit: PERFMON, cost: "nothing can be traced" },
    Capability {
        name: "CAP_SYS_ADMIN",
        bit: SYS_ADMIN,
        cost: "no fentry in modules, no writing into processes; tracefs is not mounted where it is missing",
    },
    Capability {
        name: "CAP_SYS_PTRACE",
        bit: 19,
        cost: "no names in stacks of other users' processes, and no -p with the programs of their containers",
    },
    Capability {
        name: "CAP_DAC_READ_SEARCH",
        bit: 2,
        cost: "no tracepoints and no list of traceable functions (tracefs), and no binaries that only others may read",
    },
    Capability {
        name: "CAP_SYSLOG",
        bit: 34,
        cost: "no addresses of the kernel: no names in its stacks, no kaddr(), and kprobes by pattern are attached one by one",
    },
    Capability {
        name: "CAP_SYS_RESOURCE",
        bit: 24,
        cost: "before Linux 5.11, maps must fit into the limit of locked memory (ulimit -l)",
    },
    Capability { name: "CAP_NET_ADMIN", bit: 12, cost: "nothing: gotrace has no programs for packets" },
];

/// The capabilities of a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capabilities(u64);

impl Capabilities {
    /// Those that this process can use (`CapEff` in `/proc/self/status`).
    #[must_use]
    pub fn effective() -> Capabilities {
        Capabilities::parse(&fs::read_to_string("/proc/self/status").unwrap_or_default())
    }

    fn parse(status: &str) -> Capabilities {
        let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
        Capabilities(line.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0))
    }

    fn bit(self, bit: u8) -> bool {
        self.0 >> bit & 1 != 0
    }

    /// Whether it is there, itself or as a part of `CAP_SYS_ADMIN`.
    #[must_use]
    pub fn has(self, capability: &Capability) -> bool {
        let part = matches!(capability.bit, BPF | PERFMON);
        self.bit(capability.bit) || part && self.bit(SYS_ADMIN)
    }

    /// The names of those that loading programs takes and this process lacks.
    #[must_use]
    pub fn missing_to_load(self) -> Vec<&'static str> {
        let needed = CAPABILITIES.iter().filter(|c| matches!(c.bit, BPF | PERFMON));
        needed.filter(|c| !self.has(c)).map(|c| c.name).collect()
    }
}

/// Whether the capabilities hold in a user namespace of their own only, as in a container without root outside.
#[must_use]
pub fn in_user_namespace() -> bool {
    // The initial one maps all ids to themselves.
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let fields: Vec<&str> = map.split_whitespace().collect();
    !fields.is_empty() && fields != ["0", "0", "4294967295"]
}

/// What the kernel keeps even from root (`/sys/kernel/security/lockdown`).
#[must_use]
pub fn lockdown() -> Option<String> {
    selected(&fs::read_to_string("/sys/kernel/security/lockdown").ok()?)
}

/// Whether lockdown takes single kprobes, tracefs and the kernel's memory from tracers, as the mode `confidentiality` does and `integrity`
/// does not: in words, and what to do.
#[must_use]
pub fn why_locked() -> Option<(String, String)> {
    let mode = lockdown().filter(|mode| mode == CONFIDENTIALITY)?;
    Some((
        format!("the kernel is locked down (/sys/kernel/security/lockdown: {mode}), which takes single kprobes, tracepoints and the kernel's memory away"),
        "rawtracepoint, fentry, uprobe, interval and profile work; a boot with `lockdown=integrity`, or without Secure Boot, gives the rest back".into(),
    ))
}

/// The mode of lockdown that keeps the kernel's memory secret.
const CONFIDENTIALITY: &str = "confidentiality";

/// The word in brackets.
fn selected(modes: &str) -> Option<String> {
    modes.split_whitespace().find_map(|word| Some(word.strip_prefix('[')?.strip_suffix(']')?.to_owned()))
}

/// A setting of the kernel that limits tracing.
#[derive(Debug)]
pub struct Setting {
    /// Its name for sysctl(8).
    pub name: &'static str,
    /// What its value costs, if anything.
    pub cost: fn(i64) -> Option<&'static str>,
}

/// The settings that matter.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "kernel.perf_event_paranoid",
        cost: |value| {
            (value > 2).then_some(
                "CAP_PERFMON may not be enough: Debian's kernels then want CAP_SYS_ADMIN for timers, kprobes and events",
            )
        },
    },
    Setting {
        name: "kernel.unprivileged_bpf_disabled",
        cost: |value| {
            (value == 0)
                .then_some("users without CAP_BPF may load programs for packets; tracing still needs CAP_BPF")
        },
    },
    Setting {
        name: "kernel.kptr_restrict",
        cost: |value| match value {
            0 => None,
            1 => Some("addresses of the kernel only with CAP_SYSLOG"),
            _ => Some(
                "no addresses of the kernel for anybody: no names in its stacks, no kaddr(), and kprobes by pattern are attached one by one",
            ),
        },
    },
    Setting {
        name: "kernel.bpf_stats_enabled",
        cost: |value| (value != 0).then_some("each run of a program costs some tens of nanoseconds more"),
    },
    Setting {
        name: "net.core.bpf_jit_enable",
        cost: |value| {
            (value == 0).then_some("programs are interpreted: each probe takes several times as long")
        },
    },
    Setting { name: "kernel.perf_event_max_sample_rate", cost: |_| None },
    Setting {
        name: "kernel.yama.ptrace_scope",
        cost: |value| {
            (value > 0).then_some(
                "without CAP_SYS_PTRACE, no names in stacks of processes that gotrace did not start",
            )
        },
    },
];

impl Setting {
    /// Its value; `None` where the kernel has no such setting or does not tell.
    #[must_use]
    pub fn value(&self) -> Option<i64> {
        let path = format!("/proc/sys/{}", self.name.replace('.', "/"));
        fs::read_to_string(path).ok()?.trim().parse().ok()
    }
}

/// Why the kernel may have refused something to this process (`EPERM`, `EACCES`), and what to do.
#[must_use]
pub fn why_refused() -> (String, String) {
    let missing = Capabilities::effective().missing_to_load();
    if !missing.is_empty() {
        let need = missing.join(" and ");
        return (format!("this process lacks {need}"), help_for(&missing));
    }
    if in_user_namespace() {
        return (
            "this process has its capabilities in a user namespace only".into(),
            "trace from the initial user namespace: run gotrace as root of the host".into(),
        );
    }
    if let Some(locked) = why_locked() {
        return locked;
    }
    let paranoid = SETTINGS[0].value().filter(|value| *value > 2);
    let admin = Capabilities::effective().bit(SYS_ADMIN);
    if let Some(value) = paranoid.filter(|_| !admin) {
        return (
            format!("kernel.perf_event_paranoid is {value}, and this process lacks CAP_SYS_ADMIN"),
            "set it to 2 (`sysctl kernel.perf_event_paranoid=2`), or run gotrace as root".into(),
        );
    }
    (
        "this process has CAP_BPF and CAP_PERFMON; something else refuses".into(),
        "containers forbid it by a seccomp filter, others by a security module (SELinux, AppArmor): trace from the host".into(),
    )
}

/// Why `/proc/kallsyms` has no addresses for this process (`kallsyms_show_value` in kernel/ksyms_common.c), and what to do.
#[must_use]
pub fn why_hidden() -> (String, String) {
    let restrict = SETTINGS.iter().find(|setting| setting.name == "kernel.kptr_restrict");
    match restrict.and_then(Setting::value) {
        Some(value @ 2..) => (
            format!("kernel.kptr_restrict is {value}: nobody sees them"),
            "`sysctl kernel.kptr_restrict=1` shows them to root, and to who has CAP_SYSLOG".into(),
        ),
        _ => (
            "this process lacks CAP_SYSLOG".into(),
            "run gotrace with sudo, or give it what it lacks: `setcap cap_syslog+ep gotrace` beside its other capabilities".into(),
        ),
    }
}

fn help_for(missing: &[&str]) -> String {
    let names: Vec<String> = missing.iter().map(|name| name.to_lowercase()).collect();
    match crate::sys::process::is_root() {
        true => "this root has lost them, as in a container: start it with CAP_BPF and CAP_PERFMON, or trace from the host".into(),
        false => format!("run gotrace with sudo, or give it what it lacks: `setcap {}+ep gotrace`", names.join(",")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bits: u64) -> Capabilities {
        Capabilities::parse(&format!("Name:\tx\nCapPrm:\tffff\nCapEff:\t{bits:016x}\n"))
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(of(0).missing_to_load(), ["CAP_BPF", "CAP_PERFMON"]);
        assert_eq!(of(1 << BPF).missing_to_load(), ["CAP_PERFMON"]);
        assert_eq!(of(1 << PERFMON).missing_to_load(), ["CAP_BPF"]);
        assert!(of(1 << BPF | 1 << PERFMON).missing_to_load().is_empty());
        assert!(of(1 << SYS_ADMIN).missing_to_load().is_empty());
        assert_eq!(Capabilities::parse("").missing_to_load().len(), 2);
    }

    #[test]
    fn the_mode_of_lockdown_is_in_brackets() {
        assert_eq!(selected("none [integrity] confidentiality\n").as_deref(), Some("integrity"));
        assert_eq!(selected(""), None);
    }
}
