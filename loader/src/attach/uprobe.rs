//! Probes in user-space code. With links of many uprobes (Linux 6.6) all sites of a program in a binary are one link, attached and
//! detached at once; before that each site is a perf event of its own.

use super::pace::Pace;
use super::{Attached, Failure, LeftOut, Scope};
use crate::sys::link::{self, UprobeMulti};
use crate::sys::perf;
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
    let parts = attach_parts(&target.sites, &link_of).map_err(|e| match target.sites.as_slice() {
        [site] => refused(target, site, &e),
        several => Failure::new(&format!("{} places in {} were refused", several.len(), target.path), &e),
    })?;
    attached.sites += target.sites.len() - parts.refused.len();
    attached.links.extend(parts.links);
    attached.left_out.extend(parts.refused);
    Ok(())
}

/// What became of a list of places.
#[derive(Debug)]
struct Parts<L> {
    links: Vec<L>,
    /// Places that the kernel does not accept, and why.
    refused: Vec<LeftOut>,
}

/// Errors with which the kernel refuses a place, as opposed to a caller: no instruction that it can probe (`ENOTSUPP`, which has no
/// name in user space), no room in the file, a probe of another kind there already.
const OF_PLACES: &[i32] = &[524, libc::EOPNOTSUPP, libc::EINVAL, libc::EIO, libc::ENOEXEC, libc::EEXIST];

fn is_of_place(error: &std::io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| OF_PLACES.contains(&code))
}

/// Attaches to all places with one link. One bad place makes the kernel refuse the whole link, without saying which it is: the list is
/// halved until it is found, and the others are attached. An error only if nothing could be attached.
fn attach_parts<L>(
    sites: &[Site],
    link_of: &impl Fn(&[Site]) -> std::io::Result<L>,
) -> std::io::Result<Parts<L>> {
    let error = match link_of(sites) {
        Ok(link) => return Ok(Parts { links: vec![link], refused: Vec::new() }),
        Err(error) => error,
    };
    if sites.len() < 2 || !is_of_place(&error) {
        return Err(error);
    }
    let (left, right) = sites.split_at(sites.len() / 2);
    let halves = [attach_parts(left, link_of), attach_parts(right, link_of)];
    if halves.iter().all(Result::is_err) {
        return Err(error);
    }
    let mut all = Parts { links: Vec::new(), refused: Vec::new() };
    for (part, sites) in halves.into_iter().zip([left, right]) {
        match part {
            Ok(part) => {
                all.links.extend(part.links);
                all.refused.extend(part.refused);
            }
            Err(error) => {
                let why = error.to_string();
                all.refused.extend(sites.iter().map(|site| LeftOut { site: *site, why: why.clone() }));
            }
        }
    }
    Ok(all)
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
                attached.left_out.push(LeftOut { site: *site, why: e.to_string() });
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn sites(offsets: &[u64]) -> Vec<Site> {
        offsets.iter().map(|offset| Site { offset: *offset, function: 0, semaphore: 0 }).collect()
    }

    /// A kernel that refuses odd offsets, and everything after a call by the wrong user.
    fn kernel(code: i32) -> impl Fn(&[Site]) -> io::Result<Vec<u64>> {
        move |sites| {
            let offsets: Vec<u64> = sites.iter().map(|s| s.offset).collect();
            if offsets.iter().any(|o| o % 2 == 1) {
                Err(io::Error::from_raw_os_error(code))
            } else {
                Ok(offsets)
            }
        }
    }

    #[test]
    fn bad_places_are_found_and_left_out() {
        let parts = attach_parts(&sites(&[2, 4, 6, 7, 8, 10, 12, 13]), &kernel(524)).unwrap();
        let mut attached = parts.links.concat();
        attached.sort_unstable();
        assert_eq!(attached, [2, 4, 6, 8, 10, 12]);
        let refused: Vec<u64> = parts.refused.iter().map(|r| r.site.offset).collect();
        assert_eq!(refused, [7, 13]);
    }

    #[test]
    fn good_places_are_one_link() {
        let parts = attach_parts(&sites(&[2, 4, 6]), &kernel(524)).unwrap();
        assert_eq!(parts.links, [[2, 4, 6]]);
        assert!(parts.refused.is_empty());
    }

    #[test]
    fn nothing_attached_is_an_error() {
        assert!(attach_parts(&sites(&[1, 3]), &kernel(524)).is_err());
        let denied = attach_parts(&sites(&[2, 3]), &kernel(libc::EPERM)).map(|p| p.links);
        assert_eq!(denied.unwrap_err().raw_os_error(), Some(libc::EPERM));
    }
}
