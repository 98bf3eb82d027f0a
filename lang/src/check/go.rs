//! Values of Go programs: parameters and results by name or position, strings, slices, and what other types allow.
//!
//! A parameter is a [`Place`] like any other, in registers or on the stack; its members, elements and what it points to are found
//! from its type. Reading a place gives a value of the language: a Go string is a string, a `[]byte` a buffer.

use crate::ast::{Expr, ExprKind, Name, UnOp};
use crate::check::place::{Base, Place};
use crate::check::{Checked, Checker, build, whole};
use crate::diag::Problem;
use crate::env::{Abi, Param, ParamPlace, Piece, Signature, SignatureOf, TypeName, TypesFrom};
use crate::hir::{self, Attach, BinOp};
use crate::span::Span;
use crate::types::{AddrSpace, Enum, GoReference, GoType, Struct, StructKind, Type};
use std::sync::Arc;

/// Bytes of a `[]byte` that are read when it is used as a buffer.
pub(super) const BUFFER: u32 = 256;

/// Parameters or results.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Params,
    Results,
}

impl Side {
    fn builtin(self) -> &'static str {
        match self {
            Side::Params => "args",
            Side::Results => "retval",
        }
    }

    fn one(self) -> &'static str {
        match self {
            Side::Params => "parameter",
            Side::Results => "result",
        }
    }

    fn of(self, signature: &Signature) -> &[Param] {
        match self {
            Side::Params => &signature.params,
            Side::Results => &signature.results,
        }
    }
}

impl Checker<'_> {
    /// The place of `args.name`, `args.0`, `retval`, `retval.0` in a Go function; `None` for expressions of other forms and where
    /// `args` and `retval` mean something else.
    pub(super) fn go_place(&mut self, e: &Expr) -> Checked<Option<Place>> {
        if let Some(place) = self.kernel_place(e)? {
            return Ok(Some(place));
        }
        let (base, pick) = match &e.kind {
            ExprKind::Member(base, name) => (&**base, Pick::Name(name)),
            ExprKind::TupleMember(base, n) => (&**base, Pick::Index(u64::from(*n))),
            ExprKind::Ident(name) if name == "retval" => (e, Pick::Only),
            _ => return Ok(None),
        };
        let ExprKind::Ident(name) = &base.kind else { return Ok(None) };
        let side = match (name.as_str(), &self.target().attach) {
            ("args", Attach::Uprobe { ret: false, .. }) => Side::Params,
            ("retval", Attach::Uprobe { ret: true, .. }) => Side::Results,
            _ => return Ok(None),
        };
        // Functions of C have one result: what stands behind it are its members.
        if side == Side::Results
            && !matches!(pick, Pick::Only)
            && self.is_in_c()
            && self.signature().is_some()
        {
            return Ok(None);
        }
        let Some(signature) = self.signature() else {
            // Without types `retval` is the first result word.
            return if side == Side::Results && matches!(pick, Pick::Only) {
                Ok(None)
            } else {
                self.untyped(side, e.span)
            };
        };
        let param = self.pick(side, &signature, pick, e.span)?;
        let base = self.param_base(&param.place, e.span)?;
        let ty = self.known_struct(param.ty.clone(), e.span)?;
        Ok(Some(Place::new(base, ty)))
    }

    pub(super) fn param_base(&mut self, place: &ParamPlace, span: Span) -> Checked<Base> {
        Ok(match place {
            ParamPlace::Registers(pieces) => Base::Registers(pieces.clone()),
            ParamPlace::Stack(offset) => {
                let sp = self.env.arch().register("sp").unwrap_or_default();
                let sp = hir::Expr::new(hir::ExprKind::Builtin(hir::Builtin::Reg(sp)), Type::U64, span);
                Base::Memory(build::offset(sp, u64::from(*offset), span), AddrSpace::User)
            }
            ParamPlace::Behind(address) => {
                let address = self.param_base(address, span)?;
                Base::Memory(self.word(&address, 0, span)?, AddrSpace::User)
            }
        })
    }

    /// The signature for `args` alone; `None` where `args` means something else or nothing.
    pub(super) fn params_signature(&mut self, span: Span) -> Checked<Option<Arc<Signature>>> {
        match &self.target().attach {
            Attach::Uprobe { ret: false, .. } => {}
            _ => return Ok(None),
        }
        match self.signature() {
            Some(signature) => Ok(Some(signature)),
            None => self.untyped(Side::Params, span),
        }
    }

    pub(super) fn signature(&self) -> Option<Arc<Signature>> {
        match &self.target().attach {
            Attach::Uprobe { class, .. } => match &class.signature {
                SignatureOf::Known(signature) => Some(Arc::clone(signature)),
                SignatureOf::NotAsked | SignatureOf::Unknown(_) => None,
            },
            _ => None,
        }
    }

    /// Why there are no typed parameters or results.
    fn untyped<T>(&mut self, side: Side, span: Span) -> Checked<T> {
        let reason = match &self.target().attach {
            Attach::Uprobe { class, .. } if class.usdt.is_some() => return self.no_args(span, span),
            Attach::Uprobe { class, .. } => match &class.signature {
                SignatureOf::Unknown(reason) => Some(reason.clone()),
                SignatureOf::NotAsked | SignatureOf::Known(_) => None,
            },
            _ => None,
        };
        let message = format!("the types of the function's {}s are not known", side.one());
        let mut problem = Problem::error(span, message);
        problem = match reason {
            Some(reason) => problem.note(reason),
            None => problem.note("they are known for functions of binaries with debug information"),
        };
        let in_c = self.is_in_c();
        self.fail(match side {
            Side::Params if in_c => problem.help("`arg0`, `arg1`, … are the argument words"),
            Side::Params => problem.help(
                "`sarg0`, `sarg1`, … are the argument words in order; a Go string is two words: `gostr(sarg0, sarg1)`",
            ),
            Side::Results => problem.help("`retval` is the first result word"),
        })
    }

    fn pick(&mut self, side: Side, signature: &Signature, pick: Pick<'_>, span: Span) -> Checked<Param> {
        let params = side.of(signature);
        let found = match pick {
            Pick::Name(name) => params.iter().find(|p| p.name == name.text),
            Pick::Index(n) => usize::try_from(n).ok().and_then(|n| params.get(n)),
            Pick::Only => params.first(),
        };
        if let Some(param) = found {
            return Ok(param.clone());
        }
        let one = side.one();
        let names: Vec<&str> = params.iter().map(|p| p.name.as_str()).filter(|n| !n.is_empty()).collect();
        let problem = match pick {
            _ if params.is_empty() => Problem::error(span, format!("the function has no {one}s")),
            Pick::Name(name) => {
                let problem = Problem::error(name.span, format!("the function has no {one} `{}`", name.text))
                    .did_you_mean(&name.text, names.iter().copied());
                match problem.help.is_empty() {
                    true if names.is_empty() => unnamed(problem, side, signature),
                    true => problem.note(format!("it has {}", names.join(", "))),
                    false => problem,
                }
            }
            Pick::Index(_) | Pick::Only => {
                Problem::error(span, format!("the function has {} {one}s, counted from 0", params.len()))
            }
        };
        self.fail(problem)
    }

    /// A structure of the traced program with its members.
    pub(crate) fn go_struct(&self, s: &Struct) -> Option<Arc<Struct>> {
        self.env.go_struct(self.traced_binary()?, &s.name).map(Arc::new)
    }

    /// The problem of a name that several structures of the traced program have; to be asked for when none was found.
    pub(super) fn same_names(&self, name: &str, span: Span) -> Option<Problem> {
        let names = self.env.same_names(self.traced_binary()?, name);
        let first = names.first()?;
        let problem = Problem::error(span, format!("the traced program has several structures `{name}`"))
            .note(format!("they are {}", names.join(", ")));
        Some(problem.help(format!("write which one is meant: `struct {first}`")))
    }

    /// The binary whose types are meant: that of the probe, else the program that goroutines are told of.
    fn traced_binary(&self) -> Option<&str> {
        let of_threads = || self.go_program.as_ref().map(|program| &program.binary);
        self.target().binaries.first().or_else(of_threads).map(String::as_str)
    }

    /// What the traced program calls so.
    pub(super) fn of_program(&self, name: TypeName<'_>) -> Option<Type> {
        match name {
            TypeName::Record(name) => {
                let named = Struct::named(StructKind::Struct, name);
                self.go_struct(&named).map(Type::Struct)
            }
            TypeName::Enum(_) | TypeName::Typedef(_) => self.env.binary_type(self.traced_binary()?, name),
        }
    }

    /// The enumeration of the traced program that has an enumerator of this name, and its value.
    pub(super) fn enumerator_of_program(&self, name: &str) -> Option<(Enum, i64)> {
        self.env.binary_enumerator(self.traced_binary()?, name)
    }

    /// Whether a value has parts that only exist in Go.
    pub(super) fn holds_go(&self, ty: &Type) -> bool {
        match self.complete_type(ty) {
            Type::Go(_) => true,
            Type::Struct(s) if s.name == whole::TIME => true,
            Type::Struct(s) => s.fields.iter().any(|f| self.holds_go(&f.ty)),
            Type::Array(of, _) => self.holds_go(&of),
            _ => false,
        }
    }

    /// Reads a place of a Go type that C does not have.
    pub(super) fn load_go(&mut self, base: &Base, ty: &GoType, span: Span) -> Checked<hir::Expr> {
        match ty {
            GoType::Str => {
                let (addr, len) = (self.word(base, 0, span)?, self.word(base, 1, span)?);
                let kind = hir::ExprKind::GoStr { addr: Box::new(addr), len: Box::new(len) };
                Ok(hir::Expr::new(kind, Type::Str(self.config.max_strlen.next_multiple_of(8)), span))
            }
            GoType::Slice(of) if whole::is_byte(of) => {
                let (addr, len) = (self.word(base, 0, span)?, self.word(base, 1, span)?);
                let space = AddrSpace::User;
                let kind = hir::ExprKind::ReadBuf { addr: Box::new(addr), len: Box::new(len), space };
                Ok(hir::Expr::new(kind, Type::Buf(BUFFER.min(self.config.max_strlen)), span))
            }
            GoType::Reference(GoReference::Func) => {
                let value = self.word(base, 0, span)?;
                let kind = hir::ExprKind::Load { addr: Box::new(value), space: AddrSpace::User };
                let code = hir::Expr::new(kind, Type::U64, span);
                Ok(hir::Expr::new(hir::ExprKind::Symbol(Box::new(code)), Type::USym, span))
            }
            GoType::Complex(_) if matches!(base, Base::Registers(_)) => self.in_float_register(span),
            GoType::Map(_)
            | GoType::Reference(_)
            | GoType::Slice(_)
            | GoType::Interface { .. }
            | GoType::Complex(_) => self.whole(base, &Type::Go(ty.clone()), span),
        }
    }

    /// A `time.Time`, whose first two words say when.
    pub(super) fn load_time(&mut self, base: &Base, span: Span) -> Checked<hir::Expr> {
        let (wall, ext) = (self.word(base, 0, span)?, self.word(base, 1, span)?);
        Ok(whole::time(wall, ext, span))
    }

    fn in_float_register<T>(&mut self, span: Span) -> Checked<T> {
        let problem = Problem::error(span, "this float is in a floating-point register")
            .note("BPF programs can read the integer registers only")
            .help("it can be read where it lies in memory: in a structure behind a pointer, in a slice");
        self.fail(problem)
    }

    /// The `n`-th 8-byte word of a place.
    pub(super) fn word(&mut self, base: &Base, n: u32, span: Span) -> Checked<hir::Expr> {
        match base {
            Base::Registers(pieces) => self.register_piece(pieces, 8 * n, 8, span),
            Base::Memory(address, space) => {
                let addr = build::offset(address.clone(), u64::from(8 * n), span);
                let kind = hir::ExprKind::Load { addr: Box::new(addr), space: *space };
                Ok(hir::Expr::new(kind, Type::U64, span))
            }
            Base::Value(value, at) => Ok(super::place::part(value.clone(), at + 8 * n, Type::U64, span)),
            Base::Context(_) | Base::DataLoc(_) => {
                self.fail(Problem::error(span, "Go values are found in traced programs"))
            }
        }
    }

    /// A part of a value in registers, as `uint64`; the bits above its size are undefined.
    fn register_piece(&mut self, pieces: &[Piece], offset: u32, size: u32, span: Span) -> Checked<hir::Expr> {
        let found = Checker::part_of(pieces, offset, size);
        match found.iter().find(|p| p.offset == 0 && p.size == size) {
            Some(piece) => match held(piece, span) {
                Some(value) => Ok(value),
                None => self.in_float_register(span),
            },
            None => self.fail(
                Problem::error(span, "this value is spread over several registers").help("name its members"),
            ),
        }
    }

    /// Reads a value of a C-like type that is in registers.
    pub(super) fn load_registers(&mut self, pieces: &[Piece], ty: &Type, span: Span) -> Checked<hir::Expr> {
        const BYTE: Type = Type::Int { bits: 8, signed: false };
        match ty {
            Type::Bool => Ok(build::nonzero(build::cast(self.register_piece(pieces, 0, 1, span)?, &BYTE))),
            Type::Int { .. } | Type::Enum(_) | Type::Ptr { .. } | Type::Duration | Type::Float(_) => {
                Ok(build::cast(self.register_piece(pieces, 0, ty.size(), span)?, ty))
            }
            Type::Array(of, 1) => self.load_registers(pieces, of, span),
            Type::Struct(s) if s.name == whole::TIME => {
                self.load_time(&Base::Registers(pieces.to_vec()), span)
            }
            _ => self.whole(&Base::Registers(pieces.to_vec()), ty, span),
        }
    }

    /// Members and elements of a value in registers: the pieces that belong to `size` bytes at `offset`, or the part of the one that has all of
    /// them.
    pub(super) fn part_of(pieces: &[Piece], offset: u32, size: u32) -> Vec<Piece> {
        let end = offset + size;
        let part = |p: &Piece| {
            if p.offset >= offset && p.offset + p.size <= end {
                return Some(Piece { offset: p.offset - offset, ..*p });
            }
            let around = p.offset <= offset && end <= p.offset + p.size;
            around.then(|| Piece { offset: 0, size, shift: p.shift + 8 * (offset - p.offset) as u8, ..*p })
        };
        pieces.iter().filter_map(part).collect()
    }

    /// The place of `slice[n]`. An index outside of the slice leads to address 0, which cannot be read: the value is zero and the
    /// failed read is counted.
    pub(super) fn slice_element(
        &mut self,
        base: &Base,
        of: &Type,
        n: hir::Expr,
        span: Span,
    ) -> Checked<Place> {
        let of = self.known_struct(of.clone(), span)?;
        let (start, len) = (self.word(base, 0, span)?, self.word(base, 1, span)?);
        let address = Checker::within(start, n, len, of.size(), span);
        Ok(Place::new(Base::Memory(address, AddrSpace::User), of))
    }

    /// The address of element `n` of `len`, each of `size` bytes; 0 if there is no such element.
    pub(super) fn within(start: hir::Expr, n: hir::Expr, len: hir::Expr, size: u32, span: Span) -> hir::Expr {
        let (start, n) = (build::cast(start, &Type::U64), build::cast(n, &Type::U64));
        let within = build::binary(BinOp::Lt, n.clone(), len, Type::Bool, span);
        let size = build::int(u64::from(size), Type::U64, span);
        let distance = build::binary(BinOp::Mul, n, size, Type::U64, span);
        let there = build::binary(BinOp::Add, start, distance, Type::U64, span);
        let nowhere = build::int(0, Type::U64, span);
        let kind = hir::ExprKind::Ternary(Box::new(within), Box::new(there), Box::new(nowhere));
        hir::Expr::new(kind, Type::U64, span)
    }

    /// Whether the probe is in a Go program.
    pub(super) fn is_in_go(&self) -> bool {
        matches!(&self.target().attach, Attach::Uprobe { class, .. } if class.goroutine.is_some())
    }

    /// Whether the probe is in code that keeps to the C calling convention.
    pub(super) fn is_in_c(&self) -> bool {
        matches!(&self.target().attach, Attach::Uprobe { class, .. } if class.abi == Abi::C)
    }

    /// `len(x)` and `cap(x)` of Go values; `None` for anything else.
    pub(crate) fn go_length(&mut self, e: &Expr, capacity: bool) -> Checked<Option<hir::Expr>> {
        if !matches!(
            e.kind,
            ExprKind::Member(..)
                | ExprKind::TupleMember(..)
                | ExprKind::Index(..)
                | ExprKind::Ident(_)
                | ExprKind::Unary(UnOp::Deref, _)
        ) {
            return Ok(None);
        }
        let Some(Place { base, ty, .. }) = self.place(e)? else { return Ok(None) };
        let length = match (&ty, capacity) {
            (Type::Go(GoType::Str | GoType::Slice(_)), false) => self.word(&base, 1, e.span)?,
            (Type::Go(GoType::Slice(_)), true) => self.word(&base, 2, e.span)?,
            (Type::Array(_, n), _) => build::int(u64::from(*n), Type::I64, e.span),
            // As in Go, a pointer to an array has the array's length.
            (Type::Ptr { to, .. }, _) if self.is_in_go() => match **to {
                Type::Array(_, n) => build::int(u64::from(n), Type::I64, e.span),
                _ => return Ok(None),
            },
            (Type::Go(GoType::Map(_) | GoType::Reference(GoReference::Map)), true) => {
                return self.fail(Problem::error(e.span, "a map has no capacity"));
            }
            (Type::Go(GoType::Map(_) | GoType::Reference(GoReference::Map | GoReference::Chan)), _) => {
                // `hmap.count`, `Map.used`, `hchan.qcount` are the first word; `hchan.dataqsiz` the second.
                let header = self.word(&base, 0, e.span)?;
                let addr = build::offset(header, if capacity { 8 } else { 0 }, e.span);
                let kind = hir::ExprKind::Load { addr: Box::new(addr), space: AddrSpace::User };
                hir::Expr::new(kind, Type::U64, e.span)
            }
            _ => return Ok(None),
        };
        Ok(Some(build::cast(length, &Type::I64)))
    }
}

/// The value of a part in a register, with whatever is above it; `None` for a register that cannot be read.
pub(super) fn held(piece: &Piece, span: Span) -> Option<hir::Expr> {
    let register = hir::ExprKind::Builtin(hir::Builtin::Reg(piece.register?));
    let register = hir::Expr::new(register, Type::U64, span);
    if piece.shift == 0 {
        return Some(register);
    }
    let shift = build::int(u64::from(piece.shift), Type::U64, span);
    Some(build::binary(BinOp::Shr, register, shift, Type::U64, span))
}

/// What to write where parameters and results have no names.
fn unnamed(problem: Problem, side: Side, signature: &Signature) -> Problem {
    let (builtin, one) = (side.builtin(), side.one());
    let types: Vec<String> = side.of(signature).iter().map(|p| p.ty.to_string()).collect();
    let problem = match signature.types_from {
        TypesFrom::RuntimeTypes => problem.note(format!(
            "names of {one}s are in the debug information, which this binary does not have; \
             their types are known from the program's own type data: {}",
            types.join(", ")
        )),
        TypesFrom::DebugInfo => problem,
    };
    let last = types.len().saturating_sub(1);
    let range = if last == 0 { String::new() } else { format!(" to `{builtin}.{last}`") };
    let receiver = match (side, signature.types_from) {
        (Side::Params, TypesFrom::RuntimeTypes) => "; the receiver is the first",
        _ => "",
    };
    problem.help(format!("name it by its position: `{builtin}.0`{range}{receiver}"))
}

/// Which parameter or result is meant.
#[derive(Clone, Copy)]
enum Pick<'a> {
    Name(&'a Name),
    Index(u64),
    /// `retval` alone: the first result.
    Only,
}
