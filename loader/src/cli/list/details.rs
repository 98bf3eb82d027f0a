//! What `gotrace list -v` says of a function: its signature and where the types come from, the places that are probed and why there,
//! and which functions a pattern matches that exist only inlined. Parts of arguments that belong together stand in braces: `{8 8} 4`.

use crate::env::usdt;
use crate::sys::probe::Feature;
use inspect::elf::Binary;
use inspect::glob::Glob;
use inspect::go::signature::TypeSource;
use inspect::go::{GoBinary, GoFunc};
use inspect::uprobe::{Treatment, treatment};
use lang::env::{NamedSite, SignatureOf, Stop, UprobeClass, UprobeMatch};

/// Callers that are named of a function that is inlined into many.
const CALLERS: usize = 4;
/// Bytes of the longest instruction.
const INSTRUCTION: usize = 16;

/// One text for each function, its sites below its name.
pub(super) fn of(kind: &str, file: &Binary, found: &UprobeMatch) -> Vec<String> {
    if found.class.usdt.is_some() {
        return found.sites.iter().map(|site| marked(file, found, site)).collect();
    }
    let go = file.go().ok().flatten();
    let mut shown: Vec<(&str, Option<u64>, Vec<String>)> = Vec::new();
    for site in &found.sites {
        let vaddr = file.vaddr_of_offset(site.offset);
        let function = vaddr.and_then(|vaddr| go?.function_at(vaddr));
        let entry = function.map(|f| f.entry());
        let line = place(file, site, &found.class, function.as_ref());
        // Sites of a function stand together.
        match shown.last_mut().filter(|(name, of, _)| *name == site.function && *of == entry && of.is_some())
        {
            Some((_, _, lines)) => lines.push(line),
            None => {
                let mut lines = vec![format!("{kind}:{}:{}", found.binary, site.function)];
                lines.extend(go.zip(function).into_iter().flat_map(|(go, f)| types(go, &f)));
                if function.is_none() {
                    lines.extend(native_types(&found.class.signature));
                }
                lines.push(line);
                if let Some(f) = function.filter(|_| is_entry(found.class.stop)) {
                    lines.push(returns(&f));
                }
                shown.push((&site.function, entry, lines));
            }
        }
    }
    shown.into_iter().map(|(_, _, lines)| lines.join("\n    ")).collect()
}

/// Parameters and the result of a function that is not Go's.
fn native_types(signature: &SignatureOf) -> Vec<String> {
    let SignatureOf::Known(signature) = signature else { return Vec::new() };
    let params = signature.params.iter().map(|p| format!("{} {}", p.ty, p.name));
    params.chain(signature.results.iter().map(|r| format!("{} retval", r.ty))).collect()
}

/// A place of a USDT probe.
fn marked(file: &Binary, found: &UprobeMatch, site: &NamedSite) -> String {
    let mut lines = vec![format!("usdt:{}:{}", found.binary, site.function)];
    lines.extend(usdt::arguments(file, site));
    let semaphore = if site.semaphore == 0 { "" } else { ", with a semaphore" };
    lines.push(format!("at offset {:#x}{semaphore}", site.offset));
    lines.join("\n    ")
}

/// Functions of a pattern that have no code of their own.
pub(super) fn inlined_only(file: &Binary, pattern: &str) -> Vec<String> {
    let Some(go) = file.go().ok().flatten() else { return Vec::new() };
    let found = go.inlined_only(&Glob::new(pattern));
    let line = |(name, callers): (&str, Vec<&str>)| {
        let named = callers.iter().take(CALLERS).copied().collect::<Vec<_>>().join(", ");
        let more = callers.len().saturating_sub(CALLERS);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{name} has no code of its own: it is inlined into {named}{more}")
    };
    found.into_iter().map(line).collect()
}

/// The signature of a Go function and where it comes from.
fn types(go: &GoBinary, function: &GoFunc<'_>) -> Vec<String> {
    match go.signature(function) {
        Ok(Some(signature)) => {
            let source = match signature.source {
                TypeSource::DebugInfo => "from the debug information",
                TypeSource::Descriptors => "from the program's type data, without names",
            };
            vec![go.spell(function, &signature), format!("types: {source}")]
        }
        Ok(None) => {
            let none = match function.is_assembly() {
                true => "types: none, it is written in assembly",
                false if go.has_debug_info() => "types: none, the debug information does not describe it",
                false => "types: none, there is no debug information and it is in no method table",
            };
            let shape = function.argument_shape().map(|shape| match (shape.parts(), shape.is_complete()) {
                (0, _) => "arguments: none".to_owned(),
                (1, true) => format!("arguments: 1 part of {shape} bytes"),
                (count, true) => format!("arguments: {count} parts of {shape} bytes"),
                (count, false) => format!("arguments: more than {count} parts, of {shape} bytes"),
            });
            std::iter::once(none.to_owned()).chain(shape).collect()
        }
        Err(e) => vec![format!("types: none, {e}")],
    }
}

/// A place and why it was chosen.
fn place(file: &Binary, site: &NamedSite, class: &UprobeClass, function: Option<&GoFunc<'_>>) -> String {
    let what = match (class.stop, function.map(GoFunc::entry_site)) {
        (Stop::Entry | Stop::EntryAtStackCheck, Some(Ok(entry))) => entry.reason,
        (Stop::Entry, _) => "entry, once per call",
        (Stop::EntryAtStackCheck, _) => "branch of the stack check, not counted when it is taken",
        (Stop::Inside, _) => "inside the function",
        (Stop::ReturnInsn, _) => "return instruction",
        (Stop::KernelReturn, _) => "return (uretprobe of the kernel)",
    };
    let code = file.vaddr_of_offset(site.offset).and_then(|vaddr| file.read(vaddr, INSTRUCTION));
    let how = match code.map(|code| treatment(file.arch(), code)) {
        Some(Treatment::Emulated) if what.starts_with("emulated") => "",
        Some(Treatment::Emulated) => ", emulated by the kernel",
        Some(Treatment::SingleStepped) if class.own_return.is_some() => {
            ", done by the program instead of the kernel, which lets it set registers"
        }
        // Where a return is not the program's, the kernel says why.
        Some(Treatment::SingleStepped) if class.stop == Stop::ReturnInsn => {
            if Feature::UprobeRegisters.check().is_ok() {
                ", single-stepped by the kernel: where the program is in memory is not told"
            } else {
                ", single-stepped by the kernel, which lets no program set registers"
            }
        }
        Some(Treatment::SingleStepped) => ", single-stepped by the kernel",
        Some(Treatment::Refused(_)) | None => "",
    };
    format!("at offset {:#x}: {what}{how}", site.offset)
}

fn is_entry(stop: Stop) -> bool {
    matches!(stop, Stop::Entry | Stop::EntryAtStackCheck)
}

/// How many places a `uretprobe` of the function has.
fn returns(function: &GoFunc<'_>) -> String {
    let found = function.returns();
    match (found.sites.len(), found.tail_jumps.is_empty()) {
        (0, true) => "never returns".to_owned(),
        (0, false) => "leaves by a jump to another function".to_owned(),
        (1, _) => "1 return instruction".to_owned(),
        (count, _) => format!("{count} return instructions"),
    }
}
