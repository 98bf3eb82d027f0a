//! Go release numbers, read leniently from what toolchains write: `go1.27.3`, `go1.20.7 X:boringcrypto`,
//! `devel go1.28-1a2b3c Mon …`, vendor suffixes. Tables of the other files are keyed by [`Release`].

use std::fmt;

/// A Go release line, the `N` of Go 1.N. Orders by age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release(pub u16);

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}", self.0)
    }
}

/// A toolchain version.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GoVersion {
    /// Release line.
    pub release: Release,
    /// Patch number; `None` for `go1.21` (before 1.21 the first release of a line) and development builds.
    pub patch: Option<u16>,
    /// A build from the development tree: may already have the next release's layouts.
    pub devel: bool,
    /// Experiments of the toolchain that are not the release's own choice (`GOEXPERIMENT`): `noswissmap`.
    experiments: Vec<String>,
}

impl GoVersion {
    /// Finds `go1.N[.P]` in a version text. `None` when there is none (very old development builds carry only
    /// a hash).
    pub fn parse(text: &str) -> Option<GoVersion> {
        let numbers = text.match_indices("go1.").find_map(|(at, prefix)| {
            let rest = text.get(at + prefix.len()..)?;
            let (release, rest) = number(rest)?;
            Some((release, rest.strip_prefix('.').and_then(number).map(|(patch, _)| patch)))
        })?;
        let (release, patch) = numbers;
        // `go1.24.1 X:a,b`, since Go 1.26 `go1.26.1-X:a,b`.
        let experiments = text.split_once("X:").map_or("", |(_, list)| list);
        let experiments = experiments.split([',', ' ']).filter(|name| !name.is_empty()).map(str::to_owned);
        Some(GoVersion {
            release: Release(release),
            patch,
            devel: text.contains("devel"),
            experiments: experiments.collect(),
        })
    }

    /// Whether the program was built with an experiment that is not on by itself.
    pub fn has_experiment(&self, name: &str) -> bool {
        self.experiments.iter().any(|known| known == name)
    }
}

fn number(text: &str) -> Option<(u16, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lenient() {
        let cases = [
            ("go1.27.3", Some((27, Some(3), false))),
            ("go1.20.7 X:boringcrypto", Some((20, Some(7), false))),
            ("go1.18", Some((18, None, false))),
            ("go1.22rc1", Some((22, None, false))),
            ("go1.21.0-vendor2", Some((21, Some(0), false))),
            ("devel go1.28-1a2b3c4 Mon Jan 5", Some((28, None, true))),
            ("mygo go1.19.8", Some((19, Some(8), false))),
            ("devel +1a2b3c4 Mon Jan 5", None),
            ("go2.0", None),
            ("go1.99999999", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let found = GoVersion::parse(text).map(|v| (v.release.0, v.patch, v.devel));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn experiments() {
        let has = |text: &str, name| GoVersion::parse(text).expect("a version").has_experiment(name);
        assert!(has("go1.24.1 X:noswissmap", "noswissmap"));
        assert!(has("go1.27.3-X:arenas,mapsplitgroup vendor", "mapsplitgroup"));
        assert!(!has("go1.24.1", "noswissmap"));
        assert!(!has("go1.24.1 X:swissmap", "noswissmap"));
    }
}
