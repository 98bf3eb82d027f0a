//! Parameters and results of a function, from the program's DWARF or, for methods of a program without it, from the method tables of
//! its type descriptors; and, where they lie on the stack (ABI0), at which place. [`GoBinary::signature`] is for the attach points that
//! need a result on the stack and for whoever wants to print arguments by name. Registers of parameters are not assigned here.
//!
//! The list in DWARF is not the whole truth. Up to Go 1.21 it lacks parameters called `_`, and up to 1.16
//! those of wrappers that nothing uses; results of a function with `defer` stand in it twice from 1.19 to
//! 1.26; since 1.23 it lacks the nameless results of a function that returns from within a loop over a function.
//! So on the stack nothing is counted from the list alone: the function table says how many bytes
//! arguments and results take together, and many parameters have a place in memory.
//!
//! ABI0 (`cmd/compile/abi-internal.md` calls it the stack-based calling convention): receiver and parameters
//! one after the other, each at its natural alignment; results behind them, the first one at a multiple of
//! the word size; the whole a multiple of it too.

use std::collections::HashSet;

use super::abi::{Abi, STACK_ARGUMENTS};
use super::dwarf::{DebugInfo, Formal, MemoryPlace, Shape};
use super::types::{Origin, TypeRef};
use super::version::Release;
use super::wrapper::Role;
use super::{GoBinary, GoFunc};
use crate::elf::Arch;
use crate::error::Error;

/// Results, and the arguments as a whole, are aligned to this.
const WORD: u32 = 8;

/// First release that lists parameters called `_` (as `~p0`, `~p1` …).
const LISTS_BLANK: Release = Release(22);

/// First release with loops over functions (`for x := range seq`). A `return` with values in the body of one makes the compiler rename
/// nameless results to `#rv1`, `#rv2` … (`cmd/compile/internal/rangefunc`), and these are not listed.
const LOOPS_OVER_FUNCTIONS: Release = Release(23);

/// What kind of type a parameter has: `reflect.Kind` without the widths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `bool`
    Bool,
    /// `int`, `int8` … `int64`
    Int,
    /// `uint`, `uint8` … `uint64`, `uintptr`
    Uint,
    /// `float32`, `float64`
    Float,
    /// `complex64`, `complex128`
    Complex,
    /// `[n]T`
    Array,
    /// `chan T`
    Chan,
    /// `func(…) …`
    Func,
    /// An interface type, `error` and `any` included: two words.
    Interface,
    /// `map[K]V`
    Map,
    /// `*T`
    Pointer,
    /// `[]T`: three words.
    Slice,
    /// `string`: two words.
    String,
    /// `struct { … }`
    Struct,
    /// `unsafe.Pointer`
    UnsafePointer,
}

impl Kind {
    /// The kind of a `reflect.Kind` number, which DWARF entries carry.
    pub(super) fn of_reflect(number: u64) -> Option<Kind> {
        Some(match number {
            1 => Kind::Bool,
            2..=6 => Kind::Int,
            7..=12 => Kind::Uint,
            13 | 14 => Kind::Float,
            15 | 16 => Kind::Complex,
            17 => Kind::Array,
            18 => Kind::Chan,
            19 => Kind::Func,
            20 => Kind::Interface,
            21 => Kind::Map,
            22 => Kind::Pointer,
            23 => Kind::Slice,
            24 => Kind::String,
            25 => Kind::Struct,
            26 => Kind::UnsafePointer,
            _ => return None,
        })
    }

    /// Whether a value of the kind is one number or one pointer, which cannot be in memory in part.
    fn is_one_value(self) -> bool {
        match self {
            Kind::Bool | Kind::Int | Kind::Uint | Kind::Float => true,
            Kind::Chan | Kind::Func | Kind::Map | Kind::Pointer | Kind::UnsafePointer => true,
            Kind::Array | Kind::Complex | Kind::Interface | Kind::Slice | Kind::String | Kind::Struct => {
                false
            }
        }
    }
}

/// A parameter or result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name. The compiler makes up those of the nameless: `~r0` for a result, `~p0` for a parameter.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Bytes that a value takes.
    pub size: u32,
    /// Alignment in bytes.
    pub align: u32,
    /// Its type, for [`GoBinary::type_info`].
    pub ty: Option<TypeRef>,
    /// Bytes from SP at the function's entry, or at one of its returns, to the value: only for functions with
    /// stack arguments, and only where it is certain.
    pub stack_offset: Option<u32>,
}

/// Where types come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TypeSource {
    /// DWARF: with the names of parameters and results.
    DebugInfo,
    /// The type descriptors that every Go program has: no names.
    Descriptors,
}

/// The parameters and results of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Parameters in order, the receiver first. See [`Signature::is_complete`].
    pub params: Vec<Parameter>,
    /// Results in order.
    pub results: Vec<Parameter>,
    /// Where the types come from.
    pub source: TypeSource,
    complete: bool,
    results_listed: bool,
    first_result: Option<u32>,
}

impl Signature {
    /// Whether it is known that no parameter is missing. Go up to 1.21 does not list parameters called `_`: on
    /// the stack their room shows, unless it could be padding; in registers nothing does. The dictionary of a
    /// generic function (`[go.shape.…]`) is no parameter of the source and never listed.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether [`Signature::results`] is to be believed. Debug information lacks the nameless results of a function that returns from
    /// within a loop over a function; then `results` is empty.
    pub fn lists_results(&self) -> bool {
        self.results_listed
    }

    /// Bytes from SP at a return to the first result, for functions with stack arguments. `None` when there is
    /// no result or its place is uncertain.
    pub fn first_result_offset(&self) -> Option<u32> {
        self.first_result
    }
}

impl GoBinary {
    /// Whether the binary has DWARF, without which there are no signatures.
    pub fn has_debug_info(&self) -> bool {
        DebugInfo::is_present(self.image())
    }

    /// The parameters and results of a function; `None` when neither DWARF nor a method table describes them: functions written
    /// in assembly and, in a stripped binary, all that are no methods. The first call builds an index of the program's units, or of
    /// its type descriptors.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the sections cannot be read.
    pub fn signature(&self, function: &GoFunc<'_>) -> Result<Option<Signature>, Error> {
        let Some(listed) = self.listed_signature(function)? else {
            return Ok(self.method_signature(function));
        };
        if listed.lists_results() {
            return Ok(Some(listed));
        }
        // The names of the parameters from here, the results from there.
        let method = self.method_signature(function).filter(|method| !method.results.is_empty());
        Ok(Some(match method {
            Some(method) => Signature { results: method.results, results_listed: true, ..listed },
            None => listed,
        }))
    }

    /// From DWARF.
    fn listed_signature(&self, function: &GoFunc<'_>) -> Result<Option<Signature>, Error> {
        if !self.has_debug_info() {
            return Ok(None);
        }
        let on_stack = function.abi() == Abi::Stack;
        let found = self.debug_info.formals(self.image(), function.entry(), on_stack);
        let found = found.map_err(|error| {
            Error::damaged(&self.path, format!("the debug information is unusable: {error}"))
        })?;
        let Some(listed) = found else { return Ok(None) };
        // An assembly function has an entry without a list, like a function without parameters and results.
        let room = function.args_size();
        if listed.is_empty() && room != Some(0) {
            return Ok(None);
        }
        let Some((params, results)) = typed(listed) else { return Ok(None) };
        let lists_blank = self.release() >= LISTS_BLANK;
        let results_listed = !results.is_empty() || !self.has_loop_over_function(function);
        let found = if on_stack {
            on_the_stack(params, results, room, lists_blank, self.arch())
        } else {
            Signature { complete: lists_blank, ..without_places(params, results) }
        };
        Ok(Some(Signature { results_listed, ..found }))
    }

    /// Whether the source has a loop over a function in it, whose body the compiler makes a function of its own, called
    /// `main.f-range1` in `main.f`. A method wrapper has its method's results.
    fn has_loop_over_function(&self, function: &GoFunc<'_>) -> bool {
        if self.release() < LOOPS_OVER_FUNCTIONS {
            return false;
        }
        let has_loop = |f: &GoFunc<'_>| {
            self.loops_over_functions().contains(f.name())
                || f.inlined_names().into_iter().any(|name| loop_of(name) == Some(f.name()))
        };
        let wrapped = match function.role() {
            Role::MethodWrapper { target } => target.and_then(|target| self.function_at(target)),
            _ => None,
        };
        has_loop(function) || wrapped.is_some_and(|method| has_loop(&method))
    }

    /// The functions with a loop whose body was not inlined.
    fn loops_over_functions(&self) -> &HashSet<String> {
        self.loops_over_functions
            .get_or_init(|| self.functions().filter_map(|f| loop_of(f.name())).map(str::to_owned).collect())
    }

    /// The same from the method tables alone: all parameters are there, none has a name.
    pub fn method_signature(&self, function: &GoFunc<'_>) -> Option<Signature> {
        let types = self.runtime_types().method(function.entry())?;
        let describe = |ty: TypeRef| {
            let info = self.type_info(ty).ok()??;
            let shape = Shape { size: info.size, align: info.align, kind: info.kind };
            Some(Typed { name: String::new(), ty: Some(ty), shape, place: None })
        };
        let list = |types: Vec<TypeRef>| types.into_iter().map(describe).collect::<Option<Vec<_>>>();
        let (params, results) = (list(types.params)?, list(types.results)?);
        let found = match function.abi() {
            Abi::Stack => on_the_stack(params, results, function.args_size(), true, self.arch()),
            Abi::Registers => without_places(params, results),
        };
        Some(Signature { source: TypeSource::Descriptors, complete: true, ..found })
    }
}

/// The function in whose loop over a function the function of this name is the body; of a loop in a loop, the outer body.
fn loop_of(name: &str) -> Option<&str> {
    let (outer, number) = name.rsplit_once("-range")?;
    number.bytes().all(|digit| digit.is_ascii_digit()).then_some(outer)
}

/// A formal parameter whose type is known.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Typed {
    name: String,
    ty: Option<TypeRef>,
    shape: Shape,
    place: Option<MemoryPlace>,
}

/// Where a value lies among the arguments and results, in bytes from the first argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It starts here.
    Start(u32),
    /// Some part of it is here.
    Part(u32),
}

impl Typed {
    fn parameter(self, stack_offset: Option<u32>) -> Parameter {
        let Shape { size, align, kind } = self.shape;
        Parameter { name: self.name, kind, size, align, ty: self.ty, stack_offset }
    }

    /// The place that DWARF gives among the arguments. The canonical frame address is SP above the return
    /// address on x86-64, where the arguments start; on AArch64 it is SP, and the slot of LR comes first.
    fn place(&self, arch: Arch) -> Option<Place> {
        let place = self.place?;
        let slot = match arch {
            Arch::X86_64 => 0,
            Arch::Aarch64 => i64::from(STACK_ARGUMENTS),
        };
        let at = u32::try_from(place.from_cfa.checked_sub(slot)?).ok()?;
        let whole = match place.covers {
            Some(bytes) => bytes == u64::from(self.shape.size),
            None => self.shape.kind.is_one_value(),
        };
        Some(if whole { Place::Start(at) } else { Place::Part(at) })
    }

    /// Whether it can start `offset` bytes from the first argument.
    fn fits(&self, offset: u32, arch: Arch) -> bool {
        match self.place(arch) {
            // A value without a size is nowhere.
            _ if self.shape.size == 0 => true,
            None => true,
            Some(Place::Start(at)) => at == offset,
            Some(Place::Part(at)) => at.checked_sub(offset).is_some_and(|inside| inside < self.shape.size),
        }
    }
}

/// Parts parameters from results and leaves out repetitions; `None` when a type is unknown, since all behind
/// it would be too.
fn typed(listed: Vec<Formal>) -> Option<(Vec<Typed>, Vec<Typed>)> {
    let (mut params, mut results): (Vec<Typed>, Vec<Typed>) = (Vec::new(), Vec::new());
    for formal in listed {
        let list = if formal.is_result { &mut results } else { &mut params };
        // Names are unique in a Go signature.
        if !list.iter().any(|known| known.name == formal.name) {
            let ty = formal.ty.map(|ty| TypeRef(Origin::Dwarf(ty)));
            list.push(Typed { name: formal.name, ty, shape: formal.shape?, place: formal.place });
        }
    }
    Some((params, results))
}

/// Forgets the places of parameters that lie in each other: when a parameter is assigned another one (`rest = data`), Go 1.15 gives
/// one place to both, from the first instruction on.
fn without_overlaps(params: &mut [Typed], arch: Arch) {
    let mut extents: Vec<(u32, u32, usize)> = params
        .iter()
        .enumerate()
        .filter(|(_, param)| param.shape.size > 0)
        .filter_map(|(number, param)| {
            Some(match param.place(arch)? {
                Place::Start(at) => (at, at.checked_add(param.shape.size)?, number),
                Place::Part(at) => (at, at.checked_add(1)?, number),
            })
        })
        .collect();
    extents.sort_unstable();
    let mut reached: Option<(u32, usize)> = None;
    let mut wrong = Vec::new();
    for (start, end, number) in extents {
        if let Some((reached, other)) = reached
            && start < reached
        {
            wrong.extend([number, other]);
        }
        if reached.is_none_or(|(reached, _)| reached < end) {
            reached = Some((end, number));
        }
    }
    for number in wrong {
        if let Some(param) = params.get_mut(number) {
            param.place = None;
        }
    }
}

/// The offsets of values laid out one after the other, and their end.
fn lay_out(values: &[Typed]) -> Option<(Vec<u32>, u32)> {
    let mut end = 0u32;
    let mut offsets = Vec::with_capacity(values.len());
    for value in values {
        let at = end.checked_next_multiple_of(value.shape.align)?;
        end = at.checked_add(value.shape.size)?;
        offsets.push(at);
    }
    Some((offsets, end))
}

/// Finds the places of ABI0. `room` is the size of arguments and results together; only variadic assembly does
/// not say it.
fn on_the_stack(
    mut params: Vec<Typed>,
    results: Vec<Typed>,
    room: Option<u32>,
    lists_blank: bool,
    arch: Arch,
) -> Signature {
    without_overlaps(&mut params, arch);
    let laid_out = lay_out(&params).zip(lay_out(&results));
    let Some(((param_offsets, params_end), (result_offsets, results_size))) = laid_out else {
        return without_places(params, results);
    };
    let fit = |values: &[Typed], offsets: &[u32], base: u32| {
        let at = |offset: &u32| base.checked_add(*offset);
        values.iter().zip(offsets).all(|(value, offset)| at(offset).is_some_and(|at| value.fits(at, arch)))
    };
    // The end of the results is the end of all, but for the padding to a whole word. Places that DWARF gives
    // must not contradict.
    let behind_params = |start: u32| {
        params.iter().all(|param| match param.place(arch) {
            Some(Place::Start(at) | Place::Part(at)) if param.shape.size > 0 => at < start,
            _ => true,
        })
    };
    let start = room
        .and_then(|room| room.checked_sub(results_size))
        .map(|start| start / WORD * WORD)
        .filter(|start| fit(&results, &result_offsets, *start) && behind_params(*start));
    // Whether the listed parameters, as they are, take the room before the results.
    let all_fit = fit(&params, &param_offsets, 0);
    let start_if_filled =
        start.filter(|start| params_end.checked_next_multiple_of(WORD) == Some(*start) && all_fit);
    let certain = match start_if_filled {
        Some(_) if lists_blank => vec![true; params.len()],
        Some(start) => without_gaps(&params, &param_offsets, start, arch),
        None => vec![false; params.len()],
    };
    let complete = start_if_filled.is_some() && certain.iter().all(|certain| *certain);

    let from_sp = |offset: u32| offset.checked_add(STACK_ARGUMENTS);
    let place_param = |((param, offset), certain): ((Typed, u32), bool)| {
        let at = match param.place(arch) {
            Some(Place::Start(at)) => Some(at),
            _ => certain.then_some(offset),
        };
        param.parameter(at.and_then(from_sp))
    };
    let place_result = |(result, offset): (Typed, u32)| {
        let at = start.and_then(|start| start.checked_add(offset));
        result.parameter(at.and_then(from_sp))
    };
    Signature {
        results_listed: true,
        first_result: start.filter(|_| !results.is_empty()).and_then(from_sp),
        params: params.into_iter().zip(param_offsets).zip(certain).map(place_param).collect(),
        results: results.into_iter().zip(result_offsets).map(place_result).collect(),
        source: TypeSource::DebugInfo,
        complete,
    }
}

/// Which parameters cannot have moved by one that is missing from the list. It would have to be small and hide
/// in padding: so those are certain that stand in a run without padding between two known places. Places are
/// known of the start, of the parameters that DWARF places, and of the `end`.
fn without_gaps(params: &[Typed], offsets: &[u32], end: u32, arch: Arch) -> Vec<bool> {
    let mut certain = vec![false; params.len()];
    let placed = params.iter().map(|param| matches!(param.place(arch), Some(Place::Start(_))));
    let known = offsets.iter().copied().zip(placed).chain([(end, true)]);
    let (mut first, mut from, mut bytes) = (0, 0u32, 0u64);
    for (number, (offset, known)) in known.enumerate() {
        if known {
            let run = certain.get_mut(first..number).unwrap_or_default();
            run.fill(u64::from(offset.saturating_sub(from)) == bytes);
            (first, from, bytes) = (number, offset, 0);
        }
        bytes += params.get(number).map_or(0, |param| u64::from(param.shape.size));
    }
    certain
}

fn without_places(params: Vec<Typed>, results: Vec<Typed>) -> Signature {
    let plain = |values: Vec<Typed>| values.into_iter().map(|v| v.parameter(None)).collect();
    Signature {
        params: plain(params),
        results: plain(results),
        source: TypeSource::DebugInfo,
        complete: false,
        results_listed: true,
        first_result: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value with a place among the arguments, if any: where it is, and how many bytes of it that covers.
    fn value(name: &str, kind: Kind, size: u32, align: u32, place: Option<(i64, Option<u64>)>) -> Typed {
        let place = place.map(|(from_cfa, covers)| MemoryPlace { from_cfa, covers });
        Typed { name: name.to_owned(), ty: None, shape: Shape { size, align, kind }, place }
    }

    fn int(name: &str, size: u32, at: Option<i64>) -> Typed {
        value(name, Kind::Int, size, size, at.map(|at| (at, None)))
    }

    fn string(name: &str, place: Option<(i64, Option<u64>)>) -> Typed {
        value(name, Kind::String, 16, 8, place)
    }

    fn offsets(signature: &Signature) -> (Vec<Option<u32>>, Vec<Option<u32>>) {
        let of = |list: &[Parameter]| list.iter().map(|p| p.stack_offset).collect();
        (of(&signature.params), of(&signature.results))
    }

    fn x86(params: Vec<Typed>, results: Vec<Typed>, room: u32) -> Signature {
        on_the_stack(params, results, Some(room), false, Arch::X86_64)
    }

    #[test]
    fn results_start_at_a_word_behind_the_arguments() {
        // func(a int, b int8, c uint16, d int32) (x int8, y int64)
        let params = vec![int("a", 8, None), int("b", 1, None), int("c", 2, Some(10)), int("d", 4, None)];
        let found = x86(params.clone(), vec![int("x", 1, None), int("y", 8, None)], 32);
        assert_eq!(found.first_result_offset(), Some(24));
        // Between the start and `c` there is padding, where a parameter that is not listed could hide.
        assert_eq!(offsets(&found).0, [None, None, Some(18), Some(20)]);
        assert_eq!(offsets(&found).1, [Some(24), Some(32)]);
        assert!(!found.is_complete());
        let found = on_the_stack(params, vec![int("x", 1, None)], Some(24), true, Arch::X86_64);
        assert_eq!((found.first_result_offset(), found.is_complete()), (Some(24), true));
        assert_eq!(offsets(&found).0, [Some(8), Some(16), Some(18), Some(20)]);
    }

    #[test]
    fn room_shows_parameters_that_are_not_listed() {
        // func(_ int, b int8) int
        let found = x86(vec![int("b", 1, Some(8))], vec![int("~r2", 8, None)], 24);
        assert_eq!((found.first_result_offset(), found.is_complete()), (Some(24), false));
        assert_eq!(offsets(&found).0, [Some(16)]);
        // func(a int, _ string) int, and a itself without a place.
        let found = x86(vec![int("a", 8, None)], vec![int("~r2", 8, None)], 32);
        assert_eq!((found.first_result_offset(), offsets(&found).0), (Some(32), vec![None]));
        // func(_ int64) bool
        let found = x86(vec![], vec![value("~r1", Kind::Bool, 1, 1, None)], 16);
        assert_eq!(found.first_result_offset(), Some(16));
        // func() int: nothing is missing.
        let found = x86(vec![], vec![int("~r0", 8, None)], 8);
        assert_eq!((found.first_result_offset(), found.is_complete()), (Some(8), true));
    }

    #[test]
    fn assembly_does_not_pad_its_size() {
        // TEXT ·f(SB), $0-25: func(a string, n int) bool
        let params = vec![string("a", None), int("n", 8, None)];
        let found = x86(params, vec![value("~r0", Kind::Bool, 1, 1, None)], 25);
        assert_eq!((found.first_result_offset(), found.is_complete()), (Some(32), true));
    }

    #[test]
    fn a_place_that_contradicts_is_believed_before_the_count() {
        // A result in memory elsewhere than the size says: something in the list is wrong.
        let found = x86(vec![int("a", 8, None)], vec![int("r", 8, Some(16))], 16);
        assert_eq!((found.first_result_offset(), found.is_complete()), (None, false));
        // A parameter behind where the results would start.
        let found = x86(vec![int("a", 8, Some(16))], vec![int("r", 8, None)], 16);
        assert_eq!(found.first_result_offset(), None);
        // More results than room.
        let found = x86(vec![], vec![string("r", None)], 8);
        assert_eq!(found.first_result_offset(), None);
    }

    #[test]
    fn a_place_of_some_part_does_not_tell_the_start() {
        // Only the length of the string, at 8, is alive.
        let found = x86(vec![string("s", Some((8, Some(8))))], vec![int("r", 8, None)], 24);
        assert_eq!((offsets(&found).0, found.first_result_offset()), (vec![Some(8)], Some(24)));
        // With a missing parameter before it, its start is not known.
        let found = x86(vec![string("s", Some((16, Some(8))))], vec![int("r", 8, None)], 32);
        assert_eq!((offsets(&found).0, found.first_result_offset()), (vec![None], Some(32)));
    }

    #[test]
    fn parameters_in_one_place_are_laid_out_in_order() {
        let slice = |name| value(name, Kind::Slice, 24, 8, Some((0, Some(24))));
        let result = || vec![int("~r2", 8, None)];
        // func decodeError(data, rest []byte) *Block, as encoding/pem of Go 1.15 has it.
        let found = x86(vec![slice("data"), slice("rest")], result(), 56);
        assert_eq!((offsets(&found).0, found.is_complete()), (vec![Some(8), Some(32)], true));
        // With a parameter that is not listed somewhere, none of them has a place; the one behind them keeps its own.
        let listed = vec![slice("data"), slice("rest"), int("n", 8, Some(56))];
        assert_eq!(offsets(&x86(listed, result(), 72)).0, [None, None, Some(64)]);
        // A part of one within another.
        let found = x86(vec![slice("data"), string("s", Some((8, Some(8))))], result(), 48);
        assert_eq!((offsets(&found).0, found.is_complete()), (vec![Some(8), Some(32)], true));
    }

    #[test]
    fn on_aarch64_the_frame_address_is_sp() {
        let params = vec![int("a", 8, Some(8)), int("b", 8, Some(16))];
        let results = vec![int("r", 8, Some(24))];
        let found = on_the_stack(params, results, Some(24), false, Arch::Aarch64);
        assert_eq!(offsets(&found), (vec![Some(8), Some(16)], vec![Some(24)]));
        assert!(found.is_complete());
    }

    #[test]
    fn results_that_defer_repeats_count_once() {
        let formal = |name: &str, is_result| Formal {
            name: name.to_owned(),
            is_result,
            ty: None,
            shape: Some(Shape { size: 8, align: 8, kind: Kind::Int }),
            place: None,
        };
        let listed = vec![
            formal("a", false),
            formal("~r0", true),
            formal("~r0", true),
            formal("~r1", true),
            formal("~r1", true),
        ];
        let (params, results) = typed(listed).expect("types are known");
        assert_eq!((params.len(), results.len()), (1, 2));
        let unknown = Formal { shape: None, ..formal("b", false) };
        assert_eq!(typed(vec![unknown]), None);
    }

    #[test]
    fn sizes_beyond_the_address_space() {
        let huge = || value("a", Kind::Array, u32::MAX, 8, None);
        let found = x86(vec![huge(), huge()], vec![int("r", 8, None)], u32::MAX);
        assert_eq!(found.first_result_offset(), None);
        assert_eq!(x86(vec![huge()], vec![], u32::MAX).first_result_offset(), None);
    }
}
