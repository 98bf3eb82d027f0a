//! Debug information of C, C++ and Rust: the parameters and the result of a function with their types (`types.rs`), types by
//! name (`named.rs`), and the instructions of source lines (`lines.rs`). Go programs have tables of their own ([`crate::go`]).
//!
//! A [`struct@Debug`] is made for the questions of one attach point. It reads the roots of all units once; of one unit more is read when a
//! function of it is asked for. The sections are untrusted: `gimli` checks every read, and all walks end with the data.

mod lines;
mod named;
mod types;

use gimli::constants as dw;
use gimli::{AttributeValue, DebugInfoOffset, Dwarf, EndianSlice, LittleEndian, Operation, Unit, UnitOffset};

pub use lines::LineStart;
pub use named::Wanted;
pub use types::{Member, Type, TypeId, Variant};

use crate::elf::Binary;
use crate::go::dwarf::sections::{Section, Sections};
use crate::image::Image;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

type Slice<'a> = EndianSlice<'a, LittleEndian>;
type Entry<'a> = gimli::DebuggingInformationEntry<Slice<'a>>;

/// The expanded sections of a binary, which outlive the [`Debug`] that reads them.
#[derive(Debug, Default)]
pub(crate) struct DebugSections(Sections);

impl DebugSections {
    /// Whether a file has debug information.
    pub(crate) fn are_in(image: &Image) -> bool {
        Sections::has(image, Section::Info)
    }
}

/// Debug information of one binary.
pub struct Debug<'a> {
    dwarf: Dwarf<Slice<'a>>,
    /// Of this file, then of the one that it shares with others.
    units: Vec<UnitAt<'a>>,
}

/// What offsets in the file that is shared with others begin at: no file is as large.
const SHARED: usize = 1 << 62;

/// A unit and where its code is.
struct UnitAt<'a> {
    start: usize,
    unit: Unit<Slice<'a>>,
    language: Language,
    /// First and end addresses.
    ranges: Vec<(u64, u64)>,
    /// Names of its structures that are in namespaces, by their offset; made when one is asked for.
    scoped: OnceCell<HashMap<usize, String>>,
}

/// What a unit was written in, as far as calling conventions differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// C, C++ and others that keep to the C ABI.
    C,
    /// Rust, whose functions have a convention of their own.
    Rust,
}

/// A function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// What it was written in.
    pub language: Language,
    /// The parameters in order; the object of a method is the first one.
    pub params: Vec<Param>,
    /// The type of the result; `None` if there is none.
    pub result: Option<TypeId>,
    /// More parameters may follow (`...`).
    pub variadic: bool,
}

/// A parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// Its name; empty if it has none.
    pub name: String,
    /// Its type.
    pub ty: TypeId,
    /// Where it is said to be when the function starts.
    pub held: Held,
}

/// Where a parameter is at the first instruction of its function, by the debug information.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// In the register of this DWARF number.
    Register(u16),
    /// In the frame, where it will be once the function has put it there.
    Frame,
    /// Nothing is said, or it is nowhere: the compiler has found out that it need not be handed over.
    Nowhere,
}

/// Entries that one refers to for what it does not say itself, one after the other.
const ORIGINS: usize = 4;

impl<'a> Debug<'a> {
    /// Reads the roots of the units. `None` if the binary has no debug information that can be read, or is Go's alone.
    pub fn open(binary: &'a Binary) -> Option<Debug<'a>> {
        let (image, sections) = binary.debug_info();
        if !DebugSections::are_in(image) {
            return None;
        }
        let mut dwarf = dwarf_of(image, sections);
        if let Some((image, sections)) = binary.shared_debug_info() {
            dwarf.sup = Some(Arc::new(dwarf_of(image, sections)));
        }
        let mut units = units_of(&dwarf, 0);
        units.extend(dwarf.sup.as_ref().into_iter().flat_map(|shared| units_of(shared, SHARED)));
        (!units.is_empty()).then_some(Debug { dwarf, units })
    }

    /// The file that a unit is of.
    fn dwarf_of(&self, at: &UnitAt<'a>) -> &Dwarf<Slice<'a>> {
        self.dwarf.sup.as_deref().filter(|_| at.start >= SHARED).unwrap_or(&self.dwarf)
    }

    /// The function whose code starts at `entry`.
    pub fn function(&self, entry: u64) -> Option<Function> {
        self.covering(entry).find_map(|unit| self.function_in(unit, entry))
    }

    /// The name of the file that describes the code at an address instead of this one (`-gsplit-dwarf`), as the compiler wrote it.
    pub fn split_file(&self, addr: u64) -> Option<String> {
        self.covering(addr).find_map(|at| Some(self.text(at, at.unit.dwo_name().ok()??)))
    }

    /// The units that have code at an address.
    fn covering(&self, addr: u64) -> impl Iterator<Item = &UnitAt<'a>> {
        let covers =
            move |u: &&UnitAt<'_>| u.ranges.iter().any(|(begin, end)| (*begin..*end).contains(&addr));
        self.units.iter().filter(covers)
    }

    fn function_in(&self, at: &UnitAt<'a>, entry: u64) -> Option<Function> {
        let unit = &at.unit;
        let mut entries = unit.entries_raw(None).ok()?;
        let mut die = Entry::null();
        let mut attributes = Vec::new();
        while !entries.is_empty() {
            let offset = entries.next_offset();
            let Some(abbreviation) = entries.read_abbreviation().ok()? else { continue };
            if abbreviation.tag() != dw::DW_TAG_subprogram {
                entries.skip_attributes(abbreviation.attributes()).ok()?;
                continue;
            }
            entries.read_attributes(abbreviation.attributes(), &mut attributes).ok()?;
            if self.start(unit, &attributes) == Some(entry) {
                return self.describe(at, offset, entry, &mut die);
            }
        }
        None
    }

    /// Where a function starts: of one that is in several pieces, because code that seldom runs was moved elsewhere, the first one.
    fn start(&self, unit: &Unit<Slice<'a>>, attributes: &[gimli::Attribute<Slice<'a>>]) -> Option<u64> {
        let value = |name| attributes.iter().find(|a| a.name() == name).map(gimli::Attribute::value);
        match value(dw::DW_AT_low_pc) {
            Some(low) => self.dwarf.attr_address(unit, low).ok()?,
            None => {
                let mut pieces = self.dwarf.attr_ranges(unit, value(dw::DW_AT_ranges)?).ok()??;
                pieces.next().ok()?.map(|first| first.begin)
            }
        }
    }

    /// A function from its entry.
    fn describe(
        &self,
        at: &UnitAt<'a>,
        function: UnitOffset,
        entry: u64,
        die: &mut Entry<'a>,
    ) -> Option<Function> {
        let mut params = Vec::new();
        let mut variadic = false;
        let mut entries = at.unit.entries_raw(Some(function)).ok()?;
        entries.read_entry(die).ok()?;
        while entries.next_depth() > 0 && !entries.is_empty() {
            if !entries.read_entry(die).ok()? || die.depth() != 1 {
                continue;
            }
            match die.tag() {
                dw::DW_TAG_formal_parameter => {
                    let place = (at, die.offset());
                    let ty = self.attribute(place, dw::DW_AT_type);
                    let (of, ty) = ty?;
                    let name = self.attribute(place, dw::DW_AT_name);
                    let name = name.map(|(of, name)| self.text(of, name)).unwrap_or_default();
                    let held = self.held(at, die, entry);
                    params.push(Param { name, ty: self.reference(of, &ty)?, held });
                }
                dw::DW_TAG_unspecified_parameters => variadic = true,
                _ => {}
            }
        }
        let result = self.attribute((at, function), dw::DW_AT_type);
        let result = result.and_then(|(of, ty)| self.reference(of, &ty));
        Some(Function { language: at.language, params, result, variadic })
    }

    /// Where a parameter is at the address `entry`.
    fn held(&self, at: &UnitAt<'a>, param: &Entry<'a>, entry: u64) -> Held {
        let place = || {
            let expression = match param.attr_value(dw::DW_AT_location)? {
                AttributeValue::Exprloc(expression) => expression,
                value => {
                    let mut list = self.dwarf.attr_locations(&at.unit, value).ok()??;
                    std::iter::from_fn(|| list.next().ok()?)
                        .find(|place| (place.range.begin..place.range.end).contains(&entry))?
                        .data
                }
            };
            let mut operations = expression.operations(at.unit.encoding());
            let first = operations.next().ok()??;
            Some(match (first, operations.next().ok()?) {
                (Operation::Register { register }, None) => Held::Register(register.0),
                (Operation::FrameOffset { .. } | Operation::RegisterOffset { .. }, None) => Held::Frame,
                _ => Held::Nowhere,
            })
        };
        place().unwrap_or(Held::Nowhere)
    }

    /// An attribute of an entry, or of the one that it is made from.
    fn attribute(
        &self,
        place: (&UnitAt<'a>, UnitOffset),
        name: gimli::DwAt,
    ) -> Option<(&UnitAt<'a>, AttributeValue<Slice<'a>>)> {
        let (mut at, mut offset) = (self.units.iter().find(|u| u.start == place.0.start)?, place.1);
        for _ in 0..ORIGINS {
            let entry = at.unit.entry(offset).ok()?;
            if let Some(value) = entry.attr_value(name) {
                return Some((at, value));
            }
            let origin = entry
                .attr_value(dw::DW_AT_abstract_origin)
                .or_else(|| entry.attr_value(dw::DW_AT_specification))?;
            let TypeId(to) = self.reference(at, &origin)?;
            at = self.unit_of(to)?;
            offset = UnitOffset(to.checked_sub(at.start)?);
        }
        None
    }

    /// The entry that an attribute refers to.
    fn reference(&self, at: &UnitAt<'a>, value: &AttributeValue<Slice<'a>>) -> Option<TypeId> {
        match value {
            AttributeValue::UnitRef(offset) => Some(TypeId(at.start.checked_add(offset.0)?)),
            // In the same file.
            AttributeValue::DebugInfoRef(DebugInfoOffset(offset)) => {
                Some(TypeId(offset.checked_add(if at.start < SHARED { 0 } else { SHARED })?))
            }
            AttributeValue::DebugInfoRefSup(DebugInfoOffset(offset)) => {
                Some(TypeId(offset.checked_add(SHARED)?))
            }
            _ => None,
        }
    }

    fn unit_of(&self, offset: usize) -> Option<&UnitAt<'a>> {
        let after = self.units.partition_point(|unit| unit.start <= offset);
        self.units.get(after.checked_sub(1)?)
    }

    fn text(&self, at: &UnitAt<'a>, value: AttributeValue<Slice<'a>>) -> String {
        let text = self.dwarf_of(at).attr_string(&at.unit, value);
        text.map(|text| text.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// The sections of a file.
fn dwarf_of<'a>(image: &'a Image, sections: &'a DebugSections) -> Dwarf<Slice<'a>> {
    let slice = |section| Slice::new(sections.0.bytes(image, section).unwrap_or_default(), LittleEndian);
    Dwarf {
        debug_abbrev: slice(Section::Abbrev).into(),
        debug_addr: slice(Section::Addr).into(),
        debug_info: slice(Section::Info).into(),
        debug_line: slice(Section::Line).into(),
        debug_line_str: slice(Section::LineStr).into(),
        debug_str: slice(Section::Str).into(),
        debug_str_offsets: slice(Section::StrOffsets).into(),
        locations: gimli::LocationLists::new(slice(Section::Loc).into(), slice(Section::LocLists).into()),
        ranges: gimli::RangeLists::new(slice(Section::Ranges).into(), slice(Section::RngLists).into()),
        ..Dwarf::default()
    }
}

/// The units of a file, whose offsets count from `base`.
fn units_of<'a>(dwarf: &Dwarf<Slice<'a>>, base: usize) -> Vec<UnitAt<'a>> {
    let mut units = Vec::new();
    let mut headers = dwarf.units();
    while let Ok(Some(header)) = headers.next() {
        let Some(start) = header.debug_info_offset().and_then(|start| start.0.checked_add(base)) else {
            continue;
        };
        let Ok(unit) = dwarf.unit(header) else { continue };
        units.extend(UnitAt::new(dwarf, start, unit));
    }
    units
}

impl<'a> UnitAt<'a> {
    /// A unit that is not Go's.
    fn new(dwarf: &Dwarf<Slice<'a>>, start: usize, unit: Unit<Slice<'a>>) -> Option<UnitAt<'a>> {
        let root = unit.entry(unit.header.root_offset()).ok()?;
        let language = match root.attr_value(dw::DW_AT_language) {
            Some(AttributeValue::Language(dw::DW_LANG_Go)) => return None,
            Some(AttributeValue::Language(dw::DW_LANG_Rust)) => Language::Rust,
            _ => Language::C,
        };
        let mut ranges = Vec::new();
        if let Ok(mut list) = dwarf.unit_ranges(&unit) {
            while let Ok(Some(range)) = list.next() {
                ranges.push((range.begin, range.end));
            }
        }
        drop(root);
        Some(UnitAt { start, unit, language, ranges, scoped: OnceCell::new() })
    }
}
