//! Unwinding tables of this machine's C library and of others that are there, against what `readelf` (binutils) makes of them.

use inspect::elf::Binary;
use inspect::unwind::{Cfa, Link, Rule, UnwindTable};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const LIBRARIES: [&str; 6] = [
    "/lib/x86_64-linux-gnu/libc.so.6",
    "/lib/x86_64-linux-gnu/libcrypto.so.3",
    "/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
    "/lib64/ld-linux-x86-64.so.2",
    // Of the cross compiler for arm64.
    "/usr/aarch64-linux-gnu/lib/libc.so.6",
    "/usr/aarch64-linux-gnu/lib/libstdc++.so.6",
];

/// Digits of an address; offsets in the section have fewer.
const ADDRESS: usize = 16;

/// What `readelf --debug-dump=frames-interp` shows at each address: the columns CFA, rbp or x29, and ra.
fn shown(path: &str) -> Option<BTreeMap<u64, [String; 3]>> {
    let output = Command::new("readelf").args(["--debug-dump=frames-interp", path]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (mut columns, mut function, mut rows) = (Vec::new(), false, BTreeMap::new());
    for line in text.lines() {
        // A register is shown as `r5 (rdi)`.
        let words: Vec<&str> = line.split_whitespace().filter(|word| !word.starts_with('(')).collect();
        if line.contains(" FDE ") || line.contains(" CIE ") {
            function = line.contains(" FDE ");
            columns = Vec::new();
        } else if words.first() == Some(&"LOC") {
            columns = words.iter().map(|w| (*w).to_owned()).collect();
        } else if function && let [location, values @ ..] = words.as_slice() {
            let address = u64::from_str_radix(location, 16).ok().filter(|_| location.len() == ADDRESS);
            let Some(location) = address else { continue };
            let value = |name: &str| {
                let at = columns.iter().position(|c| c == name).and_then(|n| n.checked_sub(1));
                at.and_then(|n| values.get(n)).map(|v| (*v).to_owned())
            };
            let frame = value("rbp").or_else(|| value("x29"));
            rows.insert(location, [value("CFA"), frame, value("ra")].map(|v| v.unwrap_or("u".to_owned())));
        }
    }
    (!rows.is_empty()).then_some(rows)
}

fn words(text: &str, prefix: &str) -> Option<i64> {
    let offset: i64 = text.strip_prefix(prefix)?.parse().ok()?;
    (offset % 8 == 0).then_some(offset / 8)
}

/// Whether a rule says what `readelf` shows. Expressions are shown as `exp` or `vexp` only.
fn agree(rule: Rule, [cfa, bp, ra]: &[String; 3]) -> bool {
    match rule {
        Rule::Nothing => false,
        Rule::Outermost => ra == "u",
        Rule::Signal => cfa == "exp" && bp == "exp",
        Rule::Linked(found, link) => {
            let end = match found {
                Cfa::Sp(offset) => words(cfa, "sp") == Some(offset.into()),
                Cfa::Bp(offset) => words(cfa, "x29") == Some(offset.into()),
                Cfa::Plt(_) | Cfa::AtSp(_) | Cfa::AtBp(_) => false,
            };
            let (pointer, address) = match link {
                Link::Register => (0, 0),
                Link::Alone(address) => (0, address),
                Link::Pair(pointer) => (pointer, pointer - 1),
            };
            let saved = |text: &str, at: u16| match at {
                0 => matches!(text, "u" | "s"),
                at => words(text, "c") == Some(-i64::from(at)),
            };
            end && saved(bp, pointer) && saved(ra, address)
        }
        // Of arm64: saved far away, or without the return address above it.
        Rule::Unknown if words(cfa, "sp").or(words(cfa, "x29")).is_some() => {
            words(bp, "c").is_some_and(|at| at < -0xfff || Some(at) != words(ra, "c").map(|ra| ra - 1))
        }
        Rule::Unknown => {
            let register = words(cfa, "rsp").or(words(cfa, "rbp")).is_some();
            !register || ra != "c-8" || !matches!(bp.as_str(), "u" | "s") && words(bp, "c").is_none()
        }
        Rule::Frame(found, saved) => {
            let end = match found {
                Cfa::Sp(offset) => words(cfa, "rsp") == Some(offset.into()),
                Cfa::Bp(offset) => words(cfa, "rbp") == Some(offset.into()),
                Cfa::Plt(_) | Cfa::AtSp(_) | Cfa::AtBp(_) => cfa == "exp",
            };
            let kept = match saved {
                0 => matches!(bp.as_str(), "u" | "s") || matches!(found, Cfa::AtBp(_)) && bp == "exp",
                saved => words(bp, "c") == Some(-i64::from(saved)),
            };
            end && kept && ra == "c-8"
        }
    }
}

#[test]
fn every_row_is_what_readelf_shows() {
    let mut compared = 0;
    for path in LIBRARIES.into_iter().filter(|path| Path::new(path).exists()) {
        let Some(shown) = shown(path) else { continue };
        let binary = Binary::open(path).expect("a library");
        let table = UnwindTable::of(&binary).expect("libraries have tables");
        let wrong: Vec<_> = shown.iter().filter(|(at, row)| !agree(table.rule(**at), row)).take(5).collect();
        let found: Vec<Rule> = wrong.iter().map(|(at, _)| table.rule(**at)).collect();
        assert!(wrong.is_empty(), "{path}: {wrong:x?} but {found:?}");
        let unknown = table.rows().iter().filter(|row| row.rule == Rule::Unknown).count();
        assert!(unknown * 100 < table.rows().len(), "{path}: {unknown} of {} rows", table.rows().len());
        assert!(table.rows().is_sorted_by(|a, b| a.start < b.start && a.rule != b.rule), "{path}");
        compared += shown.len();
    }
    if compared == 0 {
        eprintln!("every_row_is_what_readelf_shows: skipped, there is no readelf or none of the libraries");
    }
}

/// Without a section table the program header leads to the same table.
#[test]
fn a_file_without_sections_has_the_same_table() {
    let Some(path) = LIBRARIES.into_iter().find(|path| Path::new(path).exists()) else { return };
    let mut bytes = std::fs::read(path).expect("a library");
    let whole = UnwindTable::of(&Binary::from_bytes(bytes.clone(), path).expect("a library"));
    // e_shoff, e_shnum and e_shstrndx of the ELF header.
    bytes[0x28..0x30].fill(0);
    bytes[0x3c..0x40].fill(0);
    let stripped = Binary::from_bytes(bytes, path).expect("a library without sections");
    assert!(stripped.image().sections().is_empty());
    assert_eq!(UnwindTable::of(&stripped), whole);
    assert!(whole.is_some());
}

/// The signal frame and the linkage table of the C library, which are there whatever release it is.
#[test]
fn the_c_library_has_a_signal_frame_and_a_linkage_table() {
    let Some(path) = LIBRARIES.into_iter().find(|path| Path::new(path).exists()) else { return };
    let table = UnwindTable::of(&Binary::open(path).expect("a library")).expect("a table");
    let has = |wanted: fn(&Rule) -> bool| table.rows().iter().any(|row| wanted(&row.rule));
    assert!(has(|rule| *rule == Rule::Signal));
    assert!(has(|rule| matches!(rule, Rule::Frame(Cfa::Plt(11), 0))));
    assert!(has(|rule| *rule == Rule::Outermost));
    assert!(has(|rule| matches!(rule, Rule::Frame(Cfa::Bp(2), 2))));
}

/// Of arm64: functions that call others, those that do not, and the linkage table, which no entry describes.
#[test]
fn links_of_arm64() {
    let path = LIBRARIES[4];
    let Some(table) = Binary::open(path).ok().and_then(|binary| UnwindTable::of(&binary)) else {
        return eprintln!("links_of_arm64: skipped, there is no {path}");
    };
    let has = |wanted: Rule| table.rows().iter().any(|row| row.rule == wanted);
    assert!(has(Rule::Outermost));
    assert!(has(Rule::Linked(Cfa::Sp(0), Link::Register)));
    assert!(has(Rule::Linked(Cfa::Sp(2), Link::Pair(2))));
    assert!(has(Rule::Linked(Cfa::Sp(2), Link::Alone(1))));
}
