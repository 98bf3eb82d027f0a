//! Types of C, C++ and Rust as debug information describes them: one step at a time, because structures refer to each other in circles.

use gimli::constants as dw;
use gimli::{AttributeValue, UnitOffset};

use super::{Debug, Entry, Slice, UnitAt};

/// A type: the offset of its entry in `.debug_info`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeId(pub(super) usize);

/// What a type is, typedefs and qualifiers taken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// Nothing.
    Void,
    /// `bool`
    Bool,
    /// An integer; `char` of C is one, and is told by being `text`.
    Int {
        /// Size in bytes.
        size: u32,
        /// It has a sign.
        signed: bool,
        /// A character of text.
        text: bool,
    },
    /// A floating-point number.
    Float {
        /// Size in bytes.
        size: u32,
    },
    /// A complex number: two floating-point numbers.
    Complex {
        /// Size of both in bytes.
        size: u32,
    },
    /// A pointer or reference; to nothing known if absent.
    Pointer(Option<TypeId>),
    /// An array.
    Array {
        /// Its elements.
        of: TypeId,
        /// Their number, in all dimensions.
        count: u32,
        /// Numbers of elements, the outermost dimension first.
        dimensions: Vec<u32>,
    },
    /// A structure, class or union.
    Composite {
        /// Its name; empty if it has none.
        name: String,
        /// Size in bytes.
        size: u32,
        /// A union.
        union: bool,
        /// Objects of it are handed over by their address (C++ classes that cannot be copied byte by byte).
        by_reference: bool,
    },
    /// A structure that is declared and not described.
    Declared {
        /// Its name.
        name: String,
    },
    /// An enumeration.
    Enum {
        /// Its name; empty if it has none.
        name: String,
        /// Size in bytes.
        size: u32,
        /// Its values have a sign.
        signed: bool,
    },
    /// Something else, of that size if it has one.
    Other {
        /// Size in bytes.
        size: u32,
    },
}

/// A member of a structure or union.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name; empty for an anonymous structure or union, and for the base of a class.
    pub name: String,
    /// Its type.
    pub ty: TypeId,
    /// Offset in bits.
    pub bit_offset: u64,
    /// Width of a bit field in bits.
    pub bits: Option<u32>,
}

/// A value of an enumeration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// Its name.
    pub name: String,
    /// Its number.
    pub value: i64,
}

/// Typedefs and qualifiers around a type.
const WRAPPERS: usize = 64;
/// Members and values that are read of one type.
const MEMBERS: usize = 4096;
/// Dimensions of an array.
const DIMENSIONS: usize = 8;

impl<'a> Debug<'a> {
    fn at(&self, id: TypeId) -> Option<(&UnitAt<'a>, UnitOffset)> {
        let at = self.unit_of(id.0)?;
        Some((at, UnitOffset(id.0.checked_sub(at.start)?)))
    }

    /// What a type is; `None` for an entry that is none.
    pub fn ty(&self, mut id: TypeId) -> Option<Type> {
        for _ in 0..WRAPPERS {
            let (at, offset) = self.at(id)?;
            let entry = at.unit.entry(offset).ok()?;
            let of = entry.attr_value(dw::DW_AT_type).and_then(|value| self.reference(at, &value));
            match entry.tag() {
                dw::DW_TAG_typedef
                | dw::DW_TAG_const_type
                | dw::DW_TAG_volatile_type
                | dw::DW_TAG_restrict_type
                | dw::DW_TAG_atomic_type => match of {
                    Some(of) => id = of,
                    None => return Some(Type::Void),
                },
                _ => return self.plain(at, &entry, of),
            }
        }
        None
    }

    /// The type behind typedefs and qualifiers.
    pub fn resolved(&self, mut id: TypeId) -> Option<TypeId> {
        for _ in 0..WRAPPERS {
            let (at, offset) = self.at(id)?;
            let entry = at.unit.entry(offset).ok()?;
            let wrapper = matches!(
                entry.tag(),
                dw::DW_TAG_typedef
                    | dw::DW_TAG_const_type
                    | dw::DW_TAG_volatile_type
                    | dw::DW_TAG_restrict_type
                    | dw::DW_TAG_atomic_type
            );
            match entry.attr_value(dw::DW_AT_type).and_then(|value| self.reference(at, &value)) {
                Some(of) if wrapper => id = of,
                _ => return Some(id),
            }
        }
        None
    }

    fn plain(&self, at: &UnitAt<'a>, entry: &Entry<'a>, of: Option<TypeId>) -> Option<Type> {
        let number = |name| entry.attr_value(name).and_then(|value| value.udata_value());
        let size = number(dw::DW_AT_byte_size).and_then(|size| u32::try_from(size).ok());
        let name = || entry.attr_value(dw::DW_AT_name).map(|name| self.text(at, name)).unwrap_or_default();
        let declared = matches!(entry.attr_value(dw::DW_AT_declaration), Some(AttributeValue::Flag(true)));
        Some(match entry.tag() {
            dw::DW_TAG_base_type => {
                let size = size?;
                let Some(AttributeValue::Encoding(encoding)) = entry.attr_value(dw::DW_AT_encoding) else {
                    return None;
                };
                match encoding {
                    dw::DW_ATE_boolean => Type::Bool,
                    dw::DW_ATE_float => Type::Float { size },
                    dw::DW_ATE_complex_float => Type::Complex { size },
                    dw::DW_ATE_signed => Type::Int { size, signed: true, text: false },
                    dw::DW_ATE_signed_char => Type::Int { size, signed: true, text: name() == "char" },
                    // On arm64 `char` has no sign.
                    dw::DW_ATE_unsigned_char => Type::Int { size, signed: false, text: name() == "char" },
                    dw::DW_ATE_unsigned | dw::DW_ATE_UTF => Type::Int { size, signed: false, text: false },
                    _ => Type::Other { size },
                }
            }
            dw::DW_TAG_pointer_type | dw::DW_TAG_reference_type | dw::DW_TAG_rvalue_reference_type => {
                Type::Pointer(of)
            }
            dw::DW_TAG_structure_type | dw::DW_TAG_class_type | dw::DW_TAG_union_type if declared => {
                Type::Declared { name: name() }
            }
            dw::DW_TAG_structure_type | dw::DW_TAG_class_type | dw::DW_TAG_union_type => Type::Composite {
                name: name(),
                size: size?,
                union: entry.tag() == dw::DW_TAG_union_type,
                by_reference: matches!(
                    entry.attr_value(dw::DW_AT_calling_convention),
                    Some(AttributeValue::CallingConvention(dw::DW_CC_pass_by_reference))
                ),
            },
            dw::DW_TAG_enumeration_type => {
                let signed = match of.and_then(|of| self.ty(of)) {
                    Some(Type::Int { signed, .. }) => signed,
                    _ => false,
                };
                Type::Enum { name: name(), size: size?, signed }
            }
            dw::DW_TAG_array_type => {
                let dimensions = self.dimensions(at, entry.offset())?;
                let count = dimensions.iter().try_fold(1u32, |count, n| count.checked_mul(*n))?;
                Type::Array { of: of?, count, dimensions }
            }
            dw::DW_TAG_unspecified_type => Type::Other { size: 8 },
            _ => Type::Other { size: size.unwrap_or(8) },
        })
    }

    /// The numbers of elements of an array, the outermost dimension first; 0 where it is not said.
    fn dimensions(&self, at: &UnitAt<'a>, array: UnitOffset) -> Option<Vec<u32>> {
        let mut dimensions = Vec::new();
        self.children(at, array, |entry| {
            if entry.tag() == dw::DW_TAG_subrange_type && dimensions.len() < DIMENSIONS {
                let number = |name| entry.attr_value(name).and_then(|value| value.udata_value());
                let here = number(dw::DW_AT_count)
                    .or_else(|| number(dw::DW_AT_upper_bound).and_then(|last| last.checked_add(1)));
                dimensions.push(here.and_then(|n| u32::try_from(n).ok()).unwrap_or(0));
            }
        })?;
        Some(dimensions)
    }

    /// The members of a structure or union in order, bases of a class first.
    pub fn members(&self, id: TypeId) -> Vec<Member> {
        let mut members = Vec::new();
        let Some((at, offset)) = self.at(id) else { return members };
        self.children(at, offset, |entry| {
            if !matches!(entry.tag(), dw::DW_TAG_member | dw::DW_TAG_inheritance) || members.len() >= MEMBERS
            {
                return;
            }
            let number = |name| {
                entry.attr_value(name).and_then(|value: AttributeValue<Slice<'a>>| value.udata_value())
            };
            let Some(ty) = entry.attr_value(dw::DW_AT_type).and_then(|value| self.reference(at, &value))
            else {
                return;
            };
            let name = entry.attr_value(dw::DW_AT_name).map(|name| self.text(at, name)).unwrap_or_default();
            let bytes = number(dw::DW_AT_data_member_location);
            let bits = number(dw::DW_AT_bit_size).and_then(|bits| u32::try_from(bits).ok());
            let bit_offset =
                number(dw::DW_AT_data_bit_offset).or_else(|| bytes.and_then(|b| b.checked_mul(8)));
            // A static member has no offset, but a member of a union needs none either.
            let is_static = entry.attr_value(dw::DW_AT_external).is_some();
            if !is_static {
                members.push(Member { name, ty, bit_offset: bit_offset.unwrap_or(0), bits });
            }
        });
        members
    }

    /// The values of an enumeration in order.
    pub fn variants(&self, id: TypeId) -> Vec<Variant> {
        let mut variants = Vec::new();
        let Some((at, offset)) = self.at(id) else { return variants };
        self.children(at, offset, |entry| {
            if entry.tag() != dw::DW_TAG_enumerator || variants.len() >= MEMBERS {
                return;
            }
            let name = entry.attr_value(dw::DW_AT_name).map(|name| self.text(at, name)).unwrap_or_default();
            let value = entry.attr_value(dw::DW_AT_const_value);
            let value = value.and_then(|v| v.sdata_value().or_else(|| v.udata_value().map(u64::cast_signed)));
            variants.extend(value.map(|value| Variant { name, value }));
        });
        variants
    }

    /// Calls `each` with the entries directly below one.
    fn children(&self, at: &UnitAt<'a>, parent: UnitOffset, mut each: impl FnMut(&Entry<'a>)) -> Option<()> {
        let mut entries = at.unit.entries_raw(Some(parent)).ok()?;
        let mut entry = Entry::null();
        entries.read_entry(&mut entry).ok()?;
        while entries.next_depth() > 0 && !entries.is_empty() {
            if entries.read_entry(&mut entry).ok()? && entry.depth() == 1 {
                each(&entry);
            }
        }
        Some(())
    }
}
