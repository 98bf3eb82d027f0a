//! Aggregations: what a map keeps of many values.

use super::{Builtin, EVERYWHERE, Form};
use crate::check::{Call, Checked, Checker, Outcome, is_weak};
use crate::diag::Problem;
use crate::hir::{Agg, Series};

/// An entry; all but the texts is alike.
const fn entry(
    name: &'static str,
    args: (usize, usize),
    signature: &'static str,
    doc: &'static str,
    example: &'static str,
    check: fn(&mut Checker<'_>, &Call<'_>) -> Checked<Outcome>,
) -> Builtin {
    Builtin {
        name,
        form: Form::MapValue,
        args,
        signature,
        doc,
        example,
        probes: EVERYWHERE,
        elsewhere: None,
        check,
    }
}

pub(super) const ENTRIES: &[Builtin] = &[
    entry(
        "count",
        (0, 0),
        "count()",
        "The number of times the assignment ran.",
        "uprobe:./web:main.* { @[func] = count(); }",
        |_, _| Ok(Outcome::Aggregate { agg: Agg::Count, value: None }),
    ),
    entry(
        "sum",
        (1, 1),
        "sum(NUMBER)",
        "The sum of the numbers.",
        "uprobe:libc:malloc { @bytes[comm] = sum(arg0); }",
        |checker, call| number(checker, call, |signed| Agg::Sum { signed }),
    ),
    entry(
        "min",
        (1, 1),
        "min(NUMBER)",
        "The least of the numbers.",
        "uprobe:libc:malloc { @ = min(arg0); }",
        |checker, call| number(checker, call, |signed| Agg::Min { signed }),
    ),
    entry(
        "max",
        (1, 1),
        "max(NUMBER)",
        "The greatest of the numbers.",
        "uprobe:libc:malloc { @ = max(arg0); }",
        |checker, call| number(checker, call, |signed| Agg::Max { signed }),
    ),
    entry(
        "avg",
        (1, 1),
        "avg(NUMBER)",
        "The mean of the numbers.",
        "uprobe:libc:malloc { @ = avg(arg0); }",
        |checker, call| number(checker, call, |signed| Agg::Avg { signed }),
    ),
    entry(
        "stats",
        (1, 1),
        "stats(NUMBER)",
        "Count, mean and sum of the numbers.",
        "uprobe:libc:malloc { @[comm] = stats(arg0); }",
        |checker, call| number(checker, call, |signed| Agg::Stats { signed }),
    ),
    entry(
        "hist",
        (1, 2),
        "hist(NUMBER [, BITS])",
        "A histogram whose buckets are powers of two, each cut into 2^BITS parts (0 to 5, 0 if left out).",
        "uretprobe:libc:read { @bytes = hist((int64)retval); }",
        hist,
    ),
    entry(
        "lhist",
        (4, 4),
        "lhist(NUMBER, MIN, MAX, STEP)",
        "A histogram with buckets of STEP from MIN to MAX, at most 1000, and one more for the numbers on either side.",
        "uretprobe:libc:read { @bytes = lhist((int64)retval, 0, 4096, 256); }",
        lhist,
    ),
    entry(
        "tseries",
        (3, 4),
        "tseries(NUMBER, PERIOD, COUNT [, OF])",
        "What the numbers of each of the latest COUNT periods (1 to 1000) make, drawn as a chart over time: the latest one, or by OF their \
         \"sum\", \"min\", \"max\" or \"avg\". PERIOD is in nanoseconds: `1s`, `100ms`.",
        "interval:ms:100 { @ticks[cpu] = tseries(rand % 10, 1s, 20, \"max\"); }",
        tseries,
    ),
];

/// Most periods of a time series.
const MAX_PERIODS: i64 = 1000;
/// What may be kept of the numbers of a period.
const SERIES: [Series; 4] = [Series::Avg, Series::Max, Series::Min, Series::Sum];

/// Most buckets of a linear histogram.
const MAX_BUCKETS: i128 = 1000;
/// Greatest number of bits that cut a power of two.
const MAX_BITS: i64 = 5;

fn number(checker: &mut Checker<'_>, call: &Call<'_>, agg: fn(bool) -> Agg) -> Checked<Outcome> {
    let [arg] = call.args else { return checker.no_arguments(call) };
    let value = checker.number_arg(arg)?;
    let signed = value.ty.is_signed() || is_weak(&value);
    Ok(Outcome::Aggregate { agg: agg(signed), value: Some(value) })
}

fn hist(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [arg, rest @ ..] = call.args else { return checker.no_arguments(call) };
    let value = checker.number_arg(arg);
    let bits = match rest.first() {
        None => 0,
        Some(arg) => {
            let bits = checker.constant(arg, "the number of bits")?;
            if !(0..=MAX_BITS).contains(&bits) {
                let message = format!("hist() cuts each power of two by 0 to {MAX_BITS} bits, not {bits}");
                return checker.fail(Problem::error(arg.span, message));
            }
            bits as u8
        }
    };
    Ok(Outcome::Aggregate { agg: Agg::Hist { bits }, value: Some(value?) })
}

fn tseries(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [arg, interval_arg, count_arg, rest @ ..] = call.args else { return checker.no_arguments(call) };
    let value = checker.number_arg(arg);
    let interval = checker.constant(interval_arg, "the length of a period");
    let count = checker.constant(count_arg, "the number of periods");
    let of = rest.first().map(|of| checker.text_arg(of, "what is kept of a period")).transpose();
    let (value, interval, count, of) = (value?, interval?, count?, of?);
    let Some(interval) = u64::try_from(interval).ok().filter(|interval| *interval > 0) else {
        let problem = Problem::error(interval_arg.span, "a period must be longer than nothing");
        return checker.fail(problem.help("it is in nanoseconds: `1s`, `100ms`"));
    };
    let Some(count) = u32::try_from(count).ok().filter(|_| (1..=MAX_PERIODS).contains(&count)) else {
        let message = format!("tseries() keeps 1 to {MAX_PERIODS} periods, not {count}");
        return checker.fail(Problem::error(count_arg.span, message));
    };
    let kept = match &of {
        None => Some(Series::Last),
        Some(name) => SERIES.into_iter().find(|series| series.name() == name.as_ref()),
    };
    let Some(of) = kept else {
        let name = of.as_deref().unwrap_or_default();
        let span = rest.first().map_or(call.span, |of| of.span);
        let names = SERIES.map(Series::name);
        let problem = Problem::error(span, format!("tseries() cannot keep the `{name}` of a period"))
            .note(format!("it can keep {}; the latest number when nothing is said", names.join(", ")))
            .did_you_mean(name, names);
        return checker.fail(problem);
    };
    let signed = value.ty.is_signed() || is_weak(&value);
    Ok(Outcome::Aggregate { agg: Agg::Tseries { interval, count, of, signed }, value: Some(value) })
}

fn lhist(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [arg, min_arg, max_arg, step_arg] = call.args else { return checker.no_arguments(call) };
    let value = checker.number_arg(arg);
    let min = checker.constant(min_arg, "the lower bound");
    let max = checker.constant(max_arg, "the upper bound");
    let step = checker.constant(step_arg, "the width of a bucket");
    let (value, min, max, step) = (value?, min?, max?, step?);
    if step <= 0 {
        return checker.fail(Problem::error(step_arg.span, "the width of a bucket must be greater than 0"));
    }
    if min >= max {
        let problem =
            Problem::error(min_arg.span.to(max_arg.span), "the lower bound must be below the upper bound");
        return checker.fail(problem);
    }
    let span = i128::from(max) - i128::from(min);
    let buckets = (span + i128::from(step) - 1) / i128::from(step);
    if buckets > MAX_BUCKETS {
        let least = (span + MAX_BUCKETS - 1) / MAX_BUCKETS;
        let problem =
            Problem::error(call.span, format!("this makes {buckets} buckets; {MAX_BUCKETS} is the most"))
                .help(format!("make a bucket at least {least} wide"));
        return checker.fail(problem);
    }
    Ok(Outcome::Aggregate { agg: Agg::Lhist { min, max, step }, value: Some(value) })
}
