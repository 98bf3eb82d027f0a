//! Everything that is asked about a binary, on any bytes: the entry point of the fuzz target `binary` and of the tests with damaged
//! programs and random bytes. It must neither panic nor take long.

use std::path::Path;

use inspect::elf::Binary;
use inspect::glob::Glob;
use inspect::go::GoBinary;
use inspect::native::Debug;
use inspect::unwind::UnwindTable;

/// Functions that are asked the questions whose answer may take long each (signatures from debug information).
const ASKED: usize = 256;
/// Types that are described.
const TYPES: usize = 4096;

/// Reads a file; `path` is for the texts of errors. Gives how many questions had an answer.
pub fn read(bytes: &[u8], path: &Path) -> usize {
    // Of an archive the members are found; what they are is for the rest to say.
    let member = inspect::archive::at(bytes, bytes.len() / 2).and_then(|range| bytes.get(range));
    let Ok(binary) = Binary::from_bytes(member.unwrap_or(bytes).to_vec(), path) else { return 0 };
    let symbols = binary.functions().filter(|symbol| binary.symbolize(symbol.addr).is_some()).count();
    let named = usize::from(binary.symbol("main.main").is_some()) + usize::from(binary.build_id().is_some());
    let dynamic = inspect::dynamic::read(binary.image());
    let libraries = dynamic.needed.len() + usize::from(dynamic.interpreter.is_some());
    let unwinding = UnwindTable::of(&binary).map_or(0, |table| table.rows().len());
    symbols + named + libraries + unwinding + native(&binary) + binary.go().ok().flatten().map_or(0, ask)
}

/// Functions of C, C++ and Rust with the types of their parameters.
fn native(binary: &Binary) -> usize {
    let Some(debug) = Debug::open(binary) else { return 0 };
    let functions = binary.functions().take(ASKED).filter_map(|symbol| debug.function(symbol.addr));
    let members = functions
        .flat_map(|function| function.params)
        .filter_map(|param| debug.resolved(param.ty))
        .map(|ty| usize::from(debug.ty(ty).is_some()) + debug.members(ty).len() + debug.variants(ty).len())
        .sum::<usize>();
    members + debug.source_files("main.c").iter().map(|file| debug.line_starts(file).len()).sum::<usize>()
}

fn ask(go: &GoBinary) -> usize {
    functions(go) + signatures(go) + types(go) + whole(go)
}

fn whole(go: &GoBinary) -> usize {
    let all = Glob::new("*");
    let offsets = go.goroutine_offsets();
    [
        go.matching(&all).len(),
        go.inlined_only(&all).len(),
        go.inlined_into("sync.(*Mutex).Lock").len(),
        go.line_sites("main.go", 10).len(),
        go.lines_with_code("main.go").len(),
        go.all_source_files().len(),
        go.wait_reasons().len(),
        format!("{offsets:?} {:?} {:?}", go.tls_offset(), go.build_info()).len(),
    ]
    .into_iter()
    .sum()
}

fn functions(go: &GoBinary) -> usize {
    let of = |f: inspect::go::GoFunc<'_>| {
        let shape = f.argument_shape().map_or(0, |shape| shape.to_string().len());
        let frames = f.frames(f.entry()).len() + f.frames(f.end().saturating_sub(1)).len();
        usize::from(f.entry_site().is_ok())
            + f.returns().sites.len()
            + f.source_name().len().min(1)
            + frames
            + shape
    };
    go.functions().map(of).sum()
}

fn signatures(go: &GoBinary) -> usize {
    let step = (go.functions().count() / ASKED).max(1);
    let of = |f: inspect::go::GoFunc<'_>| {
        let signature = go.signature(&f).ok().flatten();
        signature.map_or(0, |signature| go.spell(&f, &signature).len())
    };
    go.functions().step_by(step).map(of).sum()
}

fn types(go: &GoBinary) -> usize {
    let all: Vec<_> = go.runtime_type_list().collect();
    let described = |ty: &&inspect::go::types::TypeRef| {
        let _ = go.layout(**ty);
        matches!(go.type_info(**ty), Ok(Some(_)))
    };
    all.iter().step_by((all.len() / TYPES).max(1)).filter(described).count()
}

/// An ELF header with one loadable segment that is the file itself, and a function table without functions.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0".to_vec();
    let words =
        |file: &mut Vec<u8>, words: &[u64]| file.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    // Entry, program headers, section headers; flags and sizes; PT_LOAD, offset, addresses, sizes, alignment.
    words(&mut file, &[0x40_1000, 64, 0]);
    file.extend([0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 64, 0, 0, 0, 0, 0]);
    words(&mut file, &[5 << 32 | 1, 0, 0x40_0000, 0x40_0000, 4096, 4096, 4096]);
    let headers = file.len();
    file.extend([0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8]);
    words(&mut file, &[1, 1, 0x40_1000, 72, 80, 88, 96, 104]);
    file.resize(headers + 1024, 0);
    vec![file]
}
