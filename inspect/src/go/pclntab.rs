//! Go's function table (`pclntab`): every function with its name, address, exact extent and per-instruction
//! tables, also in stripped binaries, because the runtime itself needs it for tracebacks. This file finds the
//! table, reads its header and records, and decodes pc-value tables; `lines.rs` and `inline.rs` build on it.
//! Layouts: `cmd/link/internal/ld/pcln.go` and `runtime/symtab.go` of the releases named.

use std::ops::Range;

use crate::bytes;
use crate::image::Image;

/// Format of the table, by the magic number of its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// `0xfffffffb`, Go 1.2 to 1.15: one blob with offsets from its start.
    Go12,
    /// `0xfffffffa`, Go 1.16 and 1.17: separate parts.
    Go116,
    /// `0xfffffff0`, Go 1.18 and 1.19: addresses as offsets from the start of the text.
    Go118,
    /// `0xfffffff1`, since Go 1.20: records have a start line.
    Go120,
}

/// Sizes and offsets that differ between the formats.
struct Layout {
    magic: u32,
    format: Format,
    /// Bytes of one entry of the function list: two words or two halves.
    entry_size: usize,
    /// Bytes of the entry address that opens a record.
    address_size: usize,
    /// Bytes between the field `npcdata` and the `funcID` byte: compilation unit offset, start line.
    gap: usize,
    /// Bytes of a funcdata slot: an address, or an offset from `moduledata.gofunc`.
    funcdata_size: usize,
}

const LAYOUTS: [Layout; 4] = [
    Layout {
        magic: 0xffff_fffb,
        format: Format::Go12,
        entry_size: 16,
        address_size: 8,
        gap: 0,
        funcdata_size: 8,
    },
    Layout {
        magic: 0xffff_fffa,
        format: Format::Go116,
        entry_size: 16,
        address_size: 8,
        gap: 4,
        funcdata_size: 8,
    },
    Layout {
        magic: 0xffff_fff0,
        format: Format::Go118,
        entry_size: 8,
        address_size: 4,
        gap: 4,
        funcdata_size: 4,
    },
    Layout {
        magic: 0xffff_fff1,
        format: Format::Go120,
        entry_size: 8,
        address_size: 4,
        gap: 8,
        funcdata_size: 4,
    },
];

/// Sections that hold the table. Internally linked position-independent binaries before Go 1.26 use the
/// second; externally linked ones have none of their own.
const SECTIONS: [&str; 2] = [".gopclntab", ".data.rel.ro.gopclntab"];

/// Places that look like a header, at most so many are tried: each costs a search for its module data.
const CANDIDATE_LIMIT: usize = 16;

/// Offset of a funcdata slot that is empty.
const NO_FUNCDATA: u32 = u32::MAX;

/// The table of one binary: where its parts are. Holds no bytes.
#[derive(Debug, Clone)]
pub(crate) struct Pclntab {
    vaddr: u64,
    /// The table in the file; its end is that of the section or segment.
    file: Range<usize>,
    layout: &'static Layout,
    quantum: u64,
    count: usize,
    names: usize,
    units: usize,
    files: usize,
    values: usize,
    functions: usize,
    /// Start of the text: `moduledata.text`, set once the module data is found. 0 before Go 1.18.
    text: u64,
}

impl std::fmt::Debug for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.format.fmt(f)
    }
}

/// One function of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    /// First address.
    pub(crate) entry: u64,
    /// First address of the next function (or the end of the text): a bound of the extent that includes
    /// padding.
    pub(crate) limit: u64,
    /// Offset of the record in the table.
    at: usize,
}

/// Per-instruction tables of a record, by the order of their offsets there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Values {
    StackDelta,
    File,
    Line,
    PcData(usize),
}

impl Pclntab {
    /// Candidates for the table of a binary: its section, else every place in the loadable segments that
    /// looks like a header. The caller accepts the one that the module data points to.
    pub(crate) fn candidates(image: &Image) -> Vec<Pclntab> {
        for name in SECTIONS {
            if let Some(section) = image.section(name)
                && let Some(table) = Pclntab::parse(image, section.vaddr, Some(section.file.len()))
            {
                return vec![table];
            }
        }
        let segments = image.segments().iter().filter_map(|s| Some((s.vaddr, image.tail(s.vaddr)?)));
        let words = segments.flat_map(|(vaddr, data)| {
            let offsets = (0u64..).step_by(8);
            data.chunks_exact(8)
                .zip(offsets)
                .filter_map(move |(word, at)| Some((word, vaddr.checked_add(at)?)))
        });
        let headers = words.filter(|(word, _)| {
            let magic = bytes::u32(word, 0);
            LAYOUTS.iter().any(|layout| magic == Some(layout.magic)) && word.get(4..6) == Some(&[0, 0])
        });
        headers.filter_map(|(_, vaddr)| Pclntab::parse(image, vaddr, None)).take(CANDIDATE_LIMIT).collect()
    }

    /// Reads the header at `vaddr`. `None` unless it is one and its parts lie inside the table.
    pub(crate) fn parse(image: &Image, vaddr: u64, size: Option<usize>) -> Option<Pclntab> {
        let tail = image.tail(vaddr)?;
        let data = tail.get(..size.unwrap_or(tail.len()).min(tail.len()))?;
        let magic = bytes::u32(data, 0)?;
        let layout = LAYOUTS.iter().find(|l| l.magic == magic)?;
        let (quantum, word) = (bytes::u8(data, 6)?, bytes::u8(data, 7)?);
        if bytes::u16(data, 4)? != 0 || !matches!(quantum, 1 | 2 | 4) || word != 8 {
            return None;
        }
        let word = |i: usize| bytes::u64(data, 8 + 8 * i).and_then(bytes::index);
        // Header words after the count: [files, (text start,) names, units, files, values, functions].
        let (names, units, files, values, functions) = match layout.format {
            Format::Go12 => (0, 0, 0, 0, 16),
            Format::Go116 => (word(2)?, word(3)?, word(4)?, word(5)?, word(6)?),
            Format::Go118 | Format::Go120 => (word(3)?, word(4)?, word(5)?, word(6)?, word(7)?),
        };
        let count = word(0)?;
        let mut table = Pclntab {
            vaddr,
            file: 0..0,
            layout,
            quantum: u64::from(quantum),
            count,
            names,
            units,
            files,
            values,
            functions,
            text: 0,
        };
        let list = count.checked_mul(layout.entry_size)?.checked_add(functions)?;
        let fits = list.checked_add(layout.entry_size / 2)? <= data.len();
        if count == 0 || !fits || [names, units, files, values].iter().any(|&at| at >= data.len()) {
            return None;
        }
        let start = bytes::index(image.file_offset(vaddr)?)?;
        table.file = start..start.checked_add(data.len())?;
        if layout.format == Format::Go12 {
            // After the list: its end address, then the offset of the file list.
            table.files = bytes::u32(data, list.checked_add(8)?)? as usize;
        }
        Some(table)
    }

    pub(crate) fn with_text(mut self, text: u64) -> Pclntab {
        self.text = if self.format() >= Format::Go118 { text } else { 0 };
        self
    }

    pub(crate) fn format(&self) -> Format {
        self.layout.format
    }

    pub(crate) fn vaddr(&self) -> u64 {
        self.vaddr
    }

    /// Address of the name table, the second word of the module data since Go 1.16.
    pub(crate) fn names_vaddr(&self) -> Option<u64> {
        self.vaddr.checked_add(self.names as u64)
    }

    /// Address of the function list, the fourth word of the module data before Go 1.16.
    pub(crate) fn functions_vaddr(&self) -> Option<u64> {
        self.vaddr.checked_add(self.functions as u64)
    }

    fn data<'a>(&self, image: &'a Image) -> &'a [u8] {
        image.bytes().get(self.file.clone()).unwrap_or_default()
    }

    /// Address of entry `i` of the function list (the end of the text for `i == count`).
    fn address(&self, image: &Image, i: usize) -> Option<u64> {
        let at = self.functions + i * self.layout.entry_size;
        if self.layout.entry_size == 16 {
            // Whole addresses, relocated in position-independent files.
            return if image.is_position_independent() {
                image.read_word(self.vaddr.checked_add(at as u64)?)
            } else {
                bytes::u64(self.data(image), at)
            };
        }
        self.text.checked_add(u64::from(bytes::u32(self.data(image), at)?))
    }

    /// Function number `i`; `None` beyond the end or where the list is damaged.
    pub(crate) fn record(&self, image: &Image, i: usize) -> Option<Record> {
        if i >= self.count {
            return None;
        }
        let half = self.layout.entry_size / 2;
        let slot = self.functions + i * self.layout.entry_size + half;
        let offset = match half {
            8 => bytes::index(bytes::u64(self.data(image), slot)?)?,
            _ => bytes::u32(self.data(image), slot)? as usize,
        };
        let base = if self.format() == Format::Go12 { 0 } else { self.functions };
        let (entry, limit) = (self.address(image, i)?, self.address(image, i + 1)?);
        (entry <= limit).then_some(Record { entry, limit, at: base.checked_add(offset)? })
    }

    /// Whether the function list is in order of address, as searching needs it. Checked once, so that the
    /// extents of all functions together are not more than the text.
    pub(crate) fn is_ordered(&self, image: &Image) -> bool {
        (0..=self.count)
            .map(|i| self.address(image, i))
            .try_fold(0, |last, address| address.filter(|&a| a >= last))
            .is_some()
    }

    /// All functions in order of address.
    pub(crate) fn records<'a>(&'a self, image: &'a Image) -> impl Iterator<Item = Record> + use<'a> {
        (0..self.count).filter_map(|i| self.record(image, i))
    }

    /// The function whose code, or the padding after it, contains `pc`.
    pub(crate) fn record_at(&self, image: &Image, pc: u64) -> Option<Record> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.address(image, middle)? <= pc {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        self.record(image, low.checked_sub(1)?).filter(|r| r.entry <= pc && pc < r.limit)
    }

    /// A 32-bit field of a record, `index` counted from the name offset.
    fn field(&self, image: &Image, record: Record, index: usize) -> Option<u32> {
        bytes::u32(self.data(image), record.at.checked_add(self.layout.address_size + 4 * index)?)
    }

    /// Offset of the four bytes `funcID, flag, –, nfuncdata` of a record.
    fn tail_at(&self, record: Record) -> Option<usize> {
        record.at.checked_add(self.layout.address_size + 28 + self.layout.gap)
    }

    pub(crate) fn name<'a>(&self, image: &'a Image, record: Record) -> Option<&'a str> {
        self.name_at(image, self.field(image, record, 0)?)
    }

    /// The name at an offset of the name table.
    pub(crate) fn name_at<'a>(&self, image: &'a Image, offset: u32) -> Option<&'a str> {
        bytes::c_str(self.data(image), self.names.checked_add(offset as usize)?)
    }

    /// Whether the name at an offset of the name table is `name`.
    pub(crate) fn name_is(&self, image: &Image, offset: u32, name: &str) -> bool {
        bytes::c_str_is(self.data(image), self.names.saturating_add(offset as usize), name.as_bytes())
    }

    pub(crate) fn record_name_is(&self, image: &Image, record: Record, name: &str) -> bool {
        self.field(image, record, 0).is_some_and(|offset| self.name_is(image, offset, name))
    }

    /// Bytes of arguments, results and register spill slots (before Go 1.17: of stack arguments).
    pub(crate) fn args_size(&self, image: &Image, record: Record) -> Option<i32> {
        self.field(image, record, 1).map(u32::cast_signed)
    }

    /// `funcID`: a runtime function that tracebacks treat specially, or a wrapper.
    pub(crate) fn func_id(&self, image: &Image, record: Record) -> Option<u8> {
        bytes::u8(self.data(image), self.tail_at(record)?)
    }

    /// `flag` bits; none before Go 1.17 (the byte is padding there).
    pub(crate) fn flags(&self, image: &Image, record: Record) -> u8 {
        let flag = || bytes::u8(self.data(image), self.tail_at(record)?.checked_add(1)?);
        if self.format() == Format::Go12 { 0 } else { flag().unwrap_or(0) }
    }

    /// Line of the `func` keyword; only since Go 1.20.
    pub(crate) fn start_line(&self, image: &Image, record: Record) -> Option<u32> {
        (self.format() == Format::Go120).then(|| self.field(image, record, 8)).flatten()
    }

    /// Name of file number `number` of the record's compilation unit.
    pub(crate) fn file_name<'a>(&self, image: &'a Image, record: Record, number: i32) -> Option<&'a str> {
        let number = usize::try_from(number).ok()?;
        let data = self.data(image);
        let entry = |base: usize, i: usize| bytes::u32(data, base.checked_add(i.checked_mul(4)?)?);
        if self.format() == Format::Go12 {
            return bytes::c_str(data, entry(self.files, number)? as usize);
        }
        let unit = self.field(image, record, 7)? as usize;
        let offset = entry(self.units, unit.checked_add(number)?)?;
        if offset == u32::MAX {
            return None;
        }
        bytes::c_str(data, self.files.checked_add(offset as usize)?)
    }

    /// Content of funcdata slot `index`: an address before Go 1.18, an offset from `moduledata.gofunc` since.
    pub(crate) fn funcdata(&self, image: &Image, record: Record, index: usize) -> Option<u64> {
        let data = self.data(image);
        let tail = self.tail_at(record)?;
        let (pcdata, count) =
            (self.field(image, record, 6)? as usize, usize::from(bytes::u8(data, tail.checked_add(3)?)?));
        if index >= count {
            return None;
        }
        let slots = tail.checked_add(4)?.checked_add(pcdata.checked_mul(4)?)?;
        if self.layout.funcdata_size == 4 {
            let offset = bytes::u32(data, slots.checked_add(4 * index)?)?;
            return (offset != NO_FUNCDATA).then_some(u64::from(offset));
        }
        // The slots are aligned in memory; the table itself starts at an aligned address.
        let slot = slots.checked_next_multiple_of(8)?.checked_add(8 * index)?;
        image.read_word(self.vaddr.checked_add(slot as u64)?).filter(|&address| address != 0)
    }

    /// Whether the linker knows nothing of the stack of the function (`runtime.funcspdelta` calls that a table of offset 0): code of
    /// object files that other compilers made (cgo), and marks in the text.
    pub(crate) fn is_foreign(&self, image: &Image, record: Record) -> bool {
        self.field(image, record, 3) == Some(0)
    }

    /// Iterates a pc-value table of a record; empty when the record has no such table.
    pub(crate) fn values<'a>(&self, image: &'a Image, record: Record, which: Values) -> PcValues<'a> {
        let offset = match which {
            Values::StackDelta => self.field(image, record, 3),
            Values::File => self.field(image, record, 4),
            Values::Line => self.field(image, record, 5),
            Values::PcData(index) => self.pcdata(image, record, index),
        };
        // Offset 0 means that there is no table.
        let table = offset
            .filter(|&offset| offset != 0)
            .and_then(|offset| self.data(image).get(self.values.checked_add(offset as usize)?..))
            .unwrap_or_default();
        PcValues { table, at: 0, pc: record.entry, value: -1, limit: record.limit, quantum: self.quantum }
    }

    fn pcdata(&self, image: &Image, record: Record, index: usize) -> Option<u32> {
        if index >= self.field(image, record, 6)? as usize {
            return None;
        }
        bytes::u32(
            self.data(image),
            self.tail_at(record)?.checked_add(4)?.checked_add(index.checked_mul(4)?)?,
        )
    }

    /// The value at `pc`; `None` when the table is absent or damaged, or does not reach so far.
    pub(crate) fn value_at(&self, image: &Image, record: Record, which: Values, pc: u64) -> Option<i32> {
        self.values(image, record, which)
            .find(|run| pc < run.end)
            .filter(|run| pc >= run.start)
            .map(|run| run.value)
    }

    /// First address after the function's last instruction. The line table ends there exactly, while the next
    /// entry is later by padding; a function without a line table has its stack table, else reaches up to the
    /// next entry.
    pub(crate) fn end(&self, image: &Image, record: Record) -> u64 {
        let last = |which| self.values(image, record, which).last().map(|run| run.end);
        last(Values::Line).or_else(|| last(Values::StackDelta)).unwrap_or(record.limit)
    }
}

/// A range of instructions with one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) value: i32,
}

/// Decodes a pc-value table: pairs of varints, a zigzag value delta (from −1) and an address delta in
/// instruction quanta; a value delta of 0 that is not the first ends the table.
#[derive(Debug, Clone)]
pub(crate) struct PcValues<'a> {
    table: &'a [u8],
    at: usize,
    pc: u64,
    value: i32,
    limit: u64,
    quantum: u64,
}

impl Iterator for PcValues<'_> {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        let first = self.at == 0;
        let (delta, at) = bytes::uvarint(self.table, self.at)?;
        let delta = u32::try_from(delta).ok()?;
        if delta == 0 && !first {
            self.table = &[];
            return None;
        }
        let (step, at) = bytes::uvarint(self.table, at)?;
        let zigzag = (delta >> 1).cast_signed() ^ -(delta & 1).cast_signed();
        let start = self.pc;
        let end = start.checked_add(step.checked_mul(self.quantum)?)?;
        // A step of nothing or beyond the function is damage; it also bounds the walk by the size of the
        // text.
        if end <= start || end > self.limit {
            self.table = &[];
            return None;
        }
        self.value = self.value.wrapping_add(zigzag);
        (self.at, self.pc) = (at, end);
        Some(Run { start, end, value: self.value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(table: &[u8], limit: u64) -> Vec<(u64, u64, i32)> {
        let values = PcValues { table, at: 0, pc: 100, value: -1, limit, quantum: 1 };
        values.map(|r| (r.start, r.end, r.value)).collect()
    }

    #[test]
    fn zigzag_deltas_from_minus_one() {
        // +1, 4 bytes; +8, 2 bytes; -8, 1 byte; end.
        assert_eq!(runs(&[2, 4, 16, 2, 15, 1, 0], 200), [(100, 104, 0), (104, 106, 8), (106, 107, 0)]);
        // A first delta of zero is a value of -1, not the end.
        assert_eq!(runs(&[0, 4, 0], 200), [(100, 104, -1)]);
    }

    #[test]
    fn damage_ends_the_walk() {
        assert_eq!(runs(&[2, 4, 16], 200), [(100, 104, 0)]);
        assert_eq!(runs(&[2, 0, 16, 2], 200), []);
        assert_eq!(runs(&[2, 101, 0], 200), []);
        assert_eq!(runs(&[], 200), []);
    }
}
