//! Links of Markdown pages: whether the file is there, and in it the heading.
//!
//! The pages are read both on a forge and in the book that mdBook makes, so a link must work in both: it is relative, names
//! a file with its ending, and from the book leads nowhere outside of the book. Anchors are those that both make of headings.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// A link of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Line in the page, from 1.
    pub line: usize,
    /// What it leads to, as written.
    pub target: String,
}

/// The links of a page, code left out.
pub fn links(text: &str) -> Vec<Link> {
    let mut found = Vec::new();
    for (line, text) in prose(text) {
        let bare = without_code(text);
        let mut rest = bare.as_str();
        while let Some((_, behind)) = rest.split_once("](") {
            let Some((target, behind)) = behind.split_once(')') else { break };
            found.push(Link { line, target: target.to_owned() });
            rest = behind;
        }
    }
    found
}

/// The anchors of a page's headings. A heading that occurs twice has a number the second time.
pub fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut found = BTreeSet::new();
    for (_, line) in prose(text) {
        let Some(heading) = line.strip_prefix('#').map(|rest| rest.trim_start_matches('#')) else { continue };
        let Some(heading) = heading.strip_prefix(' ') else { continue };
        let name = anchor(heading);
        let times = seen.entry(name.clone()).or_default();
        found.insert(if *times == 0 { name } else { format!("{name}-{times}") });
        *times += 1;
    }
    found
}

/// The anchor of a heading: small letters, digits, dashes and underscores stay, spaces become dashes, all else goes.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The lines of a page outside of fenced blocks, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((index + 1, line))
    })
}

/// A line without what stands between backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

/// Checks the links of all `pages` (file and text), of which those below `book` may not lead out of it. Gives what is wrong, one line each.
pub fn broken(pages: &[(PathBuf, String)], book: &Path) -> Vec<String> {
    let headings: BTreeMap<&Path, BTreeSet<String>> =
        pages.iter().map(|(path, text)| (path.as_path(), anchors(text))).collect();
    let mut faults = Vec::new();
    for (path, text) in pages {
        for link in links(text) {
            let mut fault = |what: &str| {
                faults.push(format!("{}:{}: {}: {what}", path.display(), link.line, link.target));
            };
            if link.target.contains("://") || link.target.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = link.target.split_once('#').unwrap_or((&link.target, ""));
            let target = if file.is_empty() { path.clone() } else { joined(path, file) };
            if file.starts_with('/') {
                fault("is not relative");
            } else if !headings.contains_key(target.as_path()) && !target.exists() {
                fault("there is no such file");
            } else if path.starts_with(book) && !target.starts_with(book) {
                fault("leads out of the book");
            } else if !anchor.is_empty() {
                match headings.get(target.as_path()) {
                    Some(headings) if headings.contains(anchor) => {}
                    Some(_) => fault("there is no such heading"),
                    None => fault("has an anchor, and is no page"),
                }
            }
        }
    }
    faults
}

/// The file that `link` in `page` names, without `..` in it.
fn joined(page: &Path, link: &str) -> PathBuf {
    let mut path = page.parent().unwrap_or(Path::new("")).to_owned();
    for part in Path::new(link).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::CurDir => {}
            other => path.push(other),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stand_outside_of_code() {
        let text = "[a](b.md) and `[c](d.md)`\n```sh\n[e](f.md)\n```\n[g](h.md#i), [j](#k)\n";
        let found: Vec<_> = links(text).into_iter().map(|l| (l.line, l.target)).collect();
        assert_eq!(found, [(1, "b.md".into()), (5, "h.md#i".into()), (5, "#k".into())]);
    }

    #[test]
    fn anchors_are_those_of_forges() {
        let text = "# Maps: `a`, b_c\n## Twice\n```sh\n# no heading\n```\n## Twice\n#none\n";
        let expected = ["maps-a-b_c", "twice", "twice-1"].map(String::from);
        assert_eq!(anchors(text), BTreeSet::from(expected));
    }

    #[test]
    fn what_is_broken_is_told() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let page = |name: &str, text: &str| (root.join(name), text.to_owned());
        let pages = [
            page(
                "src/a.md",
                "# A\n[x](#a) [x](lib.rs) [x](b.md#b) [x](#b) [x](c.md) [x](../Cargo.toml) [x](/etc) [x](https://y)\n",
            ),
            page("README.md", "[x](src/a.md#a)\n"),
        ];
        let faults = broken(&pages, &root.join("src"));
        let found: Vec<&str> = faults.iter().filter_map(|f| f.split(": ").nth(1)).collect();
        assert_eq!(found, ["b.md#b", "#b", "c.md", "../Cargo.toml", "/etc"], "{faults:?}");
    }
}
