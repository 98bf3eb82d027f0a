//! Signatures of functions of C, C++ and Rust for the checker: types from the debug information, places by the calling convention of the
//! machine at the first instruction, where nothing has been moved yet.

mod aapcs64;
mod convention;
mod system_v;

use convention::{Convention, Handed};
use inspect::elf::Binary;
use inspect::native::{Debug, Function, Held, Language, Member, Type as Raw, TypeId, Wanted};
use lang::env::{Param, ParamPlace, Signature, SignatureOf, TypesFrom};
use lang::types::{AddrSpace, BitRange, Enum, Field, FieldForm, Struct, StructKind, Type};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

/// Types within types that are followed.
const DEPTH: u32 = 8;
/// Types that are looked at for one question, so that a damaged file cannot make it an endless one.
const WORK: u32 = 1 << 16;

/// What is known of the types of binaries.
#[derive(Default)]
pub(super) struct Structures {
    /// Structures that were met, by binary (as the script names it) and name, so that they can be asked for by name.
    met: RefCell<HashMap<(String, String), TypeId>>,
    /// Answers, which take a walk through all the debug information.
    answers: RefCell<HashMap<(String, Wanted, String), Option<Type>>>,
    /// Names, by binary and name, that several structures have, with the namespaces of each.
    ambiguous: RefCell<HashMap<(String, String), Vec<String>>>,
}

impl Structures {
    /// The whole names of the structures of a binary for which a name is not enough.
    pub fn ambiguous(&self, binary: &str, name: &str) -> Vec<String> {
        self.ambiguous.borrow().get(&(binary.to_owned(), name.to_owned())).cloned().unwrap_or_default()
    }
}

/// Reads types of one binary.
pub(super) struct Types<'a, 'd> {
    pub binary: &'a str,
    pub debug: &'a Debug<'d>,
    pub structures: &'a Structures,
    /// Types that may still be looked at.
    work: Cell<u32>,
}

/// What is known of the function that starts at `entry`, when it starts or, if `at_return`, when it has returned.
pub(super) fn signature(
    binary: &str,
    debug: Option<&Debug<'_>>,
    entry: u64,
    at_return: bool,
    structures: &Structures,
) -> SignatureOf {
    let unknown = |reason: String| SignatureOf::Unknown(reason);
    let Some(debug) = debug else {
        return unknown(format!("{binary} has no debug information (`-g`), and no file with it is found"));
    };
    let Some(function) = debug.function(entry) else {
        if let Some(file) = debug.split_file(entry) {
            return unknown(format!(
                "its debug information is in {file}, which gotrace does not read: build without -gsplit-dwarf"
            ));
        }
        return unknown(format!("the debug information of {binary} does not describe it"));
    };
    match Types::new(binary, debug, structures).signature(&function, at_return) {
        Ok(signature) => SignatureOf::Known(Arc::new(signature)),
        Err(reason) => unknown(reason),
    }
}

/// A type of a binary by its name: a structure with its members, an enumeration (also by one of its values), or what a typedef stands for.
pub(super) fn named(
    binary: &str,
    file: &Binary,
    structures: &Structures,
    name: &str,
    wanted: Wanted,
) -> Option<Type> {
    let key = (binary.to_owned(), wanted, name.to_owned());
    if let Some(known) = structures.answers.borrow().get(&key) {
        return known.clone();
    }
    let found = || {
        let debug = Debug::open(file)?;
        let types = Types::new(binary, &debug, structures);
        let met = || structures.met.borrow().get(&(binary.to_owned(), name.to_owned())).copied();
        match wanted {
            Wanted::Composite => {
                let called_so = || {
                    let mut all = debug.composites(name);
                    if all.len() > 1 {
                        let names = all.into_iter().map(|(name, _)| name).collect();
                        let key = (binary.to_owned(), name.to_owned());
                        structures.ambiguous.borrow_mut().insert(key, names);
                        return None;
                    }
                    all.pop().map(|(_, id)| id)
                };
                let id = met().or_else(called_so)?;
                // By the name that was asked for, it is found again.
                let composite = types.composite(id, 0)?;
                Some(Type::Struct(Arc::new(Struct { name: name.to_owned(), ..composite })))
            }
            Wanted::Enum | Wanted::Typedef | Wanted::Variant => Some(types.ty(debug.named(name, wanted)?, 0)),
        }
    };
    let found = found();
    structures.answers.borrow_mut().insert(key, found.clone());
    found
}

impl<'a, 'd> Types<'a, 'd> {
    fn new(binary: &'a str, debug: &'a Debug<'d>, structures: &'a Structures) -> Types<'a, 'd> {
        Types { binary, debug, structures, work: Cell::new(WORK) }
    }

    /// Whether another type may be looked at, so deep in others.
    fn goes_on(&self, depth: u32) -> bool {
        let left = self.work.get().saturating_sub(1);
        self.work.set(left);
        left > 0 && depth <= DEPTH
    }

    fn signature(&self, function: &Function, at_return: bool) -> Result<Signature, String> {
        let mut convention = <dyn Convention>::of(super::host_arch(), self.debug);
        let mut results = Vec::new();
        if let Some(result) = function.result {
            if function.language == Language::Rust && !self.is_scalar(result) {
                return Err("Rust does not tell how it hands back a structure".into());
            }
            let handed = convention.result(result);
            if at_return && handed == Handed::Lost {
                return Err("its result is in memory, whose address is known to the caller only".into());
            }
            results.push(self.placed(String::new(), result, handed));
        }
        let mut params = Vec::new();
        for param in &function.params {
            if function.language == Language::Rust {
                self.certain_in_rust(param)?;
            }
            let placed = self.placed(param.name.clone(), param.ty, convention.param(param.ty));
            if let (Language::Rust, Held::Register(said), ParamPlace::Registers(pieces)) =
                (function.language, param.held, &placed.place)
                && pieces.iter().any(|piece| piece.register != convention.dwarf_register(said))
            {
                return Err(format!("`{}` is not where C functions have it", param.name));
            }
            params.push(placed);
        }
        Ok(Signature { params, results, types_from: TypesFrom::DebugInfo })
    }

    fn placed(&self, name: String, ty: TypeId, handed: Handed) -> Param {
        let ty = self.ty(ty, 0);
        match handed {
            Handed::Value(place) => Param { name, ty, place },
            Handed::Address(place) => Param { name, ty: pointer(ty), place },
            Handed::Lost => Param { name, ty, place: ParamPlace::Registers(Vec::new()) },
        }
    }

    /// Functions of Rust keep to no convention: single words are handed over as in C, unless the compiler has found a way without.
    fn certain_in_rust(&self, param: &inspect::native::Param) -> Result<(), String> {
        let name = &param.name;
        if !self.is_scalar(param.ty) {
            return Err(format!("Rust does not tell how it hands over `{name}`, which is a structure"));
        }
        match param.held {
            Held::Nowhere => Err(format!("the compiler has optimized `{name}` away")),
            Held::Register(_) | Held::Frame => Ok(()),
        }
    }

    /// Whether a value is one word whatever the language.
    fn is_scalar(&self, id: TypeId) -> bool {
        !matches!(
            self.debug.ty(id),
            Some(
                Raw::Composite { .. }
                    | Raw::Array { .. }
                    | Raw::Complex { .. }
                    | Raw::Other { .. }
                    | Raw::Declared { .. }
            ) | None
        )
    }

    /// A type of the language. Structures that have a name come without their members.
    fn ty(&self, id: TypeId, depth: u32) -> Type {
        let bits = |size: u32| (size * 8) as u8;
        match self.debug.ty(id) {
            _ if !self.goes_on(depth) => Type::Void,
            None | Some(Raw::Void) => Type::Void,
            Some(Raw::Bool) => Type::Bool,
            // Text is told by `char` having a sign.
            Some(Raw::Int { size: 1, text: true, .. }) => Type::CHAR,
            Some(Raw::Int { size: size @ (1 | 2 | 4 | 8), signed, .. }) => {
                Type::Int { bits: bits(size), signed }
            }
            Some(Raw::Float { size: size @ (4 | 8) }) => Type::Float(bits(size)),
            Some(Raw::Pointer(to)) => pointer(to.map_or(Type::Void, |to| self.ty(to, depth + 1))),
            Some(Raw::Array { of, dimensions, .. }) => {
                let element = self.ty(of, depth + 1);
                dimensions.into_iter().rev().fold(element, |of, n| Type::Array(Box::new(of), n))
            }
            Some(Raw::Composite { name, .. }) if name.is_empty() => match self.composite(id, depth + 1) {
                Some(composite) => Type::Struct(Arc::new(composite)),
                None => Type::Void,
            },
            Some(Raw::Composite { name, size, union, .. }) => {
                let id = self.debug.resolved(id).unwrap_or(id);
                let name = self.debug.scoped_name(id).unwrap_or(name);
                self.structures.met.borrow_mut().insert((self.binary.to_owned(), name.clone()), id);
                let named = Struct::named(kind(union), name.as_str());
                Type::Struct(Arc::new(Struct { size, align: alignment(size), ..named }))
            }
            Some(Raw::Declared { name }) => {
                let name = self.debug.resolved(id).and_then(|id| self.debug.scoped_name(id)).unwrap_or(name);
                Type::Struct(Arc::new(Struct::named(StructKind::Struct, name.as_str())))
            }
            Some(Raw::Enum { name, size: size @ (1 | 2 | 4 | 8), signed }) => {
                let id = self.debug.resolved(id).unwrap_or(id);
                let variants = self.debug.variants(id).into_iter().map(|v| (v.name, v.value)).collect();
                Type::Enum(Arc::new(Enum { name, bits: bits(size), signed, variants }))
            }
            Some(
                Raw::Int { size, .. }
                | Raw::Float { size }
                | Raw::Complex { size }
                | Raw::Enum { size, .. }
                | Raw::Other { size },
            ) => Type::Array(Box::new(Type::Int { bits: 8, signed: false }), size),
        }
    }

    /// A structure or union with its members.
    fn composite(&self, id: TypeId, depth: u32) -> Option<Struct> {
        if !self.goes_on(depth) {
            return None;
        }
        let id = self.debug.resolved(id)?;
        let (name, size, union) = match self.debug.ty(id)? {
            Raw::Composite { name, size, union, .. } => (name, size, union),
            Raw::Declared { name } => {
                let name = self.debug.scoped_name(id).unwrap_or(name);
                return self.composite(self.debug.named(&name, Wanted::Composite)?, depth + 1);
            }
            _ => return None,
        };
        let mut fields = Vec::new();
        for member in self.debug.members(id) {
            self.add(&member, depth, &mut fields);
        }
        let name = if name.is_empty() { "(anonymous)".to_owned() } else { name };
        Some(Struct { kind: kind(union), name, size, align: alignment(size), fields })
    }

    /// Adds a member; those of anonymous structures and unions, and of the bases of a class, are members of the one around them.
    fn add(&self, member: &Member, depth: u32, fields: &mut Vec<Field>) {
        let offset = (member.bit_offset / 8) as u32;
        if member.name.is_empty() {
            let inner = self.composite(member.ty, depth + 1);
            let moved = inner.into_iter().flat_map(|inner| inner.fields);
            fields.extend(moved.map(|f| Field { offset: f.offset + offset, ..f }));
            return;
        }
        let form = match member.bits.map(u8::try_from) {
            None => FieldForm::Plain,
            Some(Ok(width)) => FieldForm::Bits(BitRange { shift: (member.bit_offset % 8) as u8, width }),
            Some(Err(_)) => return,
        };
        fields
            .push(Field { form, ..Field::new(member.name.as_str(), offset, self.ty(member.ty, depth + 1)) });
    }
}

fn pointer(to: Type) -> Type {
    Type::Ptr { to: Box::new(to), space: AddrSpace::User }
}

fn kind(union: bool) -> StructKind {
    if union { StructKind::Union } else { StructKind::Struct }
}

/// Debug information mostly does not tell alignments. They matter where a structure is kept as a whole, and any that divides the size
/// serves there.
fn alignment(size: u32) -> u32 {
    [8, 4, 2].into_iter().find(|align| size.is_multiple_of(*align)).unwrap_or(1)
}
