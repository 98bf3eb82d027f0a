//! Periods of timers, and the perf events that `software` and `hardware` probes count. The names are perf's and
//! bpftrace's; the numbers are those of `enum perf_sw_ids` and `enum perf_hw_id` in `include/uapi/linux/perf_event.h`.

use super::Part;
use crate::diag;
use crate::hir::Period;
use crate::literal;

/// An event that the kernel or the processor counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PerfEvent {
    /// Its name in scripts.
    pub name: &'static str,
    /// The short name, or the same again.
    pub alias: &'static str,
    /// `perf_event_attr.config`
    pub config: u64,
    /// The count after which the program runs, unless the script says another one.
    pub count: u64,
    /// Counted by the processor (`PERF_TYPE_HARDWARE`), not by the kernel (`PERF_TYPE_SOFTWARE`).
    pub hardware: bool,
}

const fn software(name: &'static str, alias: &'static str, config: u64, count: u64) -> PerfEvent {
    PerfEvent { name, alias, config, count, hardware: false }
}

const fn hardware(name: &'static str, alias: &'static str, config: u64) -> PerfEvent {
    PerfEvent { name, alias, config, count: 1_000_000, hardware: true }
}

/// The events. The clocks count nanoseconds, so their usual count is a millisecond; faults come in numbers too great to run
/// a program for each; the rest is rare.
#[rustfmt::skip]
pub const EVENTS: &[PerfEvent] = &[
    software("cpu-clock", "cpu", 0, 1_000_000),
    software("task-clock", "task-clock", 1, 1_000_000),
    software("page-faults", "faults", 2, 100),
    software("context-switches", "cs", 3, 1000),
    software("cpu-migrations", "cpu-migrations", 4, 1),
    software("minor-faults", "minor-faults", 5, 100),
    software("major-faults", "major-faults", 6, 1),
    software("alignment-faults", "alignment-faults", 7, 1),
    software("emulation-faults", "emulation-faults", 8, 1),
    software("dummy", "dummy", 9, 1),
    software("bpf-output", "bpf-output", 10, 1),
    hardware("cpu-cycles", "cycles", 0),
    hardware("instructions", "instructions", 1),
    hardware("cache-references", "cache-references", 2),
    hardware("cache-misses", "cache-misses", 3),
    hardware("branch-instructions", "branches", 4),
    hardware("branch-misses", "branch-misses", 5),
    hardware("bus-cycles", "bus-cycles", 6),
    hardware("frontend-stalls", "frontend-stalls", 7),
    hardware("backend-stalls", "backend-stalls", 8),
    hardware("ref-cycles", "ref-cycles", 9),
];

/// `cs`, `page-faults:100`: the event and its count.
pub(super) fn perf(parts: &[Part], hardware: bool) -> Result<(&'static PerfEvent, u64), String> {
    let (name, count) = match parts {
        [name] => (name, None),
        [name, count] => (name, Some(count)),
        _ => return Err("an event and perhaps a count are expected".into()),
    };
    let known = || EVENTS.iter().filter(|e| e.hardware == hardware);
    let Some(event) = known().find(|e| e.name == name.text || e.alias == name.text) else {
        let what = if hardware { "hardware" } else { "software" };
        let names: Vec<&str> = known().map(|e| e.name).collect();
        let aliases = known().map(|e| e.alias).filter(|a| a.len() > 3);
        let hint = match diag::nearest(&name.text, names.iter().copied().chain(aliases)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", names.join(", ")),
        };
        return Err(format!("unknown {what} event `{}`; {hint}", name.text));
    };
    let count = match count {
        None => event.count,
        Some(count) => number(&count.text)
            .filter(|n| *n > 0)
            .ok_or_else(|| format!("`{}` is no count; it is a number from 1 on", count.text))?,
    };
    Ok((event, count))
}

/// A number in any of the language's spellings, a time included.
pub(super) fn number(text: &str) -> Option<u64> {
    literal::number(text).ok().filter(|_| text.starts_with(|c: char| c.is_ascii_digit()))
}

/// Shortest period that the kernel's timers are asked for.
const MIN_PERIOD_NS: u64 = 1_000;

/// `s:1`, `ms:10`, `us:100`, `hz:99`, `1s`, `1000000` (nanoseconds).
pub(super) fn period(parts: &[Part]) -> Result<Period, String> {
    let period = match parts {
        [one] => {
            let nanos = number(&one.text)
                .ok_or_else(|| format!("`{}` is no time, such as `1s` or `100ms`", one.text))?;
            Period::Nanos(nanos)
        }
        [unit, count] => {
            let n = number(&count.text).ok_or_else(|| format!("`{}` is not a number", count.text))?;
            let nanos = |factor: u64| {
                n.checked_mul(factor).map(Period::Nanos).ok_or_else(|| format!("{n} is too long a time"))
            };
            match unit.text.as_str() {
                "s" => nanos(1_000_000_000)?,
                "ms" => nanos(1_000_000)?,
                "us" => nanos(1_000)?,
                "hz" => Period::Hertz(n),
                other => return Err(format!("unknown unit `{other}`; units are s, ms, us and hz")),
            }
        }
        _ => return Err("a unit and a number are missing".into()),
    };
    match period {
        Period::Hertz(0) | Period::Nanos(0) => Err("a period of zero never ends".into()),
        Period::Nanos(n) if n < MIN_PERIOD_NS => Err("the shortest period is 1 microsecond".into()),
        Period::Hertz(n) if n > 1_000_000_000 / MIN_PERIOD_NS => {
            Err("the shortest period is 1 microsecond".into())
        }
        p => Ok(p),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_unique() {
        for event in EVENTS {
            let same = |e: &&PerfEvent| {
                e.hardware == event.hardware && (e.config == event.config || e.name == event.name)
            };
            assert_eq!(EVENTS.iter().filter(same).count(), 1, "{}", event.name);
        }
    }
}
