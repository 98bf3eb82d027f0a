//! Functions of loaded BPF programs for the checker: `fentry:bpf:NAME`.

use super::function::{error, function};
use crate::sys::bpf::{LoadedProgram, loaded_programs};
use inspect::btf::{Btf, Type as Raw, TypeId};
use inspect::glob::Glob;
use lang::env::{EnvError, KernelFunction, Match};
use lang::types::{Struct, Type};
use std::path::Path;
use std::sync::Arc;

/// What a program calls its context, and what the kernel hands to it in truth (`include/linux/bpf_types.h`): the verifier translates the
/// one into the other when the program reads it, which whoever looks on does not get.
const CONTEXTS: &[(&str, &str)] = &[
    ("__sk_buff", "sk_buff"),
    ("xdp_md", "xdp_buff"),
    ("bpf_perf_event_data", "bpf_perf_event_data_kern"),
    ("bpf_sock", "sock"),
    ("bpf_sock_addr", "bpf_sock_addr_kern"),
    ("bpf_sock_ops", "bpf_sock_ops_kern"),
    ("bpf_sockopt", "bpf_sockopt_kern"),
    ("bpf_sysctl", "bpf_sysctl_kern"),
    ("sk_msg_md", "sk_msg"),
    ("sk_reuseport_md", "sk_reuseport_kern"),
];

/// The functions that a pattern matches in the program of that number, or in any. The same name in several programs stands for all of them.
pub(super) fn fentries(id: Option<u32>, pattern: &str) -> Result<Vec<Match>, EnvError> {
    let programs = loaded_programs().map_err(|e| EnvError {
        help: Some("run gotrace as root, or give it CAP_SYS_ADMIN".into()),
        ..error(format!("the loaded BPF programs cannot be listed: {e}"))
    })?;
    let glob = Glob::new(pattern);
    let mut found = Vec::new();
    let mut others = Vec::new();
    for program in programs.iter().filter(|program| id.is_none_or(|id| id == program.id)) {
        let of = functions(program);
        let (matching, rest) = of.into_iter().partition::<Vec<_>, _>(|f| glob.matches(&f.name));
        found.extend(matching.into_iter().map(Match::Fentry));
        others.extend(rest.into_iter().map(|f| f.name));
    }
    if !found.is_empty() {
        return Ok(found);
    }
    let message = match id {
        Some(id) if !programs.iter().any(|program| program.id == id) => {
            format!("no BPF program with types has the number {id}")
        }
        Some(id) => format!("the BPF program {id} has no function \"{pattern}\""),
        None => format!("no loaded BPF program has a function \"{pattern}\""),
    };
    Err(EnvError {
        similar: super::similar(pattern, others.iter().map(String::as_str)),
        help: Some("`gotrace list 'fentry:bpf:*'` lists those that have types".into()),
        ..error(message)
    })
}

fn functions(program: &LoadedProgram) -> Vec<KernelFunction> {
    let name = format!("BPF program {}", program.id);
    let Ok(btf) = Btf::from_bytes(program.types.clone(), Path::new(&name)) else { return Vec::new() };
    let named = program.functions.iter().filter_map(|id| match btf.ty(TypeId(*id))? {
        Raw::Function { name, .. } => Some((TypeId(*id), name)),
        _ => None,
    });
    named
        .map(|(id, name)| {
            let function = function(&btf, id, name, None);
            translated(KernelFunction { program: Some(program.id), ..function })
        })
        .collect()
}

/// With the kernel's own types of contexts.
fn translated(mut function: KernelFunction) -> KernelFunction {
    for param in function.params.iter_mut().flatten() {
        let Type::Ptr { to, .. } = &mut param.ty else { continue };
        let Type::Struct(of) = &**to else { continue };
        if let Some((_, kernels)) = CONTEXTS.iter().find(|(programs, _)| *programs == of.name) {
            **to = Type::Struct(Arc::new(Struct {
                name: (*kernels).to_owned(),
                fields: Vec::new(),
                ..(**of).clone()
            }));
        }
    }
    function
}
