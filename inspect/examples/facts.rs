//! Prints what the crate knows about a binary: `facts BINARY [COMMAND [ARGUMENT]]`.
//!
//! Commands: `info` (default), `functions`, `sites`, `returns`, `frames` and `treatment` (both read addresses from standard
//! input), `signatures`, `types`, `type NAME`, `inlined NAME`, `match PATTERN`, `at FILE:LINE`, `time`. The output of `functions`, `sites`,
//! `returns` and `signatures` is one line per function, made to be compared with other tools.

use std::error::Error;
use std::io::{self, Write};
use std::time::Instant;

use inspect::elf::Binary;
use inspect::glob::Glob;
use inspect::go::{GoBinary, GoFunc};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(path) = arguments.first() else { return Err("usage: facts BINARY [COMMAND [ARGUMENT]]".into()) };
    let binary = Binary::open(path)?;
    let command = arguments.get(1).map_or("info", String::as_str);
    let argument = arguments.get(2).map_or("", String::as_str);
    let mut out = io::BufWriter::new(io::stdout().lock());
    let Some(go) = binary.go()? else {
        writeln!(
            out,
            "{path}: {:?}, not a Go binary, {} function symbols",
            binary.arch(),
            binary.functions().count()
        )?;
        return Ok(());
    };
    match command {
        "info" => info(&mut out, &binary, go)?,
        "functions" => {
            for f in go.functions() {
                let (abi, role) = (f.abi(), f.role());
                writeln!(
                    out,
                    "{:#x} {} {abi:?} {role:x?} {:?} {}",
                    f.entry(),
                    f.code().len(),
                    f.start_line(),
                    f.name()
                )?;
            }
        }
        "sites" => {
            for f in go.functions() {
                match f.entry_site() {
                    Ok(s) => writeln!(
                        out,
                        "{:#x} {:?} {:#x} {} {}",
                        f.entry(),
                        s.kind,
                        s.addr,
                        s.emulated,
                        f.name()
                    )?,
                    Err(e) => writeln!(out, "{:#x} None {} {e}", f.entry(), f.name())?,
                }
            }
        }
        "returns" => go
            .functions()
            .try_for_each(|f| writeln!(out, "{:#x} {} {:x?}", f.entry(), f.name(), f.returns()))?,
        "signatures" => signatures(&mut out, go)?,
        "types" => go.runtime_type_list().try_for_each(|ty| match go.type_info(ty) {
            Ok(Some(info)) => writeln!(out, "{:?} {} {} {}", info.kind, info.size, info.align, info.name),
            _ => writeln!(out, "? {ty:?}"),
        })?,
        "type" => {
            let ty = go.runtime_type_named(argument).ok_or("no such type")?;
            writeln!(out, "{:#?}", go.type_info(ty)?)?;
        }
        "frames" => frames(&mut out, go)?,
        "treatment" => {
            for address in io::stdin().lines() {
                let address = u64::from_str_radix(&address?, 16)?;
                let code = binary.image().tail(address).unwrap_or_default();
                writeln!(out, "{address:x} {:?}", inspect::uprobe::treatment(binary.arch(), code))?;
            }
        }
        "inlined" => writeln!(out, "{:?}", go.is_inlined_only(argument))?,
        "match" => {
            for f in go.matching(&Glob::new(argument)) {
                writeln!(out, "{:#x} {} {:x?}", f.entry(), f.name(), f.role())?;
            }
        }
        "at" => {
            let (file, line) = argument.rsplit_once(':').ok_or("FILE:LINE")?;
            for site in go.line_sites(file, line.parse()?) {
                writeln!(
                    out,
                    "{:#x} {} {}:{}",
                    site.addr,
                    site.function.name(),
                    site.line.file,
                    site.line.line
                )?;
            }
        }
        "time" => time(&mut out, path)?,
        other => return Err(format!("unknown command {other}").into()),
    }
    Ok(())
}

fn info(out: &mut impl Write, binary: &Binary, go: &GoBinary) -> io::Result<()> {
    writeln!(out, "arch {:?}, position-independent {}", binary.arch(), binary.is_pie())?;
    writeln!(out, "version {:?}", go.version())?;
    writeln!(out, "release {}, guessed {}", go.release(), go.release_is_guessed())?;
    writeln!(
        out,
        "table {:?} at {:#x}, {} functions",
        go.table_format(),
        go.table_vaddr(),
        go.functions().count()
    )?;
    writeln!(out, "module {:x?}", go.module())?;
    writeln!(out, "tls {:?}", go.tls_offset())?;
    writeln!(out, "goroutine {:?}", go.goroutine_offsets())?;
    writeln!(out, "build id {}", binary.build_id().is_some())
}

fn frames(out: &mut impl Write, go: &GoBinary) -> Result<(), Box<dyn Error>> {
    for address in io::stdin().lines() {
        let address = address?;
        let pc = u64::from_str_radix(address.trim_start_matches("0x"), 16)?;
        write!(out, "{pc:x}")?;
        for frame in go.function_at(pc).map(|f| f.frames(pc)).unwrap_or_default() {
            let (file, line) = frame.line.map_or(("?", 0), |l| (l.file, l.line));
            write!(out, " | {} {file}:{line}", frame.name)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn time(out: &mut impl Write, path: &str) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let step = |out: &mut dyn Write, what: &str, count: usize| {
        writeln!(out, "{:9.3} ms  {what}: {count}", start.elapsed().as_secs_f64() * 1e3)
    };
    let binary = Binary::open(path)?;
    step(out, "open", 0)?;
    let go = binary.go()?.ok_or("not Go")?;
    step(out, "go tables", 0)?;
    let functions: Vec<GoFunc<'_>> = go.functions().collect();
    step(out, "functions", functions.len())?;
    step(out, "extents", functions.iter().map(|f| f.code().len()).sum())?;
    step(
        out,
        "entry sites, first 5000",
        functions.iter().take(5000).filter(|f| f.entry_site().is_ok()).count(),
    )?;
    step(out, "entry sites, all", functions.iter().filter(|f| f.entry_site().is_ok()).count())?;
    step(out, "returns", functions.iter().map(|f| f.returns().sites.len()).sum())?;
    step(out, "match *", go.matching(&Glob::new("*")).len())?;
    step(out, "inlined", go.inlined_into("sync.(*Mutex).Lock").len())?;
    step(out, "line", go.line_sites("proc.go", 300).len())?;
    let main = go.find("main.main").ok_or("no main.main")?;
    step(out, "first signature", usize::from(go.signature(&main)?.is_some()))?;
    step(out, "second signature", usize::from(go.signature(&main)?.is_some()))?;
    let described = |f: &&GoFunc<'_>| matches!(go.signature(f), Ok(Some(_)));
    step(out, "runtime types", go.runtime_type_list().count())?;
    step(out, "signatures, all", functions.iter().filter(described).count())?;
    Ok(())
}

/// Per function: address, ABI, offset of the first result, completeness, and the size and place of each parameter and
/// result.
fn signatures(out: &mut impl Write, go: &GoBinary) -> Result<(), Box<dyn Error>> {
    for f in go.functions() {
        let Some(signature) = go.signature(&f)? else {
            writeln!(out, "{:#x} {:?} none {}", f.entry(), f.abi(), f.name())?;
            continue;
        };
        write!(out, "{:#x} {:?} ", f.entry(), f.abi())?;
        write!(out, "{:?} {} ", signature.first_result_offset(), signature.is_complete())?;
        for (list, what) in [(&signature.params, "params"), (&signature.results, "results")] {
            let values = list.iter().map(|p| {
                let at = p.stack_offset.map_or_else(|| "?".to_owned(), |at| at.to_string());
                format!("{}:{:?}:{}:{}@{at}", p.name, p.kind, p.size, p.align)
            });
            write!(out, "{what}({}) ", values.collect::<Vec<_>>().join(","))?;
        }
        writeln!(out, "{}", f.name())?;
    }
    Ok(())
}
