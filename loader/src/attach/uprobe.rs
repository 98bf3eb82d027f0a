//! Probes in user-space code. With links of many uprobes (Linux 6.6) all sites of a program in a binary are one link, attached and
//! detached at once; before that each site is a perf event of its own.

use super::{Attached, Failure, Scope};
use crate::sys::link::{self, UprobeMulti};
use crate::sys::probe::Feature;
use crate::sys::{perf, process};
use lang::env::{Site, Stop, UprobeClass};
use lang::hir::UprobeTarget;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd};

/// Most places that are attached one by one. Each takes two descriptors and, when it is detached, a grace period of the kernel of
/// about 0.1 s under a lock, so that threads do not help: more of them would take minutes to come off, also after a `kill -9`.
const MOST_ONE_BY_ONE: usize = 512;

/// A number of places that are attached one by one from which on the user is told that it takes time.
const MANY_ONE_BY_ONE: usize = 20;

/// What to tell the user before many places are attached one by one.
#[must_use]
pub fn warning(places: usize, scope: Scope) -> Option<String> {
    let many = !scope.uprobe_multi && (MANY_ONE_BY_ONE..=MOST_ONE_BY_ONE).contains(&places);
    many.then(|| {
        format!(
            "{places} places are attached one by one; it takes the kernel about 0.1 s for each to detach it"
        )
    })
}

/// Attaches a program to all sites of a binary.
pub(super) fn attach(
    program: BorrowedFd<'_>,
    class: &UprobeClass,
    target: &UprobeTarget,
    scope: Scope,
    attached: &mut Attached,
    stop: &mut dyn FnMut() -> bool,
) -> Result<(), Failure> {
    let path = CString::new(target.path.as_str())
        .map_err(|_| Failure { what: format!("the path {:?} has a NUL byte", target.path), help: None })?;
    let ret = class.stop == Stop::KernelReturn;
    if !scope.uprobe_multi {
        return one_by_one(program, &path, ret, target, scope.pid, attached, stop);
    }
    let offsets: Vec<u64> = target.sites.iter().map(|s| s.offset).collect();
    let cookies: Vec<u64> = target.sites.iter().map(Site::cookie).collect();
    let places =
        UprobeMulti { path: &path, offsets: &offsets, cookies: &cookies, ref_ctrs: &[], ret, pid: scope.pid };
    let link = link::uprobe_multi(program, &places).map_err(|e| match offsets.as_slice() {
        [offset] => refused(target, *offset, &e),
        several => Failure::new(&format!("{} places in {} were refused", several.len(), target.path), &e),
    })?;
    attached.links.push(link);
    attached.sites += target.sites.len();
    Ok(())
}

fn one_by_one(
    program: BorrowedFd<'_>,
    path: &std::ffi::CStr,
    ret: bool,
    target: &UprobeTarget,
    pid: Option<u32>,
    attached: &mut Attached,
    stop: &mut dyn FnMut() -> bool,
) -> Result<(), Failure> {
    if attached.sites + target.sites.len() > MOST_ONE_BY_ONE {
        return Err(Failure {
            what: format!("these are more than {MOST_ONE_BY_ONE} places"),
            help: Some(format!(
                "name fewer functions; this kernel has no {}, which attach any number at once (Linux {})",
                Feature::UprobeMulti.describe(),
                Feature::UprobeMulti.since()
            )),
        });
    }
    // Two descriptors a site. Not being able to raise the limit matters only if it is reached.
    let _ = process::raise_file_limit();
    for site in &target.sites {
        if stop() {
            break;
        }
        let probe = perf::Uprobe { path, offset: site.offset, ref_ctr: 0, ret, pid };
        let event = perf::uprobe(&probe).map_err(|e| refused(target, site.offset, &e))?;
        let link = link::perf_event(program, event.as_fd(), site.cookie()).map_err(|e| {
            Failure::of_link(
                &format!("the place at offset {:#x} of {} was refused", site.offset, target.path),
                &e,
            )
        })?;
        attached.links.extend([link, event]);
        attached.sites += 1;
    }
    Ok(())
}

fn refused(target: &UprobeTarget, offset: u64, error: &std::io::Error) -> Failure {
    Failure::new(&format!("the place at offset {offset:#x} of {} was refused", target.path), error)
}
