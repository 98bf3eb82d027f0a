//! The resolved, typed program: what the checker gives to the code generator.
//!
//! Rules that hold in every [`Program`] that [`crate::check`] returns; the code generator relies on them:
//!
//! - **Every integer value is canonical**: as if in a 64-bit register, sign- or zero-extended from the width of its type.
//!   [`ExprKind::Cast`] is the only node that changes the width or sign.
//! - **Arithmetic is 64-bit**: the operands of [`ExprKind::Binary`] arithmetic and bit operations have the type of the
//!   node, `int64` or `uint64`; shifts take any 64-bit right side. Comparisons have operands of one and the same type
//!   (`int64`, `uint64`, pointers as `uint64`, strings of any two lengths, tuples of one type, `func`/`probe` names) and give `bool`.
//!   Division and remainder follow the sign of the node's type and truncate to zero.
//! - **Conditions are `bool`**: predicates, `if`, `?:`, `&&`, `||` and `!` have operands of type `bool` (the checker
//!   turns an integer `x` into `x != 0`).
//! - **No place expressions**: member access, array indexing and dereferencing are [`ExprKind::Load`]s from a computed
//!   address (pointer + constant). A `Load` of a structure or array only stands where its bytes are copied.
//! - Maps and variables have one type; values assigned to them have exactly that type (for strings: at most that size).
//! - Positional parameters, constants, `cpid` and enum values are literals already.

use crate::env::{KernelFunction, KernelPlace, Site, Stop, Tracepoint, UprobeClass};
use crate::format::Format;
use crate::gomap::GoMapLayout;
use crate::probe::{PerfEvent, Watchpoint};
use crate::span::Span;
use crate::types::{AddrSpace, Struct, Type};
use std::sync::Arc;

/// A whole script, ready for code generation.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// Name of the script for diagnostics and debug information.
    pub source_name: String,
    /// Text of the script, of imported files too.
    pub source: String,
    /// The files that it imports.
    pub imported: crate::source::Imported,
    /// One entry per BPF program, in script order. A clause of the script becomes several when its attach points need
    /// different code (other calling convention, other tracepoint).
    pub probes: Vec<Probe>,
    /// The functions of the script, in its order.
    pub subprograms: Vec<Subprogram>,
    /// The maps in order of first use.
    pub maps: Vec<Map>,
    /// Functions that sites belong to; a [`Site::function`] indexes it, its index is `func` at run time and part of
    /// `callid`, so entry and return sites of one function share the entry.
    pub functions: Vec<Function>,
    /// The Go program whose goroutines probes outside of its code ask for ([`Builtin::Goid`] in a tracepoint); `None` when
    /// none does.
    pub go_program: Option<crate::env::GoProgram>,
    /// Settings the script was checked with.
    pub config: crate::Config,
}

/// A function of the script, `fn name(…)`; probes and other functions call it ([`ExprKind::Call`]), never itself.
#[derive(Clone, Debug)]
pub struct Subprogram {
    /// Its name.
    pub name: String,
    /// Its place in the script.
    pub span: Span,
    /// How many of the first [`Subprogram::vars`] are parameters, which the call assigns.
    pub params: usize,
    /// The variable whose value it gives where it returns, assigned on every way there; `None` when it gives none.
    pub result: Option<VarId>,
    /// What it does; [`StmtKind::Return`] leaves it.
    pub body: Vec<Stmt>,
    /// Its variables.
    pub vars: Vec<Var>,
}

impl Subprogram {
    /// Type of its value; [`Type::Void`] when it gives none.
    #[must_use]
    pub fn result_type(&self) -> &Type {
        self.result.map_or(&Type::Void, |var| &self.vars[var.0 as usize].ty)
    }
}

impl Program {
    /// The predicates and the blocks of all probes and functions.
    pub fn code(&self) -> impl Iterator<Item = (Option<&Expr>, &[Stmt])> {
        let probes = self.probes.iter().map(|p| (p.predicate.as_ref(), p.body.as_slice()));
        probes.chain(self.subprograms.iter().map(|s| (None, s.body.as_slice())))
    }
}

/// A traced function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Function {
    /// Path of the binary as the script names it.
    pub binary: String,
    /// Full symbol name.
    pub name: String,
}

impl Function {
    /// Its name with its binary or module before it. Functions of the kernel itself have none.
    #[must_use]
    pub fn path(&self) -> String {
        match self.binary.as_str() {
            "" => self.name.clone(),
            binary => format!("{binary}:{}", self.name),
        }
    }
}

impl Attach {
    /// What stands before [`Function::path`] in the text of `probe`, for attach points that may stand for many functions. `None`
    /// for others, and for those that name an instruction: their text is as it is written.
    #[must_use]
    pub fn named_by_function(&self) -> Option<&'static str> {
        match self {
            Attach::Uprobe { class, .. } if class.usdt.is_some() => Some("usdt"),
            Attach::Uprobe { class, .. } if class.stop == Stop::Inside => None,
            Attach::Uprobe { ret: false, .. } => Some("uprobe"),
            Attach::Uprobe { ret: true, .. } => Some("uretprobe"),
            Attach::Kprobe { places, .. } if places.iter().any(|(_, place)| place.offset > 0) => None,
            Attach::Kprobe { ret: false, .. } => Some("kprobe"),
            Attach::Kprobe { ret: true, .. } => Some("kretprobe"),
            _ => None,
        }
    }
}

/// Index into [`Program::maps`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct MapId(pub u32);
/// Index into [`Program::subprograms`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct SubId(pub u32);
/// Index into [`Probe::vars`] or [`Subprogram::vars`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct VarId(pub u32);

/// One BPF program and where it is attached.
#[derive(Clone, Debug)]
pub struct Probe {
    /// Where it is attached; decides what its context is.
    pub attach: Attach,
    /// Attach point as the user wrote it (`uprobe:./web:main.*`), the name that `probe` prints for kinds without functions.
    pub name: String,
    /// Place of the attach point in the script.
    pub span: Span,
    /// `/…/`, of type `bool`.
    pub predicate: Option<Expr>,
    /// The block.
    pub body: Vec<Stmt>,
    /// Variables of the block, parameters included.
    pub vars: Vec<Var>,
}

/// A script variable `$x`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Var {
    /// Its name without the dollar sign.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// Its address is taken ([`ExprKind::VarAddr`]), so it lies in memory.
    pub addressed: bool,
}

/// Where a program is attached.
#[derive(Clone, Debug)]
pub enum Attach {
    /// Once, before anything else is attached.
    Begin,
    /// Once, after everything has been detached.
    End,
    /// On one CPU, each period.
    Interval(Period),
    /// On every CPU, each period.
    Profile(Period),
    /// A kernel tracepoint.
    Tracepoint(Arc<Tracepoint>),
    /// A raw tracepoint.
    RawTracepoint(Arc<KernelFunction>),
    /// The entry or return of a kernel function, called by the function itself.
    Fentry {
        /// The function.
        function: Arc<KernelFunction>,
        /// Whether it is the return (`fexit`).
        ret: bool,
        /// Index in [`Program::functions`].
        index: u32,
    },
    /// Instructions of the kernel, or returns of its functions.
    Kprobe {
        /// Whether these are returns (`kretprobe`).
        ret: bool,
        /// The places, each with the index of its function in [`Program::functions`].
        places: Vec<(u32, KernelPlace)>,
    },
    /// Once for each object of a kind that the kernel has, when the script runs.
    Iter(Arc<Iter>),
    /// An access to memory, in the traced process or anywhere.
    Watchpoint(Watchpoint),
    /// Each time gotrace itself gets SIGUSR1.
    Signal,
    /// Once, to see whether it returns 0.
    Test,
    /// Many times, to see how long it takes.
    Bench,
    /// A counted event, on every CPU, or in the traced process.
    Perf {
        /// What is counted.
        event: &'static PerfEvent,
        /// The program runs after so many of it.
        count: u64,
    },
    /// User-space code.
    Uprobe {
        /// What code generation must know about all the sites.
        class: UprobeClass,
        /// Whether the sites are returns (`uretprobe`).
        ret: bool,
        /// The sites by binary; [`Site::function`] is set.
        targets: Vec<UprobeTarget>,
    },
}

/// A walk over objects of the kernel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Iter {
    /// The objects: `task`, `tcp`.
    pub object: String,
    /// What the program is called as: the first parameter is about the walk, the others are about the object.
    pub function: KernelFunction,
    /// The file that shows the output each time it is read, instead of a run.
    pub pin: Option<String>,
}

impl Attach {
    /// The structure of the kernel that a word of the context points to, where the program gets pointers that the verifier knows.
    #[must_use]
    pub fn structure_at(&self, word: u8) -> Option<&Struct> {
        let (function, returns) = match self {
            Attach::Fentry { function, ret, .. } if function.program.is_none() => (&**function, *ret),
            Attach::Iter(iter) => (&iter.function, false),
            _ => return None,
        };
        let param = function.params.iter().flatten().find(|param| param.word == word).map(|param| &param.ty);
        let result = function.result.as_ref().filter(|_| returns && word == function.words());
        param.or(result)?.kernel_structure()
    }
}

impl Iter {
    /// Whether it walks over threads: it can be asked for those of one process.
    #[must_use]
    pub fn of_threads(&self) -> bool {
        matches!(self.object.as_str(), "task" | "task_file" | "task_vma")
    }
}

/// The sites of one binary.
#[derive(Clone, Debug)]
pub struct UprobeTarget {
    /// Absolute path that the kernel opens.
    pub path: String,
    /// The sites.
    pub sites: Vec<Site>,
}

/// Time between two runs of an `interval` or `profile` program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Period {
    /// That many times a second.
    Hertz(u64),
    /// Every so many nanoseconds.
    Nanos(u64),
}

/// A map `@x`.
#[derive(Clone, Debug)]
pub struct Map {
    /// Name with the `@`.
    pub name: String,
    /// Type of the key; `None` for a scalar map. Several keys are a tuple.
    pub key: Option<Type>,
    /// What it holds.
    pub value: MapValue,
    /// Entries are evicted, least recently used first, rather than refused when it is full (keyed by `callid`, or declared so).
    pub lru: bool,
    /// Number of entries that the script declares; `None` for what the configuration says.
    pub entries: Option<u32>,
    /// First use in the script.
    pub span: Span,
}

/// What a map holds under each key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MapValue {
    /// A value that is assigned and read.
    Plain(Type),
    /// An aggregation; one part per CPU, merged when read from user space.
    Agg(Agg),
}

/// Kinds of aggregation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Agg {
    /// Number of updates.
    Count,
    /// Sum of the values.
    Sum {
        /// Values are signed.
        signed: bool,
    },
    /// Least value.
    Min {
        /// Values are signed.
        signed: bool,
    },
    /// Greatest value.
    Max {
        /// Values are signed.
        signed: bool,
    },
    /// Mean of the values.
    Avg {
        /// Values are signed.
        signed: bool,
    },
    /// Count, mean and sum.
    Stats {
        /// Values are signed.
        signed: bool,
    },
    /// Power-of-two histogram with `2^bits` buckets per power.
    Hist {
        /// 0 to 5.
        bits: u8,
    },
    /// Linear histogram: buckets of `step` from `min` to `max`, and one open bucket at either end.
    Lhist {
        /// Lower bound of the first bucket.
        min: i64,
        /// Upper bound of the last bucket.
        max: i64,
        /// Width of a bucket, greater than 0.
        step: i64,
    },
    /// What the values of each of the latest periods make.
    Tseries {
        /// Length of a period in nanoseconds, greater than 0; periods begin at multiples of it since 1970.
        interval: u64,
        /// Number of periods, 1 to 1000.
        count: u32,
        /// What is kept of the values of a period.
        of: Series,
        /// Values are signed.
        signed: bool,
    },
}

/// What [`Agg::Tseries`] keeps of the values of a period.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Series {
    /// The latest value.
    Last,
    /// The sum.
    Sum,
    /// The least value.
    Min,
    /// The greatest value.
    Max,
    /// The mean.
    Avg,
}

impl Series {
    /// Its name in scripts; [`Series::Last`] has none.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Series::Last => "last",
            Series::Sum => "sum",
            Series::Min => "min",
            Series::Max => "max",
            Series::Avg => "avg",
        }
    }
}

/// A statement.
#[derive(Clone, Debug)]
pub struct Stmt {
    /// What it does.
    pub kind: StmtKind,
    /// Its place in the script.
    pub span: Span,
}

/// Kinds of statement.
#[derive(Clone, Debug)]
pub enum StmtKind {
    /// `$v = e` and `let $v = e`; a `let` without value assigns zero.
    SetVar(VarId, Expr),
    /// `@m = e`, `@m[k] = e`. Compound assignments and `++` that the map can do in one atomic add are
    /// [`StmtKind::AddMap`].
    SetMap {
        /// The map.
        map: MapId,
        /// Key, `None` for a scalar map.
        key: Option<Expr>,
        /// New value.
        value: Expr,
    },
    /// `@m[k] += e`, `-=`, `++`, `--` as a statement: an atomic add of a 64-bit integer; a missing entry counts as 0.
    AddMap {
        /// The map; its value is a 64-bit integer.
        map: MapId,
        /// Key.
        key: Option<Expr>,
        /// What is added (negated already for `-=`).
        delta: Expr,
    },
    /// `@m[k] = count()` and its like.
    Update {
        /// The map; its value is an [`MapValue::Agg`].
        map: MapId,
        /// Key.
        key: Option<Expr>,
        /// The value to account, 64-bit; `None` for `count()`.
        value: Option<Expr>,
    },
    /// `if`; a ternary of statements too.
    If {
        /// Condition.
        cond: Expr,
        /// Block when true.
        then: Vec<Stmt>,
        /// Block when false.
        els: Vec<Stmt>,
    },
    /// Repeats a block.
    Loop {
        /// What it runs over.
        kind: LoopKind,
        /// The block.
        body: Vec<Stmt>,
    },
    /// Leaves the innermost loop.
    Break,
    /// Goes on with the next round of the innermost loop.
    Continue,
    /// Leaves the program, or the function around it.
    Return,
    /// An expression for its effects (`delete(@m, k);`, `$x++;`).
    Expr(Expr),
    /// Sends a record to user space, which acts on it.
    Emit {
        /// What user space does.
        action: Action,
        /// Values that go with it.
        args: Vec<Expr>,
    },
}

/// What a loop runs over.
#[derive(Clone, Debug)]
pub enum LoopKind {
    /// `for ($i : from..to)`: half-open; the bounds are evaluated once. Assignments to the variable last for one round.
    Range {
        /// Set at the start of each round; its type is that of the bounds.
        var: VarId,
        /// First value.
        from: Expr,
        /// The value before which it ends.
        to: Expr,
    },
    /// `for ($kv : @m)`: every entry once, in no order.
    Map {
        /// Set at the start of each round: the tuple of key and value.
        var: VarId,
        /// The map, which has keys.
        map: MapId,
    },
    /// `while (cond)`
    While {
        /// Evaluated before each round.
        cond: Expr,
    },
}

/// What user space does when a record arrives. Everything static stands here, everything dynamic in the arguments.
#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    /// `printf`: prints the arguments by the format.
    Printf(Format),
    /// `print(e)`: prints the one argument and a newline.
    Print,
    /// `print(@m[k])`: prints the value as the map's values are printed. The argument is the key; the value follows where it
    /// fits into a record, else it is read from the map when the record arrives (histograms, stats).
    PrintEntry(MapId),
    /// `errorf` and `warnf`: prints the arguments by the format as a message about the script.
    Report(Severity, Format),
    /// `cat`: prints a file whose name the arguments make by the format.
    Cat(Format),
    /// `system`: runs a shell command that the arguments make by the format, and prints its output.
    System(Format),
    /// `print(@m, top, div)`; no arguments.
    PrintMap {
        /// The map.
        map: MapId,
        /// Only so many of the greatest entries; 0 for all.
        top: u32,
        /// Values and histogram counts are divided by this; 0 and 1 for not.
        div: u32,
    },
    /// `clear(@m)`: removes all entries.
    Clear(MapId),
    /// `zero(@m)`: sets all values to zero.
    Zero(MapId),
    /// `exit()`, `exit(code)`: ends the run; the one argument is the exit code (`int64`).
    Exit,
    /// `time(format)`: prints the time of day when the record is read.
    Time(Arc<str>),
    /// `skboutput`: writes a packet to a file; arguments are the time (`nsecs`), the length of the packet, and its bytes.
    Packet(Arc<str>),
    /// `return value` in a test: the one argument (`int64`) is the value; the test fails unless it is 0.
    Return,
    /// `unwatch(address)`: ends the watchpoints on the address, the one argument (`uint64`).
    Unwatch,
    /// `join(argv, separator)`: prints the strings; arguments are up to 16 strings.
    Join(Arc<str>),
}

/// How bad it is what a script reports.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Severity {
    /// `errorf`
    Error,
    /// `warnf`
    Warning,
}

/// A typed expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it computes.
    pub kind: ExprKind,
    /// Type of the result.
    pub ty: Type,
    /// Its place in the script.
    pub span: Span,
}

/// Kinds of expression.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// An integer, boolean or pointer literal: its 64 bits in canonical form.
    Int(u64),
    /// The zero of a type that has no literal: a structure, an array.
    Zero,
    /// A string literal without the NUL; the type is `Str(len + 1)` rounded up to 8.
    Str(Arc<[u8]>),
    /// A script variable.
    Var(VarId),
    /// The value of a map entry; zero (of the value type) when there is none. Of an aggregation of type count, sum, min,
    /// max or avg: the merged value over all CPUs, as `int64`/`uint64`.
    MapGet {
        /// The map.
        map: MapId,
        /// Key.
        key: Option<Box<Expr>>,
    },
    /// `has_key(@m, k)`: `bool`.
    HasKey {
        /// The map.
        map: MapId,
        /// Key.
        key: Box<Expr>,
    },
    /// `delete(@m, k)`: removes the entry (a scalar map is set to zero), gives whether there was one.
    Delete {
        /// The map.
        map: MapId,
        /// Key.
        key: Option<Box<Expr>>,
    },
    /// `len(@m)`: number of entries, `int64`.
    MapLen(MapId),
    /// `len(ustack)`: number of frames of the stack argument.
    StackLen(Box<Expr>),
    /// `-e`, `~e`, `!e`.
    Unary(UnOp, Box<Expr>),
    /// Arithmetic, bits, comparison.
    Binary(BinOp, Box<Expr>, Box<Expr>),
    /// `a && b`, `a || b` with short circuit.
    Logical(LogicOp, Box<Expr>, Box<Expr>),
    /// `c ? a : b`; both of the node's type (strings: at most its size).
    Ternary(Box<Expr>, Box<Expr>, Box<Expr>),
    /// The operand as the node's type: integers are truncated or extended, pointers and integers exchanged, strings cut; an
    /// integer and an array of its size are the same bytes; of an array of `char` the text up to its NUL.
    Cast(Box<Expr>),
    /// `++`/`--` on a variable as an expression.
    IncVar {
        /// The variable, an integer or a pointer.
        var: VarId,
        /// Added (the element size for pointers; negative for `--`).
        delta: i64,
        /// The result is the value after (`++$x`) rather than before.
        prefix: bool,
    },
    /// `++`/`--` on a 64-bit integer map entry as an expression.
    IncMap {
        /// The map.
        map: MapId,
        /// Key.
        key: Option<Box<Expr>>,
        /// 1 or -1.
        delta: i64,
        /// The result is the value after rather than before.
        prefix: bool,
    },
    /// `(a, b)`, and `(x=a, y=b)` in the order of the type's members.
    Tuple(Vec<Expr>),
    /// Member `n` of a tuple or record.
    Member(Box<Expr>, u32),
    /// `&$v`: the kernel address of a variable, which then lies in memory.
    VarAddr(VarId),
    /// `&@m`, `&@m[k]`: the kernel address of the value of a map entry; 0 when there is none. The map holds plain values.
    EntryAddr {
        /// The map.
        map: MapId,
        /// Key.
        key: Option<Box<Expr>>,
    },
    /// What lies at a constant offset in a structure, an array or a string that the script holds, as a value of the node's type.
    Part {
        /// The whole.
        of: Box<Expr>,
        /// Byte offset, within its size.
        offset: u32,
    },
    /// An element of an array that the script holds; zero when there are fewer. The node's type is that of the elements.
    Element {
        /// The array.
        of: Box<Expr>,
        /// Which element, a `uint64`.
        index: Box<Expr>,
    },
    /// The value of the node's type at an address of the traced process or the kernel; zero when it cannot be read.
    Load {
        /// Address, a 64-bit value.
        addr: Box<Expr>,
        /// Which memory.
        space: AddrSpace,
    },
    /// The value of the node's type at a constant offset of the probe's context record (tracepoint `args`).
    Ctx {
        /// Byte offset.
        offset: u32,
    },
    /// A tracepoint's `__data_loc` member as a string or, for other element types, its address (`Ptr`, kernel).
    CtxDataLoc {
        /// Byte offset of the 4-byte locator.
        offset: u32,
    },
    /// A builtin variable.
    Builtin(Builtin),
    /// `str(p)`, `str(p, n)`: NUL-terminated text at an address; with a length (a 64-bit integer) at most that many
    /// bytes, none lost. Type `Str(max_strlen)` or less.
    ReadStr {
        /// Address.
        addr: Box<Expr>,
        /// Greatest number of bytes of text.
        len: Option<Box<Expr>>,
        /// Which memory.
        space: AddrSpace,
    },
    /// `gostr(p, n)`: exactly `n` bytes of text at a user address.
    GoStr {
        /// Address of the first byte.
        addr: Box<Expr>,
        /// Length in bytes.
        len: Box<Expr>,
    },
    /// `buf(p, n)`: type `Buf(max)`.
    ReadBuf {
        /// Address.
        addr: Box<Expr>,
        /// Number of bytes; more than the type's size is cut.
        len: Box<Expr>,
        /// Which memory.
        space: AddrSpace,
    },
    /// `usym(e)` or `ksym(e)` by the node's type.
    Symbol(Box<Expr>),
    /// `{ …; e }`: the value after the statements.
    Block(Vec<Stmt>, Box<Expr>),
    /// A call of a function of the script with a value for each parameter, of exactly its type (strings: at most that size).
    Call(SubId, Vec<Expr>),
    /// A function of values; [`Fun`] says which values it takes and what it gives.
    Apply(Fun, Vec<Expr>),
    /// The words `wall` and `ext` of a Go `time.Time` (`uint64`) as [`Type::Time`].
    GoTime {
        /// Nanoseconds in the low 30 bits; with the highest bit set, seconds since 1885 in those between.
        wall: Box<Expr>,
        /// Else the seconds since the year 1.
        ext: Box<Expr>,
    },
    /// The errors in an interface; type [`Type::GoError`].
    GoError(Box<GoError>),
    /// A Go value with what it refers to; type [`Type::GoCopy`]. The parts are the bytes of the value itself.
    GoCopy(Vec<CopyPart>),
}

/// A member of a kernel structure, as [`Expr::member_of`] finds it.
#[derive(Clone, Copy, Debug)]
pub struct KernelMember<'e, 'a> {
    /// The pointer to the structure.
    pub pointer: &'e Expr,
    /// The structure's tag.
    pub structure: &'a str,
    /// Offset in bytes.
    pub offset: u32,
    /// Size in bytes of what is read.
    pub size: u32,
}

impl KernelMember<'_, '_> {
    /// Structure, offset and size.
    #[must_use]
    pub fn key(&self) -> (String, u32, u32) {
        (self.structure.to_owned(), self.offset, self.size)
    }
}

/// Functions that need nothing but their operands.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Fun {
    /// `bswap(n)`: the bytes of an integer of so many bits in reverse order; unsigned.
    SwapBytes(u8),
    /// `ntop(e)`: family and address as [`Type::Inet`]. The address is an integer in network order, or an array of 4 or 16 bytes.
    Inet {
        /// `AF_INET` or `AF_INET6`.
        family: u16,
    },
    /// `macaddr(e)`: an array of 6 bytes as [`Type::Mac`].
    Mac,
    /// `strlen(text)`: bytes before the NUL (`int64`).
    Length,
    /// `strncmp` and `memcmp`: 1 if the first bytes of two values in memory differ, else 0 (`int64`). A literal is the second.
    Differ {
        /// How many; neither value is shorter.
        bytes: u32,
    },
    /// `strstr(text, part)`: index of the first place, negative if there is none (`int64`).
    Find,
    /// `strcontains(text, part)`: whether there is one (`bool`).
    Contains,
    /// `str_concat(a, b)`
    Concat,
    /// `signal(n)`, `signal_thread(n)`: sends a signal to the current process or thread; gives 0 or a negative error number (`int64`).
    Signal {
        /// To the thread alone.
        thread: bool,
    },
    /// `override(n)`: makes the probed function of the kernel return that at once; gives 0 (`int64`).
    Override,
    /// `write_user`: writes into the memory of the traced process, at an address (`uint64`), so many bytes of a value, or of what a pointer
    /// points to. Gives whether it could (`bool`).
    WriteUser {
        /// How many.
        bytes: u32,
    },
    /// `socket_cookie`: the number of a socket (`uint64`). The operand is an argument of the program or reached from one by additions and loads.
    SocketCookie,
    /// `path`: the name of a `struct path`, an operand as that of [`Fun::SocketCookie`]; a text.
    KernelPath,
    /// `debugf`: writes a line to the kernel's trace pipe by a format of the kernel (vsprintf.c), without its NUL. Up to three numbers and
    /// texts. Gives the number of bytes or a negative error number (`int64`).
    TracePrint(Arc<[u8]>),
    /// A number (`uint64`) as the node's type, a [`Type::Named`].
    Named,
    /// The address of the element that a map of the traced Go program has for a key, 0 if it has none (`uint64`): the address that is the
    /// map, and a key, a text or a number of the size of the map's keys.
    GoMapEntry(GoMapLayout),
    /// Something of a thread: the operand is the address of its `task_struct`, none for the current thread. Of the node's type.
    Task(TaskField),
}

impl Fun {
    /// Whether it does something besides giving its value.
    #[must_use]
    pub fn acts(&self) -> bool {
        matches!(self, Fun::Signal { .. } | Fun::TracePrint(_) | Fun::Override | Fun::WriteUser { .. })
    }
}

/// What [`Fun::Task`] reads.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TaskField {
    /// Process id of the parent (`uint32`), 0 if it lives outside of gotrace's pid namespace.
    ParentPid,
    /// Name of the parent's main thread.
    ParentComm,
    /// Thread id of the process's main thread (`uint32`), 0 if it lives outside of gotrace's pid namespace.
    LeaderTid,
    /// Name of the process's main thread.
    LeaderComm,
}

/// The operands of [`ExprKind::GoError`].
#[derive(Clone, Debug)]
pub struct GoError {
    /// The two words of the interface (`uint64`).
    pub words: (Expr, Expr),
    /// The first word is an itab, not a type.
    pub methods: bool,
    /// Taken from the address of a type before it is compared with [`crate::goerror::ErrorType::address`].
    pub base: Option<Expr>,
    /// The types that are known.
    pub types: Arc<[crate::goerror::ErrorType]>,
}

/// Some bytes of a value that is copied whole.
#[derive(Clone, Debug)]
pub struct CopyPart {
    /// Where they lie in the copy.
    pub at: u32,
    /// How many there are; at most 8 for a [`CopySource::Value`].
    pub size: u32,
    /// Where they are.
    pub from: CopySource,
}

/// Where a [`CopyPart`] is.
#[derive(Clone, Debug)]
pub enum CopySource {
    /// In the memory of the traced process, at this address (`uint64`).
    Memory(Expr),
    /// In the low bytes of this number (`uint64`).
    Value(Expr),
}

impl CopySource {
    /// The address or the number.
    #[must_use]
    pub fn expr(&self) -> &Expr {
        match self {
            CopySource::Memory(e) | CopySource::Value(e) => e,
        }
    }
}

/// Builtin variables and functions without operands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Builtin {
    /// Process id (`uint32`).
    Pid(PidSpace),
    /// Thread id (`uint32`).
    Tid(PidSpace),
    /// User id (`uint32`).
    Uid,
    /// Group id (`uint32`).
    Gid,
    /// Name of the thread, `Str(16)`.
    Comm,
    /// Time in nanoseconds (`uint64`).
    Nsecs(Clock),
    /// Nanoseconds since gotrace started (`uint64`).
    Elapsed,
    /// CPU number (`uint32`).
    Cpu,
    /// Address of the kernel's `task_struct` of the current thread.
    CurTask,
    /// A pseudo-random number (`uint32`).
    Rand,
    /// Number of CPUs that the machine can have (`uint64`).
    Cpus,
    /// Number of the NUMA node (`uint32`).
    NumaNode,
    /// Ticks of the kernel's timer (`uint64`).
    Jiffies,
    /// Whether the program interrupted user code (`bool`).
    UserMode,
    /// Id of the thread's control group in the unified hierarchy (`uint64`).
    Cgroup,
    /// The attach point that fired, [`Type::ProbeName`].
    Probe,
    /// The traced function, [`Type::FuncName`].
    Func,
    /// Argument by the calling convention of the site (`argN`; on Go the same as `sargN`), `uint64`.
    Arg(u8),
    /// Argument word on the stack, on Go wherever the ABI has it; `uint64`.
    Sarg(u8),
    /// Result: the first result word, `uint64`.
    Retval,
    /// Result word of Go's ABIInternal, `uint64`.
    ResultWord(u8),
    /// A register by its index in [`crate::arch::REGISTERS_X86_64`] or the table of the target.
    Reg(u8),
    /// The address that the traced call returns to; at entries and return instructions (`uint64`).
    Caller,
    /// Id of the current goroutine, 0 for none (`uint64`).
    Goid,
    /// Address of the current goroutine's `runtime.g`, 0 for none (the pointer type of the node).
    CurrentG,
    /// The number of the current call, the same at its entry and its returns (`uint64`).
    CallId,
    /// A stack of the node's type.
    Stack,
    /// A user stack of the node's type, walked by unwinding tables.
    DwarfStack,
    /// Address of the program's context: the saved registers of the interrupted code (the pointer type of the node).
    Context,
    /// Address at which the traced binary's file would begin if all of it were mapped the way its code is: the instruction
    /// pointer less the file offset of the site (`uint64`).
    CodeBase,
}

/// A [`Type::FuncName`] that names no function and is printed as `0`.
pub const NO_FUNCTION: u64 = u64::MAX;

/// Where process and thread ids are counted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PidSpace {
    /// In the pid namespace that gotrace runs in.
    Own,
    /// In the initial one.
    Initial,
}

/// Clocks of `nsecs`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Clock {
    /// `CLOCK_MONOTONIC`
    Monotonic,
    /// `CLOCK_BOOTTIME`, the default
    Boot,
    /// `CLOCK_TAI`
    Tai,
    /// `CLOCK_TAI` as gotrace computes it: the boot clock and the distance of the two at the start. For kernels without the other.
    SoftwareTai,
}

/// Unary operators.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum UnOp {
    /// `-`
    Neg,
    /// `~`
    BitNot,
    /// `!`
    Not,
}

/// Binary operators without short circuit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BinOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Mod,
    /// `&`
    And,
    /// `|`
    Or,
    /// `^`
    Xor,
    /// `<<`
    Shl,
    /// `>>`: arithmetic when the node is signed
    Shr,
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

/// Operators with short circuit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LogicOp {
    /// `&&`
    And,
    /// `||`
    Or,
}

impl Expr {
    /// An expression.
    #[must_use]
    pub fn new(kind: ExprKind, ty: Type, span: Span) -> Expr {
        Expr { kind, ty, span }
    }

    /// The expression without the casts around it.
    #[must_use]
    pub fn uncast(&self) -> &Expr {
        match &self.kind {
            ExprKind::Cast(of) => of.uncast(),
            _ => self,
        }
    }

    /// The member of a kernel structure that a value of type `ty` at this address is, in a probe: constant distances from a pointer.
    #[must_use]
    pub fn member_of<'e: 'a, 'a>(&'e self, ty: &Type, attach: &'a Attach) -> Option<KernelMember<'e, 'a>> {
        let (mut at, mut offset) = (self, 0u64);
        while let ExprKind::Binary(BinOp::Add, base, by) = &at.kind {
            offset = offset.checked_add(by.literal()?)?;
            at = base;
        }
        let (pointer, structure) = match &at.kind {
            ExprKind::Cast(pointer) => (&**pointer, pointer.ty.kernel_structure()?),
            ExprKind::Builtin(Builtin::Arg(word)) => (at, attach.structure_at(*word)?),
            _ => return None,
        };
        let offset = u32::try_from(offset).ok()?;
        Some(KernelMember { pointer, structure: &structure.name, offset, size: ty.size() })
    }

    /// The 64 bits of a literal.
    #[must_use]
    pub fn literal(&self) -> Option<u64> {
        match self.kind {
            ExprKind::Int(v) => Some(v),
            _ => None,
        }
    }

    /// The expressions directly below.
    #[must_use]
    pub fn children(&self) -> Vec<&Expr> {
        match &self.kind {
            ExprKind::Int(_)
            | ExprKind::Zero
            | ExprKind::Str(_)
            | ExprKind::Var(_)
            | ExprKind::MapLen(_)
            | ExprKind::VarAddr(_)
            | ExprKind::IncVar { .. }
            | ExprKind::Ctx { .. }
            | ExprKind::CtxDataLoc { .. }
            | ExprKind::Builtin(_) => Vec::new(),
            ExprKind::MapGet { key, .. }
            | ExprKind::EntryAddr { key, .. }
            | ExprKind::Delete { key, .. }
            | ExprKind::IncMap { key, .. } => key.iter().map(Box::as_ref).collect(),
            ExprKind::HasKey { key: e, .. }
            | ExprKind::StackLen(e)
            | ExprKind::Unary(_, e)
            | ExprKind::Cast(e)
            | ExprKind::Member(e, _)
            | ExprKind::Part { of: e, .. }
            | ExprKind::Load { addr: e, .. }
            | ExprKind::Symbol(e) => vec![e],
            ExprKind::Binary(_, a, b)
            | ExprKind::Logical(_, a, b)
            | ExprKind::Element { of: a, index: b }
            | ExprKind::GoStr { addr: a, len: b }
            | ExprKind::GoTime { wall: a, ext: b }
            | ExprKind::ReadBuf { addr: a, len: b, .. } => vec![a, b],
            ExprKind::Ternary(c, a, b) => vec![c, a, b],
            ExprKind::Block(stmts, value) => {
                let mut out = vec![value.as_ref()];
                visit_block(stmts, &mut |stmt| out.extend(stmt.exprs()));
                out
            }
            ExprKind::Tuple(list) | ExprKind::Apply(_, list) | ExprKind::Call(_, list) => {
                list.iter().collect()
            }
            ExprKind::GoError(error) => {
                [&error.words.0, &error.words.1].into_iter().chain(error.base.as_ref()).collect()
            }
            ExprKind::GoCopy(parts) => parts.iter().map(|part| part.from.expr()).collect(),
            ExprKind::ReadStr { addr, len, .. } => {
                std::iter::once(addr.as_ref()).chain(len.as_deref()).collect()
            }
        }
    }

    /// Calls `f` with this expression and every one inside it.
    pub fn visit(&self, f: &mut impl FnMut(&Expr)) {
        f(self);
        for child in self.children() {
            child.visit(f);
        }
    }

    /// Whether evaluating it changes a variable or a map.
    #[must_use]
    pub fn has_effects(&self) -> bool {
        let mut found = false;
        self.visit(&mut |e| {
            found |= matches!(
                e.kind,
                ExprKind::IncVar { .. }
                    | ExprKind::IncMap { .. }
                    | ExprKind::Delete { .. }
                    | ExprKind::Call(..)
                    | ExprKind::Block(..)
            ) || matches!(&e.kind, ExprKind::Apply(fun, _) if fun.acts());
        });
        found
    }
}

impl Stmt {
    /// The expressions of this statement, without those of the blocks in it.
    #[must_use]
    pub fn exprs(&self) -> Vec<&Expr> {
        match &self.kind {
            StmtKind::SetVar(_, e) | StmtKind::Expr(e) | StmtKind::If { cond: e, .. } => vec![e],
            StmtKind::SetMap { key, value, .. } | StmtKind::AddMap { key, delta: value, .. } => {
                key.iter().chain([value]).collect()
            }
            StmtKind::Update { key, value, .. } => key.iter().chain(value).collect(),
            StmtKind::Loop { kind, .. } => match kind {
                LoopKind::Range { from, to, .. } => vec![from, to],
                LoopKind::While { cond } => vec![cond],
                LoopKind::Map { .. } => Vec::new(),
            },
            StmtKind::Emit { args, .. } => args.iter().collect(),
            StmtKind::Break | StmtKind::Continue | StmtKind::Return => Vec::new(),
        }
    }
}

/// Calls `f` with every statement of a block and of the blocks in it, but not with those inside expressions
/// ([`ExprKind::Block`]).
pub fn visit_block<'a>(block: &'a [Stmt], f: &mut impl FnMut(&'a Stmt)) {
    let mut blocks = vec![block];
    while let Some(block) = blocks.pop() {
        for stmt in block {
            f(stmt);
            match &stmt.kind {
                StmtKind::If { then, els, .. } => blocks.extend([then.as_slice(), els]),
                StmtKind::Loop { body, .. } => blocks.push(body),
                _ => {}
            }
        }
    }
}

/// Calls `f` with every statement of a block, wherever it stands: in inner blocks and in expressions.
pub fn visit_all<'a>(block: &'a [Stmt], f: &mut impl FnMut(&'a Stmt)) {
    let mut blocks = vec![block];
    while let Some(block) = blocks.pop() {
        visit_block(block, &mut |stmt| {
            f(stmt);
            let mut exprs = stmt.exprs();
            while let Some(e) = exprs.pop() {
                match &e.kind {
                    ExprKind::Block(stmts, value) => {
                        blocks.push(stmts);
                        exprs.push(value);
                    }
                    _ => exprs.extend(e.children()),
                }
            }
        });
    }
}
