//! Declarations of maps, `let @m = hash(N);`, held against how the script uses them.
//!
//! A declaration does not make a map: types of keys and values follow from the uses as without it, and a map that is declared only does
//! not exist. It says how many entries there is room for and what happens when there are more. Called by [`crate::check()`] when the
//! last pass is over.

use crate::ast::MapDecl;
use crate::check::maps::{MapInfo, Maps, Value};
use crate::diag::{Problem, Problems};
use crate::hir::Map;

/// What a map may be declared as.
struct Kind {
    name: &'static str,
    /// Entries are evicted when it is full.
    lru: bool,
    /// It has a value for each CPU, as aggregations have and other values have not.
    per_cpu: bool,
}

const KINDS: &[Kind] = &[
    Kind { name: "hash", lru: false, per_cpu: false },
    Kind { name: "lruhash", lru: true, per_cpu: false },
    Kind { name: "percpuhash", lru: false, per_cpu: true },
    Kind { name: "percpulruhash", lru: true, per_cpu: true },
];

/// Greatest number of entries, as of the setting `max_map_keys`.
const MOST_ENTRIES: u64 = 1 << 30;

/// The declarations of a script that make sense for themselves.
pub(super) struct Declared<'a>(Vec<(&'a MapDecl, &'static Kind)>);

impl<'a> Declared<'a> {
    /// Reports declarations that make no sense.
    pub fn new(decls: &'a [MapDecl], problems: &mut Problems) -> Declared<'a> {
        let mut good: Vec<(&MapDecl, &Kind)> = Vec::new();
        for decl in decls {
            let name = &decl.name;
            if let Some((first, _)) = good.iter().find(|(other, _)| other.name.text == name.text) {
                let problem = Problem::error(name.span, format!("`{}` is declared twice", name.text));
                problems.push(problem.label(first.name.span, "the first declaration"));
                continue;
            }
            let Some(kind) = KINDS.iter().find(|kind| kind.name == decl.kind.text) else {
                let names = KINDS.iter().map(|kind| kind.name);
                let message = format!("there is no kind of map `{}`", decl.kind.text);
                let problem = Problem::error(decl.kind.span, message)
                    .note(format!("kinds are {}", names.clone().collect::<Vec<_>>().join(", ")));
                problems.push(problem.did_you_mean(&decl.kind.text, names));
                continue;
            };
            if decl.entries == 0 || decl.entries > MOST_ENTRIES {
                let message = format!("a map has room for 1 to {MOST_ENTRIES} entries");
                problems.push(Problem::error(decl.entries_span, message));
                continue;
            }
            good.push((decl, kind));
        }
        Declared(good)
    }

    /// Reports uses that a declaration does not go with.
    pub fn compare(&self, maps: &Maps, source: &str, problems: &mut Problems) {
        for (decl, kind) in &self.0 {
            let name = &decl.name.text;
            let Some(info) = maps.list.iter().find(|info| info.name == *name) else {
                // A map that only a block mentions which `if comptime` leaves out is no mistake.
                if source.matches(name.as_str()).nth(1).is_some() {
                    continue;
                }
                let message = format!("`{name}` is declared and never used");
                problems.push(Problem::warning(decl.name.span, message));
                continue;
            };
            if let Some(problem) = conflict(decl, kind, info) {
                problems.push(problem);
            }
        }
    }

    /// Puts what is declared into the typed program.
    pub fn apply(&self, maps: &mut [Map]) {
        for (decl, kind) in &self.0 {
            for map in maps.iter_mut().filter(|map| map.name == decl.name.text) {
                map.lru = kind.lru;
                map.entries = u32::try_from(decl.entries).ok();
            }
        }
    }
}

fn conflict(decl: &MapDecl, kind: &Kind, info: &MapInfo) -> Option<Problem> {
    let declared = |message: String, at| {
        Problem::error(decl.kind.span, message).label(at, format!("`{}` {} here", info.name, info.holds()))
    };
    if info.is_scalar() {
        let message = format!("`{}` has no key, and so no entries", info.name);
        let problem = Problem::error(decl.name.span, message).label(info.span, "used without a key here");
        return Some(problem.help("leave the declaration out"));
    }
    let (value, at) = info.value.as_ref()?;
    let per_cpu = matches!(value, Value::Agg { .. });
    if per_cpu == kind.per_cpu {
        return None;
    }
    let other = KINDS.iter().find(|other| other.lru == kind.lru && other.per_cpu == per_cpu)?;
    let message = match per_cpu {
        true => {
            format!("`{}` {}, which is kept once per CPU: not in a {}", info.name, info.holds(), kind.name)
        }
        false => format!(
            "`{}` {}, which is kept once, not per CPU: not in a {}",
            info.name,
            info.holds(),
            kind.name
        ),
    };
    let help = format!("`let {} = {}({});`", info.name, other.name, decl.entries);
    Some(declared(message, *at).help(help))
}
