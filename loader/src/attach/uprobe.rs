//! Probes in user-space code. With links of many uprobes (Linux 6.6) all sites of a program in a binary are one link, attached and
//! detached at once; before that each site is a perf event of its own.

use super::{Attached, Failure, Scope};
use crate::sys::link::{self, UprobeMulti};
use crate::sys::{perf, process};
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
) -> Result<(), Failure> {
    let path = CString::new(target.path.as_str())
        .map_err(|_| Failure { what: format!("the path {:?} has a NUL byte", target.path), help: None })?;
    let ret = class.stop == Stop::KernelReturn;
    attached.sites += target.sites.len();
    if !scope.uprobe_multi {
        return one_by_one(program, &path, ret, target, scope.pid, attached);
    }
    let offsets: Vec<u64> = target.sites.iter().map(|s| s.offset).collect();
    let cookies: Vec<u64> = target.sites.iter().map(Site::cookie).collect();
    let places = UprobeMulti { path: &path, offsets: &offsets, cookies: &cookies, ref_ctrs: &[], ret, pid: scope.pid };
    let link = link::uprobe_multi(program, &places)
        .map_err(|e| Failure::new(&format!("{} places in {} were refused", offsets.len(), target.path), &e))?;
    attached.links.push(link);
    Ok(())
}

fn one_by_one(
    program: BorrowedFd<'_>,
    path: &std::ffi::CStr,
    ret: bool,
    target: &UprobeTarget,
    pid: Option<u32>,
    attached: &mut Attached,
) -> Result<(), Failure> {
    // Two descriptors a site. Not being able to raise the limit matters only if it is reached.
    let _ = process::raise_file_limit();
    for site in &target.sites {
        let probe = perf::Uprobe { path, offset: site.offset, ref_ctr: 0, ret, pid };
        let event = perf::uprobe(&probe).map_err(|e| refused(target, site.offset, &e))?;
        let link = link::perf_event(program, event.as_fd(), site.cookie())
            .map_err(|e| refused(target, site.offset, &e))?;
        attached.links.extend([link, event]);
    }
    Ok(())
}

fn refused(target: &UprobeTarget, offset: u64, error: &std::io::Error) -> Failure {
    Failure::new(&format!("the place at offset {offset:#x} of {} was refused", target.path), error)
}
