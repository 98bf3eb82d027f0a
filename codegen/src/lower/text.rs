//! Functions of texts: length, comparing the first bytes, searching, joining.
//!
//! The kernel's own functions do what they can: reading a text onto itself counts its bytes on every kernel, and
//! `bpf_strstr` searches where there is one. Else a loop does, within what the verifier can follow.

use super::string::Pad;
use super::{Lower, Value};
use crate::Error;
use crate::helper::{Callee, Helper};
use crate::insn::{AluOp, Cond, Width};
use crate::ir::{Arg, Op, Operand, Place, Val};
use lang::hir::{Expr, ExprKind};

/// Longest text that is searched in a loop, in bytes: the verifier remembers two ways out of every round, and 8192 in all
/// (`BPF_COMPLEXITY_LIMIT_JMP_SEQ`).
const MAX_SEARCHED: u32 = 4000;
/// Longest part that is searched for in a loop.
const MAX_PART: usize = 64;

impl Lower<'_, '_> {
    /// `strlen(text)`
    pub(super) fn text_length(&mut self, text: &Expr) -> Value {
        let place = self.place(text);
        self.length_at(place, text.ty.size()).into()
    }

    /// Number of bytes of a text in memory. Reading it onto itself changes nothing and gives its size with the NUL.
    pub(super) fn length_at(&mut self, place: Place, cap: u32) -> Val {
        let args = [Arg::Addr(place), Arg::Imm(i64::from(cap)), Arg::Addr(place)];
        let size = self.f.call(Helper::ReadKernelStr, &args);
        let length = self.f.alu(AluOp::Sub, size, Operand::Imm(1));
        // What cannot happen, an error, would be a huge number: the verifier is told that it is none.
        self.clamp(length, cap - 1)
    }

    /// 1 if the first bytes of two values in memory differ, else 0.
    pub(super) fn differ(&mut self, a: &Expr, b: &Expr, bytes: u32) -> Value {
        if bytes == 0 {
            return Value::Imm(0);
        }
        let result = self.f.var();
        let (differ, end) = (self.f.label(), self.f.label());
        self.branch_first_bytes(a, b, bytes, differ);
        self.f.push(Op::Const { dst: result, value: 0 });
        self.f.push(Op::Jump(end));
        self.f.push(Op::Label(differ));
        self.f.push(Op::Const { dst: result, value: 1 });
        self.f.push(Op::Label(end));
        self.copy_of(result).into()
    }

    /// Index of the first place of a part in a text, negative if there is none.
    pub(super) fn text_find(&mut self, within: &Expr, part: &Expr) -> Value {
        if let Some(id) = self.unit.target.strstr {
            let (within, part) = (self.place(within), self.place(part));
            let callee = Callee::Kfunc { name: "strstr", id };
            let src = self.f.call(callee, &[Arg::Addr(within), Arg::Addr(part)]);
            // The function gives an `int`: an index, or an error number.
            let dst = self.f.temp();
            self.f.push(Op::Extend { dst, src, bits: 32, signed: true });
            return dst.into();
        }
        let ExprKind::Str(text) = &part.kind else {
            let error = Error::new(self.span, "this kernel can search for literal texts only")
                .help("Linux 6.17 or newer, with type information (BTF), can search for any text");
            return self.fail(error);
        };
        let cap = within.ty.size();
        if cap > MAX_SEARCHED || text.len() > MAX_PART {
            let message = format!(
                "this kernel can search for at most {MAX_PART} bytes in texts of {MAX_SEARCHED} bytes"
            );
            let error = Error::new(self.span, message).help(
                "shorten the text, as with `str(ADDRESS, LENGTH)`; Linux 6.17 or newer has no such limit",
            );
            return self.fail(error);
        }
        self.search_loop(within, &text.clone())
    }

    /// Looks for a part at every place of a text.
    fn search_loop(&mut self, within: &Expr, part: &[u8]) -> Value {
        let cap = within.ty.size();
        // Behind the text there is room, so that every comparison stays inside of it.
        let room = cap + part.len().next_multiple_of(8) as u32;
        let place = self.scratch(room);
        self.store_str(within, place, cap, Pad::Zero);
        self.clear(place.at(cap), room - cap);
        let start = self.address(place);

        let (index, result) = (self.f.var(), self.f.var());
        let (end, found) = (self.f.label(), self.f.label());
        self.f.push(Op::Const { dst: index, value: 0 });
        // As the kernel function: -ENOENT.
        self.f.push(Op::Const { dst: result, value: -2i64 as u64 });
        let head = self.f.loop_label();
        self.f.push(Op::Label(head));
        let at: Place = self.f.alu(AluOp::Add, start, Operand::Val(index)).into();
        match self.difference(at, part) {
            Some(difference) => self.f.branch(Cond::Eq, difference, Operand::Imm(0), found),
            None => self.f.push(Op::Jump(found)),
        }
        let byte = self.f.load(Width::B, at);
        self.f.branch(Cond::Eq, byte, Operand::Imm(0), end);
        self.f.push(Op::Alu { op: AluOp::Add, dst: index, a: index, b: Operand::Imm(1) });
        self.f.branch(Cond::Lt, index, Operand::Imm(cap as i32), head);
        self.f.push(Op::Jump(end));
        self.f.push(Op::Label(found));
        self.f.push(Op::Copy { dst: result, src: index });
        self.f.push(Op::Label(end));
        self.copy_of(result).into()
    }

    /// A value that is 0 if these bytes stand at a place; `None` for no bytes. Words may lie at any address.
    fn difference(&mut self, at: Place, bytes: &[u8]) -> Option<Val> {
        let mut sum: Option<Val> = None;
        let mut done = 0;
        while done < bytes.len() {
            let width = match bytes.len() - done {
                8.. => Width::D,
                4.. => Width::W,
                2.. => Width::H,
                _ => Width::B,
            };
            let len = width.bytes() as usize;
            let word =
                bytes[done..done + len].iter().rev().fold(0u64, |word, byte| word << 8 | u64::from(*byte));
            let got = self.f.load(width, at.at(done as u32));
            let word = self.f.operand(word);
            let differs = self.f.alu(AluOp::Xor, got, word);
            sum = Some(match sum {
                Some(so_far) => self.f.alu(AluOp::Or, so_far, Operand::Val(differs)),
                None => differs,
            });
            done += len;
        }
        sum
    }

    /// Whether [`Lower::text_find`] finds something.
    pub(super) fn text_contains(&mut self, within: &Expr, part: &Expr) -> Value {
        let index = self.text_find(within, part);
        let index = self.val(index);
        let result = self.f.var();
        let end = self.f.label();
        self.f.push(Op::Const { dst: result, value: 0 });
        self.f.branch(Cond::Slt, index, Operand::Imm(0), end);
        self.f.push(Op::Const { dst: result, value: 1 });
        self.f.push(Op::Label(end));
        self.copy_of(result).into()
    }

    /// Two texts one behind the other, in memory of their own; zeros behind them.
    pub(super) fn concatenated(&mut self, a: &Expr, b: &Expr) -> Place {
        let (first, second) = (a.ty.size(), b.ty.size());
        let place = self.scratch(first + second);
        self.store_str(a, place, first, Pad::Zero);
        self.clear(place.at(first), second);
        let length = self.length_at(place, first);
        let start = self.address(place);
        let end = self.f.alu(AluOp::Add, start, Operand::Val(length));
        self.store_str(b, end.into(), second, Pad::Zero);
        place
    }

    /// Bytes that [`Lower::concatenated`] takes.
    pub(super) fn concatenated_size(a: &Expr, b: &Expr) -> u32 {
        a.ty.size() + b.ty.size()
    }

    /// Writes `str_concat(a, b)` to a place of `cap` bytes.
    pub(super) fn store_concatenated(&mut self, a: &Expr, b: &Expr, to: Place, cap: u32, pad: Pad) {
        let from = self.concatenated(a, b);
        let size = cap.min(Self::concatenated_size(a, b));
        self.copy(from, to, size);
        self.f.store(Width::B, to.at(size - 1), Operand::Imm(0));
        self.pad(to, size, cap, pad);
    }
}
