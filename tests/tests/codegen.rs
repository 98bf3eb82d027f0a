//! Random typed programs: what they compute on the host, in the kernel (verifier, JIT, `BPF_PROG_TEST_RUN`) and in the rbpf
//! interpreter must be the same. The programs are built as typed trees, below the parser and checker, so that every
//! combination of operators and widths that the code generator may be given is reached.

use codegen::Target;
use lang::arch::Arch;
use lang::hir::{
    Agg, Attach, BinOp, Expr, ExprKind, LogicOp, Map, MapId, MapValue, Probe, Program, Stmt, StmtKind, UnOp,
    Var, VarId,
};
use lang::span::Span;
use lang::types::Type;
use proptest::prelude::*;
use std::os::fd::AsFd;

const VARS: u32 = 6;
const SPAN: Span = Span { start: 0, end: 0 };

fn expr(kind: ExprKind, ty: Type) -> Expr {
    Expr { kind, ty, span: SPAN }
}

/// Types of the variables `$v0` …: all widths and signs.
fn var_type(n: u32) -> Type {
    let (bits, signed) =
        [(64, true), (64, false), (32, true), (16, false), (8, true), (32, false)][n as usize];
    Type::Int { bits, signed }
}

fn cast(e: Expr, ty: Type) -> Expr {
    if e.ty == ty { e } else { expr(ExprKind::Cast(Box::new(e)), ty) }
}

/// Interesting 64-bit numbers and any others.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        prop::sample::select(vec![
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
            i64::MAX as u64
        ]),
        any::<u64>(),
        0..1000u64,
    ]
}

/// An expression of type `int64` (`signed`) or `uint64`.
fn integer(depth: u32, signed: bool) -> BoxedStrategy<Expr> {
    let ty = if signed { Type::I64 } else { Type::U64 };
    let leaf = prop_oneof![
        number().prop_map({
            let ty = ty.clone();
            move |n| expr(ExprKind::Int(n), ty.clone())
        }),
        (0..VARS).prop_map({
            let ty = ty.clone();
            move |v| cast(expr(ExprKind::Var(VarId(v)), var_type(v)), ty.clone())
        }),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let binary = {
        let ty = ty.clone();
        let op = prop::sample::select(vec![
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
        ]);
        (op, integer(depth - 1, signed), integer(depth - 1, signed))
            .prop_map(move |(op, a, b)| expr(ExprKind::Binary(op, Box::new(a), Box::new(b)), ty.clone()))
    };
    let narrowed = {
        let ty = ty.clone();
        (integer(depth - 1, !signed), 0..VARS).prop_map(move |(e, v)| cast(cast(e, var_type(v)), ty.clone()))
    };
    let chosen = {
        let ty = ty.clone();
        (condition(depth - 1), integer(depth - 1, signed), integer(depth - 1, signed)).prop_map(
            move |(c, a, b)| expr(ExprKind::Ternary(Box::new(c), Box::new(a), Box::new(b)), ty.clone()),
        )
    };
    let unary = {
        let ty = ty.clone();
        (any::<bool>(), integer(depth - 1, signed)).prop_map(move |(neg, e)| {
            expr(ExprKind::Unary(if neg { UnOp::Neg } else { UnOp::BitNot }, Box::new(e)), ty.clone())
        })
    };
    let flag = condition(depth - 1).prop_map(move |c| cast(c, ty.clone()));
    prop_oneof![2 => leaf, 6 => binary, 1 => narrowed, 1 => chosen, 1 => unary, 1 => flag].boxed()
}

fn condition(depth: u32) -> BoxedStrategy<Expr> {
    let compare = any::<bool>().prop_flat_map(move |signed| {
        let op = prop::sample::select(vec![BinOp::Eq, BinOp::Ne, BinOp::Lt, BinOp::Le, BinOp::Gt, BinOp::Ge]);
        (op, integer(depth.saturating_sub(1), signed), integer(depth.saturating_sub(1), signed))
            .prop_map(|(op, a, b)| expr(ExprKind::Binary(op, Box::new(a), Box::new(b)), Type::Bool))
    });
    if depth == 0 {
        return compare.boxed();
    }
    let logic = (any::<bool>(), condition(depth - 1), condition(depth - 1)).prop_map(|(and, a, b)| {
        let op = if and { LogicOp::And } else { LogicOp::Or };
        expr(ExprKind::Logical(op, Box::new(a), Box::new(b)), Type::Bool)
    });
    let not = condition(depth - 1).prop_map(|c| expr(ExprKind::Unary(UnOp::Not, Box::new(c)), Type::Bool));
    prop_oneof![3 => compare, 1 => logic, 1 => not].boxed()
}

fn statement(depth: u32) -> BoxedStrategy<Stmt> {
    let set = (0..VARS, any::<bool>()).prop_flat_map(|(v, signed)| {
        integer(3, signed).prop_map(move |e| StmtKind::SetVar(VarId(v), cast(e, var_type(v))))
    });
    let step =
        (0..VARS, any::<bool>(), any::<bool>(), -3..4i64, 0..VARS).prop_map(|(v, prefix, _, delta, to)| {
            let inc = expr(ExprKind::IncVar { var: VarId(v), delta, prefix }, var_type(v));
            StmtKind::SetVar(VarId(to), cast(inc, var_type(to)))
        });
    let kind = if depth == 0 {
        prop_oneof![4 => set, 1 => step].boxed()
    } else {
        let branch = (condition(2), block(depth - 1), block(depth - 1))
            .prop_map(|(cond, then, els)| StmtKind::If { cond, then, els });
        prop_oneof![4 => set, 1 => step, 2 => branch].boxed()
    };
    kind.prop_map(|kind| Stmt { kind, span: SPAN }).boxed()
}

fn block(depth: u32) -> BoxedStrategy<Vec<Stmt>> {
    prop::collection::vec(statement(depth), 0..5).boxed()
}

/// The program: sets all variables, runs the block, stores the variables in scalar maps.
fn program(block: Vec<Stmt>) -> Program {
    let mut body = Vec::new();
    for v in 0..VARS {
        let start = expr(ExprKind::Int(u64::from(v) * 3), var_type(v));
        body.push(Stmt { kind: StmtKind::SetVar(VarId(v), start), span: SPAN });
    }
    body.extend(block);
    let mut maps = Vec::new();
    for v in 0..VARS {
        let value = cast(expr(ExprKind::Var(VarId(v)), var_type(v)), Type::I64);
        body.push(Stmt { kind: StmtKind::SetMap { map: MapId(v), key: None, value }, span: SPAN });
        maps.push(Map {
            name: format!("@v{v}"),
            key: None,
            value: MapValue::Plain(Type::I64),
            lru: false,
            span: SPAN,
        });
    }
    let vars = (0..VARS).map(|v| Var { name: format!("v{v}"), ty: var_type(v) }).collect();
    let probe =
        Probe { attach: Attach::Begin, name: "begin".into(), span: SPAN, predicate: None, body, vars };
    Program { source_name: "random".into(), probes: vec![probe], maps, ..Program::default() }
}

/// Host evaluation: the meaning that `lang::hir` documents.
struct Host {
    vars: Vec<u64>,
    divided_by_zero: bool,
}

impl Host {
    fn block(&mut self, stmts: &[Stmt]) {
        for stmt in stmts {
            match &stmt.kind {
                StmtKind::SetVar(v, e) => self.vars[v.0 as usize] = self.eval(e),
                StmtKind::If { cond, then, els } => {
                    let taken = if self.eval(cond) != 0 { then } else { els };
                    self.block(taken);
                }
                other => panic!("not generated: {other:?}"),
            }
        }
    }

    fn eval(&mut self, e: &Expr) -> u64 {
        let signed = e.ty.is_signed();
        match &e.kind {
            ExprKind::Int(n) => *n,
            ExprKind::Var(v) => self.vars[v.0 as usize],
            ExprKind::Cast(of) => canonical(self.eval(of), &e.ty),
            ExprKind::Unary(UnOp::Neg, of) => self.eval(of).wrapping_neg(),
            ExprKind::Unary(UnOp::BitNot, of) => !self.eval(of),
            ExprKind::Unary(UnOp::Not, of) => u64::from(self.eval(of) == 0),
            ExprKind::Ternary(c, a, b) => {
                if self.eval(c) != 0 {
                    self.eval(a)
                } else {
                    self.eval(b)
                }
            }
            ExprKind::Logical(op, a, b) => {
                let a = self.eval(a) != 0;
                match op {
                    LogicOp::And => u64::from(a && self.eval(b) != 0),
                    LogicOp::Or => u64::from(a || self.eval(b) != 0),
                }
            }
            ExprKind::IncVar { var, delta, prefix } => {
                let old = self.vars[var.0 as usize];
                let new = canonical(old.wrapping_add(*delta as u64), &e.ty);
                self.vars[var.0 as usize] = new;
                if *prefix { new } else { old }
            }
            ExprKind::Binary(op, a, b) => {
                let operands_signed = a.ty.is_signed();
                let (x, y) = (self.eval(a), self.eval(b));
                self.binary(*op, x, y, signed, operands_signed)
            }
            other => panic!("not generated: {other:?}"),
        }
    }

    fn binary(&mut self, op: BinOp, x: u64, y: u64, signed: bool, operands_signed: bool) -> u64 {
        let order = if operands_signed { (x as i64).cmp(&(y as i64)) } else { x.cmp(&y) };
        match op {
            BinOp::Add => x.wrapping_add(y),
            BinOp::Sub => x.wrapping_sub(y),
            BinOp::Mul => x.wrapping_mul(y),
            BinOp::Div | BinOp::Mod if y == 0 => {
                self.divided_by_zero = true;
                1
            }
            BinOp::Div if signed => (x as i64).wrapping_div(y as i64) as u64,
            BinOp::Div => x / y,
            BinOp::Mod if signed => (x as i64).wrapping_rem(y as i64) as u64,
            BinOp::Mod => x % y,
            BinOp::And => x & y,
            BinOp::Or => x | y,
            BinOp::Xor => x ^ y,
            BinOp::Shl => x.wrapping_shl(y as u32 & 63),
            BinOp::Shr if signed => ((x as i64) >> (y & 63)) as u64,
            BinOp::Shr => x >> (y & 63),
            BinOp::Eq => u64::from(x == y),
            BinOp::Ne => u64::from(x != y),
            BinOp::Lt => u64::from(order.is_lt()),
            BinOp::Le => u64::from(order.is_le()),
            BinOp::Gt => u64::from(order.is_gt()),
            BinOp::Ge => u64::from(order.is_ge()),
        }
    }
}

fn canonical(v: u64, ty: &Type) -> u64 {
    match *ty {
        Type::Int { bits, signed } if bits < 64 => {
            let up = 64 - u32::from(bits);
            if signed { ((v << up) as i64 >> up) as u64 } else { v << up >> up }
        }
        _ => v,
    }
}

fn words(bytes: &[u8]) -> Vec<u64> {
    bytes.chunks_exact(8).map(|c| u64::from_ne_bytes(c.try_into().expect("8 bytes"))).collect()
}

/// Loads and runs the object's only program in the kernel; gives the scalar maps.
fn run_in_kernel(object: &codegen::Object) -> Vec<u64> {
    let elf = codegen::elf::write(object).expect("the object is written");
    let loaded =
        loader::load::load(&elf, object, true).unwrap_or_else(|e| panic!("{e:?}\n{}", listing(object)));
    loader::sys::bpf::test_run(loaded.programs[0].as_fd(), &[]).expect("the program runs");
    let value = |map: &codegen::object::UserMap| {
        let map = loader::sys::bpf::Map::new(loaded.map(map.map)).expect("an array");
        words(&map.lookup(&0u32.to_ne_bytes()).expect("lookup").expect("the one entry"))[0]
    };
    object.user_maps.iter().map(value).collect()
}

fn listing(object: &codegen::Object) -> String {
    codegen::disasm::listing(object, &object.programs[0])
}

/// Runs the program in rbpf with the scalar maps as a host buffer; `None` for programs that rbpf 0.4 does not run as the kernel
/// does: atomic operations (error counters), and unsigned jumps on negative immediates, which it zero-extends.
fn run_in_rbpf(object: &codegen::Object) -> Option<Vec<u64>> {
    const ATOMIC: u8 = 0xdb;
    const UNSIGNED_JUMPS: [u8; 4] = [0x25, 0x35, 0xa5, 0xb5];
    let program = &object.programs[0];
    if program.insns.iter().any(|i| i.code == ATOMIC || UNSIGNED_JUMPS.contains(&i.code) && i.imm < 0) {
        return None;
    }
    // Value and mark of each scalar.
    let mut memory = vec![0u64; 2 * VARS as usize];
    let base = memory.as_mut_ptr() as u64;
    let mut insns = program.insns.clone();
    for map_ref in &program.map_refs {
        let scalar = object.user_maps.iter().position(|m| m.map == map_ref.map)? as u64;
        let address = base + 16 * scalar + u64::from(map_ref.value_offset?);
        insns[map_ref.insn].imm = address as i32;
        insns[map_ref.insn + 1].imm = (address >> 32) as i32;
    }
    let bytes: Vec<u8> = insns.iter().flat_map(|i| i.bytes()).collect();
    let mut vm = rbpf::EbpfVmNoData::new(Some(&bytes)).expect("rbpf takes the program");
    vm.register_allowed_memory(base..base + 16 * u64::from(VARS));
    vm.execute_program().expect("rbpf runs the program");
    Some(memory.chunks(2).map(|scalar| scalar[0]).collect())
}

fn check(block: Vec<Stmt>) {
    let program = program(block.clone());
    let mut host = Host { vars: (0..VARS).map(|v| u64::from(v) * 3).collect(), divided_by_zero: false };
    host.block(&block);
    let object = codegen::compile(&program, &Target::recent(Arch::X86_64, 4)).expect("it compiles");
    let got = run_in_kernel(&object);
    assert_eq!(got, host.vars, "kernel\n{}", listing(&object));
    if let Some(got) = run_in_rbpf(&object) {
        assert_eq!(got, host.vars, "rbpf\n{}", listing(&object));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn host_kernel_and_rbpf_agree(block in block(2)) {
        check(block);
    }
}

/// Aggregations keep what the layout module says, for numbers around every bucket border.
#[test]
fn histogram_buckets_agree_with_the_layout() {
    let numbers: Vec<i64> = (0..63)
        .flat_map(|p| [-1, 0, 1].map(|d| (1i64 << p) + d))
        .chain([i64::MAX, i64::MIN, -7, 0, 5, 99, 100])
        .collect();
    let lhist = Agg::Lhist { min: -10, max: 100, step: 7 };
    let aggs: Vec<Agg> = (0..=5).map(|bits| Agg::Hist { bits }).chain([lhist]).collect();
    for agg in aggs {
        let update = |n: &i64| {
            let value = expr(ExprKind::Int(*n as u64), Type::I64);
            // Through a variable, so that nothing is computed at compile time.
            Stmt { kind: StmtKind::Update { map: MapId(0), key: None, value: Some(value) }, span: SPAN }
        };
        let map = Map { name: "@h".into(), key: None, value: MapValue::Agg(agg), lru: false, span: SPAN };
        let body = numbers.iter().map(update).collect();
        let probe = Probe {
            attach: Attach::Begin,
            name: "begin".into(),
            span: SPAN,
            predicate: None,
            body,
            vars: Vec::new(),
        };
        let program = Program { probes: vec![probe], maps: vec![map], ..Program::default() };
        let object = codegen::compile(&program, &Target::recent(Arch::X86_64, 4)).expect("it compiles");
        let elf = codegen::elf::write(&object).expect("the object is written");
        let loaded = loader::load::load(&elf, &object, true).unwrap_or_else(|e| panic!("{e:?}"));
        loader::sys::bpf::test_run(loaded.programs[0].as_fd(), &[]).expect("the program runs");
        let map = loader::sys::bpf::Map::new(loaded.map(object.user_maps[0].map)).expect("an array");
        let values = words(&map.lookup(&0u32.to_ne_bytes()).expect("lookup").expect("the one entry"));
        let buckets = codegen::layout::words(agg) as usize;
        let mut got = vec![0; buckets];
        for cpu in values.chunks(buckets) {
            got.iter_mut().zip(cpu).for_each(|(sum, n)| *sum += n);
        }
        let mut expected = vec![0; buckets];
        for n in &numbers {
            let bucket = match agg {
                Agg::Hist { bits } => codegen::layout::hist_bucket(*n, bits),
                Agg::Lhist { min, max, step } => codegen::layout::lhist_bucket(*n, min, max, step),
                _ => unreachable!(),
            };
            expected[bucket as usize] += 1;
        }
        assert_eq!(got, expected, "{agg:?}");
    }
}
