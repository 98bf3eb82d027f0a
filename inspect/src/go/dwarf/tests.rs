//! The DWARF reader against entries made by hand, whole and damaged. (Against those of compilers:
//! `tests/go_binaries.rs`.)

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::super::fixture::{self, Options, Section, entry, random_below};
use super::super::signature::Kind;
use super::*;

/// Abbreviation codes, in the order of [`abbreviations`].
const UNIT: u8 = 1;
const BASE: u8 = 2;
const STRUCT: u8 = 3;
const MEMBER: u8 = 4;
const TYPEDEF: u8 = 5;
const POINTER: u8 = 6;
const ARRAY: u8 = 7;
const ABSTRACT: u8 = 8;
const FUNCTION: u8 = 9;
const CONCRETE: u8 = 10;
const FORMAL: u8 = 11;
const FORMAL_NAME: u8 = 12;
const FORMAL_OF: u8 = 13;
const INLINED: u8 = 14;
const FORMAL_LIST: u8 = 15;

/// Tag, whether there are children, and attributes with their forms.
type Abbreviation = (u16, bool, &'static [(u16, u16)]);

/// The table of abbreviations (DWARF 4; `0x2900` is `DW_AT_go_kind`).
fn abbreviations() -> Vec<u8> {
    let table: [Abbreviation; 15] = [
        // compile_unit: name string, language data1, low_pc addr, high_pc data4
        (0x11, true, &[(0x03, 0x08), (0x13, 0x0b), (0x11, 0x01), (0x12, 0x06)]),
        // base_type: name string, encoding data1, byte_size data1, go_kind data1
        (0x24, false, &[(0x03, 0x08), (0x3e, 0x0b), (0x0b, 0x0b), (0x2900, 0x0b)]),
        // structure_type: name string, byte_size udata, go_kind data1
        (0x13, true, &[(0x03, 0x08), (0x0b, 0x0f), (0x2900, 0x0b)]),
        // member: name string, type ref_addr
        (0x0d, false, &[(0x03, 0x08), (0x49, 0x10)]),
        // typedef: name string, type ref_addr
        (0x16, false, &[(0x03, 0x08), (0x49, 0x10)]),
        // pointer_type: name string, type ref_addr, go_kind data1
        (0x0f, false, &[(0x03, 0x08), (0x49, 0x10), (0x2900, 0x0b)]),
        // array_type: name string, type ref_addr, byte_size udata, go_kind data1
        (0x01, false, &[(0x03, 0x08), (0x49, 0x10), (0x0b, 0x0f), (0x2900, 0x0b)]),
        // subprogram: name string, inline data1
        (0x2e, true, &[(0x03, 0x08), (0x20, 0x0b)]),
        // subprogram: name string, low_pc addr
        (0x2e, true, &[(0x03, 0x08), (0x11, 0x01)]),
        // subprogram: abstract_origin ref_addr, low_pc addr
        (0x2e, true, &[(0x31, 0x10), (0x11, 0x01)]),
        // formal_parameter: name string, variable_parameter flag, type ref_addr, location exprloc
        (0x05, false, &[(0x03, 0x08), (0x4b, 0x0c), (0x49, 0x10), (0x02, 0x18)]),
        // formal_parameter: name string, variable_parameter flag, type ref_addr
        (0x05, false, &[(0x03, 0x08), (0x4b, 0x0c), (0x49, 0x10)]),
        // formal_parameter: abstract_origin ref_addr, location exprloc
        (0x05, false, &[(0x31, 0x10), (0x02, 0x18)]),
        // inlined_subroutine: abstract_origin ref_addr
        (0x1d, true, &[(0x31, 0x10)]),
        // formal_parameter: name string, variable_parameter flag, type ref_addr, location sec_offset
        (0x05, false, &[(0x03, 0x08), (0x4b, 0x0c), (0x49, 0x10), (0x02, 0x17)]),
    ];
    let mut out = Vec::new();
    for ((tag, children, attributes), code) in table.into_iter().zip(1u8..) {
        out.push(code);
        uleb(&mut out, u64::from(tag));
        out.push(u8::from(children));
        for (name, form) in attributes {
            uleb(&mut out, u64::from(*name));
            uleb(&mut out, u64::from(*form));
        }
        out.extend([0, 0]);
    }
    out.push(0);
    out
}

fn uleb(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// `.debug_info` under construction.
struct Info {
    bytes: Vec<u8>,
}

impl Info {
    /// Starts an entry; returns its offset.
    fn entry(&mut self, code: u8) -> u32 {
        let at = u32::try_from(self.bytes.len()).expect("small");
        self.bytes.push(code);
        at
    }

    fn named(&mut self, code: u8, name: &str) -> u32 {
        let at = self.entry(code);
        self.bytes.extend(name.as_bytes());
        self.bytes.push(0);
        at
    }

    fn formal(&mut self, name: &str, is_result: bool, of: u32, location: &[u8]) -> u32 {
        let at = self.named(FORMAL, name);
        self.bytes.push(u8::from(is_result));
        self.bytes.extend(of.to_le_bytes());
        self.bytes.push(u8::try_from(location.len()).expect("short"));
        self.bytes.extend(location);
        at
    }

    fn base(&mut self, name: &str, encoding: u8, size: u8, kind: u8) -> u32 {
        let at = self.named(BASE, name);
        self.bytes.extend([encoding, size, kind]);
        at
    }

    fn structure(&mut self, name: &str, size: u8, kind: u8, members: &[(&str, u32)]) -> u32 {
        let at = self.named(STRUCT, name);
        self.bytes.extend([size, kind]);
        for (name, of) in members {
            self.named(MEMBER, name);
            self.bytes.extend(of.to_le_bytes());
        }
        self.bytes.push(0);
        at
    }
}

/// `DW_OP_call_frame_cfa`, `DW_OP_fbreg`, `DW_OP_piece`, `DW_OP_reg0`, `DW_OP_deref`.
const CFA: u8 = 0x9c;
const FBREG: u8 = 0x91;
const PIECE: u8 = 0x93;
const REG0: u8 = 0x50;
const DEREF: u8 = 0x06;

/// Functions `main.f` and `main.g` of the fixture and their types; `.debug_info` and `.debug_loc`.
fn info() -> (Vec<u8>, Vec<u8>) {
    let mut info = Info { bytes: Vec::new() };
    // Length, filled in below; version 4; abbreviations at 0; 8-byte addresses.
    info.bytes.extend([0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 8]);
    info.named(UNIT, "main");
    info.bytes.push(0x16);
    info.bytes.extend(entry(0).to_le_bytes());
    info.bytes.extend(0x1000u32.to_le_bytes());

    let int = info.base("int", 5, 8, 2);
    let int8 = info.base("int8", 5, 1, 3);
    let complex64 = info.base("complex64", 3, 8, 15);
    let pointer = info.named(POINTER, "*int8");
    info.bytes.extend(int8.to_le_bytes());
    info.bytes.push(22);
    let string = info.structure("string", 16, 24, &[("str", pointer), ("len", int)]);
    let pair = info.structure("main.pair", 2, 25, &[("a", int8), ("b", int8)]);
    let named = info.named(TYPEDEF, "main.named");
    info.bytes.extend(pair.to_le_bytes());
    let array = info.named(ARRAY, "[3]main.named");
    info.bytes.extend(named.to_le_bytes());
    info.bytes.extend([6, 17]);
    // A structure that contains itself: its member is a reference to where it starts.
    let here = u32::try_from(info.bytes.len()).expect("small");
    let endless = info.structure("main.endless", 8, 25, &[("again", here)]);

    let origin = info.named(ABSTRACT, "main.g");
    info.bytes.push(1);
    let origin_x = info.named(FORMAL_NAME, "x");
    info.bytes.push(0);
    info.bytes.extend(array.to_le_bytes());
    info.bytes.push(0);

    info.named(FUNCTION, "main.f");
    info.bytes.extend(entry(1).to_le_bytes());
    info.formal("a", false, int8, &[CFA]);
    info.formal("b", false, string, &[FBREG, 8, PIECE, 8, FBREG, 16, PIECE, 8]);
    info.formal("c", false, complex64, &[REG0, PIECE, 4, FBREG, 28, PIECE, 4]);
    info.formal("d", false, string, &[FBREG, 40, PIECE, 8]);
    info.formal("e", false, int, &[FBREG, 0x70, DEREF]);
    info.formal("f", false, endless, &[]);
    // Another value's place first (not at the entry), then its own; for the result the order does not matter.
    for (name, is_result) in [("g", 0), ("~r0", 1)] {
        info.named(FORMAL_LIST, name);
        info.bytes.push(is_result);
        info.bytes.extend(int.to_le_bytes());
        info.bytes.extend(0u32.to_le_bytes());
    }
    info.entry(INLINED);
    info.bytes.extend(origin.to_le_bytes());
    info.formal("not mine", false, int, &[]);
    info.bytes.push(0);
    info.bytes.push(0);

    info.entry(CONCRETE);
    info.bytes.extend(origin.to_le_bytes());
    info.bytes.extend(entry(2).to_le_bytes());
    info.entry(FORMAL_OF);
    info.bytes.extend(origin_x.to_le_bytes());
    info.bytes.extend([2, FBREG, 0x78]);
    info.bytes.push(0);
    // The end of the unit's children.
    info.bytes.push(0);
    let length = u32::try_from(info.bytes.len() - 4).expect("small");
    info.bytes[..4].copy_from_slice(&length.to_le_bytes());

    // Offsets from the unit's low_pc, place; the end is two zeros.
    let mut list = Vec::new();
    let place = |list: &mut Vec<u8>, begin: u64, end: u64, place: &[u8]| {
        list.extend((begin - entry(0)).to_le_bytes());
        list.extend((end - entry(0)).to_le_bytes());
        list.extend(u16::try_from(place.len()).expect("short").to_le_bytes());
        list.extend(place);
    };
    place(&mut list, entry(1) + 4, entry(1) + 8, &[FBREG, 56]);
    place(&mut list, entry(1), entry(1) + 4, &[FBREG, 48]);
    list.extend([0; 16]);
    (info.bytes, list)
}

/// How the sections stand in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Storage {
    Plain,
    /// `SHF_COMPRESSED`
    Elf,
    /// `.zdebug_*`
    Gnu,
}

fn image(parts: &[(&str, &[u8])], storage: Storage) -> Image {
    let mut file = fixture::build(Options { sections: false, version: "go1.22.3" });
    let names: Vec<String> = parts
        .iter()
        .map(|(name, _)| format!("{}debug_{name}", if storage == Storage::Gnu { ".z" } else { "." }))
        .collect();
    let mut sections = Vec::new();
    for (name, (_, data)) in names.iter().zip(parts) {
        let offset = file.len();
        let size = data.len() as u64;
        match storage {
            Storage::Plain => {}
            // ELFCOMPRESS_ZLIB, padding, size, alignment.
            Storage::Elf => {
                file.extend([1, 0, 0, 0, 0, 0, 0, 0]);
                file.extend(size.to_le_bytes());
                file.extend(1u64.to_le_bytes());
            }
            Storage::Gnu => {
                file.extend(b"ZLIB");
                file.extend(size.to_be_bytes());
            }
        }
        if storage == Storage::Plain {
            file.extend(*data);
        } else {
            let mut encoder = ZlibEncoder::new(&mut file, Compression::default());
            encoder.write_all(data).expect("memory");
            encoder.finish().expect("memory");
        }
        let flags = if storage == Storage::Elf { 0x800 } else { 0 };
        sections.push(Section { name, flags, vaddr: 0, offset, size: file.len() - offset });
    }
    fixture::add_sections(&mut file, &sections);
    Image::parse(file, Path::new("fixture")).expect("an ELF file")
}

/// Name, result, kind, size, alignment, place and coverage.
type Row = (String, bool, Option<(Kind, u32, u32)>, Option<(i64, Option<u64>)>);

fn rows(debug: &DebugInfo, image: &Image, function: usize) -> Vec<Row> {
    let formals = debug.formals(image, entry(function), true).expect("readable").expect("described");
    let row = |f: Formal| {
        let shape = f.shape.map(|s| (s.kind, s.size, s.align));
        (f.name, f.is_result, shape, f.place.map(|p| (p.from_cfa, p.covers)))
    };
    formals.into_iter().map(row).collect()
}

#[test]
fn parameters_types_and_places_in_every_storage() {
    let (abbrev, (info, loc)) = (abbreviations(), info());
    for storage in [Storage::Plain, Storage::Elf, Storage::Gnu] {
        let image = image(&[("abbrev", &abbrev), ("info", &info), ("loc", &loc)], storage);
        assert!(DebugInfo::is_present(&image), "{storage:?}");
        let debug = DebugInfo::default();
        let int = Some((Kind::Int, 8, 8));
        let string = Some((Kind::String, 16, 8));
        let expected: Vec<Row> = vec![
            ("a".into(), false, Some((Kind::Int, 1, 1)), Some((0, None))),
            ("b".into(), false, string, Some((8, Some(16)))),
            ("c".into(), false, Some((Kind::Complex, 8, 4)), Some((24, Some(8)))),
            ("d".into(), false, string, Some((40, Some(8)))),
            ("e".into(), false, int, None),
            ("f".into(), false, None, None),
            ("g".into(), false, int, Some((48, None))),
            ("~r0".into(), true, int, Some((56, None))),
        ];
        assert_eq!(rows(&debug, &image, 1), expected, "{storage:?}");
        // A named array of structures, through an abstract entry.
        let x = ("x".into(), false, Some((Kind::Array, 6, 1)), Some((-8, None)));
        assert_eq!(rows(&debug, &image, 2), [x], "{storage:?}");
        assert_eq!(debug.formals(&image, entry(3), true), Ok(None));
        assert_eq!(debug.formals(&image, entry(1) + 1, true), Ok(None));
        assert_eq!(debug.formals(&image, 0, true), Ok(None));
        let places = debug.formals(&image, entry(1), false).expect("readable").expect("described");
        assert!(places.iter().all(|f| f.place.is_none()));
    }
}

#[test]
fn units_of_other_languages_are_left_alone() {
    let (abbrev, (mut info, _)) = (abbreviations(), info());
    let language = info.iter().position(|byte| *byte == 0x16).expect("the unit's language");
    info[language] = 0x0c; // DW_LANG_C99
    let image = image(&[("abbrev", &abbrev), ("info", &info)], Storage::Plain);
    assert_eq!(DebugInfo::default().formals(&image, entry(1), true), Ok(None));
}

#[test]
fn a_file_without_debug_information() {
    let image = image(&[], Storage::Plain);
    assert!(!DebugInfo::is_present(&image));
    assert_eq!(DebugInfo::default().formals(&image, entry(1), true), Ok(None));
}

/// Asks for all functions of a file that may be damaged. Nothing may panic, and all of it must end.
fn ask(parts: &[(&str, &[u8])], storage: Storage) {
    let image = image(parts, storage);
    let debug = DebugInfo::default();
    for function in 0..4 {
        let _ = debug.formals(&image, entry(function), true);
    }
}

#[test]
fn truncated_anywhere() {
    let (abbrev, (info, loc)) = (abbreviations(), info());
    for end in 0..info.len() {
        ask(&[("abbrev", &abbrev), ("info", &info[..end]), ("loc", &loc)], Storage::Plain);
    }
    for end in 0..abbrev.len() {
        ask(&[("abbrev", &abbrev[..end]), ("info", &info), ("loc", &loc)], Storage::Plain);
    }
    for end in 0..loc.len() {
        ask(&[("abbrev", &abbrev), ("info", &info), ("loc", &loc[..end])], Storage::Plain);
    }
}

#[test]
fn bytes_replaced_at_random() {
    const SEED: u64 = 0x6a09_e667_f3bc_c908;
    println!("seed {SEED:#x}");
    let mut random = random_below(SEED);
    let (abbrev, (info, loc)) = (abbreviations(), info());
    for round in 0..12_000 {
        let mut parts = [abbrev.clone(), info.clone(), loc.clone()];
        for _ in 0..=random(3) {
            // Most of the damage goes into the entries.
            let part = &mut parts[[0, 1, 1, 1, 2][random(5)]];
            let at = random(part.len());
            part[at] = [0, 0xff, 0x7f, 0x80, u8::try_from(random(256)).expect("a byte")][random(5)];
        }
        let [abbrev, info, loc] = &parts;
        let storage = if round % 16 == 0 { Storage::Elf } else { Storage::Plain };
        ask(&[("abbrev", abbrev), ("info", info), ("loc", loc)], storage);
    }
}

#[test]
fn entries_that_cost_more_than_their_bytes_are_refused() {
    // An entry of one byte with ten thousand attributes of no size (DW_FORM_flag_present).
    let mut abbrev = abbreviations();
    abbrev.pop();
    abbrev.extend([16, 0x34, 0]);
    for _ in 0..4_000 {
        abbrev.extend([0x3f, 0x19]);
    }
    abbrev.extend([0, 0, 0]);
    let mut info = Info { bytes: Vec::new() };
    info.bytes.extend([0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 8]);
    info.named(UNIT, "main");
    info.bytes.push(0x16);
    info.bytes.extend(entry(0).to_le_bytes());
    info.bytes.extend(0x1000u32.to_le_bytes());
    info.bytes.extend(vec![16; 1 << 20]);
    let length = u32::try_from(info.bytes.len() - 4).expect("small");
    info.bytes[..4].copy_from_slice(&length.to_le_bytes());
    let image = image(&[("abbrev", &abbrev), ("info", &info.bytes)], Storage::Plain);
    assert_eq!(DebugInfo::default().formals(&image, entry(1), true), Err(DwarfError::Endless));
}
