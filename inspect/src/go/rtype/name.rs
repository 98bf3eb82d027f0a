//! Names of types with full import paths, as the debug information spells them: the descriptors themselves have the package's
//! last name only (`http.Request`), by which two packages cannot be told apart.

use std::fmt::Write;

use super::super::signature::Kind;
use super::descriptor::{Descriptor, Reader};
use super::index::Index;

/// Types within types that are spelled out.
const DEPTH: u32 = 12;
/// Bytes after which a name is cut. Types that contain many others many times would have endless ones.
const LENGTH: usize = 2048;

/// The full name of a type with a name of its own.
pub(super) fn declared(reader: Reader<'_>, found: &Descriptor) -> Option<String> {
    let short = reader.short_name(found)?;
    let Some(package) = reader.package(found) else { return Some(short.to_owned()) };
    // Type arguments have full paths already: `atomic.Pointer[net/http.response]`.
    let (head, arguments) = short.split_at(short.find('[').unwrap_or(short.len()));
    let base = head.split_once('.').map_or(head, |(_, base)| base);
    Some(format!("{}.{base}{arguments}", escaped(package)))
}

/// The import path as symbols have it: dots of its last part are escaped (`cmd/internal/objabi.PathToPrefix`).
fn escaped(package: &str) -> String {
    let (before, last) = package.split_at(package.rfind('/').map_or(0, |at| at + 1));
    format!("{before}{}", last.replace('.', "%2e"))
}

/// The full name of a type.
pub(super) fn full(reader: Reader<'_>, index: &Index, vaddr: u64) -> String {
    let mut spelling = Spelling { reader, index, text: String::new() };
    spelling.ty(vaddr, 0);
    spelling.text
}

struct Spelling<'a> {
    reader: Reader<'a>,
    index: &'a Index,
    text: String,
}

impl Spelling<'_> {
    fn push(&mut self, text: &str) {
        if self.text.len() < LENGTH {
            self.text.push_str(text);
        }
    }

    /// Writing into a string does not fail.
    fn show(&mut self, what: impl std::fmt::Display) {
        if self.text.len() < LENGTH {
            let _ = write!(self.text, "{what}");
        }
    }

    fn ty(&mut self, vaddr: u64, depth: u32) {
        let Some(found) = self.reader.descriptor(vaddr) else { return self.push("?") };
        if depth > DEPTH || self.text.len() >= LENGTH {
            return self.push("…");
        }
        if found.is_named() {
            let name = declared(self.reader, &found).unwrap_or_else(|| "?".to_owned());
            self.push(&name);
            if let Some(number) = self.index.twin(vaddr) {
                self.show(format_args!("·{number}"));
            }
            return;
        }
        if self.composite(&found, depth).is_none() {
            let short = self.reader.short_name(&found).unwrap_or("?").to_owned();
            self.push(&short);
        }
    }

    /// A type made of others; `None` if a part cannot be read.
    fn composite(&mut self, found: &Descriptor, depth: u32) -> Option<()> {
        let reader = self.reader;
        let before = match found.kind {
            Kind::Pointer => "*".to_owned(),
            Kind::Slice => "[]".to_owned(),
            Kind::Array => format!("[{}]", reader.array_length(found)?),
            Kind::Chan => match reader.direction(found)? {
                1 => "<-chan ".to_owned(),
                2 => "chan<- ".to_owned(),
                _ => "chan ".to_owned(),
            },
            Kind::Map => {
                let (key, element) = (reader.map_key(found)?, reader.map_element(found)?);
                self.push("map[");
                self.ty(key, depth + 1);
                self.push("]");
                self.ty(element, depth + 1);
                return Some(());
            }
            Kind::Func => {
                self.push("func");
                return self.signature(found, depth);
            }
            Kind::Struct => return self.structure(found, depth),
            Kind::Interface => return self.interface(found, depth),
            _ => return None,
        };
        let element = reader.element(found)?;
        self.push(&before);
        self.ty(element, depth + 1);
        Some(())
    }

    fn signature(&mut self, found: &Descriptor, depth: u32) -> Option<()> {
        let func = self.reader.func(found)?;
        self.push("(");
        for (n, param) in (1..).zip(func.params()) {
            let param = param?;
            if n > 1 {
                self.push(", ");
            }
            // The last parameter of a variadic function is a slice in its type.
            let elements = self.reader.descriptor(param).filter(|_| func.variadic && n == func.param_count());
            match elements.and_then(|slice| self.reader.element(&slice)) {
                Some(element) => {
                    self.push("...");
                    self.ty(element, depth + 1);
                }
                None => self.ty(param, depth + 1),
            }
            self.room()?;
        }
        self.push(")");
        if func.result_count() > 0 {
            let (open, close) = if func.result_count() == 1 { (" ", "") } else { (" (", ")") };
            self.push(open);
            for (n, result) in func.results().enumerate() {
                if n > 0 {
                    self.push(", ");
                }
                self.ty(result?, depth + 1);
                self.room()?;
            }
            self.push(close);
        }
        Some(())
    }

    fn structure(&mut self, found: &Descriptor, depth: u32) -> Option<()> {
        let fields = self.reader.fields(found)?;
        self.members("struct", fields, |spelling, field| {
            let field = field?;
            if !field.embedded {
                spelling.push(field.name);
                spelling.push(" ");
            }
            spelling.ty(field.ty, depth + 1);
            Some(())
        })
    }

    fn interface(&mut self, found: &Descriptor, depth: u32) -> Option<()> {
        let methods = self.reader.interface_methods(found)?;
        self.members("interface", methods, |spelling, method| {
            let (name, ty) = method?;
            spelling.push(name);
            spelling.signature(&spelling.reader.descriptor(ty)?, depth + 1);
            Some(())
        })
    }

    /// `struct { A; B }` with what `write` makes of each part; `struct {}` without parts.
    fn members<T>(
        &mut self,
        word: &str,
        parts: impl Iterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> Option<()>,
    ) -> Option<()> {
        let mut parts = parts.peekable();
        self.push(word);
        if parts.peek().is_none() {
            self.push(" {}");
            return Some(());
        }
        self.push(" { ");
        for (n, part) in parts.enumerate() {
            if n > 0 {
                self.push("; ");
            }
            write(self, part)?;
            self.room()?;
        }
        self.push(" }");
        Some(())
    }

    /// Ends a list when the name is cut.
    fn room(&self) -> Option<()> {
        (self.text.len() < LENGTH).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn dots_of_the_last_part_are_escaped() {
        assert_eq!(escaped("example.com/shop.v1/inner.v2"), "example.com/shop.v1/inner%2ev2");
        assert_eq!((escaped("net/http").as_str(), escaped("main").as_str()), ("net/http", "main"));
        assert_eq!(escaped("gopkg.in"), "gopkg%2ein");
    }
}
