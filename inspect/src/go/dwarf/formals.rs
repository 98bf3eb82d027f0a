//! The parameters and results of a function, as its DWARF entry lists them: in the order of the list, without
//! judgement. [`crate::go::signature`] knows what the lists of each release lack.
//!
//! Both are `DW_TAG_formal_parameter`; a result has `DW_AT_variable_parameter`. A function that is also
//! inlined somewhere has its names and types in an abstract entry (`DW_AT_abstract_origin`).

use gimli::constants as dw;
use gimli::{AttributeValue, Expression, Operation, Unit, UnitOffset};

use super::types::{Shape, Types};
use super::{DwarfError, Entry, Place, Reader, Slice, Work};

/// A parameter or result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::go) struct Formal {
    /// Name; `~r0` and the like for a result without one.
    pub(in crate::go) name: String,
    pub(in crate::go) is_result: bool,
    /// The entry of its type.
    pub(in crate::go) ty: Option<Place>,
    /// `None` when its type cannot be read.
    pub(in crate::go) shape: Option<Shape>,
    /// Its place in memory, where one is given: of a parameter at the function's entry, of a result when it has
    /// been set.
    pub(in crate::go) place: Option<MemoryPlace>,
}

/// Where a variable lies in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::go) struct MemoryPlace {
    /// Bytes from the canonical frame address; negative in the function's own frame.
    pub(in crate::go) from_cfa: i64,
    /// Bytes of the variable that the place accounts for, in registers too; `None` when it does not say. Go's
    /// compiler leaves out the dead parts of a variable: then this is less than its size, and `from_cfa` the
    /// place of some later part.
    pub(in crate::go) covers: Option<u64>,
}

/// Entries from which an entry may come, one after the other. Go's compiler makes one.
const ORIGINS: usize = 4;
/// Entries of a list of places that are looked at: the first one in memory says all.
const LIST_LIMIT: usize = 64;
/// Operations of a place that are looked at: a parameter has a piece per word.
const OPERATION_LIMIT: usize = 64;

/// Reads the list of the function whose entry is `function` and whose code starts at `start`.
pub(super) fn read<'a>(
    reader: &Reader<'a>,
    unit: &Unit<Slice<'a>>,
    function: UnitOffset,
    start: u64,
) -> Result<Vec<Formal>, DwarfError> {
    let mut types = Types::new(reader);
    let mut work = Work::for_signature();
    let mut entries = unit.entries_raw(Some(function))?;
    let mut entry = Entry::null();
    entries.read_entry(&mut entry)?;
    let mut formals = Vec::new();
    while entries.next_depth() > 0 && !entries.is_empty() {
        let at = entries.next_offset();
        if !entries.read_entry(&mut entry)? {
            continue;
        }
        work.spend(1 + entry.attrs().len())?;
        // Deeper ones belong to inlined calls.
        if entry.depth() == 1 && entry.tag() == dw::DW_TAG_formal_parameter {
            formals.push(formal(reader, unit, (at, start), &mut types, &mut work)?);
        }
    }
    Ok(formals)
}

fn formal<'a>(
    reader: &Reader<'a>,
    unit: &Unit<Slice<'a>>,
    (offset, start): (UnitOffset, u64),
    types: &mut Types<'_, 'a>,
    work: &mut Work,
) -> Result<Formal, DwarfError> {
    let mut entry = unit.entry(offset)?;
    let location = entry.attr_value(dw::DW_AT_location).filter(|_| reader.places);
    let location_unit = unit;
    let (mut name, mut is_result, mut of): (Option<String>, Option<bool>, Option<Place>) = (None, None, None);
    let mut unit_of_origin: Unit<Slice<'a>>;
    let mut unit = unit;
    for _ in 0..ORIGINS {
        work.spend(1 + entry.attrs().len())?;
        let mut origin = None;
        for attribute in entry.attrs() {
            let value = attribute.value();
            match attribute.name() {
                dw::DW_AT_name if name.is_none() => name = Some(reader.string(value)?),
                dw::DW_AT_variable_parameter if is_result.is_none() => {
                    is_result = Some(matches!(value, AttributeValue::Flag(true)));
                }
                dw::DW_AT_type if of.is_none() => of = reader.referred(unit, &value)?,
                dw::DW_AT_abstract_origin => origin = reader.referred(unit, &value)?,
                _ => {}
            }
        }
        let Some(place) = origin else { break };
        let Some(next) = reader.unit_at(place)? else { break };
        unit_of_origin = next;
        entry = unit_of_origin.entry(place.entry)?;
        unit = &unit_of_origin;
    }
    let is_result = is_result.unwrap_or(false);
    let place = match location {
        Some(value) => home(reader, location_unit, value, (!is_result).then_some(start))?,
        None => None,
    };
    let shape = of.map(|of| types.shape(of, work)).transpose()?.flatten();
    Ok(Formal { name: name.unwrap_or_default(), is_result, ty: of, shape, place })
}

/// Where a variable lies in memory, if asked for at one address: elsewhere a parameter may have got another
/// value, and with it that value's place.
fn home<'a>(
    reader: &Reader<'a>,
    unit: &Unit<Slice<'a>>,
    value: AttributeValue<Slice<'a>>,
    at: Option<u64>,
) -> Result<Option<MemoryPlace>, DwarfError> {
    if let AttributeValue::Exprloc(expression) = value {
        return in_memory(unit, expression);
    }
    let Some(mut list) = reader.dwarf.attr_locations(unit, value)? else { return Ok(None) };
    for _ in 0..LIST_LIMIT {
        let Some(entry) = list.next()? else { break };
        if at.is_none_or(|at| (entry.range.begin..entry.range.end).contains(&at))
            && let Some(place) = in_memory(unit, entry.data)?
        {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// Reads an expression of the forms that Go writes for memory: the frame base (which is the canonical frame
/// address) with an offset, whole or in pieces. In pieces the first one in memory decides.
fn in_memory(
    unit: &Unit<Slice<'_>>,
    expression: Expression<Slice<'_>>,
) -> Result<Option<MemoryPlace>, DwarfError> {
    let mut operations = expression.operations(unit.encoding());
    // The address that the next piece is at, and what the first piece in memory says of the variable's start.
    let mut address = None;
    let mut start = None;
    let mut covered = 0u64;
    for _ in 0..OPERATION_LIMIT {
        match operations.next()? {
            Some(Operation::CallFrameCFA) => address = Some(0),
            Some(Operation::FrameOffset { offset }) => address = Some(offset),
            Some(Operation::Piece { size_in_bits, .. }) => {
                let before = address.take().and_then(|at: i64| at.checked_sub_unsigned(covered));
                start = start.or(before);
                covered = covered.saturating_add(size_in_bits / 8);
            }
            Some(Operation::Register { .. }) => address = None,
            // A constant, or an address that must be followed first (a variable on the heap).
            Some(_) => return Ok(None),
            None => break,
        }
    }
    let whole = address.map(|from_cfa| MemoryPlace { from_cfa, covers: None });
    Ok(start.map(|from_cfa| MemoryPlace { from_cfa, covers: Some(covered) }).or(whole))
}
