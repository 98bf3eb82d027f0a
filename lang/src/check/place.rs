//! Memory: members, elements, what pointers point to, and the `args` of a tracepoint.
//!
//! `a->b.c[2]` is followed as a [`Place`], an address with a type, and becomes one load at its end. Where the way goes
//! through a pointer in memory, that pointer is loaded.

use crate::ast::{Expr, ExprKind, Name, TypeExpr, UnOp};
use crate::check::maps::with_article;
use crate::check::types::pointer_to;
use crate::check::{Checked, Checker, Stop, build, whole};
use crate::diag::Problem;
use crate::env::Piece;
use crate::hir::{self, Attach};
use crate::span::Span;
use crate::types::{AddrSpace, BitRange, Field, FieldForm, GoType, Struct, StructKind, Type};
use std::sync::Arc;

/// Something in memory that has not been read yet.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub base: Base,
    pub ty: Type,
    /// Only these bits, counted from the place's start.
    pub bits: Option<BitRange>,
}

impl Place {
    pub fn new(base: Base, ty: Type) -> Place {
        Place { base, ty, bits: None }
    }
}

/// Where a place is.
#[derive(Clone, Debug)]
pub(crate) enum Base {
    /// At an address (`uint64`).
    Memory(hir::Expr, AddrSpace),
    /// At an offset in the program's context.
    Context(u32),
    /// Where a `__data_loc` locator at this offset says.
    DataLoc(u32),
    /// In registers of the traced program.
    Registers(Vec<Piece>),
    /// At an offset in a value that the script holds.
    Value(hir::Expr, u32),
}

impl Checker<'_> {
    /// Reads a member, an element or what a pointer points to; also members of records by name and of tuples by index.
    pub(super) fn access(&mut self, e: &Expr) -> Checked<hir::Expr> {
        match self.place(e)? {
            Some(place) => self.load(place, e.span),
            None => self.fail(Problem::error(e.span, "this cannot be read")),
        }
    }

    /// The place that an expression names; `None` for one that computes a value.
    pub(crate) fn place(&mut self, e: &Expr) -> Checked<Option<Place>> {
        if let Some(place) = self.go_place(e)? {
            return Ok(Some(place));
        }
        match &e.kind {
            ExprKind::Unary(UnOp::Deref, pointer) => {
                let pointer = self.expr(pointer)?;
                self.pointee(pointer, e.span).map(Some)
            }
            ExprKind::Member(base, name) if matches!(&base.kind, ExprKind::Ident(n) if n == "args") => {
                self.args_member(base.span, name).map(Some)
            }
            ExprKind::Member(base, name) if is_context(base) && self.event_context().is_some() => {
                let data = Struct::named(StructKind::Struct, EVENT_CONTEXT);
                let ty = self.known_struct_in(Type::Struct(Arc::new(data)), AddrSpace::Kernel, base.span)?;
                self.member(Place::new(Base::Context(0), ty), name, e.span).map(Some)
            }
            ExprKind::Member(base, name) => {
                let Some(base) = self.struct_place(base)? else {
                    return self.fail(Problem::error(e.span, "only structures have members"));
                };
                self.member(base, name, e.span).map(Some)
            }
            ExprKind::Index(base, index) => self.index(base, index, e.span).map(Some),
            _ => Ok(None),
        }
    }

    /// The structure or record that a `.` or `->` is behind: in memory, kept, or what a pointer points to.
    fn struct_place(&mut self, base: &Expr) -> Checked<Option<Place>> {
        let place = match self.place(base)? {
            Some(place) if matches!(place.ty, Type::Struct(_) | Type::Record(_)) => return Ok(Some(place)),
            Some(place) => self.load(place, base.span)?,
            None => self.expr(base)?,
        };
        match &place.ty {
            Type::Record(_) => {
                let ty = place.ty.clone();
                Ok(Some(Place::new(Base::Value(place, 0), ty)))
            }
            Type::Ptr { to, .. } if matches!(**to, Type::Struct(_)) => {
                self.pointee(place, base.span).map(Some)
            }
            Type::Struct(_) => {
                let ty = self.known_struct(place.ty.clone(), base.span)?;
                Ok(Some(Place::new(Base::Value(place, 0), ty)))
            }
            Type::Ptr { to, .. } => {
                let problem = Problem::error(base.span, format!("`{to}` has no members"));
                self.fail(problem.help("cast it to what it is: `((struct T *)…)`"))
            }
            ty @ Type::Int { .. } => {
                let problem = Problem::error(base.span, format!("{} has no members", with_article(ty)));
                let known: Vec<&str> = self.types.record_names().collect();
                let example = known.first().copied().unwrap_or("T").to_owned();
                let problem = problem.help(format!("say what it points to: `((struct {example} *)…)`"));
                self.fail(if known.is_empty() {
                    problem.note("declare the structure first: `struct T { … };`")
                } else {
                    problem
                })
            }
            Type::Tuple(_) => self.fail(
                Problem::error(base.span, "members of a tuple are numbers")
                    .help("write `.0` for the first one"),
            ),
            ty => {
                let message = format!("{} has no members", with_article(ty));
                self.fail(Problem::error(base.span, message))
            }
        }
    }

    /// The structure that `ctx` stands for where programs are run by perf events.
    pub(crate) fn event_context(&self) -> Option<&'static str> {
        use crate::check::ProbeKind::{Hardware, Interval, Profile, Software, Watchpoint};
        let kind = self.target().kind();
        matches!(kind, Interval | Profile | Software | Hardware | Watchpoint).then_some(EVENT_CONTEXT)
    }

    /// What a pointer points to; a plain number points to a `uint64`.
    fn pointee(&mut self, pointer: hir::Expr, span: Span) -> Checked<Place> {
        let (ty, space) = match &pointer.ty {
            Type::Ptr { to, .. } if **to == Type::Void => {
                let problem = Problem::error(span, "a `void *` points to nothing that could be read")
                    .help("cast it: `*(uint64 *)…`");
                return self.fail(problem);
            }
            Type::Ptr { to, space } => ((**to).clone(), *space),
            Type::Int { .. } => (Type::U64, self.default_space()),
            ty => {
                let message = format!("{} is no pointer", with_article(ty));
                return self.fail(Problem::error(span, message));
            }
        };
        let ty = self.known_struct_in(ty, space, span)?;
        if matches!(pointer.kind, hir::ExprKind::Builtin(hir::Builtin::Context)) {
            return Ok(Place::new(Base::Context(0), ty));
        }
        Ok(Place::new(Base::Memory(build::cast(pointer, &Type::U64), space), ty))
    }

    /// A structure with its members; other types as they are.
    pub(super) fn complete_type(&self, ty: &Type) -> Type {
        match ty {
            Type::Struct(s) => {
                self.complete_struct(s, AddrSpace::User).map_or_else(|| ty.clone(), Type::Struct)
            }
            _ => ty.clone(),
        }
    }

    /// A structure with its members: of the script, of the traced program, or of the kernel, which comes before the program where
    /// it is in the kernel's memory.
    fn complete_struct(&self, s: &Arc<Struct>, space: AddrSpace) -> Option<Arc<Struct>> {
        let kernel = || self.env.kernel_struct(&s.name).map(Arc::new);
        let outside = || match space {
            AddrSpace::User => {
                self.go_struct(s).or_else(|| match self.same_names(&s.name, Span::default()) {
                    Some(_) => None,
                    None => kernel(),
                })
            }
            AddrSpace::Kernel => kernel().or_else(|| self.go_struct(s)),
        };
        self.types.complete(s).or_else(outside)
    }

    pub(super) fn known_struct(&mut self, ty: Type, span: Span) -> Checked<Type> {
        self.known_struct_in(ty, AddrSpace::User, span)
    }

    /// A structure with its members, whose values are in that memory.
    fn known_struct_in(&mut self, ty: Type, space: AddrSpace, span: Span) -> Checked<Type> {
        let Type::Struct(s) = &ty else { return Ok(ty) };
        match self.complete_struct(s, space) {
            Some(s) => Ok(Type::Struct(s)),
            None => {
                if let Some(problem) = self.same_names(&s.name, span) {
                    return self.fail(problem);
                }
                let problem = Problem::error(span, format!("unknown type `{ty}`"))
                    .did_you_mean(&s.name, self.types.record_names());
                let problem = match problem.help.is_empty() {
                    true => problem.help(format!("declare it: `{ty} {{ … }};`")),
                    false => problem,
                };
                let problem = match space {
                    AddrSpace::Kernel if self.env.kernel_struct(ANY_KERNEL_HAS).is_none() => problem
                        .note("this kernel does not describe its types (no BTF); GOTRACE_BTF can name a file that does"),
                    _ => problem,
                };
                let problem = self.perhaps_in_header(problem);
                self.fail(problem)
            }
        }
    }

    /// Says of a name that is not known that a header was left out, if the script asks for one.
    pub(super) fn perhaps_in_header(&self, problem: Problem) -> Problem {
        match self.header {
            Some(header) => problem.note(format!(
                "the script asks for <{header}>, which is left out: gotrace reads no C headers"
            )),
            None => problem,
        }
    }

    fn member(&mut self, place: Place, name: &Name, span: Span) -> Checked<Place> {
        if let Type::Record(_) = &place.ty {
            let record = self.load(place, span)?;
            let member = self.record_member(record, name, span)?;
            let ty = member.ty.clone();
            return Ok(Place::new(Base::Value(member, 0), ty));
        }
        let Type::Struct(s) = &place.ty else {
            return self.fail(Problem::error(span, "only structures have members"));
        };
        if s.field(&name.text).is_none()
            && let Some(path) = self.promoted(s, name)?
        {
            let mut inner = place;
            for step in &path {
                inner = self.member(inner, step, span)?;
                if matches!(inner.ty, Type::Ptr { .. }) {
                    let pointer = self.load(inner, span)?;
                    inner = self.pointee(pointer, span)?;
                }
            }
            return self.member(inner, name, span);
        }
        let field = self.field(s, name)?;
        let space = match place.base {
            Base::Memory(_, space) => space,
            _ => AddrSpace::User,
        };
        let ty = self.known_struct_in(field.ty, space, span)?;
        let base = match place.base {
            Base::Memory(address, space) => {
                Base::Memory(build::offset(address, u64::from(field.offset), span), space)
            }
            Base::Context(at) | Base::DataLoc(at) if field.form == FieldForm::DataLoc => {
                Base::DataLoc(at + field.offset)
            }
            Base::Context(at) | Base::DataLoc(at) => Base::Context(at + field.offset),
            Base::Registers(pieces) => Base::Registers(Checker::part_of(&pieces, field.offset, ty.size())),
            Base::Value(value, at) => Base::Value(value, at + field.offset),
        };
        Ok(Place { base, ty, bits: field.form.bits() })
    }

    fn field(&mut self, s: &Arc<Struct>, name: &Name) -> Checked<Field> {
        if let Some(field) = s.field(&name.text) {
            return Ok(field.clone());
        }
        let mut problem = Problem::error(
            name.span,
            format!("`{} {}` has no member `{}`", s.kind.keyword(), s.name, name.text),
        )
        .did_you_mean(&name.text, s.fields.iter().map(|f| f.name.as_str()));
        if problem.help.is_empty() {
            problem = problem.note(members(s));
        }
        if let Some(note) = self.other_of_this_name(s) {
            problem = problem.note(note);
        }
        self.fail(problem)
    }

    /// Which of two structures of a name this is, if both the traced program and the kernel have one.
    fn other_of_this_name(&self, s: &Arc<Struct>) -> Option<String> {
        let (ours, kernel) = (self.go_struct(s)?, self.env.kernel_struct(&s.name)?);
        let binary = self.target().binaries.first()?;
        if *s == ours && ours.fields != kernel.fields {
            return Some(format!(
                "this is the structure of {binary}; the kernel's of that name is taken for addresses of the kernel"
            ));
        }
        (s.fields == kernel.fields && s.fields != ours.fields)
            .then(|| format!("this is the structure of the kernel; {binary} has one of that name too"))
    }

    /// `args.name` of a tracepoint.
    fn args_member(&mut self, span: Span, name: &Name) -> Checked<Place> {
        let Attach::Tracepoint(tracepoint) = &self.target().attach else {
            return self.no_args(span, name.span);
        };
        let record = &tracepoint.args;
        let Some(field) = record.field(&name.text) else {
            let point = format!("tracepoint:{}:{}", tracepoint.category, tracepoint.name);
            let mut problem = Problem::error(name.span, format!("`{point}` has no argument `{}`", name.text))
                .did_you_mean(&name.text, record.fields.iter().map(|f| f.name.as_str()));
            if problem.help.is_empty() {
                problem = problem.note(members(record));
            }
            return self.fail(problem);
        };
        let base = match field.form {
            FieldForm::DataLoc => Base::DataLoc(field.offset),
            FieldForm::Plain | FieldForm::Bits(_) => Base::Context(field.offset),
        };
        Ok(Place { base, ty: self.with_space(&field.ty), bits: field.form.bits() })
    }

    /// Pointers in a tracepoint's record point to where the tracepoint's pointers do: the record's format does not say.
    fn with_space(&self, ty: &Type) -> Type {
        match ty {
            Type::Ptr { to, .. } => {
                Type::Ptr { to: Box::new(self.with_space(to)), space: self.default_space() }
            }
            Type::Array(of, n) => Type::Array(Box::new(self.with_space(of)), *n),
            other => other.clone(),
        }
    }

    /// `args` where there are none.
    pub(crate) fn no_args<T>(&mut self, span: Span, member: Span) -> Checked<T> {
        let span = span.to(member);
        if self.in_function() {
            let problem = self.unknown_in_function("args", span);
            return self.fail(problem);
        }
        let problem = match &self.target().attach {
            Attach::Uprobe { class, .. } if class.usdt.is_some() => {
                Problem::error(span, "the arguments of USDT probes have no names")
                    .help("write `arg0`, `arg1` and so on; `gotrace list -v` shows them")
            }
            Attach::Uprobe { ret: false, .. } => Problem::error(span, "`args` has members")
                .help("write `args.NAME`, or `args.0` for the first parameter"),
            Attach::Uprobe { ret: true, class, .. } => {
                let keep = match class.goroutine {
                    Some(_) => "`@arg[callid] = args.NAME;`",
                    None => "`@arg[tid] = arg0;`",
                };
                Problem::error(span, "the arguments are gone when a function returns")
                    .help(format!("keep them at the entry, in a map: {keep}"))
            }
            Attach::Tracepoint(_) | Attach::RawTracepoint(_) | Attach::Fentry { .. } => {
                Problem::error(span, "`args` has members").help("write `args.name`")
            }
            Attach::Iter(_) => Problem::error(span, "what an iterator is at has members")
                .help("write `ctx.NAME`; `gotrace list -v` shows the names"),
            _ => Problem::error(span, format!("`{}` probes have no arguments", self.target().kind().name()))
                .note("`args` is available in tracepoint, rawtracepoint, fentry, fexit and uprobe probes"),
        };
        self.fail(problem)
    }

    fn index(&mut self, base: &Expr, index: &[Expr], span: Span) -> Checked<Place> {
        let place = self.place(base);
        let [n] = index else {
            place?;
            return self.fail(Problem::error(span, "an element has one index; only maps have several keys"));
        };
        let n = self.expr(n);
        let (place, n) = (place?, n?);
        if let Some(Place { base, ty: Type::Go(GoType::Map(map)), .. }) = &place {
            return self.go_map_element(base, map, n, span);
        }
        if !matches!(n.ty, Type::Int { .. }) {
            let message = format!("an index is a number, this is {}", with_article(&n.ty));
            return self.fail(Problem::error(n.span, message));
        }
        let pointer = match place {
            Some(Place { base, ty: Type::Array(of, len), .. }) => {
                return self.array_element(base, *of, len, n, span);
            }
            Some(Place { base: base @ Base::Context(_), ty: Type::Str(len), .. }) => {
                return self.array_element(base, Type::CHAR, len, n, span);
            }
            Some(Place { base, ty: Type::Go(GoType::Slice(of)), .. }) => {
                return self.slice_element(&base, &of, n, span);
            }
            Some(place) => self.load(place, base.span)?,
            None => self.expr(base)?,
        };
        match (&pointer.ty, n.literal()) {
            (Type::Tuple(_), Some(i)) => {
                let member = self.tuple_member(pointer, i, span)?;
                let ty = member.ty.clone();
                return Ok(Place::new(Base::Value(member, 0), ty));
            }
            (Type::Tuple(_), None) => {
                let problem = Problem::error(n.span, "the index of a tuple must be a constant number");
                return self.fail(problem.note("its members can have different types"));
            }
            (Type::Record(_), _) => {
                let problem = Problem::error(span, "the members of a record have names");
                return self.fail(problem.help("write `.NAME`"));
            }
            _ => {}
        }
        if let Type::Array(of, len) = &pointer.ty {
            let (of, len) = ((**of).clone(), *len);
            return self.array_element(Base::Value(pointer, 0), of, len, n, span);
        }
        if let Type::Str(len) = pointer.ty {
            return self.array_element(Base::Value(pointer, 0), Type::CHAR, len, n, span);
        }
        let Type::Ptr { to, space } = &pointer.ty else {
            let problem = Problem::error(span, format!("{} has no elements", with_article(&pointer.ty)));
            let problem = match &pointer.ty {
                Type::Int { .. } => problem.help("cast it to a pointer: `((uint64 *)…)[0]`"),
                _ => problem,
            };
            return self.fail(problem);
        };
        let (to, space) = ((**to).clone(), *space);
        // As in Go, the elements of a pointer to an array are those of the array.
        if let (Type::Array(of, len), true) = (&to, self.is_in_go()) {
            let (of, len) = ((**of).clone(), *len);
            return self.array_element(Base::Memory(pointer, space), of, len, n, span);
        }
        if to == Type::Void {
            let problem =
                Problem::error(span, "a `void *` has no elements").help("cast it: `((uint64 *)…)[0]`");
            return self.fail(problem);
        }
        let ty = self.known_struct(to, span)?;
        let size = u64::from(ty.size());
        let address = self.element(pointer, n, size, false, span);
        Ok(Place::new(Base::Memory(address, space), ty))
    }

    fn array_element(&mut self, base: Base, of: Type, len: u32, n: hir::Expr, span: Span) -> Checked<Place> {
        let of = self.known_struct(of, span)?;
        let size = u64::from(of.size());
        // A length of 0 is a flexible array: it ends where the record does.
        if let Some(i) = n.literal()
            && len > 0
            && i >= u64::from(len)
        {
            let message = format!("the array has {len} elements, counted from 0");
            return self.fail(Problem::error(n.span, message));
        }
        if let (Base::Value(..), 0) = (&base, len) {
            let problem = Problem::error(span, "an array without a length is not part of what is kept");
            return self.fail(problem.help("read it through the pointer"));
        }
        let base = match (base, n.literal()) {
            (Base::Memory(address, space), None) if len > 0 && self.is_in_go() => {
                let len = build::int(u64::from(len), Type::U64, span);
                Base::Memory(Checker::within(address, n, len, of.size(), span), space)
            }
            (Base::Memory(address, space), _) => {
                Base::Memory(self.element(address, n, size, false, span), space)
            }
            (Base::Context(at), Some(i)) => Base::Context(at.saturating_add((i * size) as u32)),
            (Base::Context(_), None) => {
                return self.fail(Problem::error(n.span, "an element of an argument needs a constant index"));
            }
            (Base::Registers(pieces), Some(i)) => {
                Base::Registers(Checker::part_of(&pieces, (i * size) as u32, size as u32))
            }
            (Base::Registers(_), None) => {
                return self.fail(Problem::error(n.span, "an element in registers needs a constant index"));
            }
            (Base::DataLoc(at), _) => {
                let ty = Type::Ptr { to: Box::new(of.clone()), space: AddrSpace::Kernel };
                let pointer = hir::Expr::new(hir::ExprKind::CtxDataLoc { offset: at }, ty, span);
                Base::Memory(self.element(pointer, n, size, false, span), AddrSpace::Kernel)
            }
            (Base::Value(value, at), Some(i)) => Base::Value(value, at.saturating_add((i * size) as u32)),
            (Base::Value(value, at), None) => {
                let array = part(value, at, Type::Array(Box::new(of.clone()), len), span);
                let index = Box::new(build::cast(self.promote(n), &Type::U64));
                let kind = hir::ExprKind::Element { of: Box::new(array), index };
                Base::Value(hir::Expr::new(kind, of.clone(), span), 0)
            }
        };
        Ok(Place::new(base, of))
    }

    /// Reads a place. Arrays of `char` are text.
    pub(super) fn load(&mut self, place: Place, span: Span) -> Checked<hir::Expr> {
        const BYTE: Type = Type::Int { bits: 8, signed: false };
        let Place { base, ty, bits } = place;
        if let Some(bits) = bits {
            return self.load_bits(base, bits, &ty, span);
        }
        let base = match base {
            // The characters of an element are text, as those of a member are.
            Base::Value(value, 0)
                if value.ty == ty && !matches!(value.kind, hir::ExprKind::Element { .. }) =>
            {
                return Ok(value.with_span(span));
            }
            base => base,
        };
        if let Type::Go(go) = &ty {
            return self.load_go(&base, go, span);
        }
        let text = match &ty {
            Type::Array(of, n) if **of == Type::CHAR => Some(*n),
            Type::Str(n) => Some(*n),
            _ => None,
        };
        if let (Base::Context(_), true, false) = (&base, self.event_context().is_some(), ty.is_scalar()) {
            let problem =
                Problem::error(span, format!("{} cannot be read as a whole here", with_article(&ty)));
            return self.fail(problem.help("name one of its members"));
        }
        let node = |kind, ty| Ok(hir::Expr::new(kind, ty, span));
        match (base, text) {
            (Base::Registers(pieces), _) => self.load_registers(&pieces, &ty, span),
            (Base::DataLoc(offset), Some(_)) => node(
                hir::ExprKind::CtxDataLoc { offset },
                Type::Str(self.config.max_strlen.next_multiple_of(8)),
            ),
            (Base::DataLoc(offset), None) => {
                let to = match ty {
                    Type::Array(of, _) | Type::Ptr { to: of, .. } => of,
                    other => Box::new(other),
                };
                node(hir::ExprKind::CtxDataLoc { offset }, Type::Ptr { to, space: AddrSpace::Kernel })
            }
            (Base::Value(value, at), Some(n)) if matches!(ty, Type::Array(..)) => {
                let array = part(value, at, ty, span);
                node(hir::ExprKind::Cast(Box::new(array)), Type::Str(build::string_size(n as usize)))
            }
            (Base::Value(value, at), _) if ty == Type::Bool => {
                Ok(build::nonzero(part(value, at, BYTE, span)))
            }
            (Base::Value(value, at), _) => Ok(part(value, at, ty, span)),
            (Base::Context(offset), Some(n)) => {
                node(hir::ExprKind::Ctx { offset }, Type::Str(n.max(1).next_multiple_of(8)))
            }
            (Base::Context(offset), None) if ty == Type::Bool => {
                let byte = hir::Expr::new(hir::ExprKind::Ctx { offset }, BYTE, span);
                Ok(build::nonzero(byte))
            }
            (Base::Context(offset), None) => node(hir::ExprKind::Ctx { offset }, ty),
            (Base::Memory(address, space), Some(n)) => {
                let size = build::string_size(n as usize).min(self.config.max_strlen.next_multiple_of(8));
                let len = build::int(u64::from(n), Type::U64, span);
                node(
                    hir::ExprKind::ReadStr { addr: Box::new(address), len: Some(Box::new(len)), space },
                    Type::Str(size),
                )
            }
            (Base::Memory(address, space), None) if ty == Type::Bool => {
                let byte = hir::Expr::new(hir::ExprKind::Load { addr: Box::new(address), space }, BYTE, span);
                Ok(build::nonzero(byte))
            }
            (base @ Base::Memory(_, AddrSpace::User), None) if is_time(&ty) => self.load_time(&base, span),
            (base @ Base::Memory(_, AddrSpace::User), None) if self.holds_go(&ty) => {
                self.whole(&base, &ty, span)
            }
            (Base::Memory(address, space), None) => {
                node(hir::ExprKind::Load { addr: Box::new(address), space }, ty)
            }
        }
    }
}

impl Checker<'_> {
    /// `&e`: the address of a variable, a map entry, or something in memory.
    pub(super) fn address_of(&mut self, e: &Expr, span: Span) -> Checked<hir::Expr> {
        let node = |kind, to, space| Ok(hir::Expr::new(kind, pointer_to(to, space), span));
        match &e.kind {
            ExprKind::Var(name) => {
                let id = self.find_var(name, e.span)?;
                let ty = self.var_value(id, e.span)?.ty;
                self.scopes.vars[id.0 as usize].addressed = true;
                return node(hir::ExprKind::VarAddr(id), ty, AddrSpace::Kernel);
            }
            ExprKind::Map { name, keys } => {
                let (map, key) = self.map_entry(name, keys, e.span)?;
                let value = self.map_get(map, name, key, e.span)?;
                let hir::ExprKind::MapGet { map, key } = value.kind else { return Err(Stop::Reported) };
                if self.plain_type(map).is_none() {
                    let problem = Problem::error(e.span, format!("`{}` holds an aggregation", name.text));
                    return self.fail(problem.note("it has a part on every CPU, and so no one address"));
                }
                return node(hir::ExprKind::EntryAddr { map, key }, value.ty, AddrSpace::Kernel);
            }
            _ => {}
        }
        match self.place(e)? {
            Some(Place { bits: Some(_), .. }) => {
                self.fail(Problem::error(e.span, "a bit-field has no address"))
            }
            Some(Place { base: Base::Memory(address, space), ty, .. }) => {
                Ok(build::cast(address, &pointer_to(ty, space)).with_span(span))
            }
            _ => self.fail(
                Problem::error(e.span, "this has no address")
                    .note("variables, map entries and what pointers point to have one")
                    .help("put it into a variable first"),
            ),
        }
    }

    /// Offset and type of a member: `f.g`.
    pub(super) fn member_offset(&mut self, of: Type, path: &[Name], span: Span) -> Checked<(u32, Type)> {
        let (mut ty, mut offset) = (of, 0);
        for name in path {
            let Type::Struct(s) = self.known_struct(ty, span)? else {
                return self.fail(Problem::error(name.span, "only structures have members"));
            };
            let field = self.field(&s, name)?;
            if field.form.bits().is_some() {
                return self.fail(Problem::error(name.span, "a bit-field has no offset in bytes"));
            }
            offset += field.offset;
            ty = field.ty;
        }
        Ok((offset, ty))
    }

    /// `container_of(p, T, f.g)`: the structure that `p` is the address of a member of.
    pub(super) fn container_of(
        &mut self,
        p: &Expr,
        of: &TypeExpr,
        path: &[Name],
        span: Span,
    ) -> Checked<hir::Expr> {
        let pointer = self.expr(p)?;
        let Type::Ptr { space, .. } = pointer.ty else {
            let message = format!("{} is no pointer", with_article(&pointer.ty));
            return self.fail(Problem::error(p.span, message).help("cast it: `(TYPE *)…`"));
        };
        let of = self.written_type(of, space)?;
        let (offset, _) = self.member_offset(of.clone(), path, span)?;
        let offset = build::int(u64::from(offset), Type::U64, span);
        let start = build::binary(hir::BinOp::Sub, build::cast(pointer, &Type::U64), offset, Type::U64, span);
        Ok(build::cast(start, &pointer_to(of, space)))
    }

    /// Reads a bit-field: the word around it, shifted and cut.
    fn load_bits(&mut self, base: Base, range: BitRange, ty: &Type, span: Span) -> Checked<hir::Expr> {
        let word = self.load(Place::new(base, range.unit()), span)?;
        let number = |n: u8| build::int(u64::from(n), Type::U64, span);
        let (shift, unused) = (range.shift, 64 - range.width);
        let value = if ty.is_signed() {
            let up = build::binary(
                hir::BinOp::Shl,
                build::cast(word, &Type::I64),
                number(unused - shift),
                Type::I64,
                span,
            );
            build::binary(hir::BinOp::Shr, up, number(unused), Type::I64, span)
        } else {
            let down =
                build::binary(hir::BinOp::Shr, build::cast(word, &Type::U64), number(shift), Type::U64, span);
            let mask = build::int(u64::MAX >> unused, Type::U64, span);
            build::binary(hir::BinOp::And, down, mask, Type::U64, span)
        };
        Ok(if *ty == Type::Bool { build::nonzero(value) } else { build::cast(value, ty) })
    }
}

/// What lies at an offset in a value.
pub(super) fn part(value: hir::Expr, offset: u32, ty: Type, span: Span) -> hir::Expr {
    if offset == 0 && value.ty == ty {
        return value.with_span(span);
    }
    match value.kind {
        hir::ExprKind::Part { of, offset: outer } => part(*of, outer + offset, ty, span),
        _ => hir::Expr::new(hir::ExprKind::Part { of: Box::new(value), offset }, ty, span),
    }
}

/// A structure of every kernel.
const ANY_KERNEL_HAS: &str = "task_struct";

/// What programs of perf events get (include/uapi/linux/bpf_perf_event.h).
const EVENT_CONTEXT: &str = "bpf_perf_event_data";

fn is_context(e: &Expr) -> bool {
    matches!(&e.kind, ExprKind::Ident(name) if name == "ctx")
}

/// Whether this is Go's `time.Time`, which has a form of its own.
fn is_time(ty: &Type) -> bool {
    matches!(ty, Type::Struct(s) if s.name == whole::TIME)
}

/// The members of a structure, for a message.
fn members(s: &Struct) -> String {
    /// More than a reader looks through.
    const MOST: usize = 24;
    let mut names: Vec<&str> = s.fields.iter().take(MOST).map(|f| f.name.as_str()).collect();
    if s.fields.len() > MOST {
        names.push("…");
    }
    format!("its members are {}", names.join(", "))
}
