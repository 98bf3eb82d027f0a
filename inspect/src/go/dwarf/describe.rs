//! What a Go type is made of, one level at a time: members of structures, what pointers point to, elements of slices and
//! arrays. Called by [`super::super::types`]; sizes and kinds come from `types.rs`.

use gimli::constants as dw;
use gimli::{AttributeValue, Unit};

use super::types::Types;
use super::{DebugInfo, DwarfError, Entry, Place, Reader, Slice, Work};
use crate::go::signature::Kind;
use crate::go::types::{Member, Origin, TypeInfo, TypeRef};
use crate::image::Image;

/// `DW_AT_go_embedded_field` of Go's `cmd/internal/dwarf`.
const DW_AT_GO_EMBEDDED_FIELD: gimli::DwAt = gimli::DwAt(0x2903);

/// `DW_AT_go_key` and `DW_AT_go_elem`, the types of a map's keys and elements.
const DW_AT_GO_KEY: gimli::DwAt = gimli::DwAt(0x2901);
const DW_AT_GO_ELEM: gimli::DwAt = gimli::DwAt(0x2902);

/// Start of the names of type parameters: `.param0`.
const PARAMETER_TYPE: &str = ".param";

/// Typedefs around a type that are followed.
const TYPEDEFS: usize = 8;

impl DebugInfo {
    /// Describes a type; `None` for an entry that is no Go type.
    pub(in crate::go) fn describe(&self, image: &Image, ty: Place) -> Result<Option<TypeInfo>, DwarfError> {
        let index = self.index.get_or_init(|| self.build_index(image)).as_ref().map_err(DwarfError::clone)?;
        let dwarf = self.dwarf(image, false)?;
        let reader = Reader { dwarf, index, sections: &self.sections, image, places: false };
        let mut work = Work::for_signature();
        let mut types = Types::new(&reader);
        let Some(shape) = types.shape(ty, &mut work)? else { return Ok(None) };
        let mut info = TypeInfo {
            name: String::new(),
            kind: shape.kind,
            size: shape.size,
            align: shape.align,
            members: Vec::new(),
            element: None,
            key: None,
            has_methods: false,
        };
        let mut place = ty;
        for _ in 0..TYPEDEFS {
            let Some(unit) = reader.unit_at(place)? else { return Ok(None) };
            let entry = unit.entry(place.entry)?;
            work.spend(1 + entry.attrs().len())?;
            if info.name.is_empty()
                && let Some(name) = entry.attr_value(dw::DW_AT_name)
            {
                info.name = reader.string(name)?;
                // What a type argument is called in a generic function; the shape it stands for follows.
                if info.name.starts_with(PARAMETER_TYPE) {
                    info.name.clear();
                }
            }
            let referred = |name| {
                let of = entry.attr_value(name).map(|value| reader.referred(&unit, &value));
                Ok::<_, DwarfError>(of.transpose()?.flatten())
            };
            let of = referred(dw::DW_AT_type)?;
            if info.kind == Kind::Map
                && let (Some(key), Some(element)) = (referred(DW_AT_GO_KEY)?, referred(DW_AT_GO_ELEM)?)
            {
                info.key = Some(TypeRef(Origin::Dwarf(key)));
                info.element = Some(TypeRef(Origin::Dwarf(element)));
                break;
            }
            match (entry.tag(), of) {
                (dw::DW_TAG_typedef, Some(of)) => place = of,
                (dw::DW_TAG_pointer_type | dw::DW_TAG_array_type, of) => {
                    info.element = of.map(|of| TypeRef(Origin::Dwarf(of)));
                    break;
                }
                (dw::DW_TAG_structure_type, _) => {
                    info.members = members(&reader, &unit, place, &mut types, &mut work)?;
                    break;
                }
                _ => break,
            }
        }
        if info.kind == Kind::Slice {
            // A slice is a structure of array, len, cap; its first member points to the elements.
            let first = info.members.first().and_then(|m| m.ty.in_dwarf());
            info.element =
                first.map(|array| self.describe(image, array)).transpose()?.flatten().and_then(|p| p.element);
        }
        // `runtime.iface` begins with `tab`, `runtime.eface` with `_type`.
        info.has_methods =
            info.kind == Kind::Interface && info.members.first().is_some_and(|first| first.name == "tab");
        Ok(Some(info))
    }
}

fn members<'a>(
    reader: &Reader<'a>,
    unit: &Unit<Slice<'a>>,
    place: Place,
    types: &mut Types<'_, 'a>,
    work: &mut Work,
) -> Result<Vec<Member>, DwarfError> {
    let mut found = Vec::new();
    let mut entries = unit.entries_raw(Some(place.entry))?;
    let mut entry = Entry::null();
    entries.read_entry(&mut entry)?;
    while entries.next_depth() > 0 && !entries.is_empty() {
        if !entries.read_entry(&mut entry)? {
            continue;
        }
        work.spend(1 + entry.attrs().len())?;
        if entry.depth() != 1 || entry.tag() != dw::DW_TAG_member {
            continue;
        }
        let name =
            entry.attr_value(dw::DW_AT_name).map(|name| reader.string(name)).transpose()?.unwrap_or_default();
        let offset = entry.attr_value(dw::DW_AT_data_member_location).and_then(|value| value.udata_value());
        let of = entry
            .attr_value(dw::DW_AT_type)
            .map(|value| reader.referred(unit, &value))
            .transpose()?
            .flatten();
        if let (Some(of), Some(offset)) = (of, offset.and_then(|offset| u32::try_from(offset).ok()))
            && let Some(shape) = types.shape(of, work)?
        {
            let embedded = entry.attr_value(DW_AT_GO_EMBEDDED_FIELD);
            let embedded = matches!(embedded, Some(AttributeValue::Flag(true)))
                || embedded.and_then(|v| v.udata_value()) == Some(1);
            found.push(Member { name, offset, size: shape.size, ty: TypeRef(Origin::Dwarf(of)), embedded });
        }
    }
    Ok(found)
}
