//! Probes with several places on kernels whose programs cannot ask at which of them they are (Linux 5.15 can): one probe for each place.
//!
//! Such a program tells its places apart by a number that it is given where it is attached. A program with one place needs none, because code
//! generation knows its function. It costs a program for each place, of which old kernels take only some hundreds anyway.

use crate::sys::probe::Feature;
use codegen::Target;
use lang::hir::{Attach, Probe, Program, UprobeTarget};

/// Parts the probes of a program that this kernel could not attach with numbers. Links of many places always have them.
pub fn by_place(program: &mut Program, target: &Target) {
    let numbered = |probe: &Probe| match probe.attach {
        Attach::Uprobe { .. } => target.uprobe_multi,
        Attach::Kprobe { .. } => target.kprobe_multi,
        _ => true,
    };
    if program.probes.iter().all(numbered) || has_numbers() {
        return;
    }
    let probes = std::mem::take(&mut program.probes).into_iter();
    program.probes =
        probes.flat_map(|probe| if numbered(&probe) { vec![probe] } else { parts(probe) }).collect();
}

/// Whether a program can be given a number with a perf event, and ask for it.
fn has_numbers() -> bool {
    Feature::Cookie.check().is_ok() && Feature::PerfLink.check().is_ok()
}

/// The same probe for each of its places.
fn parts(probe: Probe) -> Vec<Probe> {
    let attaches: Vec<Attach> = match &probe.attach {
        Attach::Uprobe { class, ret, targets } => {
            let sites =
                targets.iter().flat_map(|target| target.sites.iter().map(|site| (&target.path, *site)));
            let one =
                |(path, site): (&String, _)| vec![UprobeTarget { path: path.clone(), sites: vec![site] }];
            sites.map(|site| Attach::Uprobe { class: class.clone(), ret: *ret, targets: one(site) }).collect()
        }
        Attach::Kprobe { ret, places } => {
            places.iter().map(|place| Attach::Kprobe { ret: *ret, places: vec![place.clone()] }).collect()
        }
        _ => return vec![probe],
    };
    attaches.into_iter().map(|attach| Probe { attach, ..probe.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lang::env::KernelPlace;
    use lang::span::Span;

    #[test]
    fn each_place_gets_a_probe_of_its_own() {
        let place = |name: &str| KernelPlace { function: name.into(), module: None, offset: 0, address: 0 };
        let places = vec![(0, place("vfs_read")), (3, place("vfs_write"))];
        let attach = Attach::Kprobe { ret: true, places };
        let (name, span) = ("kretprobe:vfs_*".to_owned(), Span::new(1, 9));
        let probe = Probe { attach, name, span, predicate: None, body: Vec::new(), vars: Vec::new() };
        let parts = parts(probe);
        let shown: Vec<String> = parts.iter().map(|p| format!("{} {:?}", p.name, p.attach)).collect();
        assert_eq!(parts.len(), 2);
        assert!(shown[0].contains("vfs_read") && !shown[0].contains("vfs_write"), "{shown:?}");
        assert!(shown[1].starts_with("kretprobe:vfs_* ") && shown[1].contains("(3, "), "{shown:?}");
    }
}
