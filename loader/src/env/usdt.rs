//! Attach points of USDT probes: the places that a binary's notes ([`inspect::usdt`]) give, with their arguments.
//!
//! Places of a probe whose arguments are elsewhere, as in copies that the compiler made, need programs of their own: they differ in
//! class. In Go programs the places are in C code (cgo), where the goroutine is found as in other C functions.

use super::uprobe::goroutine;
use inspect::elf::Binary;
use inspect::glob::Glob;
use inspect::usdt::{Argument, Operand, Probe, Symbol, probes};
use lang::env::{
    Abi, EnvError, Match, NamedSite, SignatureOf, Stop, UprobeClass, UprobeMatch, UsdtArg, UsdtPlace,
};
use lang::types::Type;

/// The bits of an address that are the same wherever a program is loaded, which is at a multiple of 4096.
const LOW_12: u64 = 0xfff;

/// The places of all probes of that name, whose provider matches if one is named.
pub(super) fn resolve(
    shown: &str,
    file: &Binary,
    provider: Option<&str>,
    name: &str,
) -> Result<Vec<Match>, EnvError> {
    let all = probes(file.image());
    let (providers, names) = (Glob::new(provider.unwrap_or("*")), Glob::new(name));
    let path = super::absolute(file.path()).to_string_lossy().into_owned();
    let mut matches: Vec<UprobeMatch> = Vec::new();
    let mut warnings = Vec::new();
    for probe in all.iter().filter(|p| providers.matches(p.provider) && names.matches(p.name)) {
        let site = match site(file, probe) {
            Ok(site) => site,
            Err(reason) => {
                warnings.push(format!("left out {}:{}: {reason}", probe.provider, probe.name));
                continue;
            }
        };
        let class = class(file, probe)?;
        match matches.iter_mut().find(|m| m.class == class) {
            Some(found) => found.sites.push(site),
            None => matches.push(UprobeMatch {
                binary: shown.to_owned(),
                path: path.clone(),
                class,
                sites: vec![site],
                warnings: Vec::new(),
            }),
        }
    }
    match matches.first_mut() {
        Some(first) => first.warnings = warnings,
        None => return Err(nothing(shown, &all, provider, name, warnings)),
    }
    Ok(matches.into_iter().map(Match::Uprobe).collect())
}

/// The arguments of the place that a match of `resolve` names, as the binary writes them.
pub fn arguments(file: &Binary, site: &NamedSite) -> Vec<String> {
    let vaddr = file.vaddr_of_offset(site.offset);
    let is_it = |p: &Probe<'_>| Some(p.vaddr) == vaddr && full_name(p) == site.function;
    let found = probes(file.image()).into_iter().find(is_it);
    let line = |(n, argument): (usize, &Argument<'_>)| match integer(argument) {
        Some(ty) => format!("{ty} arg{n} in {}", argument.text),
        None => format!("arg{n} in {}, which cannot be read", argument.text),
    };
    found.iter().flat_map(|p| p.arguments.iter().enumerate().map(line)).collect()
}

fn full_name(probe: &Probe<'_>) -> String {
    format!("{}:{}", probe.provider, probe.name)
}

fn site(file: &Binary, probe: &Probe<'_>) -> Result<NamedSite, &'static str> {
    let offset = file.file_offset(probe.vaddr).ok_or("it has no code in the file")?;
    let semaphore = probe.semaphore.map_or(Ok(0), |vaddr| semaphore(file, vaddr))?;
    Ok(NamedSite { function: full_name(probe), offset, semaphore })
}

/// The file offset of a semaphore, if the kernel can set it: `valid_ref_ctr_vma` and `uprobe_register` in kernel/events/uprobes.c. One
/// that it cannot set would stay 0 without an error, and the program would skip the place.
fn semaphore(file: &Binary, vaddr: u64) -> Result<u32, &'static str> {
    let offset = file.file_offset(vaddr).and_then(|offset| u32::try_from(offset).ok());
    let offset = offset.ok_or("its semaphore is not in the file")?;
    let mut segments = file.image().segments().iter();
    let segment = segments.find(|s| vaddr.checked_sub(s.vaddr).is_some_and(|delta| delta < s.file_size));
    match segment {
        _ if !offset.is_multiple_of(2) => {
            Err("its semaphore is at an odd offset, where the kernel sets none")
        }
        Some(segment) if segment.writable => Ok(offset),
        _ => Err("its semaphore is in memory that the program may not write, where the kernel sets none"),
    }
}

fn class(file: &Binary, probe: &Probe<'_>) -> Result<UprobeClass, EnvError> {
    let go = file.go().map_err(|e| EnvError { message: e.to_string(), ..EnvError::default() })?;
    Ok(UprobeClass {
        abi: Abi::C,
        stop: Stop::Inside,
        goroutine: go.map(goroutine),
        signature: SignatureOf::NotAsked,
        result_offset: None,
        words: lang::env::ArgumentWords::InOrder,
        usdt: Some(probe.arguments.iter().map(|a| argument(file, probe.vaddr, a)).collect()),
        own_return: None,
    })
}

/// The type of an argument that is understood.
fn integer(argument: &Argument<'_>) -> Option<Type> {
    argument.operand.as_ref().map(|_| Type::Int { bits: argument.size * 8, signed: argument.signed })
}

fn argument(file: &Binary, vaddr: u64, argument: &Argument<'_>) -> UsdtArg {
    let place = argument.operand.as_ref().and_then(|operand| place(file, vaddr, operand));
    match (integer(argument), place) {
        (Some(ty), Some(place)) => UsdtArg::Known { ty, place },
        _ => UsdtArg::Unknown(argument.text.to_owned()),
    }
}

/// Where an operand is when the instruction at `vaddr` is reached; `None` if its symbol is not known.
fn place(file: &Binary, vaddr: u64, operand: &Operand<'_>) -> Option<UsdtPlace> {
    let register = |name: &str| super::host_arch().register(name);
    Some(match operand {
        Operand::Constant(value) => UsdtPlace::Constant(*value),
        Operand::Register { name, shift } => UsdtPlace::Register { index: register(name)?, shift: *shift },
        Operand::Memory { symbol, displacement, base, index } => {
            let from = match (symbol, *base) {
                (None, Some("ip")) => return None,
                (None, _) => 0,
                (Some(Symbol::Low12(symbol)), _) => (file.symbol(symbol)?.addr & LOW_12) as i64,
                // The place of the symbol, seen from the instruction, whose address is in the register.
                (Some(Symbol::Whole(symbol)), Some("ip")) => {
                    file.symbol(symbol)?.addr.wrapping_sub(vaddr) as i64
                }
                (Some(Symbol::Whole(_)), _) if file.is_pie() => return None,
                (Some(Symbol::Whole(symbol)), _) => file.symbol(symbol)?.addr as i64,
            };
            UsdtPlace::Memory {
                base: base.map_or(Some(None), |name| register(name).map(Some))?,
                index: index.map_or(Some(None), |(name, scale)| register(name).map(|r| Some((r, scale))))?,
                displacement: displacement.wrapping_add(from),
            }
        }
    })
}

/// Why nothing matched.
fn nothing(
    shown: &str,
    all: &[Probe<'_>],
    provider: Option<&str>,
    name: &str,
    warnings: Vec<String>,
) -> EnvError {
    let wanted = provider.map_or_else(|| name.to_owned(), |provider| format!("{provider}:{name}"));
    let mut error = EnvError {
        message: format!("no USDT probe \"{wanted}\" in {shown}"),
        notes: warnings,
        ..EnvError::default()
    };
    if all.is_empty() {
        error.message = format!("{shown} has no USDT probes");
        return error;
    }
    let names: Vec<String> = match provider {
        Some(_) => all.iter().map(full_name).collect(),
        None => all.iter().map(|p| p.name.to_owned()).collect(),
    };
    error.similar = super::similar(&wanted, names.iter().map(String::as_str));
    error.help = Some(format!("`gotrace list 'usdt:{shown}:*'` lists its probes"));
    error
}
