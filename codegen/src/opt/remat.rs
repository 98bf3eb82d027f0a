//! Constants and addresses of global data are made again where they are needed: that costs as much as moving them, and they
//! occupy no register across calls. Constants that fit an immediate become one.

use crate::insn::AluOp;
use crate::ir::{Arg, Func, Op, Operand, Val};
use std::collections::HashMap;

/// Runs the pass.
pub fn run(f: &mut Func) {
    let mut made: HashMap<Val, Op> = HashMap::new();
    for op in &f.ops {
        if let Op::Const { dst, .. } | Op::MapAddr { dst, .. } = op
            && f.is_temp(*dst)
        {
            made.insert(*dst, op.clone());
        }
    }
    // What has been made since the last label or call.
    let mut here: HashMap<Val, Val> = HashMap::new();
    for mut op in std::mem::take(&mut f.ops) {
        match op.def() {
            Some(dst) if made.contains_key(&dst) => continue,
            _ => {}
        }
        immediates(&mut op, &made);
        op.map_uses(&mut |v| {
            if let Some(definition) = made.get(v) {
                *v = *here.entry(*v).or_insert_with(|| again(f, definition));
            }
        });
        if matches!(op, Op::Label(_) | Op::Call { .. }) {
            here.clear();
        }
        f.ops.push(op);
    }
}

/// Repeats a definition.
fn again(f: &mut Func, definition: &Op) -> Val {
    let val = f.temp();
    let mut op = definition.clone();
    if let Op::Const { dst, .. } | Op::MapAddr { dst, .. } = &mut op {
        *dst = val;
    }
    f.push(op);
    val
}

/// Turns constant operands into immediates.
fn immediates(op: &mut Op, made: &HashMap<Val, Op>) {
    let constant = |v: &Val| match made.get(v) {
        Some(Op::Const { value, .. }) => Some(*value as i64),
        _ => None,
    };
    match op {
        // The kernel refuses a zero here even in code that never runs.
        Op::Alu { op: AluOp::Div | AluOp::Mod, b: Operand::Val(v), .. } if constant(v) == Some(0) => {}
        Op::Alu { op: AluOp::Lsh | AluOp::Rsh | AluOp::Arsh, b: count, .. } => {
            if let Operand::Val(v) = count
                && let Some(imm) = constant(v)
            {
                *count = Operand::Imm(imm as i32 & 63);
            }
        }
        Op::Alu { b: operand, .. } | Op::Branch { b: operand, .. } | Op::Store { src: operand, .. } => {
            if let Operand::Val(v) = operand
                && let Some(imm) = constant(v).and_then(|c| i32::try_from(c).ok())
            {
                *operand = Operand::Imm(imm);
            }
        }
        Op::Call { args, .. } => {
            for arg in args {
                if let Arg::Val(v) = arg
                    && let Some(imm) = constant(v)
                {
                    *arg = Arg::Imm(imm);
                }
            }
        }
        _ => {}
    }
}
