//! What `inspect` reads in Go binaries, on real ones: two programs, by each Go release of the suite, built in every mode.
//!
//! The facts are checked against parts of the binary that were not used to find them: symbol sizes against
//! extents, the stack table against probe sites (SP has not moved at an entry site, and is back at a return), and in
//! `types.rs` the runtime's type data against the debug information.

mod types;

use std::collections::HashMap;
use std::sync::LazyLock;

use harness::judge::suite_releases;
use harness::programs::{Mode, Program};
use harness::random::Random;
use inspect::elf::{Arch, Binary};
use inspect::go::abi::Abi;
use inspect::go::prologue::{NoSite, SiteKind};
use inspect::go::wrapper::Role;
use inspect::go::{GoBinary, GoFunc};

/// One with much of the standard library, and one that has a value of each kind.
const PROGRAMS: [&str; 2] = ["web", "kinds"];

/// The built programs, each with what it is called in messages: `web 1.27 plain`.
static BINARIES: LazyLock<Vec<(String, Binary)>> = LazyLock::new(|| {
    let mut binaries = Vec::new();
    for name in PROGRAMS {
        let program = Program::named(name).expect("a target program");
        for release in suite_releases() {
            for mode in Mode::all() {
                let label = format!("{name} {} {}", release.minor(), mode.name());
                let path = program.build(release, mode).unwrap_or_else(|e| panic!("{label}: {e}"));
                binaries.push((label, Binary::open(&path).expect("an ELF file")));
            }
        }
    }
    binaries
});

/// Some of them, of each program, release and mode, for what takes long.
fn some() -> impl Iterator<Item = &'static (String, Binary)> {
    // No divisor of the number of modes.
    BINARIES.iter().step_by(5)
}

/// Runs a check on each of them; its first argument is what to call the binary.
fn each(check: impl Fn(&str, &Binary, &GoBinary)) {
    assert!(!BINARIES.is_empty(), "no Go release is chosen");
    for (label, binary) in BINARIES.iter() {
        let go = binary.go().expect("tables are understood").expect("a Go binary");
        check(label, binary, go);
    }
}

#[test]
fn names_and_extents_are_those_of_the_symbols() {
    each(|path, binary, go| {
        assert!(!go.release_is_guessed(), "{path}");
        let main = go.find("main.main").expect("main.main");
        assert_eq!(main.role(), Role::Body);
        let symbols: HashMap<(u64, &str), u64> =
            binary.functions().map(|s| ((s.addr, s.name), s.size)).collect();
        if symbols.is_empty() || binary.symbol("main.main").is_none() {
            return;
        }
        let mut unknown = 0;
        for f in go.functions() {
            let suffixed = format!("{}.abi0", f.name());
            match symbols.get(&(f.entry(), f.name())).or_else(|| symbols.get(&(f.entry(), suffixed.as_str())))
            {
                // Markers of the linker have a symbol of size 1 and are padding.
                Some(1) if f.name().starts_with("go:") => {}
                Some(size) => assert_eq!(f.end() - f.entry(), *size, "{path}: {}", f.name()),
                // The symbol of a local type's method has a dot where the table has a middle dot.
                None => unknown += usize::from(!f.name().contains('·')),
            }
        }
        assert_eq!(unknown, 0, "{path}: functions without a symbol of the same name");
    });
}

#[test]
fn only_code_that_cgo_links_in_is_foreign() {
    each(|path, _, go| {
        // Markers of the linker have no stack either.
        let foreign: Vec<GoFunc<'_>> =
            go.foreign_functions().filter(|f| !f.name().starts_with("go:")).collect();
        assert!(
            foreign.is_empty() || foreign.iter().any(|f| f.name() == "x_cgo_init"),
            "{path}: {foreign:?}"
        );
        for f in foreign {
            assert!(go.named(f.name()).iter().all(|found| *found != f), "{path}: {}", f.name());
        }
    });
}

#[test]
fn sp_is_unmoved_at_entry_sites() {
    each(|path, binary, go| {
        let mut kinds: HashMap<&str, usize> = HashMap::new();
        // Markers of the linker (`go:textfipsstart`) are no functions.
        for f in go.functions().filter(|f| !f.is_assembly() && !f.name().starts_with("go:")) {
            let site = match f.entry_site() {
                Ok(site) => site,
                Err(NoSite::Empty) => panic!("{path}: {} is empty", f.name()),
                Err(NoSite::Refused { .. } | NoSite::LoopAtEntry) => continue,
            };
            let at = format!("{path}: {} {site:x?}", f.name());
            assert_eq!(f.sp_delta(site.addr), Some(0), "{at}");
            assert_eq!(binary.read(site.addr, 1), Some(&[site.first_byte][..]), "{at}");
            assert!(f.file_offset(site.addr).is_some(), "{at}");
            match site.kind {
                SiteKind::PushAfterCheck => assert_eq!(f.sp_delta(site.addr + 1), Some(8), "{at}"),
                SiteKind::JbeFlags => assert!(site.needs_flag_test && site.after_check.is_some(), "{at}"),
                SiteKind::AfterCheck | SiteKind::NoCheck => {}
            }
            let kind = match site.kind {
                SiteKind::PushAfterCheck => "push",
                SiteKind::JbeFlags => "jbe",
                SiteKind::AfterCheck => "after",
                SiteKind::NoCheck => "none",
            };
            *kinds.entry(kind).or_default() += 1;
        }
        let of = |kind: &str| kinds.get(kind).copied().unwrap_or_default();
        let expected = match (binary.arch(), go.release().0) {
            (Arch::Aarch64, _) => "after",
            (Arch::X86_64, 21..) => "push",
            (Arch::X86_64, _) => "jbe",
        };
        assert!(of(expected) > of("none"), "{path}: {kinds:?}");
        // Only one form of check exists in a release.
        let checks = of("push") + of("jbe") + of("after");
        assert!(of(expected) * 100 >= checks * 99, "{path}: {kinds:?}");
    });
}

#[test]
fn sp_is_back_at_returns() {
    each(|path, _, go| {
        for f in go.functions().filter(|f| !f.is_assembly()) {
            let returns = f.returns();
            assert_eq!(returns.unreadable_at, None, "{path}: {}", f.name());
            assert!(returns.refused.is_empty(), "{path}: {}", f.name());
            for site in returns.sites {
                // Before Go 1.17 assembly is not marked; some of it moves SP in ways that the table does not
                // tell.
                let delta = f.sp_delta(site);
                assert!(
                    delta == Some(0) || go.release().0 < 17,
                    "{path}: {} at {site:#x}: {delta:?}",
                    f.name()
                );
            }
        }
    });
}

#[test]
fn every_function_has_lines_and_frames() {
    each(|path, _, go| {
        for f in go.functions().step_by(7) {
            let frames = f.frames(f.entry());
            assert_eq!(frames.last().map(|frame| frame.name), Some(f.name()), "{path}");
            if !f.is_assembly() && !f.name().starts_with("go:") {
                assert!(f.line(f.entry()).is_some(), "{path}: {}", f.name());
            }
        }
    });
}

#[test]
fn a_wildcard_counts_a_call_once() {
    each(|path, _, go| {
        let all = go.matching(&inspect::glob::Glob::new("*"));
        let entries: Vec<u64> = all.iter().map(GoFunc::entry).collect();
        for f in &all {
            match f.role() {
                Role::AbiWrapper { target } | Role::MethodWrapper { target: Some(target) } => {
                    assert!(!entries.contains(&target), "{path}: {} and its target", f.name());
                }
                Role::Body => {}
                Role::MethodWrapper { target: None } | Role::GoStatementWrapper => {
                    panic!("{path}: {} only forwards", f.name());
                }
            }
        }
    });
}

#[test]
fn damaged_copies_do_no_harm() {
    const SEED: u64 = 0x2545_f491_4f6c_dd1d;
    println!("seed {SEED:#x}");
    let mut random = Random(SEED);
    for (path, binary) in some() {
        let whole = binary.image().bytes();
        let table = binary.go().ok().flatten().and_then(|go| binary.file_offset(go.table_vaddr()));
        let table = table.and_then(|at| usize::try_from(at).ok()).expect("the table is in the file");
        for round in 0..8 {
            let mut bytes = whole.to_vec();
            if round == 0 {
                bytes.truncate(random.below(whole.len()));
            } else {
                // Headers and the start of the table: what everything else depends on.
                for _ in 0..round * 4 {
                    let at = [random.below(1024), table + random.below(1 << 16), random.below(whole.len())]
                        [random.below(3)];
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = random.byte();
                    }
                }
            }
            let Ok(binary) = Binary::from_bytes(bytes, path) else { continue };
            let Ok(Some(go)) = binary.go() else { continue };
            let count =
                go.functions().map(|f| (f.entry_site(), f.returns().sites.len(), f.frames(f.entry()).len()));
            let _ = (count.count(), go.tls_offset(), go.inlined_into("sync.(*Mutex).Lock").len());
        }
    }
}

#[test]
fn results_on_the_stack_have_a_place() {
    each(|path, _, go| {
        if !go.has_debug_info() {
            assert_eq!(go.signature(&go.find("main.main").expect("main.main")).ok(), Some(None), "{path}");
            return;
        }
        let mut with_results = 0;
        for f in go.functions().filter(|f| !f.is_assembly()) {
            let signature = go.signature(&f).expect("the debug information is whole");
            let Some(signature) = signature else { continue };
            let places: Vec<(u32, u32)> =
                signature.params.iter().filter_map(|v| Some((v.stack_offset?, v.size))).collect();
            assert!(
                places.is_sorted_by(|(a, size), (b, _)| a + size <= *b),
                "{path}: {} {signature:?}",
                f.name()
            );
            if signature.results.is_empty() {
                continue;
            }
            with_results += 1;
            let at = format!("{path}: {} {signature:?}", f.name());
            let registers = f.abi() == Abi::Registers;
            assert_eq!(signature.first_result_offset().is_none(), registers, "{at}");
            let (Some(first), Some(room)) = (signature.first_result_offset(), f.args_size()) else {
                continue;
            };
            assert_eq!(signature.results[0].stack_offset, Some(first), "{at}");
            // Values do not overlap, and the last one ends where the room does.
            let values = signature.params.iter().chain(&signature.results);
            let places: Vec<(u32, u32)> = values.filter_map(|v| Some((v.stack_offset?, v.size))).collect();
            assert!(places.is_sorted_by(|(a, size), (b, _)| a + size <= *b), "{at}");
            let end = places.last().map_or(0, |(at, size)| at + size);
            assert!(end <= room + 8 && end + 8 > room + 8, "{at}: room {room}");
        }
        assert!(with_results > 100, "{path}: {with_results}");
    });
}

#[test]
fn damaged_debug_information_is_an_answer() {
    const SEED: u64 = 0x243f_6a88_85a3_08d3;
    println!("seed {SEED:#x}");
    let mut random = Random(SEED);
    for (path, binary) in some() {
        let sections = binary.image().sections().iter();
        let debug: Vec<_> = sections.filter(|s| s.name.contains("debug_") && !s.file.is_empty()).collect();
        if debug.is_empty() {
            continue;
        }
        for _ in 0..30 {
            let mut bytes = binary.image().bytes().to_vec();
            for _ in 0..=random.below(200) {
                let section = &debug[random.below(debug.len())].file;
                bytes[section.start + random.below(section.len())] = random.byte();
            }
            let damaged = Binary::from_bytes(bytes, path).expect("the headers are whole");
            let go = damaged.go().expect("tables are understood").expect("a Go binary");
            for f in go.functions().step_by(50) {
                let _ = go.signature(&f);
            }
        }
    }
}
