//! The reader against a hand-made Go binary, whole and damaged.

use super::abi::Abi;
use super::fixture::{FUNCTIONS, Options, build, entry, random_below};
use super::prologue::{NoSite, SiteKind};
use super::returns::TailJump;
use super::tls::TlsRule;
use super::wrapper::Role;
use super::*;
use crate::elf::Binary;
use crate::glob::Glob;

const WITH_SECTIONS: Options = Options { sections: true, version: "go1.22.3" };
const WITHOUT_SECTIONS: Options = Options { sections: false, version: "go1.22.3" };

fn open(options: Options) -> Binary {
    Binary::from_bytes(build(options), "fixture").expect("the fixture is an ELF file")
}

fn go(binary: &Binary) -> &GoBinary {
    binary.go().expect("the fixture's tables are right").expect("the fixture is a Go binary")
}

#[test]
fn tables_are_found_with_and_without_sections() {
    for options in [WITH_SECTIONS, WITHOUT_SECTIONS] {
        let binary = open(options);
        let go = go(&binary);
        assert_eq!(go.table_format(), Format::Go120);
        assert_eq!((go.release(), go.release_is_guessed()), (Release(22), false));
        assert_eq!(go.version().map(|v| v.patch), Some(Some(3)));
        assert_eq!(go.module().text, entry(0));
        assert_eq!(go.build_info().and_then(|b| b.setting("CGO_ENABLED")), Some("0"));
        let names: Vec<&str> = go.functions().map(|f| f.name()).collect();
        assert_eq!(names, FUNCTIONS.map(|f| f.name));
        for (f, expected) in go.functions().zip(FUNCTIONS) {
            assert_eq!(f.code(), expected.code, "{}", f.name());
        }
        assert_eq!(go.tls_offset().map(|slot| slot.rule), Some(TlsRule::OnlyVariable));
    }
}

#[test]
fn a_newer_release_is_a_guess() {
    let binary = open(Options { version: "go1.99.1", ..WITH_SECTIONS });
    let newer = go(&binary);
    assert!(newer.release_is_guessed() && newer.goroutine_offsets().guessed);
    assert_eq!(newer.release(), NEWEST);
    let devel = open(Options { version: "devel go1.22-123abc", ..WITH_SECTIONS });
    assert!(go(&devel).release_is_guessed());
}

#[test]
fn entry_sites() {
    let binary = open(WITH_SECTIONS);
    let go = go(&binary);
    let site = |name: &str| {
        let f = go.find(name).expect(name);
        f.entry_site().map(|s| (s.kind, s.addr - f.entry(), s.emulated, s.needs_flag_test, s.first_byte))
    };
    assert_eq!(site("main.f"), Ok((SiteKind::PushAfterCheck, 6, true, false, 0x55)));
    assert_eq!(site("main.g"), Ok((SiteKind::NoCheck, 3, true, false, 0x74)));
    assert_eq!(site("main.loop"), Err(NoSite::LoopAtEntry));
    assert_eq!(site("main.old"), Ok((SiteKind::JbeFlags, 4, true, true, 0x76)));
    assert_eq!(site("main.(*W).M"), Ok((SiteKind::NoCheck, 0, false, false, 0x48)));
    let old = go.find("main.old").expect("main.old").entry_site().expect("has a site");
    assert_eq!(old.after_check, Some(entry(4) + 6));
}

#[test]
fn returns() {
    let binary = open(WITH_SECTIONS);
    let go = go(&binary);
    let of = |name: &str| go.find(name).expect(name).returns();
    assert_eq!(of("main.f").sites, [entry(1) + 16]);
    assert_eq!(of("main.g").sites, [entry(2) + 10, entry(2) + 11]);
    let tail = of("main.(*W).M");
    assert_eq!(tail.sites, []);
    assert_eq!(tail.tail_jumps, [TailJump { addr: entry(5) + 3, target: Some(entry(6)) }]);
    let data = of("main.data");
    assert_eq!((data.sites.as_slice(), data.unreadable_at), ([].as_slice(), Some(entry(8))));
}

#[test]
fn roles_and_patterns() {
    let binary = open(WITH_SECTIONS);
    let go = go(&binary);
    let roles: Vec<Role> = go.named("main.(*T).M").iter().map(GoFunc::role).collect();
    assert_eq!(roles, [Role::Body, Role::AbiWrapper { target: entry(6) }]);
    assert_eq!(
        go.find("main.(*W).M").map(|f| f.role()),
        Some(Role::MethodWrapper { target: Some(entry(6)) })
    );

    let matched =
        |pattern: &str| go.matching(&Glob::new(pattern)).iter().map(GoFunc::entry).collect::<Vec<_>>();
    // Neither the promoted method nor the ABI wrapper is counted beside the body.
    assert_eq!(matched("main.*"), [1, 2, 3, 4, 6, 8].map(entry));
    // Without the body the promoted method is what the pattern stands for.
    assert_eq!(matched("main.(*W).*"), [5].map(entry));
    assert_eq!(matched("main.(*W).M"), [5].map(entry));
    assert_eq!(matched("main.(*T).M"), [6].map(entry));
    assert_eq!(matched("nothing*"), []);
}

#[test]
fn abi() {
    let binary = open(WITH_SECTIONS);
    let go = go(&binary);
    assert_eq!(go.find("main.f").map(|f| f.abi()), Some(Abi::Registers));
    assert_eq!(go.find("main.data").map(|f| f.abi()), Some(Abi::Stack));
}

#[test]
fn inlined_frames_and_lines() {
    let binary = open(WITH_SECTIONS);
    let go = go(&binary);
    let g = go.function_at(entry(2) + 7).expect("inside main.g");
    let frames: Vec<_> =
        g.frames(entry(2) + 7).iter().map(|f| (f.name, f.line.map(|l| l.line), f.inlined)).collect();
    assert_eq!(frames, [("main.inl", Some(30), true), ("main.g", Some(30), false)]);
    assert_eq!(g.frames(entry(2)).len(), 1);
    assert_eq!(g.line(entry(2)).map(|l| l.file), Some("/src/main.go"));
    assert_eq!(go.is_inlined_only("main.inl"), Some(vec!["main.g"]));
    assert_eq!(go.is_inlined_only("main.g"), None);
    assert_eq!(go.is_inlined_only("main.nothing"), None);
    let sites: Vec<u64> = go.line_sites("main.go", 30).iter().map(|s| s.addr).collect();
    // The function's own code, and the copy of main.inl in it.
    assert_eq!(sites, [entry(2), entry(2) + 5]);
    assert!(go.lines_with_code("/src/main.go").contains(&30));
    assert!(go.line_sites("other.go", 30).is_empty());
    assert_eq!(go.source_files("main.go"), ["/src/main.go"]);
}

#[test]
fn padding_belongs_to_the_function_before_but_not_to_its_extent() {
    let binary = open(WITH_SECTIONS);
    let go = go(&binary);
    let f = go.function_at(entry(1) + 60).expect("padding after main.f");
    assert_eq!((f.name(), f.end()), ("main.f", entry(1) + 24));
    assert!(go.function_at(entry(FUNCTIONS.len())).is_none());
    assert!(go.function_at(0).is_none());
}

/// Asks everything of a binary that may be damaged. Nothing may panic, and all of it must end.
fn ask_everything(bytes: Vec<u8>) {
    let Ok(binary) = Binary::from_bytes(bytes, "damaged") else { return };
    let _ = (binary.functions().count(), binary.symbol("main.f"), binary.symbolize(entry(1)));
    let _ = (binary.read_word(entry(1)), binary.vaddr_of_offset(0x1000), binary.build_id());
    let Ok(Some(go)) = binary.go() else { return };
    let _ = (go.tls_offset(), go.goroutine_offsets(), go.build_info(), go.named("main.f"));
    for f in go.functions() {
        let _ = (f.entry_site(), f.returns(), f.role(), f.abi(), f.args_size(), f.sp_delta(f.entry()));
        let _ = (f.frames(f.entry()), f.frames(f.entry() + 7), f.start_line());
    }
    let _ = (go.matching(&Glob::new("*")), go.inlined_into("main.inl"), go.line_sites("main.go", 30));
    let _ = (go.function_at(entry(2)), go.function_at(u64::MAX), go.source_files("main.go"));
}

#[test]
fn truncated_anywhere() {
    for options in [WITH_SECTIONS, WITHOUT_SECTIONS] {
        let whole = build(options);
        for end in (0..whole.len()).step_by(3).chain(0..200) {
            ask_everything(whole[..end].to_vec());
        }
    }
}

#[test]
fn bytes_replaced_at_random() {
    const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
    println!("seed {SEED:#x}");
    let mut random = random_below(SEED);
    for options in [WITH_SECTIONS, WITHOUT_SECTIONS] {
        let whole = build(options);
        // The bytes that matter: headers, code, tables; not the zeros between them.
        let places: Vec<usize> = (0..whole.len()).filter(|&at| at < 200 || whole[at] != 0).collect();
        for _ in 0..6000 {
            let mut bytes = whole.clone();
            for _ in 0..=random(3) {
                let at = places[random(places.len())];
                bytes[at] = [0, 0xff, 0x7f, 0x80, u8::try_from(random(256)).expect("a byte")][random(5)];
            }
            ask_everything(bytes);
        }
    }
}
