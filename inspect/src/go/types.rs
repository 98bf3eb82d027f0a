//! Go types as far as reading their values needs: what a type is, its members and elements, and how a value of it is passed
//! ([`GoBinary::layout`]). From DWARF or from the program's own type descriptors (`super::rtype`), in one form; looked up one level
//! at a time, because types refer to each other in circles.

use super::GoBinary;
use super::assign::{Layout, Leaf};
use super::dwarf;
use super::signature::Kind;
use crate::error::Error;

/// A type of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TypeRef(pub(super) Origin);

/// Where a type is described.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Origin {
    /// In the debug information.
    Dwarf(dwarf::Place),
    /// By the type descriptor at this address.
    Runtime(u64),
    /// It is the pointer to the type whose descriptor is at this address, and need not have one itself.
    PointerTo(u64),
}

impl TypeRef {
    /// Address of its descriptor, as in the file, if it is known by that.
    pub fn descriptor(self) -> Option<u64> {
        match self.0 {
            Origin::Runtime(vaddr) => Some(vaddr),
            Origin::Dwarf(_) | Origin::PointerTo(_) => None,
        }
    }

    /// Its entry in the debug information, if it comes from there.
    pub(super) fn in_dwarf(self) -> Option<dwarf::Place> {
        match self.0 {
            Origin::Dwarf(place) => Some(place),
            Origin::Runtime(_) | Origin::PointerTo(_) => None,
        }
    }
}

/// What a type is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeInfo {
    /// Name with the package path, such as `net/http.Request`; Go's notation for types without one.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Bytes that a value takes.
    pub size: u32,
    /// Alignment in bytes.
    pub align: u32,
    /// Members of a structure (also those that strings, slices and interfaces are made of), by offset.
    pub members: Vec<Member>,
    /// What a pointer points to, or the elements of a slice, array or map.
    pub element: Option<TypeRef>,
    /// The keys of a map.
    pub key: Option<TypeRef>,
    /// Of an interface: whether it has methods. A value starts with the address of an itab then, else with that of its type
    /// (`runtime.iface` and `runtime.eface`).
    pub has_methods: bool,
}

/// A member of a structure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name; that of the type for an embedded one.
    pub name: String,
    /// Bytes from the start of the structure.
    pub offset: u32,
    /// Bytes that it takes.
    pub size: u32,
    /// Its type.
    pub ty: TypeRef,
    /// Whether it is embedded: its own members count as members of the structure.
    pub embedded: bool,
}

/// Bytes of the words that strings, slices and interfaces consist of.
const WORD: u32 = 8;
/// Structures within structures that are followed; the compiler passes values of a few levels in registers.
const DEPTH: u32 = 32;
/// Parts that are looked at to lay out one value. Real types are flat by then, or have too many leaves for registers.
const PARTS: u32 = 512;
/// Leaves of a value beyond which it does not fit the registers of any machine.
const LEAVES: usize = 64;

impl GoBinary {
    /// Describes a type; `None` when the binary does not.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the sections cannot be read.
    pub fn type_info(&self, ty: TypeRef) -> Result<Option<TypeInfo>, Error> {
        let place = match ty.0 {
            Origin::Dwarf(place) => place,
            Origin::Runtime(vaddr) => return Ok(self.runtime_types().describe(vaddr)),
            Origin::PointerTo(vaddr) => return Ok(self.runtime_types().describe_pointer(vaddr)),
        };
        let found = self.debug_info.describe(self.image(), place);
        found.map_err(|error| {
            Error::damaged(&self.path, format!("the debug information is unusable: {error}"))
        })
    }

    /// How a value of a type is passed; `None` when part of the type is not described.
    ///
    /// # Errors
    /// As [`GoBinary::type_info`].
    pub fn layout(&self, ty: TypeRef) -> Result<Option<Layout>, Error> {
        let Some(info) = self.type_info(ty)? else { return Ok(None) };
        let mut leaves = Vec::new();
        let mut work = PARTS;
        let complete = self.flatten(&info, 0, 0, &mut leaves, &mut work)?;
        Ok(complete.map(|in_registers| Layout {
            size: info.size,
            align: info.align,
            leaves: in_registers.then_some(leaves),
        }))
    }

    /// Adds the leaves of a value at `offset`. Gives whether it can be passed in registers, `None` when that is not known.
    fn flatten(
        &self,
        info: &TypeInfo,
        offset: u32,
        depth: u32,
        leaves: &mut Vec<Leaf>,
        work: &mut u32,
    ) -> Result<Option<bool>, Error> {
        let Some(left) = work.checked_sub(1) else { return Ok(None) };
        *work = left;
        if depth > DEPTH || leaves.len() > LEAVES {
            return Ok(Some(false));
        }
        // Damaged members can lie beyond all memory.
        if offset.checked_add(info.size).is_none() {
            return Ok(None);
        }
        let mut leaf =
            |at: u32, size: u32, float: bool| leaves.push(Leaf { offset: offset + at, size, float });
        let words = match info.kind {
            Kind::String | Kind::Interface => 2,
            Kind::Slice => 3,
            _ => 0,
        };
        match info.kind {
            Kind::Bool
            | Kind::Int
            | Kind::Uint
            | Kind::Pointer
            | Kind::UnsafePointer
            | Kind::Map
            | Kind::Chan
            | Kind::Func => leaf(0, info.size, false),
            Kind::Float => leaf(0, info.size, true),
            Kind::Complex => {
                leaf(0, info.size / 2, true);
                leaf(info.size / 2, info.size / 2, true);
            }
            Kind::String | Kind::Interface | Kind::Slice => {
                if info.size != words * WORD {
                    return Ok(None);
                }
                for word in 0..words {
                    leaf(word * WORD, WORD, false);
                }
            }
            Kind::Array => {
                let Some(element) = info.element.map(|of| self.type_info(of)).transpose()?.flatten() else {
                    return Ok(None);
                };
                return match info.size.checked_div(element.size) {
                    // Without elements, or with elements without a size.
                    Some(0) | None => Ok(Some(true)),
                    Some(1) => self.flatten(&element, offset, depth + 1, leaves, work),
                    Some(_) => Ok(Some(false)),
                };
            }
            Kind::Struct => {
                // What has no size has no leaves.
                for member in info.members.iter().filter(|member| member.size > 0) {
                    let Some(of) = self.type_info(member.ty)? else { return Ok(None) };
                    let Some(at) = offset.checked_add(member.offset) else { return Ok(None) };
                    match self.flatten(&of, at, depth + 1, leaves, work)? {
                        Some(true) => {}
                        other => return Ok(other),
                    }
                }
            }
        }
        Ok(Some(true))
    }
}
