//! Kernel symbols from `/proc/kallsyms`: names for kernel addresses, and addresses for names. Read once, when
//! the first question comes.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use crate::error::Error;

const PATH: &str = "/proc/kallsyms";

/// The kernel's symbol table.
#[derive(Debug, Default)]
pub struct Kallsyms {
    text: String,
    /// Parsed on first use: in order of address.
    symbols: OnceLock<Vec<Entry>>,
}

/// A line of the table: places of its texts.
#[derive(Debug, Clone, Copy)]
struct Entry {
    addr: u64,
    kind: u8,
    /// Where the name starts in the text, and its length.
    name: (u32, u32),
    /// The module's name; empty for the kernel itself.
    module: (u32, u32),
}

/// A kernel symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelSymbol<'a> {
    /// Name.
    pub name: &'a str,
    /// Address; 0 when the kernel hides addresses from the caller.
    pub addr: u64,
    /// Module it belongs to; `None` for the kernel itself.
    pub module: Option<&'a str>,
    /// Whether it is code (`t`, `T`, `w`, `W` in the table).
    pub is_function: bool,
}

impl Kallsyms {
    /// Reads the kernel's table. Parsing waits for the first question.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn load() -> Result<Kallsyms, Error> {
        let path = Path::new(PATH);
        let bytes = fs::read(path).map_err(|e| Error::io(path, e))?;
        let text = String::from_utf8(bytes);
        Ok(Kallsyms::parse(text.unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())))
    }

    /// A table from its text.
    pub fn parse(text: String) -> Kallsyms {
        Kallsyms { text, symbols: OnceLock::new() }
    }

    /// Whether the kernel hides addresses (`kernel.kptr_restrict`, or the caller lacks `CAP_SYSLOG`): lookups
    /// by address find nothing.
    pub fn is_hidden(&self) -> bool {
        // One of the first lines has an address, unless all have none.
        self.lines().all(|entry| entry.addr == 0)
    }

    /// The functions whose names are wanted, in order of address. Goes over the text once, without parsing what it does not give.
    pub fn functions(&self, wanted: impl Fn(&str) -> bool) -> Vec<KernelSymbol<'_>> {
        let wanted =
            |line: &&str| line_of(line).is_some_and(|(_, kind, name, _)| is_function(kind) && wanted(name));
        let lines = self.text.lines().filter(wanted).filter_map(|line| parse_line(&self.text, line));
        let mut found: Vec<KernelSymbol<'_>> = lines.filter_map(|entry| self.describe(&entry)).collect();
        // Stable: names of one address stay in the kernel's order.
        found.sort_by_key(|symbol| symbol.addr);
        found
    }

    /// All symbols in order of address.
    pub fn symbols(&self) -> impl Iterator<Item = KernelSymbol<'_>> {
        self.entries().iter().filter_map(|entry| self.describe(entry))
    }

    /// The symbol called `name`; functions are preferred.
    pub fn find(&self, name: &str) -> Option<KernelSymbol<'_>> {
        let mut hits = self.symbols().filter(|s| s.name == name);
        let first = hits.next()?;
        if first.is_function { Some(first) } else { hits.find(|s| s.is_function).or(Some(first)) }
    }

    /// The symbol at or before `addr`, and the distance from it.
    pub fn lookup(&self, addr: u64) -> Option<(KernelSymbol<'_>, u64)> {
        let entries = self.entries();
        let after = entries.partition_point(|entry| entry.addr <= addr);
        let nearest = entries.get(..after)?.last()?;
        if nearest.addr == 0 {
            return None;
        }
        // Of several names for one address the first is the usual one, and a function beats a label.
        let first = entries.partition_point(|entry| entry.addr < nearest.addr);
        let group = entries.get(first..after)?;
        let chosen = group.iter().find(|entry| is_function(entry.kind)).or(group.first())?;
        Some((self.describe(chosen)?, addr - chosen.addr))
    }

    fn describe(&self, entry: &Entry) -> Option<KernelSymbol<'_>> {
        let piece = |(start, len): (u32, u32)| {
            self.text.get(start as usize..(start as usize).checked_add(len as usize)?)
        };
        let module = piece(entry.module).filter(|module| !module.is_empty());
        Some(KernelSymbol {
            name: piece(entry.name)?,
            addr: entry.addr,
            module,
            is_function: is_function(entry.kind),
        })
    }

    /// The lines of the table, in its order.
    fn lines(&self) -> impl Iterator<Item = Entry> {
        self.text.lines().filter_map(|line| parse_line(&self.text, line))
    }

    fn entries(&self) -> &[Entry] {
        self.symbols.get_or_init(|| {
            let mut found: Vec<Entry> = self.lines().collect();
            if !found.is_sorted_by_key(|entry| entry.addr) {
                // Stable: names of one address stay in the kernel's order.
                found.sort_by_key(|entry| entry.addr);
            }
            found
        })
    }
}

fn is_function(kind: u8) -> bool {
    matches!(kind, b't' | b'T' | b'w' | b'W')
}

/// The parts of a line `ADDRESS KIND NAME[\t[MODULE]]`.
fn line_of(line: &str) -> Option<(&str, u8, &str, &str)> {
    let (addr, rest) = line.split_once(' ')?;
    let (kind, rest) = rest.split_once(' ')?;
    let (name, module) = rest.split_once('\t').unwrap_or(rest.split_at(rest.len()));
    Some((addr, *kind.as_bytes().first()?, name.trim_end(), module))
}

/// Parses a line; it is a part of `text`.
fn parse_line(text: &str, line: &str) -> Option<Entry> {
    let (addr, kind, name, module) = line_of(line)?;
    let module = module.trim().trim_start_matches('[').trim_end_matches(']');
    let place = |piece: &str| {
        let start = (piece.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
        Some((u32::try_from(start).ok()?, u32::try_from(piece.len()).ok()?))
    };
    let addr = u64::from_str_radix(addr, 16).ok()?;
    Some(Entry { addr, kind, name: place(name)?, module: place(module)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "\
ffffffff81000000 T _stext
ffffffff81000000 T _text
ffffffff81000040 d data_here
ffffffff81000040 t start_here
ffffffffc0201010 t in_module\t[sample]
ffffffff81000080 W weak
not a line
";

    #[test]
    fn lookups() {
        let table = Kallsyms::parse(SAMPLE.to_string());
        let at = |addr| table.lookup(addr).map(|(s, off)| (s.name, off, s.module));
        assert_eq!(at(0xffff_ffff_8100_0010), Some(("_stext", 0x10, None)));
        assert_eq!(at(0xffff_ffff_8100_0041), Some(("start_here", 1, None)));
        assert_eq!(at(0xffff_ffff_c020_1010), Some(("in_module", 0, Some("sample"))));
        assert_eq!(at(0x1000), None);
        assert_eq!(table.find("weak").map(|s| (s.addr, s.is_function)), Some((0xffff_ffff_8100_0080, true)));
        assert_eq!(table.find("data_here").map(|s| s.is_function), Some(false));
        assert!(table.find("nothing").is_none());
        let functions = |part: &str| -> Vec<(u64, &str)> {
            table.functions(|name| name.contains(part)).iter().map(|s| (s.addr, s.name)).collect()
        };
        assert_eq!(functions("_here"), [(0xffff_ffff_8100_0040, "start_here")]);
        assert_eq!(
            functions(""),
            [
                (0xffff_ffff_8100_0000, "_stext"),
                (0xffff_ffff_8100_0000, "_text"),
                (0xffff_ffff_8100_0040, "start_here"),
                (0xffff_ffff_8100_0080, "weak"),
                (0xffff_ffff_c020_1010, "in_module"),
            ]
        );
        assert!(!table.is_hidden());
    }

    #[test]
    fn hidden_addresses() {
        let table = Kallsyms::parse("0000000000000000 T a\n0000000000000000 T b\n".to_string());
        assert!(table.is_hidden());
        assert!(table.lookup(0xffff_ffff_8100_0000).is_none());
        assert_eq!(table.symbols().count(), 2);
        assert!(Kallsyms::default().is_hidden());
    }
}
