//! Maps of Go programs: what they hold, and where the entries are ([`GoMap`]).
//!
//! The checker gets a map's type with the types of parameters ([`crate::env::Signature`]); the code generator walks over the entries,
//! for a copy of the map ([`crate::gocopy::Kind::Map`]) and for one entry ([`crate::hir::Fun::GoMapEntry`]).

use crate::types::Type;

/// A map type of which all is known.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct GoMap {
    /// Type of the keys.
    pub key: Type,
    /// Type of the elements.
    pub element: Type,
    /// Where they are.
    pub layout: GoMapLayout,
}

/// Where the entries are: in blocks of eight, each of which begins with a byte for each entry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct GoMapLayout {
    /// What the blocks are.
    pub form: GoMapForm,
    /// Bytes of a block.
    pub size: u32,
    /// The keys in a block.
    pub keys: GoMapColumn,
    /// The elements in a block.
    pub elements: GoMapColumn,
}

/// How the blocks of a map are found.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum GoMapForm {
    /// Buckets in an array, each of which may lead on to another one: Go before 1.24.
    Buckets,
    /// Groups in tables: since Go 1.24.
    Groups,
}

/// The keys, or the elements, of a block.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct GoMapColumn {
    /// Bytes of a value.
    pub size: u32,
    /// Bytes from the start of the block to the first.
    pub offset: u32,
    /// Bytes from one to the next.
    pub stride: u32,
    /// The addresses of the values are there, not the values.
    pub indirect: bool,
}
