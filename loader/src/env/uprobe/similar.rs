//! What may have been meant by the name of a function that a program does not have: names that Go programmers write for what the
//! linker calls otherwise, and names that are spelled nearly so. Called when nothing matched; the answer is a suggestion only.

use super::super::{SUGGESTIONS, similar};
use inspect::glob::Glob;
use std::collections::HashMap;

/// Functions that are like one, best first.
pub(super) fn functions<'a>(wanted: &str, known: impl Iterator<Item = &'a str> + Clone) -> Vec<String> {
    let meant = meant(wanted, known.clone());
    if !meant.is_empty() {
        return meant;
    }
    let near = similar(wanted, known.clone());
    if !near.is_empty() {
        return near;
    }
    // A slip in a name that is written without its import path.
    let by_short: HashMap<String, &str> = known.map(|name| (short(name), name)).collect();
    let near = similar(&short(wanted), by_short.keys().map(String::as_str));
    near.iter().filter_map(|short| by_short.get(short)).map(|name| (*name).to_owned()).collect()
}

/// A pattern that matches where `pattern` does not: with what stands before the part of the name that people know.
pub(super) fn pattern(pattern: &str, known: &[&str]) -> Option<String> {
    let wider = [format!("*/{pattern}"), format!("*{pattern}")];
    wider.into_iter().find(|wider| {
        let glob = Glob::new(wider);
        known.iter().any(|name| glob.matches(name))
    })
}

/// Functions whose name says the same: `store.Get`, `store.Mem.Get` and `Mem.Get` for `example.com/store.(*Mem).Get`, `Sum` and `Sum[int]`
/// for `main.Sum[go.shape.int]`.
fn meant<'a>(wanted: &str, known: impl Iterator<Item = &'a str>) -> Vec<String> {
    let wanted_short = short(wanted);
    let mut found: Vec<(Likeness, usize, &str)> =
        known.filter_map(|name| Some((likeness(wanted, &wanted_short, name)?, name.len(), name))).collect();
    found.sort_unstable();
    found.dedup();
    let best = found.first().map(|(likeness, ..)| *likeness);
    let found: Vec<&str> = found.iter().filter(|f| Some(f.0) == best).map(|f| f.2).collect();
    // `(*T).M` beside `T.M` is a wrapper that the compiler adds.
    let is_wrapper = |name: &&str| {
        found.contains(&&*name.replacen("(*", "", 1).replacen(')', "", 1)) && name.contains("(*")
    };
    let found: Vec<&str> = found.iter().copied().filter(|name| !is_wrapper(name)).collect();
    let mut shown: Vec<String> = Vec::new();
    for name in &found {
        // The bodies of a generic function are one suggestion.
        let any = any_types(name);
        let bodies = found.iter().filter(|other| any_types(other) == any).count();
        let name = if bodies > 1 { any } else { (*name).to_owned() };
        if !shown.contains(&name) {
            shown.push(name);
        }
    }
    shown.truncate(SUGGESTIONS);
    shown
}

/// How a name says the same as another, the best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    /// With the type arguments as they stand in the source.
    TypeArguments,
    /// Without import path, type arguments and the mark of a pointer.
    Short,
    /// The last words of it.
    End,
    /// The package and the last word: what is between them is a type.
    Ends,
}

fn likeness(wanted: &str, wanted_short: &str, name: &str) -> Option<Likeness> {
    let short = short(name);
    if wanted_short.is_empty() {
        return None;
    }
    if name.contains("go.shape.") && name.replace("go.shape.", "") == wanted {
        return Some(Likeness::TypeArguments);
    }
    if short.eq_ignore_ascii_case(wanted_short) {
        return Some(Likeness::Short);
    }
    if short.strip_suffix(wanted_short).is_some_and(|before| before.ends_with('.')) {
        return Some(Likeness::End);
    }
    let (package, method) = wanted_short.split_once('.')?;
    let middle = short.strip_prefix(package)?.strip_suffix(method)?;
    let is_type = middle.len() > 2 && middle.starts_with('.') && middle.ends_with('.');
    (is_type && !method.contains('.') && !middle.trim_matches('.').contains('.')).then_some(Likeness::Ends)
}

/// A name without import path, type arguments, and the mark of a pointer receiver: `store.Mem.Get`.
fn short(name: &str) -> String {
    let mut depth = 0u32;
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            '(' | ')' | '*' => {}
            '/' if depth == 0 => out.clear(),
            c if depth == 0 => out.push(c),
            _ => {}
        }
    }
    out
}

/// A name with a star for its type arguments.
fn any_types(name: &str) -> String {
    match (name.find('['), name.rfind(']')) {
        (Some(from), Some(to)) if from < to => format!("{}[*]{}", &name[..from], &name[to + 1..]),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 10] = [
        "main.main",
        "main.Square.Area",
        "main.(*Square).Area",
        "main.(*Server).item",
        "example.com/acme/store.(*Mem).Get",
        "example.com/acme/store.(*Mem).Put",
        "example.com/acme/store.Cached.Len",
        "example.com/acme/store.Sum[go.shape.int]",
        "example.com/acme/store.Sum[go.shape.struct { example.com/acme/store.a int }]",
        "example.com/acme/store.(*List[go.shape.int]).Push",
    ];

    fn like(wanted: &str) -> Vec<String> {
        functions(wanted, KNOWN.iter().copied())
    }

    #[test]
    fn names_as_they_are_written_in_the_source() {
        for wanted in ["store.Get", "store.Mem.Get", "store.(*Mem).Get", "Mem.Get", "Get", "a/store.Mem.Get"]
        {
            assert_eq!(like(wanted), ["example.com/acme/store.(*Mem).Get"], "{wanted}");
        }
        assert_eq!(like("main.Server.item"), ["main.(*Server).item"]);
        assert_eq!(like("Square.Area"), ["main.Square.Area"]);
        assert_eq!(like("main.item"), ["main.(*Server).item"]);
        assert_eq!(like("store.Sum"), ["example.com/acme/store.Sum[*]"]);
        assert_eq!(like("example.com/acme/store.Sum[int]"), ["example.com/acme/store.Sum[go.shape.int]"]);
        assert_eq!(like("store.(*List[int]).Push"), ["example.com/acme/store.(*List[go.shape.int]).Push"]);
        assert_eq!(like("store.List.Push"), ["example.com/acme/store.(*List[go.shape.int]).Push"]);
    }

    #[test]
    fn slips() {
        assert_eq!(like("main.mian"), ["main.main"]);
        assert_eq!(like("store.Mem.Gett"), ["example.com/acme/store.(*Mem).Get"]);
        assert_eq!(like("nothing.like.it"), [""; 0]);
        assert_eq!(like(""), [""; 0]);
        assert_eq!(like("]["), [""; 0]);
    }

    #[test]
    fn patterns() {
        let wider = |text| pattern(text, &KNOWN);
        assert_eq!(wider("store.*"), Some("*/store.*".into()));
        assert_eq!(wider("Mem*Get"), Some("*Mem*Get".into()));
        assert_eq!(wider("none*"), None);
    }
}
