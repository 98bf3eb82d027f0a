//! Functions of values ([`Fun`]).

use super::string::Pad;
use super::{Lower, Value};
use crate::Error;
use crate::helper::Helper;
use crate::insn::{Cond, Width};
use crate::ir::{Arg, Func, Op, Operand, Place};
use lang::hir::{Expr, ExprKind, Fun};
use lang::types::Type;
use std::sync::Arc;

impl Lower<'_, '_> {
    /// A function whose value fits a register.
    pub(super) fn apply(&mut self, fun: &Fun, args: &[Expr], e: &Expr) -> Value {
        match (fun, args) {
            (Fun::SwapBytes(bits), [of]) => self.swap_bytes(of, *bits),
            (Fun::Named, [of]) => self.scalar(of),
            (Fun::Signal { thread }, [number]) => self.send_signal(number, *thread),
            (Fun::Override, [value]) => self.override_return(value),
            (Fun::WriteUser { bytes }, [to, from]) => self.write_user(to, from, *bytes),
            (Fun::SocketCookie, [socket]) => self.socket_cookie(socket),
            (Fun::TracePrint(format), values) => self.trace_print(format, values),
            (Fun::Length, [text]) => self.text_length(text),
            (Fun::Differ { bytes }, [a, b]) => self.differ(a, b, *bytes),
            (Fun::Find, [within, part]) => self.text_find(within, part),
            (Fun::Contains, [within, part]) => self.text_contains(within, part),
            (Fun::GoMapEntry(layout), args) => self.go_map_entry(layout, args),
            (Fun::Task(field), task) => self.task_id(*field, task.first()),
            _ => self.unknown_function(e),
        }
    }

    /// A function that gives text.
    pub(super) fn store_text_of(&mut self, fun: &Fun, args: &[Expr], to: Place, cap: u32, pad: Pad) {
        match (fun, args) {
            (Fun::Task(field), task) => self.store_task_comm(*field, task.first(), to, cap, pad),
            (Fun::KernelPath, [path]) => self.store_path(path, to, cap, pad),
            (Fun::Concat, [a, b]) => self.store_concatenated(a, b, to, cap, pad),
            _ => {
                let error = Error::new(self.span, "this function gives no text");
                self.fail(error);
            }
        }
    }

    /// A function that gives another value that does not fit a register.
    pub(super) fn store_applied(&mut self, fun: &Fun, args: &[Expr], e: &Expr, to: Place) {
        match (fun, args) {
            (Fun::Inet { family }, [address]) => {
                self.f.store(Width::D, to, Operand::Imm(i32::from(*family)));
                self.store_address(address, to.at(8), 16);
            }
            (Fun::Mac, [address]) => self.store_address(address, to, 8),
            _ => {
                self.unknown_function(e);
            }
        }
    }

    fn send_signal(&mut self, number: &Expr, thread: bool) -> Value {
        let helper = if thread { Helper::SendSignalThread } else { Helper::SendSignal };
        let number = self.number_arg(number);
        self.f.call(helper, &[number]).into()
    }

    /// A number as the argument of a helper.
    fn number_arg(&mut self, number: &Expr) -> Arg {
        match self.scalar(number) {
            Value::Imm(number) => Arg::Imm(number as i64),
            Value::Val(number) => Arg::Val(number),
        }
    }

    fn override_return(&mut self, value: &Expr) -> Value {
        let value = self.number_arg(value);
        self.f.call(Helper::OverrideReturn, &[Arg::Val(Func::CTX), value]).into()
    }

    /// The bytes are read to memory of the program first: the kernel takes them from nowhere else. Gives whether they were written.
    fn write_user(&mut self, to: &Expr, from: &Expr, bytes: u32) -> Value {
        let to = self.number_arg(to);
        let source = match &from.ty {
            Type::Ptr { space, .. } => {
                let address = self.scalar(from);
                let copy = self.memory(bytes);
                self.read(copy, bytes, address, *space);
                copy
            }
            _ => self.place(from),
        };
        let failed = self.f.call(Helper::WriteUser, &[to, Arg::Addr(source), Arg::Imm(bytes.into())]);
        let result = self.f.var();
        let end = self.f.label();
        self.f.push(Op::Const { dst: result, value: 0 });
        self.f.branch(Cond::Ne, failed, Operand::Imm(0), end);
        self.f.push(Op::Const { dst: result, value: 1 });
        self.f.push(Op::Label(end));
        self.copy_of(result).into()
    }

    /// The format lies in memory with its NUL, as texts among the values do.
    fn trace_print(&mut self, format: &Arc<[u8]>, values: &[Expr]) -> Value {
        let size = format.len() as u32 + 1;
        let ty = Type::Str(size.next_multiple_of(8));
        let text = Expr::new(ExprKind::Str(Arc::clone(format)), ty.clone(), self.span);
        let at = self.memory(ty.size());
        self.store(&text, at, Pad::Zero);
        let mut args = vec![Arg::Addr(at), Arg::Imm(size.into())];
        for value in values {
            args.push(match value.ty {
                Type::Str(_) => Arg::Addr(self.place(value)),
                _ => self.number_arg(value),
            });
        }
        self.f.call(Helper::TracePrint, &args).into()
    }

    fn unknown_function(&mut self, e: &Expr) -> Value {
        let error = Error::new(e.span, format!("this function gives no {}", e.ty));
        self.fail(error)
    }

    /// The bytes of an address in network order, zeros behind them.
    fn store_address(&mut self, address: &Expr, to: Place, room: u32) {
        let size = address.ty.size().min(room);
        if address.ty.is_scalar() {
            let value = self.scalar(address);
            let value = self.operand(value);
            self.f.store(Width::of(size).unwrap_or(Width::W), to, value);
        } else if address.ty.size() <= room {
            self.store(address, to, Pad::Zero);
        } else {
            let from = self.place(address);
            self.copy(from, to, size);
        }
        self.clear(to.at(size), room - size);
    }

    fn swap_bytes(&mut self, of: &Expr, bits: u8) -> Value {
        match self.scalar(of) {
            Value::Imm(v) => Value::Imm((v << (64 - u32::from(bits))).swap_bytes()),
            value if bits == 8 => self.convert(value, &of.ty, &Type::Int { bits: 8, signed: false }),
            Value::Val(src) => {
                let dst = self.f.temp();
                self.f.push(Op::Swap { dst, src, bits });
                dst.into()
            }
        }
    }
}
