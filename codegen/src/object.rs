//! What code generation produces: programs, maps and the layouts of everything that crosses to user space.
//!
//! [`crate::elf::write`] turns an [`Object`] into a standard BPF ELF file. The loader takes the bytes from there, and the
//! layouts from here.

use crate::helper::Helper;
use crate::insn::Insn;
use lang::hir::{Action, MapValue};
use lang::span::Span;
use lang::types::Type;

/// A compiled script.
#[derive(Clone, Debug, Default)]
pub struct Object {
    /// Name of the script.
    pub source_name: String,
    /// Its text, for the line information.
    pub source: String,
    /// The files that it imports.
    pub imported: lang::Imported,
    /// One program per [`lang::hir::Probe`], same order.
    pub programs: Vec<Program>,
    /// BPF maps; programs refer to them by index.
    pub maps: Vec<MapDef>,
    /// The script's maps, in the order of [`lang::hir::Program::maps`].
    pub user_maps: Vec<UserMap>,
    /// Layouts of the ring-buffer records; the first 8 bytes of a record are its index here.
    pub records: Vec<Record>,
    /// What the slots of the counter map count; slot 0 is always [`CounterKind::LostEvents`].
    pub counters: Vec<Counter>,
}

impl Object {
    /// Index of an internal map by name ([`EVENTS`], [`COUNTERS`], [`SCRATCH`]).
    #[must_use]
    pub fn map_index(&self, name: &str) -> Option<usize> {
        self.maps.iter().position(|m| m.name == name)
    }
}

/// Name of the ring buffer.
pub const EVENTS: &str = "events";
/// Name of the section and map of the error counters (`u64` each).
pub const COUNTERS: &str = ".bss";
/// Start of the names of the sections and maps of scalar maps that hold plain values: one global variable each.
pub const SCALAR: &str = ".data.";
/// Name of the memory for values that do not fit the stack.
pub const SCRATCH: &str = "scratch";
/// Name of the section and map of a word that is always zero, which the verifier does not know.
pub const UNKNOWN_ZERO: &str = ".data.zero";
/// Name of a read-only source of zeros for large new map values.
pub const ZEROS: &str = "zeros";

/// A BPF program.
#[derive(Clone, Debug)]
pub struct Program {
    /// Symbol name: unique, a C identifier of at most 15 bytes.
    pub name: String,
    /// ELF section, a name that libbpf knows.
    pub section: &'static str,
    /// Program type and attach type.
    pub kind: ProgramKind,
    /// What of the kernel it is loaded for, if it must be known then.
    pub attach_to: Option<KernelType>,
    /// Its instructions; map references are relocations.
    pub insns: Vec<Insn>,
    /// Instructions that need the address of a map.
    pub map_refs: Vec<MapRef>,
    /// Script places: from this instruction on, in ascending order.
    pub lines: Vec<(usize, Span)>,
    /// Instructions that need the address of a function.
    pub func_refs: Vec<FuncRef>,
    /// Its functions: those of the script that it calls, and those that helpers call back.
    pub subs: Vec<Subprogram>,
}

impl Program {
    /// The script places of the whole program as the kernel sees it, the functions behind it in the order in which they are first
    /// referred to, as linkers append them.
    #[must_use]
    pub fn linked_lines(&self) -> Vec<(usize, Span)> {
        let mut lines = self.lines.clone();
        let mut len = self.insns.len();
        let mut linked = vec![false; self.subs.len()];
        self.link(&self.func_refs, &mut linked, &mut len, &mut lines);
        lines
    }

    /// Whether it reads memory of the process that it interrupts.
    #[must_use]
    pub fn reads_user_memory(&self) -> bool {
        let insns = self.insns.iter().chain(self.subs.iter().flat_map(|sub| &sub.insns));
        let reads = [Helper::ReadUser, Helper::ReadUserStr].map(|helper| Insn::call(helper as i32));
        insns.into_iter().any(|insn| reads.contains(insn))
    }

    fn link(&self, refs: &[FuncRef], linked: &mut [bool], len: &mut usize, lines: &mut Vec<(usize, Span)>) {
        for reference in refs {
            let (Some(sub), Some(known)) = (self.subs.get(reference.sub), linked.get_mut(reference.sub))
            else {
                continue;
            };
            if std::mem::replace(known, true) {
                continue;
            }
            lines.extend(sub.lines.iter().map(|(at, span)| (*len + at, *span)));
            *len += sub.insns.len();
            self.link(&sub.func_refs, linked, len, lines);
        }
    }
}

/// A function of a [`Program`].
#[derive(Clone, Debug)]
pub struct Subprogram {
    /// Symbol name: unique, a C identifier.
    pub name: String,
    /// Number of its arguments.
    pub params: usize,
    /// The verifier looks at it by itself, for whatever arguments.
    pub separate: bool,
    /// Its instructions.
    pub insns: Vec<Insn>,
    /// Instructions that need the address of a map.
    pub map_refs: Vec<MapRef>,
    /// Instructions that need the address of a function.
    pub func_refs: Vec<FuncRef>,
    /// Script places.
    pub lines: Vec<(usize, Span)>,
}

/// An instruction that refers to a function: an `ld_imm64` of its address, or a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FuncRef {
    /// Index of the instruction.
    pub insn: usize,
    /// Index into [`Program::subs`].
    pub sub: usize,
}

/// A function of the kernel or of a BPF program by its number in BTF.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KernelType {
    /// Its number in the BTF of the kernel, of the module or of the program.
    pub id: u32,
    /// The module; `None` for the kernel itself.
    pub module: Option<String>,
    /// The number of the loaded BPF program that has it.
    pub program: Option<u32>,
}

/// An `ld_imm64` that refers to a map.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MapRef {
    /// Index of the instruction.
    pub insn: usize,
    /// Index into [`Object::maps`].
    pub map: usize,
    /// `None`: the map itself. Else the address of this byte of the only value of a global-data map.
    pub value_offset: Option<u32>,
}

/// Program and attach types (include/uapi/linux/bpf.h).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ProgramKind {
    /// `BPF_PROG_TYPE_RAW_TRACEPOINT`, run once with `BPF_PROG_TEST_RUN`: `begin` and `end`.
    RunOnce,
    /// `BPF_PROG_TYPE_PERF_EVENT`: `interval` and `profile`.
    PerfEvent,
    /// `BPF_PROG_TYPE_TRACEPOINT`.
    Tracepoint,
    /// `BPF_PROG_TYPE_RAW_TRACEPOINT`, attached to a raw tracepoint.
    RawTracepoint,
    /// `BPF_PROG_TYPE_KPROBE` in the kernel: a perf event for each place.
    Kprobe,
    /// `BPF_PROG_TYPE_KPROBE` for `BPF_TRACE_KPROBE_MULTI`: one link for all functions.
    KprobeMulti,
    /// `BPF_PROG_TYPE_TRACING` for `BPF_TRACE_FENTRY` or, with the flag, `BPF_TRACE_FEXIT`.
    Fentry {
        /// Runs when the function returns.
        ret: bool,
    },
    /// `BPF_PROG_TYPE_TRACING` for `BPF_TRACE_ITER`.
    Iter,
    /// `BPF_PROG_TYPE_KPROBE`; attached with `BPF_TRACE_UPROBE_MULTI` where [`crate::Target::uprobe_multi`] says so.
    Uprobe,
}

/// Map types (`enum bpf_map_type`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u32)]
pub enum MapKind {
    /// `BPF_MAP_TYPE_HASH`
    Hash = 1,
    /// `BPF_MAP_TYPE_ARRAY`
    Array = 2,
    /// `BPF_MAP_TYPE_PERCPU_HASH`
    PerCpuHash = 5,
    /// `BPF_MAP_TYPE_PERCPU_ARRAY`
    PerCpuArray = 6,
    /// `BPF_MAP_TYPE_LRU_HASH`
    LruHash = 9,
    /// `BPF_MAP_TYPE_LRU_PERCPU_HASH`
    LruPerCpuHash = 10,
    /// `BPF_MAP_TYPE_RINGBUF`
    RingBuf = 27,
}

impl MapKind {
    /// Whether each CPU has its own value.
    #[must_use]
    pub fn is_per_cpu(self) -> bool {
        matches!(self, MapKind::PerCpuHash | MapKind::PerCpuArray | MapKind::LruPerCpuHash)
    }

    /// Whether the keys are the indexes 0 to `max_entries - 1`.
    #[must_use]
    pub fn is_array(self) -> bool {
        matches!(self, MapKind::Array | MapKind::PerCpuArray)
    }
}

/// Definition of a BPF map.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MapDef {
    /// Name: `AT_x` for the script's `@x`.
    pub name: String,
    /// Its type.
    pub kind: MapKind,
    /// Bytes of a key; 0 for the ring buffer.
    pub key_size: u32,
    /// Bytes of a value (of one CPU); 0 for the ring buffer.
    pub value_size: u32,
    /// Entries; bytes for the ring buffer.
    pub max_entries: u32,
}

/// A map of the script.
#[derive(Clone, Debug)]
pub struct UserMap {
    /// Name with the `@`.
    pub name: String,
    /// Index into [`Object::maps`].
    pub map: usize,
    /// Type of the key; `None` for a scalar map (kept in an array of one entry). The key in memory is this type's layout,
    /// its size rounded up to 8 with zeros.
    pub key: Option<Type>,
    /// What a value holds: a plain value in its type's layout (size rounded up to 8), or an aggregation as
    /// [`crate::layout`] says. A plain scalar is followed by a `u64` that is 1 once it has been set.
    pub value: MapValue,
    /// The script declares how many entries there is room for.
    pub declared: bool,
}

/// Layout of a kind of ring-buffer record: `u64` index of the layout, then the fields.
#[derive(Clone, Debug)]
pub struct Record {
    /// What user space does with it.
    pub action: Action,
    /// The arguments in order.
    pub fields: Vec<RecordField>,
    /// Bytes in all.
    pub size: u32,
    /// The statement that sends it.
    pub span: Span,
}

/// A field of a [`Record`].
#[derive(Clone, Debug)]
pub struct RecordField {
    /// Offset from the start of the record.
    pub offset: u32,
    /// Its type and so its size.
    pub ty: Type,
}

/// What a slot of the counter map counts.
#[derive(Clone, Debug)]
pub struct Counter {
    /// What went wrong.
    pub kind: CounterKind,
    /// Where in the script; empty for [`CounterKind::LostEvents`].
    pub span: Span,
}

/// Run-time errors that programs count.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CounterKind {
    /// The ring buffer was full.
    LostEvents,
    /// A divisor was zero; the result was 1.
    DivideByZero,
    /// Memory could not be read; the result was zero.
    ReadFailed,
    /// A map was full.
    MapFull,
    /// A map whose number of entries the script declares was full.
    DeclaredMapFull,
    /// No stack could be taken.
    StackFailed,
    /// All scratch memory was in use; the event was dropped.
    NoScratch,
    /// A loop went on for too long; the kernel ended it.
    LoopLimit,
    /// A map of a Go program has more entries than are looked through for a key.
    GoMapLimit,
    /// A stack was walked through code without an unwinding table; there it follows frame pointers.
    NoUnwindTable,
    /// A stack ends where its unwinding table has a rule that is not understood.
    UnknownUnwindRule,
}

impl CounterKind {
    /// Whether it is reported only with `-k`.
    #[must_use]
    pub fn verbose_only(self) -> bool {
        matches!(self, CounterKind::ReadFailed | CounterKind::StackFailed)
    }
}
