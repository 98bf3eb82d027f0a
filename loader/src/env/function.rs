//! Functions of the kernel and raw tracepoints for the checker: which there are, where they are, and their arguments.
//!
//! What exists is asked of `/proc/kallsyms`, what can be traced of ftrace's list of functions where there is one, and the types of
//! the kernel's BTF.

use super::btf::{Kernel, convert};
use inspect::btf::{Btf, Type as Raw, TypeId};
use inspect::glob::Glob;
use inspect::kallsyms::Kallsyms;
use lang::env::{EnvError, KernelFunction, KernelParam, KernelPlace, Match};
use lang::probe::KprobeSpec;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// What BTF calls the prototype of a raw tracepoint (`include/trace/bpf_probe.h`).
const RAW_TRACEPOINT: &str = "btf_trace_";

/// Lists that the kernel keeps of functions that cannot be traced.
const BLACKLIST: &str = "/sys/kernel/debug/kprobes/blacklist";

/// Modules named in a message.
const NAMED: usize = 4;

pub(super) fn no_symbols() -> EnvError {
    error("/proc/kallsyms cannot be read".into())
}

pub(super) fn error(message: String) -> EnvError {
    EnvError { message, ..EnvError::default() }
}

/// The raw tracepoints that a pattern matches.
pub(super) fn raw_tracepoints(
    kernel: &Kernel,
    module: Option<&str>,
    pattern: &str,
) -> Result<Vec<Match>, EnvError> {
    let glob = Glob::new(pattern);
    let Some(btf) = kernel.btf() else {
        // Without types the kernel itself says at attachment whether it exists.
        return match glob.literal() {
            Some(name) => Ok(vec![Match::RawTracepoint(KernelFunction {
                name: name.to_owned(),
                module: None,
                program: None,
                btf_id: 0,
                params: None,
                result: None,
            })]),
            None => Err(error(
                "raw tracepoints cannot be listed: this kernel does not describe its types (no BTF)".into(),
            )),
        };
    };
    let mut found = Vec::new();
    for (of, types) in kernel.all_types(module) {
        let matching: Vec<(TypeId, &str)> = types
            .typedefs()
            .filter_map(|(id, name)| Some((id, name.strip_prefix(RAW_TRACEPOINT)?)))
            .filter(|(_, name)| glob.matches(name))
            .collect();
        if matching.is_empty() {
            continue;
        }
        let named = named_tracepoints(types, &glob);
        for (id, name) in matching {
            found.push(Match::RawTracepoint(raw_tracepoint(types, id, named.get(name).copied(), name, of)));
        }
        if glob.literal().is_some() && !found.is_empty() {
            break;
        }
    }
    if !found.is_empty() {
        return Ok(found);
    }
    let names: Vec<&str> = btf.typedefs().filter_map(|(_, n)| n.strip_prefix(RAW_TRACEPOINT)).collect();
    Err(EnvError {
        similar: super::similar(pattern, names.iter().copied()),
        help: Some("`gotrace list 'rawtracepoint:*'` lists what there is".into()),
        ..error(format!(
            "no raw tracepoint {}\"{pattern}\"",
            if glob.literal().is_some() { "" } else { "matches " }
        ))
    })
}

/// Functions with the parameters of raw tracepoints, which the prototypes leave without names.
fn named_tracepoints<'a>(btf: &'a Btf, glob: &Glob) -> BTreeMap<&'a str, TypeId> {
    const FUNCTIONS: [&str; 3] = ["__probestub_", "__bpf_trace_", "__traceiter_"];
    let mut found = BTreeMap::new();
    for (id, function) in btf.functions() {
        let event = FUNCTIONS.iter().find_map(|prefix| function.strip_prefix(prefix));
        if let Some(event) = event.filter(|event| glob.matches(event)) {
            found.entry(event).or_insert(id);
        }
    }
    found
}

fn raw_tracepoint(
    btf: &Btf,
    typedef: TypeId,
    named: Option<TypeId>,
    name: &str,
    module: Option<&str>,
) -> KernelFunction {
    // typedef -> pointer -> prototype, whose first parameter is the private data of whoever is attached.
    let prototype = btf.resolve(typedef).and_then(|id| match btf.ty(id)? {
        Raw::Pointer(to) => btf.resolve(to),
        _ => None,
    });
    let mut params = prototype.map(|id| parameters(btf, id, 1));
    // The n-th parameter is the n-th of the function, behind the private data of whoever is attached.
    let names: Vec<&str> =
        named.map(|id| btf.parameters(id).skip(1).map(|p| p.name).collect()).unwrap_or_default();
    for (n, param) in params.iter_mut().flatten().enumerate().filter(|(_, p)| p.name.is_empty()) {
        param.name =
            names.get(n).filter(|n| !n.is_empty()).map_or_else(|| format!("arg{n}"), |n| (*n).to_owned());
    }
    KernelFunction {
        name: name.to_owned(),
        module: module.map(str::to_owned),
        program: None,
        btf_id: 0,
        params,
        result: None,
    }
}

/// Parameters from the `skip`-th on.
pub(super) fn parameters(btf: &Btf, function: TypeId, skip: usize) -> Vec<KernelParam> {
    let mut word = 0u8;
    btf.parameters(function)
        .skip(skip)
        .map(|p| {
            let ty = convert(btf, p.ty, 0).unwrap_or(lang::types::Type::U64);
            let at = word;
            word = word.saturating_add(ty.size().div_ceil(8).max(1) as u8);
            KernelParam { name: p.name.to_owned(), ty, word: at }
        })
        .collect()
}

/// The functions for `fentry` and `fexit` that a pattern matches.
pub(super) fn fentries(kernel: &Kernel, module: Option<&str>, pattern: &str) -> Result<Vec<Match>, EnvError> {
    let glob = Glob::new(pattern);
    let traceable = kernel.traceable(|name| glob.matches(name));
    let mut found: Vec<KernelFunction> = Vec::new();
    let mut seen = HashSet::new();
    for (of, btf) in kernel.all_types(module) {
        for (id, name) in btf.functions().filter(|(_, name)| glob.matches(name)) {
            let known = traceable.as_ref().is_none_or(|t| t.names.contains(name));
            if (known || glob.literal().is_some()) && seen.insert((of, name)) {
                found.push(function(btf, id, name, of));
            }
        }
        if glob.literal().is_some() && of.is_none() && !found.is_empty() {
            break;
        }
    }
    if let (Some(name), [_, _, ..]) = (glob.literal(), found.as_slice()) {
        return Err(ambiguous("fentry", name, found.iter().map(|f| f.module.as_deref())));
    }
    if let (Some(name), Some(traceable)) = (glob.literal(), &traceable)
        && !found.is_empty()
        && !traceable.names.contains(name)
    {
        return Err(EnvError {
            notes: vec![why_not(name)],
            ..error(format!("the kernel function \"{name}\" cannot be traced"))
        });
    }
    if found.is_empty() {
        return Err(unknown(pattern, kernel, module));
    }
    Ok(found.into_iter().map(Match::Fentry).collect())
}

pub(super) fn function(btf: &Btf, id: TypeId, name: &str, module: Option<&str>) -> KernelFunction {
    let result = match btf.ty(id) {
        Some(Raw::Function { prototype, .. }) => match btf.ty(prototype) {
            Some(Raw::Prototype { result }) => convert(btf, result, 0),
            _ => None,
        },
        _ => None,
    };
    KernelFunction {
        name: name.to_owned(),
        module: module.map(str::to_owned),
        program: None,
        btf_id: id.0,
        params: Some(parameters(btf, id, 0)),
        result,
    }
}

/// The places in the kernel that a kprobe names.
pub(super) fn kprobes(
    kernel: &Kernel,
    module: Option<&str>,
    spec: &KprobeSpec,
) -> Result<Vec<Match>, EnvError> {
    let (pattern, offset) = match spec {
        KprobeSpec::Address(address) => return at_address(kernel, *address),
        KprobeSpec::Function(pattern) => (pattern.as_str(), 0),
        KprobeSpec::Offset(function, offset) => (function.as_str(), *offset),
    };
    let symbols = kernel.symbols().ok_or_else(no_symbols)?;
    let glob = Glob::new(pattern);
    let matches = |name: &str| glob.matches(name);
    let traceable = if glob.literal().is_none() { kernel.traceable(matches) } else { None };
    let mut places: Vec<KernelPlace> = Vec::new();
    for symbol in symbols.functions(matches) {
        let of_module = module.is_none_or(|m| symbol.module.unwrap_or("vmlinux") == m);
        if !of_module || traceable.as_ref().is_some_and(|t| !t.has(symbol.name, symbol.addr)) {
            continue;
        }
        // Aliases name one function: it is counted once.
        let again = symbol.addr != 0 && places.last().is_some_and(|p| p.address == symbol.addr);
        if !again {
            places.push(KernelPlace {
                function: symbol.name.to_owned(),
                module: symbol.module.map(str::to_owned),
                offset,
                address: symbol.addr,
            });
        }
    }
    if places.is_empty() {
        return Err(unknown(pattern, kernel, module));
    }
    if let Some(name) = glob.literal() {
        let modules: BTreeSet<Option<&str>> = places.iter().map(|p| p.module.as_deref()).collect();
        if modules.len() > 1 {
            return Err(ambiguous("kprobe", name, modules.into_iter()));
        }
        if blacklisted(name) {
            return Err(EnvError {
                notes: vec![
                    "the kernel's list of functions that must not have kprobes (NOKPROBE_SYMBOL) has it"
                        .into(),
                ],
                ..error(format!("the kernel function \"{name}\" cannot be traced"))
            });
        }
    }
    Ok(vec![Match::Kprobe(places)])
}

fn at_address(kernel: &Kernel, address: u64) -> Result<Vec<Match>, EnvError> {
    let near =
        kernel.symbols().and_then(|s| s.lookup(address).map(|(s, offset)| (s.name.to_owned(), offset)));
    let function = match near {
        Some((name, 0)) => name,
        Some((name, offset)) => format!("{name}+{offset:#x}"),
        None => return Err(error(format!("no code of the kernel is at {address:#x}"))),
    };
    Ok(vec![Match::Kprobe(vec![KernelPlace { function, module: None, offset: 0, address }])])
}

fn ambiguous<'a>(kind: &str, name: &str, modules: impl Iterator<Item = Option<&'a str>>) -> EnvError {
    let names: Vec<&str> = modules.map(|m| m.unwrap_or("vmlinux")).collect();
    let first = names.iter().find(|n| **n != "vmlinux").or(names.first()).copied().unwrap_or_default();
    EnvError {
        notes: vec![format!("it is in {}", names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", "))],
        help: Some(format!("name the module: `{kind}:{first}:{name}`")),
        ..error(format!("several kernel functions are called \"{name}\""))
    }
}

fn unknown(pattern: &str, kernel: &Kernel, module: Option<&str>) -> EnvError {
    let functions = kernel.symbols().map(|symbols| symbols.functions(|_| true)).unwrap_or_default();
    let names: Vec<&str> = functions.iter().map(|function| function.name).collect();
    let of = module.map(|m| format!(" of module {m}")).unwrap_or_default();
    let matches = if pattern.contains('*') { "matches " } else { "is called " };
    let mut failure = error(format!("no kernel function{of} {matches}\"{pattern}\""));
    if names.contains(&pattern) && module.is_none() {
        failure.notes.push("it exists, but the kernel does not describe it: it is inlined, assembler, or in a module without BTF".into());
        return failure;
    }
    // A compiler's copy of a function has a suffix: f.isra.0, f.constprop.0, f.cold.
    let copy = names.iter().find(|n| n.strip_prefix(pattern).is_some_and(|rest| rest.starts_with('.')));
    failure.similar = match copy {
        Some(copy) => vec![(*copy).to_owned()],
        // A pattern is near to no name.
        None if pattern.contains('*') => Vec::new(),
        None => super::similar(pattern, names.iter().copied()),
    };
    failure
}

/// Why ftrace does not list a function.
fn why_not(name: &str) -> String {
    if blacklisted(name) {
        return "the kernel's list of functions that must not have kprobes has it".into();
    }
    "it is not in tracefs' available_filter_functions: it is marked notrace, or compiled without the call that tracing needs".into()
}

fn blacklisted(name: &str) -> bool {
    // Lines: 0xffffffff81000000-0xffffffff81000010	name
    let list = std::fs::read_to_string(BLACKLIST).unwrap_or_default();
    list.lines().any(|line| line.split_whitespace().nth(1) == Some(name))
}

/// The names of modules that have type information of their own.
pub(super) fn modules_with_types() -> BTreeMap<String, std::path::PathBuf> {
    let folder = std::fs::read_dir("/sys/kernel/btf");
    folder
        .map(|dir| {
            dir.flatten()
                .filter_map(|e| Some((e.file_name().into_string().ok()?, e.path())))
                .filter(|(name, _)| name != "vmlinux")
                .collect()
        })
        .unwrap_or_default()
}

/// The kernel's symbols, if they can be read.
pub(super) fn kallsyms() -> Option<Kallsyms> {
    Kallsyms::load().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_several_modules() {
        let told = |modules: &[Option<&str>]| {
            let error = ambiguous("kprobe", "init_once", modules.iter().copied());
            [vec![error.message], error.notes, error.help.into_iter().collect()].concat()
        };
        let message = "several kernel functions are called \"init_once\"";
        assert_eq!(
            told(&[None, Some("btrfs"), Some("xfs")]),
            [message, "it is in vmlinux, btrfs, xfs", "name the module: `kprobe:btrfs:init_once`"]
        );
        assert_eq!(
            told(&[Some("ext4"), Some("fuse")]),
            [message, "it is in ext4, fuse", "name the module: `kprobe:ext4:init_once`"]
        );
    }
}
