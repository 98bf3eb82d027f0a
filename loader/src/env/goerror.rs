//! Which types a Go program has that [`lang::goerror`] and `gotype()` know by name, and where.

use inspect::elf::Binary;
use inspect::go::GoBinary;
use inspect::go::types::{TypeInfo, TypeRef};
use lang::env::SymbolAddress;
use lang::goerror::{ErrorType, FORMS, Form};

/// The types whose name is printed as `name` by `%T`, or is that with the whole import path, and where their descriptors are in the file.
pub(super) fn named(file: &Binary, go: &GoBinary, name: &str) -> Vec<(SymbolAddress, u64)> {
    let (short, whole) = (short_name(name), name.contains('/'));
    let all = go.runtime_type_list().filter_map(TypeRef::descriptor);
    all.filter(|vaddr| match whole {
        // Full names have to be put together, the short ones are there.
        true => {
            go.runtime_type_name(*vaddr) == Some(&*short)
                && go.runtime_type_path(*vaddr).as_deref() == Some(name)
        }
        false => go.runtime_type_name(*vaddr) == Some(name),
    })
    .map(|vaddr| (super::address(file, vaddr), vaddr))
    .collect()
}

/// The error types that the program has.
pub(super) fn errors(file: &Binary, go: &GoBinary) -> Vec<(SymbolAddress, ErrorType)> {
    let known = |vaddr: u64| {
        // Full names have to be put together, the short ones are there.
        let short = go.runtime_type_name(vaddr)?;
        let by_short = |form: &&Form| form.types.iter().any(|full| short_name(full) == short);
        FORMS.iter().find(by_short)?;
        let full = go.runtime_type_path(vaddr)?;
        let form = lang::goerror::form_of(&full)?;
        Some((super::address(file, vaddr), error_type(go, vaddr, form)?))
    };
    go.runtime_type_list().filter_map(TypeRef::descriptor).filter_map(known).collect()
}

/// `*io/fs.PathError` as `%T` prints it: `*fs.PathError`.
fn short_name(full: &str) -> String {
    let (pointer, name) = match full.strip_prefix('*') {
        Some(name) => ("*", name),
        None => ("", full),
    };
    format!("{pointer}{}", name.rsplit_once('/').map_or(name, |(_, last)| last))
}

/// Where a type has what its form names; `None` if it has no such members.
fn error_type(go: &GoBinary, vaddr: u64, form: &Form) -> Option<ErrorType> {
    let mut info: TypeInfo = go.type_info(go.runtime_type_at(vaddr)?).ok()??;
    if let (true, Some(to)) = (info.name.starts_with('*'), info.element) {
        info = go.type_info(to).ok()??;
    }
    let offset = |member: &str| match member {
        "" => Some(0),
        name => info.members.iter().find(|m| m.name == name).map(|m| m.offset),
    };
    let texts = form.texts.iter().map(|text| offset(text)).collect::<Option<_>>()?;
    let cause = match form.cause {
        Some(cause) => Some(offset(cause)?),
        None => None,
    };
    Some(ErrorType { address: 0, texts, cause, number: form.number })
}
