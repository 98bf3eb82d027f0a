//! Which register or stack place each parameter and result of a function has: the assignment of ABIInternal
//! (`src/cmd/compile/abi-internal.md` of the Go source, "Function call argument and result passing") and of ABI0.
//!
//! DWARF also describes places, but those of registers are missing, doubled or wrong at the entry in known cases, so they are
//! computed. What is assigned is described by its [`Layout`] alone.

use super::abi::{self, Abi, STACK_ARGUMENTS};
use crate::elf::Arch;

/// Size and alignment of a machine word.
const WORD: u32 = 8;

/// A part of a value that takes a register of its own: an integer, a pointer, a float.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    /// Where it lies in the value, in bytes.
    pub offset: u32,
    /// Its size in bytes, at most 8.
    pub size: u32,
    /// It goes to a floating-point register.
    pub float: bool,
}

/// What the assignment depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Size in bytes.
    pub size: u32,
    /// Alignment in bytes.
    pub align: u32,
    /// Its parts in order; `None` for values that never go to registers: arrays of two or more elements, and what contains one.
    pub leaves: Option<Vec<Leaf>>,
}

/// Where a value is while the function has not changed anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assigned {
    /// In registers, one for each leaf.
    Registers(Vec<Part>),
    /// In memory, so many bytes above the stack pointer at the function's entry and at its return instructions.
    Stack(u32),
}

/// A leaf in its register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The register's place in [`abi::integer_registers`]; `None` for a floating-point register.
    pub register: Option<usize>,
    /// The leaf.
    pub leaf: Leaf,
}

/// Assigns the parameters (receiver first) and results of a function.
///
/// `dictionary` is the number of parameters before which the hidden dictionary of a generic function stands, if it has one.
pub fn assign(
    arch: Arch,
    abi: Abi,
    params: &[Layout],
    results: &[Layout],
    dictionary: Option<usize>,
) -> (Vec<Assigned>, Vec<Assigned>) {
    let mut stack = STACK_ARGUMENTS;
    let mut registers = Registers::new(arch, abi);
    let mut assigned = Vec::with_capacity(params.len());
    for (n, layout) in params.iter().enumerate() {
        if dictionary == Some(n) {
            registers.take_word(&mut stack);
        }
        assigned.push(registers.assign(layout, &mut stack));
    }
    // Results begin with all registers free; those on the stack follow the arguments there.
    stack = stack.next_multiple_of(WORD);
    let mut registers = Registers::new(arch, abi);
    let results = results.iter().map(|layout| registers.assign(layout, &mut stack)).collect();
    (assigned, results)
}

/// The registers that are still free.
struct Registers {
    integers: usize,
    floats: usize,
    next_integer: usize,
    next_float: usize,
}

impl Registers {
    fn new(arch: Arch, abi: Abi) -> Registers {
        let (integers, floats) = match abi {
            Abi::Registers => (abi::integer_registers(arch).len(), abi::float_register_count(arch)),
            Abi::Stack => (0, 0),
        };
        Registers { integers, floats, next_integer: 0, next_float: 0 }
    }

    /// The dictionary: one word.
    fn take_word(&mut self, stack: &mut u32) {
        let leaf = Leaf { offset: 0, size: WORD, float: false };
        self.assign(&Layout { size: WORD, align: WORD, leaves: Some(vec![leaf]) }, stack);
    }

    /// All leaves go to registers, or the whole value to the stack; later parameters may still get registers.
    fn assign(&mut self, layout: &Layout, stack: &mut u32) -> Assigned {
        if let Some(leaves) = &layout.leaves {
            let floats = leaves.iter().filter(|leaf| leaf.float).count();
            let integers = leaves.len() - floats;
            let fits =
                self.next_integer + integers <= self.integers && self.next_float + floats <= self.floats;
            // A value without parts takes nothing anywhere, in the stack convention too.
            if fits && (self.integers > 0 || leaves.is_empty()) {
                return Assigned::Registers(leaves.iter().map(|leaf| self.take(*leaf)).collect());
            }
        }
        let at = stack.next_multiple_of(layout.align.max(1));
        *stack = at.saturating_add(layout.size);
        Assigned::Stack(at)
    }

    fn take(&mut self, leaf: Leaf) -> Part {
        let next = if leaf.float { &mut self.next_float } else { &mut self.next_integer };
        let register = (!leaf.float).then_some(*next);
        *next += 1;
        Part { register, leaf }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(n: u32) -> Layout {
        let leaf = |n| Leaf { offset: 8 * n, size: 8, float: false };
        Layout { size: 8 * n, align: 8, leaves: Some((0..n).map(leaf).collect()) }
    }

    fn narrow(size: u32) -> Layout {
        Layout { size, align: size, leaves: Some(vec![Leaf { offset: 0, size, float: false }]) }
    }

    fn float() -> Layout {
        Layout { size: 8, align: 8, leaves: Some(vec![Leaf { offset: 0, size: 8, float: true }]) }
    }

    fn array(size: u32) -> Layout {
        Layout { size, align: 8, leaves: None }
    }

    /// `r0,r1` for registers, `[8]` for the stack, `f` for a floating-point register.
    fn show(assigned: &[Assigned]) -> String {
        let part = |p: &Part| p.register.map_or("f".to_owned(), |r| format!("r{r}"));
        let one = |a: &Assigned| match a {
            Assigned::Registers(parts) => parts.iter().map(part).collect::<Vec<_>>().join(","),
            Assigned::Stack(offset) => format!("[{offset}]"),
        };
        assigned.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    fn params(abi: Abi, layouts: &[Layout]) -> String {
        show(&assign(Arch::X86_64, abi, layouts, &[], None).0)
    }

    #[test]
    fn a_value_that_does_not_fit_leaves_registers_to_later_ones() {
        // func overflow(a, b, c, d, e string, x int): e at sp+8, x in R11.
        let strings = [words(2), words(2), words(2), words(2), words(2), words(1)];
        assert_eq!(params(Abi::Registers, &strings), "r0,r1 r2,r3 r4,r5 r6,r7 [8] r8");
        // func ten(x int, s [10]uintptr, y int)
        assert_eq!(params(Abi::Registers, &[words(1), array(80), words(1)]), "r0 [8] r1");
    }

    #[test]
    fn floats_have_registers_of_their_own() {
        assert_eq!(params(Abi::Registers, &[float(), words(1), float(), words(1)]), "f r0 f r1");
    }

    #[test]
    fn the_stack_convention_keeps_natural_alignment() {
        // func ints(a int, b int8, c uint16, d int32, e bool, f byte, g uintptr)
        let layouts = [words(1), narrow(1), narrow(2), narrow(4), narrow(1), narrow(1), words(1)];
        assert_eq!(params(Abi::Stack, &layouts), "[8] [16] [18] [20] [24] [25] [32]");
    }

    #[test]
    fn results_start_over_and_follow_the_arguments_on_the_stack() {
        // func multi(n int) (int, string, error, float64)
        let results = [words(1), words(2), words(2), float()];
        let (params, found) = assign(Arch::X86_64, Abi::Registers, &[words(1)], &results, None);
        assert_eq!((show(&params), show(&found)), ("r0".into(), "r0 r1,r2 r3,r4 f".into()));
        let (_, found) = assign(Arch::X86_64, Abi::Stack, &[words(1)], &results, None);
        assert_eq!(show(&found), "[16] [24] [40] [56]");
    }

    #[test]
    fn the_dictionary_takes_a_register() {
        let (function, _) = assign(Arch::X86_64, Abi::Registers, &[words(1), words(2)], &[], Some(0));
        assert_eq!(show(&function), "r1 r2,r3");
        let (method, _) = assign(Arch::X86_64, Abi::Registers, &[words(1), words(2)], &[], Some(1));
        assert_eq!(show(&method), "r0 r2,r3");
    }
}
