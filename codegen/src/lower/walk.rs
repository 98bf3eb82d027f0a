//! Iterators: programs that the kernel calls for each object of a kind while the iterator's file is read.
//!
//! Records go the way of all others, through the ring buffer. So that it never overflows, the program also writes one byte into the
//! file for each object: a read that asks for N bytes then ends after N objects, and the loader empties the ring buffer between reads. The
//! bytes themselves mean nothing. The program of a pinned iterator runs when gotrace is long gone; what it prints is made by the kernel
//! (`bpf_seq_printf`), which knows fewer formats.

use super::{Lower, Value};
use crate::Error;
use crate::helper::Helper;
use crate::insn::{Cond, Width};
use crate::ir::{Arg, Func, Operand, Place, Val};
use crate::kernel::KernelField;
use lang::format::{Conv, Format, Piece, Size, Spec};
use lang::hir::{Action, Attach, Expr, Iter};
use lang::types::Type;

impl Lower<'_, '_> {
    /// Does nothing at the end of the walk, where the kernel calls the program once more without an object; else lets the reader count
    /// the object, if the program sends records.
    pub(super) fn start_of_walk(&mut self, iter: &Iter) {
        for param in iter.function.params.iter().flatten().skip(1) {
            if matches!(param.ty, Type::Ptr { .. }) {
                let object = self.f.load(Width::D, Place::from(Func::CTX).at(8 * u32::from(param.word)));
                self.f.branch(Cond::Eq, object, Operand::Imm(0), self.quit);
            }
        }
        if let (true, Some(pid)) = (self.unit.target.filter_walks, self.unit.target.pid) {
            self.leave_out_other_processes(iter, pid);
        }
        if iter.pin.is_none() && super::sends_records_or_ends(&self.probe.body) {
            let byte: Place = self.f.slot(8).into();
            self.f.store(Width::B, byte, Operand::Imm(0));
            let file = self.walk_file();
            self.f.call_void(Helper::SeqWrite, &[Arg::Val(file), Arg::Addr(byte), Arg::Imm(1)]);
        }
    }

    /// Does nothing for a thread of another process.
    fn leave_out_other_processes(&mut self, iter: &Iter, pid: u32) {
        let params = || iter.function.params.iter().flatten();
        let Some(task) = params().find(|param| param.name == "task").map(|param| param.word) else { return };
        let task = self.walk_word(task);
        let leader = self.member(task, KernelField::TaskLeader, &Type::U64);
        let id = match self.unit.target.pid_namespace {
            None => self.member(leader, KernelField::TaskPid, &Type::U32),
            Some((_, inode)) => {
                let id = self.id_in_namespace(leader, inode);
                self.val(id)
            }
        };
        let pid = self.f.operand(u64::from(pid));
        self.f.branch(Cond::Ne, id, pid, self.quit);
    }

    /// A word of the context as a number: as it is, the verifier takes it for a pointer, with which it allows little.
    pub(super) fn walk_word(&mut self, word: u8) -> Val {
        let offset = 8 * u32::from(word);
        if let Some(cast) = self.unit.target.kernel_reads.cast() {
            let place = self.cast_for_reading(cast, Arg::Addr(Place::from(Func::CTX).at(offset)));
            return self.f.load(Width::D, place);
        }
        let slot: Place = self.f.slot(8).into();
        self.copy_context(offset, slot, 8);
        self.f.load(Width::D, slot)
    }

    /// `ctx->meta->seq`, the file that is being read: both are the first member of their structure.
    fn walk_file(&mut self) -> Val {
        let meta = self.f.load(Width::D, Place::from(Func::CTX));
        self.f.load(Width::D, Place::from(meta))
    }

    /// Whether what the program prints goes into the iterator's file; then does so.
    pub(super) fn shows_in_file(&mut self, action: &Action, args: &[Expr]) -> bool {
        if !matches!(&self.probe.attach, Attach::Iter(iter) if iter.pin.is_some()) {
            return false;
        }
        match action {
            Action::Printf(format) => self.show_format(format, args),
            Action::Print => {
                for arg in args {
                    self.show(&Spec::plain(Conv::Text), arg);
                }
                self.show_text(b"\n");
            }
            _ => {
                let error =
                    Error::new(self.span, "a pinned iterator can only print, by `printf` and `print`")
                        .help("its file is read when gotrace does not run any more");
                self.fail(error);
            }
        }
        true
    }

    fn show_format(&mut self, format: &Format, args: &[Expr]) {
        let mut args = args.iter();
        for piece in &format.pieces {
            match piece {
                Piece::Text(text) => self.show_text(text),
                Piece::Conv(spec) => match args.next() {
                    Some(arg) if spec.width != Some(Size::Argument) => self.show(spec, arg),
                    _ => self.not_shown("a width of `*`"),
                },
            }
        }
    }

    fn show_text(&mut self, text: &[u8]) {
        let memory = self.memory((text.len() as u32).next_multiple_of(8));
        self.write_bytes(memory, text);
        let file = self.walk_file();
        self.f.call_void(Helper::SeqWrite, &[Arg::Val(file), Arg::Addr(memory), Arg::Imm(text.len() as i64)]);
    }

    /// One value by a conversion that the kernel knows (`bpf_bprintf_prepare`, kernel/bpf/helpers.c).
    fn show(&mut self, spec: &Spec, arg: &Expr) {
        let number =
            arg.ty.integer().is_some() || matches!(arg.ty, Type::Ptr { .. } | Type::Bool | Type::Enum(_));
        let signed = matches!(arg.ty.integer(), Some((_, true)));
        let conversion = match spec.conv {
            Conv::Text if matches!(arg.ty, Type::Str(_)) => "s",
            Conv::Text if matches!(arg.ty, Type::Ptr { .. }) => "0x%llx",
            Conv::Text | Conv::Signed if number && signed => "lld",
            Conv::Text if number => "llu",
            Conv::Signed if number => "lld",
            Conv::Unsigned if number => "llu",
            Conv::HexLower if number => "llx",
            Conv::HexUpper if number => "llX",
            Conv::Pointer if number => "0x%llx",
            Conv::Char if number => "c",
            _ => return self.not_shown(&format!("a value of type {} by this conversion", arg.ty)),
        };
        if spec.alt || spec.precision.is_some() || spec.bits.is_some() {
            return self.not_shown("`#`, a precision or `h`");
        }
        let flags = [(spec.left, '-'), (spec.plus, '+'), (spec.space, ' '), (spec.zero, '0')];
        let mut text: String = flags.iter().filter(|(set, _)| *set).map(|(_, c)| *c).collect();
        if let Some(Size::Fixed(width)) = spec.width {
            text.push_str(&width.to_string());
        }
        let text = match conversion.strip_prefix("0x%") {
            Some(hex) => format!("0x%{text}{hex}\0"),
            None => format!("%{text}{conversion}\0"),
        };
        let value = match arg.ty {
            Type::Str(_) => {
                let place = self.place(arg);
                Value::Val(self.address(place))
            }
            _ => self.scalar(arg),
        };
        let (format, data) = (self.f.slot(32), self.f.slot(8));
        let (format, data) = (Place::from(format), Place::from(data));
        self.write_bytes(format, text.as_bytes());
        let value = self.operand(value);
        self.f.store(Width::D, data, value);
        let file = self.walk_file();
        let args =
            [Arg::Val(file), Arg::Addr(format), Arg::Imm(text.len() as i64), Arg::Addr(data), Arg::Imm(8)];
        self.f.call_void(Helper::SeqPrintf, &args);
    }

    fn not_shown(&mut self, what: &str) {
        let error = Error::new(self.span, format!("a pinned iterator cannot print {what}"))
            .help("the kernel prints for it, which knows %d, %u, %x, %X, %c, %p and %s with a width");
        self.fail(error);
    }
}
