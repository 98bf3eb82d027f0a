//! The kernel's types for the checker, from its BTF: structures when they are asked for, one at a time.
//!
//! A structure that another one has or points to comes with its name only, if it has one: the kernel's structures reach each
//! other in circles, and all of them together are tens of thousands.

use super::traceable::{Traceable, TraceableList};
use crate::sys::probe::Feature;
use inspect::btf::{Btf, Member, Type as Raw, TypeId};
use inspect::kallsyms::Kallsyms;
use lang::types::{AddrSpace, BitRange, Enum, Field, FieldForm, Struct, StructKind, Type};
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

/// Anonymous members and types behind pointers that are followed: far above what the kernel has, and an end for damaged data.
const DEPTH: usize = 16;

/// What is known of the running kernel's types.
#[derive(Default)]
pub(super) struct Kernel {
    btf: OnceCell<Option<Btf>>,
    /// Those of the file that the user names instead.
    named: OnceCell<Option<Btf>>,
    /// Types of modules, by name; opened when something is looked for that the kernel itself does not have.
    modules: OnceCell<Vec<(String, Btf)>>,
    symbols: OnceCell<Option<Kallsyms>>,
    /// ftrace's list of functions, if there is one that can be read.
    traceable: OnceCell<Option<TraceableList>>,
    /// Structures that were asked for, by tag.
    structs: RefCell<HashMap<String, Option<Struct>>>,
    /// Names that were asked for as enumerators: a script is checked in several passes.
    enumerators: RefCell<HashMap<String, Option<(Enum, i64)>>>,
}

/// Variables of the environment that name a file with the kernel's types (a BTF blob), for kernels that do not describe theirs, and to check
/// scripts for another kernel. The second is bpftrace's.
const NAMED: [&str; 2] = ["GOTRACE_BTF", "BPFTRACE_BTF"];

/// The types in the file that the environment names, if it names one.
///
/// # Errors
/// The file cannot be read or holds something else: a sentence that says which.
pub(crate) fn named_types() -> Result<Option<Btf>, String> {
    let named =
        NAMED.iter().find_map(|name| Some((name, std::env::var_os(name).filter(|path| !path.is_empty())?)));
    let Some((name, path)) = named else { return Ok(None) };
    let opened = Btf::open(std::path::Path::new(&path));
    opened.map(Some).map_err(|e| format!("{name} names no types of a kernel: {e}"))
}

impl Kernel {
    /// The kernel's type information, if it has some.
    pub(super) fn btf(&self) -> Option<&Btf> {
        let open = || {
            Feature::Btf.check().ok()?;
            Btf::vmlinux().ok()
        };
        self.btf.get_or_init(open).as_ref()
    }

    /// The types of modules.
    fn modules(&self) -> &[(String, Btf)] {
        self.modules.get_or_init(|| {
            let Some(base) = self.btf() else { return Vec::new() };
            super::function::modules_with_types()
                .into_iter()
                .filter_map(|(name, path)| Some((name, Btf::open_module(&path, base).ok()?)))
                .collect()
        })
    }

    /// The types of the kernel, then those of modules; with a name only those of that module, or of the kernel (`vmlinux`).
    pub(super) fn all_types(&self, module: Option<&str>) -> impl Iterator<Item = (Option<&str>, &Btf)> {
        let kernel = self.btf().filter(|_| module.is_none_or(|m| m == "vmlinux")).map(|btf| (None, btf));
        let module = module.map(str::to_owned);
        let modules = std::iter::once(()).flat_map(move |()| self.modules());
        let wanted = modules.filter(move |(name, _)| module.as_ref().is_none_or(|m| m == name));
        kernel.into_iter().chain(wanted.map(|(name, btf)| (Some(name.as_str()), btf)))
    }

    /// Where types are looked for by their names: in the file that the user names, else as [`Kernel::all_types`]. Functions are always
    /// those of the running kernel, which knows them by their numbers.
    fn described(&self) -> impl Iterator<Item = &Btf> {
        let named = self.named.get_or_init(|| named_types().ok().flatten()).as_ref();
        let own = self.all_types(None).map(|(_, btf)| btf).filter(move |_| named.is_none());
        named.into_iter().chain(own)
    }

    /// The kernel's symbols, if they can be read.
    pub(super) fn symbols(&self) -> Option<&Kallsyms> {
        self.symbols.get_or_init(super::function::kallsyms).as_ref()
    }

    /// Those of the functions that ftrace can trace whose names are wanted; `None` where nothing lists them.
    pub(super) fn traceable(&self, wanted: impl Fn(&str) -> bool) -> Option<Traceable<'_>> {
        let list = self.traceable.get_or_init(TraceableList::read).as_ref()?;
        Some(list.find(wanted))
    }

    /// The enumeration that has an enumerator of this name, and its value.
    pub(super) fn enumerator(&self, name: &str) -> Option<(Enum, i64)> {
        if let Some(known) = self.enumerators.borrow().get(name) {
            return known.clone();
        }
        let found = self.described().find_map(|btf| {
            let (id, value) = btf.find_enumerator(name)?;
            Some((declared_enum(btf, id)?, value))
        });
        self.enumerators.borrow_mut().insert(name.to_owned(), found.clone());
        found
    }

    /// An enumeration by its tag.
    pub(super) fn enumeration(&self, name: &str) -> Option<Enum> {
        self.described().find_map(|btf| declared_enum(btf, btf.find_enum(name)?))
    }

    /// What a typedef stands for.
    pub(super) fn typedef(&self, name: &str) -> Option<Type> {
        self.described().find_map(|btf| convert(btf, btf.find_typedef(name)?, 0))
    }

    /// A structure or union by its tag.
    pub(super) fn structure(&self, name: &str) -> Option<Struct> {
        if let Some(known) = self.structs.borrow().get(name) {
            return known.clone();
        }
        let found = self.described().find_map(|btf| {
            let id = btf.find_struct(name).or_else(|| btf.find_union(name))?;
            composite(btf, id, name, 0)
        });
        self.structs.borrow_mut().insert(name.to_owned(), found.clone());
        found
    }
}

/// The layout of a structure or union.
fn composite(btf: &Btf, id: TypeId, name: &str, depth: usize) -> Option<Struct> {
    if depth > DEPTH {
        return None;
    }
    let size = btf.size_of(id)?;
    let mut fields: Vec<Field> = Vec::new();
    for member in btf.members(id) {
        add(btf, &member, depth, &mut fields);
    }
    let kind = if matches!(btf.ty(id)?, Raw::Union { .. }) { StructKind::Union } else { StructKind::Struct };
    Some(Struct { kind, name: name.to_owned(), size, align: alignment(btf, id, depth), fields })
}

/// Adds a member; the members of an anonymous structure or union are members of the one around it.
fn add(btf: &Btf, member: &Member<'_>, depth: usize, fields: &mut Vec<Field>) {
    let Some(ty) = convert(btf, member.ty, depth + 1) else { return };
    // Bits are counted from the lowest of the byte that the member starts in, on the machines that gotrace runs on.
    let offset = member.bit_offset / 8;
    let form = match member.bit_width.map(u8::try_from) {
        None => FieldForm::Plain,
        Some(Ok(width)) => FieldForm::Bits(BitRange { shift: (member.bit_offset % 8) as u8, width }),
        Some(Err(_)) => return,
    };
    match (&ty, member.name) {
        (Type::Struct(inner), "") => {
            let moved = inner.fields.iter().map(|f| Field { offset: f.offset + offset, ..f.clone() });
            fields.extend(moved);
        }
        (_, "") => {}
        (_, name) => fields.push(Field { form, ..Field::new(name, offset, ty) }),
    }
}

/// The alignment of a type in bytes. BTF does not tell it: it follows from the members, and where they or the size do not keep to it, the
/// structure is packed.
fn alignment(btf: &Btf, id: TypeId, depth: usize) -> u32 {
    let resolved = btf.resolve(id).and_then(|id| Some((id, btf.ty(id)?)));
    match resolved {
        _ if depth > DEPTH => 1,
        Some((_, Raw::Int { size, .. } | Raw::Enum { size, .. })) => size.clamp(1, 16),
        Some((_, Raw::Pointer(_))) => 8,
        Some((_, Raw::Array { element, .. })) => alignment(btf, element, depth + 1),
        Some((id, Raw::Struct { size, .. } | Raw::Union { size, .. })) => {
            let mut most = 1;
            for member in btf.members(id) {
                let align = alignment(btf, member.ty, depth + 1);
                if member.bit_width.is_none() && !member.bit_offset.is_multiple_of(8 * align) {
                    return 1;
                }
                most = most.max(align);
            }
            if size.is_multiple_of(most) { most } else { 1 }
        }
        _ => 1,
    }
}

/// The language's counterpart of a type; `None` for what has no size.
pub(super) fn convert(btf: &Btf, id: TypeId, depth: usize) -> Option<Type> {
    if depth > DEPTH {
        return None;
    }
    let id = btf.resolve(id)?;
    Some(match btf.ty(id)? {
        Raw::Int { name: "_Bool", .. } => Type::Bool,
        // Kernels are compiled with unsigned chars since 6.2; what is text is told by `char` being signed.
        Raw::Int { name: "char", .. } => Type::Int { bits: 8, signed: true },
        Raw::Int { size, signed, .. } => integer(size, signed)?,
        Raw::Enum { name, size, signed } => enumeration(btf, id, name, size, signed)?,
        Raw::Pointer(to) => Type::Ptr { to: Box::new(pointee(btf, to, depth + 1)), space: AddrSpace::Kernel },
        Raw::Array { element, count } => Type::Array(Box::new(convert(btf, element, depth + 1)?), count),
        Raw::Struct { name: "", .. } | Raw::Union { name: "", .. } => {
            Type::Struct(Arc::new(composite(btf, id, "(anonymous)", depth + 1)?))
        }
        Raw::Struct { name, size } => named(StructKind::Struct, name, size, alignment(btf, id, depth)),
        Raw::Union { name, size } => named(StructKind::Union, name, size, alignment(btf, id, depth)),
        _ => return None,
    })
}

/// What a pointer points to; `void` where the language has nothing for it.
fn pointee(btf: &Btf, id: TypeId, depth: usize) -> Type {
    let resolved = btf.resolve(id).and_then(|id| btf.ty(id));
    match resolved {
        Some(Raw::Forward { name }) => named(StructKind::Struct, name, 0, 1),
        _ => convert(btf, id, depth).unwrap_or(Type::Void),
    }
}

/// A structure without its members.
fn named(kind: StructKind, name: &str, size: u32, align: u32) -> Type {
    Type::Struct(Arc::new(Struct { kind, name: name.to_owned(), size, align, fields: Vec::new() }))
}

/// An enumeration; an integer where its width is none that the language has.
fn enumeration(btf: &Btf, id: TypeId, name: &str, size: u32, signed: bool) -> Option<Type> {
    let bits = u8::try_from(size.checked_mul(8)?).ok().filter(|bits| matches!(bits, 8 | 16 | 32 | 64));
    let Some(bits) = bits else { return integer(size, signed) };
    let variants = btf.enumerators(id).map(|(name, value)| (name.to_owned(), value)).collect();
    Some(Type::Enum(Arc::new(Enum { name: name.to_owned(), bits, signed, variants })))
}

/// An enumeration with its enumerators.
fn declared_enum(btf: &Btf, id: TypeId) -> Option<Enum> {
    match convert(btf, id, 0)? {
        Type::Enum(found) => Some(Arc::unwrap_or_clone(found)),
        _ => None,
    }
}

fn integer(bytes: u32, signed: bool) -> Option<Type> {
    match bytes {
        1 | 2 | 4 | 8 => Some(Type::Int { bits: bytes as u8 * 8, signed }),
        16 => Some(Type::Array(Box::new(Type::U64), 2)),
        _ => None,
    }
}
