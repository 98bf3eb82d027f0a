//! Types of a Go program from its own type descriptors (`internal/abi.Type`), which every binary has, stripped or not: the runtime
//! and `reflect` need them. [`super::types`] gives them the same form as those of the debug information.
//!
//! `descriptor.rs` reads one descriptor, `name.rs` spells its type, `index.rs` finds all of them, `method.rs` leads from the code
//! of a method to its signature, and this file is what the rest of the crate asks.
//!
//! The data is untrusted: every read is checked, every walk counted. What does not hold together is absent.
//!
//! A type has a descriptor only if the program may need it at run time: it is converted to an interface, or part of such a type, or
//! allocated on its own. Methods that nothing can call are left out by the linker.

mod descriptor;
mod index;
mod method;
mod name;

use std::sync::OnceLock;

use super::GoBinary;
use super::signature::Kind;
use super::types::{Member, Origin, TypeInfo, TypeRef};
use descriptor::Reader;
use index::Index;
use method::Methods;

/// What has been found out about the descriptors of a binary: nothing before the first question.
#[derive(Debug, Default)]
pub(super) struct RuntimeTypes {
    index: OnceLock<Index>,
    methods: OnceLock<Methods>,
}

/// The descriptors of a binary, to be asked.
#[derive(Clone, Copy)]
pub(super) struct Descriptors<'a> {
    binary: &'a GoBinary,
    reader: Reader<'a>,
}

impl GoBinary {
    /// The type of this full name, such as `runtime.g` or `net/http.Request`, if the program has a descriptor of it.
    pub fn runtime_type_named(&self, name: &str) -> Option<TypeRef> {
        let types = self.runtime_types();
        types.index().named(name).map(|vaddr| TypeRef(Origin::Runtime(vaddr)))
    }

    /// The type whose descriptor is at this address (as in the file: without the load bias of a position-independent program).
    pub fn runtime_type_at(&self, vaddr: u64) -> Option<TypeRef> {
        self.runtime_types().reader.descriptor(vaddr).map(|found| TypeRef(Origin::Runtime(found.vaddr)))
    }

    /// The name that `%T` prints for values of the type whose descriptor is at this address: with the package's name, not its
    /// path, as in `*http.Request`.
    pub fn runtime_type_name(&self, vaddr: u64) -> Option<&str> {
        let reader = self.runtime_types().reader;
        reader.short_name(&reader.descriptor(vaddr)?)
    }

    /// The same with full paths, as in `*net/http.Request`: how [`TypeInfo::name`] spells it.
    pub fn runtime_type_path(&self, vaddr: u64) -> Option<String> {
        let types = self.runtime_types();
        types.reader.descriptor(vaddr).map(|found| types.full_name(found.vaddr))
    }

    /// All types with a descriptor, by address.
    pub fn runtime_type_list(&self) -> impl Iterator<Item = TypeRef> {
        self.runtime_types().index().all().iter().map(|vaddr| TypeRef(Origin::Runtime(*vaddr)))
    }

    /// The pointer to a type.
    pub fn pointer_to(&self, ty: TypeRef) -> Option<TypeRef> {
        match ty.0 {
            Origin::Runtime(vaddr) => Some(TypeRef(Origin::PointerTo(vaddr))),
            Origin::Dwarf(_) | Origin::PointerTo(_) => None,
        }
    }

    pub(super) fn runtime_types(&self) -> Descriptors<'_> {
        Descriptors { binary: self, reader: Reader::new(self.image(), self.module(), self.release()) }
    }
}

impl<'a> Descriptors<'a> {
    fn index(self) -> &'a Index {
        self.binary.runtime_types.index.get_or_init(|| Index::build(self.reader))
    }

    /// Describes a type in the form of [`super::types`].
    pub(super) fn describe(self, vaddr: u64) -> Option<TypeInfo> {
        let found = self.reader.descriptor(vaddr)?;
        let at = |vaddr: u64| TypeRef(Origin::Runtime(vaddr));
        let element = match found.kind {
            Kind::Pointer | Kind::Slice | Kind::Array | Kind::Chan => self.reader.element(&found),
            Kind::Map => self.reader.map_element(&found),
            _ => None,
        };
        let key = (found.kind == Kind::Map).then(|| self.reader.map_key(&found)).flatten();
        let members = match found.kind {
            Kind::Struct => self.members(&found)?,
            _ => Vec::new(),
        };
        Some(TypeInfo {
            name: self.full_name(vaddr),
            kind: found.kind,
            size: found.size,
            align: found.align,
            members,
            element: element.map(at),
            key: key.map(at),
            has_methods: found.kind == Kind::Interface && self.reader.method_count(&found)? > 0,
        })
    }

    /// Describes the pointer to a type.
    pub(super) fn describe_pointer(self, vaddr: u64) -> Option<TypeInfo> {
        let to = self.reader.descriptor(vaddr)?;
        Some(TypeInfo {
            name: format!("*{}", self.full_name(vaddr)),
            kind: Kind::Pointer,
            size: 8,
            align: 8,
            members: Vec::new(),
            element: Some(TypeRef(Origin::Runtime(to.vaddr))),
            key: None,
            has_methods: false,
        })
    }

    /// The members of a structure; `None` if one of them cannot be read, because a list with a hole would show wrong values.
    fn members(self, found: &descriptor::Descriptor) -> Option<Vec<Member>> {
        let (mut members, mut end) = (Vec::new(), 0);
        for field in self.reader.fields(found)? {
            let field = field?;
            let of = self.reader.descriptor(field.ty)?;
            // Members lie in their structure, one behind the other.
            (field.offset >= end && field.offset.checked_add(of.size)? <= found.size).then_some(())?;
            end = field.offset + of.size;
            members.push(Member {
                name: field.name.to_owned(),
                offset: field.offset,
                size: of.size,
                ty: TypeRef(Origin::Runtime(field.ty)),
                embedded: field.embedded,
            });
        }
        Some(members)
    }

    fn full_name(self, vaddr: u64) -> String {
        name::full(self.reader, self.index(), vaddr)
    }
}
