//! Written types become real ones: the names of scalar types, and the layout of the script's `struct`, `union` and
//! `enum` declarations (offsets and padding as a C compiler for a 64-bit machine makes them).
//!
//! A pointer to a structure holds only the structure's name, as an empty [`Struct`]: structures may point to each
//! other, and to themselves. [`Types::complete`] finds the members when they are needed.

use crate::ast::{self, FieldType, TypeDeclKind, TypeExpr, TypeKind};
use crate::check::maps::with_article;
use crate::diag::{Problem, Problems};
use crate::span::Span;
use crate::types::{AddrSpace, BitRange, Enum, Field, FieldForm, Struct, StructKind, Type};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The types that a script declares.
#[derive(Debug, Default)]
pub(crate) struct Types {
    records: BTreeMap<String, Arc<Struct>>,
    enums: BTreeMap<String, Arc<Enum>>,
    /// Enumerators: their type and value.
    pub constants: BTreeMap<String, (Arc<Enum>, i64)>,
}

/// Where the next member of a structure goes.
struct Layout {
    kind: StructKind,
    packed: bool,
    /// Bits that are taken.
    end: u64,
    /// Alignment in bytes so far.
    align: u32,
}

impl Layout {
    /// Room for a member of `size` bytes; its offset in bytes.
    fn add(&mut self, size: u64, align: u32) -> u64 {
        let align = if self.packed { 1 } else { align.max(1) };
        self.align = self.align.max(align);
        let offset = match self.kind {
            StructKind::Union => 0,
            StructKind::Struct => self.end.next_multiple_of(8 * u64::from(align)) / 8,
        };
        self.end = self.end.max(8 * (offset + size));
        offset
    }

    /// Room for a bit-field of `width` bits in words of `size` bytes, as the System V ABI has it: where the last member ended,
    /// unless it would reach over the end of a word. A width of 0 ends the word. Gives the byte offset and the bits there.
    fn add_bits(&mut self, size: u64, width: u64, named: bool) -> (u64, BitRange) {
        let word = 8 * size;
        let start = if self.kind == StructKind::Union { 0 } else { self.end };
        let crosses = start / word != (start + width.max(1) - 1) / word;
        let start =
            if width == 0 || (crosses && !self.packed) { start.next_multiple_of(word) } else { start };
        if named && !self.packed {
            self.align = self.align.max(size as u32);
        }
        self.end = self.end.max(start + width);
        let offset = if self.packed { start / 8 } else { start / word * size };
        (offset, BitRange { shift: (start - 8 * offset) as u8, width: width as u8 })
    }

    /// Size in bytes with the padding at the end.
    fn size(&self) -> u64 {
        self.end.div_ceil(8).next_multiple_of(u64::from(self.align))
    }
}

/// `string` and `buffer` without a size: that of the values that meet them.
pub(crate) const ANY_STRING: Type = Type::Str(0);
/// See [`ANY_STRING`].
pub(crate) const ANY_BUFFER: Type = Type::Buf(0);

/// Largest size of a structure, and so of an array in it: offsets stay far from overflow.
const MAX_SIZE: u64 = 1 << 20;

/// A C word list and what it means.
const NAMED: &[(&str, Type)] = &[
    ("bool", Type::Bool),
    ("void", Type::Void),
    ("int8", Type::Int { bits: 8, signed: true }),
    ("int16", Type::Int { bits: 16, signed: true }),
    ("int32", Type::I32),
    ("int64", Type::I64),
    ("uint8", Type::Int { bits: 8, signed: false }),
    ("uint16", Type::Int { bits: 16, signed: false }),
    ("uint32", Type::U32),
    ("uint64", Type::U64),
    ("size_t", Type::U64),
    ("ssize_t", Type::I64),
    ("uintptr_t", Type::U64),
    ("intptr_t", Type::I64),
];

/// The type of `unsigned long int` and its like, in any order of words.
fn named(words: &str) -> Option<Type> {
    let short = words.strip_suffix("_t").filter(|w| w.starts_with("int") || w.starts_with("uint"));
    let word = short.filter(|w| !w.ends_with("ptr")).unwrap_or(words);
    if let Some((_, ty)) = NAMED.iter().find(|(name, _)| *name == word) {
        return Some(ty.clone());
    }
    // The kernel's u8, s32, __u64.
    let kernel = word.trim_start_matches("__");
    if let (Some(sign @ ('u' | 's')), Ok(bits)) =
        (kernel.chars().next(), kernel.get(1..).unwrap_or_default().parse())
    {
        return Some(Type::Int { bits, signed: sign == 's' });
    }
    let (mut bits, mut signed, mut longs) = (None, None, 0);
    for word in words.split(' ') {
        match word {
            "unsigned" if signed.is_none() => signed = Some(false),
            "signed" if signed.is_none() => signed = Some(true),
            "char" if bits.is_none() => bits = Some(8),
            "short" if bits.is_none() => bits = Some(16),
            "int" if matches!(bits, None | Some(16 | 64)) => bits = bits.or(Some(32)),
            "long" if longs < 2 && !matches!(bits, Some(8 | 16)) => {
                longs += 1;
                bits = Some(64);
            }
            _ => return None,
        }
    }
    Some(Type::Int { bits: bits.unwrap_or(32), signed: signed.unwrap_or(true) })
}

impl Types {
    /// Lays out all declarations of a script.
    pub fn new(decls: &[ast::TypeDecl], problems: &mut Problems) -> Types {
        let mut types = Types::default();
        for decl in decls {
            match &decl.kind {
                TypeDeclKind::Record(record) => {
                    if types.records.contains_key(&decl.name.text) {
                        let message = format!("`struct {}` is declared twice", decl.name.text);
                        problems.push(Problem::error(decl.name.span, message));
                    }
                    if let Some(layout) = types.record(&decl.name.text, record, problems) {
                        types.records.insert(decl.name.text.clone(), Arc::new(layout));
                    } else {
                        // Known by name at least, so that its uses are no further errors.
                        let empty = Struct::named(record.kind, decl.name.text.as_str());
                        types.records.insert(decl.name.text.clone(), Arc::new(empty));
                    }
                }
                TypeDeclKind::Enum(values) => types.enumeration(&decl.name, values, problems),
            }
        }
        types
    }

    fn enumeration(
        &mut self,
        tag: &ast::Name,
        values: &[(ast::Name, Option<ast::Expr>)],
        problems: &mut Problems,
    ) {
        let mut variants: Vec<(String, i64)> = Vec::new();
        let mut next = 0i64;
        for (name, value) in values {
            if let Some(value) = value {
                match self.constant(value, &variants) {
                    Some(v) => next = v,
                    None => problems.push(
                        Problem::error(value.span, "the value of an enumerator must be a constant")
                            .note("numbers, other enumerators, and `-`, `+`, `|` and `<<` between them"),
                    ),
                }
            }
            let known = self.constants.contains_key(&name.text);
            if known || variants.iter().any(|(other, _)| *other == name.text) {
                problems.push(Problem::error(name.span, format!("`{}` is declared twice", name.text)));
            }
            variants.push((name.text.clone(), next));
            next = next.wrapping_add(1);
        }
        let (least, most) = variants.iter().fold((0, 0), |(l, m), (_, v)| (v.min(&l).to_owned(), *v.max(&m)));
        let signed = least < 0;
        let fits = if signed {
            i32::try_from(least).is_ok() && i32::try_from(most).is_ok()
        } else {
            u32::try_from(most).is_ok()
        };
        let bits = if fits { 32 } else { 64 };
        let name = tag.text.clone();
        let declared = Arc::new(Enum { name: name.clone(), bits, signed, variants });
        for (name, value) in &declared.variants {
            self.constants.insert(name.clone(), (declared.clone(), *value));
        }
        if self.enums.insert(name, declared).is_some() {
            problems.push(Problem::error(tag.span, format!("`enum {}` is declared twice", tag.text)));
        }
    }

    /// The value of a constant expression in an enumeration, of which `variants` are known so far.
    fn constant(&self, e: &ast::Expr, variants: &[(String, i64)]) -> Option<i64> {
        Some(match &e.kind {
            ast::ExprKind::Int(v) => *v as i64,
            ast::ExprKind::Ident(name) => match variants.iter().find(|(n, _)| n == name) {
                Some((_, value)) => *value,
                None => self.constants.get(name)?.1,
            },
            ast::ExprKind::Unary(ast::UnOp::Neg, e) => self.constant(e, variants)?.wrapping_neg(),
            ast::ExprKind::Binary(op, a, b) => {
                let (a, b) = (self.constant(a, variants)?, self.constant(b, variants)?);
                match op {
                    ast::BinOp::Add => a.wrapping_add(b),
                    ast::BinOp::Or => a | b,
                    ast::BinOp::Shl => a.wrapping_shl(b as u32),
                    _ => return None,
                }
            }
            _ => return None,
        })
    }

    fn record(&mut self, name: &str, record: &ast::Record, problems: &mut Problems) -> Option<Struct> {
        let mut fields: Vec<Field> = Vec::new();
        let mut layout = Layout { kind: record.kind, packed: record.packed, end: 0, align: 1 };
        let mut complete = true;
        for decl in &record.fields {
            let ty = match &decl.ty {
                FieldType::Type(t) => self.resolve(t, AddrSpace::User).map_err(|p| problems.push(*p)).ok(),
                FieldType::Record(tag, inner) => {
                    let tag_name =
                        tag.as_ref().map_or_else(|| format!("{name}::(anonymous)"), |t| t.text.clone());
                    let layout = self.record(&tag_name, inner, problems).map(Arc::new);
                    if let (Some(tag), Some(layout)) = (tag, &layout) {
                        self.records.insert(tag.text.clone(), layout.clone());
                    }
                    layout.map(Type::Struct)
                }
            };
            let Some(ty) = ty else {
                complete = false;
                continue;
            };
            let size = size_of(&ty).filter(|_| ty != Type::Void && ty != ANY_STRING && ty != ANY_BUFFER);
            let Some(size) = size.filter(|s| layout.end / 8 + s <= MAX_SIZE) else {
                let what = match ty {
                    Type::Void => "a member cannot be `void`",
                    ANY_STRING | ANY_BUFFER => "a member needs a size: `char name[16]`",
                    _ => "this structure is too large",
                };
                problems.push(Problem::error(decl.span, what));
                return None;
            };
            let (offset, form) = match decl.bits {
                None => (layout.add(size, ty.align()), FieldForm::Plain),
                Some(width) => {
                    if let Err(problem) = check_bits(decl, &ty, width) {
                        problems.push(*problem);
                        complete = false;
                        continue;
                    }
                    let (offset, range) = layout.add_bits(size, width, decl.name.is_some());
                    if u32::from(range.shift) + u32::from(range.width) > 64 {
                        let message = "this bit-field reaches over nine bytes, which cannot be read at once";
                        problems.push(Problem::error(decl.span, message));
                        complete = false;
                        continue;
                    }
                    (offset, FieldForm::Bits(range))
                }
            };
            match (&decl.name, &ty) {
                (Some(n), _) => {
                    if fields.iter().any(|f| f.name == n.text) {
                        problems
                            .push(Problem::error(n.span, format!("`{}` has two members `{}`", name, n.text)));
                    }
                    fields.push(Field { form, ..Field::new(n.text.as_str(), offset as u32, ty) });
                }
                (None, _) if decl.bits.is_some() => {}
                // The members of an anonymous structure are members of the one around it.
                (None, Type::Struct(inner)) => fields.extend(
                    inner.fields.iter().map(|f| Field { offset: f.offset + offset as u32, ..f.clone() }),
                ),
                (None, _) => problems.push(Problem::error(decl.span, "this member has no name")),
            }
        }
        let (size, align) = (layout.size() as u32, layout.align);
        complete.then(|| Struct { name: name.to_owned(), kind: record.kind, size, align, fields })
    }

    /// The type that is written. Pointers in it point to `space`.
    pub fn resolve(&self, ty: &TypeExpr, space: AddrSpace) -> Result<Type, Box<Problem>> {
        match &ty.kind {
            TypeKind::Named(words) => match words.as_str() {
                "string" => Ok(ANY_STRING),
                "buffer" => Ok(ANY_BUFFER),
                words => named(words)
                    .ok_or_else(|| Box::new(Problem::error(ty.span, format!("unknown type `{words}`")))),
            },
            TypeKind::Enum(name) => match self.enums.get(&name.text) {
                Some(declared) => Ok(Type::Enum(declared.clone())),
                None => Err(Box::new(
                    Problem::error(name.span, format!("unknown type `enum {}`", name.text))
                        .did_you_mean(&name.text, self.enums.keys().map(String::as_str)),
                )),
            },
            TypeKind::Record(kind, name) => match self.records.get(&name.text) {
                Some(layout) => Ok(Type::Struct(layout.clone())),
                None => Err(Box::new(self.unknown(*kind, name))),
            },
            TypeKind::Pointer(to) => {
                let to = match &to.kind {
                    // Perhaps declared later, perhaps never: it matters only when the pointer is followed.
                    TypeKind::Record(kind, name) => incomplete(*kind, &name.text),
                    _ => self.resolve(to, space)?,
                };
                Ok(pointer_to(to, space))
            }
            TypeKind::Array(of, n) => array_of(self.resolve(of, space)?, *n, ty.span),
            TypeKind::Typeof(e) => {
                Err(Box::new(Problem::error(e.span, "`typeof` stands in blocks, where values have types")))
            }
        }
    }

    /// The structure with its members; `None` when the script does not declare it.
    pub fn complete(&self, s: &Arc<Struct>) -> Option<Arc<Struct>> {
        if s.fields.is_empty() { self.records.get(&s.name).cloned() } else { Some(s.clone()) }
    }

    fn unknown(&self, kind: StructKind, name: &ast::Name) -> Problem {
        Problem::error(name.span, format!("unknown type `{} {}`", kind.keyword(), name.text))
            .did_you_mean(&name.text, self.records.keys().map(String::as_str))
    }

    /// The declared structures.
    pub fn record_names(&self) -> impl Iterator<Item = &str> {
        self.records.keys().map(String::as_str)
    }
}

/// A pointer. Of a structure it holds the name only.
pub(crate) fn pointer_to(to: Type, space: AddrSpace) -> Type {
    let to = match to {
        Type::Struct(s) => incomplete(s.kind, &s.name),
        other => other,
    };
    Type::Ptr { to: Box::new(to), space }
}

/// `T[n]`, written at `span`; of `string` and `buffer` it gives the size.
pub(crate) fn array_of(of: Type, n: u64, span: Span) -> Result<Type, Box<Problem>> {
    let n = u32::try_from(n).ok().filter(|n| u64::from(*n) <= MAX_SIZE);
    let too_large = || Box::new(Problem::error(span, "this array is too large"));
    let n = n.ok_or_else(too_large)?;
    match of {
        ANY_STRING => return Ok(Type::Str(n.next_multiple_of(8))),
        ANY_BUFFER => return Ok(Type::Buf(n)),
        Type::Void => return Err(Box::new(Problem::error(span, "there are no arrays of `void`"))),
        _ => {}
    }
    let array = Type::Array(Box::new(of), n);
    size_of(&array).filter(|s| *s <= MAX_SIZE).ok_or_else(too_large)?;
    Ok(array)
}

/// A structure that only its name is known of.
fn incomplete(kind: StructKind, name: &str) -> Type {
    Type::Struct(Arc::new(Struct::named(kind, name)))
}

/// Whether a member can have so many bits.
fn check_bits(decl: &ast::FieldDecl, ty: &Type, width: u64) -> Result<(), Box<Problem>> {
    let most = match ty {
        Type::Bool => 1,
        ty => match ty.integer() {
            Some((bits, _)) => u64::from(bits),
            None => {
                let message = format!("a bit-field is an integer, not {}", with_article(ty));
                return Err(Box::new(Problem::error(decl.span, message)));
            }
        },
    };
    if width > most {
        let message = format!("a bit-field of type {ty} cannot have {width} bits");
        return Err(Box::new(Problem::error(decl.span, message)));
    }
    match (&decl.name, width) {
        (Some(name), 0) => {
            let message = format!("`{}` has no bits", name.text);
            Err(Box::new(
                Problem::error(decl.span, message).help("leave out the name to end the word: `int : 0;`"),
            ))
        }
        _ => Ok(()),
    }
}

/// Size in bytes, computed without overflow.
fn size_of(ty: &Type) -> Option<u64> {
    match ty {
        Type::Array(of, n) => size_of(of)?.checked_mul(u64::from(*n)),
        other => Some(u64::from(other.size())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let int = |bits, signed| Some(Type::Int { bits, signed });
        for (words, ty) in [
            ("uint8", int(8, false)),
            ("uint8_t", int(8, false)),
            ("int64_t", int(64, true)),
            ("uintptr_t", int(64, false)),
            ("size_t", int(64, false)),
            ("u32", int(32, false)),
            ("__s16", int(16, true)),
            ("unsigned", int(32, false)),
            ("unsigned char", int(8, false)),
            ("char", int(8, true)),
            ("long unsigned int", int(64, false)),
            ("long long", int(64, true)),
            ("short int", int(16, true)),
            ("bool", Some(Type::Bool)),
            ("char int", None),
            ("unsigned signed", None),
            ("long long long", None),
        ] {
            assert_eq!(named(words), ty, "{words}");
        }
    }
}
