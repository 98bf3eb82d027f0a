//! Layout of a Go value that is copied with all that it refers to, so that it can be printed: [`GoCopy`].
//!
//! The checker plans a copy (`check::whole`), the code generator fills it in on the way through the value's pointers, and the
//! loader decodes it. First come the bytes of the value as Go has them, strings and slices as address and length; behind them room for
//! what these refer to, and so on. Every place is an offset from the start of the copy, so nobody computes one twice.

use crate::gomap::GoMapLayout;
use crate::types::{BitRange, Type};
use std::sync::Arc;

/// The layout of one copy.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct GoCopy {
    /// Name of the value's type.
    pub name: String,
    /// The parts; the first one is the value itself, and each stands before those inside and behind it.
    pub nodes: Vec<Node>,
    /// Bytes in all.
    pub size: u32,
}

impl GoCopy {
    /// Whether the value is a reference, which may be nil.
    #[must_use]
    pub fn is_reference(&self) -> bool {
        let Some(Node { kind, .. }) = self.nodes.first() else { return false };
        matches!(
            kind,
            Kind::Bytes { .. }
                | Kind::Slice { .. }
                | Kind::Pointer { .. }
                | Kind::Container { .. }
                | Kind::Map(_)
        ) || matches!(kind, Kind::Func { .. } | Kind::Interface { .. })
    }

    /// Whether equal values are equal bytes: nothing in them is an address of something that is copied too.
    #[must_use]
    pub fn is_flat(&self) -> bool {
        self.nodes.iter().all(|node| match node.kind {
            Kind::Plain(_)
            | Kind::Bits(..)
            | Kind::Complex(_)
            | Kind::Time
            | Kind::Struct(_)
            | Kind::Array { .. } => true,
            Kind::Unreadable | Kind::Cut => true,
            Kind::Text { .. } | Kind::Bytes { .. } | Kind::Slice { .. } | Kind::Pointer { .. } => false,
            Kind::Container { .. } | Kind::Map(_) | Kind::Func { .. } | Kind::Interface { .. } => false,
        })
    }

    /// Whether the value itself is an interface.
    #[must_use]
    pub fn is_interface(&self) -> bool {
        matches!(self.nodes.first(), Some(Node { kind: Kind::Interface { .. }, .. }))
    }

    /// Whether there are addresses in it that are printed as names: of functions and types.
    #[must_use]
    pub fn has_names(&self) -> bool {
        self.nodes.iter().any(|node| matches!(node.kind, Kind::Func { .. } | Kind::Interface { .. }))
    }
}

/// Index into [`GoCopy::nodes`].
pub type NodeId = usize;

/// A part of a copied value.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Node {
    /// Where its own bytes are.
    pub at: u32,
    /// What it is, and where the copy of what it refers to is.
    pub kind: Kind,
}

/// What a part of a copied value is. `to` is where the copy of what it refers to is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// A value of that type in its usual layout.
    Plain(Type),
    /// A bit-field of C: its type, and the bits counted from the place's start.
    Bits(Type, BitRange),
    /// A complex number of that many bits.
    Complex(u8),
    /// A `time.Time`: the words `wall` and `ext`, and a word that does not matter.
    Time,
    /// In a floating-point register, out of reach.
    Unreadable,
    /// Not copied: too deep, or there is no room.
    Cut,
    /// A string of which at most `room` bytes are copied.
    Text {
        /// Where its bytes are.
        to: u32,
        /// How many are copied.
        room: u32,
    },
    /// A slice of bytes of which at most `room` are copied.
    Bytes {
        /// Where they are.
        to: u32,
        /// How many are copied.
        room: u32,
    },
    /// A structure.
    Struct(Vec<(Arc<str>, NodeId)>),
    /// An array of `len` elements, of which the first ones are shown.
    Array {
        /// Those shown.
        elements: Vec<NodeId>,
        /// Number of elements.
        len: u32,
    },
    /// A slice.
    Slice {
        /// Where the elements are.
        to: u32,
        /// Bytes of an element.
        stride: u32,
        /// As many as there is room for.
        elements: Vec<NodeId>,
    },
    /// A pointer whose target is copied.
    Pointer {
        /// What it points to.
        target: NodeId,
        /// Bytes of that.
        size: u32,
    },
    /// A map with its entries.
    Map(MapCopy),
    /// A channel, or a map whose entries are not copied.
    Container {
        /// Where the first two words of its header are: the number of elements, and the capacity of a channel.
        to: u32,
        /// Whether it is a channel.
        channel: bool,
    },
    /// A function value.
    Func {
        /// Where the address of its code is, and then the process id.
        to: u32,
    },
    /// An interface with a value of some type.
    Interface {
        /// Where [`INTERFACE_SIZE`] bytes say what is in it, and then the bytes of a string.
        to: u32,
        /// The first word is an itab, which has the type; else it is the type itself.
        methods: bool,
        /// Bytes of a string in it that are copied.
        room: u32,
    },
}

/// What is copied of a map: its number of entries and the number of those copied, 8 bytes each, and then the entries, in no order.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct MapCopy {
    /// Where that begins.
    pub to: u32,
    /// Bytes of an entry, which begins with the key.
    pub stride: u32,
    /// Where in an entry the element is.
    pub element: u32,
    /// Keys and elements of as many entries as there is room for.
    pub entries: Vec<(NodeId, NodeId)>,
    /// Where the program has them.
    pub layout: GoMapLayout,
}

impl MapCopy {
    /// Bytes before the first entry.
    pub const HEADER: u32 = 16;
}

/// What is copied of the value in an interface: the address of its type, the word of the type that has its kind in the highest
/// byte, 16 bytes of the value, and the process id, in whose memory the type is.
pub const INTERFACE_SIZE: u32 = 40;
/// Offset of that word in `runtime._type` (`hash`, `tflag`, `align`, `fieldAlign`, `kind`); the same in Go 1.15 to 1.27.
pub const TYPE_KIND_WORD: u32 = 16;
/// Offset of the type in `runtime.itab`.
pub const ITAB_TYPE: u32 = 8;

/// Arithmetic of `time.Time` (src/time/time.go of the Go source).
pub mod time {
    /// Stands for all times before 1678.
    pub const BEFORE: i64 = i64::MIN;
    /// Stands for all times after 2262.
    pub const AFTER: i64 = i64::MAX;
    /// Set in `wall` when it has the seconds.
    pub const HAS_MONOTONIC: u64 = 1 << 63;
    /// The bits of `wall` that are nanoseconds.
    pub const NANOS: u64 = (1 << 30) - 1;
    /// Seconds from the year 1 to 1970.
    pub const UNIX_EPOCH: i64 = 62_135_596_800;
    /// Seconds from 1885, where those in `wall` begin, to 1970.
    pub const WALL_EPOCH: i64 = 2_682_288_000;
    /// Seconds since 1970, plus or minus, that can be told in nanoseconds.
    pub const MOST_SECONDS: i64 = i64::MAX / 1_000_000_000 - 1;

    /// Seconds since 1970 and nanoseconds of a time.
    #[must_use]
    pub fn unix(wall: u64, ext: u64) -> (i64, u32) {
        let seconds = if wall & HAS_MONOTONIC != 0 {
            (wall << 1 >> 31).cast_signed() - WALL_EPOCH
        } else {
            ext.cast_signed().wrapping_sub(UNIX_EPOCH)
        };
        (seconds, (wall & NANOS) as u32)
    }
}
