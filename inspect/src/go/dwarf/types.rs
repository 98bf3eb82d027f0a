//! Sizes, alignments and kinds of Go types from their DWARF entries. What fields a type has is not read.
//!
//! Go describes a type by a base type, pointer, structure, array or subroutine type, with a typedef around it
//! where it has a name; strings, slices, interfaces are structures, maps and channels typedefs of pointers.
//! `DW_AT_go_kind` tells what it is in the language (`reflect.Kind`). Alignment is not written down: it
//! follows from the parts (`cmd/compile/internal/types`, 64-bit).

use std::collections::HashMap;

use gimli::constants as dw;
use gimli::{AttributeValue, Unit};

use super::super::signature::Kind;
use super::{DwarfError, Place, Reader, Slice, Work};

/// `DW_AT_go_kind` of Go's `cmd/internal/dwarf`.
const DW_AT_GO_KIND: gimli::DwAt = gimli::DwAt(0x2900);

/// Size and alignment of pointers on the machines that are supported.
const WORD: u32 = 8;

/// Types nested in types that are followed; Go programs have a few levels.
const DEPTH_LIMIT: u32 = 48;

/// What is known of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::go) struct Shape {
    pub(in crate::go) size: u32,
    pub(in crate::go) align: u32,
    pub(in crate::go) kind: Kind,
}

/// Reads types, each once.
pub(super) struct Types<'r, 'a> {
    reader: &'r Reader<'a>,
    /// `None` also for a type that is being read: one that contains itself has no size.
    known: HashMap<Place, Option<Shape>>,
}

impl<'r, 'a> Types<'r, 'a> {
    pub(super) fn new(reader: &'r Reader<'a>) -> Types<'r, 'a> {
        Types { reader, known: HashMap::new() }
    }

    /// The shape of the type at `place`; `None` for an entry that is not a type with a size.
    pub(super) fn shape(&mut self, place: Place, work: &mut Work) -> Result<Option<Shape>, DwarfError> {
        self.nested(place, work, 0)
    }

    fn nested(&mut self, place: Place, work: &mut Work, depth: u32) -> Result<Option<Shape>, DwarfError> {
        if let Some(known) = self.known.get(&place) {
            return Ok(*known);
        }
        if depth > DEPTH_LIMIT {
            return Err(DwarfError::Endless);
        }
        self.known.insert(place, None);
        let Some(unit) = self.reader.unit_at(place)? else { return Ok(None) };
        let shape = self.read(&unit, place, work, depth)?;
        self.known.insert(place, shape);
        Ok(shape)
    }

    fn read(
        &mut self,
        unit: &Unit<Slice<'a>>,
        place: Place,
        work: &mut Work,
        depth: u32,
    ) -> Result<Option<Shape>, DwarfError> {
        let entry = unit.entry(place.entry)?;
        work.spend(1 + entry.attrs().len())?;
        let kind =
            entry.attr_value(DW_AT_GO_KIND).and_then(|value| value.udata_value()).and_then(Kind::of_reflect);
        let size = entry.attr_value(dw::DW_AT_byte_size).and_then(|value| value.udata_value());
        let size = size.and_then(|size| u32::try_from(size).ok());
        let of = match entry.attr_value(dw::DW_AT_type) {
            Some(value) => self.reader.referred(unit, &value)?,
            None => None,
        };
        let (size, align, default) = match entry.tag() {
            dw::DW_TAG_typedef => {
                let Some(of) = of else { return Ok(None) };
                let inner = self.nested(of, work, depth + 1)?;
                return Ok(inner.map(|shape| Shape { kind: kind.unwrap_or(shape.kind), ..shape }));
            }
            dw::DW_TAG_base_type => {
                let Some(AttributeValue::Encoding(encoding)) = entry.attr_value(dw::DW_AT_encoding) else {
                    return Ok(None);
                };
                let default = match encoding {
                    dw::DW_ATE_boolean => Kind::Bool,
                    dw::DW_ATE_float => Kind::Float,
                    dw::DW_ATE_complex_float => Kind::Complex,
                    dw::DW_ATE_signed | dw::DW_ATE_signed_char => Kind::Int,
                    _ => Kind::Uint,
                };
                // A complex number is aligned like its two parts.
                let parts = if default == Kind::Complex { 2 } else { 1 };
                (size, size.map(|size| (size / parts).clamp(1, WORD)), default)
            }
            dw::DW_TAG_pointer_type => (Some(WORD), Some(WORD), Kind::Pointer),
            dw::DW_TAG_subroutine_type => (Some(WORD), Some(WORD), Kind::Func),
            dw::DW_TAG_structure_type => {
                (size, self.alignment_of_members(unit, place, work, depth)?, Kind::Struct)
            }
            dw::DW_TAG_array_type => {
                let element = of.map(|of| self.nested(of, work, depth + 1)).transpose()?.flatten();
                (size, element.map(|shape| shape.align), Kind::Array)
            }
            _ => return Ok(None),
        };
        let (Some(size), Some(align)) = (size, align.filter(|align| align.is_power_of_two())) else {
            return Ok(None);
        };
        Ok(Some(Shape { size, align, kind: kind.unwrap_or(default) }))
    }

    /// The greatest alignment of the members of a structure; 1 when it has none, `None` when one is unknown.
    fn alignment_of_members(
        &mut self,
        unit: &Unit<Slice<'a>>,
        place: Place,
        work: &mut Work,
        depth: u32,
    ) -> Result<Option<u32>, DwarfError> {
        let mut align = 1;
        let mut entries = unit.entries_raw(Some(place.entry))?;
        let mut entry = super::Entry::null();
        entries.read_entry(&mut entry)?;
        while entries.next_depth() > 0 && !entries.is_empty() {
            if !entries.read_entry(&mut entry)? {
                continue;
            }
            work.spend(1 + entry.attrs().len())?;
            if entry.depth() != 1 || entry.tag() != dw::DW_TAG_member {
                continue;
            }
            let Some(value) = entry.attr_value(dw::DW_AT_type) else { return Ok(None) };
            let Some(of) = self.reader.referred(unit, &value)? else { return Ok(None) };
            let Some(member) = self.nested(of, work, depth + 1)? else { return Ok(None) };
            align = align.max(member.align);
        }
        Ok(Some(align))
    }
}
