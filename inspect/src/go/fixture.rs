//! A small Go binary made by hand, for tests that must not need a Go toolchain: an ELF file with the function
//! table of Go 1.20 and later, module data, build information and machine code in the forms that the compiler
//! emits.

/// Where the parts of the file are loaded: text and data.
const TEXT: u64 = 0x40_0000;
const DATA: u64 = 0x50_0000;
/// Offsets in the file of the two segments.
const TEXT_OFFSET: usize = 0x1000;
const DATA_OFFSET: usize = 0x2000;

/// `PCDATA_InlTreeIndex` and `FUNCDATA_InlTree` of the fixture's functions.
const PCDATA_SLOTS: u32 = 3;
const FUNCDATA_SLOTS: u8 = 4;

/// `runtime.moduledata` of Go 1.21: offsets that the fixture fills.
const MODULE_SIZE: usize = 360;

/// A function of the fixture.
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) code: &'static [u8],
    pub(super) func_id: u8,
    pub(super) flag: u8,
    /// Name and code range of a call inlined into it.
    pub(super) inlined: Option<(&'static str, u8, u8)>,
}

const PLAIN: Function = Function { name: "", code: &[], func_id: 0, flag: 0, inlined: None };
const WRAPPER: u8 = 22;

/// The functions, 64 bytes apart from `TEXT` on.
pub(super) const FUNCTIONS: [Function; 9] = [
    // ret
    Function { name: "runtime.morestack_noctxt", code: &[0xc3], flag: 4, ..PLAIN },
    // cmp 0x10(%r14),%rsp; jbe grow; push %rbp; mov %rsp,%rbp; call main.g; pop %rbp; ret;
    // grow: call runtime.morestack_noctxt; jmp main.f
    Function {
        name: "main.f",
        code: &[
            0x49, 0x3b, 0x66, 0x10, 0x76, 0x0b, 0x55, 0x48, 0x89, 0xe5, 0xe8, 0x31, 0x00, 0x00, 0x00, 0x5d,
            0xc3, 0xe8, 0xaa, 0xff, 0xff, 0xff, 0xeb, 0xe8,
        ],
        ..PLAIN
    },
    // test %rax,%rax; je end; mov $1,%eax; ret; end: ret
    Function {
        name: "main.g",
        code: &[0x48, 0x85, 0xc0, 0x74, 0x06, 0xb8, 0x01, 0x00, 0x00, 0x00, 0xc3, 0xc3],
        inlined: Some(("main.inl", 5, 10)),
        ..PLAIN
    },
    // mov (%rax),%rcx; cmp %rcx,%rbx; jb main.loop; ret
    Function { name: "main.loop", code: &[0x48, 0x8b, 0x08, 0x48, 0x39, 0xcb, 0x72, 0xf8, 0xc3], ..PLAIN },
    // cmp 0x10(%r14),%rsp; jbe grow; sub $8,%rsp; add $8,%rsp; ret; grow: call runtime.morestack_noctxt; jmp
    // main.old
    Function {
        name: "main.old",
        code: &[
            0x49, 0x3b, 0x66, 0x10, 0x76, 0x09, 0x48, 0x83, 0xec, 0x08, 0x48, 0x83, 0xc4, 0x08, 0xc3, 0xe8,
            0xec, 0xfe, 0xff, 0xff, 0xeb, 0xea,
        ],
        ..PLAIN
    },
    // mov (%rax),%rax; jmp main.(*T).M
    Function { name: "main.(*W).M", code: &[0x48, 0x8b, 0x00, 0xeb, 0x3b], ..PLAIN },
    // ret
    Function { name: "main.(*T).M", code: &[0xc3], ..PLAIN },
    // push %rbp; call main.(*T).M; pop %rbp; ret
    Function {
        name: "main.(*T).M",
        code: &[0x55, 0xe8, 0xba, 0xff, 0xff, 0xff, 0x5d, 0xc3],
        func_id: WRAPPER,
        ..PLAIN
    },
    // retf 0xa956; ret: data in assembly
    Function { name: "main.data", code: &[0xca, 0x56, 0xa9, 0xc3], flag: 4, ..PLAIN },
];

/// Address of function `i`.
pub(super) fn entry(i: usize) -> u64 {
    TEXT + 64 * i as u64
}

/// Which variations the file has.
#[derive(Clone, Copy)]
pub(super) struct Options {
    /// A section table that names the parts; without it they are found by searching.
    pub(super) sections: bool,
    /// Toolchain version in the build information.
    pub(super) version: &'static str,
}

/// Builds the file.
pub(super) fn build(options: Options) -> Vec<u8> {
    let (table, tree) = function_table();
    let mut data = Vec::new();
    let build_info = place(&mut data, &build_information(options.version));
    let table_at = place(&mut data, &table);
    let tree_at = place(&mut data, &tree);
    let module = module_data(DATA + table_at as u64, DATA + tree_at as u64);
    place(&mut data, &module);

    let mut text = vec![0xcc; 64 * FUNCTIONS.len()];
    for (function, place) in FUNCTIONS.iter().zip(text.chunks_mut(64)) {
        place[..function.code.len()].copy_from_slice(function.code);
    }
    let mut file = header();
    file.resize(TEXT_OFFSET, 0);
    file.extend(&text);
    file.resize(DATA_OFFSET, 0);
    file.extend(&data);
    let segments = [(5u32, TEXT_OFFSET, TEXT, text.len()), (6, DATA_OFFSET, DATA, data.len())];
    for (i, (flags, offset, vaddr, size)) in segments.into_iter().enumerate() {
        let mut header = Vec::new();
        header.extend(1u32.to_le_bytes());
        header.extend(flags.to_le_bytes());
        for word in [offset as u64, vaddr, vaddr, size as u64, size as u64, 0x1000] {
            header.extend(word.to_le_bytes());
        }
        file[64 + 56 * i..64 + 56 * (i + 1)].copy_from_slice(&header);
    }
    if options.sections {
        let section = |name, vaddr, offset, size| Section { name, flags: ALLOC, vaddr, offset, size };
        add_sections(
            &mut file,
            &[
                section(".text", TEXT, TEXT_OFFSET, text.len()),
                section(".go.buildinfo", DATA + build_info as u64, DATA_OFFSET + build_info, 64),
                section(".gopclntab", DATA + table_at as u64, DATA_OFFSET + table_at, table.len()),
            ],
        );
    }
    file
}

/// Appends at the next multiple of 32; returns the offset.
fn place(data: &mut Vec<u8>, part: &[u8]) -> usize {
    data.resize(data.len().next_multiple_of(32), 0);
    let at = data.len();
    data.extend(part);
    at
}

fn build_information(version: &str) -> Vec<u8> {
    let mut out = b"\xff Go buildinf:\x08\x02".to_vec();
    out.resize(32, 0);
    let modules =
        format!("{}path\tcommand-line-arguments\nbuild\tCGO_ENABLED=0\n{}", "0".repeat(16), "1".repeat(16));
    for text in [version, &modules] {
        out.push(u8::try_from(text.len()).expect("short"));
        out.extend(text.as_bytes());
    }
    out
}

/// A pc-value table of one run, or of the three around an inlined call.
fn values(runs: &[(i32, u8)]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut last = -1;
    for (value, len) in runs {
        let delta = value - last;
        let zigzag = (delta << 1) ^ (delta >> 31);
        out.extend([u8::try_from(zigzag).expect("small"), *len]);
        last = *value;
    }
    out.push(0);
    out
}

/// The table, and the inline trees, which stand in the data that funcdata offsets count from.
fn function_table() -> (Vec<u8>, Vec<u8>) {
    let mut names = vec![0];
    let mut name_of = |name: &str| {
        let at = u32::try_from(names.len()).expect("small");
        names.extend(name.as_bytes());
        names.push(0);
        at
    };
    let mut pc_values = vec![0];
    let mut table_of = |runs: &[(i32, u8)]| {
        let at = u32::try_from(pc_values.len()).expect("small");
        pc_values.extend(values(runs));
        at
    };
    let files = b"/src/main.go\0";
    let mut trees = Vec::new();
    let mut records: Vec<Vec<u8>> = Vec::new();
    for (function, line) in FUNCTIONS.iter().zip((10i32..).step_by(10)) {
        let len = u8::try_from(function.code.len()).expect("short");
        let mut words = vec![u32::try_from(records.len() * 64).expect("small"), name_of(function.name), 0, 0];
        words.extend([table_of(&[(0, len)]), table_of(&[(0, len)]), table_of(&[(line, len)])]);
        words.extend([PCDATA_SLOTS, 0, line.cast_unsigned()]);
        let mut record: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
        record.extend([function.func_id, function.flag, 0, FUNCDATA_SLOTS]);
        let tree_offset = u32::try_from(trees.len()).expect("small");
        let (index, tree) = match function.inlined {
            Some((name, start, end)) => {
                let node = [0, name_of(name), u32::from(start) - 2, 99];
                trees.extend(node.into_iter().flat_map(u32::to_le_bytes));
                (table_of(&[(-1, start), (0, end - start), (-1, len - end)]), tree_offset)
            }
            None => (0, u32::MAX),
        };
        for word in [0, 0, index, u32::MAX, u32::MAX, u32::MAX, tree] {
            record.extend(word.to_le_bytes());
        }
        records.push(record);
    }

    // Parts in the order of their header words, each at its offset.
    let mut out = vec![0; 72];
    let names_at = place(&mut out, &names);
    let units_at = place(&mut out, &0u32.to_le_bytes());
    let files_at = place(&mut out, files);
    let values_at = place(&mut out, &pc_values);
    let list_len = 8 * records.len() + 4;
    let mut functions = vec![0; list_len];
    for (i, record) in records.iter().enumerate() {
        let at = u32::try_from(functions.len()).expect("small");
        functions[8 * i..8 * i + 4].copy_from_slice(&u32::try_from(64 * i).expect("small").to_le_bytes());
        functions[8 * i + 4..8 * i + 8].copy_from_slice(&at.to_le_bytes());
        functions.extend(record);
    }
    let end = u32::try_from(64 * records.len()).expect("small");
    functions[list_len - 4..list_len].copy_from_slice(&end.to_le_bytes());
    let functions_at = place(&mut out, &functions);

    out[..8].copy_from_slice(&[0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8]);
    let header = [records.len(), 1, 0, names_at, units_at, files_at, values_at, functions_at];
    for (word, slot) in header.into_iter().zip(out[8..72].chunks_mut(8)) {
        slot.copy_from_slice(&(word as u64).to_le_bytes());
    }
    (out, trees)
}

fn module_data(table: u64, gofunc: u64) -> Vec<u8> {
    let mut out = vec![0; MODULE_SIZE];
    let names_at = 96; // the first part behind the header of 72 bytes, at a multiple of 32
    let text_end = TEXT + 64 * FUNCTIONS.len() as u64;
    let fields = [
        (0, table),
        (8, table + names_at),
        (176, TEXT),
        (184, text_end),
        (296, DATA),
        (304, DATA + 16),
        (320, gofunc),
    ];
    for (offset, value) in fields {
        out[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
    }
    out
}

fn header() -> Vec<u8> {
    let mut out = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    // ET_EXEC, EM_X86_64, version, entry, program headers at 64, no section headers yet
    out.extend(2u16.to_le_bytes());
    out.extend(62u16.to_le_bytes());
    out.extend(1u32.to_le_bytes());
    for word in [TEXT, 64, 0] {
        out.extend(word.to_le_bytes());
    }
    out.extend(0u32.to_le_bytes());
    for half in [64u16, 56, 2, 64, 0, 0] {
        out.extend(half.to_le_bytes());
    }
    out
}

/// A section of a file under construction; its bytes are in the file already.
pub(super) struct Section<'a> {
    pub(super) name: &'a str,
    /// `SHF_*`
    pub(super) flags: u64,
    pub(super) vaddr: u64,
    pub(super) offset: usize,
    pub(super) size: usize,
}

/// `SHF_ALLOC`
const ALLOC: u64 = 2;

/// Appends the names and the table of these sections, and points the file's header to them.
pub(super) fn add_sections(file: &mut Vec<u8>, sections: &[Section<'_>]) {
    let mut names = vec![0];
    let mut headers = vec![[0u8; 64]];
    let mut describe = |section: &Section<'_>, kind: u32, names: &mut Vec<u8>| {
        let mut out = Vec::new();
        out.extend(u32::try_from(names.len()).expect("small").to_le_bytes());
        out.extend(kind.to_le_bytes());
        for word in [section.flags, section.vaddr, section.offset as u64, section.size as u64] {
            out.extend(word.to_le_bytes());
        }
        out.resize(64, 0);
        names.extend(section.name.as_bytes());
        names.push(0);
        headers.push(out.try_into().expect("64 bytes"));
    };
    for section in sections {
        describe(section, 1, &mut names);
    }
    let own_name = ".shstrtab";
    let (offset, size) = (file.len().next_multiple_of(8), names.len() + own_name.len() + 1);
    describe(&Section { name: own_name, flags: 0, vaddr: 0, offset, size }, 3, &mut names);
    file.resize(offset, 0);
    file.extend(&names);
    file.resize(file.len().next_multiple_of(8), 0);
    let table_at = file.len() as u64;
    let count = u16::try_from(headers.len()).expect("few");
    file.extend(headers.concat());
    file[40..48].copy_from_slice(&table_at.to_le_bytes());
    file[60..62].copy_from_slice(&count.to_le_bytes());
    file[62..64].copy_from_slice(&(count - 1).to_le_bytes());
}

/// Numbers below a given one that follow from a seed, which is not 0 (xorshift64).
pub(crate) fn random_below(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).expect("below usize")
    }
}
