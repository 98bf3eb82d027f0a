//! docs/builtins.md: every builtin, from the table that the checker uses (`lang/src/builtin`).

use std::fmt::Write as _;

use lang::builtin::{Builtin, Form, GROUPS, all};

const INTRODUCTION: &str = "\
# Builtins

Every variable and function that scripts have, by subject. This page is made by `cargo xtask docs` from the table that gotrace itself checks
scripts by, so it is complete. [The language](language.md) tells how they play together, and `gotrace check FILE` whether a script is right.

What stands in brackets may be left out. Each example is a whole script.

";

/// Examples that are right only in some circumstances, and these.
const NOT_RUN: &[(&str, &str)] = &[
    ("cpid", "there is a process of -c or -p only in a run"),
    ("cgroupid", "the machine may have another hierarchy"),
];

/// The page.
pub(super) fn page() -> String {
    let mut out = INTRODUCTION.to_owned();
    // Writing to a String cannot fail.
    for (group, entries) in GROUPS {
        let links: Vec<String> = entries.iter().map(|b| format!("[`{}`](#{})", b.name, anchor(b))).collect();
        let _ = writeln!(out, "- {group}: {}", links.join(", "));
    }
    for (group, entries) in GROUPS {
        let _ = write!(out, "\n## {group}\n");
        for builtin in *entries {
            section(&mut out, builtin);
        }
    }
    out
}

fn section(out: &mut String, builtin: &Builtin) {
    let signature = builtin.signature.replace(" or ", "` or `");
    let _ = write!(out, "\n### {}\n\n`{signature}`: {}. {}\n", builtin.name, form(builtin.form), builtin.doc);
    let everywhere = all().map(|b| b.probes.len()).max();
    if Some(builtin.probes.len()) != everywhere {
        let probes: Vec<String> = builtin.probes.iter().map(|p| format!("`{}`", p.name())).collect();
        let _ = write!(out, "\nIn {}.", probes.join(", "));
        if let Some(elsewhere) = builtin.elsewhere {
            let _ = write!(out, " Elsewhere: {elsewhere}.");
        }
        out.push('\n');
    }
    let listed = NOT_RUN.iter().find(|(name, _)| *name == builtin.name).map(|(_, reason)| *reason);
    let of_the_kernel =
        ["kprobe:", "kretprobe:", "fentry:", "fexit:"].iter().any(|kind| builtin.example.contains(kind));
    if let Some(reason) = listed.or(of_the_kernel.then_some("the kernel may have no such probes")) {
        let _ = write!(out, "\n<!-- not run: {reason} -->");
    }
    let _ = write!(out, "\n```gt\n{}\n```\n", builtin.example);
}

fn form(form: Form) -> &'static str {
    match form {
        Form::Variable => "a variable",
        Form::Function => "a function",
        Form::Statement => "a statement",
        Form::MapValue => "to the right of `@map =`",
    }
}

/// What the heading of a builtin is linked by. One that is called like its group, which comes before it, has a number.
fn anchor(builtin: &Builtin) -> String {
    let name = builtin.name.to_lowercase();
    let taken = GROUPS.iter().any(|(group, _)| group.to_lowercase().replace(' ', "-") == name);
    if taken { format!("{name}-1") } else { name }
}
