//! Objects of the kernel that the verifier knows: their addresses must come straight from the program's context.

use super::string::Pad;
use super::{Lower, Value};
use crate::Error;
use crate::helper::Helper;
use crate::insn::{AluOp, Cond, Width};
use crate::ir::{Arg, Func, Label, Op, Operand, Place, Val};
use lang::hir::{BinOp, Builtin, Expr, ExprKind};
use lang::types::AddrSpace;

impl Lower<'_, '_> {
    /// The address of an object, by loads that the verifier follows; goes to `null` where an argument is none, as at the end of a walk.
    fn object(&mut self, e: &Expr, null: Label) -> Option<Val> {
        match &e.kind {
            ExprKind::Cast(of) => self.object(of, null),
            ExprKind::Builtin(Builtin::Arg(n)) => {
                let argument = self.f.load(Width::D, Place::from(Func::CTX).at(8 * u32::from(*n)));
                self.f.branch(Cond::Eq, argument, Operand::Imm(0), null);
                Some(argument)
            }
            ExprKind::Binary(BinOp::Add, base, offset) => {
                let offset = i32::try_from(offset.literal()?).ok()?;
                let base = self.object(base, null)?;
                Some(self.f.alu(AluOp::Add, base, Operand::Imm(offset)))
            }
            ExprKind::Load { addr, space: AddrSpace::Kernel } => {
                let addr = self.object(addr, null)?;
                Some(self.f.load(Width::D, Place::from(addr)))
            }
            _ => None,
        }
    }

    fn no_object(&mut self, e: &Expr) -> Value {
        let error = Error::new(e.span, "the kernel does not know where this address comes from");
        self.fail(error)
    }

    /// `socket_cookie`: 0 for no socket.
    pub(super) fn socket_cookie(&mut self, socket: &Expr) -> Value {
        let result = self.f.var();
        let end = self.f.label();
        self.f.push(Op::Const { dst: result, value: 0 });
        let Some(at) = self.object(socket, end) else { return self.no_object(socket) };
        self.f.branch(Cond::Eq, at, Operand::Imm(0), end);
        let cookie = self.f.call(Helper::SocketCookie, &[Arg::Val(at)]);
        self.f.push(Op::Copy { dst: result, src: cookie });
        self.f.push(Op::Label(end));
        self.copy_of(result).into()
    }

    /// `path`: an empty text where there is none. The kernel makes the name at the end of its room and moves it to the start; copied as
    /// text, what is left behind it stays there.
    pub(super) fn store_path(&mut self, path: &Expr, to: Place, cap: u32, pad: Pad) {
        let built = self.memory(cap);
        let end = self.f.label();
        self.clear(built, cap);
        match self.object(path, end) {
            Some(at) => {
                self.f.call_void(Helper::KernelPath, &[Arg::Val(at), Arg::Addr(built), Arg::Imm(cap.into())]);
            }
            None => {
                self.no_object(path);
            }
        }
        self.f.push(Op::Label(end));
        self.pad(to, 0, cap, pad);
        self.f.call_void(Helper::ReadKernelStr, &[Arg::Addr(to), Arg::Imm(cap.into()), Arg::Addr(built)]);
    }
}
