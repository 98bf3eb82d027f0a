//! Damaged copies of real programs in Go, C++ and C: whatever the bytes are, reading them ends without a panic, and costs little more
//! time and memory than reading the whole program does. The damage follows from a seed.
//!
//! Bytes without a real program around them are the subject of `random_inputs.rs`.

use std::ops::Range;
use std::path::Path;

use harness::judge::suite_releases;
use harness::programs::{Mode, Program};
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

/// The unwinding tables of a C++ program and of a C library, found by the section table and, where that is gone, by the program header.
#[test]
fn unwinding_tables() -> Result<(), Fault> {
    let releases = suite_releases();
    let release = releases.last().ok_or("the table of Go releases is empty")?;
    let program = Program::named("cxx")?.build(release, Mode::Plain)?;
    // The test itself runs with one.
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let mapped = maps.lines().filter_map(|line| line.split_whitespace().nth(5));
    let library =
        mapped.into_iter().find(|path| path.contains("/libc.so")).ok_or("no C library is mapped")?;
    for path in [&program, Path::new(library)] {
        let mut bytes = std::fs::read(path)?;
        let parts = unwinding_parts(&Binary::from_bytes(bytes.clone(), path)?);
        assert_eq!(parts.len(), 2, "{}: {parts:?}", path.display());
        damage(path, &bytes, &parts)?;
        for field in SECTION_TABLE {
            bytes.get_mut(field).ok_or("an ELF header")?.fill(0);
        }
        damage(path, &bytes, &parts)?;
    }
    memory_is_bounded()
}

/// Where the ELF header has the offset of the section table, its number of entries and the index of their names.
const SECTION_TABLE: [Range<usize>; 2] = [0x28..0x30, 0x3c..0x40];

fn unwinding_parts(binary: &Binary) -> Vec<(String, Range<usize>)> {
    let sections = binary.image().sections().iter().filter(|s| s.name.starts_with(".eh_frame"));
    sections.map(|s| (s.name.clone(), s.file.clone())).collect()
}

fn each_release(mode: Mode) -> Result<(), Fault> {
    for release in suite_releases() {
        let path = Program::named("types")?.build(release, mode)?;
        let whole = Binary::open(&path)?;
        damage(&path, whole.image().bytes(), &parts(&whole)?)?;
    }
    memory_is_bounded()
}

fn memory_is_bounded() -> Result<(), Fault> {
    let peak = getrusage(UsageWho::RUSAGE_SELF)?.max_rss();
    assert!(peak < MEMORY, "{peak} KB at the peak");
    Ok(())
}

fn damage(path: &Path, whole: &[u8], parts: &[(String, Range<usize>)]) -> Result<(), Fault> {
    let (seen, cost) = timed(|| binary::read(whole, path))?;
    assert!(seen > 20, "{}: {seen} answers", path.display());
    let mut random = Random(SEED);
    for (name, part) in parts {
        for count in DAMAGE {
            let mut bytes = whole.to_vec();
            for _ in 0..count {
                let at = part.start + random.below(part.len());
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = random.byte();
                }
            }
            let (_, taken) = timed(|| binary::read(&bytes, path))?;
            let limit = cost * TIMES + SLACK;
            let what = format!("{}: {count} bytes of {name}", path.display());
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
