//! Go values as a whole: what is copied of a value so that it can be printed, and where in the copy it lies.
//!
//! [`Checker::whole`] plans the copy breadth first, so that when room or reads run out, what lies deep is left out before what lies near.
//! Called where a Go place is read that fits no other type ([`Checker::load_go`]) and where one is printed ([`Checker::shown`]).

use crate::ast::{Expr, ExprKind, UnOp};
use crate::check::go::held;
use crate::check::place::{Base, Place};
use crate::check::{Checked, Checker, build};
use crate::diag::Problem;
use crate::env::ParamPlace;
use crate::gocopy::{GoCopy, INTERFACE_SIZE, Kind, MapCopy, Node, NodeId};
use crate::gomap::GoMap;
use crate::hir::{self, CopyPart, CopySource};
use crate::span::Span;
use crate::types::{AddrSpace, GoReference, GoType, Type};
use std::collections::VecDeque;
use std::sync::Arc;

/// Greatest size of a copy in bytes. The ring buffer has room for some hundred of them.
const MOST_BYTES: u32 = 16 << 10;
/// A copy that is smaller is not made smaller still by shorter strings.
const FINE_BYTES: u32 = 4 << 10;
/// Most references of one value that are followed: each is a call of a helper.
const MOST_READS: u32 = 256;
/// Most parts of a value that are told apart.
const MOST_NODES: usize = 1024;
/// Lengths of strings that are tried, besides `max_strlen`.
const SHORTER: [u32; 2] = [256, 64];
/// Name of the structure that is printed as a time.
pub(super) const TIME: &str = "time.Time";

/// Something that a part of the value refers to and that is to be copied too.
struct Reference {
    from: NodeId,
    ty: Type,
    depth: u32,
}

/// A copy that is being planned.
struct Plan<'c, 'e> {
    checker: &'c Checker<'e>,
    nodes: Vec<Node>,
    size: u32,
    reads: u32,
    /// Bytes copied of a string.
    room: u32,
    todo: VecDeque<Reference>,
    /// Something was left out for want of room.
    cut: bool,
}

impl Plan<'_, '_> {
    fn of<'c, 'e>(checker: &'c Checker<'e>, room: u32) -> Plan<'c, 'e> {
        Plan { checker, nodes: Vec::new(), size: 0, reads: 0, room, todo: VecDeque::new(), cut: false }
    }

    fn node(&mut self, at: u32, kind: Kind) -> NodeId {
        self.nodes.push(Node { at, kind });
        self.nodes.len() - 1
    }

    fn refers(&mut self, at: u32, kind: Kind, ty: &Type, depth: u32) -> NodeId {
        let from = self.node(at, kind);
        self.todo.push_back(Reference { from, ty: ty.clone(), depth });
        from
    }

    /// Plans a value whose bytes are at `at`, inside of `depth` others.
    fn value(&mut self, ty: &Type, at: u32, depth: u32) -> NodeId {
        if self.nodes.len() >= MOST_NODES {
            self.cut = true;
            return self.node(at, Kind::Cut);
        }
        match ty {
            Type::Struct(s) if s.name == TIME => self.node(at, Kind::Time),
            Type::Struct(_) | Type::Array(..) if depth >= self.checker.config.max_depth => {
                self.node(at, Kind::Cut)
            }
            Type::Struct(_) => self.structure(ty, at, depth),
            // Text of C, up to its end.
            Type::Array(of, len) if **of == Type::CHAR => self.node(at, Kind::Plain(Type::Str(*len))),
            Type::Array(of, len) => {
                let node = self.node(at, Kind::Cut);
                let of = self.checker.complete_type(of);
                let shown = (*len).min(self.checker.config.max_elems);
                let elements = (0..shown).map(|i| self.value(&of, at + i * of.size(), depth + 1)).collect();
                self.set(node, Kind::Array { elements, len: *len });
                node
            }
            Type::Go(GoType::Complex(bits)) => self.node(at, Kind::Complex(*bits)),
            Type::Go(GoType::Str) => self.refers(at, Kind::Text { to: 0, room: 0 }, ty, depth),
            Type::Go(GoType::Slice(of)) if is_byte(of) => {
                self.refers(at, Kind::Bytes { to: 0, room: 0 }, ty, depth)
            }
            Type::Go(GoType::Slice(_)) => {
                let empty = Kind::Slice { to: 0, stride: 0, elements: Vec::new() };
                self.refers(at, empty, ty, depth)
            }
            Type::Go(GoType::Interface { .. } | GoType::Map(_) | GoType::Reference(_)) => {
                self.refers(at, Kind::Cut, ty, depth)
            }
            // A pointer of C may lead to one value, to many, or to nothing: it is shown as it is.
            Type::Ptr { to, .. } if **to != Type::Void && !self.checker.is_in_c() => {
                self.refers(at, Kind::Plain(ty.clone()), ty, depth)
            }
            ty => self.node(at, Kind::Plain(ty.clone())),
        }
    }

    fn structure(&mut self, ty: &Type, at: u32, depth: u32) -> NodeId {
        let node = self.node(at, Kind::Cut);
        let Type::Struct(s) = self.checker.complete_type(ty) else { return node };
        let fields = s.fields.iter().filter(|f| f.name != "_");
        let fields = fields
            .map(|f| {
                let member = match f.form.bits() {
                    Some(bits) => self.node(at + f.offset, Kind::Bits(f.ty.clone(), bits)),
                    None => self.value(&f.ty, at + f.offset, depth + 1),
                };
                (Arc::from(f.name.as_str()), member)
            })
            .collect();
        self.set(node, Kind::Struct(fields));
        node
    }

    fn set(&mut self, node: NodeId, kind: Kind) {
        if let Some(node) = self.nodes.get_mut(node) {
            node.kind = kind;
        }
    }

    /// Room for what something refers to; `None` when there is no more.
    fn room(&mut self, bytes: u32) -> Option<u32> {
        let at = self.size.next_multiple_of(8);
        if self.reads >= MOST_READS || at.saturating_add(bytes) > MOST_BYTES {
            self.cut = true;
            return None;
        }
        self.reads += 1;
        self.size = at + bytes;
        Some(at)
    }

    /// Plans everything that the parts so far refer to.
    fn follow(&mut self) {
        while let Some(Reference { from, ty, depth }) = self.todo.pop_front() {
            let kind = match &ty {
                Type::Ptr { to, .. } => self.pointee(to, depth),
                Type::Go(go) => self.referred(go, depth),
                _ => None,
            };
            if let Some(kind) = kind {
                self.set(from, kind);
            }
        }
    }

    /// A pointer that is not followed is an address.
    fn pointee(&mut self, to: &Type, depth: u32) -> Option<Kind> {
        let to = self.checker.complete_type(to);
        let too_deep =
            matches!(to, Type::Struct(_) | Type::Array(..)) && depth >= self.checker.config.max_depth;
        let size = to.size();
        if too_deep || size == 0 {
            return None;
        }
        let at = self.room(size)?;
        Some(Kind::Pointer { target: self.value(&to, at, depth), size })
    }

    /// The entries of a map that is not too deep.
    fn entries(&mut self, map: &GoMap, depth: u32) -> Option<MapCopy> {
        if depth >= self.checker.config.max_depth {
            return None;
        }
        let (key, element) = (self.checker.complete_type(&map.key), self.checker.complete_type(&map.element));
        let offset = key.size().next_multiple_of(element.align().max(1));
        let stride = offset.checked_add(element.size())?.next_multiple_of(8);
        let most = self.checker.config.max_elems;
        let to = self.room(MapCopy::HEADER + stride.checked_mul(most)?)?;
        let entry = |n: u32| {
            let at = to + MapCopy::HEADER + n * stride;
            (self.value(&key, at, depth + 1), self.value(&element, at + offset, depth + 1))
        };
        let entries = (0..most).map(entry).collect();
        Some(MapCopy { to, stride, element: offset, entries, layout: map.layout })
    }

    fn referred(&mut self, ty: &GoType, depth: u32) -> Option<Kind> {
        let room = self.room;
        Some(match ty {
            GoType::Str => Kind::Text { to: self.room(room)?, room },
            GoType::Slice(of) if is_byte(of) => {
                let room = room.min(super::go::BUFFER);
                Kind::Bytes { to: self.room(room)?, room }
            }
            GoType::Slice(of) => {
                let of = self.checker.complete_type(of);
                let (stride, most) = (of.size(), self.checker.config.max_elems);
                if depth >= self.checker.config.max_depth || stride == 0 {
                    return None;
                }
                let to = self.room(stride.checked_mul(most)?)?;
                let elements = (0..most).map(|i| self.value(&of, to + i * stride, depth + 1)).collect();
                Kind::Slice { to, stride, elements }
            }
            GoType::Interface { methods } => {
                let to = self.room(INTERFACE_SIZE + room)?;
                Kind::Interface { to, methods: *methods, room }
            }
            GoType::Map(map) => match self.entries(map, depth) {
                Some(copy) => Kind::Map(copy),
                None => Kind::Container { to: self.room(16)?, channel: false },
            },
            GoType::Reference(GoReference::Func) => Kind::Func { to: self.room(16)? },
            GoType::Reference(what) => {
                Kind::Container { to: self.room(16)?, channel: *what == GoReference::Chan }
            }
            GoType::Complex(_) => return None,
        })
    }
}

impl Checker<'_> {
    /// A value for printing: Go values with what they point to, others as they are.
    pub(crate) fn shown(&mut self, e: &Expr) -> Checked<hir::Expr> {
        if let ExprKind::Ident(name) = &e.kind
            && name == "args"
            && let Some(all) = self.all_params(e.span)?
        {
            return Ok(all);
        }
        if !comes_from_go(e) || self.signature().is_none() {
            return self.expr(e);
        }
        match self.place(e)? {
            Some(Place { base, ty, .. }) if self.is_followed(&ty) => self.whole(&base, &ty, e.span),
            Some(place) => self.load(place, e.span),
            None => match self.expr(e)? {
                value if self.is_followed(&value.ty) => {
                    let ty = value.ty.clone();
                    self.whole(&Base::Value(value, 0), &ty, e.span)
                }
                value => Ok(value),
            },
        }
    }

    /// Whether a value is shown with what it points to: all pointers but those to nothing in particular.
    fn is_followed(&self, ty: &Type) -> bool {
        match ty {
            Type::Array(of, _) if **of == Type::CHAR => false,
            Type::Ptr { .. } if self.is_in_c() => false,
            Type::Struct(s) => s.name != TIME,
            Type::Array(..) => true,
            ty => ty.pointee().is_some_and(|to| *to != Type::Void),
        }
    }

    /// A place with what it refers to.
    pub(super) fn whole(&mut self, base: &Base, ty: &Type, span: Span) -> Checked<hir::Expr> {
        let mut parts = Vec::new();
        let mut unreadable = Vec::new();
        self.parts(base, ty.size(), 0, span, &mut parts, &mut unreadable)?;
        let plan = self.plan(ty.size(), |plan| {
            plan.value(ty, 0, 0);
        });
        self.copied(go_name(ty), plan, parts, &unreadable, span)
    }

    /// `args` alone: the parameters of a Go function as a structure.
    fn all_params(&mut self, span: Span) -> Checked<Option<hir::Expr>> {
        let Some(signature) = self.params_signature(span)? else { return Ok(None) };
        let (mut parts, mut unreadable, mut fields, mut end) = (Vec::new(), Vec::new(), Vec::new(), 0u32);
        for (n, param) in signature.params.iter().enumerate() {
            let ty = self.complete_type(&param.ty);
            let at = end.next_multiple_of(ty.align());
            end = at.saturating_add(ty.size());
            let base = self.param_base(&param.place, span)?;
            self.parts(&base, ty.size(), at, span, &mut parts, &mut unreadable)?;
            let name = if param.name.is_empty() { n.to_string() } else { param.name.clone() };
            fields.push((Arc::<str>::from(name), ty, at));
        }
        if fields.is_empty() {
            return self.fail(Problem::error(span, "the function has no parameters"));
        }
        merge_stack(&signature.params.iter().map(|p| p.place.clone()).collect::<Vec<_>>(), &mut parts);
        let plan = self.plan(end, |plan| {
            let root = plan.node(0, Kind::Cut);
            let members = fields.iter().map(|(name, ty, at)| (name.clone(), plan.value(ty, *at, 0)));
            let members = members.collect();
            plan.set(root, Kind::Struct(members));
        });
        self.copied("args".into(), plan, parts, &unreadable, span).map(Some)
    }

    /// Makes a plan with strings as long as there is room for.
    fn plan(&self, own: u32, root: impl Fn(&mut Plan<'_, '_>)) -> (Vec<Node>, u32, bool) {
        let longest = self.config.max_strlen;
        let mut rooms = vec![longest];
        rooms.extend(SHORTER.iter().filter(|room| **room < longest));
        let last = rooms.len() - 1;
        for (n, room) in rooms.into_iter().enumerate() {
            let mut plan = Plan::of(self, room);
            plan.size = own;
            root(&mut plan);
            plan.follow();
            if n == last || (!plan.cut && plan.size <= FINE_BYTES) {
                return (plan.nodes, plan.size.next_multiple_of(8), plan.cut);
            }
        }
        (Vec::new(), 0, false)
    }

    fn copied(
        &mut self,
        name: String,
        (mut nodes, size, cut): (Vec<Node>, u32, bool),
        parts: Vec<CopyPart>,
        unreadable: &[(u32, u32)],
        span: Span,
    ) -> Checked<hir::Expr> {
        if size > MOST_BYTES {
            let problem = Problem::error(
                span,
                format!("{name} has {size} bytes; at most {MOST_BYTES} can be read at once"),
            );
            return self.fail(problem.help("name the member or the element that matters"));
        }
        for node in &mut nodes {
            let inside =
                |(at, size): &(u32, u32)| (*at..at + size).contains(&node.at) && !is_composed(&node.kind);
            if unreadable.iter().any(inside) {
                node.kind = Kind::Unreadable;
            }
        }
        if cut {
            let problem = Problem::warning(span, format!("{name} is too large to be printed whole"))
                .note("what lies deep in it is printed as `...` or as an address")
                .help("print the member that matters, or set `max_depth` or `max_elems` lower");
            self.warn(problem);
        }
        let ty = Type::GoCopy(Arc::new(GoCopy { name, nodes, size }));
        Ok(hir::Expr::new(hir::ExprKind::GoCopy(parts), ty, span))
    }

    /// The bytes of a value of `size` bytes, which go to `at` in the copy; those in floating-point registers are noted.
    fn parts(
        &mut self,
        base: &Base,
        size: u32,
        at: u32,
        span: Span,
        parts: &mut Vec<CopyPart>,
        unreadable: &mut Vec<(u32, u32)>,
    ) -> Checked<()> {
        match base {
            Base::Registers(pieces) => {
                for piece in pieces {
                    let at = at + piece.offset;
                    match held(piece, span) {
                        Some(value) => {
                            let from = CopySource::Value(value);
                            parts.push(CopyPart { at, size: piece.size, from });
                        }
                        None => unreadable.push((at, piece.size)),
                    }
                }
            }
            Base::Memory(address, AddrSpace::User) => {
                parts.push(CopyPart { at, size, from: CopySource::Memory(address.clone()) });
            }
            // A pointer that was computed.
            Base::Value(value, 0) if matches!(value.ty, Type::Ptr { space: AddrSpace::User, .. }) => {
                let from = CopySource::Value(build::cast(value.clone(), &Type::U64));
                parts.push(CopyPart { at, size, from });
            }
            Base::Memory(..) | Base::Context(_) | Base::DataLoc(_) | Base::Value(..) => {
                return self.fail(Problem::error(span, "Go values are found in traced programs"));
            }
        }
        Ok(())
    }
}

/// Parameters that lie one behind the other on the stack become one read, if the copy has them at the same distances.
fn merge_stack(places: &[ParamPlace], parts: &mut Vec<CopyPart>) {
    let mut offsets = places.iter().map(|place| match place {
        ParamPlace::Stack(offset) => Some(*offset),
        ParamPlace::Registers(_) | ParamPlace::Behind(_) => None,
    });
    let Some(Some(first)) = offsets.next() else { return };
    let same = offsets
        .zip(parts.iter().skip(1))
        .all(|(offset, part)| offset.and_then(|offset| offset.checked_sub(first)) == Some(part.at));
    if let (true, Some(last)) = (same && parts.len() == places.len(), parts.last()) {
        let size = last.at + last.size;
        parts.truncate(1);
        if let Some(part) = parts.first_mut() {
            part.size = size;
        }
    }
}

/// The type as Go writes it.
fn go_name(ty: &Type) -> String {
    match ty {
        Type::Struct(s) => s.name.clone(),
        Type::Ptr { to, .. } => format!("*{}", go_name(to)),
        Type::Array(of, n) => format!("[{n}]{}", go_name(of)),
        Type::Go(GoType::Slice(of)) => format!("[]{}", go_name(of)),
        Type::Go(GoType::Map(map)) => format!("map[{}]{}", go_name(&map.key), go_name(&map.element)),
        ty => ty.to_string(),
    }
}

fn is_composed(kind: &Kind) -> bool {
    matches!(kind, Kind::Struct(_) | Kind::Array { .. })
}

/// Slices of these are bytes.
pub(super) fn is_byte(ty: &Type) -> bool {
    matches!(ty, Type::Int { bits: 8, signed: false })
}

/// The builtin that gives what is in an interface.
const HELD_AS: &str = "goas";

/// Whether an expression names a parameter or result, or something in it.
pub(super) fn comes_from_go(e: &Expr) -> bool {
    match &e.kind {
        ExprKind::Ident(name) => name == "args" || name == "retval",
        ExprKind::Member(base, _) | ExprKind::TupleMember(base, _) | ExprKind::Index(base, _) => {
            comes_from_go(base)
        }
        ExprKind::Unary(UnOp::Deref, base) => comes_from_go(base),
        ExprKind::Call { name, .. } => name.text == HELD_AS,
        _ => false,
    }
}

/// The words of a `time.Time` as a value.
pub(super) fn time(wall: hir::Expr, ext: hir::Expr, span: Span) -> hir::Expr {
    let kind = hir::ExprKind::GoTime { wall: Box::new(wall), ext: Box::new(ext) };
    build::cast(hir::Expr::new(kind, Type::Time, span), &Type::Time)
}
