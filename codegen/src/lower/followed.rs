//! Members of kernel structures that the verifier lets a program load, because it knows the pointer to the structure: `curtask`, and the
//! arguments of functions and iterators, and what their members point to.
//!
//! Only numbers are read this way, and pointers on the way to them. A pointer that a script gets as a value is read by the helper: the verifier
//! would not let the program compute with it. Where there is `bpf_rdonly_cast`, none of this is needed ([`KernelReads::Cast`]).

use super::Lower;
use crate::helper::Helper;
use crate::insn::{Cond, Width};
use crate::ir::{Func, Label, Op, Operand, Place, Val};
use crate::target::{KernelReads, Leads};
use lang::hir::{Builtin, Expr, ExprKind};
use lang::types::{AddrSpace, Type};

impl Lower<'_, '_> {
    /// A number at an address, if the verifier knows how it was reached.
    pub(super) fn load_followed(&mut self, ty: &Type, addr: &Expr) -> Option<Val> {
        let (pointer, offset) = self.known_member(addr, ty, Leads::Number)?;
        if matches!(pointer.kind, ExprKind::Builtin(Builtin::CurTask)) {
            let task = self.f.call(Helper::CurrentTaskBtf, &[]);
            return Some(self.load_scalar(ty, Place::from(task).at(offset)));
        }
        let result = self.f.var();
        let null = self.f.label();
        self.f.push(Op::Const { dst: result, value: 0 });
        let base = self.load_pointer(pointer, null);
        let value = self.load_scalar(ty, Place::from(base).at(offset));
        self.f.push(Op::Copy { dst: result, src: value });
        self.f.push(Op::Label(null));
        Some(self.copy_of(result))
    }

    /// The pointer and the offset of a member that the verifier lets the program load: a number, or a pointer to follow.
    fn known_member<'e>(&self, addr: &'e Expr, ty: &Type, leads: Leads) -> Option<(&'e Expr, u32)> {
        let KernelReads::Members(members) = &self.unit.target.kernel_reads else { return None };
        let member = addr.member_of(ty, &self.probe.attach)?;
        let loadable =
            members.get(&member.key()) == Some(&leads) && self.is_known(member.pointer, member.structure);
        loadable.then_some((member.pointer.uncast(), member.offset))
    }

    /// Whether the verifier takes the value for a pointer to that structure.
    fn is_known(&self, pointer: &Expr, structure: &str) -> bool {
        let pointer = pointer.uncast();
        match &pointer.kind {
            ExprKind::Builtin(Builtin::CurTask) => structure == "task_struct",
            ExprKind::Builtin(Builtin::Arg(word)) => {
                self.probe.attach.structure_at(*word).is_some_and(|s| s.name == structure)
            }
            ExprKind::Load { addr, space: AddrSpace::Kernel } => {
                pointer.ty.kernel_structure().is_some_and(|s| s.name == structure)
                    && self.known_member(addr, &pointer.ty, Leads::Pointer).is_some()
            }
            _ => false,
        }
    }

    /// A pointer that [`Lower::is_known`], loaded; goes to `null` where it or one on the way is none.
    fn load_pointer(&mut self, pointer: &Expr, null: Label) -> Val {
        let value = match &pointer.uncast().kind {
            ExprKind::Builtin(Builtin::Arg(word)) => {
                self.f.load(Width::D, Place::from(Func::CTX).at(8 * u32::from(*word)))
            }
            ExprKind::Load { addr, .. } => match addr.member_of(&pointer.ty, &self.probe.attach) {
                Some(member) => {
                    let base = self.load_pointer(member.pointer, null);
                    self.f.load(Width::D, Place::from(base).at(member.offset))
                }
                None => return self.f.constant(0),
            },
            _ => return self.f.call(Helper::CurrentTaskBtf, &[]),
        };
        self.f.branch(Cond::Eq, value, Operand::Imm(0), null);
        value
    }
}
