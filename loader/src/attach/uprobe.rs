//! Probes in user-space code. With links of many uprobes (Linux 6.6) all sites of a program in a binary are one link, attached and
//! detached at once; before that each site is a perf event of its own.

use super::pace::Pace;
use super::parts::attach_parts;
use super::{Attached, Failure, LeftOut, Scope};
use crate::sys::link::{self, UprobeMulti};
use crate::sys::{in_words, perf};
use lang::env::{Site, Stop, UprobeClass};
use lang::hir::UprobeTarget;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd};

/// Attaches a program to all sites of a binary.
pub(super) fn attach(
    program: BorrowedFd<'_>,
    class: &UprobeClass,
    target: &UprobeTarget,
    scope: Scope,
    attached: &mut Attached,
    pace: &mut Pace<'_>,
) -> Result<(), Failure> {
    let path = CString::new(target.path.as_str())
        .map_err(|_| Failure { what: format!("the path {:?} has a NUL byte", target.path), help: None })?;
    let ret = class.stop == Stop::KernelReturn;
    if !scope.uprobe_multi {
        return one_by_one(program, &path, ret, target, scope.pid, attached, pace);
    }
    let link_of = |sites: &[Site]| {
        let offsets: Vec<u64> = sites.iter().map(|s| s.offset).collect();
        let cookies: Vec<u64> = sites.iter().map(Site::cookie).collect();
        let has_semaphores = sites.iter().any(|s| s.semaphore != 0);
        let semaphores: Vec<u64> =
            sites.iter().filter(|_| has_semaphores).map(|s| s.semaphore.into()).collect();
        let places = UprobeMulti {
            path: &path,
            offsets: &offsets,
            cookies: &cookies,
            ref_ctrs: &semaphores,
            ret,
            pid: scope.pid,
        };
        link::uprobe_multi(program, &places)
    };
    let parts =
        attach_parts(&target.sites, &is_of_place, &link_of).map_err(|e| match target.sites.as_slice() {
            [site] => refused(target, site, &e),
            several => Failure::new(&format!("{} places in {} were refused", several.len(), target.path), &e),
        })?;
    attached.sites += target.sites.len() - parts.refused.len();
    attached.links.extend(parts.links);
    attached.left_out.extend(parts.refused.into_iter().map(|(site, why)| left_out(site, why)));
    Ok(())
}

/// Errors with which the kernel refuses a place, as opposed to a caller: no instruction that it can probe (`ENOTSUPP`, which has no
/// name in user space), no room in the file, a probe of another kind there already.
const OF_PLACES: &[i32] = &[524, libc::EOPNOTSUPP, libc::EINVAL, libc::EIO, libc::ENOEXEC, libc::EEXIST];

fn is_of_place(error: &std::io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| OF_PLACES.contains(&code))
}

fn left_out(site: Site, why: String) -> LeftOut {
    LeftOut { function: site.function, place: format!("offset {:#x} of its file", site.offset), why }
}

fn one_by_one(
    program: BorrowedFd<'_>,
    path: &std::ffi::CStr,
    ret: bool,
    target: &UprobeTarget,
    pid: Option<u32>,
    attached: &mut Attached,
    pace: &mut Pace<'_>,
) -> Result<(), Failure> {
    let before = attached.sites;
    let is_last = |site: &Site| target.sites.last() == Some(site);
    pace.one_by_one(&target.sites, attached, |site, attached| {
        let probe = perf::Uprobe { path, offset: site.offset, ref_ctr: site.semaphore, ret, pid };
        let event = match perf::uprobe(&probe) {
            Ok(event) => event,
            // The last of several that are all refused is the error.
            Err(e) if is_of_place(&e) && (attached.sites > before || !is_last(site)) => {
                attached.left_out.push(left_out(*site, in_words(&e)));
                return Ok(None);
            }
            Err(e) => return Err(refused(target, site, &e)),
        };
        let link = link::perf_event(program, event.as_fd(), site.cookie()).map_err(|e| {
            Failure::new(
                &format!("the place at offset {:#x} of {} was refused", site.offset, target.path),
                &e,
            )
        })?;
        Ok(Some([link, event]))
    })
}

fn refused(target: &UprobeTarget, site: &Site, error: &std::io::Error) -> Failure {
    let (offset, semaphore) = (site.offset, site.semaphore);
    let mut failure =
        Failure::new(&format!("the place at offset {offset:#x} of {} was refused", target.path), error);
    failure.help = match error.raw_os_error() {
        Some(libc::EINVAL) if semaphore != 0 => Some(format!(
            "its semaphore, which tells the program that somebody looks, is at offset {semaphore:#x} of the file; the kernel sets it only where \
             the program may write, and once for all tracers of the place"
        )),
        Some(524 | libc::EOPNOTSUPP) => Some("the kernel cannot step over the instruction there".into()),
        _ => failure.help,
    };
    failure
}
