//! Tracepoints of the running kernel as the checker wants them.

use crate::privileges;
use inspect::glob::Glob;
use inspect::tracefs::{Field as RawField, Shape, Tracefs};
use lang::env::{EnvError, Match, Tracepoint};
use lang::types::{AddrSpace, Field, FieldForm, Struct, StructKind, Type};
use std::sync::Arc;

/// All tracepoints of a category and event, wildcards expanded.
pub(super) fn resolve(category: &str, event: &str) -> Result<Vec<Match>, EnvError> {
    let tracefs = crate::tracefs::find().map_err(|e| unreadable(&e))?;
    let (categories, events) = (Glob::new(category), Glob::new(event));
    let names = match (categories.literal(), events.literal()) {
        // One file instead of a listing of two thousand folders.
        (Some(category), Some(event)) if tracefs.format(category, event).is_ok() => {
            return Ok(vec![one(&tracefs, category, event)?]);
        }
        _ => tracefs.events().map_err(|e| unreadable(&e))?,
    };
    let matches: Vec<Match> = names
        .iter()
        .filter(|n| categories.matches(&n.category) && events.matches(&n.event))
        .map(|n| one(&tracefs, &n.category, &n.event))
        .collect::<Result<_, _>>()?;
    if !matches.is_empty() {
        return Ok(matches);
    }
    let full: Vec<String> = names.iter().map(|n| format!("{}:{}", n.category, n.event)).collect();
    let wanted = format!("{category}:{event}");
    let mut similar = super::similar(&wanted, full.iter().map(String::as_str));
    if similar.is_empty() {
        let other = names.iter().find(|n| n.event == event);
        similar.extend(other.map(|n| format!("{}:{}", n.category, n.event)));
    }
    let plain = !wanted.contains('*');
    Err(EnvError {
        message: format!("{} tracepoint {}\"{wanted}\"", "no", if plain { "" } else { "matches " }),
        similar,
        help: Some(format!("`gotrace list 'tracepoint:{category}:*'` lists what there is")),
        ..EnvError::default()
    })
}

fn unreadable(error: &inspect::Error) -> EnvError {
    if let Some((why, help)) = privileges::why_locked() {
        return EnvError {
            message: "tracefs, which describes the tracepoints, cannot be read".into(),
            notes: vec![why],
            help: Some(help),
            ..EnvError::default()
        };
    }
    EnvError {
        message: error.to_string(),
        help: Some(
            "tracepoints are described in tracefs: run gotrace as root, or with CAP_DAC_READ_SEARCH beside CAP_BPF and CAP_PERFMON"
                .into(),
        ),
        ..EnvError::default()
    }
}

fn one(tracefs: &Tracefs, category: &str, event: &str) -> Result<Match, EnvError> {
    let format = tracefs.format(category, event).map_err(|e| unreadable(&e))?;
    let space = address_space(category);
    let fields: Vec<Field> = format.fields.iter().filter_map(|f| field(f, space)).collect();
    let size = format.fields.iter().map(|f| f.offset + f.size).max().unwrap_or(0);
    let name = format!("{category}:{event}");
    let args = Struct { size, align: 8, fields, ..Struct::named(StructKind::Struct, name) };
    Ok(Match::Tracepoint(Tracepoint { category: category.to_owned(), name: event.to_owned(), args }))
}

/// Pointers among the arguments of a system call are the process's; other tracepoints record kernel addresses.
fn address_space(category: &str) -> AddrSpace {
    if category == "syscalls" { AddrSpace::User } else { AddrSpace::Kernel }
}

fn field(raw: &RawField, space: AddrSpace) -> Option<Field> {
    let is_char =
        matches!(raw.c_type.trim_start_matches("const ").trim(), "char" | "unsigned char" | "u8" | "__u8");
    let (ty, form) = match raw.shape {
        // A system call's argument is a register, of which the kernel takes as much as the declared type has. What is negative there
        // prints as the number that the register holds, and by `%d` as the `int` that it is.
        Shape::Scalar if space == AddrSpace::User && raw.size == 8 && is_32_bits(&raw.c_type) => {
            (Type::U32, FieldForm::Plain)
        }
        Shape::Scalar => (scalar(raw, space)?, FieldForm::Plain),
        Shape::Array(n) if raw.c_type == "char" => (Type::Str(n), FieldForm::Plain),
        Shape::Array(n) => {
            (Type::Array(Box::new(integer(raw.size.checked_div(n)?, raw.signed)?), n), FieldForm::Plain)
        }
        // The checker puts its own limit on the length.
        Shape::DataLoc if is_char => (Type::Str(lang::Config::default().max_strlen), FieldForm::DataLoc),
        Shape::DataLoc => {
            let to = Box::new(element(&raw.c_type).unwrap_or(Type::Void));
            (Type::Ptr { to, space: AddrSpace::Kernel }, FieldForm::DataLoc)
        }
        Shape::RelLoc => return None,
    };
    Some(Field { form, ..Field::new(raw.name.as_str(), raw.offset, ty) })
}

/// Whether a declared type of a system call's argument has 32 bits.
fn is_32_bits(c_type: &str) -> bool {
    let name = c_type.trim_start_matches("const ").trim();
    NARROW.contains(&name)
}

/// The types of 32 bits among the arguments of system calls (include/linux/syscalls.h, include/linux/types.h).
const NARROW: &[&str] = &[
    "int",
    "unsigned int",
    "unsigned",
    "u32",
    "__u32",
    "__s32",
    "pid_t",
    "uid_t",
    "gid_t",
    "qid_t",
    "clockid_t",
    "timer_t",
    "mqd_t",
    "key_t",
    "key_serial_t",
    "rwf_t",
];

fn scalar(raw: &RawField, space: AddrSpace) -> Option<Type> {
    let Some(target) = raw.c_type.trim_end().strip_suffix('*') else {
        return integer(raw.size, raw.signed);
    };
    let to = Box::new(element(target).unwrap_or(Type::Void));
    Some(Type::Ptr { to, space })
}

/// The type of a C name, for what pointers point to. What members a structure has is looked up when one is asked for.
fn element(c_type: &str) -> Option<Type> {
    let mut words = c_type.split_whitespace().filter(|w| !matches!(*w, "const" | "__user"));
    if let (Some("struct"), Some(name), None) = (words.next(), words.next(), words.next()) {
        return Some(Type::Struct(Arc::new(Struct::named(StructKind::Struct, name))));
    }
    let words: Vec<&str> =
        c_type.split_whitespace().filter(|w| !matches!(*w, "const" | "struct" | "__user")).collect();
    Some(match words.as_slice() {
        ["char"] => Type::Int { bits: 8, signed: true },
        ["unsigned", "char"] | ["u8" | "__u8"] => Type::Int { bits: 8, signed: false },
        ["u16" | "__u16"] | ["unsigned", "short"] => Type::Int { bits: 16, signed: false },
        ["int" | "s32"] => Type::I32,
        ["unsigned", "int"] | ["u32" | "__u32" | "unsigned"] => Type::U32,
        ["long" | "s64"] => Type::I64,
        ["unsigned", "long"] | ["u64" | "__u64" | "size_t"] => Type::U64,
        [.., "*"] => Type::Ptr { to: Box::new(Type::Void), space: AddrSpace::User },
        _ => return None,
    })
}

fn integer(bytes: u32, signed: bool) -> Option<Type> {
    matches!(bytes, 1 | 2 | 4 | 8).then_some(Type::Int { bits: bytes as u8 * 8, signed })
}
