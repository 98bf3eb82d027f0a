//! The entry points of `tests/fuzz` on inputs that follow from a seed: what a stable toolchain can do where `cargo fuzz` is missing.
//! Their corpora and small changes of them: bytes are replaced, cut out, repeated and swapped.

use std::time::{Duration, Instant};

use crate::entry;
use harness::random::Random;

const SEED: u64 = 0x2545_f491_4f6c_dd1d;
/// Inputs for each entry point.
const INPUTS: usize = 3000;
/// How long one input may take: far more than any needs, even on a busy machine.
const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn any_input_is_an_answer() {
    for target in entry::TARGETS {
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty(), "{}", target.name);
        let mut random = Random(SEED);
        seeds.iter().for_each(|seed| (target.run)(seed));
        for number in 0..INPUTS {
            let input = changed(&seeds, &mut random);
            let start = Instant::now();
            (target.run)(&input);
            assert!(start.elapsed() < LIMIT, "{} input {number} takes {:?}", target.name, start.elapsed());
        }
    }
}

/// One of the seeds with a few changes.
fn changed(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(8) {
        let (from, to) = (random.below(input.len()), random.below(input.len()));
        let part = from.min(to)..from.max(to);
        let short = part.start..part.end.min(part.start + 16);
        match random.below(5) {
            0 => input.drain(short).for_each(drop),
            1 => {
                let copy = input[short].to_vec();
                input.splice(part.end..part.end, copy);
            }
            2 if part.end < input.len() => input.swap(part.start, part.end),
            3 => {
                let other = &seeds[random.below(seeds.len())];
                let start = random.below(other.len());
                let piece = other[start..other.len().min(start + 32)].to_vec();
                input.splice(part.start..part.start, piece);
            }
            _ if from < input.len() => input[from] = random.byte(),
            _ => {}
        }
    }
    input
}
