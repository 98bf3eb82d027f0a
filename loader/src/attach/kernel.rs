//! Probes in the kernel: raw tracepoints (Linux 4.17), fentry and fexit (5.5, with BTF), kprobes (perf links 5.15; one link for many
//! functions 5.18, where the kernel has fprobe, else one perf event for each), and watchpoints.

use super::pace::Pace;
use super::parts::attach_parts;
use super::{Attached, Failure, LeftOut, Watched};
use crate::sys::perf::{self, Kprobe, Scope};
use crate::sys::{bpf, clock, in_words, link, process};
use codegen::object::ProgramKind;
use lang::env::KernelPlace;
use lang::probe::Watchpoint;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// Addresses from here on are the kernel's, on x86-64 and arm64.
const KERNEL: u64 = 1 << 63;

/// A raw tracepoint.
pub(super) fn raw_tracepoint(
    program: BorrowedFd<'_>,
    name: &str,
    attached: &mut Attached,
) -> Result<(), Failure> {
    let c_name =
        CString::new(name).map_err(|_| Failure { what: format!("{name:?} has a NUL byte"), help: None })?;
    let link = bpf::raw_tracepoint(program, Some(&c_name)).map_err(|e| match e.raw_os_error() {
        Some(libc::ENOENT) => Failure {
            what: format!("the kernel has no raw tracepoint {name}"),
            help: Some("tracepoints of system calls are two raw ones: sys_enter and sys_exit".into()),
        },
        Some(libc::EINVAL) => Failure {
            what: "the program reads an argument that the tracepoint does not have".into(),
            help: Some(format!("`gotrace list -v rawtracepoint:{name}` shows its arguments")),
        },
        _ => Failure::new("the raw tracepoint was refused", &e),
    })?;
    attached.links.push(link);
    attached.sites += 1;
    Ok(())
}

/// The function that the program was loaded for.
pub(super) fn fentry(program: BorrowedFd<'_>, attached: &mut Attached) -> Result<(), Failure> {
    let link = bpf::raw_tracepoint(program, None).map_err(|e| {
        let mut failure = Failure::new("the function was refused", &e);
        if matches!(e.raw_os_error(), Some(libc::EBUSY | libc::EINVAL | libc::ENOENT)) {
            failure.help = Some(
                "the function cannot be traced: it is marked notrace, or has no call for tracing".into(),
            );
        }
        failure
    })?;
    attached.links.push(link);
    attached.sites += 1;
    Ok(())
}

/// Instructions of the kernel, each with the number that the program finds as its cookie.
pub(super) fn kprobe(
    program: BorrowedFd<'_>,
    kind: ProgramKind,
    ret: bool,
    places: &[(u32, KernelPlace)],
    attached: &mut Attached,
    pace: &mut Pace<'_>,
) -> Result<(), Failure> {
    if kind == ProgramKind::KprobeMulti {
        let link_of = |places: &[(u32, KernelPlace)]| {
            let addresses: Vec<u64> = places.iter().map(|(_, p)| p.address).collect();
            let cookies: Vec<u64> = places.iter().map(|(index, _)| u64::from(*index)).collect();
            link::kprobe_multi(program, link::Functions::Addresses(&addresses), &cookies, ret)
        };
        let parts = attach_parts(places, &is_of_place, &link_of).map_err(|e| match places {
            [(_, place)] => refused(place, &e),
            several => Failure::new(&format!("{} functions were refused together", several.len()), &e),
        })?;
        attached.sites += places.len() - parts.refused.len();
        attached.links.extend(parts.links);
        attached
            .left_out
            .extend(parts.refused.iter().map(|((index, place), why)| left_out(*index, place, why)));
        return Ok(());
    }
    let before = attached.sites;
    let is_last = |index: u32| places.last().is_some_and(|(last, _)| *last == index);
    pace.one_by_one(places, attached, |(index, place), attached| {
        let event = match open(place, ret) {
            Ok(event) => event,
            // The last of several that are all refused is the error.
            Err(e) if is_of_place(&e) && (attached.sites > before || !is_last(*index)) => {
                attached.left_out.push(left_out(*index, place, &in_words(&e)));
                return Ok(None);
            }
            Err(e) => return Err(refused(place, &e)),
        };
        let link = link::perf_event(program, event.as_fd(), u64::from(*index))
            .map_err(|e| Failure::new(&format!("{} was refused", shown(place)), &e))?;
        Ok(Some([link, event]))
    })
}

/// Whether an error speaks against a place, as opposed to the caller. Several functions can have one name, of which tracefs lists one: the
/// others are not traceable; and some functions must not have kprobes.
fn is_of_place(error: &io::Error) -> bool {
    let codes = [libc::ENOENT, libc::EINVAL, libc::EILSEQ, libc::EADDRNOTAVAIL];
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

fn left_out(function: u32, place: &KernelPlace, why: &str) -> LeftOut {
    LeftOut { function, place: format!("{:#x} of the kernel", place.address), why: why.to_owned() }
}

/// By address where it is known: names can be those of several functions.
fn open(place: &KernelPlace, ret: bool) -> io::Result<std::os::fd::OwnedFd> {
    if place.address != 0 {
        return perf::kprobe(Kprobe::Address(place.address.wrapping_add(place.offset)), ret);
    }
    let name =
        CString::new(place.function.as_str()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    perf::kprobe(Kprobe::Function(&name, place.offset), ret)
}

fn shown(place: &KernelPlace) -> String {
    match place.offset {
        0 => place.function.clone(),
        offset => format!("{}+{offset}", place.function),
    }
}

fn refused(place: &KernelPlace, error: &io::Error) -> Failure {
    let mut failure = Failure::new(&format!("{} was refused", shown(place)), error);
    failure.help = match error.raw_os_error() {
        Some(libc::ENOENT) => Some("the kernel finds no code of that name that a probe may be placed on; `gotrace list 'kprobe:…'` shows what there is".into()),
        Some(libc::EILSEQ) => Some("no instruction starts there, or it cannot be probed; `bpftool` and `objdump` show where they start".into()),
        Some(libc::EINVAL) if cfg!(target_arch = "aarch64") && !place.offset.is_multiple_of(4) => {
            Some("no instruction starts there: each has 4 bytes".into())
        }
        Some(libc::EINVAL) => Some("the kernel does not allow probes there (notrace, NOKPROBE_SYMBOL)".into()),
        Some(libc::EADDRNOTAVAIL) => Some("the kernel has several functions of that name".into()),
        _ => failure.help,
    };
    failure
}

/// An access to memory: in the traced process, or in the kernel.
pub(super) fn watchpoint(
    program: BorrowedFd<'_>,
    watch: &Watchpoint,
    pid: Option<u32>,
    attached: &mut Attached,
) -> Result<(), Failure> {
    let scopes: Vec<Scope> = match pid {
        Some(pid) if watch.address < KERNEL => process::threads(pid).into_iter().map(Scope::Thread).collect(),
        None if watch.address < KERNEL => {
            return Err(Failure {
                what: format!("the address {:#x} is one of a process", watch.address),
                help: Some("say of which: -p PID or -c COMMAND".into()),
            });
        }
        _ => {
            let cpus =
                clock::online_cpus().map_err(|e| Failure::new("the list of CPUs cannot be read", &e))?;
            cpus.into_iter().map(Scope::Cpu).collect()
        }
    };
    let mut links = Vec::new();
    for scope in scopes {
        let event = perf::breakpoint(watch, scope).map_err(|e| {
            let mut failure = Failure::new("the watchpoint was refused", &e);
            failure.help = match e.raw_os_error() {
                Some(libc::ENOSPC) => {
                    Some("the processor watches few places at a time (x86: four); all are in use".into())
                }
                Some(libc::EINVAL) if watch.access.0 == 1 => {
                    Some("x86 cannot watch reads alone; use `rw`".into())
                }
                _ => failure.help,
            };
            failure
        })?;
        let link = link::perf_event(program, event.as_fd(), 0)
            .map_err(|e| Failure::new("the program was refused", &e))?;
        links.extend([link, event]);
    }
    attached.watched.push(Watched { address: watch.address, _links: links });
    attached.sites += 1;
    Ok(())
}
