//! Iterators for the checker: what the kernel can walk over, from its type information, which has a function `bpf_iter_OBJECT` for each kind
//! of object. Its parameters are what a program is called with.

use super::btf::Kernel;
use super::function::{error, function, parameters};
use inspect::glob::Glob;
use lang::env::{EnvError, KernelFunction, Match};
use lang::types::Type;
use std::collections::BTreeSet;

/// What the kernel calls the function that stands for the programs of an iterator (`DEFINE_BPF_ITER_FUNC`, include/linux/bpf.h).
const PREFIX: &str = "bpf_iter_";

/// What its first parameter points to, by which it is told from other functions of such names; the next one points to the object.
const META: &str = "bpf_iter_meta";

/// The iterators that a pattern matches.
pub(super) fn resolve(kernel: &Kernel, pattern: &str) -> Result<Vec<Match>, EnvError> {
    if kernel.btf().is_none() {
        return Err(EnvError {
            notes: vec!["this kernel does not describe its types (no BTF)".into()],
            ..error("iterators do not work here".into())
        });
    }
    let glob = Glob::new(pattern);
    let all = all(kernel);
    let found: Vec<Match> = all.iter().filter(|f| glob.matches(&f.name)).cloned().map(Match::Iter).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let names: BTreeSet<&str> = all.iter().map(|f| f.name.as_str()).collect();
    let listed: Vec<&str> = names.iter().copied().collect();
    Err(EnvError {
        similar: super::similar(pattern, names.iter().copied()),
        notes: vec![match listed.as_slice() {
            [] => "it has none: Linux has iterators since 5.8".to_owned(),
            listed => format!("it has {}", listed.join(", ")),
        }],
        ..error(format!("this kernel has no iterator \"{pattern}\""))
    })
}

fn all(kernel: &Kernel) -> Vec<KernelFunction> {
    let mut found: Vec<KernelFunction> = Vec::new();
    for (module, btf) in kernel.all_types(None) {
        for (id, name) in btf.functions() {
            let Some(object) = name.strip_prefix(PREFIX) else { continue };
            let params = parameters(btf, id, 0);
            let is_iterator = matches!(params.as_slice(), [meta, object, ..] if is_meta(&meta.ty) && matches!(object.ty, Type::Ptr { .. }));
            if is_iterator && !found.iter().any(|f| f.name == object) {
                found.push(KernelFunction { name: object.to_owned(), ..function(btf, id, name, module) });
            }
        }
    }
    found
}

fn is_meta(ty: &Type) -> bool {
    match ty {
        Type::Ptr { to, .. } => matches!(&**to, Type::Struct(s) if s.name == META),
        _ => false,
    }
}
