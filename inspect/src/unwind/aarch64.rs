//! Rules of AArch64: calls leave the return address in `x30`, and functions that call others save it, mostly with the caller's `x29`
//! below it.

use std::ops::Range;

use gimli::{AArch64, CfaRule, RegisterRule, UnwindTableRow};

use super::{Cfa, Link, Rule, distance, words};
use crate::image::Image;

/// What a row says. Whether return addresses are signed there is left out: the signature is taken off every one.
pub(super) fn rule(row: &UnwindTableRow<usize>, signal: bool) -> Rule {
    if signal {
        return Rule::Signal;
    }
    if matches!(row.register(AArch64::X30), Some(RegisterRule::Undefined)) {
        return Rule::Outermost;
    }
    frame(row).unwrap_or(Rule::Unknown)
}

fn frame(row: &UnwindTableRow<usize>) -> Option<Rule> {
    let cfa = match row.cfa() {
        CfaRule::RegisterAndOffset { register: AArch64::SP, offset } => Cfa::Sp(words(*offset)?),
        CfaRule::RegisterAndOffset { register: AArch64::X29, offset } => Cfa::Bp(words(*offset)?),
        CfaRule::RegisterAndOffset { .. } | CfaRule::Expression(_) => return None,
    };
    let saved = |register| match row.register(register) {
        None | Some(RegisterRule::Undefined | RegisterRule::SameValue) => Some(None),
        Some(RegisterRule::Offset(offset)) => distance(offset).map(Some),
        Some(_) => None,
    };
    let link = match (saved(AArch64::X29)?, saved(AArch64::X30)?) {
        (None, None) => Link::Register,
        (None, Some(address)) => Link::Alone(address),
        (Some(pointer), Some(address)) if pointer == address + 1 => Link::Pair(pointer),
        (Some(_), _) => return None,
    };
    Some(Rule::Linked(cfa, link))
}

/// `stp x16, x30, [sp, #-16]!`: how the first entry of a procedure linkage table begins, maybe behind a landing pad.
const PUSH_LINK: u32 = 0xa9bf_7bf0;
/// Bytes of the first entry; the others leave stack and `x30` alone.
const FIRST_ENTRY: u64 = 32;
/// `mov x8, #139` (`__NR_rt_sigreturn`), `svc #0`: where signal handlers return to.
const SIGNAL_RETURN: [u32; 2] = [0xd280_1168, 0xd400_0001];
const INSTRUCTION: u64 = 4;

/// Rules, in order of address, of code that tables leave out: linkers write none for the procedure linkage table, the kernel none for the
/// return from signal handlers.
pub(super) fn known(image: &Image, code: Range<u64>) -> Vec<(u64, Rule)> {
    let mut rules = Vec::new();
    if let Some(plt) = image.section(".plt").filter(|plt| code.contains(&plt.vaddr)) {
        let end = plt.vaddr.saturating_add(plt.file.len() as u64).min(code.end);
        let first = plt.vaddr..end.min(plt.vaddr.saturating_add(FIRST_ENTRY));
        let untouched = Rule::Linked(Cfa::Sp(0), Link::Register);
        rules.push((first.start, untouched));
        if let Some((push, _)) = instructions(image, first.clone()).find(|(_, word)| *word == PUSH_LINK) {
            rules.push((push + INSTRUCTION, Rule::Linked(Cfa::Sp(2), Link::Alone(1))));
            rules.push((first.end, untouched));
        }
        rules.push((end, Rule::Nothing));
    }
    let behind = instructions(image, code.clone()).skip(1);
    for ((at, word), (_, next)) in instructions(image, code.clone()).zip(behind) {
        if [word, next] == SIGNAL_RETURN {
            // The handler's return address is looked up by the instruction before it.
            rules.push((at.saturating_sub(INSTRUCTION).max(code.start), Rule::Signal));
            rules.push((at.saturating_add(2 * INSTRUCTION), Rule::Nothing));
        }
    }
    rules.sort_by_key(|(address, _)| *address);
    rules
}

/// The instructions between two addresses, as far as the file has them.
fn instructions(image: &Image, code: Range<u64>) -> impl Iterator<Item = (u64, u32)> {
    let bytes = image.tail(code.start).unwrap_or_default();
    let words = bytes.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word));
    (code.start..code.end).step_by(INSTRUCTION as usize).zip(words)
}
