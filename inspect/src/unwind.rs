//! Unwinding tables: how the caller's registers are found at each instruction, from `.eh_frame` (`.debug_frame` where
//! there is none), in a form that a BPF program can search. The loader puts the rows into a map; the program walks stacks by them.
//!
//! Only what a walk needs is kept: where the frame ends (the CFA, the stack pointer of the caller once it has been returned to), and
//! where the return address and the caller's frame pointer are. Which registers that concerns is said by architecture, in `x86_64.rs` and
//! `aarch64.rs`. Of DWARF expressions those are understood that compilers, linkers and the hand-written code of well-known libraries use;
//! the others end a walk ([`Rule::Unknown`]).
//!
//! Go's linker writes no `.eh_frame` for Go code, which keeps frame pointers; its `.debug_frame` says nothing of these and is not used.

mod aarch64;
mod x86_64;

use std::collections::HashMap;
use std::ops::Range;

use gimli::{
    BaseAddresses, CieOrFde, CommonInformationEntry, DebugFrame, EhFrame, EhFrameHdr, EndianSlice,
    LittleEndian, Operation, Pointer, Register, UnwindContext, UnwindExpression, UnwindSection,
    UnwindTableRow, Vendor,
};

use crate::elf::{Arch, Binary};
use crate::go::dwarf::sections::{Section, Sections};
use crate::image::Image;

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// What holds from an instruction on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Address of the instruction, counted from [`UnwindTable::base`].
    pub start: u32,
    /// How the caller's registers are found.
    pub rule: Rule,
}

/// How the registers of the caller are found at an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// The table says nothing of this code: try its frame pointer.
    Nothing,
    /// There is no caller: the thread begins here.
    Outermost,
    /// The table says it in a way that is not understood.
    Unknown,
    /// Of x86-64: the CFA, and in how many words below it the caller's `rbp` is saved; 0 when `rbp` still is the caller's. The return
    /// address is the word below the CFA.
    Frame(Cfa, u16),
    /// Of arm64: the CFA, and where the return address is.
    Linked(Cfa, Link),
    /// The frame of a signal handler: the interrupted code's registers are in the `ucontext` that the stack pointer leads to.
    Signal,
}

/// Where a function of arm64 has the return address and the caller's `x29`. Distances are in words below the CFA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Link {
    /// In `x30`, `x29` is the caller's.
    Register,
    /// Saved at this distance; `x29` is the caller's.
    Alone(u16),
    /// Saved above the caller's `x29`, which is saved at this distance.
    Pair(u16),
}

/// How the end of a frame is found. Offsets are in words of 8 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cfa {
    /// `rsp` (`sp`) and an offset.
    Sp(i16),
    /// `rbp` (`x29`) and an offset.
    Bp(i16),
    /// Of x86-64, as all that follow. In an entry of the procedure linkage table, 16 bytes long, whose instructions from this byte on come
    /// behind a push: `rsp + 8`, and 8 more there.
    Plt(u8),
    /// The word at `rsp` and an offset, and 8 more: code that has aligned its stack and saved the old pointer there.
    AtSp(i16),
    /// The word at `rbp` and an offset; the caller's `rbp` is where `rbp` points to. So compilers align the stack.
    AtBp(i16),
}

/// The table of one file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnwindTable {
    base: u64,
    rows: Vec<Row>,
}

/// The code of a function: first address, end, and where its entry is in the section.
struct Extent<T> {
    start: u64,
    end: u64,
    entry: T,
}

/// Bytes of a common entry that is believed. Each function that refers to it costs reading it; real ones have about 20.
const COMMON_ENTRY: usize = 1024;
/// Bytes of a word.
const WORD: i64 = 8;

impl UnwindTable {
    /// The table of a binary; `None` if it has no unwinding information that can be read.
    pub fn of(binary: &Binary) -> Option<UnwindTable> {
        let go = matches!(binary.go(), Ok(Some(_)));
        UnwindTable::of_image(binary.image(), !go)
    }

    /// The table of a memory image, which is what the kernel's `vdso` is. `debug`: use `.debug_frame` where there is no `.eh_frame`.
    pub fn of_image(image: &Image, debug: bool) -> Option<UnwindTable> {
        let code = code(image)?;
        // What return addresses are signed with is said in an instruction of its own.
        let vendor = match image.arch() {
            Arch::Aarch64 => Vendor::AArch64,
            Arch::X86_64 => Vendor::Default,
        };
        if let Some((bytes, address)) = eh_frame(image) {
            let mut section = EhFrame::from(Slice::new(bytes, LittleEndian));
            section.set_vendor(vendor);
            let text = image.section(".text").map_or(0, |s| s.vaddr);
            let bases = BaseAddresses::default().set_eh_frame(address).set_text(text);
            return read(&section, &bases, image, code);
        }
        if !debug {
            return None;
        }
        let sections = Sections::default();
        let bytes = sections.bytes(image, Section::Frame).ok().filter(|bytes| !bytes.is_empty())?;
        let mut section = DebugFrame::from(Slice::new(bytes, LittleEndian));
        section.set_address_size(8);
        section.set_vendor(vendor);
        read(&section, &BaseAddresses::default(), image, code)
    }

    /// The address (vaddr) that rows count from.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// The rows in order of address; each holds up to the next one.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// What holds at an address (vaddr).
    pub fn rule(&self, vaddr: u64) -> Rule {
        let Some(at) = vaddr.checked_sub(self.base) else { return Rule::Nothing };
        let behind = self.rows.partition_point(|row| u64::from(row.start) <= at);
        behind.checked_sub(1).and_then(|n| self.rows.get(n)).map_or(Rule::Nothing, |row| row.rule)
    }
}

/// First address and end of the executable segments.
fn code(image: &Image) -> Option<(u64, u64)> {
    let code = || image.segments().iter().filter(|s| s.executable);
    let start = code().map(|s| s.vaddr).min()?;
    let end = code().filter_map(|s| s.vaddr.checked_add(s.mem_size)).max()?;
    Some((start, end))
}

/// The bytes of `.eh_frame` and their address: by the name of the section, else by the program header of its index.
fn eh_frame(image: &Image) -> Option<(&[u8], u64)> {
    if let Some(section) = image.section(".eh_frame")
        && let Some(bytes) = image.section_bytes(".eh_frame").filter(|bytes| !bytes.is_empty())
    {
        return Some((bytes, section.vaddr));
    }
    let address = image.eh_frame_index()?;
    let bases = BaseAddresses::default().set_eh_frame_hdr(address);
    let index = EhFrameHdr::new(image.tail(address)?, LittleEndian).parse(&bases, 8).ok()?;
    let Pointer::Direct(start) = index.eh_frame_ptr() else { return None };
    Some((image.tail(start)?, start))
}

/// The rows of a section for the code between two addresses of a file.
fn read<'a, S>(section: &S, bases: &BaseAddresses, image: &Image, code: (u64, u64)) -> Option<UnwindTable>
where
    S: UnwindSection<Slice<'a>>,
    S::Offset: std::hash::Hash,
{
    let (base, end) = code;
    // Also those that cannot be read, each of which may be long.
    let mut common: HashMap<S::Offset, gimli::Result<CommonInformationEntry<Slice<'a>>>> = HashMap::new();
    let mut functions = Vec::new();
    let mut entries = section.entries(bases);
    while let Ok(Some(entry)) = entries.next() {
        let CieOrFde::Fde(partial) = entry else { continue };
        let parsed = partial.parse(|section, bases, offset| {
            common.entry(offset).or_insert_with(|| section.cie_from_offset(bases, offset)).clone()
        });
        let Ok(fde) = parsed else { continue };
        let (start, last) = (fde.initial_address(), fde.initial_address().saturating_add(fde.len()));
        let fits = base <= start && start < last && last <= end && u32::try_from(last - base).is_ok();
        if fits && fde.cie().entry_len() <= COMMON_ENTRY {
            functions.push(Extent { start, end: last, entry: fde });
        }
    }
    functions.sort_by_key(|f| f.start);
    let mut rows = Rows::default();
    let mut context = UnwindContext::new();
    // What a linker removed is said to be at address 0 or at another function's: the first one counts.
    let mut behind = base;
    for Extent { start, end, entry } in functions {
        if start < behind {
            continue;
        }
        if start > behind {
            rows.push(behind - base, Rule::Nothing);
            rows.push_known(image, behind..start, base);
        }
        behind = end;
        rows.push(start - base, Rule::Unknown);
        let Ok(mut table) = entry.rows(section, bases, &mut context) else { continue };
        let signal = entry.is_signal_trampoline();
        loop {
            match table.next_row() {
                Ok(Some(row)) if (start..end).contains(&row.start_address()) => {
                    rows.push(row.start_address() - base, rule(row, section, image.arch(), signal));
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                // What comes behind the damage is not known.
                Err(_) => break rows.forget_last(),
            }
        }
    }
    if rows.0.is_empty() {
        return None;
    }
    rows.push(behind - base, Rule::Nothing);
    rows.push_known(image, behind..end, base);
    Some(UnwindTable { base, rows: rows.0 })
}

/// Rows in order of address, each different from the one before.
#[derive(Default)]
struct Rows(Vec<Row>);

impl Rows {
    fn push(&mut self, start: u64, rule: Rule) {
        let Ok(start) = u32::try_from(start) else { return };
        match self.0.last() {
            Some(last) if last.start > start => return,
            Some(last) if last.start == start => {
                self.0.pop();
            }
            _ => {}
        }
        if self.0.last().is_none_or(|last| last.rule != rule) {
            self.0.push(Row { start, rule });
        }
    }

    /// Code that the section says nothing of and that is known all the same.
    fn push_known(&mut self, image: &Image, code: Range<u64>, base: u64) {
        if image.arch() == Arch::Aarch64 {
            for (address, rule) in aarch64::known(image, code) {
                self.push(address - base, rule);
            }
        }
    }

    fn forget_last(&mut self) {
        if let Some(last) = self.0.last_mut() {
            last.rule = Rule::Unknown;
        }
    }
}

/// What a row says.
fn rule<'a, S: UnwindSection<Slice<'a>>>(
    row: &UnwindTableRow<usize>,
    section: &S,
    arch: Arch,
    signal: bool,
) -> Rule {
    match arch {
        Arch::X86_64 => x86_64::rule(row, section, signal),
        Arch::Aarch64 => aarch64::rule(row, signal),
    }
}

/// The greatest distance below the CFA, in words, of something saved.
const MOST_SAVED: u16 = 0xfff;

/// How many words below the CFA something is that is saved at this offset from it.
fn distance(offset: i64) -> Option<u16> {
    u16::try_from(words(offset)?.checked_neg()?).ok().filter(|n| (1..=MOST_SAVED).contains(n))
}

/// Bytes as words; `None` for parts of words and what is far away.
fn words(bytes: i64) -> Option<i16> {
    (bytes % WORD == 0).then(|| i16::try_from(bytes / WORD).ok())?
}

/// The register and the offset that make up an expression.
fn register_offset<'a, S>(expression: &UnwindExpression<usize>, section: &S) -> Option<(Register, i64)>
where
    S: UnwindSection<Slice<'a>>,
{
    match operations(expression, section)?.as_slice() {
        [Operation::RegisterOffset { register, offset, .. }] => Some((*register, *offset)),
        _ => None,
    }
}

/// Operations of the longest expression that is understood.
const MOST_OPERATIONS: usize = 9;

fn operations<'a, S>(expression: &UnwindExpression<usize>, section: &S) -> Option<Vec<Operation<Slice<'a>>>>
where
    S: UnwindSection<Slice<'a>>,
{
    let encoding = gimli::Encoding { address_size: 8, format: gimli::Format::Dwarf32, version: 4 };
    let mut operations = expression.get(section).ok()?.operations(encoding);
    let mut all = Vec::new();
    while let Some(operation) = operations.next().ok()? {
        if all.len() == MOST_OPERATIONS {
            return None;
        }
        all.push(operation);
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::time::{Duration, Instant};

    /// A common entry that cannot be read, however long, is looked at once and not for each function that refers to it.
    #[test]
    fn an_unreadable_common_entry_is_read_once() {
        let mut bytes = Vec::new();
        let mut entry = |to: Option<usize>, rest: &[u8]| {
            let at = bytes.len() + 4;
            bytes.extend((rest.len() as u32 + 4).to_le_bytes());
            bytes.extend(to.map_or(0, |to| (at - to) as u32).to_le_bytes());
            bytes.extend(rest);
        };
        // Where no reader looks that goes from entry to entry: version 1 and an augmentation of a megabyte that means nothing.
        let mut hidden = vec![b'x'; 1 << 20];
        hidden[..9].copy_from_slice(&[0xf0, 0xff, 0xf, 0, 0, 0, 0, 0, 1]);
        hidden.extend([0; 16]);
        entry(Some(0), &hidden);
        for _ in 0..20_000 {
            entry(Some(8), &[0; 16]);
        }
        // An ELF header of x86-64 without anything behind it.
        let mut header = vec![0; 64];
        header[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1]);
        header[16..24].copy_from_slice(&[2, 0, 62, 0, 1, 0, 0, 0]);
        (header[52], header[54]) = (64, 56);
        let image = Image::parse(header, Path::new("empty")).unwrap();
        let start = Instant::now();
        let section = EhFrame::from(Slice::new(&bytes, LittleEndian));
        assert_eq!(read(&section, &BaseAddresses::default(), &image, (0x1000, 0x2000)), None);
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    }
}
