//! `gotrace list 'struct task_struct'`: types of the kernel and of its modules as C declares them; with `-v` where each member is and how
//! many bytes it has. `const` and `volatile` are left out.

use crate::env::{Host, similar};
use inspect::btf::{Btf, Member, Type, TypeId};
use inspect::glob::Glob;
use lang::env::EnvError;
use std::fmt::Write;

/// The words that such a pattern begins with.
const KEYWORDS: [&str; 3] = ["struct", "union", "enum"];
/// Types inside each other that are followed: far above what the kernel has, and an end for damaged data.
const DEPTH: usize = 16;
/// Column of the comments that `-v` puts behind members.
const COMMENT: usize = 56;

/// The keyword and the name of a pattern such as `struct task_struct`.
pub(super) fn parts(pattern: &str) -> Option<(&str, &str)> {
    let (keyword, name) = pattern.trim().split_once(char::is_whitespace)?;
    is_keyword(keyword).then_some((keyword, name.trim()))
}

/// Whether a word is one that such a pattern begins with.
pub(super) fn is_keyword(word: &str) -> bool {
    KEYWORDS.contains(&word)
}

/// Declares the types of that name. Of a pattern with `*` the names, and with `verbose` what they declare.
///
/// # Errors
/// There is none, with the names that are near.
pub(super) fn list(host: &Host, keyword: &str, name: &str, verbose: bool) -> Result<Vec<String>, EnvError> {
    let (glob, declared) = (Glob::new(name), verbose || !name.contains('*'));
    let (mut found, mut known) = (Vec::new(), Vec::new());
    for (module, btf) in host.kernel_types() {
        for (id, ty) in btf.tagged() {
            let Some((of, tag)) = tag(&ty) else { continue };
            known.push((of, tag));
            if of == keyword && glob.matches(tag) {
                let text = if declared {
                    Declaration::of(btf, id, module, verbose)
                } else {
                    format!("{keyword} {tag}")
                };
                found.push((tag, text));
            }
        }
    }
    if found.is_empty() {
        return Err(unknown(keyword, name, &known));
    }
    // A module may have a type of the same name, or the same type once more.
    found.sort();
    found.dedup();
    Ok(found.into_iter().map(|(_, text)| text).collect())
}

fn tag<'a>(ty: &Type<'a>) -> Option<(&'static str, &'a str)> {
    match *ty {
        Type::Struct { name, .. } => Some(("struct", name)),
        Type::Union { name, .. } => Some(("union", name)),
        Type::Enum { name, .. } => Some(("enum", name)),
        _ => None,
    }
}

fn unknown(keyword: &str, name: &str, known: &[(&str, &str)]) -> EnvError {
    let message = format!("the kernel has no `{keyword} {name}`");
    if known.is_empty() {
        let help =
            Some("this kernel does not tell its types: it was built without CONFIG_DEBUG_INFO_BTF".into());
        return EnvError { message, help, ..EnvError::default() };
    }
    if let Some((other, _)) = known.iter().find(|(_, tag)| *tag == name) {
        let help = Some(format!("it has `{other} {name}`"));
        return EnvError { message, help, ..EnvError::default() };
    }
    let same = known.iter().filter(|(of, _)| *of == keyword).map(|(_, tag)| *tag);
    let similar: Vec<String> = similar(name, same).iter().map(|tag| format!("{keyword} {tag}")).collect();
    let help = similar.is_empty().then(|| format!("a part of the name finds more: '{keyword} *{name}*'"));
    EnvError { message, help, similar, ..EnvError::default() }
}

/// The text of a declaration while it is written.
struct Declaration<'b> {
    btf: &'b Btf,
    verbose: bool,
    text: String,
}

impl Declaration<'_> {
    fn of(btf: &Btf, id: TypeId, module: Option<&str>, verbose: bool) -> String {
        let mut declaration = Declaration { btf, verbose, text: String::new() };
        let module = module.map(|module| format!("from module {module}"));
        declaration.body(id, 0, 0, "", module);
        declaration.text
    }

    /// The type with its members or enumerators; `bits` is where it is in the outermost one, `declared` what stands behind it.
    fn body(&mut self, id: TypeId, depth: usize, bits: u32, declared: &str, comment: Option<String>) {
        let btf = self.btf;
        let (keyword, name) = btf.ty(id).as_ref().and_then(tag).unwrap_or_default();
        let space = if name.is_empty() { "" } else { " " };
        self.line(depth, &format!("{keyword}{space}{name} {{"), comment);
        for (name, value) in btf.enumerators(id) {
            self.line(depth + 1, &format!("{name} = {value},"), None);
        }
        for member in btf.members(id) {
            self.member(&member, depth + 1, bits);
        }
        let size = btf.size_of(id).filter(|_| self.verbose);
        let size = size.map(|size| if depth == 0 { count(size, "byte") } else { place(bits, None, size) });
        let space = if declared.is_empty() { "" } else { " " };
        self.line(depth, &format!("}}{space}{declared};"), size);
    }

    fn member(&mut self, member: &Member<'_>, depth: usize, bits: u32) {
        let bits = bits.saturating_add(member.bit_offset);
        let width = member.bit_width.map(|width| format!(":{width}")).unwrap_or_default();
        let (inner, declared) = self.anonymous(member.ty, member.name, depth);
        if let Some(inner) = inner.filter(|_| depth < DEPTH) {
            return self.body(inner, depth, bits, &declared, None);
        }
        let size = self.btf.size_of(member.ty).filter(|_| self.verbose);
        let comment = size.map(|size| place(bits, member.bit_width, size));
        let text = declare(self.btf, member.ty, member.name.to_owned(), 0);
        self.line(depth, &format!("{text}{width};"), comment);
    }

    /// The type without a name that a member, an array of them included, is declared with, and what follows it.
    fn anonymous(&self, id: TypeId, name: &str, depth: usize) -> (Option<TypeId>, String) {
        match self.btf.ty(id) {
            Some(Type::Array { element, count }) if depth < DEPTH => {
                self.anonymous(element, &format!("{name}[{count}]"), depth + 1)
            }
            Some(Type::Modifier(to)) if depth < DEPTH => self.anonymous(to, name, depth + 1),
            Some(ty) if tag(&ty).is_some_and(|(_, tag)| tag.is_empty()) => (Some(id), name.to_owned()),
            _ => (None, String::new()),
        }
    }

    fn line(&mut self, depth: usize, text: &str, comment: Option<String>) {
        let (indent, newline) = (4 * depth, if self.text.is_empty() { "" } else { "\n" });
        let width = COMMENT.saturating_sub(indent);
        // Writing to a string cannot fail.
        let _ = match comment {
            Some(comment) => write!(self.text, "{newline}{:indent$}{text:<width$} // {comment}", ""),
            None => write!(self.text, "{newline}{:indent$}{text}", ""),
        };
    }
}

/// Where a member is, and its size.
fn place(bits: u32, width: Option<u32>, size: u32) -> String {
    match width {
        Some(width) => format!("at {}, bit {}, {}", bits / 8, bits % 8, count(width, "bit")),
        None => format!("at {}, {}", bits / 8, count(size, "byte")),
    }
}

fn count(number: u32, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// `inner`, a name with what stands around it, declared as C does.
fn declare(btf: &Btf, id: TypeId, inner: String, depth: usize) -> String {
    let named = |name: &str| format!("{name}{}{inner}", if inner.is_empty() { "" } else { " " });
    if depth > DEPTH {
        return named("…");
    }
    let ty = btf.ty(id);
    if let Some((keyword, tag)) = ty.as_ref().and_then(tag) {
        return if tag.is_empty() {
            named(&format!("{keyword} {{ … }}"))
        } else {
            named(&format!("{keyword} {tag}"))
        };
    }
    match ty {
        Some(Type::Void) => named("void"),
        Some(Type::Int { name, .. } | Type::Float { name, .. } | Type::Typedef { name, .. }) => named(name),
        Some(Type::Forward { name }) => named(&format!("struct {name}")),
        Some(Type::Modifier(to)) => declare(btf, to, inner, depth + 1),
        Some(Type::Pointer(to)) => {
            let behind = without_modifiers(btf, to);
            match behind.and_then(|id| btf.ty(id)) {
                Some(Type::Array { .. } | Type::Prototype { .. }) => {
                    declare(btf, to, format!("(*{inner})"), depth + 1)
                }
                _ => declare(btf, to, format!("*{inner}"), depth + 1),
            }
        }
        Some(Type::Array { element, count }) => declare(btf, element, format!("{inner}[{count}]"), depth + 1),
        Some(Type::Prototype { result }) => {
            let params: Vec<String> =
                btf.parameters(id).map(|p| declare(btf, p.ty, p.name.to_owned(), depth + 1)).collect();
            let params = if params.is_empty() { "void".to_owned() } else { params.join(", ") };
            declare(btf, result, format!("{inner}({params})"), depth + 1)
        }
        _ => named("…"),
    }
}

/// The type behind `const` and `volatile`, not behind typedefs.
fn without_modifiers(btf: &Btf, mut id: TypeId) -> Option<TypeId> {
    for _ in 0..DEPTH {
        match btf.ty(id)? {
            Type::Modifier(to) => id = to,
            _ => return Some(id),
        }
    }
    None
}
