//! Random programs over all types: what they leave in maps and send in records must be what the host computes.

use super::random::{Shape, program};
use super::{host, kernel};
use proptest::prelude::*;

fn check(probes: usize, decisions: &[u32]) {
    let program = program(Shape::values(), probes, decisions);
    let expected = host::outcome(&program);
    let (got, object) = kernel::outcome(&program);
    if got != expected {
        for (n, (got, expected)) in got.maps.iter().zip(&expected.maps).enumerate() {
            assert_eq!(got, expected, "@m{n}\n{}", kernel::listing(&object));
        }
        assert_eq!(got.records, expected.records, "{}", kernel::listing(&object));
    }
}

proptest! {
    #![proptest_config(super::random::cases(300))]

    #[test]
    fn host_and_kernel_agree(probes in 1..4usize, decisions in prop::collection::vec(any::<u32>(), 0..400)) {
        check(probes, &decisions);
    }
}
