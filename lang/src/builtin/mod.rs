//! The builtins: one entry each, with everything that is known about it.
//!
//! The checker looks names up here, messages take signatures and nearest names from here, and the reference manual is
//! made from the texts. A new builtin is an entry in one of the files below; a new file is a row of [`GROUPS`].

mod act;
mod aggregation;
mod cgroup;
mod dynamic;
mod go;
mod goroutine;
mod kernel;
mod machine;
mod map;
mod memory;
mod name;
mod network;
mod object;
mod output;
mod packet;
mod process;
mod script;
mod site;
mod stack;
mod string;
mod symbol;
mod time;
mod types;

use crate::check::{Call, Checked, Checker, Outcome, ProbeKind};

/// How a builtin is used.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Form {
    /// A value, with or without parentheses.
    Variable,
    /// A call that gives a value.
    Function,
    /// A call that does something and gives no value.
    Statement,
    /// A call that stands right of `@map =`.
    MapValue,
}

/// A builtin variable or function.
pub struct Builtin {
    /// The name. `argN` stands for `arg0`, `arg1` and so on.
    pub name: &'static str,
    /// How it is used.
    pub form: Form,
    /// Least and greatest number of arguments.
    pub args: (usize, usize),
    /// How a call looks; what may be left out stands in brackets.
    pub signature: &'static str,
    /// What it is, in a sentence or two of the manual.
    pub doc: &'static str,
    /// A script that shows it.
    pub example: &'static str,
    /// The kinds of probe it is available in.
    pub probes: &'static [ProbeKind],
    /// What to use in other kinds of probe.
    pub elsewhere: Option<&'static str>,
    /// Checks and translates a use; the number of arguments is right already.
    pub(crate) check: fn(&mut Checker<'_>, &Call<'_>) -> Checked<Outcome>,
}

impl std::fmt::Debug for Builtin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builtin")
            .field("name", &self.name)
            .field("signature", &self.signature)
            .finish_non_exhaustive()
    }
}

/// All kinds of probe, and functions.
const EVERYWHERE: &[ProbeKind] = &[
    ProbeKind::Begin,
    ProbeKind::End,
    ProbeKind::Interval,
    ProbeKind::Profile,
    ProbeKind::Tracepoint,
    ProbeKind::Uprobe,
    ProbeKind::Uretprobe,
    ProbeKind::Signal,
    ProbeKind::Software,
    ProbeKind::Hardware,
    ProbeKind::RawTracepoint,
    ProbeKind::Kprobe,
    ProbeKind::Kretprobe,
    ProbeKind::Fentry,
    ProbeKind::Fexit,
    ProbeKind::Watchpoint,
    ProbeKind::Usdt,
    ProbeKind::Iter,
    ProbeKind::Test,
    ProbeKind::Bench,
    ProbeKind::Function,
];
/// All kinds of probe.
const IN_PROBES: &[ProbeKind] = match EVERYWHERE.split_last() {
    Some((_, probes)) => probes,
    None => EVERYWHERE,
};
/// Probes in a traced program.
const IN_PROGRAMS: &[ProbeKind] = &[ProbeKind::Uprobe, ProbeKind::Uretprobe, ProbeKind::Usdt];
/// Probes at the entry and the return of a function of a program.
const AT_CALLS: &[ProbeKind] = &[ProbeKind::Uprobe, ProbeKind::Uretprobe];
/// Probes that fire while some thread runs: what belongs to the thread can be asked for.
const IN_THREADS: &[ProbeKind] = &[
    ProbeKind::Profile,
    ProbeKind::Tracepoint,
    ProbeKind::Uprobe,
    ProbeKind::Uretprobe,
    ProbeKind::Software,
    ProbeKind::Hardware,
    ProbeKind::Usdt,
];
/// Probes in functions.
const IN_FUNCTIONS: &[ProbeKind] = &[
    ProbeKind::Uprobe,
    ProbeKind::Uretprobe,
    ProbeKind::Kprobe,
    ProbeKind::Kretprobe,
    ProbeKind::Fentry,
    ProbeKind::Fexit,
];
/// Probes with arguments that are words.
const WITH_ARGUMENTS: &[ProbeKind] = &[
    ProbeKind::Uprobe,
    ProbeKind::Usdt,
    ProbeKind::Kprobe,
    ProbeKind::RawTracepoint,
    ProbeKind::Fentry,
    ProbeKind::Fexit,
];
/// Probes whose programs can be told what the kernel handed to them.
const WITH_CONTEXT: &[ProbeKind] = &[
    ProbeKind::Iter,
    ProbeKind::Uprobe,
    ProbeKind::Uretprobe,
    ProbeKind::Interval,
    ProbeKind::Profile,
    ProbeKind::Software,
    ProbeKind::Hardware,
    ProbeKind::Kprobe,
    ProbeKind::Kretprobe,
    ProbeKind::Watchpoint,
    ProbeKind::Usdt,
];
/// Probes that interrupt code whose registers are known.
const WITH_REGISTERS: &[ProbeKind] = match WITH_CONTEXT.split_first() {
    Some((_iter, probes)) => probes,
    None => WITH_CONTEXT,
};
/// Probes at the entry of a function.
const AT_ENTRY: &[ProbeKind] = &[ProbeKind::Uprobe];
/// Probes at the return of a function.
const AT_RETURN: &[ProbeKind] = &[ProbeKind::Uretprobe, ProbeKind::Kretprobe, ProbeKind::Fexit];

/// Probes at the return of a function of a program.
const AT_GO_RETURN: &[ProbeKind] = &[ProbeKind::Uretprobe];

/// The builtins by subject.
pub const GROUPS: &[(&str, &[Builtin])] = &[
    ("Process and thread", process::ENTRIES),
    ("Time", time::ENTRIES),
    ("Machine", machine::ENTRIES),
    ("The traced function", site::ENTRIES),
    ("Go programs", go::ENTRIES),
    ("Goroutines", goroutine::ENTRIES),
    ("Kernel", kernel::ENTRIES),
    ("Interfaces", dynamic::ENTRIES),
    ("Stacks", stack::ENTRIES),
    ("Memory", memory::ENTRIES),
    ("Text", string::ENTRIES),
    ("Symbols", symbol::ENTRIES),
    ("Names", name::ENTRIES),
    ("Network", network::ENTRIES),
    ("Control groups", cgroup::ENTRIES),
    ("Types", types::ENTRIES),
    ("Acting on the machine", act::ENTRIES),
    ("Objects of the kernel", object::ENTRIES),
    ("Output", output::ENTRIES),
    ("Packets", packet::ENTRIES),
    ("The script itself", script::ENTRIES),
    ("Maps", map::ENTRIES),
    ("Aggregation", aggregation::ENTRIES),
];

/// All builtins.
pub fn all() -> impl Iterator<Item = &'static Builtin> {
    GROUPS.iter().flat_map(|(_, entries)| *entries)
}

/// The names of all builtins.
pub fn names() -> impl Iterator<Item = &'static str> {
    all().map(|b| b.name)
}

/// The builtin of that name; `arg3` finds `argN`.
#[must_use]
pub fn find(name: &str) -> Option<&'static Builtin> {
    let family = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let numbered = family.len() < name.len();
    all().find(|b| b.name == name || (numbered && b.name.strip_suffix('N') == Some(family)))
}

/// The number in `arg3`.
fn numbered(call: &Call<'_>) -> Option<u32> {
    let name = &call.name.text;
    let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_complete_and_unique() {
        for b in all() {
            assert_eq!(names().filter(|n| *n == b.name).count(), 1, "{}", b.name);
            assert!(b.signature.starts_with(b.name.trim_end_matches('N')), "{}", b.name);
            assert!(b.doc.ends_with('.') && b.args.0 <= b.args.1 && !b.probes.is_empty(), "{}", b.name);
        }
    }

    #[test]
    fn the_reference_names_every_builtin() {
        let page = include_str!("../../../docs/language.md");
        let words: std::collections::HashSet<&str> = page
            .split('`')
            .skip(1)
            .step_by(2)
            .filter_map(|code| code.split(['(', '.', ' ']).next())
            .collect();
        for b in all() {
            // A family stands there with its first member.
            let name = b.name.strip_suffix('N').map_or(b.name.to_owned(), |family| format!("{family}0"));
            assert!(words.contains(name.as_str()), "docs/language.md says nothing about `{}`", b.name);
        }
    }

    #[test]
    fn numbered_names() {
        assert_eq!(find("arg12").map(|b| b.name), Some("argN"));
        assert_eq!(find("sarg0").map(|b| b.name), Some("sargN"));
        assert!(find("arg").is_none() && find("pid1").is_none() && find("12").is_none());
    }
}
