//! Patterns over the names of functions that are not Go's: symbols as they stand in the file, and the names that people know functions of
//! C++ and Rust by, whole (`ns::f(int)`) or without types (`ns::f`).

use inspect::demangle;
use inspect::glob::Glob;

/// In the symbol of code that a compiler has moved out of a function because it seldom runs: `f.cold`, `f.cold.1`.
const COLD: &str = ".cold";

/// A pattern.
pub(super) struct Names {
    pattern: String,
    glob: Glob,
    /// Symbols as they stand in the file do not count (`cpp:"…"`).
    demangled_only: bool,
}

impl Names {
    pub(super) fn new(pattern: &str, demangled_only: bool) -> Names {
        Names { pattern: pattern.to_owned(), glob: Glob::new(pattern), demangled_only }
    }

    /// The symbols that match: the name to show and the address. A name that is written out means the symbol of that name, and others only
    /// if there is none; of demangled names those that are the same to the letter go before those that a star in it matches (`f(char*)`).
    pub(super) fn select<'a>(
        &self,
        symbols: impl Iterator<Item = (&'a str, u64)> + Clone,
    ) -> Vec<(String, u64)> {
        let symbols = symbols.filter(|(name, _)| !is_part(name) || self.pattern.contains(COLD));
        if !self.demangled_only {
            let plain: Vec<(String, u64)> = symbols
                .clone()
                .filter(|(name, _)| {
                    self.glob.literal().map_or_else(|| self.glob.matches(name), |l| l == *name)
                })
                .map(|(name, addr)| (shown(name), addr))
                .collect();
            if self.glob.literal().is_some() && !plain.is_empty() {
                return plain;
            }
        }
        let mut found = Vec::new();
        let mut exact = false;
        for (symbol, addr) in symbols {
            let names = demangle::names(symbol);
            let same = names.contains(&self.pattern);
            if same && !exact {
                (exact, found) = (true, Vec::new());
            }
            let raw = !self.demangled_only && self.glob.matches(symbol);
            if same || (!exact && (raw || names.iter().any(|name| self.glob.matches(name)))) {
                found.push((names.into_iter().next().unwrap_or_else(|| symbol.to_owned()), addr));
            }
        }
        found
    }
}

/// Whether a symbol is a part of a function, which is jumped to and not called. A pattern matches it only where it says so: a call would count
/// twice.
fn is_part(symbol: &str) -> bool {
    symbol.split_once(COLD).is_some_and(|(_, rest)| rest.is_empty() || rest.starts_with('.'))
}

/// What `func` and lists call the function of a symbol.
pub(super) fn shown(symbol: &str) -> String {
    demangle::demangle(symbol).unwrap_or_else(|| symbol.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYMBOLS: [&str; 6] = ["main", "f", "_Z1fi", "_Z1fPc", "_Z1fPPc", "_ZN2ns1gEv"];

    #[test]
    fn parts_of_functions() {
        let symbols = ["_Z4failv", "_Z4failv.cold", "fail.cold.1", "fail.colder", "scold"];
        let select = |pattern| {
            let symbols = symbols.iter().zip(0..).map(|(name, addr)| (*name, addr));
            Names::new(pattern, false).select(symbols).into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(select("*"), ["fail()", "fail.colder", "scold"]);
        assert_eq!(select("fail"), ["fail()"]);
        assert_eq!(select("fail.cold*"), ["fail.cold.1", "fail.colder"]);
        assert_eq!(select("_Z4failv.cold"), ["fail() [clone .cold]"]);
    }

    fn select(pattern: &str, demangled_only: bool) -> Vec<String> {
        let symbols = SYMBOLS.iter().zip(0..).map(|(name, addr)| (*name, addr));
        Names::new(pattern, demangled_only).select(symbols).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn patterns() {
        assert_eq!(select("f", false), ["f"]);
        assert_eq!(select("f", true), ["f(int)", "f(char*)", "f(char**)"]);
        assert_eq!(select("_Z1fi", false), ["f(int)"]);
        assert_eq!(select("_Z1fi", true), [""; 0]);
        assert_eq!(select("f(char*)", false), ["f(char*)"]);
        assert_eq!(select("f(*)", false), ["f(int)", "f(char*)", "f(char**)"]);
        assert_eq!(select("ns::g", false), ["ns::g()"]);
        assert_eq!(select("ns::*", false), ["ns::g()"]);
        assert_eq!(select("_Z1f*", false), ["f(int)", "f(char*)", "f(char**)"]);
        assert_eq!(select("*", false).len(), SYMBOLS.len());
        assert_eq!(select("ns::h", false), [""; 0]);
    }
}
