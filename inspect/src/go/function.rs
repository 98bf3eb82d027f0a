//! One function of a Go binary, and the ways to get at functions: all, by name, by pattern, by address. What
//! is known about a function is spread over the neighbouring files; this one holds the handle and its plain
//! fields.

use super::GoBinary;
use super::abi::Abi;
use super::pclntab::{Record, Values};
use super::wrapper::Role;
use crate::glob::Glob;

/// Suffix of the symbol of a function with stack arguments whose name also exists with register arguments
/// (`cmd/link`, `mangleABIName`).
const ABI0_SUFFIX: &str = ".abi0";
/// What the function table of Go 1.18 and 1.19 writes instead of the type arguments of an instance.
const ELIDED_ARGUMENTS: &str = "[...]";

/// Bits of a function's `flag` byte (`internal/abi.FuncFlag`, since Go 1.17).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FuncFlags(pub u8);

impl FuncFlags {
    /// Outermost frame of a stack: tracebacks stop here.
    pub fn is_top_frame(self) -> bool {
        self.0 & 1 != 0
    }

    /// The function writes SP in ways that the stack table does not describe.
    pub fn writes_sp(self) -> bool {
        self.0 & 2 != 0
    }

    /// Written in assembly.
    pub fn is_assembly(self) -> bool {
        self.0 & 4 != 0
    }
}

/// A function with code of its own. A cheap handle: facts are computed by the methods.
#[derive(Debug, Clone, Copy)]
pub struct GoFunc<'a> {
    pub(super) binary: &'a GoBinary,
    pub(super) record: Record,
    name: &'a str,
    abi0_symbol: bool,
}

impl PartialEq for GoFunc<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.binary, other.binary) && self.record == other.record
    }
}

impl Eq for GoFunc<'_> {}

impl<'a> GoFunc<'a> {
    /// Full name, for example `net/http.(*conn).serve` or `main.Map[go.shape.int]`. Two functions can share
    /// one: the body and an ABI wrapper, and instances of a generic function in a stripped binary of Go 1.18
    /// or 1.19 (`main.Map[...]`).
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// First address.
    pub fn entry(&self) -> u64 {
        self.record.entry
    }

    /// First address after the last instruction; padding that follows is not included.
    pub fn end(&self) -> u64 {
        self.binary.table().end(self.binary.image(), self.record)
    }

    /// The machine code.
    pub fn code(&self) -> &'a [u8] {
        let size = usize::try_from(self.end() - self.entry()).unwrap_or(0);
        self.code_and_padding().get(..size).unwrap_or_default()
    }

    /// The machine code and the padding after it: cheaper than [`GoFunc::code`] where only the start is
    /// looked at.
    pub(super) fn code_and_padding(&self) -> &'a [u8] {
        let size = usize::try_from(self.record.limit - self.entry()).unwrap_or(0);
        let tail = self.binary.image().tail(self.entry()).unwrap_or_default();
        tail.get(..size).unwrap_or(tail)
    }

    /// File offset of an address of the function, as a uprobe wants it.
    pub fn file_offset(&self, vaddr: u64) -> Option<u64> {
        self.binary.image().file_offset(vaddr)
    }

    /// Flag bits; all clear before Go 1.17.
    pub fn flags(&self) -> FuncFlags {
        FuncFlags(self.binary.table().flags(self.binary.image(), self.record))
    }

    /// Whether it is written in assembly. Unknown, hence `false`, before Go 1.17.
    pub fn is_assembly(&self) -> bool {
        self.flags().is_assembly()
    }

    /// Whether the compiler made it as a wrapper (`funcID`): ABI wrapper, method wrapper, method value,
    /// `go`/`defer` closure.
    pub fn is_compiler_wrapper(&self) -> bool {
        let id = self.binary.table().func_id(self.binary.image(), self.record);
        id == Some(super::wrapper::wrapper_func_id(self.binary.release()))
    }

    /// Whether it is no Go code but C that cgo linked in: with C's calling convention, without lines and sizes of frames.
    pub fn is_foreign(&self) -> bool {
        self.binary.table().is_foreign(self.binary.image(), self.record)
    }

    /// Bytes of stack arguments, results and spill slots; `None` when the function does not say (variadic
    /// assembly).
    pub fn args_size(&self) -> Option<u32> {
        self.binary.table().args_size(self.binary.image(), self.record).and_then(|n| u32::try_from(n).ok())
    }

    /// Line of the `func` keyword; only since Go 1.20.
    pub fn start_line(&self) -> Option<u32> {
        self.binary.table().start_line(self.binary.image(), self.record)
    }

    /// How arguments are passed.
    pub fn abi(&self) -> Abi {
        super::abi::of(self, self.abi0_symbol)
    }

    /// Whether it is a body of its own or forwards to another function.
    pub fn role(&self) -> Role {
        super::wrapper::role(self)
    }

    /// Bytes between SP at `pc` and SP at the function's entry (`pcsp`): 0 where no frame is set up yet.
    pub fn sp_delta(&self, pc: u64) -> Option<u32> {
        let value = self.binary.table().value_at(self.binary.image(), self.record, Values::StackDelta, pc)?;
        u32::try_from(value).ok()
    }
}

impl GoBinary {
    /// All Go functions with code, in order of address.
    pub fn functions(&self) -> impl Iterator<Item = GoFunc<'_>> {
        self.functions_where(false)
    }

    /// The functions of the table that are [foreign](GoFunc::is_foreign), in order of address: a stripped binary has their names
    /// nowhere else.
    pub fn foreign_functions(&self) -> impl Iterator<Item = GoFunc<'_>> {
        self.functions_where(true)
    }

    fn functions_where(&self, foreign: bool) -> impl Iterator<Item = GoFunc<'_>> {
        let records = self.table.records(&self.image);
        let wanted = records.filter(move |record| self.table.is_foreign(&self.image, *record) == foreign);
        wanted.filter_map(|record| self.function(record))
    }

    /// The function whose code, or the padding after it, contains `pc`; it may be [foreign](GoFunc::is_foreign).
    pub fn function_at(&self, pc: u64) -> Option<GoFunc<'_>> {
        self.function(self.table.record_at(&self.image, pc)?)
    }

    /// All Go functions called exactly `name`: one, or a body with its ABI wrapper, or instances that share a
    /// name.
    pub fn named(&self, name: &str) -> Vec<GoFunc<'_>> {
        // The names of the table are compared in place; only where the symbol table knows more is each looked
        // up.
        if self.names_are_elided() {
            return self.functions().filter(|f| f.name == name).collect();
        }
        let records = self.table.records(&self.image);
        let hits = records.filter(|record| self.table.record_name_is(&self.image, *record, name));
        hits.filter_map(|record| self.function(record)).filter(|f| !f.is_foreign()).collect()
    }

    /// The function called `name`: the body where wrappers share its name, and the first where several bodies
    /// do.
    pub fn find(&self, name: &str) -> Option<GoFunc<'_>> {
        let all = self.named(name);
        all.iter().find(|f| f.role() == Role::Body).or(all.first()).copied()
    }

    /// The functions to probe for a pattern, so that one call is counted once.
    ///
    /// ABI wrappers are left out when their body is there. A pattern with a star stands for functions of the
    /// source: compiler-made wrappers that only forward are left out, unless the function they forward to is
    /// known not to match. A literal name keeps a method wrapper, because it is what the name stands for.
    pub fn matching(&self, pattern: &Glob) -> Vec<GoFunc<'_>> {
        let (hits, keep_wrappers): (Vec<_>, bool) = match pattern.literal() {
            Some(name) => (self.named(name), true),
            None => (self.functions().filter(|f| pattern.matches(f.name)).collect(), false),
        };
        let entries: Vec<u64> = hits.iter().map(GoFunc::entry).collect();
        let is_hit = |entry: u64| entries.binary_search(&entry).is_ok();
        let counted_elsewhere = |f: &GoFunc<'_>| match f.role() {
            Role::Body => false,
            Role::AbiWrapper { target } => is_hit(target),
            Role::MethodWrapper { target } => !keep_wrappers && target.is_none_or(is_hit),
            Role::GoStatementWrapper => !keep_wrappers,
        };
        hits.into_iter().filter(|f| !counted_elsewhere(f)).collect()
    }

    /// Names the function of a record. The table's name is used, except where the symbol at the same address
    /// says more.
    pub(super) fn function(&self, record: Record) -> Option<GoFunc<'_>> {
        let name = self.table.name(&self.image, record)?;
        let mut function = GoFunc { binary: self, record, name, abi0_symbol: false };
        for symbol in self.image.symbols().at_address(self.image.bytes(), record.entry) {
            if symbol.name == name {
                break;
            }
            if symbol.name.strip_suffix(ABI0_SUFFIX) == Some(name) {
                function.abi0_symbol = true;
                break;
            }
            if is_instance_of(symbol.name, name) {
                function.name = symbol.name;
                break;
            }
        }
        Some(function)
    }

    /// Whether the table's names of generic instances lack their type arguments (Go 1.18 and 1.19) and
    /// symbols may have them.
    fn names_are_elided(&self) -> bool {
        self.table.format() == super::Format::Go118 && self.image.symbols().has_functions(self.image.bytes())
    }
}

/// Whether `full` is `elided` with type arguments in place of `[...]`.
fn is_instance_of(full: &str, elided: &str) -> bool {
    elided.split_once(ELIDED_ARGUMENTS).is_some_and(|(before, after)| {
        full.strip_prefix(before).is_some_and(|rest| rest.starts_with('[') && rest.ends_with(after))
    })
}

#[cfg(test)]
mod tests {
    use super::is_instance_of;

    #[test]
    fn elided_type_arguments() {
        assert!(is_instance_of("main.Map[go.shape.int_0]", "main.Map[...]"));
        assert!(is_instance_of("main.(*P[go.shape.int_0]).Set", "main.(*P[...]).Set"));
        assert!(is_instance_of("main.Map[go.shape.[]int_0].func1", "main.Map[...].func1"));
        assert!(!is_instance_of("main.Mapper[go.shape.int_0]", "main.Map[...]"));
        assert!(!is_instance_of("main.Map[go.shape.int_0]", "main.Map"));
    }
}
