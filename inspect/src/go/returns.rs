//! Where a Go function returns: every RET of its exact extent, and how else control can leave it. A kernel
//! uretprobe must never be placed on Go code (it rewrites the return address, which Go's stack walker then
//! meets), so returns are probed one by one.

use super::GoFunc;
use super::code::Flow;
use crate::uprobe::{self, Refusal, Treatment};

/// A jump that leaves the function: its return is the target's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TailJump {
    /// Address of the jump.
    pub addr: u64,
    /// Where it goes; `None` when the address is in a register or in memory.
    pub target: Option<u64>,
}

/// The ways out of a function.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Returns {
    /// Addresses of the return instructions, in order. Empty for functions that never return and for those
    /// that only leave by a tail jump.
    pub sites: Vec<u64>,
    /// Jumps to other functions.
    pub tail_jumps: Vec<TailJump>,
    /// Return instructions at which the kernel accepts no probe.
    pub refused: Vec<(u64, Refusal)>,
    /// The extent holds bytes that are no Go code (data in assembly): where the first is. Nothing found in
    /// such a function is to be trusted, and `sites` is empty.
    pub unreadable_at: Option<u64>,
}

impl GoFunc<'_> {
    /// Finds the ways out by decoding the whole extent.
    pub fn returns(&self) -> Returns {
        let (entry, end) = (self.entry(), self.end());
        let arch = self.binary.arch();
        let code = self.code();
        let mut out = Returns::default();
        for insn in self.insns() {
            let leaves = |target: u64| !(entry..end).contains(&target);
            match insn.flow {
                Flow::Return => {
                    let at = usize::try_from(insn.addr - entry).unwrap_or(usize::MAX);
                    match uprobe::treatment(arch, code.get(at..).unwrap_or_default()) {
                        Treatment::Refused(refusal) => out.refused.push((insn.addr, refusal)),
                        Treatment::Emulated | Treatment::SingleStepped => out.sites.push(insn.addr),
                    }
                }
                Flow::Jump(target) | Flow::Branch(target) if leaves(target) => {
                    out.tail_jumps.push(TailJump { addr: insn.addr, target: Some(target) });
                }
                Flow::JumpIndirect => out.tail_jumps.push(TailJump { addr: insn.addr, target: None }),
                // Go's compilers emit neither; assembly that seems to have them holds data.
                Flow::Invalid | Flow::OddReturn => {
                    return Returns { unreadable_at: Some(insn.addr), ..Returns::default() };
                }
                _ => {}
            }
        }
        out
    }

    /// Whether control can come back to the caller through this function's own code or through a function it
    /// jumps to.
    pub fn can_return(&self) -> bool {
        let returns = self.returns();
        !returns.sites.is_empty() || !returns.tail_jumps.is_empty()
    }
}
