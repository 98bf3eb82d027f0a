//! DWARF of Go functions: finding the entry of a function by its address. `formals.rs` reads the parameters
//! and results below it and `types.rs` their types; [`super::signature`], which calls them, makes sense of
//! what they found. Lines and inlined calls are not read here: the function table has them.
//!
//! Nothing is read before the first question. That question expands `.debug_info` and builds an index of the
//! address ranges of the units that Go wrote; one unit (a package) is indexed when a function of it is asked
//! for.
//!
//! The sections are untrusted: `gimli` checks every read, and the walks here are bounded in ways that are
//! named where they stand.

mod describe;
mod formals;
pub(crate) mod sections;
#[cfg(test)]
mod tests;
mod types;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use gimli::constants as dw;
use gimli::{
    Abbreviations, AttributeValue, DebugAddrBase, DebugInfoOffset, DebugLocListsBase, DebugRngListsBase,
    DebuggingInformationEntry, Dwarf, EndianSlice, LittleEndian, Unit, UnitHeader, UnitOffset,
};

pub(super) use formals::{Formal, MemoryPlace};
use sections::{Section, Sections};
pub(super) use types::Shape;

use crate::image::Image;

type Slice<'a> = EndianSlice<'a, LittleEndian>;
type Entry<'a> = DebuggingInformationEntry<Slice<'a>>;

/// Why debug information cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DwarfError {
    #[error("{0}")]
    Format(#[from] gimli::Error),
    #[error("a section is cut short")]
    CutShort,
    #[error("a section is compressed by another method than zlib and zstd")]
    Compression,
    #[error("a compressed section does not expand to the size it claims")]
    Stream,
    #[error("a compressed section claims to expand to {size} bytes")]
    Expansion { size: u64 },
    #[error("its entries refer to each other without end")]
    Endless,
}

/// Bytes within which a table of abbreviations must end: Go's one table has about a thousand, those of C
/// compilers a few thousand.
const ABBREVIATIONS_SIZE: usize = 16 << 10;
/// Tables that are read: Go's units share one, each C unit has its own.
const ABBREVIATION_TABLES: usize = 2048;
/// Address ranges that are indexed, far more than any program has functions.
const RANGE_LIMIT: usize = 1 << 20;
/// Entries and attributes read per byte of a unit: 1 is normal, since most take a byte or more. Attributes of
/// no size could otherwise be repeated without end.
const WORK_PER_BYTE: usize = 8;

/// Entries and attributes read for one signature: its own function's, and the types'.
const SIGNATURE_WORK: usize = 1 << 20;

/// The debug information of one file.
#[derive(Debug, Default)]
pub(super) struct DebugInfo {
    sections: Sections,
    index: OnceLock<Result<Index, DwarfError>>,
}

/// Go's units and where their code is.
#[derive(Debug, Default)]
struct Index {
    /// By offset.
    units: Vec<UnitRecord>,
    /// First and end address, and position in `units`; by address.
    ranges: Vec<(u64, u64, usize)>,
}

/// What is kept of a unit. `gimli`'s own type borrows the sections.
#[derive(Debug)]
struct UnitRecord {
    /// Offset of the header in `.debug_info`.
    offset: usize,
    abbreviations: Arc<Abbreviations>,
    low_pc: u64,
    addr_base: DebugAddrBase<usize>,
    loclists_base: DebugLocListsBase<usize>,
    rnglists_base: DebugRngListsBase<usize>,
    /// First address and entry of each function, by address.
    functions: OnceLock<Result<Vec<(u64, UnitOffset)>, DwarfError>>,
}

impl DebugInfo {
    /// Whether the file has debug information at all.
    pub(super) fn is_present(image: &Image) -> bool {
        Sections::has(image, Section::Info)
    }

    /// The parameters and results of the function that starts at `entry`, in the order of the entries; `None`
    /// when no unit of Go describes it. `places` says whether to look for their places on the stack.
    pub(super) fn formals(
        &self,
        image: &Image,
        entry: u64,
        places: bool,
    ) -> Result<Option<Vec<Formal>>, DwarfError> {
        let index = self.index.get_or_init(|| self.build_index(image)).as_ref().map_err(DwarfError::clone)?;
        let Some(record) = index.unit_of_address(entry) else { return Ok(None) };
        let dwarf = self.dwarf(image, places)?;
        let reader = Reader { dwarf, index, sections: &self.sections, image, places };
        let unit = reader.unit(record)?;
        let functions = record.functions.get_or_init(|| functions_of(&reader, &unit));
        let functions = functions.as_ref().map_err(DwarfError::clone)?;
        let Ok(found) = functions.binary_search_by_key(&entry, |(address, _)| *address) else {
            return Ok(None);
        };
        functions.get(found).map(|(_, offset)| formals::read(&reader, &unit, *offset, entry)).transpose()
    }

    /// The sections as `gimli` wants them. Places of variables are a large section that few questions need.
    fn dwarf<'a>(&'a self, image: &'a Image, places: bool) -> Result<Dwarf<Slice<'a>>, DwarfError> {
        let slice = |section| self.sections.bytes(image, section).map(|data| Slice::new(data, LittleEndian));
        let mut dwarf = Dwarf {
            debug_abbrev: slice(Section::Abbrev)?.into(),
            debug_addr: slice(Section::Addr)?.into(),
            debug_info: slice(Section::Info)?.into(),
            ..Dwarf::default()
        };
        if places {
            dwarf.locations =
                gimli::LocationLists::new(slice(Section::Loc)?.into(), slice(Section::LocLists)?.into());
        }
        Ok(dwarf)
    }

    fn build_index(&self, image: &Image) -> Result<Index, DwarfError> {
        let mut dwarf = self.dwarf(image, false)?;
        let slice = |section| self.sections.bytes(image, section).map(|data| Slice::new(data, LittleEndian));
        dwarf.ranges =
            gimli::RangeLists::new(slice(Section::Ranges)?.into(), slice(Section::RngLists)?.into());
        let mut tables =
            Tables { section: self.sections.bytes(image, Section::Abbrev)?, known: HashMap::new() };
        let mut index = Index::default();
        let mut damage = None;
        let mut headers = dwarf.units();
        loop {
            match headers.next() {
                // One damaged unit does not hide the others, unless it is the one that is wanted.
                Ok(Some(header)) => match index.add(&dwarf, header, &mut tables) {
                    Ok(()) => {}
                    Err(error) => damage = Some(error),
                },
                Ok(None) => break,
                Err(error) => {
                    damage = Some(error.into());
                    break;
                }
            }
        }
        index.ranges.sort_unstable();
        match damage {
            Some(error) if index.units.is_empty() => Err(error),
            _ => Ok(index),
        }
    }
}

impl Index {
    /// Adds a unit, if it is Go's.
    fn add<'a>(
        &mut self,
        dwarf: &Dwarf<Slice<'a>>,
        header: UnitHeader<Slice<'a>>,
        tables: &mut Tables<'_>,
    ) -> Result<(), DwarfError> {
        let Some(offset) = header.debug_info_offset() else { return Ok(()) };
        let Some(abbreviations) = tables.get(header.debug_abbrev_offset().0)? else { return Ok(()) };
        let root = header.entry(&abbreviations, header.root_offset())?;
        if root.attr_value(dw::DW_AT_language) != Some(AttributeValue::Language(dw::DW_LANG_Go)) {
            return Ok(());
        }
        let mut record = UnitRecord {
            offset: offset.0,
            abbreviations,
            low_pc: 0,
            addr_base: DebugAddrBase(0),
            loclists_base: DebugLocListsBase(0),
            rnglists_base: DebugRngListsBase(0),
            functions: OnceLock::new(),
        };
        for attribute in root.attrs() {
            match attribute.value() {
                AttributeValue::DebugAddrBase(base) => record.addr_base = base,
                AttributeValue::DebugLocListsBase(base) => record.loclists_base = base,
                AttributeValue::DebugRngListsBase(base) => record.rnglists_base = base,
                _ => {}
            }
        }
        let mut unit = record.unit(header);
        if let Some(low_pc) = root.attr_value(dw::DW_AT_low_pc) {
            unit.low_pc = dwarf.attr_address(&unit, low_pc)?.unwrap_or(0);
            record.low_pc = unit.low_pc;
        }
        let position = self.units.len();
        let mut ranges = dwarf.die_ranges(&unit, &root)?;
        while let Some(range) = ranges.next()? {
            if self.ranges.len() >= RANGE_LIMIT {
                return Err(DwarfError::Endless);
            }
            self.ranges.push((range.begin, range.end, position));
        }
        self.units.push(record);
        Ok(())
    }

    fn unit_of_address(&self, address: u64) -> Option<&UnitRecord> {
        let after = self.ranges.partition_point(|(begin, ..)| *begin <= address);
        let (_, end, position) = self.ranges.get(after.checked_sub(1)?)?;
        if address < *end { self.units.get(*position) } else { None }
    }

    /// The unit that covers an offset of `.debug_info`.
    fn unit_of_offset(&self, offset: usize) -> Option<&UnitRecord> {
        let after = self.units.partition_point(|unit| unit.offset <= offset);
        self.units.get(after.checked_sub(1)?)
    }
}

impl UnitRecord {
    /// The unit in `gimli`'s form. (`Unit::new` would read the line table too.)
    fn unit<'a>(&self, header: UnitHeader<Slice<'a>>) -> Unit<Slice<'a>> {
        let encoding = header.encoding();
        Unit {
            header,
            abbreviations: Arc::clone(&self.abbreviations),
            name: None,
            comp_dir: None,
            low_pc: self.low_pc,
            str_offsets_base: gimli::DebugStrOffsetsBase::default_for_encoding_and_file(
                encoding,
                gimli::DwarfFileType::Main,
            ),
            addr_base: self.addr_base,
            loclists_base: self.loclists_base,
            rnglists_base: self.rnglists_base,
            line_program: None,
            dwo_id: None,
        }
    }
}

/// Tables of abbreviations by offset, each parsed once.
struct Tables<'a> {
    section: &'a [u8],
    known: HashMap<usize, Result<Arc<Abbreviations>, gimli::Error>>,
}

impl Tables<'_> {
    /// The table at an offset; `None` when there are more tables than are read.
    fn get(&mut self, offset: usize) -> Result<Option<Arc<Abbreviations>>, DwarfError> {
        if self.known.len() >= ABBREVIATION_TABLES && !self.known.contains_key(&offset) {
            return Ok(None);
        }
        let parsed = self.known.entry(offset).or_insert_with(|| {
            let tail = self.section.get(offset..).unwrap_or_default();
            let table = tail.get(..ABBREVIATIONS_SIZE).unwrap_or(tail);
            let table = gimli::DebugAbbrev::new(table, LittleEndian);
            table.abbreviations(gimli::DebugAbbrevOffset(0)).map(Arc::new)
        });
        Ok(Some(Arc::clone(parsed.as_ref().map_err(|error| *error)?)))
    }
}

/// The functions of a unit: the entries directly below its root that have code.
fn functions_of<'a>(
    reader: &Reader<'a>,
    unit: &Unit<Slice<'a>>,
) -> Result<Vec<(u64, UnitOffset)>, DwarfError> {
    let mut found = Vec::new();
    let mut entries = unit.entries_raw(None)?;
    let mut attributes = Vec::new();
    let mut work = Work::for_unit(unit);
    while !entries.is_empty() {
        let (depth, offset) = (entries.next_depth(), entries.next_offset());
        let Some(abbreviation) = entries.read_abbreviation()? else { continue };
        work.spend(1 + abbreviation.attributes().len())?;
        if depth != 1 || abbreviation.tag() != dw::DW_TAG_subprogram {
            entries.skip_attributes(abbreviation.attributes())?;
            continue;
        }
        entries.read_attributes(abbreviation.attributes(), &mut attributes)?;
        if let Some(low_pc) = attributes.iter().find(|a| a.name() == dw::DW_AT_low_pc)
            && let Some(address) = reader.dwarf.attr_address(unit, low_pc.value())?
        {
            found.push((address, offset));
        }
    }
    found.sort_unstable_by_key(|(address, _)| *address);
    Ok(found)
}

/// A bound on what one walk reads.
struct Work {
    left: usize,
}

impl Work {
    fn for_unit(unit: &Unit<Slice<'_>>) -> Work {
        Work { left: unit.header.unit_length().saturating_mul(WORK_PER_BYTE) }
    }

    fn for_signature() -> Work {
        Work { left: SIGNATURE_WORK }
    }

    fn spend(&mut self, amount: usize) -> Result<(), DwarfError> {
        self.left = self.left.checked_sub(amount).ok_or(DwarfError::Endless)?;
        Ok(())
    }
}

/// Everything that reading entries needs.
struct Reader<'a> {
    dwarf: Dwarf<Slice<'a>>,
    index: &'a Index,
    sections: &'a Sections,
    image: &'a Image,
    /// Whether places of variables are wanted; if not, their section is not there.
    places: bool,
}

impl<'a> Reader<'a> {
    fn unit(&self, record: &UnitRecord) -> Result<Unit<Slice<'a>>, DwarfError> {
        Ok(record.unit(self.dwarf.debug_info.header_from_offset(DebugInfoOffset(record.offset))?))
    }

    /// The entry that an attribute refers to, in this unit or another one.
    fn referred(
        &self,
        unit: &Unit<Slice<'a>>,
        value: &AttributeValue<Slice<'a>>,
    ) -> Result<Option<Place>, DwarfError> {
        Ok(match value {
            AttributeValue::UnitRef(offset) => {
                unit.header.debug_info_offset().map(|base| Place { unit: base.0, entry: *offset })
            }
            AttributeValue::DebugInfoRef(offset) => self.index.unit_of_offset(offset.0).and_then(|record| {
                let entry = UnitOffset(offset.0.checked_sub(record.offset)?);
                Some(Place { unit: record.offset, entry })
            }),
            _ => None,
        })
    }

    /// The unit of an entry.
    fn unit_at(&self, place: Place) -> Result<Option<Unit<Slice<'a>>>, DwarfError> {
        let record = self.index.unit_of_offset(place.unit).filter(|record| record.offset == place.unit);
        record.map(|record| self.unit(record)).transpose()
    }

    /// The text of a name.
    fn string(&self, value: AttributeValue<Slice<'a>>) -> Result<String, DwarfError> {
        let text = match value {
            AttributeValue::String(text) => text,
            AttributeValue::DebugStrRef(offset) => {
                let strings = self.sections.bytes(self.image, Section::Str)?;
                gimli::DebugStr::new(strings, LittleEndian).get_str(offset)?
            }
            _ => return Ok(String::new()),
        };
        Ok(text.to_string_lossy().into_owned())
    }
}

/// An entry: the offset of its unit in `.debug_info`, and its own in the unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Place {
    unit: usize,
    entry: UnitOffset,
}
