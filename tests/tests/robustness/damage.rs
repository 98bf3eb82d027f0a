//! Damaged copies of real Go programs: whatever the bytes are, reading them ends without a panic, and costs little more time and memory
//! than reading the whole program does. The damage follows from a seed.
//!
//! Bytes without a real program around them are the subject of `random_inputs.rs`.

use std::ops::Range;

use harness::judge::suite_releases;
use harness::programs::{Mode, Program};
use harness::toolchain::Release;
use inspect::elf::Binary;
use nix::sys::resource::{UsageWho, getrusage};

use crate::entry::binary;
use harness::random::Random;

type Fault = Box<dyn std::error::Error>;

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
/// Bytes that are damaged in the copies made of each part of a program.
const DAMAGE: [usize; 4] = [1, 16, 128, 1024];
/// What a damaged copy may cost: so many times the processor time of the whole program, and a second for what is slow but bounded.
const TIMES: f64 = 8.0;
const SLACK: f64 = 1.0;
/// Memory that the test may have taken at its peak, in kilobytes: several programs of a few megabytes are open at a time.
const MEMORY: i64 = 1 << 20;

#[test]
fn stripped_and_position_independent() -> Result<(), Fault> {
    each_release(Mode::PieStripped)
}

#[test]
fn with_symbols_and_debug_information() -> Result<(), Fault> {
    each_release(Mode::Plain)
}

fn each_release(mode: Mode) -> Result<(), Fault> {
    for release in suite_releases() {
        damage(release, mode)?;
    }
    let peak = getrusage(UsageWho::RUSAGE_SELF)?.max_rss();
    assert!(peak < MEMORY, "{peak} KB at the peak");
    Ok(())
}

fn damage(release: &'static Release, mode: Mode) -> Result<(), Fault> {
    let path = Program::named("types")?.build(release, mode)?;
    let whole = Binary::open(&path)?;
    let (seen, cost) = timed(|| binary::read(whole.image().bytes(), &path))?;
    assert!(seen > 500, "{}: {seen} answers", release.version);
    let mut random = Random(SEED);
    for (name, part) in parts(&whole)? {
        for count in DAMAGE {
            let mut bytes = whole.image().bytes().to_vec();
            for _ in 0..count {
                let at = part.start + random.below(part.len());
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = random.byte();
                }
            }
            let (_, taken) = timed(|| binary::read(&bytes, &path))?;
            let limit = cost * TIMES + SLACK;
            let what = format!("{} {}: {count} bytes of {name}", release.version, mode.name());
            println!("{what}: {taken:.2} s");
            assert!(
                taken < limit,
                "{what}: {taken:.1} s of processor time; the whole program takes {cost:.1} s"
            );
        }
    }
    Ok(())
}

/// What each reader depends on: a name, and the place in the file.
fn parts(whole: &Binary) -> Result<Vec<(String, Range<usize>)>, Fault> {
    let go = whole.go()?.ok_or("a Go program")?;
    let module = *go.module();
    let offset = |vaddr: u64| whole.file_offset(vaddr).and_then(|at| usize::try_from(at).ok());
    let record = offset(module.vaddr).ok_or("the module data is in the file")?;
    let types = offset(module.types).ok_or("the type data is in the file")?;
    let size = usize::try_from(module.etypes - module.types)?;
    let table = offset(go.table_vaddr()).ok_or("the function table is in the file")?;
    let mut parts = vec![
        ("the headers".to_owned(), 0..1024),
        ("the module data".to_owned(), record..record + 640),
        ("the type data".to_owned(), types..types + size),
        ("the start of the function table".to_owned(), table..table + 128),
        ("the function table".to_owned(), table..table + (1 << 18)),
    ];
    if let Some(inline_trees) = module.gofunc.and_then(offset) {
        parts.push(("inline trees and argument shapes".to_owned(), inline_trees..inline_trees + (1 << 14)));
    }
    let wanted = |name: &str| {
        [".symtab", ".strtab", ".go.buildinfo", ".rela"].iter().any(|start| name.starts_with(start))
            || name.contains("debug_info")
            || name.contains("debug_abbrev")
            || name.contains("debug_loc")
    };
    let sections = whole.image().sections().iter().filter(|s| wanted(&s.name) && !s.file.is_empty());
    parts.extend(sections.map(|s| (s.name.clone(), s.file.clone())));
    Ok(parts)
}

/// A result, and the seconds of processor time of this thread that it took.
fn timed(read: impl FnOnce() -> usize) -> Result<(usize, f64), Fault> {
    let now = || -> Result<f64, Fault> {
        let usage = getrusage(UsageWho::RUSAGE_THREAD)?;
        let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
        Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
    };
    let before = now()?;
    let found = read();
    Ok((found, now()? - before))
}
