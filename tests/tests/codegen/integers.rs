//! Random programs over integers of all widths: what they compute on the host, in the kernel and in the rbpf interpreter
//! must be the same.

use super::host::{self, Val};
use super::kernel;
use super::random::{Shape, program};
use codegen::target::{Loops, Target};
use proptest::prelude::*;

/// Runs the program in rbpf with the scalar maps as a host buffer; `None` for programs that rbpf 0.4 does not run as the kernel
/// does: atomic operations (error counters), and unsigned jumps on negative immediates, which it zero-extends.
fn run_in_rbpf(object: &codegen::Object) -> Option<Vec<Val>> {
    const ATOMIC: u8 = 0xdb;
    const UNSIGNED_JUMPS: [u8; 4] = [0x25, 0x35, 0xa5, 0xb5];
    let program = &object.programs[0];
    if program.insns.iter().any(|i| i.code == ATOMIC || UNSIGNED_JUMPS.contains(&i.code) && i.imm < 0) {
        return None;
    }
    // Value and mark of each scalar.
    let mut memory = vec![0u64; 2 * object.user_maps.len()];
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
    vm.register_allowed_memory(base..base + 8 * memory.len() as u64);
    vm.execute_program().expect("rbpf runs the program");
    Some(memory.chunks(2).map(|scalar| Val::Int(scalar[0])).collect())
}

proptest! {
    #![proptest_config(super::random::cases(400))]

    #[test]
    fn host_kernel_and_rbpf_agree(decisions in prop::collection::vec(any::<u32>(), 0..200)) {
        let program = program(Shape::integers(), 1, &decisions);
        let expected = host::outcome(&program);
        let (got, object) = kernel::outcome(&program);
        assert_eq!(got, expected, "kernel\n{}", kernel::listing(&object));
        let calls = Target { loops: Loops::Callback, ..kernel::target() };
        let (got, object) = kernel::outcome_on(&program, &calls);
        assert_eq!(got, expected, "kernel, with calls for rounds\n{}", kernel::listing(&object));
        // rbpf knows no `may_goto`, and needs none.
        let plain = Target { loops: Loops::Plain, ..kernel::target() };
        let object = codegen::compile(&program, &plain).expect("what was compiled before");
        if let Some(got) = run_in_rbpf(&object) {
            let expected: Vec<Val> = expected.maps.into_iter().flat_map(std::collections::BTreeMap::into_values).collect();
            assert_eq!(got, expected, "rbpf\n{}", kernel::listing(&object));
        }
    }
}
