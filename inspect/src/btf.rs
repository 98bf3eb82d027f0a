//! The kernel's type information (BTF): structures, offsets of members, functions. Read from
//! `/sys/kernel/btf/vmlinux`, mapped and not copied; the types of a module build upon them. Format:
//! `Documentation/bpf/btf.rst` and `include/uapi/linux/btf.h`.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::bytes;
use crate::error::Error;
use crate::mmap::Data;

/// Where the kernel publishes its own types.
const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

const MAGIC: u16 = 0xeb9f;
/// Fixed part of a type: name, info, size or type.
const TYPE_HEADER: usize = 12;

/// `BTF_KIND_*`, and the bytes that follow the fixed part: once, and for each of its `vlen` items.
const KINDS: [(u8, usize, usize); 19] = [
    (kind::INT, 4, 0),
    (kind::PTR, 0, 0),
    (kind::ARRAY, 12, 0),
    (kind::STRUCT, 0, 12),
    (kind::UNION, 0, 12),
    (kind::ENUM, 0, 8),
    (kind::FWD, 0, 0),
    (kind::TYPEDEF, 0, 0),
    (kind::VOLATILE, 0, 0),
    (kind::CONST, 0, 0),
    (kind::RESTRICT, 0, 0),
    (kind::FUNC, 0, 0),
    (kind::FUNC_PROTO, 0, 8),
    (kind::VAR, 4, 0),
    (kind::DATASEC, 0, 12),
    (kind::FLOAT, 0, 0),
    (kind::DECL_TAG, 4, 0),
    (kind::TYPE_TAG, 0, 0),
    (kind::ENUM64, 0, 12),
];

mod kind {
    pub(super) const INT: u8 = 1;
    pub(super) const PTR: u8 = 2;
    pub(super) const ARRAY: u8 = 3;
    pub(super) const STRUCT: u8 = 4;
    pub(super) const UNION: u8 = 5;
    pub(super) const ENUM: u8 = 6;
    pub(super) const FWD: u8 = 7;
    pub(super) const TYPEDEF: u8 = 8;
    pub(super) const VOLATILE: u8 = 9;
    pub(super) const CONST: u8 = 10;
    pub(super) const RESTRICT: u8 = 11;
    pub(super) const FUNC: u8 = 12;
    pub(super) const FUNC_PROTO: u8 = 13;
    pub(super) const VAR: u8 = 14;
    pub(super) const DATASEC: u8 = 15;
    pub(super) const FLOAT: u8 = 16;
    pub(super) const DECL_TAG: u8 = 17;
    pub(super) const TYPE_TAG: u8 = 18;
    pub(super) const ENUM64: u8 = 19;
}

/// Number of a type; 0 is `void`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TypeId(pub u32);

/// A parsed BTF blob.
#[derive(Debug)]
pub struct Btf {
    data: Data,
    types: Range<usize>,
    strings: Range<usize>,
    index: Mutex<Index>,
    path: PathBuf,
    /// For a module: the kernel's types.
    base: Option<Arc<Base>>,
}

/// What the types of a module build upon. Their numbers and the offsets of their strings go on where the kernel's end.
#[derive(Debug)]
struct Base {
    /// Number of the module's first type.
    first: u32,
    /// Length of the kernel's strings.
    strings: u32,
    btf: Btf,
}

/// Where types are. Grows up to the highest number asked for: a tracer needs a few structures of the blob's
/// beginning, and walking over all of its pages would cost more than everything else at start-up.
#[derive(Debug)]
struct Index {
    /// Offset in the blob of each type, from number 1.
    offsets: Vec<u32>,
    /// Offset of the next one.
    next: usize,
}

/// A type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type<'a> {
    /// No type: a function without a result, or what `void *` points to.
    Void,
    /// An integer, character or boolean.
    Int {
        /// Name, for example `unsigned int`.
        name: &'a str,
        /// Bytes.
        size: u32,
        /// Whether it is signed.
        signed: bool,
    },
    /// A floating-point number.
    Float {
        /// Name.
        name: &'a str,
        /// Bytes.
        size: u32,
    },
    /// A pointer.
    Pointer(TypeId),
    /// An array.
    Array {
        /// Type of an element.
        element: TypeId,
        /// Number of elements.
        count: u32,
    },
    /// A structure.
    Struct {
        /// Name; empty for anonymous ones.
        name: &'a str,
        /// Bytes.
        size: u32,
    },
    /// A union.
    Union {
        /// Name; empty for anonymous ones.
        name: &'a str,
        /// Bytes.
        size: u32,
    },
    /// An enumeration.
    Enum {
        /// Name; empty for anonymous ones.
        name: &'a str,
        /// Bytes.
        size: u32,
        /// Whether its values are signed.
        signed: bool,
    },
    /// A structure or union that is only declared.
    Forward {
        /// Name.
        name: &'a str,
    },
    /// Another name for a type.
    Typedef {
        /// Name.
        name: &'a str,
        /// The type.
        target: TypeId,
    },
    /// `const`, `volatile`, `restrict` or a tag on a type.
    Modifier(TypeId),
    /// A function.
    Function {
        /// Name.
        name: &'a str,
        /// Its prototype.
        prototype: TypeId,
    },
    /// Result and parameters of a function: see [`Btf::parameters`].
    Prototype {
        /// Type of the result.
        result: TypeId,
    },
    /// A variable, a section or a declaration tag: nothing a tracer asks for.
    Other,
}

/// A member of a structure or union.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'a> {
    /// Name; empty for anonymous structures and unions.
    pub name: &'a str,
    /// Its type.
    pub ty: TypeId,
    /// Bits from the start of the structure that was asked.
    pub bit_offset: u32,
    /// Width of a bit field; `None` for ordinary members.
    pub bit_width: Option<u32>,
}

impl Member<'_> {
    /// Bytes from the start; `None` for a bit field that does not start at a byte.
    pub fn byte_offset(&self) -> Option<u32> {
        self.bit_offset.is_multiple_of(8).then_some(self.bit_offset / 8)
    }
}

/// What a load from a structure gives: see [`Btf::loaded`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loaded {
    /// A number.
    Number,
    /// A pointer to a structure.
    Pointer,
}

/// A parameter of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter<'a> {
    /// Name; may be empty.
    pub name: &'a str,
    /// Its type; `void` for the dots of a variadic function.
    pub ty: TypeId,
}

/// Typedefs and modifiers in a row, and anonymous members inside each other, that are followed: an end for
/// damaged data.
const DEPTH_LIMIT: usize = 32;
/// Anonymous members that are searched for a name, at any depth: far above the kernel's, and an end for
/// damaged data, which can nest them without end.
const SEARCH_LIMIT: usize = 1000;

/// The raw fields of a type.
#[derive(Clone, Copy)]
struct Raw {
    name: u32,
    kind: u8,
    items: usize,
    flag: bool,
    size_or_type: u32,
    /// Offset of what follows the fixed part.
    rest: usize,
}

impl Btf {
    /// The running kernel's types.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the kernel was built without `CONFIG_DEBUG_INFO_BTF`; [`Error::Damaged`].
    pub fn vmlinux() -> Result<Btf, Error> {
        Btf::open(Path::new(VMLINUX))
    }

    /// Types from a file that is a BTF blob.
    ///
    /// # Errors
    /// As [`Btf::vmlinux`].
    pub fn open(path: &Path) -> Result<Btf, Error> {
        let io = |e| Error::io(path, e);
        let file = File::open(path).map_err(io)?;
        Btf::parse(Data::of_file(&file).map_err(io)?, path)
    }

    /// The types of a module, which refer to those of the kernel: `base` is copied by reference to its mapping.
    ///
    /// # Errors
    /// As [`Btf::vmlinux`].
    pub fn open_module(path: &Path, base: &Btf) -> Result<Btf, Error> {
        let mut own = Btf::open(path)?;
        own.base = Some(Arc::new(Base {
            first: u32::try_from(base.count()).unwrap_or(u32::MAX).saturating_add(1),
            strings: u32::try_from(base.strings.len()).unwrap_or(u32::MAX),
            btf: Btf::open(&base.path)?,
        }));
        Ok(own)
    }

    /// Types from a blob in memory; `path` names it in error texts.
    ///
    /// # Errors
    /// [`Error::Damaged`].
    pub fn from_bytes(bytes: Vec<u8>, path: &Path) -> Result<Btf, Error> {
        Btf::parse(Data::Owned(bytes), path)
    }

    fn parse(data: Data, path: &Path) -> Result<Btf, Error> {
        let damaged = |what: &str| Error::damaged(path, what);
        let all = data.bytes();
        if bytes::u16(all, 0) != Some(MAGIC) {
            return Err(damaged("not BTF"));
        }
        // Header: magic, version, flags, header length, then offsets (from the header's end) and lengths of
        // types and strings.
        let word = |at: usize| bytes::u32(all, at).map(|n| n as usize);
        let part = |offset: usize, len: usize| {
            let start = word(4)?.checked_add(word(offset)?)?;
            let end = start.checked_add(word(len)?)?;
            (end <= all.len()).then_some(start..end)
        };
        let types = part(8, 12).ok_or_else(|| damaged("type section beyond the end"))?;
        let strings = part(16, 20).ok_or_else(|| damaged("string section beyond the end"))?;
        let index = Mutex::new(Index { offsets: Vec::new(), next: types.start });
        Ok(Btf { types, strings, index, data, path: path.to_owned(), base: None })
    }

    /// Number of types, without `void`. Walks over all of them. Types behind one of an unknown kind are not
    /// counted and not found: its length cannot be known.
    pub fn count(&self) -> usize {
        self.walk().count()
    }

    /// A type by its number; `None` when there is none.
    pub fn ty(&self, id: TypeId) -> Option<Type<'_>> {
        if id.0 == 0 {
            return Some(Type::Void);
        }
        if let Some(base) = self.base_of(id) {
            return base.ty(id);
        }
        let raw = self.raw(id)?;
        let name = self.string(raw.name)?;
        let (size, target) = (raw.size_or_type, TypeId(raw.size_or_type));
        Some(match raw.kind {
            // The encoding word: bits 24.. hold the flags, of which the lowest is "signed".
            kind::INT => Type::Int { name, size, signed: self.word(raw.rest)? >> 24 & 1 != 0 },
            kind::FLOAT => Type::Float { name, size },
            kind::PTR => Type::Pointer(target),
            kind::ARRAY => {
                Type::Array { element: TypeId(self.word(raw.rest)?), count: self.word(raw.rest + 8)? }
            }
            kind::STRUCT => Type::Struct { name, size },
            kind::UNION => Type::Union { name, size },
            kind::ENUM | kind::ENUM64 => Type::Enum { name, size, signed: raw.flag },
            kind::FWD => Type::Forward { name },
            kind::TYPEDEF => Type::Typedef { name, target },
            kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG => Type::Modifier(target),
            kind::FUNC => Type::Function { name, prototype: target },
            kind::FUNC_PROTO => Type::Prototype { result: target },
            _ => Type::Other,
        })
    }

    /// All typedefs: numbers and names.
    pub fn typedefs(&self) -> impl Iterator<Item = (TypeId, &str)> {
        let typedefs = self.walk().filter(|(_, raw)| raw.kind == kind::TYPEDEF);
        typedefs.filter_map(|(id, raw)| Some((id, self.string(raw.name)?)))
    }

    /// Follows typedefs and modifiers to the type behind them.
    pub fn resolve(&self, mut id: TypeId) -> Option<TypeId> {
        for _ in 0..DEPTH_LIMIT {
            match self.ty(id)? {
                Type::Typedef { target, .. } | Type::Modifier(target) => id = target,
                _ => return Some(id),
            }
        }
        None
    }

    /// Bytes of a value of the type; `None` for functions, `void` and incomplete types.
    pub fn size_of(&self, id: TypeId) -> Option<u32> {
        let mut factor = 1u32;
        let mut id = id;
        for _ in 0..DEPTH_LIMIT {
            id = self.resolve(id)?;
            match self.ty(id)? {
                Type::Array { element, count } => {
                    factor = factor.checked_mul(count)?;
                    id = element;
                }
                Type::Int { size, .. }
                | Type::Float { size, .. }
                | Type::Struct { size, .. }
                | Type::Union { size, .. }
                | Type::Enum { size, .. } => return factor.checked_mul(size),
                Type::Pointer(_) => return factor.checked_mul(8),
                _ => return None,
            }
        }
        None
    }

    /// The structure called `name` (without `struct`).
    pub fn find_struct(&self, name: &str) -> Option<TypeId> {
        self.find(name, &[kind::STRUCT])
    }

    /// The union called `name`.
    pub fn find_union(&self, name: &str) -> Option<TypeId> {
        self.find(name, &[kind::UNION])
    }

    /// The typedef called `name`.
    pub fn find_typedef(&self, name: &str) -> Option<TypeId> {
        self.find(name, &[kind::TYPEDEF])
    }

    /// The kernel function called `name`: the id that fentry programs and kfunc calls need.
    pub fn find_function(&self, name: &str) -> Option<TypeId> {
        self.find(name, &[kind::FUNC])
    }

    /// The enumeration called `name`.
    pub fn find_enum(&self, name: &str) -> Option<TypeId> {
        self.find(name, &[kind::ENUM, kind::ENUM64])
    }

    /// The value of an enumerator called `name`, in any enumeration.
    pub fn enumerator(&self, name: &str) -> Option<i64> {
        Some(self.find_enumerator(name)?.1)
    }

    /// The enumeration that has an enumerator called `name`, and its value.
    pub fn find_enumerator(&self, name: &str) -> Option<(TypeId, i64)> {
        self.walk().filter(|(_, raw)| matches!(raw.kind, kind::ENUM | kind::ENUM64)).find_map(|(id, raw)| {
            let step = if raw.kind == kind::ENUM { 8 } else { 12 };
            let items = (0..raw.items).map(|i| raw.rest + i * step);
            let item =
                items.into_iter().find(|at| self.word(*at).is_some_and(|n| self.string_is(n, name)))?;
            let low = self.word(item + 4)?;
            let value = match (raw.kind, raw.flag) {
                (kind::ENUM, true) => i64::from(low.cast_signed()),
                (kind::ENUM, false) => i64::from(low),
                _ => (u64::from(self.word(item + 8)?) << 32 | u64::from(low)).cast_signed(),
            };
            Some((id, value))
        })
    }

    /// Where a variable stands in the section of those that each CPU has its own of, in bytes from its start.
    pub fn percpu_variable(&self, name: &str) -> Option<u32> {
        const SECTION: &str = ".data..percpu";
        let (_, section) =
            self.walk().find(|(_, raw)| raw.kind == kind::DATASEC && self.string_is(raw.name, SECTION))?;
        (0..section.items).map(|i| section.rest + 12 * i).find_map(|at| {
            let variable = self.raw(TypeId(self.word(at)?))?;
            if self.string_is(variable.name, name) { self.word(at + 4) } else { None }
        })
    }

    /// The enumerators of an enumeration in order: names and values. Empty for other types.
    pub fn enumerators(&self, id: TypeId) -> impl Iterator<Item = (&str, i64)> {
        let at = self.base_of(id).unwrap_or(self);
        at.own_enumerators(id)
    }

    fn own_enumerators(&self, id: TypeId) -> impl Iterator<Item = (&str, i64)> {
        let raw = self.raw(id).filter(|raw| matches!(raw.kind, kind::ENUM | kind::ENUM64));
        let items = raw.map_or(0, |raw| raw.items);
        (0..items).filter_map(move |i| {
            let raw = raw?;
            let at = raw.rest + i * if raw.kind == kind::ENUM { 8 } else { 12 };
            let low = self.word(at + 4)?;
            let value = match (raw.kind, raw.flag) {
                (kind::ENUM, true) => i64::from(low.cast_signed()),
                (kind::ENUM, false) => i64::from(low),
                _ => (u64::from(self.word(at + 8)?) << 32 | u64::from(low)).cast_signed(),
            };
            Some((self.string(self.word(at)?)?, value))
        })
    }

    /// All structures, unions and enumerations that have a name.
    pub fn tagged(&self) -> impl Iterator<Item = (TypeId, Type<'_>)> {
        let kinds = [kind::STRUCT, kind::UNION, kind::ENUM, kind::ENUM64];
        let named = self.walk().filter(move |(_, raw)| raw.name != 0 && kinds.contains(&raw.kind));
        named.filter_map(|(id, _)| Some((id, self.ty(id)?)))
    }

    /// All functions: numbers and names.
    pub fn functions(&self) -> impl Iterator<Item = (TypeId, &str)> {
        let functions = self.walk().filter(|(_, raw)| raw.kind == kind::FUNC);
        functions.filter_map(|(id, raw)| Some((id, self.string(raw.name)?)))
    }

    /// Members of a structure or union in order; anonymous ones as they stand. Empty for other types.
    pub fn members(&self, id: TypeId) -> impl Iterator<Item = Member<'_>> {
        let id = self.resolve(id).unwrap_or(id);
        self.base_of(id).unwrap_or(self).own_members(id)
    }

    fn own_members(&self, id: TypeId) -> impl Iterator<Item = Member<'_>> {
        let composite = self.raw(id);
        let composite = composite.filter(|raw| matches!(raw.kind, kind::STRUCT | kind::UNION));
        let items = composite.map_or(0, |raw| raw.items);
        (0..items).filter_map(move |i| {
            let raw = composite?;
            let at = raw.rest + i * 12;
            let offset = self.word(at + 8)?;
            // With the flag the upper byte is the width of a bit field, 0 for ordinary members.
            let (bit_offset, width) = if raw.flag { (offset & 0xff_ffff, offset >> 24) } else { (offset, 0) };
            Some(Member {
                name: self.string(self.word(at)?)?,
                ty: TypeId(self.word(at + 4)?),
                bit_offset,
                bit_width: (width != 0).then_some(width),
            })
        })
    }

    /// A member by a path of names, for example `thread.fsbase`: through anonymous structures and unions
    /// without naming them, but not through pointers. The offset counts from the start of the outermost
    /// structure.
    pub fn member(&self, id: TypeId, path: &str) -> Option<Member<'_>> {
        let mut at = id;
        let mut base = 0u32;
        let mut found = None;
        for name in path.split('.') {
            let member = self.direct_member(at, name, &mut { SEARCH_LIMIT })?;
            base = base.checked_add(member.bit_offset)?;
            at = member.ty;
            found = Some(Member { bit_offset: base, ..member });
        }
        found
    }

    /// A member by one name, also inside anonymous members.
    fn direct_member(&self, id: TypeId, name: &str, budget: &mut usize) -> Option<Member<'_>> {
        *budget = budget.checked_sub(1)?;
        if name.is_empty() {
            return None;
        }
        if let Some(member) = self.members(id).find(|m| m.name == name) {
            return Some(member);
        }
        self.members(id).filter(|m| m.name.is_empty()).find_map(|outer| {
            let inner = self.direct_member(outer.ty, name, budget)?;
            Some(Member { bit_offset: outer.bit_offset.checked_add(inner.bit_offset)?, ..inner })
        })
    }

    /// What a load of `size` bytes at an offset in a structure gives to the kernel's verifier (`btf_struct_walk` in kernel/bpf/btf.c); `None`
    /// where it refuses the load, or where that depends on the release: in unions.
    pub fn loaded(&self, structure: TypeId, offset: u32, size: u32) -> Option<Loaded> {
        let (mut at, mut offset) = (structure, offset);
        for _ in 0..DEPTH_LIMIT {
            let Type::Struct { .. } = self.ty(at)? else { return None };
            let end = offset.checked_add(size)?;
            let mut found = None;
            for member in self.members(at) {
                let start = member.bit_offset / 8;
                if end <= start {
                    return None;
                }
                if let Some(bits) = member.bit_width {
                    if offset <= start && member.bit_offset.checked_add(bits)?.div_ceil(8) <= end {
                        return Some(Loaded::Number);
                    }
                    continue;
                }
                let inside = offset.checked_sub(start)?;
                if inside < self.size_of(member.ty)? {
                    found = Some((member.ty, inside));
                    break;
                }
            }
            let (ty, inside) = found?;
            let element = self.innermost_element(ty)?;
            let width = self.size_of(element)?;
            let inside = inside.checked_rem(width)?;
            match self.ty(element)? {
                Type::Struct { .. } => (at, offset) = (element, inside),
                Type::Pointer(to) if inside == 0 && size == 8 => return self.loaded_pointer(to),
                Type::Int { .. } | Type::Enum { .. } if inside.checked_add(size)? <= width => {
                    return Some(Loaded::Number);
                }
                _ => return None,
            }
        }
        None
    }

    /// A pointer in a structure. Tags say that it leads elsewhere: to memory of the process, to variables of each CPU.
    fn loaded_pointer(&self, to: TypeId) -> Option<Loaded> {
        if self.base_of(to).unwrap_or(self).raw(to).is_some_and(|raw| raw.kind == kind::TYPE_TAG) {
            return None;
        }
        match self.resolve(to).and_then(|id| self.ty(id)) {
            Some(Type::Struct { .. }) => Some(Loaded::Pointer),
            Some(Type::Union { .. }) => None,
            _ => Some(Loaded::Number),
        }
    }

    /// What an array has at its innermost; other types themselves.
    fn innermost_element(&self, mut id: TypeId) -> Option<TypeId> {
        for _ in 0..DEPTH_LIMIT {
            id = self.resolve(id)?;
            match self.ty(id)? {
                Type::Array { element, .. } => id = element,
                _ => return Some(id),
            }
        }
        None
    }

    /// Parameters of a function or of a prototype.
    pub fn parameters(&self, id: TypeId) -> impl Iterator<Item = Parameter<'_>> {
        let prototype = match self.ty(id) {
            Some(Type::Function { prototype, .. }) => prototype,
            _ => id,
        };
        self.base_of(prototype).unwrap_or(self).own_parameters(prototype)
    }

    fn own_parameters(&self, prototype: TypeId) -> impl Iterator<Item = Parameter<'_>> {
        let raw = self.raw(prototype).filter(|raw| raw.kind == kind::FUNC_PROTO);
        let items = raw.map_or(0, |raw| raw.items);
        (0..items).filter_map(move |i| {
            let at = raw?.rest + i * 8;
            Some(Parameter { name: self.string(self.word(at)?)?, ty: TypeId(self.word(at + 4)?) })
        })
    }

    /// The kernel's types, if the type is one of them and these are a module's.
    fn base_of(&self, id: TypeId) -> Option<&Btf> {
        self.base.as_ref().filter(|base| id.0 < base.first).map(|base| &base.btf)
    }

    fn first(&self) -> u32 {
        self.base.as_ref().map_or(1, |base| base.first)
    }

    fn find(&self, name: &str, kinds: &[u8]) -> Option<TypeId> {
        let hit = |(_, raw): &(TypeId, Raw)| kinds.contains(&raw.kind) && self.string_is(raw.name, name);
        self.walk().find(hit).map(|(id, _)| id)
    }

    /// All types in order, read from the blob without the index.
    fn walk(&self) -> impl Iterator<Item = (TypeId, Raw)> {
        let mut next = self.types.start;
        (self.first()..).map_while(move |id| {
            let raw = self.raw_at(next)?;
            next = raw.end()?;
            Some((TypeId(id), raw))
        })
    }

    fn raw(&self, id: TypeId) -> Option<Raw> {
        let wanted = id.0.checked_sub(self.first())? as usize;
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        while index.offsets.len() <= wanted {
            let at = index.next;
            let next = self.raw_at(at)?.end()?;
            index.offsets.push(u32::try_from(at).ok()?);
            index.next = next;
        }
        self.raw_at(*index.offsets.get(wanted)? as usize)
    }

    /// The type at an offset of the blob; `None` at the end of the type section.
    fn raw_at(&self, at: usize) -> Option<Raw> {
        if at >= self.types.end {
            return None;
        }
        let data = self.data.bytes();
        let info = bytes::u32(data, at.checked_add(4)?)?;
        Some(Raw {
            name: bytes::u32(data, at)?,
            kind: u8::try_from(info >> 24 & 0x1f).ok()?,
            items: (info & 0xffff) as usize,
            flag: info >> 31 != 0,
            size_or_type: bytes::u32(data, at.checked_add(8)?)?,
            rest: at.checked_add(TYPE_HEADER)?,
        })
    }

    fn word(&self, at: usize) -> Option<u32> {
        bytes::u32(self.data.bytes(), at)
    }

    fn string(&self, offset: u32) -> Option<&str> {
        let own = match &self.base {
            Some(base) if offset < base.strings => return base.btf.string(offset),
            Some(base) => offset - base.strings,
            None => offset,
        };
        bytes::c_str(self.data.bytes().get(self.strings.clone())?, own as usize)
    }

    fn string_is(&self, offset: u32, text: &str) -> bool {
        let own = match &self.base {
            Some(base) if offset < base.strings => return base.btf.string_is(offset, text),
            Some(base) => offset - base.strings,
            None => offset,
        };
        let strings = self.data.bytes().get(self.strings.clone()).unwrap_or_default();
        bytes::c_str_is(strings, own as usize, text.as_bytes())
    }
}

impl Raw {
    /// Offset of the type after this one; `None` for an unknown kind.
    fn end(&self) -> Option<usize> {
        let (_, once, each) = KINDS.get(usize::from(self.kind).checked_sub(1)?)?;
        self.rest.checked_add(once + each * self.items)
    }
}

#[cfg(test)]
mod tests;
