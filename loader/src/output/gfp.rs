//! `%gr`: the flags of an allocation in the kernel (`gfp_t`) by their names, for [`super::printf`].
//!
//! The bits are those of include/linux/gfp_types.h as they are from Linux 5.10 to 6.18, as far as they do not depend on how a kernel was
//! built; the names and their order are those that the kernel's own tracepoints print (include/trace/events/mmflags.h), with `GFP_` and
//! `__GFP_` as bpftrace writes them. What has no name is a number.

const DMA: u64 = 1;
const HIGHMEM: u64 = 1 << 1;
const DMA32: u64 = 1 << 2;
const MOVABLE: u64 = 1 << 3;
const RECLAIMABLE: u64 = 1 << 4;
const HIGH: u64 = 1 << 5;
const IO: u64 = 1 << 6;
const FS: u64 = 1 << 7;
const ZERO: u64 = 1 << 8;
const DIRECT_RECLAIM: u64 = 1 << 10;
const KSWAPD_RECLAIM: u64 = 1 << 11;
const WRITE: u64 = 1 << 12;
const NOWARN: u64 = 1 << 13;
const RETRY_MAYFAIL: u64 = 1 << 14;
const NOFAIL: u64 = 1 << 15;
const NORETRY: u64 = 1 << 16;
const MEMALLOC: u64 = 1 << 17;
const COMP: u64 = 1 << 18;
const NOMEMALLOC: u64 = 1 << 19;
const HARDWALL: u64 = 1 << 20;
const THISNODE: u64 = 1 << 21;
const ACCOUNT: u64 = 1 << 22;
const ZEROTAGS: u64 = 1 << 23;

const RECLAIM: u64 = DIRECT_RECLAIM | KSWAPD_RECLAIM;
const KERNEL: u64 = RECLAIM | IO | FS;
const USER: u64 = KERNEL | HARDWALL;
const HIGHUSER: u64 = USER | HIGHMEM;
const LIGHT: u64 = (HIGHUSER | MOVABLE | COMP | NOMEMALLOC | NOWARN) & !RECLAIM;

/// Combinations before what they are made of.
const NAMES: &[(u64, &str)] = &[
    (LIGHT | DIRECT_RECLAIM, "GFP_TRANSHUGE"),
    (LIGHT, "GFP_TRANSHUGE_LIGHT"),
    (HIGHUSER | MOVABLE, "GFP_HIGHUSER_MOVABLE"),
    (HIGHUSER, "GFP_HIGHUSER"),
    (USER, "GFP_USER"),
    (KERNEL | ACCOUNT, "GFP_KERNEL_ACCOUNT"),
    (KERNEL, "GFP_KERNEL"),
    (RECLAIM | IO, "GFP_NOFS"),
    (HIGH | KSWAPD_RECLAIM, "GFP_ATOMIC"),
    (RECLAIM, "GFP_NOIO"),
    (DMA, "GFP_DMA"),
    (DMA32, "GFP_DMA32"),
    (HIGHMEM, "__GFP_HIGHMEM"),
    (MOVABLE, "__GFP_MOVABLE"),
    (RECLAIMABLE, "__GFP_RECLAIMABLE"),
    (HIGH, "__GFP_HIGH"),
    (IO, "__GFP_IO"),
    (FS, "__GFP_FS"),
    (ZERO, "__GFP_ZERO"),
    (DIRECT_RECLAIM, "__GFP_DIRECT_RECLAIM"),
    (KSWAPD_RECLAIM, "__GFP_KSWAPD_RECLAIM"),
    (WRITE, "__GFP_WRITE"),
    (NOWARN, "__GFP_NOWARN"),
    (RETRY_MAYFAIL, "__GFP_RETRY_MAYFAIL"),
    (NOFAIL, "__GFP_NOFAIL"),
    (NORETRY, "__GFP_NORETRY"),
    (MEMALLOC, "__GFP_MEMALLOC"),
    (COMP, "__GFP_COMP"),
    (NOMEMALLOC, "__GFP_NOMEMALLOC"),
    (HARDWALL, "__GFP_HARDWALL"),
    (THISNODE, "__GFP_THISNODE"),
    (ACCOUNT, "__GFP_ACCOUNT"),
    (ZEROTAGS, "__GFP_ZEROTAGS"),
];

/// The names of all flags, with `|` between; `0` for none.
pub(super) fn names(flags: u64) -> String {
    let mut rest = flags;
    let mut found = Vec::new();
    for (mask, name) in NAMES {
        if rest & mask == *mask {
            found.push((*name).to_owned());
            rest &= !mask;
        }
    }
    if rest != 0 || found.is_empty() {
        found.push(if rest == 0 { "0".into() } else { format!("{rest:#x}") });
    }
    found.join("|")
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn as_bpftrace_names_them() {
        for (flags, expected) in [
            (0, "0"),
            (0xcc0, "GFP_KERNEL"),
            (0xdc0, "GFP_KERNEL|__GFP_ZERO"),
            (0xcc1, "GFP_KERNEL|GFP_DMA"),
            (0x44_0dc0, "GFP_KERNEL_ACCOUNT|__GFP_ZERO|__GFP_COMP"),
            (0x1c_20c0, "__GFP_IO|__GFP_FS|__GFP_NOWARN|__GFP_COMP|__GFP_NOMEMALLOC|__GFP_HARDWALL"),
            (0x820, "GFP_ATOMIC"),
            (0x800, "__GFP_KSWAPD_RECLAIM"),
            (1 << 40, "0x10000000000"),
        ] {
            assert_eq!(names(flags), expected, "{flags:#x}");
        }
        // bpftrace leaves this bit of it a number.
        assert_eq!(names(0x10_0cca), "GFP_HIGHUSER_MOVABLE");
    }
}
