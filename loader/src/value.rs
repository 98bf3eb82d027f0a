//! Values of a script in user space, as the output prints them.
//!
//! They come out of [`crate::decode`]. Addresses stay addresses until they are printed, because symbols are looked up by
//! [`crate::symbolize`] and only for what reaches the output.

use crate::number::{Float, Int};
use lang::types::NameOf;
use std::net::IpAddr;
use std::sync::Arc;

/// A value of the language.
///
/// Values of one type are ordered as entries of a map are printed: integers by value, text by bytes, composed values
/// member by member.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Value {
    /// `bool`
    Bool(bool),
    /// Any integer.
    Int(Int),
    /// A string.
    Text(Text),
    /// The bytes of a `buf()`.
    Buffer(Vec<u8>),
    /// A pointer.
    Pointer(u64),
    /// Elements of an array.
    Array(Vec<Value>),
    /// A value of an enumeration.
    Enum {
        /// Its number.
        value: Int,
        /// Its name, unless no enumerator has this value.
        name: Option<Arc<str>>,
    },
    /// Members of a structure, in declaration order, or of a record.
    Struct(Vec<(Arc<str>, Value)>),
    /// Members of a tuple.
    Tuple(Vec<Value>),
    /// A stack trace.
    Stack(Stack),
    /// A kernel address that prints as a symbol.
    KernelSymbol(u64),
    /// A user address that prints as a symbol.
    UserSymbol {
        /// The address.
        address: u64,
        /// Process whose address it is.
        pid: u32,
    },
    /// A user address that prints as the Go function of the source.
    GoFunction {
        /// The address.
        address: u64,
        /// Process whose address it is.
        pid: u32,
    },
    /// Name of a function or of an attach point.
    Name(Arc<str>),
    /// A number that prints as a name.
    Named {
        /// The number.
        id: u64,
        /// What it stands for.
        of: NameOf,
    },
    /// An internet address.
    Address(IpAddr),
    /// A hardware address.
    Hardware([u8; 6]),
    /// A floating-point number.
    Float(Float),
    /// A complex number.
    Complex(Float, Float),
    /// Nanoseconds that print as Go prints a `time.Duration`.
    Duration(i64),
    /// A time of day of the Go program.
    Time {
        /// Seconds since 1970.
        seconds: i64,
        /// Nanoseconds of the second.
        nanos: u32,
    },
    /// A nil pointer, slice, map or the like of a Go program.
    Nil,
    /// What was not copied of a Go value.
    Omitted,
    /// What lies where programs cannot read it.
    Unreadable,
    /// A map of a Go program.
    GoMap {
        /// Keys and elements.
        entries: Vec<(Value, Value)>,
        /// There are more.
        more: bool,
    },
    /// A channel of a Go program, or a map without its entries.
    Container {
        /// Elements in it.
        len: u64,
        /// Room of a channel.
        capacity: Option<u64>,
    },
    /// A type of a Go program.
    GoType(GoTypeAddress),
    /// Errors, each caused by the next; one without a type is none.
    GoError(Vec<GoError>),
    /// A value in an interface of which only its type and address are known.
    Dynamic {
        /// Its type.
        ty: GoTypeAddress,
        /// What a pointer, map, channel or function is.
        address: Option<u64>,
    },
    /// An `int64` in an interface: a `time.Duration` prints as Go prints it.
    DynamicInt64 {
        /// Its type.
        ty: GoTypeAddress,
        /// The number.
        number: i64,
    },
    /// A time that prints by a `strftime` format.
    Timestamp {
        /// Nanoseconds since boot.
        nanos: u64,
        /// The format.
        format: Arc<str>,
    },
}

/// Where a Go process has the description of a type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct GoTypeAddress {
    /// Address of its `runtime._type`; 0 for no type.
    pub address: u64,
    /// The process.
    pub pid: u32,
}

/// What was copied of an error: see [`lang::goerror`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct GoError {
    /// Its type.
    pub ty: GoTypeAddress,
    /// Its number, if it is one.
    pub number: u64,
    /// Its strings.
    pub texts: Vec<Text>,
}

/// A string as it was read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Text {
    /// Its bytes without the NUL; not always UTF-8.
    pub bytes: Vec<u8>,
    /// It filled its place, so there was (or may have been) more of it.
    pub cut: bool,
}

/// A stack trace before its addresses are given names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Stack {
    /// Return addresses, innermost first.
    pub frames: Vec<u64>,
    /// An address that stood on top of the stack: the direct caller, which is not among the frames, if the function of the first of
    /// them has no frame of its own there.
    pub top: Option<u64>,
    /// Greatest number of frames.
    pub limit: usize,
    /// Process that was running.
    pub pid: u32,
    /// Whose stack.
    pub kind: Side,
    /// How it prints.
    pub mode: Mode,
}

/// Which side of the system call boundary an address is on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Side {
    /// The traced process.
    User,
    /// The kernel.
    Kernel,
}

/// Print form of a stack.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Mode {
    /// `symbol+offset`
    Symbols,
    /// Address, symbol, offset and module.
    Perf,
    /// Addresses.
    Raw,
    /// Names on one line, the outermost caller first.
    Folded,
    /// Build id of the mapped file and offset in it.
    BuildId,
}
