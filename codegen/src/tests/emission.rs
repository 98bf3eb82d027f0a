//! Passes and instruction selection keep the meaning of random programs.

use super::generate::{Random, program};
use super::machine::{Call, run_insns, run_ir};
use crate::emit::emit;
use crate::insn::Insn;
use crate::ir::{Func, Op};
use crate::opt::PASSES;
use crate::regalloc::allocate;
use std::collections::HashMap;

/// Programs of both kinds: those whose values fit the registers and those that spill.
fn programs() -> impl Iterator<Item = (u64, Func)> {
    (0..600).map(|seed: u64| {
        let mut random = Random::new(seed.wrapping_mul(0x9e37_79b9) + 77);
        let size = 4 + random.below(if seed.is_multiple_of(10) { 300 } else { 60 });
        (seed, program(random.next(), size, 1 + random.below(14)))
    })
}

/// The calls of a program that its instructions make.
fn run(f: &Func) -> Option<Vec<Call>> {
    let allocation = allocate(f);
    if allocation.stack > crate::STACK_LIMIT {
        return None;
    }
    let code = emit(f, &allocation);
    // Calls keep their order through emission.
    let args =
        f.ops.iter().filter_map(|op| if let Op::Call { args, .. } = op { Some(args.len()) } else { None });
    let calls =
        code.insns.iter().enumerate().filter(|(_, i): &(usize, &Insn)| i.code == 0x85).map(|(at, _)| at);
    let arguments: HashMap<usize, usize> = calls.zip(args).collect();
    Some(run_insns(&code.insns, &arguments))
}

#[test]
fn each_pass_keeps_the_meaning() {
    for (seed, mut f) in programs() {
        let expected = run_ir(&f);
        for (name, pass) in PASSES {
            let before = f.clone();
            pass(&mut f);
            assert_eq!(run_ir(&f), expected, "seed {seed}, {name}:\n{before}becomes\n{f}");
        }
    }
}

#[test]
fn instructions_do_what_the_ir_says() {
    let (mut spilling, mut fitting) = (0, 0);
    for (seed, mut f) in programs() {
        let expected = run_ir(&f);
        // Instructions know no scratch slots.
        crate::opt::optimize(&mut f);
        let Some(got) = run(&f) else { continue };
        assert_eq!(got, expected, "seed {seed}:\n{f}");
        let spills = allocate(&f).homes.iter().any(|h| matches!(h, crate::regalloc::Home::Spill(_)));
        *(if spills { &mut spilling } else { &mut fitting }) += 1;
    }
    assert!(spilling > 50 && fitting > 50, "{spilling} programs that spill, {fitting} that do not");
}

/// Without the optimizer, which leaves fewer values alive.
#[test]
fn unoptimized_programs_work_too() {
    for (seed, f) in programs().filter(|(_, f)| f.scratch.is_none()) {
        let expected = run_ir(&f);
        if let Some(got) = run(&f) {
            assert_eq!(got, expected, "seed {seed}:\n{f}");
        }
    }
}
