//! Two interpreters: of the IR and of instructions. Both give the trace of the calls that a program makes. Calls destroy
//! r1-r5, as the kernel says they do.

use crate::insn::{AluOp, Cond, Insn, Width};
use crate::ir::{Arg, Base, Func, Op, Operand, Place, Storage, Val};
use std::collections::HashMap;

/// Helper number and five arguments (0 where there are less).
pub type Call = (i32, [u64; 5]);

/// An argument with which a call gives the address of the scratch block.
pub const SCRATCH: i64 = 0x5c4a;
const SCRATCH_ADDRESS: u64 = 1 << 40;
const STACK_ADDRESS: u64 = 1 << 41;
/// Steps after which a program counts as endless.
const STEPS: usize = 1 << 20;

/// Bytes by address.
#[derive(Default)]
struct Memory(HashMap<u64, u8>);

impl Memory {
    fn load(&self, width: Width, at: u64) -> u64 {
        let byte = |i: u32| {
            let byte = self.0.get(&(at + u64::from(i)));
            u64::from(
                *byte.unwrap_or_else(|| panic!("read of {:#x}, which was never written", at + u64::from(i))),
            )
        };
        (0..width.bytes()).rev().fold(0, |n, i| n << 8 | byte(i))
    }

    fn store(&mut self, width: Width, at: u64, value: u64) {
        for i in 0..width.bytes() {
            self.0.insert(at + u64::from(i), (value >> (8 * i)) as u8);
        }
    }
}

fn alu(op: AluOp, a: u64, b: u64) -> u64 {
    match op {
        AluOp::Add => a.wrapping_add(b),
        AluOp::Sub => a.wrapping_sub(b),
        AluOp::Mul => a.wrapping_mul(b),
        AluOp::Div => a.checked_div(b).unwrap_or(0),
        AluOp::Mod => a.checked_rem(b).unwrap_or(a),
        AluOp::Or => a | b,
        AluOp::And => a & b,
        AluOp::Xor => a ^ b,
        AluOp::Lsh => a << (b & 63),
        AluOp::Rsh => a >> (b & 63),
        AluOp::Arsh => ((a as i64) >> (b & 63)) as u64,
    }
}

fn result(helper: i32, args: [u64; 5]) -> u64 {
    if args[0] == SCRATCH as u64 {
        return SCRATCH_ADDRESS;
    }
    args.iter().fold(helper as u64, |n, a| (n ^ a).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23))
}

/// Runs IR.
pub fn run_ir(f: &Func) -> Vec<Call> {
    let labels: HashMap<_, _> = f
        .ops
        .iter()
        .enumerate()
        .filter_map(|(i, op)| if let Op::Label(l) = op { Some((*l, i)) } else { None })
        .collect();
    // Every slot has memory of its own.
    let mut addresses = Vec::new();
    let (mut stack, mut scratch) = (STACK_ADDRESS, SCRATCH_ADDRESS + 8);
    for slot in &f.slots {
        let next = if slot.storage == Storage::Stack { &mut stack } else { &mut scratch };
        addresses.push(*next);
        *next += u64::from(slot.size);
    }
    let mut vals: Vec<Option<u64>> = vec![None; f.vals.len()];
    let mut memory = Memory::default();
    let mut trace = Vec::new();
    let mut at = 0;
    for _ in 0..STEPS {
        let op = &f.ops[at];
        at += 1;
        let val = |v: Val| vals[v.0 as usize].unwrap_or_else(|| panic!("{v:?} is not set at {op:?}"));
        let operand = |o: Operand| match o {
            Operand::Val(v) => val(v),
            Operand::Imm(imm) => i64::from(imm) as u64,
        };
        let address = |p: Place| {
            let base = match p.base {
                Base::Val(v) => val(v),
                Base::Slot(s) => addresses[s.0 as usize],
            };
            base.wrapping_add(i64::from(p.off) as u64)
        };
        let (dst, value) = match op {
            Op::Const { dst, value } => (*dst, *value),
            Op::Addr { dst, of } => (*dst, address(*of)),
            Op::Copy { dst, src } => (*dst, val(*src)),
            Op::Alu { op, dst, a, b } => (*dst, alu(*op, val(*a), operand(*b))),
            Op::Neg { dst, src } => (*dst, val(*src).wrapping_neg()),
            Op::Clamp { dst, src, limit } => (*dst, val(*src).min(u64::from(*limit))),
            Op::Swap { dst, src, bits } => (*dst, (val(*src) << (64 - u32::from(*bits))).swap_bytes()),
            Op::Extend { dst, src, bits, signed } => {
                let up = 64 - u32::from(*bits);
                let v = val(*src) << up;
                (*dst, if *signed { (v as i64 >> up) as u64 } else { v >> up })
            }
            Op::Load { width, dst, from } => (*dst, memory.load(*width, address(*from))),
            Op::Store { width, to, src } => {
                memory.store(*width, address(*to), operand(*src));
                continue;
            }
            Op::Atomic { op, on, src, old } => {
                let (on, src) = (address(*on), val(*src));
                let before = memory.load(Width::D, on);
                let after = if *op == crate::insn::AtomicOp::Xchg { src } else { before.wrapping_add(src) };
                memory.store(Width::D, on, after);
                match old {
                    Some(old) => (*old, before),
                    None => continue,
                }
            }
            Op::CmpXchg { on, expected, new, old } => {
                let on = address(*on);
                let before = memory.load(Width::D, on);
                if before == val(*expected) {
                    memory.store(Width::D, on, val(*new));
                }
                (*old, before)
            }
            Op::Call { callee, args, ret } => {
                let crate::helper::Callee::Helper(helper) = callee else { panic!("{op:?}") };
                let mut values = [0; 5];
                for (value, arg) in values.iter_mut().zip(args) {
                    *value = match arg {
                        Arg::Val(v) => val(*v),
                        Arg::Imm(imm) => *imm as u64,
                        other => panic!("{other:?}"),
                    };
                }
                trace.push((*helper as i32, values));
                match ret {
                    Some(ret) => (*ret, result(*helper as i32, values)),
                    None => continue,
                }
            }
            Op::Jump(to) => {
                at = labels[to];
                continue;
            }
            Op::Branch { cond, a, b, to, .. } => {
                if cond.holds(val(*a), operand(*b)) {
                    at = labels[to];
                }
                continue;
            }
            Op::Label(_) | Op::Line(_) | Op::MayGoto(_) => continue,
            Op::Exit(_) | Op::Return(_) => return trace,
            Op::MapAddr { .. } => panic!("{op:?}"),
        };
        vals[dst.0 as usize] = Some(value);
    }
    panic!("endless");
}

/// Runs instructions. `arguments` says how many arguments the calls have, in the order of the program.
pub fn run_insns(insns: &[Insn], arguments: &HashMap<usize, usize>) -> Vec<Call> {
    const ALU: &[AluOp] = &[
        AluOp::Add,
        AluOp::Sub,
        AluOp::Mul,
        AluOp::Div,
        AluOp::Or,
        AluOp::And,
        AluOp::Lsh,
        AluOp::Rsh,
        AluOp::Mod,
        AluOp::Xor,
        AluOp::Arsh,
    ];
    const CONDITIONS: &[Cond] = &[
        Cond::Eq,
        Cond::Gt,
        Cond::Ge,
        Cond::Set,
        Cond::Ne,
        Cond::Sgt,
        Cond::Sge,
        Cond::Lt,
        Cond::Le,
        Cond::Slt,
        Cond::Sle,
    ];
    let mut regs: [Option<u64>; 11] = [None; 11];
    (regs[1], regs[10]) = (Some(0), Some(STACK_ADDRESS + 4096));
    let mut memory = Memory::default();
    let mut trace = Vec::new();
    let mut at = 0;
    for _ in 0..STEPS {
        let here = at;
        let Insn { code, dst, src, off, imm } = insns[at];
        at += 1;
        let reg = |r: u8| regs[usize::from(r)].unwrap_or_else(|| panic!("r{r} is not set at {here}"));
        let operand = || if code & 8 != 0 { reg(src) } else { i64::from(imm) as u64 };
        let width = [Width::W, Width::H, Width::B, Width::D][usize::from(code >> 3 & 3)];
        let place = |r: u8| reg(r).wrapping_add(i64::from(off) as u64);
        let value = match code & 7 {
            0 => {
                at += 1;
                u64::from(insns[here + 1].imm as u32) << 32 | u64::from(imm as u32)
            }
            1 => memory.load(width, place(src)),
            2 => {
                memory.store(width, place(dst), i64::from(imm) as u64);
                continue;
            }
            3 if code & 0xe0 == 0xc0 => {
                let on = place(dst);
                let before = memory.load(width, on);
                let after = match imm {
                    0 | 1 => before.wrapping_add(reg(src)),
                    0xe1 => reg(src),
                    _ if before == reg(0) => reg(src),
                    _ => before,
                };
                memory.store(width, on, after);
                match imm {
                    1 | 0xe1 => regs[usize::from(src)] = Some(before),
                    0xf1 => regs[0] = Some(before),
                    _ => {}
                }
                continue;
            }
            3 => {
                memory.store(width, place(dst), reg(src));
                continue;
            }
            4 if code == 0xdc => (reg(dst) << (64 - imm)).swap_bytes(),
            4 => u64::from(operand() as u32),
            7 if code & 0xf0 == 0xb0 => operand(),
            7 if code & 0xf0 == 0x80 => reg(dst).wrapping_neg(),
            7 => {
                let op = ALU.iter().find(|op| **op as u8 == code & 0xf0).expect("a known operation");
                alu(*op, reg(dst), operand())
            }
            _ => match code & 0xf0 {
                0x00 => {
                    at = (at as i64 + i64::from(off)) as usize;
                    continue;
                }
                0x80 => {
                    let mut args = [0; 5];
                    for (n, arg) in args.iter_mut().enumerate().take(arguments[&here]) {
                        *arg = reg(n as u8 + 1);
                    }
                    trace.push((imm, args));
                    regs[0] = Some(result(imm, args));
                    regs[1..6].fill(None);
                    continue;
                }
                0x90 => return trace,
                cond => {
                    let cond = CONDITIONS.iter().find(|c| **c as u8 == cond).expect("a known condition");
                    if cond.holds(reg(dst), operand()) {
                        at = (at as i64 + i64::from(off)) as usize;
                    }
                    continue;
                }
            },
        };
        regs[usize::from(dst)] = Some(value);
    }
    panic!("endless");
}
