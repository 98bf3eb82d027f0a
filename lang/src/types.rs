//! Types of the language and their layout in memory.
//!
//! The same layout is used for map keys and values, for records in the ring buffer and for stack slots, so the code
//! generator and the loader's decoder both ask [`Type::size`] and [`Type::align`] and never compute offsets of their own.

use crate::gocopy::GoCopy;
use crate::gomap::GoMap;
use std::fmt;
use std::sync::Arc;

/// Where a pointer points, which decides the helper that reads through it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AddrSpace {
    /// Memory of the traced process (`bpf_probe_read_user`).
    User,
    /// Kernel memory (`bpf_probe_read_kernel`).
    Kernel,
}

/// The kind of a stack trace value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StackKind {
    /// `ustack`: return addresses of the traced process.
    User,
    /// `kstack`: return addresses in the kernel.
    Kernel,
}

/// How a stack trace is printed (`ustack(perf)`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum StackMode {
    /// One frame a line, `symbol+offset`.
    #[default]
    Bpftrace,
    /// Like `perf script`: address, symbol and offset, module.
    Perf,
    /// Addresses only.
    Raw,
    /// Names only, on one line from the outermost caller on, as flame graphs are made from.
    Folded,
    /// The build id of the file that each frame is in and the offset in it, for tools that have the symbols elsewhere; user stacks only.
    BuildId,
}

impl StackMode {
    /// All forms.
    pub const ALL: [StackMode; 5] =
        [StackMode::Bpftrace, StackMode::Perf, StackMode::Raw, StackMode::Folded, StackMode::BuildId];

    /// Its name in scripts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            StackMode::Bpftrace => "bpftrace",
            StackMode::Perf => "perf",
            StackMode::Raw => "raw",
            StackMode::Folded => "folded",
            StackMode::BuildId => "build_id",
        }
    }

    /// The form of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<StackMode> {
        StackMode::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

/// A structure or union: declared by the script, or the record of a tracepoint, or of the traced program.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Struct {
    /// The tag, without `struct` or `union`.
    pub name: String,
    /// The keyword it is declared with.
    pub kind: StructKind,
    /// Size in bytes, padding included.
    pub size: u32,
    /// Alignment in bytes.
    pub align: u32,
    /// Members in declaration order (all at offset 0 in a union). The members of an anonymous structure in it stand here
    /// too, with their offset from the start of this one.
    pub fields: Vec<Field>,
}

/// The keyword of a [`Struct`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum StructKind {
    /// `struct`
    #[default]
    Struct,
    /// `union`
    Union,
}

impl StructKind {
    /// The keyword.
    #[must_use]
    pub fn keyword(self) -> &'static str {
        match self {
            StructKind::Struct => "struct",
            StructKind::Union => "union",
        }
    }
}

/// A member of a [`Struct`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Offset in bytes from the start of the structure.
    pub offset: u32,
    /// Its type.
    pub ty: Type,
    /// How the value lies there.
    pub form: FieldForm,
    /// Whether it is embedded, as Go calls it: members of its structure are members of this one too, unless a nearer one has the name.
    pub embedded: bool,
}

/// How the value of a [`Field`] lies at its offset.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum FieldForm {
    /// As the bytes of its type.
    #[default]
    Plain,
    /// A tracepoint's `__data_loc`: 4 bytes that hold where the data is (low half: offset from the start of the record,
    /// high half: length); the member's type is that of the data.
    DataLoc,
    /// A bit-field.
    Bits(BitRange),
}

/// The bits of a bit-field, counted from the lowest bit of the byte at the member's offset (little-endian).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BitRange {
    /// First bit.
    pub shift: u8,
    /// Number of bits, 1 to 64; with `shift` at most 64.
    pub width: u8,
}

impl FieldForm {
    /// The bits of a bit-field.
    #[must_use]
    pub fn bits(self) -> Option<BitRange> {
        match self {
            FieldForm::Bits(range) => Some(range),
            FieldForm::Plain | FieldForm::DataLoc => None,
        }
    }
}

impl BitRange {
    /// The unsigned integer to read at the member's offset: the narrowest that holds all the bits.
    #[must_use]
    pub fn unit(self) -> Type {
        let bits = (self.shift + self.width).clamp(8, 64).next_power_of_two();
        Type::Int { bits, signed: false }
    }
}

impl Field {
    /// A member that lies as the bytes of its type.
    #[must_use]
    pub fn new(name: impl Into<String>, offset: u32, ty: Type) -> Field {
        Field { name: name.into(), offset, ty, form: FieldForm::Plain, embedded: false }
    }
}

/// An enumeration.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Enum {
    /// The tag, without `enum`.
    pub name: String,
    /// Width in bits of the integer that holds a value: 8, 16, 32 or 64.
    pub bits: u8,
    /// Whether that integer is signed.
    pub signed: bool,
    /// The enumerators in declaration order, with the 64 bits of their values.
    pub variants: Vec<(String, i64)>,
}

impl Enum {
    /// The name of a value; of several the first.
    #[must_use]
    pub fn variant(&self, value: i64) -> Option<&str> {
        self.variants.iter().find(|(_, v)| *v == value).map(|(name, _)| name.as_str())
    }

    /// The integer that holds a value.
    #[must_use]
    pub fn integer(&self) -> Type {
        Type::Int { bits: self.bits, signed: self.signed }
    }
}

impl Struct {
    /// A structure of which only the name is known.
    #[must_use]
    pub fn named(kind: StructKind, name: impl Into<String>) -> Struct {
        Struct { name: name.into(), kind, size: 0, align: 1, fields: Vec::new() }
    }

    /// Whether it can be asked for by its name. Others have names in parentheses, which say so.
    #[must_use]
    pub fn has_tag(&self) -> bool {
        !self.name.ends_with(')')
    }

    /// The member of that name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.name == name)
    }
}

/// A type of the language.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Type {
    /// No value: what a statement-like call gives.
    Void,
    /// `true` or `false`; one byte, 1 or 0.
    Bool,
    /// An integer of 8, 16, 32 or 64 bits.
    Int {
        /// Width in bits.
        bits: u8,
        /// Two's complement when set.
        signed: bool,
    },
    /// A value of an enumeration: an integer that is printed as the name of the enumerator.
    Enum(Arc<Enum>),
    /// Text of at most `n - 1` bytes, NUL-terminated. In keys, values and variables all bytes after the NUL are zero, so
    /// that equal strings are equal bytes; in ring-buffer records they are undefined.
    Str(u32),
    /// `n` bytes of data behind a `u32` length (the data starts at offset 4).
    Buf(u32),
    /// A pointer; always 8 bytes.
    Ptr {
        /// What it points to; [`Type::Void`] for `void *`.
        to: Box<Type>,
        /// Where it points.
        space: AddrSpace,
    },
    /// `n` elements in a row.
    Array(Box<Type>, u32),
    /// A structure by value.
    Struct(Arc<Struct>),
    /// Several values; members at their natural alignment, in order.
    Tuple(Vec<Type>),
    /// `(x=1, y="a")`: several values with names; laid out like a tuple.
    Record(Vec<(Arc<str>, Type)>),
    /// Frames of a stack: see [`Type::stack_size`].
    Stack {
        /// User or kernel.
        kind: StackKind,
        /// Print form.
        mode: StackMode,
        /// Greatest number of frames, 1 to 127.
        limit: u16,
    },
    /// A kernel address that is printed as a symbol; 8 bytes.
    KSym,
    /// A user address that is printed as a symbol: the address, then the process id, 8 bytes each.
    USym,
    /// The same, printed as the Go function of the source that the address belongs to.
    GoFunc,
    /// `func`: index into [`crate::hir::Program::functions`]; 8 bytes, printed and compared as the name.
    FuncName,
    /// `probe`: index of the [`crate::hir::Probe`] in the high 32 bits, of the function (or `u32::MAX`) in the low ones;
    /// 8 bytes, printed as the full name of the attach point.
    ProbeName,
    /// Nanoseconds since boot that print as wall-clock time by a `strftime` format.
    Timestamp(Arc<str>),
    /// A number that prints as the name of what it stands for; 8 bytes. User space looks the name up.
    Named(NameOf),
    /// An internet address: the address family in 8 bytes, then 16 bytes of which IPv4 uses the first 4.
    Inet,
    /// A hardware address: 6 bytes and two of padding.
    Mac,
    /// A floating-point number of 32 or 64 bits, as its bits: programs copy and print floats, they do not compute with them.
    Float(u8),
    /// A Go `time.Duration`: nanoseconds with a sign, 8 bytes.
    Duration,
    /// A Go `time.Time`: nanoseconds since 1970 with a sign, 8 bytes; [`crate::gocopy::time::BEFORE`] and
    /// [`crate::gocopy::time::AFTER`] stand for all times that are too early or too late for them.
    Time,
    /// A value of a Go program as it lies in its memory or registers. Only places have such types: what is read from one
    /// has another.
    Go(GoType),
    /// The address of a Go type that prints as its name, then the process id, 8 bytes each.
    GoTypeName,
    /// A chain of Go errors that prints as their message: see [`crate::goerror`].
    GoError,
    /// A value of a Go program with all that it refers to, for printing.
    GoCopy(Arc<GoCopy>),
}

/// What the number of a [`Type::Named`] stands for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum NameOf {
    /// A user id.
    User,
    /// A thread id; prints as the name of the thread.
    Thread,
    /// An error number (errno(3)).
    Errno,
    /// A signal.
    Signal,
    /// A system call.
    Syscall,
    /// A control group, in hierarchies whose name matches the filter; an empty one matches all.
    Cgroup(Arc<str>),
}

/// Go types that C has no counterpart of, and their layout (`cmd/compile/abi-internal.md` of the Go source).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum GoType {
    /// `string`: address and length, 8 bytes each. Read as text.
    Str,
    /// `[]T`: address, length and capacity, 8 bytes each.
    Slice(Box<Type>),
    /// An interface: type word and data word, 8 bytes each.
    Interface {
        /// It has methods, so that the type word is the address of an itab.
        methods: bool,
    },
    /// `map[K]V`: one word, the address of what the runtime keeps of it.
    Map(Arc<GoMap>),
    /// A channel, a function, or a map whose entries are not known: one word, the address of what the runtime keeps of it.
    Reference(GoReference),
    /// A complex number of that many bits: two floats.
    Complex(u8),
}

/// Go values that are an address of something of the runtime's.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum GoReference {
    /// `map[K]V`; the first word there is the number of elements.
    Map,
    /// `chan T`; the first word there is the number of elements waiting.
    Chan,
    /// `func`
    Func,
}

impl GoType {
    fn size(&self) -> u32 {
        match self {
            GoType::Str | GoType::Interface { .. } => 16,
            GoType::Slice(_) => 24,
            GoType::Map(_) | GoType::Reference(_) => 8,
            GoType::Complex(bits) => u32::from(*bits) / 8,
        }
    }
}

impl Type {
    /// `int64`
    pub const I64: Type = Type::Int { bits: 64, signed: true };
    /// `uint64`
    pub const U64: Type = Type::Int { bits: 64, signed: false };
    /// `char`, which is `int8`
    pub const CHAR: Type = Type::Int { bits: 8, signed: true };
    /// `int32`
    pub const I32: Type = Type::Int { bits: 32, signed: true };
    /// `uint32`
    pub const U32: Type = Type::Int { bits: 32, signed: false };

    /// Size in bytes as it is stored.
    #[must_use]
    pub fn size(&self) -> u32 {
        match self {
            Type::Void => 0,
            Type::Bool => 1,
            Type::Int { bits, .. } | Type::Float(bits) => u32::from(*bits) / 8,
            Type::Enum(e) => u32::from(e.bits) / 8,
            Type::Str(n) => *n,
            Type::Buf(n) => (4 + n).next_multiple_of(4),
            Type::Ptr { .. }
            | Type::KSym
            | Type::FuncName
            | Type::ProbeName
            | Type::Timestamp(_)
            | Type::Named(_)
            | Type::Mac
            | Type::Duration
            | Type::Time => 8,
            Type::USym | Type::GoFunc | Type::GoTypeName => 16,
            Type::GoError => crate::goerror::SIZE,
            Type::Inet => 24,
            Type::Array(of, n) => of.size() * n,
            Type::Struct(s) => s.size,
            Type::Go(go) => go.size(),
            Type::GoCopy(copy) => copy.size,
            Type::Tuple(_) | Type::Record(_) => {
                let of = self.members().into_iter();
                let end = of.fold(0, |at: u32, t| at.next_multiple_of(t.align()) + t.size());
                end.next_multiple_of(self.align())
            }
            Type::Stack { limit, .. } => Type::stack_size(*limit),
        }
    }

    /// Bit of the number of frames in the first word of a stack value; below it is the process id, which has 22 bits at most.
    pub const STACK_FRAMES_SHIFT: u32 = 24;

    /// Size of a stack value: a `u32` of process id and number of frames (see [`Type::STACK_FRAMES_SHIFT`]); an `i32`; then `limit`
    /// addresses of 8 bytes, innermost first, zero after the last frame.
    ///
    /// The `i32` is the distance from the first address to one that stood on top of the stack, 0 for none: it is the direct caller, and
    /// not among the frames, if the function of the first has no frame of its own there.
    #[must_use]
    pub const fn stack_size(limit: u16) -> u32 {
        8 + 8 * limit as u32
    }

    /// Alignment in bytes, at least 1.
    #[must_use]
    pub fn align(&self) -> u32 {
        match self {
            Type::Void | Type::Bool => 1,
            Type::Int { bits, .. } | Type::Float(bits) => u32::from(*bits) / 8,
            Type::Enum(e) => u32::from(e.bits) / 8,
            // Strings are compared, hashed and cleared in 8-byte words.
            Type::Str(_) => 8,
            Type::Buf(_) => 4,
            Type::Go(GoType::Complex(bits)) => u32::from(*bits) / 16,
            Type::Array(of, _) => of.align(),
            Type::Struct(s) => s.align.max(1),
            Type::Tuple(_) | Type::Record(_) => {
                self.members().into_iter().map(Type::align).max().unwrap_or(1)
            }
            _ => 8,
        }
    }

    /// Types of the members of a tuple or record; empty for other types.
    #[must_use]
    pub fn members(&self) -> Vec<&Type> {
        match self {
            Type::Tuple(of) => of.iter().collect(),
            Type::Record(of) => of.iter().map(|(_, ty)| ty).collect(),
            _ => Vec::new(),
        }
    }

    /// Offsets of the members of a tuple or record; empty for other types.
    #[must_use]
    pub fn member_offsets(&self) -> Vec<u32> {
        let mut at = 0u32;
        self.members()
            .into_iter()
            .map(|t| {
                let offset = at.next_multiple_of(t.align());
                at = offset + t.size();
                offset
            })
            .collect()
    }

    /// Whether a value of this type fits a register: integers, booleans, pointers and 8-byte symbolic values.
    #[must_use]
    pub fn is_scalar(&self) -> bool {
        matches!(
            self,
            Type::Bool
                | Type::Int { .. }
                | Type::Enum(_)
                | Type::Ptr { .. }
                | Type::KSym
                | Type::FuncName
                | Type::ProbeName
                | Type::Timestamp(_)
                | Type::Named(_)
                | Type::Float(_)
                | Type::Duration
                | Type::Time
        )
    }

    /// Whether this is an integer (not a boolean).
    #[must_use]
    pub fn is_int(&self) -> bool {
        matches!(self, Type::Int { .. })
    }

    /// The structure that a pointer into the kernel's memory points to.
    #[must_use]
    pub fn kernel_structure(&self) -> Option<&Struct> {
        match self {
            Type::Ptr { to, space: AddrSpace::Kernel } => match &**to {
                Type::Struct(structure) => Some(structure),
                _ => None,
            },
            _ => None,
        }
    }

    /// Width in bits and sign of an integer or a value of an enumeration.
    #[must_use]
    pub fn integer(&self) -> Option<(u8, bool)> {
        match self {
            Type::Int { bits, signed } => Some((*bits, *signed)),
            Type::Enum(e) => Some((e.bits, e.signed)),
            _ => None,
        }
    }

    /// Whether this is an integer, or a value of an enumeration, with a sign.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        matches!(self.integer(), Some((_, true)))
    }

    /// The type that a pointer points to.
    #[must_use]
    pub fn pointee(&self) -> Option<&Type> {
        match self {
            Type::Ptr { to, .. } => Some(to),
            _ => None,
        }
    }
}

/// The name of the type as it is written in a script and shown in diagnostics.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Void => f.write_str("void"),
            Type::Bool => f.write_str("bool"),
            Type::Int { bits, signed } => write!(f, "{}int{bits}", if *signed { "" } else { "u" }),
            Type::Enum(e) => write!(f, "enum {}", e.name),
            Type::Str(_) => f.write_str("string"),
            Type::Buf(_) => f.write_str("buffer"),
            Type::Ptr { to, .. } => write!(f, "{to} *"),
            Type::Array(of, n) => write!(f, "{of}[{n}]"),
            Type::Struct(s) => write!(f, "{} {}", s.kind.keyword(), s.name),
            Type::Tuple(of) => {
                f.write_str("(")?;
                for (i, t) in of.iter().enumerate() {
                    write!(f, "{}{t}", if i > 0 { ", " } else { "" })?;
                }
                f.write_str(")")
            }
            Type::Record(of) => {
                f.write_str("(")?;
                for (i, (name, ty)) in of.iter().enumerate() {
                    write!(f, "{}{name}={ty}", if i > 0 { ", " } else { "" })?;
                }
                f.write_str(")")
            }
            Type::Stack { kind: StackKind::User, .. } => f.write_str("ustack_t"),
            Type::Stack { kind: StackKind::Kernel, .. } => f.write_str("kstack_t"),
            Type::KSym => f.write_str("ksym_t"),
            Type::USym => f.write_str("usym_t"),
            Type::GoFunc => f.write_str("gofunc_t"),
            Type::FuncName => f.write_str("function name"),
            Type::ProbeName => f.write_str("probe name"),
            Type::Timestamp(_) => f.write_str("timestamp"),
            Type::Named(NameOf::User) => f.write_str("username_t"),
            Type::Named(NameOf::Thread) => f.write_str("thread name"),
            Type::Named(NameOf::Errno) => f.write_str("strerror_t"),
            Type::Named(NameOf::Signal) => f.write_str("signal name"),
            Type::Named(NameOf::Syscall) => f.write_str("system call name"),
            Type::Named(NameOf::Cgroup(_)) => f.write_str("cgroup_path_t"),
            Type::Inet => f.write_str("inet_t"),
            Type::Mac => f.write_str("mac_address_t"),
            Type::Go(GoType::Str) => f.write_str("string"),
            Type::Go(GoType::Slice(of)) => write!(f, "[]{of}"),
            Type::Go(GoType::Interface { .. }) => f.write_str("interface"),
            Type::Go(GoType::Map(map)) => write!(f, "map[{}]{}", map.key, map.element),
            Type::Go(GoType::Reference(GoReference::Map)) => f.write_str("map"),
            Type::Go(GoType::Reference(GoReference::Chan)) => f.write_str("chan"),
            Type::Go(GoType::Reference(GoReference::Func)) => f.write_str("func"),
            Type::Go(GoType::Complex(bits)) => write!(f, "complex{bits}"),
            Type::Float(bits) => write!(f, "float{bits}"),
            Type::Duration => f.write_str("time.Duration"),
            Type::Time => f.write_str("time.Time"),
            Type::GoTypeName => f.write_str("type name"),
            Type::GoError => f.write_str("error message"),
            Type::GoCopy(copy) => f.write_str(&copy.name),
        }
    }
}
