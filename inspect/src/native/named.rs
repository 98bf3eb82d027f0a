//! Types by their names: structures, enumerations, typedefs and enumerators, wherever in the debug information they are.
//!
//! A name may have namespaces before it (`shop::Node`), as many of the innermost as are needed; of several enumerations, typedefs and
//! values that fit, the first that is described counts, of structures all are told. Each question goes through all units, so callers keep
//! the answers.

use std::collections::HashMap;

use gimli::constants as dw;
use gimli::{Reader as _, UnitOffset};

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

    /// The structures, classes and unions that are called so, with the namespaces that they are in, each name once; if one has the name
    /// without more namespaces, that alone.
    pub fn composites(&self, name: &str) -> Vec<(String, TypeId)> {
        let (outer, last) = split(name);
        let mut found: Vec<(String, TypeId)> = Vec::new();
        for at in &self.units {
            let exact = self.walk(at, Wanted::Composite, |entry| {
                let fits = outer.is_none_or(|outer| ends_with(entry.scopes, outer));
                if !is_composite(entry.tag)
                    || entry.declared
                    || entry.name.slice() != last.as_bytes()
                    || !fits
                {
                    return None;
                }
                let whole = scoped(entry.scopes, entry.name);
                let exact = (whole == name).then_some(entry.id);
                if found.iter().all(|(known, _)| *known != whole) {
                    found.push((whole, entry.id));
                }
                exact
            });
            if let Some(id) = exact {
                return vec![(name.to_owned(), id)];
            }
        }
        found
    }

    /// The name of a structure, class or union with the namespaces that it is in; `None` if it is in none.
    pub fn scoped_name(&self, TypeId(id): TypeId) -> Option<String> {
        let at = self.unit_of(id)?;
        let names = at.scoped.get_or_init(|| {
            let mut names = HashMap::new();
            self.walk(at, Wanted::Composite, |entry| {
                if is_composite(entry.tag) && !entry.scopes.is_empty() && !entry.name.is_empty() {
                    names.insert(entry.id.0, scoped(entry.scopes, entry.name));
                }
                None::<()>
            });
            names
        });
        names.get(&id).cloned()
    }

    fn named_in(&self, at: &UnitAt<'a>, name: &str, wanted: Wanted) -> Option<TypeId> {
        let (outer, last) = split(name);
        self.walk(at, wanted, |entry| {
            let fits = || outer.is_none_or(|outer| ends_with(entry.scopes, outer));
            if !wanted.is(entry.tag) || entry.declared || entry.name.slice() != last.as_bytes() || !fits() {
                return None;
            }
            let around = entry.scopes.last().filter(|_| wanted == Wanted::Variant);
            Some(around.map_or(entry.id, |scope| scope.id))
        })
    }

    /// Looks at the wanted entries of a unit and at those that others are in, until there is an answer.
    fn walk<R>(
        &self,
        at: &UnitAt<'a>,
        wanted: Wanted,
        mut look: impl FnMut(Named<'_, 'a>) -> Option<R>,
    ) -> Option<R> {
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
            let name = text.unwrap_or_else(|| Slice::new(&[], gimli::LittleEndian));
            while scopes.last().is_some_and(|scope| scope.depth >= depth) {
                scopes.pop();
            }
            let declared = attribute(dw::DW_AT_declaration).is_some();
            let id = TypeId(at.start + offset);
            if let Some(answer) = look(Named { tag, scopes: &scopes, name, id, declared }) {
                return Some(answer);
            }
            if is_scope(tag) {
                scopes.push(Scope { depth, name, id, values: tag == dw::DW_TAG_enumeration_type });
            }
        }
        None
    }
}

/// An entry that may be meant.
struct Named<'s, 'a> {
    tag: gimli::DwTag,
    scopes: &'s [Scope<'a>],
    name: Slice<'a>,
    id: TypeId,
    /// It says no more than that there is such a type.
    declared: bool,
}

/// The namespaces before a name, and the name.
fn split(name: &str) -> (Option<&str>, &str) {
    name.rsplit_once("::").map_or((None, name), |(outer, last)| (Some(outer), last))
}

/// A name with those of its scopes that have one.
fn scoped(scopes: &[Scope<'_>], name: Slice<'_>) -> String {
    let parts = scopes.iter().map(|scope| scope.name).chain([name]);
    let parts: Vec<_> = parts.filter(|part| !part.is_empty()).map(|part| part.to_string_lossy()).collect();
    parts.join("::")
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
