//! What the kernel tells and scripts contain: descriptions of tracepoints, BTF, symbols, machine code, formats of `printf`.

use std::path::Path;

use inspect::btf::{Btf, TypeId};
use inspect::elf::Arch;
use inspect::kallsyms::Kallsyms;
use inspect::tracefs;
use inspect::uprobe;
use lang::format::Format;

/// Types that are looked at.
const TYPES: u32 = 512;

/// The format of a `printf`.
pub fn printf_format(bytes: &[u8]) {
    if let Ok(format) = Format::parse(bytes) {
        let _ = (format.conversions(), format.uses().count());
    }
}

/// Seeds.
pub fn printf_seeds() -> Vec<Vec<u8>> {
    ["%d %s\n", "%-10s|%08x|%lld%%", "%*d", "%.3s %r %p %c", "%"]
        .map(|text| text.as_bytes().to_vec())
        .to_vec()
}

/// The `format` file of a tracepoint.
pub fn tracefs_format(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(format) = tracefs::parse_format(&text) {
        let _ = (format.own_fields().count(), format.field("pid").is_some());
    }
}

/// Seeds.
pub fn tracefs_seeds() -> Vec<Vec<u8>> {
    let text = "name: sched_wakeup\nID: 311\nformat:\n\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\
        \tfield:char comm[16];\toffset:8;\tsize:16;\tsigned:0;\n\tfield:__data_loc char[] name;\toffset:24;\tsize:4;\tsigned:0;\n\
        \tfield:pid_t pid;\toffset:28;\tsize:4;\tsigned:1;\n";
    vec![text.as_bytes().to_vec()]
}

/// Types of the kernel.
pub fn btf(bytes: &[u8]) {
    let Ok(btf) = Btf::from_bytes(bytes.to_vec(), Path::new("fuzzed")) else { return };
    let _ = (
        btf.count(),
        btf.functions().count(),
        btf.enumerator("A"),
        btf.find_struct("s"),
        btf.find_typedef("t"),
    );
    for id in (0..TYPES).map(TypeId) {
        let _ = (btf.ty(id).is_some(), btf.resolve(id), btf.size_of(id), btf.member(id, "a.b").is_some());
        let _ = btf.members(id).take(64).count()
            + btf.parameters(id).take(64).count()
            + btf.enumerators(id).take(64).count();
    }
}

/// Seeds: a header, and `struct s { int a; struct s *b; }`, `typedef struct s t`.
pub fn btf_seeds() -> Vec<Vec<u8>> {
    let strings = b"\0s\0int\0a\0b\0t\0";
    let types: [u32; 21] = [
        // int: name, kind, size, encoding.
        3,
        1 << 24,
        4,
        0x0100_0020,
        // struct s with two members: name, type, offset in bits.
        1,
        4 << 24 | 2,
        16,
        7,
        1,
        0,
        9,
        3,
        64,
        // A pointer to it, and a typedef.
        0,
        2 << 24,
        2,
        11,
        8 << 24,
        2,
        // void (*)(void)
        0,
        13 << 24,
    ];
    let types: Vec<u8> = types.iter().chain(&[0]).flat_map(|word| word.to_le_bytes()).collect();
    let lengths = [24, 0, types.len() as u32, types.len() as u32, strings.len() as u32];
    let header = [0x9f, 0xeb, 1, 0].into_iter().chain(lengths.iter().flat_map(|word| word.to_le_bytes()));
    vec![header.chain(types).chain(strings.iter().copied()).collect()]
}

/// `/proc/kallsyms`
pub fn kallsyms(bytes: &[u8]) {
    let symbols = Kallsyms::parse(String::from_utf8_lossy(bytes).into_owned());
    let _ = (symbols.is_hidden(), symbols.find("b"), symbols.lookup(0x1000));
    for symbol in symbols.symbols() {
        let _ = symbols.find(symbol.name);
    }
}

/// Seeds.
pub fn kallsyms_seeds() -> Vec<Vec<u8>> {
    vec![b"ffffffff81000000 T a\nffffffff81000010 t b\t[module]\n0000000000000000 D c\n".to_vec()]
}

/// Machine code where a probe is wanted.
pub fn code(bytes: &[u8]) {
    for arch in [Arch::X86_64, Arch::Aarch64] {
        let _ = (uprobe::treatment(arch, bytes), uprobe::is_boundary(arch, bytes, 0x1000, 0x1008));
    }
}

/// Seeds.
pub fn code_seeds() -> Vec<Vec<u8>> {
    vec![vec![0x49, 0x3b, 0x66, 0x10, 0x76, 0x20, 0x55, 0x48, 0x89, 0xe5], vec![0xf3, 0x0f, 0x1e, 0xfa, 0xc3]]
}
