//! Functions that only forward a call, so that a probe on both them and their target would count one call
//! twice: ABI wrappers, method wrappers (`(*T).M` for a method of `T`, promoted methods, method values
//! `M-fm`) and the closures of `go` and `defer` statements.
//!
//! The compiler marks most of them (`funcID`). What they forward to is read from their code; a wrapper into
//! which the method has been inlined is a body, because the source's method runs there.

use super::GoFunc;
use super::code::Flow;
use super::version::Release;

/// What a function's code is to the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The code of a function of the source (or a wrapper that contains it).
    Body,
    /// Converts between the stack and the register convention and calls `target`, which has the same name.
    AbiWrapper {
        /// Entry of the function it calls.
        target: u64,
    },
    /// Calls, or jumps to, a method of the same name: of the value type, of an embedded field, of a bound
    /// receiver.
    MethodWrapper {
        /// Entry of that method; `None` when it is called through an interface or a closure.
        target: Option<u64>,
    },
    /// The closure that the compiler makes of `go f(x)` or `defer f(x)`.
    GoStatementWrapper,
}

/// `funcID` of wrappers: from this release on. The enumeration (`internal/abi.FuncID`) is renumbered now and
/// then; 1.16 to 1.18 and 1.20 were not measured.
const WRAPPER_FUNC_ID: [(Release, u8); 4] =
    [(Release(0), 22), (Release(17), 21), (Release(22), 22), (Release(25), 23)];

/// The `funcID` of wrappers in a release.
pub(super) fn wrapper_func_id(release: Release) -> u8 {
    let row = WRAPPER_FUNC_ID.iter().rev().find(|(since, _)| release >= *since);
    row.map_or(0, |(_, id)| *id)
}

/// A wrapper that the compiler does not mark consists of a load or two and a jump (`mov (%rax),%rax; jmp
/// (*T).M`).
const UNMARKED_LENGTH: usize = 4;

pub(super) fn role(function: &GoFunc<'_>) -> Role {
    if function.is_assembly() {
        return Role::Body;
    }
    if !function.is_compiler_wrapper() {
        return unmarked(function).unwrap_or(Role::Body);
    }
    let name = function.name();
    let base = last_component(name);
    let mut indirect = false;
    for insn in function.insns() {
        let (Flow::Call(target) | Flow::Jump(target)) = insn.flow else {
            indirect |= matches!(insn.flow, Flow::CallIndirect | Flow::JumpIndirect);
            continue;
        };
        let Some(callee) = function.binary.function_at(target).filter(|f| f.entry() == target) else {
            continue;
        };
        if callee == *function {
            continue;
        }
        if callee.name() == name {
            return Role::AbiWrapper { target };
        }
        if last_component(callee.name()) == base {
            return Role::MethodWrapper { target: Some(target) };
        }
    }
    if is_statement_closure(base) {
        return Role::GoStatementWrapper;
    }
    let inlined = function.inlined_names().iter().any(|inner| last_component(inner) == base);
    if indirect && !inlined { Role::MethodWrapper { target: None } } else { Role::Body }
}

/// Wrappers of wrappers that are followed to the function that they stand for.
const CHAIN: usize = 4;

impl<'a> GoFunc<'a> {
    /// Name of the function of the source that it stands for: its own, or for a wrapper that of what it calls, as far as code and
    /// tables tell. The closure of `go f(x)` stands for `f`.
    pub fn source_name(&self) -> &'a str {
        let mut function = *self;
        for _ in 0..CHAIN {
            let target = match function.role() {
                Role::Body => break,
                Role::AbiWrapper { target } | Role::MethodWrapper { target: Some(target) } => target,
                Role::MethodWrapper { target: None } => break,
                Role::GoStatementWrapper => match called_by_closure(&function) {
                    Called::Inlined(name) => return name,
                    Called::At(target) => target,
                    Called::Unknown => break,
                },
            };
            let Some(next) = self.binary.function_at(target).filter(|next| next.entry() == target) else {
                break;
            };
            function = next;
        }
        function.name()
    }
}

/// What the closure of a `go` or `defer` statement calls.
enum Called<'a> {
    Inlined(&'a str),
    At(u64),
    Unknown,
}

/// The closure loads the arguments and calls; everything else that is called from it belongs to the runtime (stack growth, write
/// barriers). If the function is inlined, the calls are its own.
fn called_by_closure<'a>(function: &GoFunc<'a>) -> Called<'a> {
    if let Some(inlined) = function.insns().find_map(|insn| {
        let frames = function.frames(insn.addr);
        let outermost = frames.len().checked_sub(2)?;
        frames.get(outermost).map(|frame| frame.name)
    }) {
        return Called::Inlined(inlined);
    }
    let of_runtime = function.name().starts_with("runtime.");
    let call = function.insns().find_map(|insn| {
        let (Flow::Call(target) | Flow::Jump(target)) = insn.flow else { return None };
        let callee = function.binary.function_at(target).filter(|f| f.entry() == target && f != function)?;
        let helps = callee.name().starts_with("runtime.") && !of_runtime
            || callee.name().starts_with("runtime.morestack");
        (!helps).then_some(target)
    });
    call.map_or(Called::Unknown, Called::At)
}

/// A promoted method of an embedded pointer is a bare jump to the method, and bears no mark since Go 1.19.
fn unmarked(function: &GoFunc<'_>) -> Option<Role> {
    let mut insns = function.insns().take(UNMARKED_LENGTH + 1).skip_while(|insn| insn.flow == Flow::Next);
    let jump = insns.next().filter(|jump| jump.next_addr() == function.end())?;
    let Flow::Jump(target) = jump.flow else { return None };
    let callee = function.binary.function_at(target).filter(|f| f.entry() == target && f != function)?;
    let same = last_component(callee.name()) == last_component(function.name());
    same.then_some(Role::MethodWrapper { target: Some(target) })
}

/// The method or function name at the end of a full name, without the mark of a method value. Type arguments
/// can contain dots and slashes, so brackets are skipped.
fn last_component(name: &str) -> &str {
    let name = name.strip_suffix("-fm").unwrap_or(name);
    let mut depth = 0u32;
    let at = name.bytes().enumerate().rev().find_map(|(at, byte)| {
        match byte {
            b']' => depth += 1,
            b'[' => depth = depth.saturating_sub(1),
            b'.' if depth == 0 => return Some(at + 1),
            _ => {}
        }
        None
    });
    at.and_then(|at| name.get(at..)).unwrap_or(name)
}

/// `gowrap1`, `deferwrap2` (Go 1.22 and later), `func3` (before).
fn is_statement_closure(base: &str) -> bool {
    ["gowrap", "deferwrap", "func"].iter().any(|prefix| {
        let number = base.strip_prefix(prefix);
        number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_components() {
        let cases = [
            ("main.f", "f"),
            ("main.(*T).M", "M"),
            ("main.T.M-fm", "M"),
            ("net/http.(*conn).serve", "serve"),
            ("main.Map[go.shape.int]", "Map[go.shape.int]"),
            ("main.(*P[go.shape.struct { a.B }]).Set", "Set"),
            ("f", "f"),
            ("", ""),
        ];
        for (name, expected) in cases {
            assert_eq!(last_component(name), expected, "{name}");
        }
    }

    #[test]
    fn statement_closures() {
        assert!(is_statement_closure("gowrap1"));
        assert!(is_statement_closure("func12"));
        assert!(!is_statement_closure("func"));
        assert!(!is_statement_closure("function1"));
    }

    #[test]
    fn func_ids() {
        let ids = [15, 19, 21, 22, 24, 25, 27].map(|n| wrapper_func_id(Release(n)));
        assert_eq!(ids, [22, 21, 21, 22, 22, 23, 23]);
    }
}
