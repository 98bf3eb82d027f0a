//! Inlined calls: which functions of the source an instruction belongs to, and where a name exists only as
//! inlined copies.
//!
//! A function's inline tree is funcdata; pcdata tells the node of each instruction. Layouts:
//! `runtime/symtabinl.go`.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::GoBinary;
use super::GoFunc;
use super::lines::SourceLine;
use super::pclntab::{Format, Values};
use crate::bytes;
use crate::glob::Glob;

/// `PCDATA_InlTreeIndex`.
pub(super) const INLINE_INDEX: Values = Values::PcData(2);

/// A node of an inline tree.
#[derive(Debug, Clone, Copy)]
struct Node {
    /// Name of the inlined function: offset in the name table.
    name: u32,
    /// Where the call stood: an address of the function whose position is that of the call.
    parent_pc: u64,
    /// Line of the inlined function's `func` keyword; since Go 1.20.
    start_line: Option<u32>,
}

/// Where names, addresses and sizes stand in a node.
struct NodeLayout {
    size: usize,
    name: usize,
    parent_pc: usize,
    start_line: Option<usize>,
}

/// Go 1.2 to 1.19: parent, funcID, file, line, name, parentPc.
const OLD_NODE: NodeLayout = NodeLayout { size: 20, name: 12, parent_pc: 16, start_line: None };
/// Since Go 1.20: funcID, name, parentPc, startLine.
const NEW_NODE: NodeLayout = NodeLayout { size: 16, name: 4, parent_pc: 8, start_line: Some(12) };

/// Deepest chain of inlined calls that is followed: far above what the inliner makes, and an end for damaged
/// trees.
const DEPTH_LIMIT: usize = 256;

/// A function of the source at some instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Full name of the function.
    pub name: &'a str,
    /// The position in it: of the instruction for the innermost frame, of the inlined call for the others.
    pub line: Option<SourceLine<'a>>,
    /// Line of its `func` keyword; only since Go 1.20.
    pub start_line: Option<u32>,
    /// The frame was inlined into the next one.
    pub inlined: bool,
}

impl<'a> GoFunc<'a> {
    /// The functions of the source that the instruction at `pc` belongs to, innermost first; the last is this
    /// function itself. For a return address ask for `pc - 1`.
    pub fn frames(&self, pc: u64) -> Vec<Frame<'a>> {
        let mut frames = Vec::new();
        let mut at = pc;
        while let Some(node) = self.node_at(at).filter(|_| frames.len() < DEPTH_LIMIT) {
            let Some(name) = self.binary.table().name_at(self.binary.image(), node.name) else { break };
            frames.push(Frame { name, line: self.line(at), start_line: node.start_line, inlined: true });
            at = node.parent_pc;
        }
        frames.push(Frame {
            name: self.name(),
            line: self.line(at),
            start_line: self.start_line(),
            inlined: false,
        });
        frames
    }

    /// Names of all functions inlined into this one, at any depth, with repetitions.
    pub(super) fn inlined_names(&self) -> Vec<&'a str> {
        let names = self.inlined_name_offsets();
        names.filter_map(|offset| self.binary.table().name_at(self.binary.image(), offset)).collect()
    }

    fn inlined_name_offsets(&self) -> impl Iterator<Item = u32> {
        let tree = self.inline_tree();
        let layout = self.binary.node_layout();
        // Nodes are numbered from 0, and the number of each stands in the index table for at least one
        // instruction.
        let last = tree.and_then(|_| {
            let numbers = self.binary.table().values(self.binary.image(), self.record, INLINE_INDEX);
            numbers.filter_map(|run| usize::try_from(run.value).ok()).max()
        });
        // So there are not more nodes than bytes of code: a bound for damaged tables.
        let size = usize::try_from(self.record.limit - self.record.entry).unwrap_or(usize::MAX);
        let count = last.map_or(0, |last| last.saturating_add(1).min(size));
        (0..count)
            .map_while(move |i| bytes::u32(tree?, i.checked_mul(layout.size)?.checked_add(layout.name)?))
    }

    fn node_at(&self, pc: u64) -> Option<Node> {
        let number = self.binary.table().value_at(self.binary.image(), self.record, INLINE_INDEX, pc)?;
        let layout = self.binary.node_layout();
        let at = usize::try_from(number).ok()?.checked_mul(layout.size)?;
        let node = self.inline_tree()?.get(at..)?;
        let parent = u64::try_from(bytes::i32(node, layout.parent_pc)?).ok()?;
        Some(Node {
            name: bytes::u32(node, layout.name)?,
            parent_pc: self.entry().checked_add(parent)?,
            start_line: layout.start_line.and_then(|at| bytes::u32(node, at)),
        })
    }

    /// The bytes from the start of the function's inline tree on.
    fn inline_tree(&self) -> Option<&'a [u8]> {
        let binary = self.binary;
        // `FUNCDATA_InlTree` is 4 in Go 1.15, which still has register maps before it, and 3 since.
        let slot = if binary.table().format() == Format::Go12 { 4 } else { 3 };
        let value = binary.table().funcdata(binary.image(), self.record, slot)?;
        let vaddr = match binary.table().format() {
            Format::Go12 | Format::Go116 => value,
            Format::Go118 | Format::Go120 => binary.module().gofunc?.checked_add(value)?,
        };
        binary.image().tail(vaddr)
    }
}

/// Callers by the name of what is inlined into them: offsets of the name table, so that nothing is copied.
#[derive(Debug, Default)]
pub(super) struct Index {
    callers: HashMap<u32, Vec<u64>>,
}

impl GoBinary {
    /// The functions into which `name` is inlined, in order of address; empty when it is inlined nowhere. The
    /// first call reads the inline trees of the whole program.
    pub fn inlined_into(&self, name: &str) -> Vec<GoFunc<'_>> {
        let named = self
            .inline_index()
            .callers
            .iter()
            .filter(|(offset, _)| self.table.name_is(&self.image, **offset, name));
        let mut entries: Vec<u64> = named.flat_map(|(_, callers)| callers).copied().collect();
        entries.sort_unstable();
        entries.dedup();
        entries.into_iter().filter_map(|entry| self.function_at(entry)).collect()
    }

    fn inline_index(&self) -> &Index {
        self.inlined.get_or_init(|| {
            let mut index = Index::default();
            for function in self.functions() {
                for offset in function.inlined_name_offsets() {
                    let callers = index.callers.entry(offset).or_default();
                    if callers.last() != Some(&function.entry()) {
                        callers.push(function.entry());
                    }
                }
            }
            index
        })
    }

    /// Functions that a pattern matches and that have no code of their own because all their calls are inlined, each with the names of
    /// its callers; by name.
    pub fn inlined_only(&self, pattern: &Glob) -> Vec<(&str, Vec<&str>)> {
        let with_code: HashSet<&str> = self.functions().map(|f| f.name()).collect();
        let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (offset, callers) in &self.inline_index().callers {
            let name = self.table.name_at(&self.image, *offset);
            let Some(name) = name.filter(|n| pattern.matches(n) && !with_code.contains(n)) else { continue };
            let names = callers.iter().filter_map(|entry| Some(self.function_at(*entry)?.name()));
            found.entry(name).or_default().extend(names);
        }
        for callers in found.values_mut() {
            callers.sort_unstable();
            callers.dedup();
        }
        found.into_iter().collect()
    }

    /// Names of the callers of a function that has no code of its own because all its calls are inlined;
    /// `None` when it has code or is unknown.
    pub fn is_inlined_only(&self, name: &str) -> Option<Vec<&str>> {
        if !self.named(name).is_empty() {
            return None;
        }
        let mut callers: Vec<&str> = self.inlined_into(name).iter().map(GoFunc::name).collect();
        callers.dedup();
        (!callers.is_empty()).then_some(callers)
    }

    fn node_layout(&self) -> &'static NodeLayout {
        if self.table.format() == Format::Go120 { &NEW_NODE } else { &OLD_NODE }
    }
}
