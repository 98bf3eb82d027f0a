//! The runtime's module data: the record that points to the function table and says where the text really
//! starts, where funcdata and runtime types are. It has no symbol in stripped binaries; it is found as the
//! word that points to the function table. Layout: `runtime.moduledata` in `runtime/symtab.go`.

use super::pclntab::{Format, Pclntab};
use super::version::Release;
use crate::bytes;
use crate::image::Image;

/// Fields of the module data that other files use. Addresses are vaddrs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModuleData {
    /// Where the record itself is.
    pub vaddr: u64,
    /// `runtime.text`: what the function table's offsets count from. In cgo binaries it is not the start of
    /// `.text`.
    pub text: u64,
    /// End of Go's text.
    pub etext: u64,
    /// Start of the runtime type data: what type offsets count from.
    pub types: u64,
    /// End of the runtime type data.
    pub etypes: u64,
    /// What funcdata offsets count from; only since Go 1.18.
    pub gofunc: Option<u64>,
    /// How the type descriptors are found; `None` if the record is cut short.
    pub type_list: Option<TypeList>,
}

/// What leads to the type descriptors of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeList {
    /// Up to Go 1.26: `typelinks`, a list of 32-bit offsets from [`ModuleData::types`] (unnamed types; the others are reached from
    /// them), and `itablinks`, a list of pointers to the tables of interfaces.
    Links {
        /// Address of the first offset.
        types: u64,
        /// Number of offsets.
        type_count: u64,
        /// Address of the first pointer to an interface's table.
        itabs: u64,
        /// Number of pointers.
        itab_count: u64,
    },
    /// Since Go 1.27: descriptors stand one behind the other from a word behind [`ModuleData::types`] up to this address.
    Packed {
        /// First address behind the last descriptor.
        end: u64,
    },
}

/// Byte offsets of the fields, by release; a row holds up to the next one. Measured on 1.15, 1.19 and every
/// release since 1.21; the rows for 1.16 and 1.18 follow the declaration in the source.
struct Offsets {
    since: Release,
    text: u64,
    types: u64,
    etypes: u64,
    gofunc: Option<u64>,
    list: ListOffset,
}

/// Where the type descriptors are listed.
enum ListOffset {
    /// Offset of the slice `typelinks`; `itablinks` follows.
    Typelinks(u64),
    /// Offset of `typedesclen`, the bytes from `types` to the end of the descriptors.
    Length(u64),
}

#[rustfmt::skip]
const OFFSETS: [Offsets; 6] = [
    Offsets { since: Release(2),  text: 96,  types: 200, etypes: 208, gofunc: None,      list: ListOffset::Typelinks(240) },
    Offsets { since: Release(16), text: 176, types: 280, etypes: 288, gofunc: None,      list: ListOffset::Typelinks(320) },
    Offsets { since: Release(18), text: 176, types: 280, etypes: 288, gofunc: Some(304), list: ListOffset::Typelinks(336) },
    Offsets { since: Release(20), text: 176, types: 296, etypes: 304, gofunc: Some(320), list: ListOffset::Typelinks(352) },
    Offsets { since: Release(26), text: 176, types: 296, etypes: 304, gofunc: Some(320), list: ListOffset::Typelinks(360) },
    // Go 1.27 has the size of the type descriptors between the two ends, and the tables of interfaces after
    // them.
    Offsets { since: Release(27), text: 176, types: 296, etypes: 312, gofunc: Some(344), list: ListOffset::Length(304) },
];

impl ListOffset {
    fn read(&self, types: u64, word: impl Fn(u64) -> Option<u64>) -> Option<TypeList> {
        Some(match self {
            ListOffset::Typelinks(at) => TypeList::Links {
                types: word(*at)?,
                type_count: word(at + 8)?,
                itabs: word(at + 24)?,
                itab_count: word(at + 32)?,
            },
            ListOffset::Length(at) => TypeList::Packed { end: types.checked_add(word(*at)?)? },
        })
    }
}

/// Sections that can hold the record, most likely first: its own since Go 1.26, initialised data before;
/// position-independent binaries keep pointers in `.data.rel.ro` or `.data`.
const SECTIONS: [&str; 5] = [".go.module", ".noptrdata", ".data", ".data.rel.ro", ".data.rel.ro.local"];

impl ModuleData {
    /// Finds the record that belongs to `table`.
    pub(crate) fn find(image: &Image, table: &Pclntab, release: Release) -> Option<ModuleData> {
        let vaddr = locate(image, table)?;
        let offsets = OFFSETS.iter().rev().find(|row| release >= row.since)?;
        let word = |offset: u64| image.read_word(vaddr.checked_add(offset)?);
        let (text, etext) = (word(offsets.text)?, word(offsets.text + 8)?);
        (text < etext).then_some(())?;
        let types = word(offsets.types)?;
        Some(ModuleData {
            vaddr,
            text,
            etext,
            types,
            etypes: word(offsets.etypes)?,
            gofunc: offsets.gofunc.and_then(word),
            type_list: offsets.list.read(types, word),
        })
    }
}

fn locate(image: &Image, table: &Pclntab) -> Option<u64> {
    let belongs = |vaddr: &u64| {
        let word = |i: u64| image.read_word(vaddr.checked_add(8 * i)?);
        match table.format() {
            // A slice (pointer, length, capacity) of the whole table, then one of the function list.
            Format::Go12 => word(1).is_some() && word(1) == word(2) && word(3) == table.functions_vaddr(),
            // A pointer to the header, then a slice of the names.
            _ => word(1) == table.names_vaddr(),
        }
    };
    let relocated = image.relocations().iter().filter(|r| r.addend == table.vaddr()).map(|r| r.vaddr);
    if let Some(found) = relocated.filter(|vaddr| vaddr % 8 == 0).find(belongs) {
        return Some(found);
    }
    // The word stands in the file itself: look in the usual sections, then everywhere.
    let sections = SECTIONS.iter().filter_map(|name| image.section(name)).map(|s| (s.vaddr, s.file.len()));
    let segments = image.segments().iter().filter_map(|s| Some((s.vaddr, bytes::index(s.file_size)?)));
    sections.chain(segments).find_map(|(vaddr, size)| search(image, vaddr, size, table.vaddr()).find(belongs))
}

/// Addresses of the 8-aligned words equal to `wanted` in `size` bytes at `vaddr`.
fn search(image: &Image, vaddr: u64, size: usize, wanted: u64) -> impl Iterator<Item = u64> {
    let skip = vaddr.wrapping_neg() % 8;
    let tail = image.tail(vaddr).unwrap_or_default();
    let data = tail.get(bytes::index(skip).unwrap_or(usize::MAX)..size.min(tail.len())).unwrap_or_default();
    let wanted = wanted.to_le_bytes();
    let hits = data.chunks_exact(8).zip((0u64..).step_by(8)).filter(move |(word, _)| *word == wanted);
    hits.filter_map(move |(_, at)| vaddr.checked_add(skip)?.checked_add(at))
}
