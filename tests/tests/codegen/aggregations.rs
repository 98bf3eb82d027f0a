//! Aggregations: what programs keep must be what [`codegen::layout`] says, and what they read back must be what the
//! output shows.

use super::{common, kernel};
use codegen::layout;
use lang::hir::{Agg, Attach, Expr, ExprKind, Map, MapId, MapValue, Probe, Program, Stmt, StmtKind};
use lang::span::Span;
use lang::types::Type;
use loader::decode::Decoder;
use loader::maps::{MapResult, ScriptMap};

const SPAN: Span = Span { start: 0, end: 0 };

/// A program that accounts numbers in a scalar map.
fn program(agg: Agg, numbers: &[i64]) -> Program {
    let update = |n: &i64| {
        let value = Expr { kind: ExprKind::Int(*n as u64), ty: Type::I64, span: SPAN };
        Stmt { kind: StmtKind::Update { map: MapId(0), key: None, value: Some(value) }, span: SPAN }
    };
    let map = Map {
        name: "@h".into(),
        key: None,
        value: MapValue::Agg(agg),
        lru: false,
        entries: None,
        span: SPAN,
    };
    let probe = Probe {
        attach: Attach::Begin,
        name: "begin".into(),
        span: SPAN,
        predicate: None,
        body: numbers.iter().map(update).collect(),
        vars: Vec::new(),
    };
    Program { probes: vec![probe], maps: vec![map], ..Program::default() }
}

/// Runs a program and reads its map of that index.
fn result(program: &Program, map: usize) -> Vec<MapResult> {
    let object = codegen::compile(program, &kernel::target()).expect("it compiles");
    let loaded = kernel::load(&object);
    kernel::run(&object, &loaded);
    let user = &object.user_maps[map];
    let map = ScriptMap { fd: loaded.map(user.map), def: &object.maps[user.map], user };
    map.read(&Decoder::new(program)).expect("the map is read").into_iter().map(|e| e.result).collect()
}

/// Numbers around every bucket border.
#[test]
fn histogram_buckets_agree_with_the_layout() {
    let numbers: Vec<i64> = (0..63)
        .flat_map(|p| [-1, 0, 1].map(|d| (1i64 << p) + d))
        .chain([i64::MAX, i64::MIN, -7, 0, 5, 99, 100])
        .collect();
    let lhist = Agg::Lhist { min: -10, max: 100, step: 7 };
    for agg in (0..=5).map(|bits| Agg::Hist { bits }).chain([lhist]) {
        let mut expected = vec![0; layout::words(agg) as usize];
        for n in &numbers {
            let bucket = match agg {
                Agg::Hist { bits } => layout::hist_bucket(*n, bits),
                Agg::Lhist { min, max, step } => layout::lhist_bucket(*n, min, max, step),
                _ => unreachable!(),
            };
            expected[bucket as usize] += 1;
        }
        match result(&program(agg, &numbers), 0).as_slice() {
            [MapResult::Hist { counts, .. } | MapResult::Lhist { counts, .. }] => {
                assert_eq!(*counts, expected, "{agg:?}");
            }
            other => panic!("{other:?}"),
        }
    }
}

/// What a script reads back, and what is left after it deletes.
#[test]
fn scripts_read_and_delete_aggregations() {
    let program = common::program(
        "begin { @c = count(); @c = count(); @s = sum(-5); @s = sum(3); @lo = min(-4); @lo = min(9); @hi = max(7); @hi = max(-7);
         @avg = avg(-10); @avg = avg(4); @k[1] = sum(20); @k[1] = sum(22);
         @r[0] = (int64)@c; @r[1] = @s; @r[2] = @lo; @r[3] = @hi; @r[4] = @avg; @r[5] = (int64)@k[1]; @r[6] = (int64)@k[2];
         delete(@c); delete(@k, 1); @c = count(); @r[7] = (int64)@c; @r[8] = (int64)@k[1]; }",
    );
    let map = program.maps.iter().position(|m| m.name == "@r").expect("@r");
    let mut got: Vec<i128> = Vec::new();
    let object = codegen::compile(&program, &kernel::target()).expect("it compiles");
    let loaded = kernel::load(&object);
    kernel::run(&object, &loaded);
    let user = &object.user_maps[map];
    let map = ScriptMap { fd: loaded.map(user.map), def: &object.maps[user.map], user };
    let decoder = Decoder::new(&program);
    for key in 0..9u64 {
        match map.get(&key.to_ne_bytes(), &decoder).expect("the map is read") {
            Some(MapResult::Value(loader::value::Value::Int(n))) => got.push(n.value()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(got, [2, -2, -4, 7, -3, 42, 0, 1, 0]);
}
