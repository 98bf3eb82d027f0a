//! Builtins: what a program can know about the process, the call and the event it runs for.

use super::goroutine::Wanted;
use super::{Lower, Once, Value};
use crate::Error;
use crate::helper::Helper;
use crate::insn::{AluOp, Cond, Width};
use crate::ir::{Arg, Func, Op, Operand, Place, Val};
use crate::machine::{GO_STACK_ARGUMENTS, Machine};
use lang::env::{Abi, ArgumentWords, UprobeClass, UsdtArg, UsdtPlace, WordPlace};
use lang::hir::{Attach, Builtin, Clock, Expr, PidSpace};
use lang::types::{AddrSpace, Type};

/// First integer argument registers, by ABI.
fn argument_registers(machine: &Machine, abi: Abi) -> &'static [&'static str] {
    match abi {
        Abi::C => machine.c_arguments,
        Abi::GoRegisters => machine.go_arguments,
        Abi::GoStack => &[],
    }
}

/// Why an argument word of a function cannot be read, of which `count` are known.
fn no_such_word(e: &Expr, n: u8, count: usize, all: bool) -> Error {
    let words = match count {
        0 => "no argument words".to_owned(),
        1 => "one argument word: 0".to_owned(),
        _ => format!("{count} argument words: 0 to {}", count - 1),
    };
    match all {
        true => Error::new(e.span, format!("the function has {words}"))
            .help("an integer is one word, a string two, a slice three, an interface two; `gotrace list -v` shows its signature"),
        false => Error::new(e.span, format!("nothing in the binary tells where argument word {n} is"))
            .help("with debug information, `args` names the arguments"),
    }
}

impl Lower<'_, '_> {
    /// The value of a scalar builtin.
    pub(super) fn builtin(&mut self, builtin: &Builtin, e: &Expr) -> Value {
        match builtin {
            Builtin::Pid(space) => {
                let both = self.ids(*space);
                self.f.alu(AluOp::Rsh, both, Operand::Imm(32)).into()
            }
            Builtin::Tid(space) => {
                let both = self.ids(*space);
                self.low(both).into()
            }
            Builtin::Uid => {
                let both = self.f.call(Helper::UidGid, &[]);
                self.low(both).into()
            }
            Builtin::Gid => {
                let both = self.f.call(Helper::UidGid, &[]);
                self.f.alu(AluOp::Rsh, both, Operand::Imm(32)).into()
            }
            Builtin::Nsecs(clock) => {
                let (helper, ahead) = match clock {
                    Clock::Monotonic => (Helper::KtimeNs, 0),
                    Clock::Boot => (Helper::KtimeBootNs, 0),
                    Clock::Tai => (Helper::KtimeTaiNs, 0),
                    Clock::SoftwareTai => (Helper::KtimeBootNs, self.unit.target.tai_offset),
                };
                let now = self.f.call(helper, &[]);
                let ahead = self.f.operand(ahead);
                self.f.alu(AluOp::Add, now, ahead).into()
            }
            Builtin::Elapsed => {
                let now = self.f.call(Helper::KtimeBootNs, &[]);
                let start = self.f.operand(self.unit.target.start);
                self.f.alu(AluOp::Sub, now, start).into()
            }
            Builtin::Cpu => self.f.call(Helper::CpuId, &[]).into(),
            Builtin::CurTask => self.f.call(Helper::CurrentTask, &[]).into(),
            Builtin::Rand => {
                let random = self.f.call(Helper::Random, &[]);
                self.low(random).into()
            }
            Builtin::Cpus => Value::Imm(u64::from(self.unit.target.cpus)),
            Builtin::NumaNode => self.f.call(Helper::NumaNode, &[]).into(),
            Builtin::Jiffies => self.f.call(Helper::Jiffies, &[]).into(),
            Builtin::Cgroup => self.f.call(Helper::CgroupId, &[]).into(),
            Builtin::UserMode => self.user_mode(),
            Builtin::Probe => {
                let high = (self.index as u64) << 32;
                match self.function() {
                    None => Value::Imm(high | u64::from(u32::MAX)),
                    Some(Value::Imm(function)) => Value::Imm(high | function),
                    Some(Value::Val(function)) => {
                        let high = self.f.operand(high);
                        self.f.alu(AluOp::Or, function, high).into()
                    }
                }
            }
            Builtin::Func => match self.function() {
                Some(function) => function,
                None => self.unavailable(e, "func"),
            },
            Builtin::Arg(n) => self.argument(*n, false, e),
            Builtin::Sarg(n) => self.argument(*n, true, e),
            Builtin::Retval => self.retval(e),
            Builtin::ResultWord(n) => match self.machine().go_arguments.get(usize::from(*n)) {
                Some(name) => self.register(name).into(),
                None => {
                    let count = self.machine().go_arguments.len();
                    let error =
                        Error::new(e.span, format!("only the first {count} result words are in registers"));
                    self.fail(error)
                }
            },
            Builtin::Reg(index) => self.register_at(*index).into(),
            Builtin::Caller => self.return_address().into(),
            Builtin::Goid => self.goroutine(Wanted::Id, e),
            Builtin::CurrentG => self.goroutine(Wanted::G, e),
            Builtin::CallId => self.callid(e),
            Builtin::CodeBase => self.code_base(e),
            Builtin::Context => Value::Val(Func::CTX),
            Builtin::Comm | Builtin::Stack | Builtin::DwarfStack => {
                let error = Error::new(e.span, format!("a {} does not fit a register", e.ty));
                self.fail(error)
            }
        }
    }

    pub(super) fn unavailable(&mut self, e: &Expr, what: &str) -> Value {
        let error = Error::new(e.span, format!("`{what}` is not available in this probe"));
        self.fail(error)
    }

    pub(super) fn low(&mut self, src: Val) -> Val {
        let dst = self.f.temp();
        self.f.push(Op::Extend { dst, src, bits: 32, signed: false });
        dst
    }

    /// Whether user code was interrupted. Uprobes are in it, tracepoints in the kernel; timers may be in either.
    fn user_mode(&mut self) -> Value {
        match &self.probe.attach {
            Attach::Uprobe { .. } => Value::Imm(1),
            Attach::Interval(_) | Attach::Profile(_) => {
                let (register, mask, user) = self.machine().level;
                let state = self.register(register);
                let level = self.f.alu(AluOp::And, state, Operand::Imm(mask));
                let result = self.f.var();
                let end = self.f.label();
                self.f.push(Op::Const { dst: result, value: 0 });
                self.f.branch(Cond::Ne, level, Operand::Imm(user), end);
                self.f.push(Op::Const { dst: result, value: 1 });
                self.f.push(Op::Label(end));
                self.copy_of(result).into()
            }
            _ => Value::Imm(0),
        }
    }

    fn ids(&mut self, space: PidSpace) -> Val {
        match space {
            PidSpace::Own => self.pid_tgid(),
            PidSpace::Initial => self.f.call(Helper::PidTgid, &[]),
        }
    }

    /// Process id in the high, thread id in the low half, in gotrace's pid namespace.
    pub(super) fn pid_tgid(&mut self) -> Val {
        let Some((dev, ino)) = self.unit.target.pid_namespace else {
            return self.f.call(Helper::PidTgid, &[]);
        };
        self.once(Once::PidTgid, |lower| {
            // struct bpf_pidns_info { u32 pid; u32 tgid; }; as one word: tgid is the high half.
            let info: Place = lower.f.slot(8).into();
            lower.f.store(Width::D, info, Operand::Imm(0));
            let args = [Arg::Imm(dev as i64), Arg::Imm(ino as i64), Arg::Addr(info), Arg::Imm(8)];
            lower.f.call_void(Helper::NsPidTgid, &args);
            lower.f.load(Width::D, info)
        })
    }

    /// Process id.
    pub(super) fn tgid(&mut self) -> Val {
        let both = self.pid_tgid();
        self.f.alu(AluOp::Rsh, both, Operand::Imm(32))
    }

    /// Index of the traced function; constant where the program has sites in one function only.
    pub(super) fn function(&mut self) -> Option<Value> {
        let functions: Vec<u32> = match &self.probe.attach {
            Attach::Uprobe { targets, .. } => {
                targets.iter().flat_map(|t| &t.sites).map(|s| s.function).collect()
            }
            Attach::Kprobe { places, .. } => places.iter().map(|(function, _)| *function).collect(),
            Attach::Fentry { index, .. } => vec![*index],
            _ => return None,
        };
        let mut functions = functions.into_iter();
        if let Some(first) = functions.next()
            && functions.all(|f| f == first)
        {
            return Some(Value::Imm(u64::from(first)));
        }
        let cookie = self.f.call(Helper::AttachCookie, &[Arg::Val(Func::CTX)]);
        Some(self.low(cookie).into())
    }

    /// See [`Builtin::CodeBase`].
    fn code_base(&mut self, e: &Expr) -> Value {
        if !matches!(self.probe.attach, Attach::Uprobe { .. }) {
            return self.unavailable(e, "uaddr");
        }
        let offset = self.site_offset();
        let ip = self.register(self.machine().ip);
        self.f.alu(AluOp::Sub, ip, offset).into()
    }

    /// File offset of the site; constant where the program has only one. 0 for what is no uprobe.
    pub(super) fn site_offset(&mut self) -> Operand {
        let Attach::Uprobe { targets, .. } = &self.probe.attach else { return Operand::Imm(0) };
        let mut offsets = targets.iter().flat_map(|t| &t.sites).map(|s| s.offset);
        let first = offsets.next().unwrap_or(0);
        if offsets.all(|o| o == first) {
            return self.f.operand(first);
        }
        let cookie = self.f.call(Helper::AttachCookie, &[Arg::Val(Func::CTX)]);
        Operand::Val(self.f.alu(AluOp::Rsh, cookie, Operand::Imm(32)))
    }

    pub(super) fn uprobe_class(&self) -> Option<&UprobeClass> {
        match &self.probe.attach {
            Attach::Uprobe { class, .. } => Some(class),
            _ => None,
        }
    }

    /// What is known of the processor.
    pub(super) fn machine(&self) -> &'static Machine {
        Machine::of(self.unit.target.arch)
    }

    /// A register of the interrupted code. Uprobe and perf-event programs have `pt_regs` at the start of their context.
    pub(super) fn register(&mut self, name: &str) -> Val {
        let index = self.unit.target.arch.register(name).unwrap_or(0);
        self.register_at(index)
    }

    fn register_at(&mut self, index: u8) -> Val {
        self.f.load(Width::D, Place::from(Func::CTX).at(8 * u32::from(index)))
    }

    /// An argument word.
    fn argument(&mut self, n: u8, stack_only: bool, e: &Expr) -> Value {
        let machine = self.machine();
        match &self.probe.attach {
            // The words of a raw tracepoint are plain numbers to the verifier.
            Attach::RawTracepoint(_) => {
                return self.f.load(Width::D, Place::from(Func::CTX).at(8 * u32::from(n))).into();
            }
            // Those of a function are pointers to it, with which no arithmetic is allowed; copied they are numbers.
            Attach::Fentry { .. } | Attach::Iter(_) => return self.walk_word(n).into(),
            Attach::Kprobe { .. } => return self.kernel_argument(n),
            _ => {}
        }
        let Some(class) = self.uprobe_class() else { return self.unavailable(e, "arg") };
        if let Some(arguments) = &class.usdt {
            let Some(UsdtArg::Known { ty, place }) = arguments.get(usize::from(n)) else {
                return self.unavailable(e, "arg");
            };
            let (ty, place) = (ty.clone(), *place);
            return self.usdt_argument(&ty, place);
        }
        if let ArgumentWords::Known { places, all, alone } = &class.words {
            return match places.get(usize::from(n)) {
                Some(WordPlace::Register(index)) => self.register_at(*index).into(),
                Some(WordPlace::Stack(offset)) => self.stack_word(u64::from(*offset)).into(),
                None if *alone => {
                    let (count, all) = (places.len(), *all);
                    self.fail(no_such_word(e, n, count, all))
                }
                None => Value::Imm(0),
            };
        }
        let registers = match class.abi {
            Abi::C if stack_only => &[],
            abi => argument_registers(machine, abi),
        };
        if let Some(register) = registers.get(usize::from(n)) {
            return self.register(register).into();
        }
        let first = match class.abi {
            Abi::C => machine.c_stack_arguments(),
            Abi::GoRegisters | Abi::GoStack => GO_STACK_ARGUMENTS,
        };
        let word = u64::from(n) - registers.len() as u64;
        self.stack_word(first + 8 * word).into()
    }

    /// An argument of a USDT probe.
    fn usdt_argument(&mut self, ty: &Type, place: UsdtPlace) -> Value {
        match place {
            UsdtPlace::Constant(value) => {
                let (bits, signed) = ty.integer().unwrap_or((64, true));
                let unused = 64 - u32::from(bits.min(64));
                let value = (value as u64).wrapping_shl(unused);
                Value::Imm(if signed { ((value as i64) >> unused) as u64 } else { value >> unused })
            }
            UsdtPlace::Register { index, shift } => {
                let whole = self.register_at(index);
                let src = match shift {
                    0 => whole,
                    shift => self.f.alu(AluOp::Rsh, whole, Operand::Imm(shift.into())),
                };
                match ty.integer() {
                    Some((bits, signed)) if bits < 64 => {
                        let dst = self.f.temp();
                        self.f.push(Op::Extend { dst, src, bits, signed });
                        dst.into()
                    }
                    _ => src.into(),
                }
            }
            UsdtPlace::Memory { base, index, displacement } => {
                let mut at: Option<Val> = base.map(|base| self.register_at(base));
                if let Some((index, scale)) = index {
                    let index = self.register_at(index);
                    let scaled = self.f.alu(AluOp::Mul, index, Operand::Imm(scale.into()));
                    at = Some(match at {
                        Some(base) => self.f.alu(AluOp::Add, base, Operand::Val(scaled)),
                        None => scaled,
                    });
                }
                let at = match at {
                    None => Value::Imm(displacement as u64),
                    Some(at) if displacement == 0 => at.into(),
                    Some(at) => {
                        let displacement = self.f.operand(displacement as u64);
                        self.f.alu(AluOp::Add, at, displacement).into()
                    }
                };
                self.load_traced(ty, at, AddrSpace::User).into()
            }
        }
    }

    /// An argument of a kernel function, by the C calling convention.
    fn kernel_argument(&mut self, n: u8) -> Value {
        let machine = self.machine();
        let registers = machine.c_arguments;
        if let Some(register) = registers.get(usize::from(n)) {
            return self.register(register).into();
        }
        let offset = machine.c_stack_arguments() + 8 * (u64::from(n) - registers.len() as u64);
        let sp = self.register("sp");
        let at = self.f.alu(AluOp::Add, sp, Operand::Imm(offset as i32));
        self.load_traced(&Type::U64, at.into(), AddrSpace::Kernel).into()
    }

    fn stack_word(&mut self, offset: u64) -> Val {
        let sp = self.register("sp");
        let at = self.f.alu(AluOp::Add, sp, Operand::Imm(offset as i32));
        self.load_traced(&Type::U64, at.into(), AddrSpace::User)
    }

    fn retval(&mut self, e: &Expr) -> Value {
        match self.probe.attach {
            Attach::Kprobe { .. } => return self.register(self.machine().result).into(),
            Attach::Fentry { .. } => return self.function_result().into(),
            _ => {}
        }
        let Some(class) = self.uprobe_class() else { return self.unavailable(e, "retval") };
        match (class.abi, class.result_offset) {
            (Abi::GoStack, Some(offset)) => self.stack_word(u64::from(offset)).into(),
            (Abi::GoStack, None) => {
                let error = Error::new(e.span, "`retval` of this function is on the stack, at a place that is not known")
                    .help("Go before 1.17 puts results behind the arguments; their size stands in the debug information, which this binary is stripped of. Read the result with `*(reg(\"sp\") + N)`: N is 8 and the size of the arguments, rounded up to a multiple of 8");
                self.fail(error)
            }
            _ => self.register(self.machine().result).into(),
        }
    }

    /// What the function of an `fexit` has returned, wherever the kernel keeps it.
    fn function_result(&mut self) -> Val {
        let to: Place = self.f.slot(8).into();
        // Before Linux 6.11 the verifier takes it for memory that is read.
        self.f.store(Width::D, to, Operand::Imm(0));
        self.f.call_void(Helper::FunctionResult, &[Arg::Val(Func::CTX), Arg::Addr(to)]);
        self.f.load(Width::D, to)
    }

    /// A scalar of the context record. The verifier lets tracepoint programs read all but the first 8 bytes directly.
    pub(super) fn load_context(&mut self, ty: &Type, offset: u32) -> Val {
        let size = ty.size();
        match &self.probe.attach {
            Attach::Interval(_) | Attach::Profile(_) | Attach::Perf { .. } | Attach::Watchpoint(_) => {
                return self.event_context(ty, offset);
            }
            Attach::Uprobe { .. } | Attach::Kprobe { .. } => {
                return self.load_scalar(ty, Place::from(Func::CTX).at(offset));
            }
            _ => {}
        }
        if offset < 8 || !offset.is_multiple_of(size.max(1)) {
            let slot: Place = self.f.slot(8).into();
            self.copy_context(offset, slot, size);
            return self.load_scalar(ty, slot);
        }
        self.load_scalar(ty, Place::from(Func::CTX).at(offset))
    }

    /// A member of the context of a perf event, which the kernel translates: it may be read in whole words only.
    fn event_context(&mut self, ty: &Type, offset: u32) -> Val {
        let word = self.f.load(Width::D, Place::from(Func::CTX).at(offset & !7));
        let bits = 8 * ty.size() as u8;
        let shift = 8 * (offset % 8) as i32;
        if bits == 64 {
            return word;
        }
        let src = if shift == 0 { word } else { self.f.alu(AluOp::Rsh, word, Operand::Imm(shift)) };
        let dst = self.f.temp();
        self.f.push(Op::Extend { dst, src, bits, signed: ty.is_signed() });
        dst
    }

    /// Bytes of the context record.
    pub(super) fn copy_context(&mut self, offset: u32, to: Place, size: u32) {
        let from = Place::from(Func::CTX).at(offset);
        self.f.call_void(Helper::ReadKernel, &[Arg::Addr(to), Arg::Imm(i64::from(size)), Arg::Addr(from)]);
    }

    /// Address of the data of a `__data_loc` member: its low half is the offset from the start of the record.
    pub(super) fn data_loc(&mut self, offset: u32) -> Val {
        let locator = self.load_context(&Type::U32, offset);
        let at = self.f.alu(AluOp::And, locator, Operand::Imm(0xffff));
        self.f.alu(AluOp::Add, Func::CTX, Operand::Val(at))
    }
}
