//! Rules of x86-64: the return address is always the word below the CFA.

use gimli::{CfaRule, Operation, RegisterRule, UnwindExpression, UnwindSection, UnwindTableRow, X86_64};

use super::{Cfa, Rule, Slice, WORD, distance, operations, register_offset, words};

/// Where the kernel's signal frame has the interrupted registers, counted from the stack pointer at the end of the handler: `uc_mcontext`
/// is at 40 of `struct ucontext` (`arch/x86/include/uapi/asm/sigcontext.h`).
const SIGNAL_BP: u32 = 120;
/// See [`SIGNAL_BP`].
const SIGNAL_SP: u32 = 160;
/// See [`SIGNAL_BP`].
const SIGNAL_IP: u32 = 168;

/// What a row says.
pub(super) fn rule<'a, S: UnwindSection<Slice<'a>>>(
    row: &UnwindTableRow<usize>,
    section: &S,
    signal: bool,
) -> Rule {
    if signal {
        return signal_frame(row, section).unwrap_or(Rule::Unknown);
    }
    match row.register(X86_64::RA) {
        Some(RegisterRule::Offset(offset)) if offset == -WORD => {}
        Some(RegisterRule::Undefined) => return Rule::Outermost,
        _ => return Rule::Unknown,
    }
    frame(row, section).unwrap_or(Rule::Unknown)
}

/// The rule of a row whose return address is where calls put it.
fn frame<'a, S: UnwindSection<Slice<'a>>>(row: &UnwindTableRow<usize>, section: &S) -> Option<Rule> {
    let cfa = match row.cfa() {
        CfaRule::RegisterAndOffset { register: X86_64::RSP, offset } => Cfa::Sp(words(*offset)?),
        CfaRule::RegisterAndOffset { register: X86_64::RBP, offset } => Cfa::Bp(words(*offset)?),
        CfaRule::RegisterAndOffset { .. } => return None,
        CfaRule::Expression(expression) => cfa_expression(expression, section)?,
    };
    let saved = match row.register(X86_64::RBP) {
        // The convention of C: what a function does not mention it has not changed.
        None | Some(RegisterRule::Undefined | RegisterRule::SameValue) => 0,
        Some(RegisterRule::Offset(offset)) => distance(offset)?,
        Some(RegisterRule::Expression(at))
            if matches!(cfa, Cfa::AtBp(_)) && register_offset(&at, section) == Some((X86_64::RBP, 0)) =>
        {
            0
        }
        _ => return None,
    };
    // Such code keeps the caller's `rbp` where its own points to, and nowhere else.
    if matches!(cfa, Cfa::AtBp(_)) && !matches!(row.register(X86_64::RBP), Some(RegisterRule::Expression(_)))
    {
        return None;
    }
    Some(Rule::Frame(cfa, saved))
}

fn cfa_expression<'a, S>(expression: &UnwindExpression<usize>, section: &S) -> Option<Cfa>
where
    S: UnwindSection<Slice<'a>>,
{
    let ops = operations(expression, section)?;
    match ops.as_slice() {
        [Operation::RegisterOffset { register: X86_64::RBP, offset, .. }, Operation::Deref { .. }] => {
            Some(Cfa::AtBp(words(*offset)?))
        }
        [
            Operation::RegisterOffset { register: X86_64::RSP, offset, .. },
            Operation::Deref { .. },
            Operation::PlusConstant { value: 8 },
        ] => Some(Cfa::AtSp(words(*offset)?)),
        [
            Operation::RegisterOffset { register: X86_64::RSP, offset: 8, .. },
            Operation::RegisterOffset { register: X86_64::RA, offset: 0, .. },
            Operation::UnsignedConstant { value: 15 },
            Operation::And,
            Operation::UnsignedConstant { value: from },
            Operation::Ge,
            Operation::UnsignedConstant { value: 3 },
            Operation::Shl,
            Operation::Plus,
        ] => Some(Cfa::Plt(u8::try_from(*from).ok().filter(|from| *from < 16)?)),
        _ => None,
    }
}

/// The rule of a signal frame, if it is the kernel's.
fn signal_frame<'a, S: UnwindSection<Slice<'a>>>(row: &UnwindTableRow<usize>, section: &S) -> Option<Rule> {
    let at = |register| match row.register(register) {
        Some(RegisterRule::Expression(expression)) => register_offset(&expression, section),
        _ => None,
    };
    let sp = |offset: u32| Some((X86_64::RSP, i64::from(offset)));
    let known = at(X86_64::RBP) == sp(SIGNAL_BP)
        && at(X86_64::RSP) == sp(SIGNAL_SP)
        && at(X86_64::RA) == sp(SIGNAL_IP);
    known.then_some(Rule::Signal)
}
