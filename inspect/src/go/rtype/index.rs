//! All descriptors of a program: from the list of the linker, and whatever they refer to.

use std::collections::{HashMap, HashSet};

use super::super::moduledata::TypeList;
use super::super::signature::Kind;
use super::descriptor::{Descriptor, Reader};
use super::name;

/// Steps after which the search ends: references followed. Each takes 4 bytes of the type data or more; damaged data could make
/// lists of the same parts again and again.
const WORK: usize = 1 << 23;
/// Bytes of names that are kept for each byte of type data. Every name stands in the data, and its package's path; damaged data could
/// give all types the same long one.
const NAMES_PER_BYTE: u64 = 4;
/// Least bytes of a reference.
const REFERENCE: u64 = 4;

/// Offset of the type in a table of an interface (`abi.ITab`).
const ITAB_TYPE: u64 = 8;

/// Where the descriptors are.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Addresses, in order.
    all: Vec<u64>,
    /// Types with a name, by full name; the first by address where several share it.
    by_name: HashMap<String, u64>,
    /// Of types that share a full name (declared in different functions), all but the first: which one it is, from 1.
    twins: HashMap<u64, u32>,
}

impl Index {
    pub(super) fn build(reader: Reader<'_>) -> Index {
        let size = reader.module.etypes.saturating_sub(reader.module.types);
        let work = usize::try_from(size / REFERENCE).map_or(WORK, |work| work.min(WORK));
        let mut search = Search { reader, work, seen: HashSet::new(), open: Vec::new() };
        search.listed();
        search.follow();
        let mut all: Vec<u64> = search.seen.into_iter().collect();
        all.sort_unstable();
        let mut index = Index { all, ..Index::default() };
        let mut last_twin: HashMap<String, u32> = HashMap::new();
        let mut names_left = size.saturating_mul(NAMES_PER_BYTE);
        for vaddr in &index.all {
            let Some(found) = reader.descriptor(*vaddr).filter(Descriptor::is_named) else { continue };
            let Some(name) = name::declared(reader, &found) else { continue };
            let Some(left) = names_left.checked_sub(name.len() as u64) else { break };
            names_left = left;
            match index.by_name.entry(name) {
                std::collections::hash_map::Entry::Vacant(free) => {
                    free.insert(*vaddr);
                }
                std::collections::hash_map::Entry::Occupied(taken) => {
                    let number = last_twin.entry(taken.key().clone()).or_default();
                    *number += 1;
                    index.twins.insert(*vaddr, *number);
                }
            }
        }
        index
    }

    /// The type of a full name; `main.T·1` is the second of those called `main.T`.
    pub(super) fn named(&self, name: &str) -> Option<u64> {
        self.by_name.get(name).copied()
    }

    /// Which of several types of the same name it is; `None` for the first, and where the name is unique.
    pub(super) fn twin(&self, vaddr: u64) -> Option<u32> {
        self.twins.get(&vaddr).copied()
    }

    pub(super) fn all(&self) -> &[u64] {
        &self.all
    }
}

struct Search<'a> {
    reader: Reader<'a>,
    work: usize,
    seen: HashSet<u64>,
    /// Found, but not yet looked into.
    open: Vec<u64>,
}

impl Search<'_> {
    fn add(&mut self, vaddr: u64) {
        self.work = self.work.saturating_sub(1);
        if self.work > 0 && !self.seen.contains(&vaddr) && self.reader.descriptor(vaddr).is_some() {
            self.seen.insert(vaddr);
            self.open.push(vaddr);
        }
    }

    fn listed(&mut self) {
        let reader = self.reader;
        let types = reader.module.types;
        match reader.module.type_list {
            None => {}
            Some(TypeList::Links { types: list, type_count, itabs, itab_count }) => {
                let offsets = reader.image.tail(list).unwrap_or_default().chunks_exact(4);
                let count = usize::try_from(type_count).unwrap_or(usize::MAX);
                for offset in offsets.take(count).take(WORK) {
                    let offset = offset.first_chunk().map_or(0, |raw| u32::from_le_bytes(*raw));
                    if let Some(vaddr) = types.checked_add(u64::from(offset)) {
                        self.add(vaddr);
                    }
                }
                for n in 0..itab_count.min(WORK as u64) {
                    let entry = itabs.checked_add(8 * n).and_then(|at| reader.word(at));
                    let Some(itab) = entry else { break };
                    let parts = [Some(itab), itab.checked_add(ITAB_TYPE)];
                    for part in parts.into_iter().flatten().filter_map(|at| reader.word(at)) {
                        self.add(part);
                    }
                }
            }
            Some(TypeList::Packed { end }) => {
                // The first word is empty, so that no type has the offset 0.
                let mut at = types.saturating_add(8);
                while at < end && self.work > 0 {
                    let Some(found) = reader.descriptor(at) else { break };
                    self.add(at);
                    let Some(next) = reader.extent(&found).and_then(|size| at.checked_add(size)) else {
                        break;
                    };
                    at = next;
                }
            }
        }
    }

    fn follow(&mut self) {
        while let Some(vaddr) = self.open.pop() {
            if self.work == 0 {
                return;
            }
            if let Some(found) = self.reader.descriptor(vaddr) {
                self.parts(&found);
            }
        }
    }

    /// Adds what a type refers to.
    fn parts(&mut self, found: &Descriptor) {
        let reader = self.reader;
        if let Some(pointer) = reader.pointer_to(found) {
            self.add(pointer);
        }
        match found.kind {
            Kind::Array | Kind::Chan | Kind::Pointer | Kind::Slice => {
                reader.element(found).into_iter().for_each(|ty| self.add(ty));
            }
            Kind::Map => [reader.map_key(found), reader.map_element(found)]
                .into_iter()
                .flatten()
                .for_each(|ty| self.add(ty)),
            Kind::Func => {
                if let Some(of) = reader.func(found) {
                    for ty in of.params().chain(of.results()).map_while(|ty| ty) {
                        self.add(ty);
                        if self.work == 0 {
                            return;
                        }
                    }
                }
            }
            Kind::Struct => {
                for field in reader.fields(found).into_iter().flatten().map_while(|field| field) {
                    self.add(field.ty);
                    if self.work == 0 {
                        return;
                    }
                }
            }
            Kind::Interface => {
                let methods = reader.interface_methods(found).into_iter().flatten();
                for (_, ty) in methods.map_while(|method| method) {
                    self.add(ty);
                    if self.work == 0 {
                        return;
                    }
                }
            }
            _ => {}
        }
        for method in reader.methods(found).into_iter().flatten().map_while(|method| method) {
            self.work = self.work.saturating_sub(1);
            if let Some(ty) = method.ty {
                self.add(ty);
            }
            if self.work == 0 {
                return;
            }
        }
    }
}
