//! What typed programs mean, computed on the host. Operands are evaluated from left to right; of a map assignment the
//! value comes before the key.

use lang::fold::canonical;
use lang::hir::{
    BinOp, Expr, ExprKind, LogicOp, LoopKind, MapId, MapValue, Probe, Program, Stmt, StmtKind, UnOp, VarId,
};
use lang::types::Type;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// A value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Val {
    /// An integer or boolean in canonical form.
    Int(u64),
    /// Text without the NUL.
    Text(Vec<u8>),
    /// Members of a tuple.
    Tuple(Vec<Val>),
}

impl Val {
    /// The zero of a type.
    pub fn zero(ty: &Type) -> Val {
        match ty {
            Type::Str(_) => Val::Text(Vec::new()),
            Type::Tuple(of) => Val::Tuple(of.iter().map(Val::zero).collect()),
            _ => Val::Int(0),
        }
    }

    fn int(self) -> u64 {
        match self {
            Val::Int(n) => n,
            other => panic!("{other:?} is no number"),
        }
    }
}

/// What a run leaves behind.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// Entries of each map; a scalar map has one.
    pub maps: Vec<BTreeMap<Option<Val>, Val>>,
    /// Arguments of the records, in the order in which they were sent.
    pub records: Vec<Vec<Val>>,
}

/// Runs all probes of a program once, in their order.
pub fn outcome(program: &Program) -> Outcome {
    let mut host = Host { program, vars: Vec::new(), outcome: Outcome::default() };
    for map in &program.maps {
        let entries = match (&map.key, &map.value) {
            (None, MapValue::Plain(ty)) => BTreeMap::from([(None, Val::zero(ty))]),
            _ => BTreeMap::new(),
        };
        host.outcome.maps.push(entries);
    }
    for probe in &program.probes {
        host.probe(probe);
    }
    host.outcome
}

/// Why the statements behind one are not run.
enum Leave {
    Program,
    Loop,
    Round,
}

struct Host<'a> {
    program: &'a Program,
    vars: Vec<Val>,
    outcome: Outcome,
}

impl Host<'_> {
    fn probe(&mut self, probe: &Probe) {
        self.vars = probe.vars.iter().map(|v| Val::zero(&v.ty)).collect();
        if probe.predicate.as_ref().is_none_or(|p| self.int(p) != 0) {
            let _ = self.block(&probe.body);
        }
    }

    fn block(&mut self, stmts: &[Stmt]) -> ControlFlow<Leave> {
        stmts.iter().try_for_each(|stmt| self.stmt(stmt))
    }

    fn stmt(&mut self, stmt: &Stmt) -> ControlFlow<Leave> {
        match &stmt.kind {
            StmtKind::SetVar(v, e) => self.vars[v.0 as usize] = self.eval(e),
            StmtKind::SetMap { map, key, value } => {
                let value = self.eval(value);
                let key = self.key(key.as_ref());
                self.map(*map).insert(key, value);
            }
            StmtKind::AddMap { map, key, delta } => {
                let delta = self.int(delta);
                let key = self.key(key.as_ref());
                self.add(*map, key, delta);
            }
            StmtKind::If { cond, then, els } => {
                let taken = if self.int(cond) != 0 { then } else { els };
                self.block(taken)?;
            }
            StmtKind::Loop { kind: LoopKind::Range { var, from, to }, body } => {
                let (from, to) = (self.int(from) as i64, self.int(to) as i64);
                for count in from..to {
                    self.vars[var.0 as usize] = Val::Int(count as u64);
                    match self.block(body) {
                        ControlFlow::Break(Leave::Loop) => break,
                        ControlFlow::Break(Leave::Program) => return ControlFlow::Break(Leave::Program),
                        ControlFlow::Break(Leave::Round) | ControlFlow::Continue(()) => {}
                    }
                }
            }
            StmtKind::Break => return ControlFlow::Break(Leave::Loop),
            StmtKind::Continue => return ControlFlow::Break(Leave::Round),
            StmtKind::Return => return ControlFlow::Break(Leave::Program),
            StmtKind::Expr(e) => {
                self.eval(e);
            }
            StmtKind::Emit { args, .. } => {
                let args = args.iter().map(|a| self.eval(a)).collect();
                self.outcome.records.push(args);
            }
            other @ (StmtKind::Update { .. } | StmtKind::Loop { .. }) => panic!("not generated: {other:?}"),
        }
        ControlFlow::Continue(())
    }

    fn map(&mut self, id: MapId) -> &mut BTreeMap<Option<Val>, Val> {
        &mut self.outcome.maps[id.0 as usize]
    }

    fn key(&mut self, key: Option<&Expr>) -> Option<Val> {
        key.map(|key| self.eval(key))
    }

    /// Adds to a 64-bit entry and gives what stood there.
    fn add(&mut self, map: MapId, key: Option<Val>, delta: u64) -> u64 {
        let entry = self.map(map).entry(key).or_insert(Val::Int(0));
        let old = entry.clone().int();
        *entry = Val::Int(old.wrapping_add(delta));
        old
    }

    fn int(&mut self, e: &Expr) -> u64 {
        self.eval(e).int()
    }

    fn eval(&mut self, e: &Expr) -> Val {
        match &e.kind {
            ExprKind::Int(n) => Val::Int(*n),
            ExprKind::Str(text) => Val::Text(text.to_vec()),
            ExprKind::Var(VarId(v)) => self.vars[*v as usize].clone(),
            ExprKind::Cast(of) => Val::Int(canonical(self.int(of), &e.ty)),
            ExprKind::Unary(UnOp::Neg, of) => Val::Int(self.int(of).wrapping_neg()),
            ExprKind::Unary(UnOp::BitNot, of) => Val::Int(!self.int(of)),
            ExprKind::Unary(UnOp::Not, of) => Val::Int(u64::from(self.int(of) == 0)),
            ExprKind::Ternary(c, a, b) => {
                let chosen = if self.int(c) != 0 { a } else { b };
                self.eval(chosen)
            }
            ExprKind::Logical(op, a, b) => {
                let short = *op == LogicOp::Or;
                let a = self.int(a) != 0;
                Val::Int(u64::from(if a == short { a } else { self.int(b) != 0 }))
            }
            ExprKind::IncVar { var, delta, prefix } => {
                let old = self.vars[var.0 as usize].clone().int();
                let new = canonical(old.wrapping_add(*delta as u64), &e.ty);
                self.vars[var.0 as usize] = Val::Int(new);
                Val::Int(if *prefix { new } else { old })
            }
            ExprKind::IncMap { map, key, delta, prefix } => {
                let key = self.key(key.as_deref());
                let old = self.add(*map, key, *delta as u64);
                Val::Int(if *prefix { old.wrapping_add(*delta as u64) } else { old })
            }
            ExprKind::MapGet { map, key } => {
                let key = self.key(key.as_deref());
                let zero = Val::zero(&e.ty);
                self.map(*map).get(&key).cloned().unwrap_or(zero)
            }
            ExprKind::HasKey { map, key } => {
                let key = Some(self.eval(key));
                Val::Int(u64::from(self.map(*map).contains_key(&key)))
            }
            ExprKind::Delete { map, key } => self.delete(*map, key.as_deref()),
            ExprKind::Tuple(members) => Val::Tuple(members.iter().map(|m| self.eval(m)).collect()),
            ExprKind::Member(of, n) => match self.eval(of) {
                Val::Tuple(mut members) => members.swap_remove(*n as usize),
                other => panic!("{other:?} is no tuple"),
            },
            ExprKind::Binary(op, a, b) => {
                let signed = if a.ty.is_int() { a.ty.is_signed() } else { e.ty.is_signed() };
                let (a, b) = (self.eval(a), self.eval(b));
                Val::Int(match (a, b) {
                    (Val::Int(a), Val::Int(b)) => binary(*op, a, b, signed),
                    (a, b) => u64::from((a == b) == (*op == BinOp::Eq)),
                })
            }
            other => panic!("not generated: {other:?}"),
        }
    }

    fn delete(&mut self, map: MapId, key: Option<&Expr>) -> Val {
        let Some(key) = key else {
            let MapValue::Plain(ty) = &self.program.maps[map.0 as usize].value else { panic!("{map:?}") };
            let zero = Val::zero(ty);
            self.map(map).insert(None, zero);
            return Val::Int(1);
        };
        let key = Some(self.eval(key));
        Val::Int(u64::from(self.map(map).remove(&key).is_some()))
    }
}

fn binary(op: BinOp, x: u64, y: u64, signed: bool) -> u64 {
    let (a, b) = (x as i64, y as i64);
    let order = if signed { a.cmp(&b) } else { x.cmp(&y) };
    match op {
        BinOp::Add => x.wrapping_add(y),
        BinOp::Sub => x.wrapping_sub(y),
        BinOp::Mul => x.wrapping_mul(y),
        // A run-time error; the result is 1.
        BinOp::Div | BinOp::Mod if y == 0 => 1,
        BinOp::Div if signed => a.wrapping_div(b) as u64,
        BinOp::Div => x / y,
        BinOp::Mod if signed => a.wrapping_rem(b) as u64,
        BinOp::Mod => x % y,
        BinOp::And => x & y,
        BinOp::Or => x | y,
        BinOp::Xor => x ^ y,
        BinOp::Shl => x << (y & 63),
        BinOp::Shr if signed => (a >> (y & 63)) as u64,
        BinOp::Shr => x >> (y & 63),
        BinOp::Eq => u64::from(x == y),
        BinOp::Ne => u64::from(x != y),
        BinOp::Lt => u64::from(order.is_lt()),
        BinOp::Le => u64::from(order.is_le()),
        BinOp::Gt => u64::from(order.is_gt()),
        BinOp::Ge => u64::from(order.is_ge()),
    }
}
