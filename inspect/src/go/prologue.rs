//! Where to probe the entry of a Go function, so that the probe fires exactly once per call with SP, the
//! argument registers and the stack arguments as the caller left them, and costs as little as possible.
//!
//! The first instruction will not do: a Go function first checks whether its stack is large enough, and when
//! it is not, calls `runtime.morestack` and jumps back to its start. (Preemption uses the same path.) The
//! site is therefore behind the check. It is found by decoding, never by an assumed form: the check is a
//! straight run of harmless instructions from the entry to branches whose target calls `runtime.morestack…`
//! and then jumps back to the entry.

use super::GoFunc;
use super::abi::Abi;
use super::code::{Flow, Insn, instructions};
use crate::uprobe::{self, Refusal, Treatment};

/// Where a site stands in the function's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SiteKind {
    /// The `push %rbp` that follows the stack check (Go 1.21 and later): emulated by the kernel, which also
    /// adds the caller to user stacks at such an instruction.
    PushAfterCheck,
    /// The last `jbe` of the stack check: emulated. It runs again after the stack has grown: the probe's
    /// program must return at once when CF or ZF is set, for then the branch to `runtime.morestack` is about
    /// to be taken.
    JbeFlags,
    /// The instruction after the stack check, single-stepped.
    AfterCheck,
    /// The function has no stack check: the first instruction, or a cheaper one that is reached from it
    /// without a branch and before anything of the caller's is changed.
    NoCheck,
}

/// A place for an entry probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntrySite {
    /// Address (vaddr) of the instruction.
    pub addr: u64,
    /// Where it stands.
    pub kind: SiteKind,
    /// The kernel emulates the instruction instead of single-stepping it.
    pub emulated: bool,
    /// The program must return at once when CF or ZF is set in the saved flags.
    pub needs_flag_test: bool,
    /// First byte of the instruction, to compare with a running program's memory.
    pub first_byte: u8,
    /// The instruction after the stack check, if there is a check: exactly once per call without a flag test,
    /// whatever it costs.
    pub after_check: Option<u64>,
    /// Why this place, in words for `--verbose` output.
    pub reason: &'static str,
}

/// Why a function cannot be probed at its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoSite {
    /// The function has no bytes in the file.
    #[error("it has no code in the file")]
    Empty,
    /// The kernel refuses the instruction.
    #[error("the kernel accepts no probe at {addr:#x}: {refusal}")]
    Refused {
        /// Address of the instruction.
        addr: u64,
        /// Why.
        refusal: Refusal,
    },
    /// A loop of the function starts at its first instruction: a probe there would fire once per turn.
    #[error("a loop starts at its first instruction, so that a probe would fire once per turn")]
    LoopAtEntry,
}

/// Instructions of the longest known stack check (Go 1.15 with a large frame: 9), with room.
const CHECK_LENGTH: usize = 16;
/// Instructions from the branch target to the jump back: spills of up to 9 registers, the call, the reloads,
/// with room.
const GROW_LENGTH: usize = 64;
/// How far behind the entry of a function without a check a cheaper instruction is looked for.
const CHEAPER_WITHIN: usize = 6;

/// A recognised stack check.
struct Check {
    /// Its last branch.
    branch: Insn,
    /// The instruction after that.
    after: Insn,
}

impl GoFunc<'_> {
    /// Chooses the place for an entry probe.
    ///
    /// # Errors
    /// [`NoSite`] when no instruction fires once per call or the kernel refuses the one that does.
    pub fn entry_site(&self) -> Result<EntrySite, NoSite> {
        let abi = self.abi();
        match self.stack_check(abi) {
            Some(check) => self.after_check(&check, abi),
            None => self.without_check(abi),
        }
    }

    fn after_check(&self, check: &Check, abi: Abi) -> Result<EntrySite, NoSite> {
        let (after, branch) = (&check.after, &check.branch);
        let after_check = Some(after.addr);
        if after.is_push_register() && self.treatment(after) == Treatment::Emulated {
            return self.site(after, SiteKind::PushAfterCheck, after_check, "push after the stack check");
        }
        if branch.is_jbe() && self.treatment(branch) == Treatment::Emulated {
            return self.site(
                branch,
                SiteKind::JbeFlags,
                after_check,
                "branch of the stack check, when not taken",
            );
        }
        let after = self.behind_restarts(*after, abi);
        self.site(&after, SiteKind::AfterCheck, Some(after.addr), "first instruction after the stack check")
    }

    /// The instruction itself; where it starts a sequence that the runtime restarts when its goroutine is preempted within it (a site there
    /// would fire again), the last one of that sequence.
    fn behind_restarts(&self, from: Insn, abi: Abi) -> Insn {
        let mut run = self.start().skip_while(|insn| insn.addr < from.addr);
        run.find(|insn| !(insn.starts_restart() && insn.keeps_arguments(abi))).unwrap_or(from)
    }

    fn without_check(&self, abi: Abi) -> Result<EntrySite, NoSite> {
        let first = self.insns().next().ok_or(NoSite::Empty)?;
        // Branches of the function back to its start: the lowest target bounds what fires once.
        let targets =
            self.insns().filter_map(|insn| insn.target().filter(|_| !matches!(insn.flow, Flow::Call(_))));
        let end = self.end();
        let inner: Vec<u64> = targets.filter(|target| (self.entry()..end).contains(target)).collect();
        let reentered = |addr: u64| inner.iter().any(|&target| target <= addr);
        if reentered(first.addr) {
            return Err(NoSite::LoopAtEntry);
        }
        let mut reason = "first instruction of a function without a stack check";
        let mut chosen = first;
        if self.treatment(&first) != Treatment::Emulated {
            for insn in self.insns().take(CHEAPER_WITHIN) {
                if self.treatment(&insn) == Treatment::Emulated && !reentered(insn.addr) {
                    reason = "emulated instruction at the start of a function without a stack check";
                    chosen = insn;
                    break;
                }
                if !insn.keeps_arguments(abi) {
                    break;
                }
            }
        }
        let behind = self.behind_restarts(chosen, abi);
        if !reentered(behind.addr) {
            chosen = behind;
        }
        self.site(&chosen, SiteKind::NoCheck, None, reason)
    }

    fn site(
        &self,
        insn: &Insn,
        kind: SiteKind,
        after_check: Option<u64>,
        reason: &'static str,
    ) -> Result<EntrySite, NoSite> {
        let first_byte = *self.bytes_at(insn.addr).first().ok_or(NoSite::Empty)?;
        let treatment = self.treatment(insn);
        if let Treatment::Refused(refusal) = treatment {
            return Err(NoSite::Refused { addr: insn.addr, refusal });
        }
        Ok(EntrySite {
            addr: insn.addr,
            kind,
            emulated: treatment == Treatment::Emulated,
            needs_flag_test: kind == SiteKind::JbeFlags,
            first_byte,
            after_check,
            reason,
        })
    }

    /// Follows the straight run from the entry. Every branch of it must lead to the code that grows the
    /// stack; the run ends where an instruction changes anything that an entry probe wants to see.
    fn stack_check(&self, abi: Abi) -> Option<Check> {
        let mut last_branch: Option<Insn> = None;
        for insn in self.start().take(CHECK_LENGTH) {
            if let Some(branch) = last_branch
                && branch.next_addr() == insn.addr
            {
                // Is there another branch of the same check ahead? (Large frames have two.)
                if !self.another_check_branch(insn.addr, abi) {
                    return Some(Check { branch, after: insn });
                }
            }
            match insn.flow {
                Flow::Branch(target) if self.grows_stack(target) => last_branch = Some(insn),
                Flow::Next if insn.keeps_arguments(abi) => {}
                _ => return None,
            }
        }
        None
    }

    fn another_check_branch(&self, from: u64, abi: Abi) -> bool {
        for insn in self.start().take(CHECK_LENGTH).skip_while(|insn| insn.addr < from) {
            match insn.flow {
                Flow::Branch(target) => return self.grows_stack(target),
                Flow::Next if insn.keeps_arguments(abi) => {}
                _ => return false,
            }
        }
        false
    }

    /// Whether the code at `target` calls `runtime.morestack…` and then jumps to the function's entry.
    fn grows_stack(&self, target: u64) -> bool {
        let mut called = false;
        let code = self.bytes_at(target);
        for insn in instructions(self.binary.arch(), code, target).take(GROW_LENGTH) {
            match insn.flow {
                Flow::Next => {}
                Flow::Call(callee) if !called => {
                    called = self
                        .binary
                        .function_at(callee)
                        .is_some_and(|f| f.entry() == callee && f.name().starts_with("runtime.morestack"));
                    if !called {
                        return false;
                    }
                }
                Flow::Jump(back) => return called && back == self.entry(),
                _ => return false,
            }
        }
        false
    }

    fn treatment(&self, insn: &Insn) -> Treatment {
        uprobe::treatment(self.binary.arch(), self.bytes_at(insn.addr))
    }

    /// The function's bytes from `addr` on, padding included.
    fn bytes_at(&self, addr: u64) -> &[u8] {
        let offset = addr.checked_sub(self.entry()).and_then(|n| usize::try_from(n).ok());
        offset.and_then(|offset| self.code_and_padding().get(offset..)).unwrap_or_default()
    }

    /// Instructions from the entry, without looking for the end.
    fn start(&self) -> impl Iterator<Item = Insn> {
        instructions(self.binary.arch(), self.code_and_padding(), self.entry())
    }

    /// All instructions of the exact extent.
    pub(super) fn insns(&self) -> impl Iterator<Item = Insn> {
        instructions(self.binary.arch(), self.code(), self.entry())
    }
}
