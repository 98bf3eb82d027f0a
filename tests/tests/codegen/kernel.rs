//! Compiles programs, loads them, runs them with `BPF_PROG_TEST_RUN`, and reads what they leave behind.

use super::host::{Outcome, Val};
use aya::maps::{Map, RingBuf};
use codegen::object::EVENTS;
use codegen::{Object, Target, disasm};
use lang::arch::Arch;
use lang::hir::{MapId, Program};
use loader::decode::Decoder;
use loader::load::{LoadError, Loaded};
use loader::maps::{MapResult, ScriptMap};
use loader::number::Int;
use loader::value::Value;
use std::collections::BTreeMap;
use std::os::fd::AsFd;

/// The machine that the tests compile for.
pub fn target() -> Target {
    Target::recent(Arch::X86_64, loader::sys::clock::possible_cpus().expect("the number of CPUs") as u32)
}

/// The instructions of an object.
pub fn listing(object: &Object) -> String {
    object.programs.iter().map(|program| disasm::listing(object, program)).collect()
}

/// Loads an object; a rejection shows the verifier's last words.
pub fn load(object: &Object) -> Loaded {
    let elf = codegen::elf::write(object).expect("the object is written");
    match loader::load::load(&elf, object, true) {
        Ok(loaded) => loaded,
        Err(LoadError::Rejected { reason, tail, .. }) => {
            panic!("{reason}\n{}\n{}", tail.join("\n"), listing(object))
        }
        Err(error) => panic!("{error}\n{}", listing(object)),
    }
}

/// Runs all programs of a script once, in their order.
pub fn run(object: &Object, loaded: &Loaded) {
    for (program, fd) in object.programs.iter().zip(&loaded.programs) {
        loader::sys::bpf::test_run(fd.as_fd(), &[]).unwrap_or_else(|e| panic!("{}: {e}", program.name));
    }
}

/// Compiles, loads and runs a program, and gives its maps and records.
pub fn outcome(program: &Program) -> (Outcome, Object) {
    outcome_on(program, &target())
}

/// As [`outcome`], compiled for another machine.
pub fn outcome_on(program: &Program, target: &Target) -> (Outcome, Object) {
    let object = codegen::compile(program, target).unwrap_or_else(|e| panic!("{e}"));
    let mut loaded = load(&object);
    run(&object, &loaded);
    let decoder = Decoder::new(program);
    let maps =
        (0..program.maps.len()).map(|n| contents(&object, &loaded, MapId(n as u32), &decoder)).collect();
    let records = records(&object, &mut loaded, &decoder);
    (Outcome { maps, records }, object)
}

fn contents(object: &Object, loaded: &Loaded, id: MapId, decoder: &Decoder) -> BTreeMap<Option<Val>, Val> {
    let user = &object.user_maps[id.0 as usize];
    let map = ScriptMap { fd: loaded.map(user.map), def: &object.maps[user.map], user };
    let entries = map.read(decoder).expect("the map is read");
    let value = |result| match result {
        MapResult::Value(value) => plain(value),
        other => panic!("{other:?}"),
    };
    entries.into_iter().map(|e| (e.key.map(plain), value(e.result))).collect()
}

fn records(object: &Object, loaded: &mut Loaded, decoder: &Decoder) -> Vec<Vec<Val>> {
    let Some(index) = object.map_index(EVENTS) else { return Vec::new() };
    let mut ring = RingBuf::try_from(Map::RingBuf(loaded.maps.swap_remove(index))).expect("a ring buffer");
    let mut records = Vec::new();
    while let Some(bytes) = ring.next() {
        let id = u64::from_ne_bytes(bytes[..8].try_into().expect("8 bytes"));
        let layout = &object.records[id as usize];
        assert_eq!(bytes.len(), layout.size as usize, "{layout:?}");
        let field = |f: &codegen::object::RecordField| {
            plain(decoder.value(&f.ty, &bytes[f.offset as usize..]).expect("a value"))
        };
        records.push(layout.fields.iter().map(field).collect());
    }
    records
}

/// A decoded value in the form that the host computes.
fn plain(value: Value) -> Val {
    match value {
        Value::Bool(b) => Val::Int(u64::from(b)),
        Value::Int(Int::Signed { value, .. }) => Val::Int(value as u64),
        Value::Int(Int::Unsigned { value, .. }) => Val::Int(value),
        Value::Text(text) => Val::Text(text.bytes),
        Value::Tuple(members) => Val::Tuple(members.into_iter().map(plain).collect()),
        other => panic!("{other:?}"),
    }
}
