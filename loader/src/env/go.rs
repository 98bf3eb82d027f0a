//! Signatures of Go functions for the checker: types as the language knows them, places by the calling convention.

use inspect::go::assign::{Assigned, Layout, assign};
use inspect::go::map::{Column, MapForm};
use inspect::go::signature::{Kind, Parameter, Signature as RawSignature, TypeSource};
use inspect::go::types::{TypeInfo, TypeRef};
use inspect::go::version::Release;
use inspect::go::{GoBinary, GoFunc, abi};
use lang::env::{
    DynamicType, Param, ParamPlace, Piece, Signature, SignatureOf, SymbolAddress, TypesFrom, WordPlace,
};
use lang::gomap::{GoMap, GoMapColumn, GoMapForm, GoMapLayout};
use lang::types::{AddrSpace, Enum, Field, GoReference, GoType, Struct, StructKind, Type};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

/// Types within types that are followed to spell a type: `[][]*T`. What is deeper is `void`.
const DEPTH: u32 = 4;
/// The type of `g.waitreason`.
const WAIT_REASON: &str = "runtime.waitReason";
/// Name that Go 1.27 gives the hidden parameter of generic functions.
const DICTIONARY: &str = ".dict";
/// Hidden first parameter of generic functions: before the receiver up to Go 1.20, behind it since.
const DICTIONARY_BEHIND_RECEIVER: Release = Release(21);

/// The structures that were met, by binary (as the script names it) and type name, so that they can be asked for by name.
#[derive(Default)]
pub(super) struct Structures(RefCell<HashMap<(String, String), TypeRef>>);

/// Reads types of one binary.
pub(super) struct Types<'a> {
    pub binary: &'a str,
    pub go: &'a GoBinary,
    pub structures: &'a Structures,
}

impl Types<'_> {
    /// What is known of a function's parameters and results, for a probe at its entry or, where the results must be known, its returns.
    pub fn signature(&self, function: &GoFunc<'_>, at_return: bool) -> SignatureOf {
        match self.go.signature(function) {
            Ok(Some(raw)) if at_return && !raw.lists_results() => SignatureOf::Unknown(format!(
                "{} has a loop over a function, and the debug information does not list nameless results that are returned from within one",
                function.name()
            )),
            Ok(Some(raw)) => match self.typed(function, &raw) {
                Some(Ok(signature)) => SignatureOf::Known(Arc::new(signature)),
                // The method tables leave out no parameter, only the names.
                Some(Err(reason)) => match self.in_method_table(function) {
                    Some(signature) => SignatureOf::Known(Arc::new(signature)),
                    None => SignatureOf::Unknown(reason),
                },
                None => SignatureOf::Unknown(format!(
                    "a type of a parameter or result of {} is not described",
                    function.name()
                )),
            },
            Ok(None) if self.go.has_debug_info() => {
                SignatureOf::Unknown(format!("the debug information does not describe {}", function.name()))
            }
            // Functions of the same reason share a program, so it does not name them.
            Ok(None) => SignatureOf::Unknown(format!(
                "{} has no debug information, and the function is in no method table of its type data",
                self.binary
            )),
            Err(e) => SignatureOf::Unknown(e.to_string()),
        }
    }

    fn in_method_table(&self, function: &GoFunc<'_>) -> Option<Signature> {
        self.typed(function, &self.go.method_signature(function)?)?.ok()
    }

    fn typed(&self, function: &GoFunc<'_>, raw: &RawSignature) -> Option<Result<Signature, String>> {
        let layouts = |list: &[Parameter]| {
            list.iter().map(|p| self.go.layout(p.ty?).ok()?).collect::<Option<Vec<Layout>>>()
        };
        // Go 1.27 lists the dictionary as a parameter; before it was not written down.
        let listed = raw.params.iter().position(|p| p.name == DICTIONARY);
        let raw_params: Vec<Parameter> =
            raw.params.iter().filter(|p| p.name != DICTIONARY).cloned().collect();
        let (params, results) = (layouts(&raw_params)?, layouts(&raw.results)?);
        let dictionary = match raw.source {
            TypeSource::DebugInfo => listed.or_else(|| dictionary(self.go, function, &params)),
            // What stands in a method table is called without one.
            TypeSource::Descriptors => None,
        };
        let (param_places, result_places) =
            assign(self.go.arch(), function.abi(), &params, &results, dictionary);
        let placed: Vec<(&Layout, &Assigned)> = results.iter().zip(&result_places).collect();
        let agrees = |(p, at): (&Parameter, &Assigned)| match (p.stack_offset, at) {
            (Some(known), Assigned::Stack(computed)) => known == *computed,
            _ => true,
        };
        let certain = raw_params.iter().zip(&param_places).all(agrees)
            && self.fills_its_room(function, &params, dictionary, &param_places, &placed);
        if !raw.is_complete() && !certain {
            return Some(Err(format!(
                "{}: Go before 1.22 does not write down parameters called `_`, and one may be missing",
                function.name()
            )));
        }
        let typed = |list: &[Parameter], places: Vec<Assigned>| {
            list.iter().zip(places).map(|(p, at)| self.param(p, at)).collect::<Option<Vec<Param>>>()
        };
        Some(Ok(Signature {
            params: typed(&raw_params, param_places)?,
            results: typed(&raw.results, result_places)?,
            types_from: match raw.source {
                TypeSource::DebugInfo => TypesFrom::DebugInfo,
                TypeSource::Descriptors => TypesFrom::RuntimeTypes,
            },
        }))
    }

    /// Whether the listed parameters and results take just the room that the function table says they have: those on the
    /// stack one after the other and, behind them, a spill slot for each parameter in registers. A missing parameter would show,
    /// unless it is so narrow that it hides in the padding of the ones beside it.
    fn fills_its_room(
        &self,
        function: &GoFunc<'_>,
        params: &[Layout],
        dictionary: Option<usize>,
        places: &[Assigned],
        results: &[(&Layout, &Assigned)],
    ) -> bool {
        let (mut stack, mut spill) = (0u32, if dictionary.is_some() { 8 } else { 0 });
        let all = params.iter().zip(places).map(|(layout, at)| (layout, at, true));
        for (layout, at, is_param) in all.chain(results.iter().map(|(layout, at)| (*layout, *at, false))) {
            match at {
                // Offsets are from SP; the room starts behind the return address.
                Assigned::Stack(offset) => stack = stack.max(offset.saturating_sub(8) + layout.size),
                Assigned::Registers(_) if is_param => {
                    spill = u32::next_multiple_of(spill, layout.align.max(1)) + layout.size;
                }
                Assigned::Registers(_) => {}
            }
        }
        function.args_size() == Some(stack.next_multiple_of(8) + spill.next_multiple_of(8))
    }

    fn param(&self, raw: &Parameter, at: Assigned) -> Option<Param> {
        let made_up = raw.name.starts_with('~');
        let place = match at {
            Assigned::Stack(offset) => ParamPlace::Stack(raw.stack_offset.unwrap_or(offset)),
            Assigned::Registers(parts) => ParamPlace::Registers(
                parts
                    .iter()
                    .map(|p| Piece {
                        register: p.register.and_then(register),
                        offset: p.leaf.offset,
                        size: p.leaf.size,
                        shift: 0,
                    })
                    .collect(),
            ),
        };
        let name = if made_up { String::new() } else { raw.name.clone() };
        Some(Param { name, ty: self.ty(raw.ty?, 0)?, place })
    }

    /// A type of the language for a Go type. Structures have no members yet.
    fn ty(&self, ty: TypeRef, depth: u32) -> Option<Type> {
        let info = self.go.type_info(ty).ok()??;
        Some(self.described(ty, &info, depth))
    }

    fn described(&self, ty: TypeRef, info: &TypeInfo, depth: u32) -> Type {
        let pointer = |to: Type| Type::Ptr { to: Box::new(to), space: AddrSpace::User };
        let element = || {
            let of = info.element.filter(|_| depth < DEPTH);
            of.and_then(|of| self.ty(of, depth + 1)).unwrap_or(Type::Void)
        };
        let bits = (info.size * 8) as u8;
        match info.kind {
            Kind::Bool => Type::Bool,
            Kind::Int if info.name == "time.Duration" => Type::Duration,
            Kind::Int => Type::Int { bits, signed: true },
            Kind::Uint if info.name == WAIT_REASON => self.wait_reason(bits),
            Kind::Uint => Type::Int { bits, signed: false },
            Kind::Float => Type::Float(bits),
            Kind::Complex => Type::Go(GoType::Complex(bits)),
            Kind::String => Type::Go(GoType::Str),
            Kind::Interface => Type::Go(GoType::Interface { methods: info.has_methods }),
            Kind::Slice => Type::Go(GoType::Slice(Box::new(element()))),
            Kind::Map => self.map(ty, depth),
            Kind::Chan => Type::Go(GoType::Reference(GoReference::Chan)),
            Kind::Func => Type::Go(GoType::Reference(GoReference::Func)),
            Kind::UnsafePointer => pointer(Type::Void),
            Kind::Pointer => pointer(element()),
            Kind::Array => {
                let of = element();
                let count = info.size.checked_div(of.size()).unwrap_or(0);
                Type::Array(Box::new(of), count)
            }
            Kind::Struct => {
                let key = (self.binary.to_owned(), info.name.clone());
                self.structures.0.borrow_mut().insert(key, ty);
                let (size, align) = (info.size, info.align);
                let named = Struct::named(StructKind::Struct, info.name.as_str());
                Type::Struct(Arc::new(Struct { size, align, ..named }))
            }
        }
    }

    /// A map; of one whose key or element is not described, only that it is one.
    fn map(&self, ty: TypeRef, depth: u32) -> Type {
        let known = || {
            let layout = self.go.map_layout(ty).filter(|_| depth < DEPTH)?;
            let column = |of: Column| GoMapColumn {
                size: of.size,
                offset: of.offset,
                stride: of.stride,
                indirect: of.indirect,
            };
            Some(GoMap {
                key: self.ty(layout.keys.ty, depth + 1)?,
                element: self.ty(layout.elements.ty, depth + 1)?,
                layout: GoMapLayout {
                    form: match layout.form {
                        MapForm::Buckets => GoMapForm::Buckets,
                        MapForm::Groups => GoMapForm::Groups,
                    },
                    size: layout.size,
                    keys: column(layout.keys),
                    elements: column(layout.elements),
                },
            })
        };
        Type::Go(known().map_or(GoType::Reference(GoReference::Map), |map| GoType::Map(Arc::new(map))))
    }

    /// The type of values in interfaces whose descriptor is at `vaddr`.
    pub fn dynamic(&self, address: SymbolAddress, vaddr: u64) -> Option<DynamicType> {
        let ty = self.go.runtime_type_at(vaddr)?;
        let info = self.go.type_info(ty).ok()??;
        let pointee = match info.kind {
            Kind::Pointer => Some(self.ty(info.element?, 0)?),
            _ if self.may_be_direct(&info, 0) => None,
            _ => Some(self.described(ty, &info, 0)),
        };
        Some(DynamicType { address, name: self.go.runtime_type_path(vaddr)?, pointee })
    }

    /// Whether a value may be in the interface itself (`abi.KindDirectIface`): which values of one word with a pointer in it are,
    /// releases differ in.
    fn may_be_direct(&self, info: &TypeInfo, depth: u32) -> bool {
        let parts = || info.members.iter().map(|m| m.ty).chain(info.element);
        let part_is = |ty| match self.go.type_info(ty) {
            Ok(Some(info)) => self.may_be_direct(&info, depth + 1),
            _ => true,
        };
        match info.kind {
            Kind::Pointer | Kind::UnsafePointer | Kind::Map | Kind::Chan | Kind::Func => true,
            Kind::Struct | Kind::Array if info.size == 8 => depth > DEPTH || parts().any(part_is),
            _ => false,
        }
    }

    /// The type of `g.waitreason`, which prints as the program's own text.
    fn wait_reason(&self, bits: u8) -> Type {
        let texts = self.go.wait_reasons().iter().cloned().zip(0..);
        Type::Enum(Arc::new(Enum {
            name: WAIT_REASON.to_owned(),
            bits,
            signed: false,
            variants: texts.collect(),
        }))
    }

    /// A structure with its members: one that was met before, or that the program's type data has by this name.
    pub fn structure(&self, name: &str) -> Option<Struct> {
        let key = (self.binary.to_owned(), name.to_owned());
        let met = self.structures.0.borrow().get(&key).copied();
        let ty = met.or_else(|| self.go.runtime_type_named(name))?;
        let info = self.go.type_info(ty).ok()??;
        let field = |m: &inspect::go::types::Member| {
            let ty = self.ty(m.ty, 0)?;
            Some(Field { embedded: m.embedded, ..Field::new(m.name.as_str(), m.offset, ty) })
        };
        let fields = info.members.iter().filter_map(field).collect();
        let named = Struct::named(StructKind::Struct, info.name);
        Some(Struct { size: info.size, align: info.align, fields, ..named })
    }
}

/// The place of an argument word as the language says it.
pub(super) fn word_place(place: inspect::go::shape::WordPlace) -> Option<WordPlace> {
    match place {
        inspect::go::shape::WordPlace::Register(n) => register(n).map(WordPlace::Register),
        inspect::go::shape::WordPlace::Stack(offset) => Some(WordPlace::Stack(offset)),
    }
}

/// The number of an argument register in the language's table.
fn register(n: usize) -> Option<u8> {
    let arch = super::host_arch();
    let names = match arch {
        lang::arch::Arch::X86_64 => abi::integer_registers(inspect::elf::Arch::X86_64),
        lang::arch::Arch::Aarch64 => abi::integer_registers(inspect::elf::Arch::Aarch64),
    };
    arch.register(names.get(n)?)
}

/// Before which parameter the hidden dictionary of a generic function stands. A closure in one has it among what it captures.
fn dictionary(go: &GoBinary, function: &GoFunc<'_>, params: &[Layout]) -> Option<usize> {
    let name = function.name();
    let (before, _) = name.split_once("[go.shape").or_else(|| name.split_once("[..."))?;
    // `main.(*List[…]).Push` and `main.Pair[…].Sum` have a receiver, `main.Map[…]` has none.
    let behind = name.rsplit_once(']').map_or("", |(_, behind)| behind);
    if is_in_closure(behind) {
        return None;
    }
    let is_method = before.contains("(*") || behind.starts_with('.');
    let behind_receiver = is_method && go.release() >= DICTIONARY_BEHIND_RECEIVER && !params.is_empty();
    Some(usize::from(behind_receiver))
}

/// Whether what stands behind the type arguments of a function's name makes it a closure: `.func1`, `).Each.func1.2`, `.Get-fm`,
/// `.gowrap1`, `-range1`.
fn is_in_closure(behind: &str) -> bool {
    const MADE_UP: [&str; 5] = ["func", "gowrap", "deferwrap", "range", ""];
    behind.split(['.', '-']).any(|part| {
        let word = part.trim_end_matches(|c: char| c.is_ascii_digit());
        part == "fm" || word.len() < part.len() && MADE_UP.contains(&word)
    })
}

#[cfg(test)]
mod tests {
    use super::is_in_closure;

    #[test]
    fn closures_of_generic_functions() {
        for behind in [
            ".func1",
            ".func12.3",
            ").Each.func1",
            ").Each-range1",
            "-range1",
            ".Get-fm",
            ".gowrap1",
            ").F.deferwrap2",
        ] {
            assert!(is_in_closure(behind), "{behind}");
        }
        for behind in ["", ").Push", ".Swap", ".func", ".function1", ".Sum2"] {
            assert!(!is_in_closure(behind), "{behind}");
        }
    }
}
