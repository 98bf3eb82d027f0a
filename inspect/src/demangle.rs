//! The names that people know functions of C++ and Rust by, from the symbols that compilers make of them. Used for stacks and for
//! patterns over function names; what is no such symbol stays as it is.
//!
//! The encodings are those of the Itanium C++ ABI (section 5.1) and of Rust (legacy and v0); the crates `cpp_demangle` and `rustc-demangle`
//! read them.

use cpp_demangle::{DemangleOptions, Symbol};
use std::fmt;

/// Longest name that is made. A short symbol can stand for an endless one, because parts of it can be repeated.
const LONGEST: usize = 1 << 13;

/// What may stand behind the parameters of a method.
const QUALIFIERS: [&str; 4] = [" const", " volatile", " &&", " &"];

/// How much of a C++ name is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// With types of parameters, and of the result where the symbol has it.
    Whole,
    /// With types of parameters.
    WithoutResult,
    /// Neither.
    Name,
}

/// The name behind a mangled symbol: `ns::f(int)`, `krate::module::f`. `None` for other symbols.
pub fn demangle(symbol: &str) -> Option<String> {
    rust(symbol).or_else(|| cpp(symbol, Extent::Whole))
}

/// All names by which a mangled symbol may be asked for: the whole one, then without the type of the result, then without those of the
/// parameters. Empty for other symbols.
pub fn names(symbol: &str) -> Vec<String> {
    if let Some(name) = rust(symbol) {
        return vec![name];
    }
    let extents = [Extent::Whole, Extent::WithoutResult, Extent::Name];
    let mut names: Vec<String> = extents.into_iter().filter_map(|extent| cpp(symbol, extent)).collect();
    names.dedup();
    names
}

fn rust(symbol: &str) -> Option<String> {
    if !symbol.starts_with("_R") && !symbol.starts_with("_ZN") {
        return None;
    }
    let name = rustc_demangle::try_demangle(symbol).ok()?;
    // The alternate form has no hash.
    let mut text = Bounded::default();
    fmt::write(&mut text, format_args!("{name:#}")).ok()?;
    Some(text.0)
}

fn cpp(symbol: &str, extent: Extent) -> Option<String> {
    if !symbol.starts_with("_Z") {
        return None;
    }
    let options = match extent {
        Extent::Whole => DemangleOptions::new(),
        Extent::WithoutResult => DemangleOptions::new().no_return_type(),
        Extent::Name => DemangleOptions::new().no_return_type().no_params(),
    };
    let mut text = Bounded::default();
    Symbol::new(symbol).ok()?.structured_demangle(&mut text, &options).ok()?;
    if extent == Extent::Name {
        // What stands behind the parameters stays when they are left out.
        while let Some(kept) = QUALIFIERS.iter().find_map(|q| text.0.strip_suffix(q)) {
            text.0.truncate(kept.len());
        }
    }
    Some(text.0)
}

/// A text of limited length.
#[derive(Default)]
struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > LONGEST {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        let cases: &[(&str, &[&str])] = &[
            ("_Z1fi", &["f(int)", "f"]),
            ("_ZN2ns1fEiPKc", &["ns::f(int, char const*)", "ns::f"]),
            ("_ZN4shop4CartC2EPKc", &["shop::Cart::Cart(char const*)", "shop::Cart::Cart"]),
            ("_ZNK4shop4CartplEl", &["shop::Cart::operator+(long) const", "shop::Cart::operator+"]),
            ("_Z3maxIiET_S0_S0_", &["int max<int>(int, int)", "max<int>(int, int)", "max<int>"]),
            ("_ZN5krate4shop3add17h0123456789abcdefE", &["krate::shop::add"]),
            ("_RNvNtCs1234_5krate4shop3add", &["krate::shop::add"]),
            (
                "_ZZN5krate1fEvENKUlvE_clEv",
                &["krate::f()::{lambda()#1}::operator()() const", "krate::f()::{lambda()#1}::operator()"],
            ),
            ("main", &[]),
            ("_Z", &[]),
            ("_ZN2ns", &[]),
            ("_R", &[]),
            ("", &[]),
        ];
        for (symbol, expected) in cases {
            assert_eq!(names(symbol), *expected, "{symbol}");
            assert_eq!(demangle(symbol).as_deref(), expected.first().copied(), "{symbol}");
        }
    }

    #[test]
    fn a_symbol_that_stands_for_an_endless_name_has_none() {
        // Each pair names the one before twice.
        let mut symbol = "_Z1fSt4pairIiiE".to_owned();
        for n in 0..30 {
            let seq =
                if n == 0 { "S0_".to_owned() } else { format!("S{}_", char::from(b'A' + n as u8 % 26)) };
            symbol.push_str(&format!("St4pairI{seq}{seq}E"));
        }
        assert!(demangle(&symbol).is_none_or(|name| name.len() <= LONGEST));
    }
}
