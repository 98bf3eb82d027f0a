//! From the code of a method to its signature: the method tables of the descriptors.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::super::signature::Kind;
use super::super::types::{Origin, TypeRef};
use super::Descriptors;
use super::descriptor::{Descriptor, METHOD};

/// What is known of methods, by the address of their code.
#[derive(Debug, Default)]
pub(super) struct Methods(HashMap<u64, Option<Method>>);

/// A method: types that give its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Method {
    receiver: Origin,
    /// Descriptor of its type without the receiver.
    func: u64,
}

/// Parameters (the receiver first) and results of a method.
#[derive(Debug, Clone)]
pub(in crate::go) struct MethodTypes {
    pub(in crate::go) params: Vec<TypeRef>,
    pub(in crate::go) results: Vec<TypeRef>,
}

impl Descriptors<'_> {
    /// The types of the method whose code starts at `entry`; `None` for functions that are in no method table.
    pub(in crate::go) fn method(self, entry: u64) -> Option<MethodTypes> {
        let methods = self.binary.runtime_types.methods.get_or_init(|| self.all_methods());
        let found = methods.0.get(&entry).copied()??;
        let func = self.reader.func(&self.reader.descriptor(found.func)?)?;
        let of = |ty: Option<u64>| ty.map(|ty| TypeRef(Origin::Runtime(ty)));
        Some(MethodTypes {
            params: std::iter::once(Some(TypeRef(found.receiver)))
                .chain(func.params().map(of))
                .collect::<Option<_>>()?,
            results: func.results().map(of).collect::<Option<_>>()?,
        })
    }

    fn all_methods(self) -> Methods {
        let mut methods = Methods::default();
        // Each type has a list of its own, so all lists together fit into the type data.
        let size = self.reader.module.etypes.saturating_sub(self.reader.module.types);
        let mut left = size / METHOD;
        for vaddr in self.index().all() {
            let Some(found) = self.reader.descriptor(*vaddr) else { continue };
            // Methods of an interface have no code.
            if found.kind != Kind::Interface {
                self.methods_of(&found, &mut methods, &mut left);
            }
        }
        methods
    }

    /// Adds the methods of a type; `left` is how many may still be read.
    fn methods_of(self, of: &Descriptor, methods: &mut Methods, left: &mut u64) {
        let own = Origin::Runtime(of.vaddr);
        for method in self.reader.methods(of).into_iter().flatten().map_while(|method| method) {
            let Some(fewer) = left.checked_sub(1) else { return };
            *left = fewer;
            let Some(func) = method.ty else { continue };
            let is_func = self.reader.descriptor(func).is_some_and(|ty| ty.kind == Kind::Func);
            if !is_func {
                continue;
            }
            if let Some(code) = method.code.filter(|code| self.is_called(*code, method.name)) {
                methods.add(code, Method { receiver: own, func });
            }
            // A value that is not a pointer is behind one in an interface: the wrapper for that takes `*T`.
            let wrapper = method.through_interface.filter(|code| Some(*code) != method.code);
            if let Some(code) = wrapper.filter(|code| self.is_called(*code, method.name)) {
                methods.add(code, Method { receiver: Origin::PointerTo(of.vaddr), func });
            }
        }
    }

    /// Whether a function starts at `entry` and has the method's name. Linkers may let equal code share an address.
    fn is_called(self, entry: u64, method: &str) -> bool {
        let function = self.binary.function_at(entry).filter(|function| function.entry() == entry);
        let name = function.and_then(|function| function.name().strip_suffix(method));
        name.is_some_and(|before| before.ends_with('.'))
    }
}

impl Methods {
    /// Two types that lead to the same code and do not agree on its parameters say nothing.
    fn add(&mut self, code: u64, method: Method) {
        match self.0.entry(code) {
            Entry::Vacant(free) => {
                free.insert(Some(method));
            }
            Entry::Occupied(mut known) => {
                // `*T` may have a descriptor of its own, or be the pointer to `T`.
                let func_differs = known.get().is_some_and(|k| k.func != method.func);
                if func_differs {
                    known.insert(None);
                } else if matches!(method.receiver, Origin::Runtime(_)) && known.get().is_some() {
                    known.insert(Some(method));
                }
            }
        }
    }
}
