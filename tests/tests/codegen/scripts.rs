//! The kernel takes what scripts become: those of which the code generator has snapshots, and some that are large in one way
//! or another.

use super::{common, kernel};
use codegen::Target;
use std::fmt::Write;
use std::time::{Duration, Instant};

fn target() -> Target {
    Target { cpus: kernel::target().cpus, ..loader::target::for_object() }
}

#[test]
fn scripts_with_snapshots_load() {
    for (name, source) in common::SCRIPTS {
        let object =
            codegen::compile(&common::program(source), &target()).unwrap_or_else(|e| panic!("{name}: {e}"));
        kernel::load(&object);
    }
}

/// Time of each stage for a script.
struct Times {
    check: Duration,
    compile: Duration,
    load: Duration,
}

fn times(source: &str) -> (Times, usize) {
    let start = Instant::now();
    let program = common::program(source);
    let checked = start.elapsed();
    let object = codegen::compile(&program, &target()).unwrap_or_else(|e| panic!("{e}"));
    let compiled = start.elapsed();
    kernel::load(&object);
    let times = Times { check: checked, compile: compiled - checked, load: start.elapsed() - compiled };
    (times, object.programs[0].insns.len())
}

/// A jump over so many statements has to be relayed; nothing on the way may take quadratic time.
#[test]
fn thousands_of_statements() {
    let script = |n: usize| {
        let mut text = String::from("uprobe:libc:malloc /arg0 > 7/ {\n");
        for i in 0..n {
            let _ = writeln!(text, "@m{}[arg1, {i}] = arg2 + {i};", i % 7);
        }
        text + "}"
    };
    let mut known: Option<Times> = None;
    for n in [500, 1000, 2000, 4000] {
        let (times, insns) = times(&script(n));
        let Times { check, compile, load } = times;
        println!(
            "{n} assignments, {insns} instructions: check {check:?}, compile {compile:?}, load {load:?}"
        );
        if let Some(half) = known {
            // Twice as much takes about twice as long, with room for a busy machine.
            assert!(
                compile < half.compile * 4 + Duration::from_millis(200),
                "{compile:?} after {:?}",
                half.compile
            );
        }
        known = Some(times);
    }
}
