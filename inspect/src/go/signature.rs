//! Parameters and results of a function, from the program's DWARF; and, where they lie on the stack (ABI0),
//! at which place. [`GoBinary::signature`] is for the attach points that need a result on the stack and for
//! whoever wants to print arguments by name. Registers of parameters are not assigned here.
//!
//! The list in DWARF is not the whole truth. Up to Go 1.21 it lacks parameters called `_`, and up to 1.16
//! those of wrappers that nothing uses; results of a function with `defer` stand in it twice from 1.19 to
//! 1.26. So on the stack nothing is counted from the list alone: the function table says how many bytes
//! arguments and results take together, and many parameters have a place in memory.
//!
//! ABI0 (`cmd/compile/abi-internal.md` calls it the stack-based calling convention): receiver and parameters
//! one after the other, each at its natural alignment; results behind them, the first one at a multiple of
//! the word size; the whole a multiple of it too.

use super::abi::{Abi, STACK_ARGUMENTS};
use super::dwarf::{DebugInfo, Formal, MemoryPlace, Shape};
use super::version::Release;
use super::{GoBinary, GoFunc};
use crate::elf::Arch;
use crate::error::Error;

/// Results, and the arguments as a whole, are aligned to this.
const WORD: u32 = 8;

/// First release that lists parameters called `_` (as `~p0`, `~p1` …).
const LISTS_BLANK: Release = Release(22);

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
            Kind::Array | Kind::Complex | Kind::Interface | Kind::Slice | Kind::String | Kind::Struct => false,
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
    /// Bytes from SP at the function's entry, or at one of its returns, to the value: only for functions with
    /// stack arguments, and only where it is certain.
    pub stack_offset: Option<u32>,
}

/// The parameters and results of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Parameters in order, the receiver first. See [`Signature::is_complete`].
    pub params: Vec<Parameter>,
    /// Results in order.
    pub results: Vec<Parameter>,
    complete: bool,
    first_result: Option<u32>,
}

impl Signature {
    /// Whether it is known that no parameter is missing. Go up to 1.21 does not list parameters called `_`;
    /// on the stack their room shows, in registers it does not.
    pub fn is_complete(&self) -> bool {
        self.complete
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

    /// The parameters and results of a function; `None` when DWARF does not describe them: in a stripped
    /// binary, and of functions written in assembly. The first call builds an index of the program's units.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the sections cannot be read.
    pub fn signature(&self, function: &GoFunc<'_>) -> Result<Option<Signature>, Error> {
        let on_stack = function.abi() == Abi::Stack;
        let found = self.debug_info.formals(self.image(), function.entry(), on_stack);
        let found = found
            .map_err(|error| Error::damaged(&self.path, format!("the debug information is unusable: {error}")))?;
        let Some(listed) = found else { return Ok(None) };
        // An assembly function has an entry without a list, like a function without parameters and results.
        let room = function.args_size();
        if listed.is_empty() && room != Some(0) {
            return Ok(None);
        }
        let Some((params, results)) = typed(listed) else { return Ok(None) };
        Ok(Some(if on_stack {
            on_the_stack(params, results, room, self.arch())
        } else {
            Signature { complete: self.release() >= LISTS_BLANK, ..without_places(params, results) }
        }))
    }
}

/// A formal parameter whose type is known.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Typed {
    name: String,
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
        Parameter { name: self.name, kind, size, align, stack_offset }
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
            list.push(Typed { name: formal.name, shape: formal.shape?, place: formal.place });
        }
    }
    Some((params, results))
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
fn on_the_stack(params: Vec<Typed>, results: Vec<Typed>, room: Option<u32>, arch: Arch) -> Signature {
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
    // Whether the listed parameters fill the room before the results.
    let complete = start.is_some()
        && start == params_end.checked_next_multiple_of(WORD)
        && fit(&params, &param_offsets, 0);

    let from_sp = |offset: u32| offset.checked_add(STACK_ARGUMENTS);
    let placed = |values: Vec<Typed>, offsets: Vec<u32>, base: Option<u32>| {
        let place = |(value, offset): (Typed, u32)| {
            let given = match value.place(arch) {
                Some(Place::Start(at)) => Some(at),
                _ => None,
            };
            let at = given.or_else(|| base?.checked_add(offset));
            value.parameter(at.and_then(from_sp))
        };
        values.into_iter().zip(offsets).map(place).collect::<Vec<_>>()
    };
    Signature {
        first_result: start.filter(|_| !results.is_empty()).and_then(from_sp),
        params: placed(params, param_offsets, complete.then_some(0)),
        results: placed(results, result_offsets, start),
        complete,
    }
}

fn without_places(params: Vec<Typed>, results: Vec<Typed>) -> Signature {
    let plain = |values: Vec<Typed>| values.into_iter().map(|v| v.parameter(None)).collect();
    Signature { params: plain(params), results: plain(results), complete: false, first_result: None }
}
