//! What a compiled script needs that this kernel may lack: told in words and at its place before the verifier refuses it.
//!
//! Code generation avoids what a kernel lacks where there is another way ([`crate::target`]); here is what is left.

use crate::sys::probe::Feature;
use codegen::helper::Helper;
use codegen::object::{Object, Program};
use lang::diag::Problem;
use lang::span::Span;

/// Helpers that not every kernel since 5.10 has.
const HELPERS: [(Helper, Feature); 6] = [
    (Helper::CurrentTaskBtf, Feature::CurrentTask),
    (Helper::ForEachMapElem, Feature::ForEachEntry),
    (Helper::TaskRegisters, Feature::TaskRegisters),
    (Helper::MapLookupPercpu, Feature::PerCpuLookup),
    (Helper::FunctionResult, Feature::FunctionResult),
    (Helper::KtimeTaiNs, Feature::TaiClock),
];

/// The first thing that the script needs and this kernel does not have.
pub fn unmet(object: &Object) -> Option<Problem> {
    let calls = |program: &Program, helper: Helper| calling(program, helper as i32);
    let helper = HELPERS.iter().find_map(|(helper, feature)| {
        let span = object.programs.iter().find_map(|program| calls(program, *helper))?;
        // Asking costs a system call or two, so only for what is needed.
        feature.check().is_err().then(|| problem(span, *feature))
    });
    helper.or_else(|| long_keys(object))
}

/// The most bytes of a key before [`Feature::LargeKeys`] (`MAX_BPF_STACK`, include/linux/filter.h).
const SHORT_KEY: u32 = 512;

/// A map whose keys are longer than this kernel takes.
fn long_keys(object: &Object) -> Option<Problem> {
    let (map, size) = object.user_maps.iter().find_map(|user| {
        let size = object.maps.get(user.map)?.key_size;
        (size > SHORT_KEY).then_some((user, size))
    })?;
    let feature = Feature::LargeKeys;
    feature.check().is_err().then(|| {
        let text = format!(
            "the keys of {} are {size} bytes long, and this kernel takes at most {SHORT_KEY}",
            map.name
        );
        Problem::general(text).help(format!(
            "lower max_strlen, or use fewer texts in a key; Linux takes longer ones since {}",
            feature.since()
        ))
    })
}

/// The statement whose code calls a helper first.
fn calling(program: &Program, helper: i32) -> Option<Span> {
    let codes = std::iter::once((&program.insns, &program.lines));
    let codes = codes.chain(program.subs.iter().map(|sub| (&sub.insns, &sub.lines)));
    codes.into_iter().find_map(|(insns, lines)| {
        let at = insns.iter().position(|insn| insn.is_call() && insn.src == 0 && insn.imm == helper)?;
        let line = lines.partition_point(|(start, _)| *start <= at).checked_sub(1)?;
        lines.get(line).map(|(_, span)| *span)
    })
}

fn problem(span: Span, feature: Feature) -> Problem {
    let (what, since) = (feature.describe(), feature.since());
    Problem::error(span, format!("this kernel has no {what}, which this needs"))
        .note(format!("without it: {}", feature.cost()))
        .help(format!("Linux has it since {since}; `gotrace info` shows what this kernel can do"))
}
