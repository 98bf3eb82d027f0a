//! Functions of values ([`Fun`]).

use super::string::Pad;
use super::{Lower, Value};
use crate::Error;
use crate::helper::Helper;
use crate::insn::Width;
use crate::ir::{Arg, Op, Operand, Place};
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
            (Fun::TracePrint(format), values) => self.trace_print(format, values),
            (Fun::Length, [text]) => self.text_length(text),
            (Fun::Differ { bytes }, [a, b]) => self.differ(a, b, *bytes),
            (Fun::Find, [within, part]) => self.text_find(within, part),
            (Fun::Contains, [within, part]) => self.text_contains(within, part),
            (Fun::Task(field), task) => self.task_id(*field, task.first()),
            _ => self.unknown_function(e),
        }
    }

    /// A function that gives text.
    pub(super) fn store_text_of(&mut self, fun: &Fun, args: &[Expr], to: Place, cap: u32, pad: Pad) {
        match (fun, args) {
            (Fun::Task(field), task) => self.store_task_comm(*field, task.first(), to, cap, pad),
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
        let number = match self.scalar(number) {
            Value::Imm(number) => Arg::Imm(number as i64),
            Value::Val(number) => Arg::Val(number),
        };
        self.f.call(helper, &[number]).into()
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
                _ => match self.scalar(value) {
                    Value::Imm(number) => Arg::Imm(number as i64),
                    Value::Val(number) => Arg::Val(number),
                },
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
