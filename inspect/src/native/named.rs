//! Types by their names: structures, enumerations, typedefs and enumerators, wherever in the debug information they are.
//!
//! A name may have namespaces before it (`shop::Node`), as many of the innermost as are needed; of several that fit, the first that is
//! described counts. Each question goes through all units, so callers keep the answers.

use gimli::UnitOffset;
use gimli::constants as dw;

use super::{Debug, Slice, TypeId, UnitAt};

/// What kind of thing a name is looked for among.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// Structures, classes and unions.
    Composite,
    /// Enumerations.
    Enum,
    /// Typedefs.
    Typedef,
    /// Values of enumerations; found is the enumeration.
    Variant,
}

impl Wanted {
    fn is(self, tag: gimli::DwTag) -> bool {
        match self {
            Wanted::Composite => is_composite(tag),
            Wanted::Enum => tag == dw::DW_TAG_enumeration_type,
            Wanted::Typedef => tag == dw::DW_TAG_typedef,
            Wanted::Variant => tag == dw::DW_TAG_enumerator,
        }
    }
}

fn is_composite(tag: gimli::DwTag) -> bool {
    matches!(tag, dw::DW_TAG_structure_type | dw::DW_TAG_class_type | dw::DW_TAG_union_type)
}

/// Whether names of what is in it are behind its own.
fn is_scope(tag: gimli::DwTag) -> bool {
    is_composite(tag) || matches!(tag, dw::DW_TAG_namespace | dw::DW_TAG_enumeration_type)
}

/// Something that others are in.
struct Scope<'a> {
    depth: isize,
    name: Slice<'a>,
    id: TypeId,
    /// An enumeration, whose values may be named without it.
    values: bool,
}

impl<'a> Debug<'a> {
    /// What is called so.
    pub fn named(&self, name: &str, wanted: Wanted) -> Option<TypeId> {
        self.units.iter().find_map(|at| self.named_in(at, name, wanted))
    }

    fn named_in(&self, at: &UnitAt<'a>, wanted_name: &str, wanted: Wanted) -> Option<TypeId> {
        let (outer, last) = match wanted_name.rsplit_once("::") {
            Some((outer, last)) => (Some(outer), last),
            None => (None, wanted_name),
        };
        let mut scopes: Vec<Scope<'a>> = Vec::new();
        let mut entries = at.unit.entries_raw(None).ok()?;
        let mut attributes = Vec::new();
        while !entries.is_empty() {
            let (depth, UnitOffset(offset)) = (entries.next_depth(), entries.next_offset());
            let Some(abbreviation) = entries.read_abbreviation().ok()? else { continue };
            let tag = abbreviation.tag();
            if !is_scope(tag) && !wanted.is(tag) {
                entries.skip_attributes(abbreviation.attributes()).ok()?;
                continue;
            }
            entries.read_attributes(abbreviation.attributes(), &mut attributes).ok()?;
            let attribute = |name| attributes.iter().find(|a| a.name() == name).map(gimli::Attribute::value);
            let text =
                attribute(dw::DW_AT_name).and_then(|text| self.dwarf_of(at).attr_string(&at.unit, text).ok());
            let text = text.unwrap_or_else(|| Slice::new(&[], gimli::LittleEndian));
            while scopes.last().is_some_and(|scope| scope.depth >= depth) {
                scopes.pop();
            }
            let declared = attribute(dw::DW_AT_declaration).is_some();
            let fits = || outer.is_none_or(|outer| ends_with(&scopes, outer));
            if wanted.is(tag) && !declared && text.slice() == last.as_bytes() && fits() {
                let around = scopes.last().filter(|_| wanted == Wanted::Variant);
                return Some(around.map_or(TypeId(at.start + offset), |scope| scope.id));
            }
            if is_scope(tag) {
                let values = tag == dw::DW_TAG_enumeration_type;
                scopes.push(Scope { depth, name: text, id: TypeId(at.start + offset), values });
            }
        }
        None
    }
}

/// Whether the innermost scopes are called so, with the enumeration or without.
fn ends_with(scopes: &[Scope<'_>], outer: &str) -> bool {
    let named = |scopes: &[Scope<'_>]| {
        let mut scopes = scopes.iter().rev();
        outer
            .rsplit("::")
            .all(|name| scopes.next().is_some_and(|scope| scope.name.slice() == name.as_bytes()))
    };
    match scopes {
        [rest @ .., last] if last.values => named(scopes) || named(rest),
        _ => named(scopes),
    }
}
