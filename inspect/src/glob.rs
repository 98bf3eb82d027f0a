//! Patterns over function names: `*` stands for any text, also none; everything else is literal, because Go
//! names are full of dots, brackets, parentheses and braces. The star of a pointer receiver, as in
//! `main.(*T).M`, is literal too: else the pattern would also match `main.(*TT).M`. `(*)` still stands for
//! any receiver.

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Glob {
    /// The literal texts between the stars: one more than there are stars.
    parts: Vec<String>,
}

impl Glob {
    /// Compiles a pattern. Every text is a pattern.
    pub fn new(pattern: &str) -> Glob {
        let mut parts = vec![String::new()];
        let mut before = None;
        let mut chars = pattern.chars().peekable();
        while let Some(c) = chars.next() {
            let receiver = before == Some('(') && chars.peek().is_some_and(|&next| next != ')');
            match parts.last_mut() {
                Some(part) if c != '*' || receiver => part.push(c),
                _ => parts.push(String::new()),
            }
            before = Some(c);
        }
        Glob { parts }
    }

    /// The name it stands for, when it has no star.
    pub fn literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Whether the whole of `name` matches. Linear in the length of `name` for each part: the leftmost place
    /// for a part leaves the most room for the next, so no backtracking is needed.
    pub fn matches(&self, name: &str) -> bool {
        let (first, last, middle) = match self.parts.as_slice() {
            [] => return name.is_empty(),
            [only] => return name == only,
            [first, middle @ .., last] => (first, last, middle),
        };
        let Some(mut rest) = name.strip_prefix(first.as_str()) else { return false };
        for part in middle {
            let Some((_, after)) = rest.split_once(part.as_str()) else { return false };
            rest = after;
        }
        rest.ends_with(last.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("main.f", &["main.f"], &["main.ff", "main.", "xmain.f", "mainXf"]),
            ("main.*", &["main.", "main.f", "main.(*T).M"], &["main", "xmain.f"]),
            ("main.(*T).*", &["main.(*T).M"], &["main.T.M", "main.(*TT).M"]),
            ("main.(*T).M", &["main.(*T).M"], &["main.(*TT).M", "main.(*T).MM"]),
            ("main.(*).M", &["main.(*T).M", "main.().M"], &["main.T.M"]),
            ("main.(**).M", &["main.(*T).M"], &["main.(T).M"]),
            ("main.Map[*]", &["main.Map[go.shape.int]", "main.Map[]"], &["main.Map", "main.Map[x].func1"]),
            ("*.Do", &["a/b%2ev2.Do", ".Do"], &["a.Done", "Do"]),
            ("*a*a*", &["aa", "xaya", "aaa"], &["a", "bab"]),
            ("a*a", &["aa", "aba"], &["a"]),
            ("*", &["", "x"], &[]),
            ("**", &["", "x"], &[]),
            ("", &[""], &["x"]),
            ("?", &["?"], &["x"]),
        ];
        for (pattern, yes, no) in cases {
            let glob = Glob::new(pattern);
            for name in *yes {
                assert!(glob.matches(name), "{pattern} should match {name}");
            }
            for name in *no {
                assert!(!glob.matches(name), "{pattern} should not match {name}");
            }
        }
        assert_eq!(Glob::new("main.f").literal(), Some("main.f"));
        assert_eq!(Glob::new("main.(*T).M").literal(), Some("main.(*T).M"));
        assert_eq!(Glob::new("main.*").literal(), None);
    }
}
