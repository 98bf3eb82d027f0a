//! What becomes of scripts: the IR as it is lowered and as it is optimized, the instructions, the maps and records. And what
//! each pass does, on a script that shows it.

mod common;

use codegen::ir::Func;
use codegen::object::{Object, Record};
use codegen::opt::PASSES;
use codegen::target::Returning;
use codegen::{Target, disasm};
use common::{SCRIPTS, program};
use lang::arch::Arch;
use std::fmt::Write;

fn target() -> Target {
    Target {
        tls_base: Some(5000),
        map_count: Some(4711),
        count_read_errors: false,
        returning: Some(Returning { mm: 0x900, start_code: 0x150, thread_features: Some(0x1a0) }),
        ..Target::recent(Arch::X86_64, 4)
    }
}

fn layouts(object: &Object) -> String {
    let mut out = String::new();
    for (n, map) in object.maps.iter().enumerate() {
        let (kind, keys, values) = (map.kind, map.key_size, map.value_size);
        let _ =
            writeln!(out, "map{n} {}: {kind:?}, {} of {keys} -> {values} bytes", map.name, map.max_entries);
    }
    for (n, Record { action, fields, size, .. }) in object.records.iter().enumerate() {
        let fields: Vec<String> = fields.iter().map(|f| format!("{}: {}", f.offset, f.ty)).collect();
        let action = format!("{action:?}");
        let name = action.split(['(', ' ']).next().unwrap_or_default();
        let _ = writeln!(out, "record {n}, {name}: {size} bytes {{ {} }}", fields.join(", "));
    }
    for (n, counter) in object.counters.iter().enumerate() {
        let text = object.source.get(counter.span.range()).unwrap_or_default();
        let _ = writeln!(out, "counter {n}: {:?} {text}", counter.kind);
    }
    out
}

#[test]
fn scripts() {
    for (name, source) in SCRIPTS {
        let program = program(source);
        let object = codegen::compile(&program, &target()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let stages = codegen::lower_only(&program, &target()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let mut out = format!("{source}\n");
        for (n, (lowered, optimized)) in stages.iter().enumerate() {
            let listing = disasm::listing(&object, &object.programs[n]);
            let name = &object.programs[n].name;
            let _ = write!(out, "\n==== {name}: lowered\n{lowered}\n==== {name}: optimized\n{optimized}");
            let _ = write!(out, "\n==== {name}: instructions\n{listing}");
        }
        let _ = write!(out, "\n==== layouts\n{}", layouts(&object));
        insta::with_settings!({ omit_expression => true, snapshot_suffix => *name }, {
            insta::assert_snapshot!("script", out);
        });
    }
}

/// A pass, where it does something on a script: what changes, line by line.
fn difference(before: &Func, after: &Func) -> String {
    let (before, after) = (before.to_string(), after.to_string());
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    // The longest common subsequence, from the end.
    let mut common = vec![vec![0usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = match old[i] == new[j] {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut out) = (0, 0, String::new());
    while i < old.len() || j < new.len() {
        let (mark, line) = if i < old.len() && j < new.len() && old[i] == new[j] {
            (i, j) = (i + 1, j + 1);
            (' ', old[i - 1])
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            i += 1;
            ('-', old[i - 1])
        } else {
            j += 1;
            ('+', new[j - 1])
        };
        let _ = writeln!(out, "{mark}{line}");
    }
    out
}

/// A script for each pass on which it does its work.
const SHOWN: &[(&str, &str)] = &[
    ("promote", "uprobe:libc:malloc { $a = arg0; $b = 1; if ($a > 3) { $b = $a; } @x = $b; }"),
    (
        "jumps",
        "uprobe:libc:malloc { if (arg0 == 1) { return; } if (arg1 == 1) { } else { return; @x = 1; } @x = 2; }",
    ),
    ("cse", "uprobe:libc:malloc { if (arg0) { @a = pid + arg1; } @b = arg1 + tid; @c = pid + arg1; }"),
    ("dce", "uprobe:libc:malloc { $a = arg0 * 3; $b = nsecs; $c = *(uint64 *)arg1; @x = arg2; }"),
    ("remat", "uprobe:libc:malloc { @c[1] += 0x123456789; @c[2] += 0x123456789; @d += 1; @e += 1; }"),
    (
        "scratch",
        "config = { max_strlen = 256 } uprobe:libc:malloc { @a[str(arg0)] = 1; $s = str(arg1); @a[str(arg2)] = 2; print($s); }",
    ),
    ("far", r#"config = { max_strlen = 40000 } begin { printf("%s %d %d %d", str(0), 1, 2, 3); }"#),
];

#[test]
fn passes() {
    for (name, source) in SHOWN {
        let stages = codegen::lower_only(&program(source), &target()).expect("it compiles");
        let (mut f, _) = stages.into_iter().next().expect("a program");
        let mut shown = None;
        for (pass, run) in PASSES {
            let before = f.clone();
            run(&mut f);
            if pass == name && shown.is_none() {
                shown = Some(difference(&before, &f));
            }
        }
        let out = format!("{source}\n\n{}", shown.expect("a pass of that name"));
        insta::with_settings!({ omit_expression => true, snapshot_suffix => *name }, {
            insta::assert_snapshot!("pass", out);
        });
    }
}
