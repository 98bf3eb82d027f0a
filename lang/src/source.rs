//! The files that a script is made of: its own and those that it imports.
//!
//! Their texts stand one behind the other in one text, that of the script's own file first, so that a [`Span`] is a place in any of
//! them. Who reads the files (nobody in this crate) puts the text together and notes in [`Imported`] where each begins;
//! [`crate::parse_files()`] parses them, diagnostics and line information look up the file of a place.

use crate::span::Span;

/// Where the texts of imported files begin; empty for a script that imports nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Imported {
    /// Offset and name, in ascending order.
    files: Vec<(u32, String)>,
    /// The files, each behind those that it imports itself; of files that import each other one comes first.
    order: Vec<usize>,
}

/// A file of a script.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part<'a> {
    /// Its name for diagnostics.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
    /// Offset of its text in that of the script.
    pub start: u32,
}

impl Part<'_> {
    /// A place of the script as a place of this file.
    #[must_use]
    pub fn span(&self, span: Span) -> Span {
        let at = |offset: u32| offset.saturating_sub(self.start) as usize;
        Span::new(at(span.start), at(span.end))
    }
}

impl Imported {
    /// Notes that a file's text begins at an offset, behind those noted before. Gives its index among [`Imported::parts`].
    pub fn push(&mut self, start: usize, name: String) -> usize {
        self.files.push((u32::try_from(start).unwrap_or(u32::MAX), name));
        self.files.len()
    }

    /// Notes that all that this file imports is there.
    pub fn complete(&mut self, index: usize) {
        self.order.push(index);
    }

    /// The indices of all files in the order in which they are to be read: what they import first, the script's own last.
    pub(crate) fn order(&self) -> impl Iterator<Item = usize> {
        self.order.iter().copied().chain([0])
    }

    /// The files of the script with that name and text, its own first.
    #[must_use]
    pub fn parts<'a>(&'a self, name: &'a str, text: &'a str) -> Vec<Part<'a>> {
        let starts =
            std::iter::once((0, name)).chain(self.files.iter().map(|(at, name)| (*at, name.as_str())));
        let ends = self.files.iter().map(|(at, _)| *at as usize).chain([text.len()]);
        starts
            .zip(ends)
            .map(|((start, name), end)| Part {
                name,
                text: text.get(start as usize..end).unwrap_or(""),
                start,
            })
            .collect()
    }

    /// Which of [`Imported::parts`] a place is in.
    #[must_use]
    pub fn index(&self, at: u32) -> usize {
        self.files.partition_point(|(start, _)| *start <= at)
    }

    /// The file that a place is in.
    #[must_use]
    pub fn part<'a>(&'a self, name: &'a str, text: &'a str, at: u32) -> Part<'a> {
        let index = self.index(at);
        let end = self.files.get(index).map_or(text.len(), |(start, _)| *start as usize);
        let (start, name) = match index.checked_sub(1).and_then(|n| self.files.get(n)) {
            Some((start, name)) => (*start, name.as_str()),
            None => (0, name),
        };
        Part { name, text: text.get(start as usize..end).unwrap_or(""), start }
    }
}

/// `import "file";`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Import {
    /// What is named.
    pub path: String,
    /// The name with its quotes.
    pub span: Span,
}

/// The imports of a file, as far as it can be read.
#[must_use]
pub fn imports(text: &str) -> Vec<Import> {
    use crate::token::Tok;
    let lexed = crate::lexer::lex(text);
    let import = |item: &crate::lexer::Item<'_>| match item.tokens.as_slice() {
        [first, name, ..] if first.tok == Tok::Import => match name.tok {
            Tok::Str(quoted) => {
                let path = String::from_utf8_lossy(&crate::literal::string(quoted).ok()?).into_owned();
                Some(Import { path, span: name.span })
            }
            _ => None,
        },
        _ => None,
    };
    lexed.items.iter().filter_map(import).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_in_their_files() {
        let mut files = Imported::default();
        files.push(6, "b.bt".into());
        files.push(10, "c.bt".into());
        let text = "aaaaa\nbbb\ncc";
        let of = |at| files.part("a.bt", text, at);
        assert_eq!(of(0), Part { name: "a.bt", text: "aaaaa\n", start: 0 });
        assert_eq!(of(6), Part { name: "b.bt", text: "bbb\n", start: 6 });
        assert_eq!(of(99), Part { name: "c.bt", text: "cc", start: 10 });
        assert_eq!(of(7).span(Span::new(7, 9)), Span::new(1, 3));
        assert_eq!(files.parts("a.bt", text), [of(0), of(6), of(10)]);
        assert_eq!(Imported::default().parts("a", "x"), [Part { name: "a", text: "x", start: 0 }]);
    }

    #[test]
    fn imports_of_a_text() {
        let found = imports("// import \"no\";\nimport \"a.bt\"; import 'x'; begin { } import \"b\\x2fc\";");
        let paths: Vec<&str> = found.iter().map(|i| i.path.as_str()).collect();
        assert_eq!(paths, ["a.bt", "b/c"]);
        assert_eq!(found[0].span, Span::new(23, 29));
    }
}
