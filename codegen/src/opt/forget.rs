//! Conditions of the script that teach the verifier nothing.
//!
//! Behind `if ($x == 3)` the verifier knows `$x`, and what it knows keeps the two ways apart as long as a later condition could depend on
//! it: with n conditions on one value it follows n ways to the end, which takes time with the square of n, or ends at its limit of a
//! million instructions. Where there are many such conditions, each is asked of a copy that the verifier cannot trace to the value.
//! Generated code relies on no condition of a script: it has bounds of its own ([`Op::Clamp`]).

use crate::helper::Callee;
use crate::insn::AluOp;
use crate::ir::{Asker, Base, Func, Op, Operand, Val};

/// Conditions on values that others are on too: up to so many, following all ways costs less than copies.
const FEW: usize = 16;

/// Runs the pass.
pub fn run(f: &mut Func) {
    let mut asked = vec![0usize; f.vals.len()];
    let mut address = vec![false; f.vals.len()];
    for op in &f.ops {
        if let Op::Branch { a, b, asker: Asker::Script, .. } = op {
            asked[a.0 as usize] += 1;
            if let Operand::Val(b) = b {
                asked[b.0 as usize] += 1;
            }
        }
        // No arithmetic on what may be an address.
        op.places(&mut |place| {
            if let Base::Val(base) = place.base {
                address[base.0 as usize] = true;
            }
        });
        if let Op::Call { callee, ret: Some(ret), .. } = op
            && match callee {
                Callee::Helper(helper) => helper.gives_address(),
                Callee::Kfunc { .. } => true,
                Callee::Function(_) => false,
            }
        {
            address[ret.0 as usize] = true;
        }
    }
    let several = |v: Val| asked[v.0 as usize] > 1 && !address[v.0 as usize];
    let total: usize = asked.iter().zip(0..).filter(|(_, v)| several(Val(*v))).map(|(n, _)| n).sum();
    if total <= FEW {
        return;
    }
    for mut op in std::mem::take(&mut f.ops) {
        if let Op::Branch { a, b, asker: Asker::Script, .. } = &mut op {
            if several(*a) {
                *a = copy(f, *a);
            }
            if let Operand::Val(b) = b
                && several(*b)
            {
                *b = copy(f, *b);
            }
        }
        f.ops.push(op);
    }
}

/// A copy of a value. Arithmetic makes the verifier forget where it is from (`adjust_reg_min_max_vals` in kernel/bpf/verifier.c).
fn copy(f: &mut Func, of: Val) -> Val {
    let dst = f.temp();
    f.push(Op::Alu { op: AluOp::Xor, dst, a: of, b: Operand::Imm(0) });
    dst
}
