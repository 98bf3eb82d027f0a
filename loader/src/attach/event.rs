//! Probes on perf events: `interval` and `profile` (the `cpu-clock` software event), `software` and `hardware`,
//! and tracepoints.

use super::{Attached, Failure};
use crate::sys::perf::{self, Rate, Scope};
use crate::sys::{clock, link, process};
use crate::tracefs;
use lang::env::Tracepoint;
use lang::hir::Period;
use lang::probe::PerfEvent;
use std::os::fd::BorrowedFd;

fn rate(period: Period) -> Rate {
    match period {
        Period::Hertz(hertz) => Rate::Hertz(hertz),
        Period::Nanos(nanos) => Rate::Nanos(nanos),
    }
}

/// On one CPU, each period. A rate is turned into its period: the kernel adapts the sampling of a frequency, and an interval
/// must not wander.
pub(super) fn interval(
    program: BorrowedFd<'_>,
    period: Period,
    attached: &mut Attached,
) -> Result<(), Failure> {
    let nanos = match period {
        Period::Hertz(hertz) => 1_000_000_000 / hertz.max(1),
        Period::Nanos(nanos) => nanos,
    };
    let cpu = online()?.into_iter().next().unwrap_or(0);
    timer(program, cpu, Rate::Nanos(nanos), attached)?;
    attached.sites += 1;
    Ok(())
}

/// On every CPU, each period.
pub(super) fn profile(
    program: BorrowedFd<'_>,
    period: Period,
    attached: &mut Attached,
) -> Result<(), Failure> {
    for cpu in online()? {
        timer(program, cpu, rate(period), attached)?;
    }
    attached.sites += 1;
    Ok(())
}

fn online() -> Result<Vec<u32>, Failure> {
    clock::online_cpus().map_err(|e| Failure::new("the list of CPUs cannot be read", &e))
}

fn timer(program: BorrowedFd<'_>, cpu: u32, rate: Rate, attached: &mut Attached) -> Result<(), Failure> {
    let event = perf::cpu_clock(cpu, rate).map_err(|e| {
        let mut failure = Failure::new("the timer was refused", &e);
        if e.raw_os_error() == Some(libc::EINVAL) {
            failure.help = Some("kernel.perf_event_max_sample_rate limits the frequency".into());
        }
        failure
    })?;
    add(program, event, attached)
}

/// A counted event: in the threads of one process and those that they start from now on, else on every CPU.
pub(super) fn counter(
    program: BorrowedFd<'_>,
    event: &PerfEvent,
    count: u64,
    pid: Option<u32>,
    attached: &mut Attached,
) -> Result<(), Failure> {
    let refused = |e: std::io::Error| not_counted(event, &e);
    match pid {
        Some(pid) => {
            for thread in process::threads(pid) {
                let opened = perf::counter(event, count, Scope::Thread(thread)).map_err(refused)?;
                add(program, opened, attached)?;
            }
        }
        None => {
            for cpu in online()? {
                let opened = perf::counter(event, count, Scope::Cpu(cpu)).map_err(refused)?;
                add(program, opened, attached)?;
            }
        }
    }
    attached.sites += 1;
    Ok(())
}

/// Why an event cannot be counted.
fn not_counted(event: &PerfEvent, error: &std::io::Error) -> Failure {
    let absent = matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV | libc::EOPNOTSUPP));
    if absent && event.hardware {
        return Failure {
            what: format!("this machine's processor does not count {}", event.name),
            help: Some(
                "virtual machines mostly have no such counters; `profile:hz:99` and `software:cpu-clock` work everywhere"
                    .into(),
            ),
        };
    }
    Failure::new(&format!("the event {} was refused", event.name), error)
}

/// A kernel tracepoint.
pub(super) fn tracepoint(
    program: BorrowedFd<'_>,
    tracepoint: &Tracepoint,
    attached: &mut Attached,
) -> Result<(), Failure> {
    let format = tracefs::find()
        .and_then(|t| t.format(&tracepoint.category, &tracepoint.name))
        .map_err(|e| Failure { what: e.to_string(), help: None })?;
    let event =
        perf::tracepoint(u64::from(format.id)).map_err(|e| Failure::new("the tracepoint was refused", &e))?;
    add(program, event, attached)?;
    attached.sites += 1;
    Ok(())
}

fn add(program: BorrowedFd<'_>, event: std::os::fd::OwnedFd, attached: &mut Attached) -> Result<(), Failure> {
    use std::os::fd::AsFd;
    let link = link::perf_event(program, event.as_fd(), 0)
        .map_err(|e| Failure::new("the program was refused", &e))?;
    // The link goes first: closing it waits for running programs.
    attached.links.extend([link, event]);
    Ok(())
}
