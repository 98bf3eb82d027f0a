//! Where the current goroutine's fields are: offsets in `runtime.g`, `runtime.m` and `runtime.gobuf` by Go
//! release.
//!
//! Measured from the DWARF of one binary per release, equal on x86-64 and AArch64; `type g struct` did not
//! change between patch releases of a line in 1.23 to 1.27. A binary of an unknown newer release is read with
//! its own type data; when that cannot be read either, with the newest row, and says so.

use super::GoBinary;
use super::types::{Member, TypeRef};
use super::version::Release;

/// Offsets in bytes. Fields of `g` unless named otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GoroutineOffsets {
    /// Release whose row this is.
    pub release: Release,
    /// The release of the binary is unknown or newer than the table: the row is a guess.
    pub guessed: bool,
    /// `g.goid`, 8 bytes.
    pub goid: u32,
    /// `g.m`, pointer to `runtime.m`.
    pub m: u32,
    /// `g.stack.lo`, lowest address of the stack.
    pub stack_lo: u32,
    /// `g.stack.hi`, end of the stack.
    pub stack_hi: u32,
    /// `g.stackguard0`, what the stack check compares SP with.
    pub stackguard0: u32,
    /// `g._panic`, innermost panic.
    pub panic: u32,
    /// `g.atomicstatus`, 4 bytes; the state is in the low 12 bits.
    pub status: u32,
    /// `g.waitsince`, nanoseconds.
    pub wait_since: u32,
    /// `g.waitreason`, 1 byte, index of `runtime.waitReasonStrings`.
    pub wait_reason: u32,
    /// `g.parentGoid`, 8 bytes; only since Go 1.21.
    pub parent_goid: Option<u32>,
    /// `g.gopc`, pc of the `go` statement.
    pub gopc: u32,
    /// `g.startpc`, entry of the goroutine's function.
    pub startpc: u32,
    /// `g.sched.sp` and `g.sched.pc`, where a parked goroutine continues.
    pub sched_sp: u32,
    /// See `sched_sp`.
    pub sched_pc: u32,
    /// `m.g0`, the goroutine of the scheduler's stack.
    pub m_g0: u32,
    /// `m.procid`, thread id.
    pub m_procid: u32,
    /// `m.curg`, the goroutine that this thread runs: the answer when the current `g` is g0 (goid 0).
    pub m_curg: u32,
    /// `m.p`, pointer to `runtime.p`, whose first word holds its id (4 bytes).
    pub m_p: u32,
}

/// What differs between releases.
struct Row {
    since: Release,
    goid: u32,
    status: u32,
    wait_since: u32,
    parent_goid: Option<u32>,
    gopc: u32,
    m_procid: u32,
    m_curg: u32,
    m_p: u32,
}

/// One line per change, which holds until the next. 1.16 to 1.18 and 1.20 were not measured and take the row
/// before them.
#[rustfmt::skip]
const ROWS: [Row; 6] = [
    Row { since: Release(0),  goid: 152, status: 144, wait_since: 168, parent_goid: None,      gopc: 280, m_procid: 72, m_curg: 192, m_p: 208 },
    Row { since: Release(19), goid: 152, status: 144, wait_since: 168, parent_goid: None,      gopc: 296, m_procid: 72, m_curg: 192, m_p: 208 },
    Row { since: Release(21), goid: 152, status: 144, wait_since: 168, parent_goid: Some(272), gopc: 280, m_procid: 72, m_curg: 192, m_p: 208 },
    Row { since: Release(23), goid: 160, status: 152, wait_since: 176, parent_goid: Some(280), gopc: 288, m_procid: 72, m_curg: 192, m_p: 208 },
    Row { since: Release(25), goid: 152, status: 144, wait_since: 168, parent_goid: Some(272), gopc: 280, m_procid: 64, m_curg: 184, m_p: 200 },
    Row { since: Release(26), goid: 152, status: 144, wait_since: 168, parent_goid: Some(280), gopc: 288, m_procid: 64, m_curg: 184, m_p: 208 },
];

/// `g.sched` (a `gobuf`, which starts with sp and pc), in all releases.
const SCHED: u32 = 56;

impl GoroutineOffsets {
    /// The row of a release.
    pub fn of(release: Release, guessed: bool) -> GoroutineOffsets {
        let [oldest, ..] = &ROWS;
        let row = ROWS.iter().rev().find(|row| release >= row.since).unwrap_or(oldest);
        GoroutineOffsets {
            release,
            guessed: guessed || release > super::NEWEST,
            goid: row.goid,
            m: 48,
            stack_lo: 0,
            stack_hi: 8,
            stackguard0: 16,
            panic: 32,
            status: row.status,
            wait_since: row.wait_since,
            wait_reason: row.wait_since + 8,
            parent_goid: row.parent_goid,
            gopc: row.gopc,
            startpc: row.gopc + 16,
            sched_sp: SCHED,
            sched_pc: SCHED + 8,
            m_g0: 0,
            m_procid: row.m_procid,
            m_curg: row.m_curg,
            m_p: row.m_p,
        }
    }

    /// What the descriptors of `runtime.g` and `runtime.m` in the binary say; `None` unless all fields are found.
    pub fn of_types(binary: &GoBinary) -> Option<GoroutineOffsets> {
        let members = |ty: TypeRef| Some(binary.type_info(ty).ok()??.members);
        let find =
            |list: &[Member], name: &str| list.iter().find(|m| m.name == name).map(|m| (m.offset, m.ty));
        let offset = |list: &[Member], name: &str| find(list, name).map(|(offset, _)| offset);
        let g = members(binary.runtime_type_named("runtime.g")?)?;
        let m = members(binary.runtime_type_named("runtime.m")?)?;
        let ((stack, stack_type), (sched, sched_type)) = (find(&g, "stack")?, find(&g, "sched")?);
        let (stack_parts, sched_parts) = (members(stack_type)?, members(sched_type)?);
        Some(GoroutineOffsets {
            release: binary.release(),
            guessed: false,
            goid: offset(&g, "goid")?,
            m: offset(&g, "m")?,
            stack_lo: stack + offset(&stack_parts, "lo")?,
            stack_hi: stack + offset(&stack_parts, "hi")?,
            stackguard0: offset(&g, "stackguard0")?,
            panic: offset(&g, "_panic")?,
            status: offset(&g, "atomicstatus")?,
            wait_since: offset(&g, "waitsince")?,
            wait_reason: offset(&g, "waitreason")?,
            parent_goid: offset(&g, "parentGoid"),
            gopc: offset(&g, "gopc")?,
            startpc: offset(&g, "startpc")?,
            sched_sp: sched + offset(&sched_parts, "sp")?,
            sched_pc: sched + offset(&sched_parts, "pc")?,
            m_g0: offset(&m, "g0")?,
            m_procid: offset(&m, "procid")?,
            m_curg: offset(&m, "curg")?,
            m_p: offset(&m, "p")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_ordered_and_reach_the_newest() {
        assert!(ROWS.windows(2).all(|pair| matches!(pair, [a, b] if a.since < b.since)));
        assert!(ROWS.iter().all(|row| row.since <= super::super::NEWEST));
    }

    #[test]
    fn lookup() {
        let of = |n| GoroutineOffsets::of(Release(n), false);
        assert_eq!(
            (of(15).goid, of(22).goid, of(23).goid, of(24).goid, of(25).goid),
            (152, 152, 160, 160, 152)
        );
        assert_eq!((of(20).parent_goid, of(21).parent_goid), (None, Some(272)));
        assert!(!of(27).guessed);
        assert!(of(28).guessed);
        assert_eq!(of(28).goid, of(27).goid);
    }
}
