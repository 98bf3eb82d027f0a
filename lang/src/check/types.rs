//! Written types become real ones: the names of scalar types, what the script's `struct`, `union`, `enum` and `typedef` declarations
//! say (their layout is `layout.rs`), and the kernel's types by name.
//!
//! A pointer to a structure holds only the structure's name, as an empty [`Struct`]: structures may point to each
//! other, and to themselves. [`Types::complete`] finds the members when they are needed.

use crate::ast::{self, TypeDeclKind, TypeExpr, TypeKind};
use crate::check::layout::{Layout, Placement};
use crate::check::maps::with_article;
use crate::check::ops::hir_op;
use crate::diag::{Problem, Problems};
use crate::env::{Env, TypeName};
use crate::fold;
use crate::span::Span;
use crate::types::{AddrSpace, Enum, Field, FieldForm, Struct, StructKind, Type};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The types that a script declares.
pub(crate) struct Types<'e> {
    env: &'e dyn Env,
    records: BTreeMap<String, Arc<Struct>>,
    enums: BTreeMap<String, Arc<Enum>>,
    typedefs: BTreeMap<String, Type>,
    /// What is declared in other declarations, by its place.
    in_place: HashMap<Span, Type>,
    /// Enumerators: their type and value.
    pub constants: BTreeMap<String, (Arc<Enum>, i64)>,
}

/// `string` and `buffer` without a size: that of the values that meet them.
pub(crate) const ANY_STRING: Type = Type::Str(0);
/// See [`ANY_STRING`].
pub(crate) const ANY_BUFFER: Type = Type::Buf(0);

/// Largest size of a structure, and so of an array in it: offsets stay far from overflow.
const MAX_SIZE: u64 = 1 << 20;

/// Greatest alignment that can be asked for.
const MOST_ALIGNMENT: u32 = 4096;

/// What stands for the name of a type without one.
const ANONYMOUS: &str = "(anonymous)";

/// Size and alignment of `long double` and `__int128`.
const WIDE: u32 = 16;

/// Whether these words are a type of [`WIDE`] bytes: nothing is done with its values, but it takes its room.
fn is_wide(words: &str) -> bool {
    words.split(' ').any(|word| word == "__int128") || matches!(words, "long double" | "double long")
}

/// Scalar types, for suggestions.
const SCALARS: &[&str] = &[
    "bool", "char", "short", "int", "long", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32",
    "uint64",
];

/// A C word list and what it means.
const NAMED: &[(&str, Type)] = &[
    ("bool", Type::Bool),
    ("_Bool", Type::Bool),
    ("float", Type::Float(32)),
    ("double", Type::Float(64)),
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
    if is_wide(words) {
        return Some(Type::Array(Box::new(Type::Int { bits: 8, signed: false }), WIDE));
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

impl<'e> Types<'e> {
    /// Lays out all declarations of a script.
    pub fn new(decls: &[ast::TypeDecl], env: &'e dyn Env, problems: &mut Problems) -> Types<'e> {
        let mut types = Types {
            env,
            records: BTreeMap::new(),
            enums: BTreeMap::new(),
            typedefs: BTreeMap::new(),
            in_place: HashMap::new(),
            constants: BTreeMap::new(),
        };
        for decl in decls {
            if let (TypeDeclKind::Record(_), None) = (&decl.kind, &decl.name) {
                let what = "a structure without a name declares nothing";
                problems.push(Problem::error(decl.span, what));
            }
            types.declare(decl, "", problems);
        }
        types
    }

    /// Lays out a declaration, in that of `outer` perhaps.
    fn declare(&mut self, decl: &ast::TypeDecl, outer: &str, problems: &mut Problems) -> Option<Type> {
        match &decl.kind {
            TypeDeclKind::Record(record) => {
                let anonymous = || format!("{outer}::{ANONYMOUS}");
                let name = decl.name.as_ref().map_or_else(anonymous, |tag| tag.text.clone());
                if let Some(tag) = decl.name.as_ref().filter(|tag| self.records.contains_key(&tag.text)) {
                    let message = format!("`{} {name}` is declared twice", record.kind.keyword());
                    problems.push(Problem::error(tag.span, message));
                }
                let layout = self.record(&name, record, problems);
                let known = layout.is_some();
                // Known by name at least, so that its uses are no further errors.
                let layout = Arc::new(layout.unwrap_or_else(|| Struct::named(record.kind, name.as_str())));
                if decl.name.is_some() {
                    self.records.insert(name, layout.clone());
                }
                known.then_some(Type::Struct(layout))
            }
            TypeDeclKind::Enum(values) => {
                Some(Type::Enum(self.enumeration(decl.name.as_ref(), values, problems)))
            }
            TypeDeclKind::Typedef(of) => {
                let name = decl.name.as_ref()?;
                let ty = match &of.kind {
                    // It may be declared later.
                    TypeKind::Record(kind, tag) if !self.records.contains_key(&tag.text) => {
                        incomplete(*kind, &tag.text)
                    }
                    _ => self.member_type(of, &name.text, problems)?,
                };
                match self.typedefs.get(&name.text) {
                    Some(known) if *known != ty => {
                        let message = format!("`{}` is declared twice", name.text);
                        problems.push(Problem::error(name.span, message));
                    }
                    _ => drop(self.typedefs.insert(name.text.clone(), ty)),
                }
                None
            }
        }
    }

    fn enumeration(
        &mut self,
        tag: Option<&ast::Name>,
        values: &[(ast::Name, Option<ast::Expr>)],
        problems: &mut Problems,
    ) -> Arc<Enum> {
        let mut variants: Vec<(String, i64)> = Vec::new();
        let mut next = 0i64;
        for (name, value) in values {
            if let Some(value) = value {
                match self.constant(value, &variants) {
                    Some(v) => next = v,
                    None => problems.push(not_constant(value.span, "the value of an enumerator")),
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
        let name = tag.map_or_else(|| ANONYMOUS.to_owned(), |tag| tag.text.clone());
        let declared = Arc::new(Enum { name: name.clone(), bits, signed, variants });
        for (name, value) in &declared.variants {
            self.constants.insert(name.clone(), (declared.clone(), *value));
        }
        if let Some(tag) = tag
            && self.enums.insert(name, declared.clone()).is_some()
        {
            problems.push(Problem::error(tag.span, format!("`enum {}` is declared twice", tag.text)));
        }
        declared
    }

    /// The value of a constant expression in a declaration, of whose enumerators `variants` are known so far.
    fn constant(&self, e: &ast::Expr, variants: &[(String, i64)]) -> Option<i64> {
        use ast::{BinOp, UnOp};
        let value = |e: &ast::Expr| self.constant(e, variants);
        Some(match &e.kind {
            ast::ExprKind::Int(v) => *v as i64,
            ast::ExprKind::Bool(v) => i64::from(*v),
            ast::ExprKind::Ident(name) => match variants.iter().find(|(n, _)| n == name) {
                Some((_, value)) => *value,
                None => match self.constants.get(name) {
                    Some((_, value)) => *value,
                    None => self.env.kernel_enumerator(name)?.1,
                },
            },
            ast::ExprKind::Unary(UnOp::Neg, e) => value(e)?.wrapping_neg(),
            ast::ExprKind::Unary(UnOp::BitNot, e) => !value(e)?,
            ast::ExprKind::Unary(UnOp::Not, e) => i64::from(value(e)? == 0),
            ast::ExprKind::Binary(BinOp::LogAnd, a, b) => i64::from(value(a)? != 0 && value(b)? != 0),
            ast::ExprKind::Binary(BinOp::LogOr, a, b) => i64::from(value(a)? != 0 || value(b)? != 0),
            ast::ExprKind::Binary(op, a, b) => {
                fold::binary(hir_op(*op), value(a)? as u64, value(b)? as u64, true)? as i64
            }
            ast::ExprKind::Ternary(condition, then, otherwise) => match (value(condition)?, then) {
                (0, _) => value(otherwise)?,
                (_, Some(then)) => value(then)?,
                (condition, None) => condition,
            },
            ast::ExprKind::Cast(ty, e) => {
                let ty = self.resolve(ty, AddrSpace::User, &|_| None).ok().filter(Type::is_scalar)?;
                fold::canonical(value(e)? as u64, &ty) as i64
            }
            ast::ExprKind::SizeofType(ty) => {
                size_of(&self.resolve(ty, AddrSpace::User, &|_| None).ok()?)?.cast_signed()
            }
            ast::ExprKind::SizeofExpr(name) => match &name.kind {
                ast::ExprKind::Ident(word) => {
                    let named = TypeExpr { kind: TypeKind::Named(word.clone()), span: name.span };
                    size_of(&self.resolve(&named, AddrSpace::User, &|_| None).ok()?)?.cast_signed()
                }
                _ => return None,
            },
            _ => return None,
        })
    }

    /// A constant that is an alignment.
    fn alignment(&self, attributes: &ast::Attributes, problems: &mut Problems) -> Option<u32> {
        let written = attributes.align.as_ref()?;
        let value = self.constant(written, &[]).and_then(|n| u32::try_from(n).ok());
        let value = value.filter(|n| n.is_power_of_two() && *n <= MOST_ALIGNMENT);
        if value.is_none() {
            let message = format!("an alignment is a power of two up to {MOST_ALIGNMENT}");
            problems.push(Problem::error(written.span, message));
        }
        value
    }

    /// The type of a member; what is declared in it is declared.
    fn member_type(&mut self, ty: &TypeExpr, outer: &str, problems: &mut Problems) -> Option<Type> {
        if let Some(decl) = ty.declared()
            && !self.in_place.contains_key(&decl.span)
        {
            let declared = self.declare(decl, outer, problems)?;
            self.in_place.insert(decl.span, declared);
        }
        self.resolve(ty, AddrSpace::User, &|_| None).map_err(|p| problems.push(*p)).ok()
    }

    fn record(&mut self, name: &str, record: &ast::Record, problems: &mut Problems) -> Option<Struct> {
        let mut fields: Vec<Field> = Vec::new();
        let align = self.alignment(&record.attributes, problems).unwrap_or(1);
        let mut layout = Layout::new(record.kind, record.attributes.packed, align);
        let mut complete = true;
        for decl in &record.fields {
            let Some(ty) = self.member_type(&decl.ty, name, problems) else {
                complete = false;
                continue;
            };
            let incomplete = matches!(&ty, Type::Struct(s) if s.size == 0 && s.has_tag() && !self.knows(s));
            let size = size_of(&ty).filter(|_| ty != Type::Void && ty != ANY_STRING && ty != ANY_BUFFER);
            let Some(size) = size.filter(|s| !incomplete && layout.taken() + s <= MAX_SIZE) else {
                let what = match ty {
                    Type::Void => "a member cannot be `void`",
                    ANY_STRING | ANY_BUFFER => "a member needs a size: `char name[16]`",
                    _ if incomplete => "the members of this structure are not known",
                    _ => "this structure is too large",
                };
                problems.push(Problem::error(decl.span, what));
                return None;
            };
            let placement = Placement {
                natural: natural_align(&decl.ty, &ty),
                packed: decl.attributes.packed,
                least: self.alignment(&decl.attributes, problems),
            };
            let (offset, form) = match self.bits(decl, &ty, problems) {
                Ok(None) => (layout.add(size, placement), FieldForm::Plain),
                Ok(Some(width)) => {
                    let (offset, range) = layout.add_bits(size, width, decl.name.is_some(), placement);
                    if u32::from(range.shift) + u32::from(range.width) > 64 {
                        let message = "this bit-field reaches over nine bytes, which cannot be read at once";
                        problems.push(Problem::error(decl.span, message));
                        complete = false;
                        continue;
                    }
                    (offset, FieldForm::Bits(range))
                }
                Err(problem) => {
                    problems.push(*problem);
                    complete = false;
                    continue;
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
                (None, Type::Struct(inner)) if matches!(decl.ty.kind, TypeKind::Declared(_)) => fields
                    .extend(
                        inner.fields.iter().map(|f| Field { offset: f.offset + offset as u32, ..f.clone() }),
                    ),
                // Only its values matter.
                (None, Type::Enum(_)) if matches!(decl.ty.kind, TypeKind::Declared(_)) => {}
                (None, _) => problems.push(Problem::error(decl.span, "this member has no name")),
            }
        }
        let (size, align) = (layout.size() as u32, layout.align);
        complete.then(|| Struct { name: name.to_owned(), kind: record.kind, size, align, fields })
    }

    /// The width of a bit-field; `None` for other members.
    fn bits(
        &self,
        decl: &ast::FieldDecl,
        ty: &Type,
        problems: &mut Problems,
    ) -> Result<Option<u64>, Box<Problem>> {
        let Some(bits) = &decl.bits else { return Ok(None) };
        let Some(width) = self.constant(bits, &[]).and_then(|bits| u64::try_from(bits).ok()) else {
            problems.push(not_constant(bits.span, "the width of a bit-field"));
            return Ok(Some(1));
        };
        check_bits(decl, ty, width).map(|()| Some(width))
    }

    /// Whether a structure is declared by the script, perhaps with a mistake in it.
    fn knows(&self, s: &Struct) -> bool {
        self.records.contains_key(&s.name)
    }

    /// The type that is written. Pointers in it point to `space`. What the script does not declare is what `outside` knows by that
    /// name, or else the kernel.
    pub fn resolve(
        &self,
        ty: &TypeExpr,
        space: AddrSpace,
        outside: &dyn Fn(TypeName<'_>) -> Option<Type>,
    ) -> Result<Type, Box<Problem>> {
        let found = |name: TypeName<'_>| outside(name).or_else(|| of_kernel(self.env, name));
        match &ty.kind {
            TypeKind::Named(words) => match words.as_str() {
                "string" => Ok(ANY_STRING),
                "buffer" => Ok(ANY_BUFFER),
                words => named(words)
                    .or_else(|| self.typedef(words, &found))
                    .or_else(|| found(TypeName::Typedef(words)))
                    .map(|ty| in_space(ty, space))
                    .ok_or_else(|| Box::new(self.unknown_name(words, ty.span, &found))),
            },
            TypeKind::Enum(name) => match self.enums.get(&name.text) {
                Some(declared) => Ok(Type::Enum(declared.clone())),
                None => found(TypeName::Enum(&name.text)).ok_or_else(|| {
                    Box::new(
                        Problem::error(name.span, format!("unknown type `enum {}`", name.text))
                            .did_you_mean(&name.text, self.enums.keys().map(String::as_str)),
                    )
                }),
            },
            TypeKind::Record(kind, name) => match self.records.get(&name.text) {
                Some(layout) => Ok(Type::Struct(layout.clone())),
                None => {
                    found(TypeName::Record(&name.text)).ok_or_else(|| Box::new(self.unknown(*kind, name)))
                }
            },
            TypeKind::Pointer(to) => {
                let to = match &to.kind {
                    // Perhaps declared later, perhaps never: it matters only when the pointer is followed.
                    TypeKind::Record(kind, name) => incomplete(*kind, &name.text),
                    _ => self.resolve(to, space, outside)?,
                };
                Ok(pointer_to(to, space))
            }
            TypeKind::Array(of, n) => {
                let n = match n {
                    None => 0,
                    Some(n) => {
                        let value = self.constant(n, &[]).and_then(|n| u64::try_from(n).ok());
                        value.ok_or_else(|| Box::new(not_constant(n.span, "the size of an array")))?
                    }
                };
                array_of(self.resolve(of, space, outside)?, n, ty.span)
            }
            TypeKind::Typeof(e) => {
                Err(Box::new(Problem::error(e.span, "`typeof` stands in blocks, where values have types")))
            }
            TypeKind::Declared(decl) => match self.in_place.get(&decl.span) {
                Some(declared) => Ok(declared.clone()),
                None => Err(Box::new(Problem::error(ty.span, "types are declared outside of blocks"))),
            },
        }
    }

    /// What a `typedef` of the script calls so. `found` knows what the script does not declare.
    fn typedef(&self, name: &str, found: &dyn Fn(TypeName<'_>) -> Option<Type>) -> Option<Type> {
        let ty = self.typedefs.get(name)?;
        match ty {
            Type::Struct(s) if s.fields.is_empty() => {
                let declared = self.complete(s).map(Type::Struct);
                declared.or_else(|| found(TypeName::Record(&s.name))).or_else(|| Some(ty.clone()))
            }
            _ => Some(ty.clone()),
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

    /// The error for a type that is named by a word alone.
    fn unknown_name(&self, name: &str, span: Span, found: &dyn Fn(TypeName<'_>) -> Option<Type>) -> Problem {
        let problem = Problem::error(span, format!("unknown type `{name}`"));
        let record =
            self.records.get(name).map(|s| s.kind).or_else(|| match found(TypeName::Record(name))? {
                Type::Struct(s) => Some(s.kind),
                _ => None,
            });
        if let Some(kind) = record {
            return problem.help(format!("write `{} {name}`", kind.keyword()));
        }
        if self.enums.contains_key(name) || found(TypeName::Enum(name)).is_some() {
            return problem.help(format!("write `enum {name}`"));
        }
        let known = self.typedefs.keys().map(String::as_str).chain(SCALARS.iter().copied());
        let problem = problem.did_you_mean(name, known);
        match problem.help.is_empty() && !name.contains(' ') {
            true => problem.help(format!("a structure is written with its keyword: `struct {name}`")),
            false => problem,
        }
    }

    /// The declared structures.
    pub fn record_names(&self) -> impl Iterator<Item = &str> {
        self.records.keys().map(String::as_str)
    }
}

/// What the running kernel calls so.
pub(crate) fn of_kernel(env: &dyn Env, name: TypeName<'_>) -> Option<Type> {
    match name {
        TypeName::Record(name) => env.kernel_struct(name).map(|s| Type::Struct(Arc::new(s))),
        TypeName::Enum(name) => env.kernel_enum(name).map(|e| Type::Enum(Arc::new(e))),
        TypeName::Typedef(name) => env.kernel_typedef(name),
    }
}

fn not_constant(span: Span, what: &str) -> Problem {
    Problem::error(span, format!("{what} must be a constant"))
        .note("numbers, enumerators, `sizeof` of a type, and operators between them")
}

/// The same type with pointers to `space`: a name says nothing of where its pointers point.
fn in_space(ty: Type, space: AddrSpace) -> Type {
    match ty {
        Type::Ptr { to, .. } => pointer_to(in_space(*to, space), space),
        Type::Array(of, n) => Type::Array(Box::new(in_space(*of, space)), n),
        other => other,
    }
}

/// The alignment of a type as written; a few types have a greater one than anything of their size in the language.
fn natural_align(written: &TypeExpr, ty: &Type) -> u32 {
    match &written.kind {
        TypeKind::Named(words) if is_wide(words) => WIDE,
        TypeKind::Array(of, _) => match ty {
            Type::Array(element, _) => natural_align(of, element),
            _ => ty.align(),
        },
        _ => ty.align(),
    }
}

/// A pointer. Of a structure it holds the name only.
pub(crate) fn pointer_to(to: Type, space: AddrSpace) -> Type {
    let to = match to {
        Type::Struct(s) if s.has_tag() => incomplete(s.kind, &s.name),
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
