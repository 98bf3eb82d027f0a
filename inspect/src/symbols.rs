//! ELF symbol tables (`.symtab`, and `.dynsym` for what `.symtab` does not have): listing, lookup by name and
//! by address. Names are borrowed from the file; only an index of addresses is built, on first use. Called by
//! [`crate::elf`] and by [`crate::go`], which prefers these names over those of the function table.

use std::ops::Range;
use std::sync::OnceLock;

use object::LittleEndian as Le;
use object::elf;
use object::pod;
use object::read::elf::{FileHeader as _, SectionHeader as _, Sym as _};

use crate::bytes;

type RawSymbol = elf::Sym64<Le>;

/// What a symbol names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SymbolKind {
    /// Code (`STT_FUNC`, `STT_GNU_IFUNC`).
    Function,
    /// A variable (`STT_OBJECT`), or anything else with an address.
    Data,
    /// A thread-local variable (`STT_TLS`): its value is an offset, not an address.
    ThreadLocal,
}

/// A defined symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Symbol<'a> {
    /// Name as it stands in the file (not demangled).
    pub name: &'a str,
    /// Address (vaddr), or the offset of a thread-local variable in the TLS template.
    pub addr: u64,
    /// Size in bytes; 0 when the file does not say.
    pub size: u64,
    /// What it names.
    pub kind: SymbolKind,
}

/// Where the tables stand in the file.
#[derive(Debug, Default)]
pub(crate) struct Symbols {
    /// `.symtab`, then `.dynsym`, those that exist.
    tables: Vec<Table>,
    /// There is a `.symtab`.
    all: bool,
    functions: OnceLock<Vec<Place>>,
}

#[derive(Debug, Clone)]
struct Table {
    symbols: Range<usize>,
    strings: Range<usize>,
}

/// A function symbol in the index: ordered by address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    addr: u64,
    table: u8,
    index: u32,
}

/// A symbol at one address may have aliases, and a symbol of no size may stand inside another: so many
/// entries are looked at backwards from the nearest one.
const OVERLAP_LIMIT: usize = 16;
/// Names of one address that are looked at; more than linkers make.
const ALIAS_LIMIT: usize = 64;

impl Symbols {
    pub(crate) fn locate(header: &elf::FileHeader64<Le>, data: &[u8]) -> Symbols {
        let Ok(sections) = header.sections(Le, data) else { return Symbols::default() };
        let table = |kind: u32| {
            let section = sections.iter().find(|s| s.sh_type(Le) == kind)?;
            let strings = sections.section(section.link(Le)).ok()?;
            Some(Table { symbols: file_range(section, data)?, strings: file_range(strings, data)? })
        };
        let (all, dynamic) = (table(elf::SHT_SYMTAB), table(elf::SHT_DYNSYM));
        let has_all = all.is_some();
        Symbols {
            tables: [all, dynamic].into_iter().flatten().collect(),
            all: has_all,
            functions: OnceLock::new(),
        }
    }

    /// Whether the file has all its symbols, not only those that the dynamic linker needs.
    pub(crate) fn are_all(&self) -> bool {
        self.all
    }

    /// Function symbols in order of address.
    pub(crate) fn functions<'a>(&'a self, data: &'a [u8]) -> impl Iterator<Item = Symbol<'a>> {
        self.function_index(data).iter().filter_map(|place| self.at(data, *place))
    }

    /// Whether the file has function symbols at all.
    pub(crate) fn has_functions(&self, data: &[u8]) -> bool {
        !self.function_index(data).is_empty()
    }

    /// The symbol called `name`, of any kind.
    pub(crate) fn by_name<'a>(&'a self, data: &'a [u8], name: &str) -> Option<Symbol<'a>> {
        self.tables.iter().find_map(|table| {
            let strings = data.get(table.strings.clone())?;
            let named = |s: &&RawSymbol| {
                is_defined(s) && bytes::c_str_is(strings, s.st_name(Le) as usize, name.as_bytes())
            };
            table.raw(data).iter().find(named).and_then(|s| describe(s, strings))
        })
    }

    /// All function symbols at exactly `vaddr`.
    pub(crate) fn at_address<'a>(&'a self, data: &'a [u8], vaddr: u64) -> impl Iterator<Item = Symbol<'a>> {
        let index = self.function_index(data);
        let first = index.partition_point(|place| place.addr < vaddr);
        let here = index.iter().skip(first).take(ALIAS_LIMIT).take_while(move |place| place.addr == vaddr);
        here.filter_map(|place| self.at(data, *place))
    }

    /// The function symbol that covers `vaddr`. A symbol without a size covers everything up to the next one.
    pub(crate) fn by_address<'a>(&'a self, data: &'a [u8], vaddr: u64) -> Option<Symbol<'a>> {
        let index = self.function_index(data);
        let after = index.partition_point(|place| place.addr <= vaddr);
        let nearest = index.get(..after)?;
        let mut unsized_hit = None;
        for place in nearest.iter().rev().take(OVERLAP_LIMIT) {
            let Some(symbol) = self.at(data, *place) else { continue };
            if vaddr - symbol.addr < symbol.size {
                return Some(symbol);
            }
            let is_nearest = nearest.last().is_some_and(|last| last.addr == symbol.addr);
            if symbol.size == 0 && is_nearest {
                unsized_hit = unsized_hit.or(Some(symbol));
            }
        }
        unsized_hit
    }

    fn at<'a>(&self, data: &'a [u8], place: Place) -> Option<Symbol<'a>> {
        let table = self.tables.get(usize::from(place.table))?;
        describe(table.raw(data).get(place.index as usize)?, data.get(table.strings.clone())?)
    }

    fn function_index(&self, data: &[u8]) -> &[Place] {
        self.functions.get_or_init(|| {
            let mut index: Vec<Place> = Vec::new();
            for (table, position) in self.tables.iter().zip(0u8..) {
                let known = index.len();
                for (symbol, number) in table.raw(data).iter().zip(0u32..) {
                    if !is_function(symbol) {
                        continue;
                    }
                    let addr = symbol.st_value(Le);
                    // `.dynsym` repeats what `.symtab` says: only addresses unknown so far are taken from it.
                    let repeated =
                        index.get(..known).is_some_and(|k| k.binary_search_by_key(&addr, |p| p.addr).is_ok());
                    if !repeated {
                        index.push(Place { addr, table: position, index: number });
                    }
                }
                if !index.is_sorted() {
                    index.sort_unstable();
                }
            }
            index
        })
    }
}

impl Table {
    fn raw<'a>(&self, data: &'a [u8]) -> &'a [RawSymbol] {
        let Some(table) = data.get(self.symbols.clone()) else { return &[] };
        match pod::slice_from_bytes(table, table.len() / size_of::<RawSymbol>()) {
            Ok((symbols, _)) => symbols,
            Err(()) => &[],
        }
    }
}

fn file_range(section: &elf::SectionHeader64<Le>, data: &[u8]) -> Option<Range<usize>> {
    let (offset, size) = section.file_range(Le)?;
    let start = bytes::index(offset)?;
    // A table that reaches beyond the end of the file is cut there.
    let end = bytes::index(offset.checked_add(size)?)?.min(data.len());
    (start <= end).then_some(start..end)
}

fn is_defined(symbol: &RawSymbol) -> bool {
    symbol.st_shndx(Le) != elf::SHN_UNDEF
}

fn is_function(symbol: &RawSymbol) -> bool {
    is_defined(symbol) && matches!(symbol.st_type(), elf::STT_FUNC | elf::STT_GNU_IFUNC)
}

fn describe<'a>(symbol: &RawSymbol, strings: &'a [u8]) -> Option<Symbol<'a>> {
    let kind = match symbol.st_type() {
        elf::STT_FUNC | elf::STT_GNU_IFUNC => SymbolKind::Function,
        elf::STT_TLS => SymbolKind::ThreadLocal,
        _ => SymbolKind::Data,
    };
    Some(Symbol {
        name: bytes::c_str(strings, symbol.st_name(Le) as usize)?,
        addr: symbol.st_value(Le),
        size: symbol.st_size(Le),
        kind,
    })
}
