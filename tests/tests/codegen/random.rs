//! Random typed programs, built below the parser and checker, so that every combination of operators, types and widths that the
//! code generator may be given is reached.
//!
//! A program is made from a list of numbers, each of which decides something. Small numbers decide for what is simple, so
//! a list that is cut short or has smaller numbers makes a simpler program: that is how failures shrink.

use lang::format::Format;
use lang::hir::{
    Action, Attach, BinOp, Expr, ExprKind, LogicOp, LoopKind, Map, MapId, MapValue, Probe, Program, Stmt,
    StmtKind, UnOp, Var, VarId,
};
use lang::span::Span;
use lang::types::Type;
use proptest::test_runner::Config as ProptestConfig;
use std::sync::OnceLock;

/// A configuration for so many cases; the environment may ask for more (`PROPTEST_CASES`).
pub fn cases(least: u32) -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig {
        cases: usual.cases.max(least),
        max_shrink_iters: 5000,
        failure_persistence: None,
        ..usual
    }
}

const SPAN: Span = Span { start: 0, end: 0 };

/// What programs have: the types of their variables, and the keys and values of their maps.
pub struct Shape {
    vars: Vec<Type>,
    maps: Vec<(Option<Type>, Type)>,
    /// Records are sent. Without, programs need no helpers: they leave their variables in the maps.
    records: bool,
}

const fn int(bits: u8, signed: bool) -> Type {
    Type::Int { bits, signed }
}

impl Shape {
    /// Integers of all widths in variables and scalar maps.
    pub fn integers() -> &'static Shape {
        static SHAPE: OnceLock<Shape> = OnceLock::new();
        SHAPE.get_or_init(|| Shape {
            vars: integers(),
            maps: vec![(None, Type::I64); integers().len()],
            records: false,
        })
    }

    /// All that can be computed without traced memory.
    pub fn values() -> &'static Shape {
        static SHAPE: OnceLock<Shape> = OnceLock::new();
        SHAPE.get_or_init(|| {
            let pair = Type::Tuple(vec![int(8, true), Type::Str(16), Type::U64]);
            let nested =
                Type::Tuple(vec![int(16, false), Type::Tuple(vec![Type::Str(24), Type::I32]), Type::Bool]);
            let long = Type::Tuple(vec![Type::Str(72), Type::U32]);
            let vars = [8, 16, 64, 72, 208].map(Type::Str).into_iter();
            Shape {
                vars: integers()
                    .into_iter()
                    .chain(vars)
                    .chain([pair.clone(), nested.clone(), long.clone()])
                    .collect(),
                maps: vec![
                    (Some(Type::I64), Type::I64),
                    (Some(Type::Str(16)), Type::U64),
                    (Some(pair.clone()), Type::Str(64)),
                    (Some(nested.clone()), pair.clone()),
                    (Some(int(16, true)), int(8, false)),
                    (Some(Type::Str(208)), long.clone()),
                    (Some(long), nested.clone()),
                    (Some(Type::Bool), Type::Str(136)),
                    (None, Type::I64),
                    (None, Type::Str(32)),
                    (None, nested),
                    (None, int(16, true)),
                ],
                records: true,
            }
        })
    }
}

/// All widths and signs.
fn integers() -> Vec<Type> {
    vec![int(64, true), int(64, false), int(32, true), int(16, false), int(8, true), int(32, false)]
}

/// Lengths around those at which strings need another word, another way of copying, or scratch memory.
const LENGTHS: &[usize] =
    &[0, 1, 6, 7, 8, 9, 14, 15, 16, 17, 23, 31, 62, 63, 64, 65, 71, 126, 127, 128, 129, 200, 207];
const NUMBERS: &[u64] = &[
    0,
    1,
    2,
    7,
    63,
    64,
    255,
    256,
    0x7fff_ffff,
    0x8000_0000,
    u64::MAX,
    1 << 63,
    i64::MAX as u64,
    0xffff_ffff,
    0x1_0000_0000,
    0xdead_beef_cafe_f00d,
];
const ARITHMETIC: &[BinOp] = &[
    BinOp::Add,
    BinOp::Sub,
    BinOp::Mul,
    BinOp::Div,
    BinOp::Mod,
    BinOp::And,
    BinOp::Or,
    BinOp::Xor,
    BinOp::Shl,
    BinOp::Shr,
];
const COMPARISONS: &[BinOp] = &[BinOp::Eq, BinOp::Ne, BinOp::Lt, BinOp::Le, BinOp::Gt, BinOp::Ge];
/// Loops nest no deeper than this.
const LOOPS: u32 = 2;
/// Expressions nest no deeper than this.
const DEPTH: u32 = 4;

/// The program that a list of numbers decides for: `probes` probes that share the maps. Each tells all its variables at its
/// end, unless it returns before.
pub fn program(shape: &Shape, probes: usize, decisions: &[u32]) -> Program {
    let each = decisions.len().div_ceil(probes);
    let probes = (0..probes).map(|n| {
        let from = (n * each).min(decisions.len());
        probe(shape, &decisions[from..(from + each).min(decisions.len())])
    });
    let maps = shape.maps.iter().enumerate().map(|(n, (key, value))| Map {
        name: format!("@m{n}"),
        key: key.clone(),
        value: MapValue::Plain(value.clone()),
        lru: false,
        entries: None,
        span: SPAN,
    });
    Program {
        source_name: "random".into(),
        probes: probes.collect(),
        maps: maps.collect(),
        ..Program::default()
    }
}

fn probe(shape: &Shape, decisions: &[u32]) -> Probe {
    let mut random = Random { shape, decisions: decisions.iter(), loops: 0 };
    let mut body: Vec<Stmt> = Vec::new();
    for (n, ty) in shape.vars.iter().enumerate() {
        let value = random.simplest(ty, n as u64);
        body.push(stmt(StmtKind::SetVar(VarId(n as u32), value)));
    }
    while random.decisions.len() > 0 {
        body.push(random.stmt(0));
    }
    let all = shape.vars.iter().enumerate().map(|(n, ty)| expr(ExprKind::Var(VarId(n as u32)), ty.clone()));
    if shape.records {
        body.push(stmt(emit(all.collect())));
    } else {
        let set = |(n, var): (usize, Expr)| StmtKind::SetMap {
            map: MapId(n as u32),
            key: None,
            value: cast(var, &shape.maps[n].1),
        };
        body.extend(all.enumerate().map(|v| stmt(set(v))));
    }
    let counts = (0..LOOPS).map(|_| &Type::I64);
    let vars = shape.vars.iter().chain(counts).enumerate();
    // Some variables lie in memory, as they do when their address is taken.
    let vars = vars.map(|(n, ty)| Var { name: format!("v{n}"), ty: ty.clone(), addressed: n % 3 == 2 });
    Probe {
        attach: Attach::Begin,
        name: "begin".into(),
        span: SPAN,
        predicate: None,
        body,
        vars: vars.collect(),
    }
}

fn expr(kind: ExprKind, ty: Type) -> Expr {
    Expr { kind, ty, span: SPAN }
}

fn stmt(kind: StmtKind) -> Stmt {
    Stmt { kind, span: SPAN }
}

fn emit(args: Vec<Expr>) -> StmtKind {
    StmtKind::Emit { action: Action::Printf(Format::default()), args }
}

fn cast(e: Expr, ty: &Type) -> Expr {
    if e.ty == *ty { e } else { expr(ExprKind::Cast(Box::new(e)), ty.clone()) }
}

fn text(len: usize, last: u8) -> Expr {
    let mut bytes = vec![b'a'; len];
    if let Some(byte) = bytes.last_mut() {
        *byte = last;
    }
    expr(ExprKind::Str(bytes.into()), Type::Str((len as u32 + 1).next_multiple_of(8)))
}

struct Random<'a> {
    shape: &'a Shape,
    decisions: std::slice::Iter<'a, u32>,
    /// Loops around the statement that is being made.
    loops: u32,
}

impl Random<'_> {
    /// One of the first `n` numbers.
    fn below(&mut self, n: usize) -> usize {
        self.decisions.next().map_or(0, |d| *d as usize % n.max(1))
    }

    fn of<T: Clone>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())].clone()
    }

    fn flag(&mut self) -> bool {
        self.below(2) == 1
    }

    fn simplest(&self, ty: &Type, n: u64) -> Expr {
        match ty {
            Type::Str(_) => text(n as usize % 8, b'a'),
            Type::Tuple(of) => {
                expr(ExprKind::Tuple(of.iter().map(|t| self.simplest(t, n)).collect()), ty.clone())
            }
            Type::Bool => expr(ExprKind::Int(n & 1), Type::Bool),
            _ => expr(ExprKind::Int(3 * n), ty.clone()),
        }
    }

    fn block(&mut self, depth: u32) -> Vec<Stmt> {
        (0..self.below(4)).map(|_| self.stmt(depth)).collect()
    }

    fn stmt(&mut self, depth: u32) -> Stmt {
        stmt(match self.below(12) {
            0..=3 => {
                let v = self.below(self.shape.vars.len());
                let ty = self.shape.vars[v].clone();
                StmtKind::SetVar(VarId(v as u32), self.value(&ty, 0))
            }
            5 if self.loops > 0 && self.flag() => {
                if self.flag() {
                    StmtKind::Break
                } else {
                    StmtKind::Continue
                }
            }
            4..=5 => {
                let map = self.below(self.shape.maps.len());
                let ty = self.shape.maps[map].1.clone();
                let value = self.value(&ty, 0);
                let key = self.key(map, 0);
                StmtKind::SetMap { map: MapId(map as u32), key, value }
            }
            6 => match self.counting_map() {
                Some(map) if self.shape.records => {
                    let ty = self.shape.maps[map].1.clone();
                    let delta = self.value(&ty, 1);
                    StmtKind::AddMap { map: MapId(map as u32), key: self.key(map, 1), delta }
                }
                _ => StmtKind::Expr(self.step()),
            },
            7 if depth < 3 && self.shape.records => {
                let args = (0..self.below(5)).map(|_| {
                    let ty = self.of(&self.shape.vars);
                    self.value(&ty, 1)
                });
                emit(args.collect())
            }
            8 if depth < 3 && depth > 0 && self.below(4) == 3 => StmtKind::Return,
            9 if self.shape.records => StmtKind::Expr(self.effect()),
            10 if depth < 3 && self.loops < LOOPS && self.flag() => self.repeat(depth),
            10..=11 if depth < 3 => StmtKind::If {
                cond: self.condition(1),
                then: self.block(depth + 1),
                els: self.block(depth + 1),
            },
            _ => StmtKind::Expr(self.step()),
        })
    }

    /// A loop of a few rounds that the checker of the kernel may know or not; a variable takes its number.
    fn repeat(&mut self, depth: u32) -> StmtKind {
        let var = VarId(self.shape.vars.len() as u32 + self.loops);
        let few = |e: Expr| {
            let mask = Box::new(expr(ExprKind::Int(3), Type::I64));
            expr(ExprKind::Binary(BinOp::And, Box::new(cast(e, &Type::I64)), mask), Type::I64)
        };
        let (from, to) = (self.value(&Type::I64, 2), self.value(&Type::I64, 2));
        self.loops += 1;
        let mut body = self.block(depth + 1);
        self.loops -= 1;
        if let Some(n) = self.shape.vars.iter().position(|ty| *ty == Type::I64) {
            body.insert(0, stmt(StmtKind::SetVar(VarId(n as u32), expr(ExprKind::Var(var), Type::I64))));
        }
        StmtKind::Loop { kind: LoopKind::Range { var, from: few(from), to: few(to) }, body }
    }

    /// A map that numbers can be added to.
    fn counting_map(&mut self) -> Option<usize> {
        let of_64 = |(_, (_, value)): &(usize, &(_, Type))| matches!(value, Type::Int { bits: 64, .. });
        let maps: Vec<usize> = self.shape.maps.iter().enumerate().filter(of_64).map(|(n, _)| n).collect();
        (!maps.is_empty()).then(|| self.of(&maps))
    }

    fn key(&mut self, map: usize, depth: u32) -> Option<Expr> {
        let ty = self.shape.maps[map].0.clone()?;
        Some(self.value(&ty, depth + 1))
    }

    fn keyed_map(&mut self) -> Option<usize> {
        let keyed = |(_, (key, _)): &(usize, &(Option<Type>, _))| key.is_some();
        let maps: Vec<usize> = self.shape.maps.iter().enumerate().filter(keyed).map(|(n, _)| n).collect();
        (!maps.is_empty()).then(|| self.of(&maps))
    }

    /// `delete` or `++` of a map, for its effect or its value.
    fn effect(&mut self) -> Expr {
        if self.flag() {
            let map = self.below(self.shape.maps.len());
            let key = self.key(map, 1).map(Box::new);
            return expr(ExprKind::Delete { map: MapId(map as u32), key }, Type::Bool);
        }
        match self.counting_map() {
            Some(n) => {
                let key = self.key(n, 1).map(Box::new);
                let (delta, prefix) = (self.of(&[1, -1]), self.flag());
                let map = MapId(n as u32);
                expr(ExprKind::IncMap { map, key, delta, prefix }, self.shape.maps[n].1.clone())
            }
            None => self.step(),
        }
    }

    /// `++` of an integer variable.
    fn step(&mut self) -> Expr {
        let var = self.below(integers().len());
        let (delta, prefix) = (self.of(&[1, -1, 3]), self.flag());
        expr(ExprKind::IncVar { var: VarId(var as u32), delta, prefix }, self.shape.vars[var].clone())
    }

    /// A value of just this type; a string of at most this size.
    fn value(&mut self, ty: &Type, depth: u32) -> Expr {
        match ty {
            Type::Bool => self.condition(depth),
            Type::Str(room) => self.string(*room, depth),
            Type::Tuple(of) => self.tuple(ty, of, depth),
            Type::Int { bits: 64, signed } => self.integer(*signed, depth),
            _ => {
                let signed = self.flag();
                let wide = self.integer(signed, depth + 1);
                cast(wide, ty)
            }
        }
    }

    /// Something that is kept and has a type that `wanted` takes: a variable, an entry of a map, a member of a tuple.
    fn kept(&mut self, depth: u32, wanted: impl Fn(&Type) -> bool) -> Option<Expr> {
        let mut places: Vec<Expr> = Vec::new();
        for (n, ty) in self.shape.vars.iter().enumerate() {
            let var = expr(ExprKind::Var(VarId(n as u32)), ty.clone());
            if let Type::Tuple(of) = ty {
                for (m, ty) in of.iter().enumerate() {
                    let member = expr(ExprKind::Member(Box::new(var.clone()), m as u32), ty.clone());
                    if let Type::Tuple(of) = ty {
                        for (m, ty) in of.iter().enumerate() {
                            places
                                .push(expr(ExprKind::Member(Box::new(member.clone()), m as u32), ty.clone()));
                        }
                    }
                    places.push(member);
                }
            }
            places.push(var);
        }
        places.retain(|p| wanted(&p.ty));
        let maps: Vec<usize> =
            (0..self.shape.maps.len()).filter(|n| wanted(&self.shape.maps[*n].1)).collect();
        let n = self.below(places.len() + maps.len());
        if let Some(place) = places.get(n) {
            return Some(place.clone());
        }
        let map = *maps.get(n - places.len())?;
        let key = if depth >= DEPTH {
            self.shape.maps[map].0.as_ref().map(|ty| self.simplest(ty, 1))
        } else {
            self.key(map, depth)
        };
        let ty = self.shape.maps[map].1.clone();
        Some(expr(ExprKind::MapGet { map: MapId(map as u32), key: key.map(Box::new) }, ty))
    }

    fn ternary(&mut self, ty: &Type, depth: u32) -> Expr {
        let (c, a, b) = (self.condition(depth + 1), self.value(ty, depth + 1), self.value(ty, depth + 1));
        expr(ExprKind::Ternary(Box::new(c), Box::new(a), Box::new(b)), ty.clone())
    }

    fn string(&mut self, room: u32, depth: u32) -> Expr {
        match self.below(if depth < DEPTH { 6 } else { 4 }) {
            0 => {
                let lengths: Vec<usize> = LENGTHS.iter().copied().filter(|l| *l < room as usize).collect();
                let (len, last) = (self.of(&lengths), self.of(b"ab"));
                text(len, last)
            }
            1..=3 => {
                let fits = |ty: &Type| matches!(ty, Type::Str(n) if *n <= room);
                self.kept(depth, fits).unwrap_or_else(|| text(3, b'a'))
            }
            _ => self.ternary(&Type::Str(room), depth),
        }
    }

    fn tuple(&mut self, ty: &Type, of: &[Type], depth: u32) -> Expr {
        match self.below(if depth < DEPTH { 5 } else { 2 }) {
            0 => self.simplest(ty, 2),
            1 => self.kept(depth, |t| t == ty).unwrap_or_else(|| self.simplest(ty, 1)),
            2..=3 => expr(ExprKind::Tuple(of.iter().map(|t| self.value(t, depth + 1)).collect()), ty.clone()),
            _ => self.ternary(ty, depth),
        }
    }

    fn integer(&mut self, signed: bool, depth: u32) -> Expr {
        let ty = int(64, signed);
        let deep = |random: &mut Self, signed| random.integer(signed, depth + 1);
        match self.below(if depth < DEPTH { 14 } else { 4 }) {
            0 => expr(ExprKind::Int(self.of(NUMBERS)), ty),
            1..=3 => {
                let place = self.kept(depth, |t| matches!(t, Type::Int { .. } | Type::Bool));
                cast(place.unwrap_or_else(|| expr(ExprKind::Int(5), ty.clone())), &ty)
            }
            4..=8 => {
                let op = self.of(ARITHMETIC);
                let (a, b) = (deep(self, signed), deep(self, signed));
                expr(ExprKind::Binary(op, Box::new(a), Box::new(b)), ty)
            }
            9 => {
                let narrow = self.of(&integers());
                cast(cast(deep(self, !signed), &narrow), &ty)
            }
            10 => self.ternary(&ty, depth),
            11 => {
                let op = self.of(&[UnOp::Neg, UnOp::BitNot]);
                expr(ExprKind::Unary(op, Box::new(deep(self, signed))), ty)
            }
            12 => cast(self.condition(depth + 1), &ty),
            _ => {
                let value = if self.flag() && self.shape.records { self.effect() } else { self.step() };
                cast(value, &ty)
            }
        }
    }

    fn condition(&mut self, depth: u32) -> Expr {
        let node = |kind| expr(kind, Type::Bool);
        let kinds = if depth < DEPTH { 10 } else { 2 };
        match self.below(kinds) {
            0..=2 => {
                let (op, signed) = (self.of(COMPARISONS), self.flag());
                let (a, b) = (self.integer(signed, depth + 1), self.integer(signed, depth + 1));
                node(ExprKind::Binary(op, Box::new(a), Box::new(b)))
            }
            3..=5 => {
                let tuples: Vec<Type> = self.shape.vars.iter().filter(|t| !t.is_scalar()).cloned().collect();
                let Some(ty) = (!tuples.is_empty()).then(|| self.of(&tuples)) else {
                    return self.condition(DEPTH);
                };
                let op = self.of(&[BinOp::Eq, BinOp::Ne]);
                let a = self.value(&ty, depth + 1);
                // Strings of any two sizes can be compared.
                let other =
                    if let Type::Str(_) = ty { Type::Str(self.of(&[8, 16, 64, 72, 208])) } else { ty };
                let b = self.value(&other, depth + 1);
                node(ExprKind::Binary(op, Box::new(a), Box::new(b)))
            }
            6 => {
                let op = self.of(&[LogicOp::And, LogicOp::Or]);
                let (a, b) = (self.condition(depth + 1), self.condition(depth + 1));
                node(ExprKind::Logical(op, Box::new(a), Box::new(b)))
            }
            7 => node(ExprKind::Unary(UnOp::Not, Box::new(self.condition(depth + 1)))),
            8 => match self.keyed_map() {
                Some(map) => match self.key(map, depth) {
                    Some(key) => node(ExprKind::HasKey { map: MapId(map as u32), key: Box::new(key) }),
                    None => self.condition(DEPTH),
                },
                None => self.condition(DEPTH),
            },
            _ => self.ternary(&Type::Bool, depth),
        }
    }
}
